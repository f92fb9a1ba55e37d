#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/prefix.h"

static bool by_libc(const char *text, uint8_t out[16])
{
	memset(out, 0, 16);
	if (inet_pton(AF_INET6, text, out) == 1)
		return true;
	memset(out, 0, 10);
	out[10] = out[11] = 0xff;
	return inet_pton(AF_INET, text, out + 12) == 1;
}

static void addresses_are_read_as_the_c_library_reads_them(void **state)
{
	static const char *const texts[] = {"192.0.2.1", "0.0.0.0", "255.255.255.255", "::", "::1", "1::", "2001:db8::1",
		"2001:db8:0:0:0:0:0:1", "1:2:3:4:5:6:7:8", "::ffff:192.0.2.1", "1:2:3:4:5:6:192.0.2.1", "1::3:4:5:6:7:8", "ABCD::ef",
		"", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.", ".1.2.3", "1.2.3.04", "1.2.3.4 ", " 1.2.3.4", "1.2.3.+4", ":", ":::",
		"1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "g::", "1:2:3:4:5:6:7:", ":1:2:3:4:5:6:7", "::1:", "1:::2",
		"1:2:3:4:5:6:7:192.0.2.1", "::192.0.2.1:1", "fe80::1%lo", "1.2.3.4:80", "::1.2.3"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		uint8_t ours[16] = {0}, theirs[16];
		bool fits = by_libc(texts[i], theirs);
		if (address_parse(span_text(texts[i]), ours) != fits)
			fail_msg("'%s': want %d", texts[i], fits);
		if (fits)
			assert_memory_equal(ours, theirs, 16);
	}
}

static bool holds(const char *network, const char *address)
{
	struct prefix p, again;
	uint8_t bytes[16];
	char text[PREFIX_TEXT_SIZE];
	struct why why = {0};

	assert_int_equal(prefix_parse(span_text(network), &p, &why), OK);
	prefix_text(&p, text);
	assert_int_equal(prefix_parse(span_text(text), &again, &why), OK);
	assert_int_equal(p.bits, again.bits);
	assert_memory_equal(p.address, again.address, 16);
	assert_true(address_parse(span_text(address), bytes));
	return prefix_holds(&p, bytes);
}

static void a_network_holds_its_addresses_and_no_others(void **state)
{
	assert_true(holds("192.0.2.0/24", "192.0.2.255"));
	assert_false(holds("192.0.2.0/24", "192.0.3.0"));
	assert_true(holds("192.0.2.1", "192.0.2.1"));
	assert_false(holds("192.0.2.1", "192.0.2.0"));
	assert_true(holds("192.0.2.8/29", "192.0.2.15"));
	assert_false(holds("192.0.2.8/29", "192.0.2.16"));
	assert_true(holds("128.0.0.0/1", "200.0.0.1"));
	assert_false(holds("128.0.0.0/1", "8000::1"));
	assert_true(holds("192.0.2.1", "::ffff:192.0.2.1"));
	assert_true(holds("2001:db8::/32", "2001:db8:ffff::1"));
	assert_false(holds("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(holds("::1", "::1"));
}

static void a_network_is_refused_with_its_fault(void **state)
{
	static const char *const texts[] = {"", "/8", "192.0.2.0/", "192.0.2.0/33", "192.0.2.1/24", "0.0.0.0/0", "::/0", "::1/129",
		"2001:db8::1/64", "192.0.2.0/24/8", "192.0.2.0/-1", "localhost"};
	struct prefix p;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct why why = {0};
		assert_int_equal(prefix_parse(span_text(texts[i]), &p, &why), ERR_SYNTAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_as_the_c_library_reads_them),
		cmocka_unit_test(a_network_holds_its_addresses_and_no_others),
		cmocka_unit_test(a_network_is_refused_with_its_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
