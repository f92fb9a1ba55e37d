#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hex.h"

static enum err parse(const char *text, uint8_t *out, size_t max, size_t *n)
{
	struct why why = {0};

	return hex_parse(span_text(text), out, max, n, &why);
}

static void writes_upper_case(void **state)
{
	const uint8_t bytes[] = {0x00, 0x9a, 0xff};
	struct buf OWNED_BUF b = BUF(6);
	char out[7];

	hex_write(&b, span_of(bytes, 3));
	assert_string_equal(buf_text(&b), "009AFF");
	hex_text(bytes, 3, out);
	assert_string_equal(out, "009AFF");
	hex_text(bytes, 0, out);
	assert_string_equal(out, "");
}

static void reads_every_byte_in_either_case(void **state)
{
	for (unsigned int v = 0; v < 256; v++) {
		for (size_t f = 0; f < 2; f++) {
			struct buf OWNED_BUF b = BUF(2);
			uint8_t out[1];
			size_t n = 0;
			if (f == 0)
				buf_put_fmt(&b, "%02x", v);
			else
				buf_put_fmt(&b, "%02X", v);
			assert_int_equal(parse(buf_text(&b), out, 1, &n), OK);
			assert_int_equal(n, 1);
			assert_int_equal(out[0], v);
		}
	}
}

static void takes_colons_between_pairs_only(void **state)
{
	uint8_t out[4];
	size_t n = 0;

	assert_int_equal(parse("0a:0B:0c", out, 4, &n), OK);
	assert_int_equal(n, 3);
	assert_int_equal(out[2], 12);
	assert_int_equal(parse("0a::0b", out, 4, &n), ERR_SYNTAX);
	assert_int_equal(parse(":0a", out, 4, &n), ERR_SYNTAX);
	assert_int_equal(parse("0a:", out, 4, &n), ERR_SYNTAX);
	assert_int_equal(parse("0:a", out, 4, &n), ERR_SYNTAX);
}

static void refuses_odd_lengths_and_other_digits(void **state)
{
	const char *bad[] = {"0", "0a0", "0g", "g0", " 0a", "0a ", "0x0a", "-1", "\xc3\xa4"};
	uint8_t out[4];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse(bad[i], out, 4, &n), ERR_SYNTAX);
	assert_int_equal(parse("", out, 4, &n), OK);
	assert_int_equal(n, 0);
}

static void stops_one_past_the_room(void **state)
{
	uint8_t out[3] = {0, 0, 0x55};
	size_t n = 0;

	assert_int_equal(parse("0102", out, 2, &n), OK);
	assert_int_equal(n, 2);
	assert_int_equal(parse("010203", out, 2, &n), ERR_SYNTAX);
	assert_int_equal(out[2], 0x55);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_upper_case),
		cmocka_unit_test(reads_every_byte_in_either_case),
		cmocka_unit_test(takes_colons_between_pairs_only),
		cmocka_unit_test(refuses_odd_lengths_and_other_digits),
		cmocka_unit_test(stops_one_past_the_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
