#include "pki/der_nest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const size_t sizes[] = {0, 1, 126, 127, 128, 129, 255, 256, 65535, 65536};

/* X.690 10.1: the fewest octets that can hold the length */
static void lengths_are_those_of_a_body_written_at_once(void **state)
{
	static uint8_t body[65536];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct buf nested OWNED_BUF = BUF(1 << 20), once OWNED_BUF = BUF(1 << 20);
		buf_put_text(&nested, "before");
		size_t at = der_open(&nested, DER_SEQUENCE);
		buf_put(&nested, body, sizes[i]);
		der_close(&nested, at);
		der_put(&once, DER_SEQUENCE, span_of(body, sizes[i]));
		assert_true(span_equal(span_from(buf_span(&nested), 6), buf_span(&once)));
	}
}

static void levels_close_innermost_first(void **state)
{
	struct buf nested OWNED_BUF = BUF(4096);
	uint8_t body[200] = {1};

	size_t outer = der_open(&nested, DER_SEQUENCE), inner = der_open(&nested, DER_OCTET_STRING);
	buf_put(&nested, body, sizeof(body));
	der_close(&nested, inner);
	der_close(&nested, outer);
	struct der all = der_init(buf_span(&nested));
	struct der d = der_enter(&all, DER_SEQUENCE);
	assert_true(span_equal(der_take(&d, DER_OCTET_STRING).body, span_of(body, sizeof(body))));
	assert_true(der_done(&d) && der_done(&all));
}

static void a_length_that_does_not_fit_spoils_the_buffer(void **state)
{
	static const uint8_t body[128];
	struct buf full OWNED_BUF = BUF(130), fits OWNED_BUF = BUF(131);

	size_t at = der_open(&full, DER_SEQUENCE);
	buf_put(&full, body, sizeof(body));
	assert_false(full.bad);
	der_close(&full, at);
	assert_true(full.bad);
	at = der_open(&fits, DER_SEQUENCE);
	buf_put(&fits, body, sizeof(body));
	der_close(&fits, at);
	assert_false(fits.bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths_are_those_of_a_body_written_at_once),
		cmocka_unit_test(levels_close_innermost_first),
		cmocka_unit_test(a_length_that_does_not_fit_spoils_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
