#include "proto/est/attrs.h"

#include "base/base64.h"
#include "pki/der.h"
#include "pki/oid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define CLIENT_AUTH OID("\x2b\x06\x01\x05\x05\x07\x03\x02")
#define SERVER_AUTH OID("\x2b\x06\x01\x05\x05\x07\x03\x01")
#define MAC_ADDRESS OID("\x2b\x06\x01\x01\x01\x01\x16")

/* GeneralNames with one dNSName "gw.example" */
static const uint8_t names[] = {0x30, 12, 0x82, 10, 'g', 'w', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e'};

static enum err parse(struct span der, struct est_attrs *out)
{
	struct why why = {0};

	return est_attrs_parse(der, out, &why);
}

/* Parses base64; the bytes stay in `der`, into which the spans point. */
static enum err parse_text(const char *text, struct buf *der, struct est_attrs *out)
{
	struct why why = {0};

	assert_int_equal(base64_parse(span_text(text), der, &why), OK);
	return parse(buf_span(der), out);
}

static void write_ok(const struct est_attrs *in, struct buf *der)
{
	struct why why = {0};

	assert_int_equal(est_attrs_write(in, EST_ATTRS_LIST, der, &why), OK);
}

/* TS-0003 8.3.6.2: challenge with its value and identity of the client, in one answer */
static void all_that_is_asked_comes_back(void **state)
{
	struct est_attrs in = {.challenge = span_text("dGhlIGNoYWxsZW5nZQ+/="), .key = KEY_P256,
		.sans = span_of(names, sizeof(names)), .digital_signature = true};
	struct est_attrs out = {0};
	struct buf der OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	(void)state;

	in.ekus.oids[in.ekus.n++] = CLIENT_AUTH;
	in.ekus.oids[in.ekus.n++] = SERVER_AUTH;
	write_ok(&in, &der);
	assert_int_equal(parse(buf_span(&der), &out), OK);
	assert_true(span_equal(out.challenge, in.challenge));
	assert_false(out.asks_challenge);
	assert_int_equal(out.key, KEY_P256);
	assert_true(span_equal(out.sans, in.sans));
	assert_int_equal(out.ekus.n, 2);
	assert_true(span_equal(out.ekus.oids[1], SERVER_AUTH));
	assert_true(out.digital_signature);
	assert_int_equal(out.unknown_n, 0);
}

static void every_key_wish_comes_back(void **state)
{
	static const enum key_spec specs[] = {KEY_P256, KEY_P384, KEY_RSA2048, KEY_RSA3072, KEY_RSA4096};
	(void)state;

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct est_attrs in = {.key = specs[i]};
		struct est_attrs out = {0};
		struct buf der OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
		write_ok(&in, &der);
		assert_int_equal(parse(buf_span(&der), &out), OK);
		assert_int_equal(out.key, specs[i]);
		assert_int_equal(out.unknown_n, 0);
	}
}

static void expect_octets(const struct est_attrs *in, const char *base64)
{
	struct buf der OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct buf want OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct why why = {0};

	write_ok(in, &der);
	assert_int_equal(base64_parse(span_text(base64), &want, &why), OK);
	assert_true(span_equal(buf_span(&der), buf_span(&want)));
}

/* RFC 9908 3.2: one extensionRequest with one Extensions; kind of key, and its curve or size */
static void each_wish_has_its_own_octets(void **state)
{
	struct est_attrs curve = {.key = KEY_P384, .sans = span_of(names, sizeof(names)), .digital_signature = true,
		.ekus = {.oids = {CLIENT_AUTH}, .n = 1}};
	const struct est_attrs size = {.key = KEY_RSA3072};
	(void)state;

	expect_octets(&curve, "MGswSwYJKoZIhvcNAQkOMT4wPDAVBgNVHREEDjAMggpndy5leGFtcGxlMA4GA1UdDwEB/wQEAwIHgDATBgNVHSUE"
			      "DDAKBggrBgEFBQcDAjASBgcqhkjOPQIBMQcGBSuBBAAiBggqhkjOPQQDAw==");
	expect_octets(&size, "MB4wEQYJKoZIhvcNAQEBMQQCAgwABgkqhkiG9w0BAQs=");
}

/* RFC 7030 4.5.2: an empty SEQUENCE asks for nothing */
static void nothing_asked_is_an_empty_sequence(void **state)
{
	struct est_attrs in = {0};
	struct est_attrs out = {.key = KEY_P256};
	struct buf der OWNED_BUF = BUF(16);
	(void)state;

	write_ok(&in, &der);
	assert_int_equal(der.n, 2);
	assert_memory_equal(der.p, "\x30\x00", 2);
	assert_int_equal(parse(buf_span(&der), &out), OK);
	assert_int_equal(out.key, KEY_NONE);
	out.key = KEY_P256;
	assert_int_equal(parse(span_of(NULL, 0), &out), OK);
	assert_int_equal(out.key, KEY_NONE);
}

