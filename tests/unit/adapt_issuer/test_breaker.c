/* The circuit of one issuer under a clock that the test moves. */
#include "adapt/issuer/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void fail_times(struct breaker *b, int64_t now_ms, int n)
{
	for (int i = 0; i < n; i++)
		breaker_bad(b, now_ms);
}

static void it_opens_at_the_fifth_failure_in_a_row(void **state)
{
	struct breaker b = {0};
	uint32_t wait_s = 9;

	(void)state;
	fail_times(&b, 1000, BREAKER_FAILURES - 1);
	assert_true(breaker_admit(&b, 1000, &wait_s));
	assert_int_equal(wait_s, 0);
	breaker_good(&b);
	fail_times(&b, 1000, BREAKER_FAILURES - 1);
	assert_true(breaker_admit(&b, 1000, &wait_s));
	breaker_bad(&b, 1000);
	assert_false(breaker_admit(&b, 1000, &wait_s));
	assert_int_equal(wait_s, BREAKER_PAUSE_MIN_MS / 1000);
	assert_false(breaker_admit(&b, 1000 + BREAKER_PAUSE_MIN_MS - 1, &wait_s));
	assert_int_equal(wait_s, 1);
}

static void one_order_probes_and_the_others_wait(void **state)
{
	struct breaker b = {0};
	uint32_t wait_s = 0;
	int64_t now_ms = 1000;

	(void)state;
	fail_times(&b, now_ms, BREAKER_FAILURES);
	now_ms += BREAKER_PAUSE_MIN_MS;
	assert_true(breaker_admit(&b, now_ms, &wait_s));
	assert_false(breaker_admit(&b, now_ms, &wait_s));
	assert_true(wait_s > 0);
	breaker_good(&b);
	assert_true(breaker_admit(&b, now_ms, &wait_s));
	assert_true(breaker_admit(&b, now_ms, &wait_s));
}

static void the_pause_doubles_up_to_its_bound(void **state)
{
	struct breaker b = {0};
	uint32_t wait_s = 0;
	int64_t now_ms = 0, want_ms = BREAKER_PAUSE_MIN_MS;

	(void)state;
	fail_times(&b, now_ms, BREAKER_FAILURES);
	for (int i = 0; i < 12; i++) {
		assert_int_equal(b.until_ms - now_ms, want_ms);
		now_ms = b.until_ms;
		assert_true(breaker_admit(&b, now_ms, &wait_s));
		breaker_bad(&b, now_ms);
		want_ms = want_ms * 2 < BREAKER_PAUSE_MAX_MS ? want_ms * 2 : BREAKER_PAUSE_MAX_MS;
	}
	assert_int_equal(b.pause_ms, BREAKER_PAUSE_MAX_MS);
}

static void orders_from_before_make_the_pause_no_longer(void **state)
{
	struct breaker b = {0};

	(void)state;
	fail_times(&b, 0, BREAKER_FAILURES + 100);
	assert_int_equal(b.pause_ms, BREAKER_PAUSE_MIN_MS);
	assert_int_equal(b.until_ms, BREAKER_PAUSE_MIN_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_opens_at_the_fifth_failure_in_a_row),
		cmocka_unit_test(one_order_probes_and_the_others_wait),
		cmocka_unit_test(the_pause_doubles_up_to_its_bound),
		cmocka_unit_test(orders_from_before_make_the_pause_no_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
