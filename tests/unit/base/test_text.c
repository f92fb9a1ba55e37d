#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"

static enum err number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	struct why why = {0};

	return text_number(span_text(text), min, max, "test", out, &why);
}

static void reads_numbers_within_bounds(void **state)
{
	uint64_t v = 99;

	assert_int_equal(number("0", 0, 10, &v), OK);
	assert_true(v == 0);
	assert_int_equal(number("10", 0, 10, &v), OK);
	assert_int_equal(number("11", 0, 10, &v), ERR_SYNTAX);
	assert_int_equal(number("4", 5, 10, &v), ERR_SYNTAX);
	assert_int_equal(number("0005", 5, 10, &v), OK);
	assert_true(v == 5);
}

static void reads_the_largest_number_and_not_one_more(void **state)
{
	uint64_t v = 0;

	assert_int_equal(number("18446744073709551615", 0, UINT64_MAX, &v), OK);
	assert_true(v == UINT64_MAX);
	assert_int_equal(number("18446744073709551616", 0, UINT64_MAX, &v), ERR_SYNTAX);
	assert_int_equal(number("18446744073709551620", 0, UINT64_MAX, &v), ERR_SYNTAX);
	assert_int_equal(number("99999999999999999999999", 0, UINT64_MAX, &v), ERR_SYNTAX);
}

static void refuses_signs_blanks_and_letters(void **state)
{
	const char *bad[] = {"", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x10", "\xd9\xa1"};
	uint64_t v = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(number(bad[i], 0, UINT64_MAX, &v), ERR_SYNTAX);
	assert_true(v == 7);
}

static enum err duration(const char *text, int64_t *out)
{
	struct why why = {0};

	return text_duration(span_text(text), "test", out, &why);
}

static void reads_durations_of_every_unit(void **state)
{
	const struct {
		const char *text;
		int64_t seconds;
	} good[] = {{"0", 0}, {"0d", 0}, {"10s", 10}, {"30min", 1800}, {"12h", 43200}, {"90d", 7776000},
		{"2w", 1209600}, {"2y", 63072000}, {"1000000y", 31536000000000}};
	int64_t v = -1;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(duration(good[i].text, &v), OK);
		assert_true(v == good[i].seconds);
	}
}

static void refuses_durations_without_unit_or_beyond_a_million(void **state)
{
	const char *bad[] = {"", "d", "90", "90 d", "-1d", "1.5h", "1m", "1H", "1dd", "1d2h", "1000001s",
		"99999999999999999999d"};
	int64_t v = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(duration(bad[i], &v), ERR_SYNTAX);
	assert_true(v == 7);
}

static void copies_text_that_fits(void **state)
{
	char out[4] = "zzz";

	assert_true(text_copy(out, 4, span_text("abc")));
	assert_string_equal(out, "abc");
	assert_false(text_copy(out, 3, span_text("abc")));
	assert_string_equal(out, "");
	assert_false(text_copy(out, 4, span_of("a\0b", 3)));
	assert_true(text_copy(out, 1, span_of(NULL, 0)));
	assert_string_equal(out, "");
}

static void knows_names_by_their_letters(void **state)
{
	assert_true(text_is_name(span_text("meter-1"), "-_"));
	assert_false(text_is_name(span_text("meter 1"), "-_"));
	assert_false(text_is_name(span_text(""), "-_"));
	assert_false(text_is_name(span_of("a\0", 2), "-_"));
	assert_false(text_is_name(span_text("m\xc3\xbcller"), "-_"));
}

static bool utf8(const char *bytes, size_t n)
{
	return text_is_utf8(span_of(bytes, n));
}

static void accepts_every_code_point_but_nul_and_surrogates(void **state)
{
	/* RFC 3629 3: each code point has one encoding */
	for (uint32_t v = 0; v <= 0x110000; v++) {
		uint8_t b[4];
		size_t n = 0;
		if (v < 0x80) {
			b[n++] = (uint8_t)v;
		} else if (v < 0x800) {
			b[n++] = (uint8_t)(0xc0 | v >> 6);
			b[n++] = (uint8_t)(0x80 | (v & 0x3f));
		} else if (v < 0x10000) {
			b[n++] = (uint8_t)(0xe0 | v >> 12);
			b[n++] = (uint8_t)(0x80 | (v >> 6 & 0x3f));
			b[n++] = (uint8_t)(0x80 | (v & 0x3f));
		} else {
			b[n++] = (uint8_t)(0xf0 | v >> 18);
			b[n++] = (uint8_t)(0x80 | (v >> 12 & 0x3f));
			b[n++] = (uint8_t)(0x80 | (v >> 6 & 0x3f));
			b[n++] = (uint8_t)(0x80 | (v & 0x3f));
		}
		bool good = v != 0 && v <= 0x10ffff && !(v >= 0xd800 && v <= 0xdfff);
		if (text_is_utf8(span_of(b, n)) != good)
			fail_msg("U+%04X: want %d", v, good);
	}
}

static void refuses_overlong_cut_and_stray_bytes(void **state)
{
	/* RFC 3629 3: overlong forms are refused */
	assert_false(utf8("\xc0\x80", 2));
	assert_false(utf8("\xc1\xbf", 2));
	assert_false(utf8("\xe0\x9f\xbf", 3));
	assert_false(utf8("\xf0\x8f\xbf\xbf", 4));
	assert_false(utf8("\xf8\x88\x80\x80\x80", 5));
	assert_false(utf8("\x80", 1));
	assert_false(utf8("\xc3", 1));
	assert_false(utf8("\xe2\x82", 2));
	assert_false(utf8("\xf0\x9f\x98", 3));
	assert_false(utf8("\xc3(", 2));
	assert_false(utf8("\xff", 1));
	assert_true(utf8("", 0));
	assert_true(utf8("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z", 11));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_numbers_within_bounds),
		cmocka_unit_test(reads_the_largest_number_and_not_one_more),
		cmocka_unit_test(refuses_signs_blanks_and_letters),
		cmocka_unit_test(reads_durations_of_every_unit),
		cmocka_unit_test(refuses_durations_without_unit_or_beyond_a_million),
		cmocka_unit_test(copies_text_that_fits),
		cmocka_unit_test(knows_names_by_their_letters),
		cmocka_unit_test(accepts_every_code_point_but_nul_and_surrogates),
		cmocka_unit_test(refuses_overlong_cut_and_stray_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
