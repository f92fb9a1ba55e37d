#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"

static enum err parse(const char *text, struct buf *out)
{
	struct why why = {0};

	return base64_parse(span_text(text), out, &why);
}

static void expect(const char *text, const char *bytes)
{
	struct buf OWNED_BUF b = BUF(1000);

	assert_int_equal(parse(text, &b), OK);
	assert_string_equal(buf_text(&b), bytes);
}

static void refuse(const char *text)
{
	struct buf OWNED_BUF b = BUF(1000);

	assert_int_equal(parse(text, &b), ERR_SYNTAX);
}

/* RFC 4648 10: the known answers */
static const struct {
	const char *bytes, *text;
} vectors[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
	{"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};

static void writes_and_reads_the_known_answers(void **state)
{
	/* RFC 4648 4: three bytes are four characters, padded at the end */
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct buf OWNED_BUF b = BUF(100);
		base64_write(&b, span_text(vectors[i].bytes), 0);
		assert_string_equal(buf_text(&b), vectors[i].text);
		expect(vectors[i].text, vectors[i].bytes);
	}
}

static void reads_back_every_byte_at_every_place(void **state)
{
	for (size_t n = 1; n <= 4; n++) {
		for (unsigned int v = 0; v < 256; v++) {
			uint8_t bytes[4];
			struct buf OWNED_BUF text = BUF(16);
			struct buf OWNED_BUF back = BUF(4);
			memset(bytes, (int)v, sizeof(bytes));
			base64_write(&text, span_of(bytes, n), 0);
			assert_int_equal(parse(buf_text(&text), &back), OK);
			assert_true(span_equal(buf_span(&back), span_of(bytes, n)));
		}
	}
}

static void breaks_lines_where_asked_and_ends_the_last(void **state)
{
	struct buf OWNED_BUF b = BUF(100);

	base64_write(&b, span_text("foobar"), 4);
	assert_string_equal(buf_text(&b), "Zm9v\nYmFy\n");
	buf_clear(&b);
	base64_write(&b, span_text("foobar"), 5);
	assert_string_equal(buf_text(&b), "Zm9vY\nmFy\n");
	buf_clear(&b);
	base64_write(&b, span_text("foobar"), 64);
	assert_string_equal(buf_text(&b), "Zm9vYmFy\n");
	buf_clear(&b);
	base64_write(&b, span_text(""), 64);
	assert_string_equal(buf_text(&b), "");
}

static void reads_any_line_form(void **state)
{
	/* RFC 8951 3.1: with line breaks of either kind, blanks, or none at all */
	expect("Zm9vYmFy\n", "foobar");
	expect("Zm9v\r\nYmFy\r\n", "foobar");
	expect("Z m\t9\nv\rY\r\n\r\nmFy", "foobar");
	expect(" Zm9vYg=\n= \n", "foob");
	expect(" \r\n\t", "");
}

static void takes_a_tail_without_its_padding(void **state)
{
	expect("Zg", "f");
	expect("Zm8", "fo");
	expect("Zm9vYg", "foob");
}

static void refuses_padding_in_wrong_number_or_place(void **state)
{
	/* RFC 4648 3.3: what does not belong to the alphabet is refused, not skipped */
	refuse("Z");
	refuse("Zm9vY");
	refuse("Zg=");
	refuse("Zg===");
	refuse("Zm8==");
	refuse("Zm9v=");
	refuse("Zm9v==");
	refuse("=");
	refuse("==");
	refuse("Zg==Zg==");
	refuse("Z=g=");
	refuse("Zg=A");
}

static void refuses_other_alphabets(void **state)
{
	/* RFC 4648 5: the URL alphabet is another one */
	refuse("-_-_");
	refuse("Zm9v*mFy");
	refuse("Zm9v\x80");
	refuse("Zm9v\xc3\xa4");
	refuse("-----BEGIN CERTIFICATE-----");
}

static void refuses_bytes_of_zero(void **state)
{
	struct buf OWNED_BUF b = BUF(100);
	struct why why = {0};

	assert_int_equal(base64_parse(span_of("Zm\0v", 4), &b, &why), ERR_SYNTAX);
	assert_int_equal(why.code, CODE_BASE64);
	assert_non_null(strstr(why.text, "position 2"));
}

static void refuses_bits_behind_the_last_byte(void **state)
{
	/* RFC 4648 3.5: two texts must not mean the same bytes */
	refuse("Zh==");
	refuse("Zh");
	refuse("Zm9=");
	refuse("Zm9");
	expect("Zg==", "f");
}

static void decodes_up_to_the_ceiling_and_not_past(void **state)
{
	struct buf OWNED_BUF six = BUF(6);
	struct buf OWNED_BUF five = BUF(5);
	struct why why = {0};

	assert_int_equal(parse("Zm9vYmFy", &six), OK);
	assert_int_equal(base64_parse(span_text("Zm9vYmFy"), &five, &why), ERR_LIMIT);
	assert_int_equal(parse("Zm9vYmE=", &(struct buf){.max = 0}), ERR_LIMIT);
}

static void appends_to_what_is_there(void **state)
{
	struct buf OWNED_BUF b = BUF(10);

	buf_put_text(&b, "a-");
	assert_int_equal(parse("Zm9v", &b), OK);
	assert_string_equal(buf_text(&b), "a-foo");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_and_reads_the_known_answers),
		cmocka_unit_test(reads_back_every_byte_at_every_place),
		cmocka_unit_test(breaks_lines_where_asked_and_ends_the_last),
		cmocka_unit_test(reads_any_line_form),
		cmocka_unit_test(takes_a_tail_without_its_padding),
		cmocka_unit_test(refuses_padding_in_wrong_number_or_place),
		cmocka_unit_test(refuses_other_alphabets),
		cmocka_unit_test(refuses_bytes_of_zero),
		cmocka_unit_test(refuses_bits_behind_the_last_byte),
		cmocka_unit_test(decodes_up_to_the_ceiling_and_not_past),
		cmocka_unit_test(appends_to_what_is_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
