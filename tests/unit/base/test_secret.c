#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/secret.h"

static void holds_up_to_its_room_and_refuses_one_more(void **state)
{
	uint8_t bytes[SECRET_MAX + 1];
	struct secret OWNED_SECRET s = {0};

	memset(bytes, 7, sizeof(bytes));
	assert_true(secret_set(&s, span_of(bytes, SECRET_MAX)));
	assert_int_equal(secret_span(&s).n, SECRET_MAX);
	assert_false(secret_set(&s, span_of(bytes, SECRET_MAX + 1)));
	assert_int_equal(secret_span(&s).n, 0);
	assert_int_equal(s.bytes[0], 0); /* the old one is gone too */
}

static void is_overwritten_whole_by_wiping(void **state)
{
	static const uint8_t zeros[sizeof(struct secret)];
	struct secret s = {0};

	assert_true(secret_set(&s, span_text("hunter2")));
	secret_wipe(&s);
	assert_memory_equal(&s, zeros, sizeof(s));
}

static void a_shorter_secret_leaves_nothing_of_the_longer(void **state)
{
	struct secret OWNED_SECRET s = {0};

	assert_true(secret_set(&s, span_text("a long secret")));
	assert_true(secret_set(&s, span_text("b")));
	assert_true(span_is(secret_span(&s), "b"));
	assert_int_equal(s.bytes[2], 0);
}

static void compares_every_byte(void **state)
{
	uint8_t a[32] = {0};
	uint8_t b[32] = {0};

	assert_true(secret_equal(span_of(a, 32), span_of(b, 32)));
	for (size_t i = 0; i < 32; i++) {
		for (unsigned int bit = 0; bit < 8; bit++) {
			b[i] = (uint8_t)(1U << bit);
			assert_false(secret_equal(span_of(a, 32), span_of(b, 32)));
		}
		b[i] = 0;
	}
	assert_false(secret_equal(span_of(a, 31), span_of(b, 32)));
	assert_true(secret_equal(span_of(NULL, 0), span_of(a, 0)));
}

static void wipes_nothing_without_complaint(void **state)
{
	mem_wipe(NULL, 0);
	mem_wipe(NULL, 5);
}

static void arrays_that_overflow_are_refused(void **state)
{
	volatile size_t half = SIZE_MAX / 2; /* hidden from the compiler, who would warn */
	OWNED_MEM char *small = mem_array(0, 0);
	OWNED_MEM char *text = mem_text("abc");

	assert_null(mem_array(half, 3));
	assert_non_null(small);
	assert_string_equal(text, "abc");
}

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_up_to_its_room_and_refuses_one_more),
		cmocka_unit_test(is_overwritten_whole_by_wiping),
		cmocka_unit_test(a_shorter_secret_leaves_nothing_of_the_longer),
		cmocka_unit_test(compares_every_byte),
		cmocka_unit_test(wipes_nothing_without_complaint),
		cmocka_unit_test(arrays_that_overflow_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
