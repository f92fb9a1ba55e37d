#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json_text.h"

static void expect(struct span in, const char *want)
{
	struct buf OWNED_BUF b = BUF(1000);

	json_text_write(&b, in);
	assert_string_equal(buf_text(&b), want);
}

static void escapes_what_json_must(void **state)
{
	/* RFC 8259 7: quote, backslash and control characters are escaped */
	expect(span_text(""), "\"\"");
	expect(span_text("plain"), "\"plain\"");
	expect(span_text("a\"b\\c"), "\"a\\\"b\\\\c\"");
	expect(span_of("\0\n\x1f\x7f", 4), "\"\\u0000\\u000a\\u001f\\u007f\"");
	expect(span_text("/"), "\"/\"");
}

static void keeps_characters_and_replaces_what_is_none(void **state)
{
	expect(span_text("\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\"");
	expect(span_text("a\xff""b"), "\"a\\ufffdb\"");
	expect(span_text("\xc3"), "\"\\ufffd\"");
	expect(span_text("\xe2\x82z"), "\"\\ufffd\\ufffdz\"");
	expect(span_text("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\"");
}

static void needs_at_most_six_bytes_for_one(void **state)
{
	for (unsigned int v = 0; v < 256; v++) {
		uint8_t byte = (uint8_t)v;
		struct buf OWNED_BUF b = BUF(8);
		json_text_write(&b, span_of(&byte, 1));
		assert_false(b.bad);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes_what_json_must),
		cmocka_unit_test(keeps_characters_and_replaces_what_is_none),
		cmocka_unit_test(needs_at_most_six_bytes_for_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
