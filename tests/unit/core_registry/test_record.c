/* Under which number a certificate of another CA is kept. */
#include "core/registry/record.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void number_of(const char *issuer, const char *serial, uint8_t out[RECORD_FOREIGN_SIZE])
{
	const struct cert cert = {.issuer = span_text(issuer), .serial = span_text(serial)};

	record_foreign(&cert, out);
}

static void issuer_and_serial_number_make_it(void **state)
{
	uint8_t a[RECORD_FOREIGN_SIZE], b[RECORD_FOREIGN_SIZE];

	number_of("one CA", "1", a);
	number_of("one CA", "1", b);
	assert_memory_equal(a, b, sizeof(a));
	number_of("one CA", "2", b);
	assert_memory_not_equal(a, b, sizeof(a));
	number_of("two CA", "1", b);
	assert_memory_not_equal(a, b, sizeof(a));
}

/* RFC 5280 4.1.2.2: no serial number of a CA that follows it is such a number */
static void no_serial_number_is_one(void **state)
{
	uint8_t serial[RECORD_FOREIGN_SIZE + 1];

	for (int i = 0; i < 64; i++) {
		char text[2] = {(char)('0' + i), '\0'};
		uint8_t record[RECORD_FOREIGN_SIZE];
		number_of("one CA", text, record);
		assert_true(record_is_foreign(span_of(record, sizeof(record))));
	}
	memset(serial, 0xff, sizeof(serial));
	for (size_t n = 0; n < RECORD_FOREIGN_SIZE; n++)
		assert_false(record_is_foreign(span_of(serial, n)));
	assert_false(record_is_foreign(span_of(serial, sizeof(serial))));
	serial[0] = 0x7f;
	assert_false(record_is_foreign(span_of(serial, RECORD_FOREIGN_SIZE)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(issuer_and_serial_number_make_it),
		cmocka_unit_test(no_serial_number_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
