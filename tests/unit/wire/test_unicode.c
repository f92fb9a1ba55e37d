#include "wire/unicode.h"

#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define VECTORS "tests/vectors/m2m/nfkc.txt"

static enum err normal(struct span in, struct buf *out, struct why *why)
{
	buf_clear(out);
	return unicode_nfkc(in, out, why);
}

static void normal_forms_agree_with_another_implementation(void **state)
{
	char line[4096];
	int n = 0;
	struct buf out OWNED_BUF = BUF(1024);
	FILE *f = fopen(VECTORS, "r");
	(void)state;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		char in_hex[512], want_hex[512];
		uint8_t in[256], want[256];
		size_t in_n = 0, want_n = 0;
		struct why why = {0};
		if (line[0] == '#' || sscanf(line, "%511s %511s", in_hex, want_hex) != 2)
			continue;
		assert_int_equal(hex_parse(span_text(in_hex), in, sizeof(in), &in_n, &why), OK);
		assert_int_equal(hex_parse(span_text(want_hex), want, sizeof(want), &want_n, &why), OK);
		if (normal(span_of(in, in_n), &out, &why) != OK)
			fail_msg("%s: %s", in_hex, why.text);
		if (!span_equal(buf_span(&out), span_of(want, want_n)))
			fail_msg("%s: want %s", in_hex, want_hex);
		/* and a normal form stays as it is */
		assert_int_equal(normal(span_of(want, want_n), &out, &why), OK);
		assert_true(span_equal(buf_span(&out), span_of(want, want_n)));
		n++;
	}
	fclose(f);
	assert_true(n > 400);
}

static void case_is_kept_and_ascii_stays_as_it_is(void **state)
{
	struct buf out OWNED_BUF = BUF(1024);
	struct why why = {0};
	char ascii[128];
	(void)state;

	for (int c = 1; c < 128; c++)
		ascii[c - 1] = (char)c;
	assert_int_equal(normal(span_of(ascii, 127), &out, &why), OK);
	assert_true(span_equal(buf_span(&out), span_of(ascii, 127)));
	assert_int_equal(normal(span_text("\xc3\x84""B\xc3\xa4"), &out, &why), OK);
	assert_string_equal(buf_text(&out), "\xc3\x84""B\xc3\xa4");
	assert_int_equal(normal(span_text(""), &out, &why), OK);
	assert_int_equal(out.n, 0);
	/* it appends */
	assert_int_equal(unicode_nfkc(span_text("a"), &out, &why), OK);
	assert_int_equal(unicode_nfkc(span_text("\xef\xac\x81"), &out, &why), OK);
	assert_string_equal(buf_text(&out), "afi");
}

static void what_is_no_utf8_or_unassigned_is_refused(void **state)
{
	static const struct {
		const char *text;
		size_t n;
	} bad[] = {{"\0", 1}, {"a\0b", 3}, {"\x80", 1}, {"\xc3", 1}, {"\xc0\x80", 2}, {"\xed\xa0\x80", 3}, {"\xed\xbf\xbf", 3},
		{"\xf4\x90\x80\x80", 4}, {"\xf8\x88\x80\x80\x80", 5}, {"\xe4\xb8", 2}, {"\xef\xbf\xbe", 3}, {"\xef\xb7\x90", 3},
		{"\xcd\xb8", 2}, {"a\xcc\x88\xcd\xb8", 5}};
	struct buf out OWNED_BUF = BUF(1024);
	(void)state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct why why = {0};
		assert_int_equal(normal(span_of(bad[i].text, bad[i].n), &out, &why), ERR_SYNTAX);
		assert_int_equal(why.code, CODE_UNICODE);
		assert_int_equal(out.n, 0);
	}
}

static void lengths_end_at_their_limits(void **state)
{
	static uint8_t text[UNICODE_NFKC_MAX + 1];
	struct buf out OWNED_BUF = BUF(UNICODE_NFKC_MAX * 12);
	struct buf small OWNED_BUF = BUF(32);
	struct why why = {0};
	(void)state;

	memset(text, 'a', sizeof(text));
	assert_int_equal(normal(span_of(text, UNICODE_NFKC_MAX), &out, &why), OK);
	assert_int_equal(normal(span_of(text, UNICODE_NFKC_MAX + 1), &out, &why), ERR_LIMIT);
	/* U+FDFA grows most */
	for (size_t i = 0; i + 3 <= UNICODE_NFKC_MAX; i += 3)
		memcpy(text + i, "\xef\xb7\xba", 3);
	why_clear(&why);
	assert_int_equal(normal(span_of(text, UNICODE_NFKC_MAX - 1), &out, &why), OK);
	assert_int_equal(out.n, (UNICODE_NFKC_MAX - 1) / 3 * 33);
	assert_int_equal(normal(span_of(text, 3), &small, &why), ERR_LIMIT);
	/* many marks on one letter are sorted in bounded time */
	for (size_t i = 0; i + 2 <= UNICODE_NFKC_MAX; i += 2)
		memcpy(text + i, i % 4 ? "\xcc\x96" : "\xcc\x81", 2);
	why_clear(&why);
	assert_int_equal(normal(span_of(text, UNICODE_NFKC_MAX), &out, &why), OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(normal_forms_agree_with_another_implementation),
		cmocka_unit_test(case_is_kept_and_ascii_stays_as_it_is),
		cmocka_unit_test(what_is_no_utf8_or_unassigned_is_refused),
		cmocka_unit_test(lengths_end_at_their_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