/* RFC 7030 4.5.2 and 3.5: the bare OID asks for the channel-binding value */
static void a_bare_challenge_oid_gives_no_value(void **state)
{
	static const uint8_t want[] = {0x30, 11, 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x07};
	struct est_attrs in = {.asks_challenge = true};
	struct est_attrs out = {0};
	struct buf der OWNED_BUF = BUF(64);
	(void)state;

	write_ok(&in, &der);
	assert_true(span_equal(buf_span(&der), span_of(want, sizeof(want))));
	assert_int_equal(parse(buf_span(&der), &out), OK);
	assert_true(out.asks_challenge);
	assert_int_equal(out.challenge.n, 0);
}

/* RFC 7030 4.5.2: the worked example, whose MAC address stands where no OID may stand */
static void the_example_of_rfc_7030_is_read(void **state)
{
	struct est_attrs out = {0};
	struct buf der OWNED_BUF = BUF(512);
	(void)state;

	assert_int_equal(parse_text("MEEGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiMBYGCSqGSIb3DQEJDjEJ"
				    "BgcrBgEBAQEWBggqhkjOPQQDAw==", &der, &out), OK);
	assert_true(out.asks_challenge);
	assert_int_equal(out.key, KEY_P384);
	assert_int_equal(out.unknown_n, 1);
	assert_true(span_equal(out.unknown[0], MAC_ADDRESS));
}

/* RFC 9908 5.1: a subjectAltName with a given value */
static void the_name_of_rfc_9908_5_1_is_read(void **state)
{
	struct est_attrs out = {0};
	struct buf der OWNED_BUF = BUF(512);
	(void)state;

	assert_int_equal(parse_text("MGgwZgYJKoZIhvcNAQkOMVkwVzBVBgNVHREBAf8ESzBJoEcGCCsGAQUFBwgKoDsW"
				    "OXJmYzg5OTQrZmQ3MzlmYzIzYzM0NDAxMTIyMzM0NDU1MDAwMDAwMDArQGFjcC5l"
				    "eGFtcGxlLmNvbQ==", &der, &out), OK);
	assert_int_equal(out.sans.n, 75);
	assert_int_equal(out.sans.p[0], 0x30);
	assert_int_equal(out.unknown_n, 0);
}

/* RFC 9908 5.2: the remaining examples, up to 5.6 */
static void the_other_examples_of_rfc_9908_are_read(void **state)
{
	static const struct {
		const char *text;
		enum key_spec key;
		size_t unknown;
	} rows[] = {
		{"MDIGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiBgcrBgEBAQEWBggqhkjOPQQDAw==", KEY_P384, 1},
		/* secp521r1 is none of ours; friendlyName, favourite drink, serialNumber, SHA-512 */
		{"MEUGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAjBgkqhkiG9w0BCRQGCgmSJomT8ixkAQUGA1UEBQYIKoZIzj0EAwQ=",
			KEY_OTHER, 4},
		{"MCkGCSqGSIb3DQEJBzARBgkqhkiG9w0BAQExBAICEAAGCSqGSIb3DQEBCw==", KEY_RSA4096, 0},
		{"MC4GCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiBgNVBAUGCCqGSM49BAMD", KEY_P384, 1},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct est_attrs out = {0};
		struct buf der OWNED_BUF = BUF(512);
		assert_int_equal(parse_text(rows[i].text, &der, &out), OK);
		assert_true(out.asks_challenge);
		assert_int_equal(out.key, rows[i].key);
		assert_int_equal(out.unknown_n, rows[i].unknown);
	}
}

/* Wraps content in SEQUENCE and parses it; `der` keeps the bytes. */
static enum err parse_list(const struct buf *list, struct buf *der, struct est_attrs *out)
{
	assert_false(list->bad);
	buf_clear(der);
	der_put(der, DER_SEQUENCE, buf_span(list));
	return parse(buf_span(der), out);
}

static void put_attr(struct buf *list, struct span oid, struct span values)
{
	struct buf inner OWNED_BUF = BUF(16384);

	der_put_oid(&inner, oid);
	der_put(&inner, DER_SET, values);
	der_put(list, DER_SEQUENCE, buf_span(&inner));
}

