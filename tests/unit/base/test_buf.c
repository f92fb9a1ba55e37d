#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"

/* AddressSanitizer ends a process that asks for the impossible, unless told to say NULL. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void keeps_what_is_put_in_order(void **state)
{
	struct buf OWNED_BUF b = BUF(100);
	const uint8_t want[] = {1, 2, 3, 4, 5, 6, 7, 'x', '-', '9'};

	buf_put_u8(&b, 1);
	buf_put_u16(&b, 0x0203);
	buf_put_u32(&b, 0x04050607);
	buf_put_text(&b, "x");
	buf_put_fmt(&b, "-%d", 9);
	assert_true(span_equal(buf_span(&b), span_of(want, sizeof(want))));
	buf_clear(&b);
	buf_put_u64(&b, 0x0102030405060708ULL);
	assert_int_equal(b.n, 8);
	assert_int_equal(b.p[0], 1);
	assert_int_equal(b.p[7], 8);
}

static void fills_to_its_ceiling_and_not_one_byte_past(void **state)
{
	struct buf OWNED_BUF b = BUF(1000);
	struct why why = {0};

	for (size_t i = 0; i < 1000; i++)
		buf_put_u8(&b, (uint8_t)i);
	assert_int_equal(buf_check(&b, "test", &why), OK);
	assert_int_equal(b.n, 1000);
	buf_put_u8(&b, 0);
	assert_int_equal(b.n, 1000);
	assert_int_equal(buf_check(&b, "answer", &why), ERR_LIMIT);
	assert_int_equal(why.code, CODE_BUF_LIMIT);
	assert_string_equal(why.text, "answer: want at most 1000 bytes");
}

static void stays_bad_so_that_no_hole_is_written(void **state)
{
	struct buf OWNED_BUF b = BUF(4);

	buf_put_text(&b, "abc");
	buf_put_text(&b, "de");
	buf_put_text(&b, "f"); /* would fit */
	assert_true(b.bad);
	assert_true(span_is(buf_span(&b), "abc"));
	buf_clear(&b);
	buf_put_text(&b, "wxyz");
	assert_false(b.bad);
}

static void tells_the_ceiling_from_the_lack_of_memory(void **state)
{
	struct buf OWNED_BUF b = BUF(SIZE_MAX);
	struct why why = {0};

	buf_put_text(&b, "abc");
	assert_null(buf_room(&b, SIZE_MAX / 2));
	assert_int_equal(buf_check(&b, "test", &why), ERR_NOMEM);
	assert_int_equal(why.code, CODE_NOMEM);
	assert_true(span_is(buf_span(&b), "abc"));
}

static void refuses_sizes_that_wrap_around(void **state)
{
	struct buf OWNED_BUF b = BUF(SIZE_MAX);

	buf_put_text(&b, "abc");
	assert_null(buf_room(&b, SIZE_MAX));
	buf_clear(&b);
	buf_put_text(&b, "abc");
	assert_null(buf_room(&b, SIZE_MAX - 3));
	assert_true(b.bad);
}

static void writes_lengths_in_front_of_bytes(void **state)
{
	struct buf OWNED_BUF b = BUF(200 * 1000);
	static const uint8_t zeros[65536];

	buf_put_u16_bytes(&b, span_of(zeros, 65535));
	assert_false(b.bad);
	assert_int_equal(b.n, 65537);
	assert_int_equal(b.p[0], 0xff);
	assert_int_equal(b.p[1], 0xff);
	buf_clear(&b);
	buf_put_u32_bytes(&b, span_of(zeros, 65536));
	assert_int_equal(b.n, 65540);
	assert_int_equal(b.p[1], 1);
	buf_clear(&b);
	buf_put_u16_bytes(&b, span_of(zeros, 65536)); /* one past a u16 */
	assert_true(b.bad);
}

static void gives_text_with_an_end_even_when_full(void **state)
{
	struct buf OWNED_BUF b = BUF(256); /* as much as the first block, where the end needs one more */

	assert_string_equal(buf_text(&b), "");
	for (size_t i = 0; i < 256; i++)
		buf_put_u8(&b, 'a');
	assert_false(b.bad);
	assert_int_equal(strlen(buf_text(&b)), 256);
	buf_put_u8(&b, 'a');
	assert_int_equal(strlen(buf_text(&b)), 256);
}

static void formats_up_to_the_ceiling(void **state)
{
	struct buf OWNED_BUF b = BUF(5);

	buf_put_fmt(&b, "%s", "12345");
	assert_false(b.bad);
	assert_string_equal(buf_text(&b), "12345");
	buf_clear(&b);
	buf_put_fmt(&b, "%s", "123456");
	assert_true(b.bad);
	assert_int_equal(b.n, 0);
}

static void drops_leading_bytes(void **state)
{
	struct buf OWNED_BUF b = BUF(10);

	buf_put_text(&b, "abcdef");
	buf_drop(&b, 2);
	assert_true(span_is(buf_span(&b), "cdef"));
	buf_drop(&b, 0);
	assert_true(span_is(buf_span(&b), "cdef"));
	buf_drop(&b, 5); /* one more than there is */
	assert_int_equal(b.n, 0);
	buf_put_text(&b, "0123456789");
	assert_false(b.bad);
}

static void gives_room_that_counts_once_used(void **state)
{
	struct buf OWNED_BUF b = BUF(8);
	uint8_t *room = buf_room(&b, 8);

	assert_non_null(room);
	assert_int_equal(b.n, 0);
	memcpy(room, "abc", 3);
	buf_grew(&b, 3);
	assert_true(span_is(buf_span(&b), "abc"));
	assert_null(buf_room(&b, 6));
}

static void is_usable_after_it_was_freed(void **state)
{
	struct buf b = BUF(8);

	buf_put_text(&b, "secret");
	buf_fini_wipe(&b);
	assert_int_equal(b.n, 0);
	assert_null(b.p);
	buf_put_text(&b, "again");
	assert_true(span_is(buf_span(&b), "again"));
	buf_fini(&b);
	buf_fini(&b);
	buf_fini_wipe(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_is_put_in_order),
		cmocka_unit_test(fills_to_its_ceiling_and_not_one_byte_past),
		cmocka_unit_test(stays_bad_so_that_no_hole_is_written),
		cmocka_unit_test(tells_the_ceiling_from_the_lack_of_memory),
		cmocka_unit_test(refuses_sizes_that_wrap_around),
		cmocka_unit_test(writes_lengths_in_front_of_bytes),
		cmocka_unit_test(gives_text_with_an_end_even_when_full),
		cmocka_unit_test(formats_up_to_the_ceiling),
		cmocka_unit_test(drops_leading_bytes),
		cmocka_unit_test(gives_room_that_counts_once_used),
		cmocka_unit_test(is_usable_after_it_was_freed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
