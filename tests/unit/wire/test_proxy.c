#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/client_cert.h"
#include "wire/proxy.h"

static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";
static const uint8_t addresses[12] = {192, 0, 2, 7, 127, 0, 0, 1, 0x12, 0x34, 0x01, 0xbb};

static void put_head(struct buf *out, uint8_t command, uint8_t family, size_t n)
{
	buf_put(out, signature, sizeof(signature));
	buf_put_u8(out, command);
	buf_put_u8(out, family);
	buf_put_u16(out, (uint16_t)n);
}

static void want(const struct buf *in, enum code code)
{
	struct proxy_header header;
	struct why why = {0};

	assert_int_not_equal(proxy_parse(buf_span(in), &header, &why), OK);
	assert_int_equal(why.code, code);
}

static void the_address_and_the_session_are_read(void **state)
{
	static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 7};
	struct buf OWNED_BUF in = BUF(200);
	struct proxy_header header;
	struct why why = {0};

	put_head(&in, 0x21, 0x11, 12 + 3 + 5 + 3 + 7);
	buf_put(&in, addresses, 12);
	buf_put(&in, "\x20\0\x0f\x05\0\0\0\0\x21\0\x07TLSv1.2", 18);
	assert_int_equal(proxy_parse(buf_span(&in), &header, &why), OK);
	assert_true(header.has_address && header.has_tls && header.tls && header.cert && header.verified);
	assert_int_equal(header.tls_version, 0x0303);
	assert_memory_equal(header.address, mapped, 16);
}

static void a_header_cut_anywhere_is_not_read(void **state)
{
	struct buf OWNED_BUF in = BUF(200);
	struct proxy_header header;
	size_t size = 0;

	put_head(&in, 0x21, 0x11, 12);
	buf_put(&in, addresses, 12);
	for (size_t n = 0; n < in.n; n++) {
		struct why why = {0};
		struct span part = span_first(buf_span(&in), n);
		assert_int_equal(proxy_size(part, &size, &why), OK);
		assert_int_equal(size, n < PROXY_HEAD ? PROXY_HEAD : PROXY_HEAD + 12);
		assert_int_not_equal(proxy_parse(part, &header, &why), OK);
	}
}

/* One past PROXY_MAX is refused before its bytes are waited for. */
static void a_header_is_bounded(void **state)
{
	struct why why = {0};
	size_t size = 0;
	struct buf OWNED_BUF fits = BUF(100), past = BUF(100);

	put_head(&fits, 0x21, 0, PROXY_MAX - PROXY_HEAD);
	put_head(&past, 0x21, 0, PROXY_MAX - PROXY_HEAD + 1);
	assert_int_equal(proxy_size(buf_span(&fits), &size, &why), OK);
	assert_int_equal(size, PROXY_MAX);
	assert_int_equal(proxy_size(buf_span(&past), &size, &why), ERR_LIMIT);
}

static void put_noops(struct buf *in, size_t n)
{
	put_head(in, 0x21, 0, 3 * n);
	for (size_t i = 0; i < n; i++)
		buf_put(in, "\4\0\0", 3);
}

static void tlvs_are_counted(void **state)
{
	struct buf OWNED_BUF fits = BUF(200), past = BUF(200);
	struct proxy_header header;
	struct why why = {0};

	put_noops(&fits, PROXY_TLVS_MAX);
	put_noops(&past, PROXY_TLVS_MAX + 1);
	assert_int_equal(proxy_parse(buf_span(&fits), &header, &why), OK);
	want(&past, CODE_PROXY_SYNTAX);
}

static void other_versions_are_refused_at_their_first_byte(void **state)
{
	struct buf OWNED_BUF datagram = BUF(200);
	struct why why = {0};
	size_t size = 0;

	assert_int_equal(proxy_size(span_text("P"), &size, &why), ERR_SYNTAX);
	put_head(&datagram, 0x21, 0x12, 12);
	buf_put(&datagram, addresses, 12);
	want(&datagram, CODE_PROXY_FAMILY);
}

static enum err parse_fields(const char *cert, const char *chain, size_t times, struct client_cert *out, struct buf *bytes)
{
	struct span chains[CLIENT_CERT_CHAIN_MAX + 1];
	struct why why = {0};

	for (size_t i = 0; i < times; i++)
		chains[i] = span_text(chain);
	return client_cert_parse(span_text(cert), chains, times, bytes, out, &why);
}

/* RFC 9440 2.2, 2.3 */
static void leaf_and_chain_come_apart(void **state)
{
	struct buf OWNED_BUF bytes = BUF(100);
	struct client_cert out;

	assert_int_equal(parse_fields(":YQ==:", ":YmM=: ,\t:ZA==:", 2, &out, &bytes), OK);
	assert_int_equal(out.n, 5);
	assert_true(span_is(out.ders[0], "a"));
	assert_true(span_is(out.ders[1], "bc"));
	assert_true(span_is(out.ders[4], "d"));
}

static void only_byte_sequences_are_read(void **state)
{
	static const char *const bad[] = {"", ":", "::", ":YQ==", "YQ==:", ":YQ:", ":Y Q==:", ":YR==:", ":YQ==:;a", ":YQ==:, :YQ==:",
		"\"YQ==\"", ":YQ-_:", ":Y===:", ":====:"};
	struct buf OWNED_BUF bytes = BUF(100);
	struct client_cert out;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse_fields(bad[i], "", 0, &out, &bytes), ERR_SYNTAX);
	assert_int_equal(parse_fields(":YQ==:", "", 1, &out, &bytes), ERR_SYNTAX);
	assert_int_equal(parse_fields(":YQ==:", ":YQ==:,", 1, &out, &bytes), ERR_SYNTAX);
	assert_int_equal(parse_fields(":YQ==:", ":YQ==: :YQ==:", 1, &out, &bytes), ERR_SYNTAX);
}

static void a_chain_is_bounded(void **state)
{
	struct buf OWNED_BUF bytes = BUF(100);
	struct client_cert out;

	assert_int_equal(parse_fields(":YQ==:", ":YQ==:", CLIENT_CERT_CHAIN_MAX, &out, &bytes), OK);
	assert_int_equal(parse_fields(":YQ==:", ":YQ==:", CLIENT_CERT_CHAIN_MAX + 1, &out, &bytes), ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_address_and_the_session_are_read),
		cmocka_unit_test(a_header_cut_anywhere_is_not_read),
		cmocka_unit_test(a_header_is_bounded),
		cmocka_unit_test(tlvs_are_counted),
		cmocka_unit_test(other_versions_are_refused_at_their_first_byte),
		cmocka_unit_test(leaf_and_chain_come_apart),
		cmocka_unit_test(only_byte_sequences_are_read),
		cmocka_unit_test(a_chain_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