/* RFC 9908 3.2: no values means no further wish */
static void a_kind_of_key_without_parameters_means_our_smallest(void **state)
{
	struct est_attrs out = {0};
	struct buf list OWNED_BUF = BUF(256);
	struct buf der OWNED_BUF = BUF(256);
	(void)state;

	put_attr(&list, OID_EC_PUBLIC_KEY, span_of(NULL, 0));
	assert_int_equal(parse_list(&list, &der, &out), OK);
	assert_int_equal(out.key, KEY_P256);
	buf_clear(&list);
	der_put_oid(&list, OID_RSA);
	assert_int_equal(parse_list(&list, &der, &out), OK);
	assert_int_equal(out.key, KEY_RSA3072);
}

static void of_several_key_wishes_the_first_that_can_be_met_counts(void **state)
{
	struct est_attrs out = {0};
	struct buf list OWNED_BUF = BUF(256);
	struct buf der OWNED_BUF = BUF(256);
	(void)state;

	put_attr(&list, OID_RSA, span_of("\x02\x02\x40\x00", 4)); /* 16384 bits: none of ours */
	put_attr(&list, OID_EC_PUBLIC_KEY, span_of("\x06\x05\x2b\x81\x04\x00\x22", 7));
	put_attr(&list, OID_RSA, span_of("\x02\x02\x10\x00", 4));
	assert_int_equal(parse_list(&list, &der, &out), OK);
	assert_int_equal(out.key, KEY_P384);
}

static void a_challenge_of_255_is_read_and_one_of_256_is_refused(void **state)
{
	uint8_t text[CSR_CHALLENGE_MAX + 1];
	(void)state;

	memset(text, 'A', sizeof(text));
	for (size_t n = CSR_CHALLENGE_MAX; n <= CSR_CHALLENGE_MAX + 1; n++) {
		struct est_attrs out = {0};
		struct buf value OWNED_BUF = BUF(512);
		struct buf list OWNED_BUF = BUF(512);
		struct buf der OWNED_BUF = BUF(512);
		der_put(&value, DER_UTF8, span_of(text, n));
		put_attr(&list, OID_CHALLENGE_PASSWORD, buf_span(&value));
		assert_int_equal(parse_list(&list, &der, &out), n == CSR_CHALLENGE_MAX ? OK : ERR_LIMIT);
	}
}

static void a_challenge_that_no_printable_string_holds_is_not_written(void **state)
{
	uint8_t text[CSR_CHALLENGE_MAX + 1];
	struct est_attrs in = {.challenge = span_text("semi;colon")};
	struct buf der OWNED_BUF = BUF(1024);
	struct why why = {0};
	(void)state;

	assert_int_equal(est_attrs_write(&in, EST_ATTRS_LIST, &der, &why), ERR_BUG);
	memset(text, 'A', sizeof(text));
	in.challenge = span_of(text, sizeof(text));
	why_clear(&why);
	assert_int_equal(est_attrs_write(&in, EST_ATTRS_LIST, &der, &why), ERR_BUG);
	in.challenge = span_of(text, CSR_CHALLENGE_MAX);
	why_clear(&why);
	assert_int_equal(est_attrs_write(&in, EST_ATTRS_LIST, &der, &why), OK);
}

/* RFC 7030 4.5.2: what is not recognised is ignored, however much it is */
static void unknown_attributes_are_kept_up_to_sixteen_and_never_fatal(void **state)
{
	struct est_attrs out = {0};
	struct buf list OWNED_BUF = BUF(1024);
	struct buf der OWNED_BUF = BUF(1024);
	(void)state;

	for (size_t i = 0; i <= EST_ATTRS_MAX; i++)
		der_put_oid(&list, MAC_ADDRESS);
	put_attr(&list, MAC_ADDRESS, span_of("\x05\x00", 2));
	assert_int_equal(parse_list(&list, &der, &out), OK);
	assert_int_equal(out.unknown_n, EST_ATTRS_MAX);
}

static void seventeen_ekus_are_refused(void **state)
{
	(void)state;
	for (size_t n = CERT_EKU_MAX; n <= CERT_EKU_MAX + 1; n++) {
		struct est_attrs out = {0};
		struct buf oids OWNED_BUF = BUF(1024);
		struct buf value OWNED_BUF = BUF(1024);
		struct buf ext OWNED_BUF = BUF(1024);
		struct buf exts OWNED_BUF = BUF(1024);
		struct buf seq OWNED_BUF = BUF(1024);
		struct buf list OWNED_BUF = BUF(1024);
		struct buf der OWNED_BUF = BUF(1024);
		for (size_t i = 0; i < n; i++)
			der_put_oid(&oids, CLIENT_AUTH);
		der_put(&value, DER_SEQUENCE, buf_span(&oids));
		der_put_oid(&ext, OID_CE_EXT_KEY_USAGE);
		der_put(&ext, DER_OCTET_STRING, buf_span(&value));
		der_put(&exts, DER_SEQUENCE, buf_span(&ext));
		der_put(&seq, DER_SEQUENCE, buf_span(&exts));
		put_attr(&list, OID_EXTENSION_REQUEST, buf_span(&seq));
		assert_int_equal(parse_list(&list, &der, &out), n == CERT_EKU_MAX ? OK : ERR_LIMIT);
	}
}

