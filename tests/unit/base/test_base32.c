#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base32.h"

static void writes_the_known_answers(void **state)
{
	/* RFC 4648 10: the known answers, without their padding */
	static const struct {
		const char *bytes, *text;
	} vectors[] = {{"", ""}, {"f", "MY"}, {"fo", "MZXQ"}, {"foo", "MZXW6"}, {"foob", "MZXW6YQ"},
		{"fooba", "MZXW6YTB"}, {"foobar", "MZXW6YTBOI"}};

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct buf out OWNED_BUF = BUF(32);
		base32_write(&out, span_text(vectors[i].bytes));
		assert_string_equal(buf_text(&out), vectors[i].text);
	}
}

static void sixteen_octets_are_26_characters(void **state)
{
	struct buf out OWNED_BUF = BUF(64);
	uint8_t ones[16];

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	base32_write(&out, span_of(ones, sizeof(ones)));
	assert_string_equal(buf_text(&out), "7777777777777777777777777" "4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_the_known_answers),
		cmocka_unit_test(sixteen_octets_are_26_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
