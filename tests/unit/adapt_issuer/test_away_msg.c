/* What is believed of a process that asks other CAs. */
#include "adapt/issuer/away_msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint32_t told(uint32_t retry_s)
{
	struct buf frame OWNED_BUF = BUF(1024);
	struct why sent = {0}, got = {0}, why = {0};

	(void)!WHY(&sent, AWAY_WAITS, "", "later");
	sent.retry_s = retry_s;
	away_refusal_write(&frame, &sent);
	assert_int_equal(away_refusal_parse(buf_span(&frame), &got, &why), OK);
	assert_int_equal(got.code, CODE_AWAY_WAITS);
	return got.retry_s;
}

static void nobody_waits_longer_than_a_day(void **state)
{
	assert_int_equal(told(0), 0);
	assert_int_equal(told(AWAY_RETRY_MAX_S), AWAY_RETRY_MAX_S);
	assert_int_equal(told(AWAY_RETRY_MAX_S + 1), AWAY_RETRY_MAX_S);
	assert_int_equal(told(UINT32_MAX), AWAY_RETRY_MAX_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_waits_longer_than_a_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