static void attributes_past_8_kib_are_refused(void **state)
{
	static uint8_t bytes[EST_ATTRS_DER_MAX + 1];
	struct est_attrs out = {0};
	struct why why = {0};
	(void)state;

	assert_int_equal(est_attrs_parse(span_of(bytes, sizeof(bytes)), &out, &why), ERR_LIMIT);
	assert_int_equal(why.code, CODE_EST_ATTRS_LIMIT);
	struct buf octets OWNED_BUF = BUF(16384);
	struct buf list OWNED_BUF = BUF(16384);
	struct buf der OWNED_BUF = BUF(16384);
	/* 8 + 7 of lengths and tags around the filling make exactly the limit */
	der_put(&octets, DER_OCTET_STRING, span_of(bytes, EST_ATTRS_DER_MAX - 25));
	put_attr(&list, MAC_ADDRESS, buf_span(&octets));
	assert_int_equal(parse_list(&list, &der, &out), OK);
	assert_int_equal(der.n, EST_ATTRS_DER_MAX);
}

static void malformed_attributes_are_syntax_errors(void **state)
{
	static const char *const texts[] = {
		"MA==",                     /* one octet */
		"MQA=",                     /* SET */
		"MAAA",                     /* an octet behind */
		"MAIFAA==",                 /* NULL inside */
		"MAIwAA==",                 /* attribute without type */
		"MAQwAgYA",                 /* empty OID */
		"MIAGAA==",                 /* indefinite length */
		"MBYGCSqGSIb3DQEJBwYJKoZIhvcNAQkH", /* challengePassword twice */
		"MBYwFAYJKoZIhvcNAQkHMQcCAQECAQEC", /* lengths lie */
		"MBEwDwYJKoZIhvcNAQkHMQICAA==",     /* challenge as empty INTEGER */
		"MBIwEAYHKoZIzj0CATEFAgMBAAE=",     /* a curve that is an INTEGER */
	};
	(void)state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct est_attrs out = {0};
		struct buf der OWNED_BUF = BUF(256);
		if (parse_text(texts[i], &der, &out) != ERR_SYNTAX)
			fail_msg("row %zu was read", i);
	}
}

/* RFC 9908 3.2: an extension appears once */
static void an_extension_given_twice_is_refused(void **state)
{
	struct est_attrs in = {.digital_signature = true};
	struct est_attrs out = {0};
	struct buf der OWNED_BUF = BUF(256);
	struct buf twice OWNED_BUF = BUF(256);
	struct buf list OWNED_BUF = BUF(256);
	(void)state;

	write_ok(&in, &der);
	assert_int_equal(parse(buf_span(&der), &out), OK);
	buf_put_span(&list, span_from(buf_span(&der), 2));
	buf_put_span(&list, span_from(buf_span(&der), 2));
	assert_int_equal(parse_list(&list, &twice, &out), ERR_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_is_asked_comes_back),
		cmocka_unit_test(every_key_wish_comes_back),
		cmocka_unit_test(each_wish_has_its_own_octets),
		cmocka_unit_test(nothing_asked_is_an_empty_sequence),
		cmocka_unit_test(a_bare_challenge_oid_gives_no_value),
		cmocka_unit_test(the_example_of_rfc_7030_is_read),
		cmocka_unit_test(the_name_of_rfc_9908_5_1_is_read),
		cmocka_unit_test(the_other_examples_of_rfc_9908_are_read),
		cmocka_unit_test(a_kind_of_key_without_parameters_means_our_smallest),
		cmocka_unit_test(of_several_key_wishes_the_first_that_can_be_met_counts),
		cmocka_unit_test(a_challenge_of_255_is_read_and_one_of_256_is_refused),
		cmocka_unit_test(a_challenge_that_no_printable_string_holds_is_not_written),
		cmocka_unit_test(unknown_attributes_are_kept_up_to_sixteen_and_never_fatal),
		cmocka_unit_test(seventeen_ekus_are_refused),
		cmocka_unit_test(attributes_past_8_kib_are_refused),
		cmocka_unit_test(malformed_attributes_are_syntax_errors),
		cmocka_unit_test(an_extension_given_twice_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
