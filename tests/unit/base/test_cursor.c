#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cursor.h"

static void reads_big_endian_numbers(void **state)
{
	const uint8_t in[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255};
	struct cursor c = cursor_init(span_of(in, sizeof(in)));

	assert_int_equal(cursor_u16(&c), 0x0102);
	assert_int_equal(cursor_u32(&c), 0x03040506);
	assert_true(cursor_u64(&c) == 0x0708090a0b0c0d0eULL);
	assert_false(cursor_done(&c));
	assert_int_equal(cursor_u8(&c), 255);
	assert_true(cursor_done(&c));
}

static void stays_bad_after_one_byte_too_many(void **state)
{
	const uint8_t in[] = {0, 1, 2};
	struct cursor c = cursor_init(span_of(in, sizeof(in)));

	assert_int_equal(cursor_u32(&c), 0);
	assert_int_equal(cursor_u8(&c), 0);
	assert_int_equal(cursor_bytes(&c, 1).n, 0);
	assert_null(cursor_bytes(&c, 0).p);
	assert_false(cursor_done(&c));
}

static void counts_leftovers_as_failure(void **state)
{
	const uint8_t in[] = {0, 1, 'x', 'y'};
	struct cursor c = cursor_init(span_of(in, sizeof(in)));

	assert_true(span_is(cursor_u16_bytes(&c), "x"));
	assert_false(cursor_done(&c));
	assert_int_equal(cursor_u8(&c), 'y');
	assert_true(cursor_done(&c));
}

static void takes_exactly_what_a_length_says(void **state)
{
	const uint8_t fits[] = {0, 0, 0, 2, 'a', 'b'};
	const uint8_t one_short[] = {0, 0, 0, 3, 'a', 'b'};
	const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 'a'};
	struct cursor c = cursor_init(span_of(fits, sizeof(fits)));

	assert_true(span_is(cursor_u32_bytes(&c), "ab"));
	assert_true(cursor_done(&c));
	c = cursor_init(span_of(one_short, sizeof(one_short)));
	assert_int_equal(cursor_u32_bytes(&c).n, 0);
	assert_true(c.bad);
	c = cursor_init(span_of(huge, sizeof(huge)));
	assert_int_equal(cursor_u32_bytes(&c).n, 0);
	assert_true(c.bad);
}

static void reads_nothing_from_nothing(void **state)
{
	struct cursor c = cursor_init(span_of(NULL, 0));

	assert_true(cursor_done(&c));
	assert_int_equal(cursor_bytes(&c, 0).n, 0);
	assert_true(cursor_done(&c));
	cursor_u8(&c);
	assert_false(cursor_done(&c));
}

static void copies_text_that_fits_with_its_end(void **state)
{
	const uint8_t in[] = {0, 3, 'a', 'b', 'c'};
	char out[4] = "zzz";
	struct cursor c = cursor_init(span_of(in, sizeof(in)));

	cursor_text(&c, out, sizeof(out));
	assert_string_equal(out, "abc");
	assert_true(cursor_done(&c));
	c = cursor_init(span_of(in, sizeof(in)));
	cursor_text(&c, out, 3); /* one past the room */
	assert_string_equal(out, "");
	assert_true(c.bad);
}

static void refuses_text_that_holds_a_nul(void **state)
{
	const uint8_t in[] = {0, 3, 'a', 0, 'c', 7};
	char out[8] = "zzz";
	struct cursor c = cursor_init(span_of(in, sizeof(in)));

	cursor_text(&c, out, sizeof(out));
	assert_string_equal(out, "");
	assert_int_equal(cursor_u8(&c), 0);
	assert_false(cursor_done(&c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_big_endian_numbers),
		cmocka_unit_test(stays_bad_after_one_byte_too_many),
		cmocka_unit_test(counts_leftovers_as_failure),
		cmocka_unit_test(takes_exactly_what_a_length_says),
		cmocka_unit_test(reads_nothing_from_nothing),
		cmocka_unit_test(copies_text_that_fits_with_its_end),
		cmocka_unit_test(refuses_text_that_holds_a_nul),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
