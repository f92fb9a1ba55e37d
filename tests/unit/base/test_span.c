#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/span.h"

static void compares_bytes_and_empty_runs(void **state)
{
	assert_true(span_equal(span_text("abc"), span_of("abcd", 3)));
	assert_false(span_equal(span_text("abc"), span_text("abd")));
	assert_false(span_equal(span_text("abc"), span_text("abcd")));
	assert_true(span_equal(span_of(NULL, 0), span_text("")));
	assert_int_equal(span_text(NULL).n, 0);
}

static void ignores_the_case_of_ascii_letters_only(void **state)
{
	assert_true(span_is_nocase(span_text("AppLication/PKCS10"), "application/pkcs10"));
	assert_false(span_is_nocase(span_text("a"), "ab"));
	/* '@' and '`', '[' and '{' lie 32 apart like letters do */
	assert_false(span_is_nocase(span_text("@["), "`{"));
	assert_false(span_equal_nocase(span_text("\xc4"), span_text("\xe4")));
}

static void finds_a_byte_or_tells_the_length(void **state)
{
	assert_int_equal(span_find(span_text("a:b:c"), ':'), 1);
	assert_int_equal(span_find(span_text("abc"), ':'), 3);
	assert_int_equal(span_find(span_of(NULL, 0), ':'), 0);
	assert_int_equal(span_find(span_of("a\0b", 3), 0), 1);
}

static void cuts_within_bounds(void **state)
{
	struct span s = span_text("hello");

	assert_true(span_is(span_from(s, 2), "llo"));
	assert_int_equal(span_from(s, 5).n, 0);
	assert_int_equal(span_from(s, 6).n, 0);
	assert_int_equal(span_from(s, SIZE_MAX).n, 0);
	assert_true(span_is(span_first(s, 2), "he"));
	assert_true(span_is(span_first(s, 6), "hello"));
	assert_int_equal(span_first(s, 0).n, 0);
}

static void trims_blanks_and_tabs_at_both_ends(void **state)
{
	assert_true(span_is(span_trim(span_text(" \t a b\t ")), "a b"));
	assert_int_equal(span_trim(span_text(" \t ")).n, 0);
	assert_true(span_is(span_trim(span_text("\r\na")), "\r\na"));
	assert_int_equal(span_trim(span_of(NULL, 0)).n, 0);
}

static void knows_a_prefix(void **state)
{
	assert_true(span_starts(span_text("urn:gsma"), "urn:"));
	assert_true(span_starts(span_text("urn:"), "urn:"));
	assert_false(span_starts(span_text("urn"), "urn:"));
	assert_true(span_starts(span_of(NULL, 0), ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares_bytes_and_empty_runs),
		cmocka_unit_test(ignores_the_case_of_ascii_letters_only),
		cmocka_unit_test(finds_a_byte_or_tells_the_length),
		cmocka_unit_test(cuts_within_bounds),
		cmocka_unit_test(trims_blanks_and_tabs_at_both_ends),
		cmocka_unit_test(knows_a_prefix),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
