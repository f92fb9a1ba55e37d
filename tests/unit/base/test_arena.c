#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"

#include <stdalign.h>

static void gives_zeroed_memory_aligned_for_any_type(void **state)
{
	struct arena OWNED_ARENA a = ARENA(100 * 1000);

	for (size_t size = 1; size < 300; size++) {
		uint8_t *p = arena_alloc(&a, size);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, size);
	}
}

static void keeps_pieces_apart_across_blocks(void **state)
{
	struct arena OWNED_ARENA a = ARENA(1000 * 1000);
	uint8_t *pieces[200];

	for (size_t i = 0; i < 200; i++) {
		pieces[i] = arena_alloc(&a, 100 + i * 7);
		assert_non_null(pieces[i]);
		memset(pieces[i], (int)i, 100 + i * 7);
	}
	for (size_t i = 0; i < 200; i++) {
		assert_int_equal(pieces[i][0], i);
		assert_int_equal(pieces[i][99 + i * 7], i);
	}
}

static void stops_one_byte_past_its_cap(void **state)
{
	struct arena OWNED_ARENA a = ARENA(64);
	struct arena OWNED_ARENA b = ARENA(64);
	struct arena OWNED_ARENA c = ARENA(64);

	assert_non_null(arena_alloc(&a, 64));
	assert_null(arena_alloc(&a, 1));
	assert_null(arena_alloc(&b, 65));
	assert_non_null(arena_alloc(&b, 64)); /* a refusal costs nothing */
	assert_non_null(arena_alloc(&c, 32));
	assert_null(arena_alloc(&c, 33));
	assert_non_null(arena_alloc(&c, 32));
}

static void refuses_sizes_that_wrap_around(void **state)
{
	struct arena OWNED_ARENA a = ARENA(SIZE_MAX);

	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 8));
	assert_null(arena_text(&a, span_of("", SIZE_MAX)));
}

static void copies_text_and_bytes(void **state)
{
	struct arena OWNED_ARENA a = ARENA(1000);
	struct span in = span_of("ab\0c", 4);
	struct span copy = arena_copy(&a, in);

	assert_true(span_equal(copy, in));
	assert_ptr_not_equal(copy.p, in.p);
	assert_string_equal(arena_text(&a, span_text("name")), "name");
	assert_string_equal(arena_text(&a, span_of(NULL, 0)), "");
	assert_int_equal(arena_copy(&a, span_of(NULL, 0)).n, 0);
}

static void says_so_when_a_copy_does_not_fit(void **state)
{
	struct arena OWNED_ARENA a = ARENA(4);

	assert_null(arena_text(&a, span_text("four"))); /* its end needs a fifth byte */
	assert_null(arena_copy(&a, span_text("fives")).p);
	assert_int_equal(arena_copy(&a, span_text("fives")).n, 0);
	assert_true(span_is(arena_copy(&a, span_text("four")), "four"));
}

static void is_usable_after_it_was_dropped(void **state)
{
	struct arena OWNED_ARENA a = ARENA(64);

	assert_non_null(arena_alloc(&a, 64));
	arena_fini(&a);
	assert_non_null(arena_alloc(&a, 64));
	arena_fini(&a);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_zeroed_memory_aligned_for_any_type),
		cmocka_unit_test(keeps_pieces_apart_across_blocks),
		cmocka_unit_test(stops_one_byte_past_its_cap),
		cmocka_unit_test(refuses_sizes_that_wrap_around),
		cmocka_unit_test(copies_text_and_bytes),
		cmocka_unit_test(says_so_when_a_copy_does_not_fit),
		cmocka_unit_test(is_usable_after_it_was_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
