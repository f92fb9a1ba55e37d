#include "proto/est/attrs.h"

#include "base/base64.h"
#include "pki/der_nest.h"
#include "pki/oid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define CLIENT_AUTH OID("\x2b\x06\x01\x05\x05\x07\x03\x02")
#define OU OID("\x55\x04\x0b")

/* GeneralNames with one dNSName "gw.example" */
static const uint8_t names[] = {0x30, 12, 0x82, 10, 'g', 'w', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e'};

static enum err parse_text(const char *text, struct buf *der, struct est_attrs *out, struct why *why)
{
	why_clear(why);
	buf_clear(der);
	assert_int_equal(base64_parse(span_text(text), der, why), OK);
	return est_attrs_parse(buf_span(der), out, why);
}

/* RFC 9908 3.4: the example at its end, encoded by its appendix A */
static void the_example_of_rfc_9908_3_4_is_read(void **state)
{
	struct est_attrs out = {0};
	struct buf der OWNED_BUF = BUF(512);
	struct why why = {0};
	(void)state;

	assert_int_equal(parse_text("MIGpMIGmBgsqhkiG9w0BCRACPTGBljCBkwIBADAsMQcwBQYDVQQDMQ8wDQYDVQQLDAZteURlcHQxEDAOBgNV"
				    "BAsMB215R3JvdXCgFTATBgcqhkjOPQIBBggqhkjOPQMBB6FJMEcGCyqGSIb3DQEJEAI+MTgwNjAdBgNVHREE"
				    "FjAUghB3d3cubXlTZXJ2ZXIuY29thwAwDgYDVR0PAQH/BAQDAgOIMAUGA1UdJQ==", &der, &out, &why), OK);
	assert_true(out.is_template);
	assert_int_equal(out.subject.n, 3);
	assert_true(span_equal(out.subject.parts[0].type, OID_COMMON_NAME));
	assert_int_equal(out.subject.parts[0].value.n, 0);
	assert_true(span_equal(out.subject.parts[1].type, OU));
	assert_true(span_is(out.subject.parts[1].value, "myDept"));
	assert_true(span_is(out.subject.parts[2].value, "myGroup"));
	assert_int_equal(out.key, KEY_P256);
	/* an empty iPAddress, that we have nothing for */
	assert_int_equal(out.open_n, 1);
	assert_true(span_equal(out.open[0], OID_CE_SUBJECT_ALT_NAME));
	assert_true(out.open_ekus);
	/* keyAgreement beside digitalSignature: repeated as it stands */
	assert_int_equal(out.more_extensions_n, 1);
	assert_false(out.digital_signature);
}

static struct est_attrs all_of_it(void)
{
	struct est_attrs in = {.challenge = span_text("abc"), .key = KEY_P384, .sans = span_of(names, sizeof(names)),
		.digital_signature = true, .ekus = {.oids = {CLIENT_AUTH}, .n = 1},
		.subject = {.parts = {{.type = OID_COMMON_NAME}, {.type = OU, .tag = DER_UTF8, .value = span_text("yard")}},
			.n = 2}};

	return in;
}

static void check_all(const struct est_attrs *out, const struct est_attrs *in)
{
	assert_true(span_equal(out->challenge, in->challenge));
	assert_int_equal(out->key, in->key);
	assert_true(span_equal(out->sans, in->sans));
	assert_true(out->digital_signature);
	assert_int_equal(out->ekus.n, 1);
	assert_int_equal(out->unknown_n, 0);
}

/* RFC 9908 4: both forms in one answer; who knows the template uses it alone */
static void each_form_comes_back(void **state)
{
	(void)state;
	for (int form = EST_ATTRS_LIST; form <= EST_ATTRS_BOTH; form++) {
		struct est_attrs in = all_of_it();
		struct est_attrs out = {0};
		struct buf der OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
		struct why why = {0};
		in.asks_linking = true;
		assert_int_equal(est_attrs_write(&in, (enum est_attrs_form)form, &der, &why), OK);
		assert_int_equal(est_attrs_parse(buf_span(&der), &out, &why), OK);
		check_all(&out, &in);
		assert_true(out.asks_linking);
		assert_int_equal(out.is_template, form != EST_ATTRS_LIST);
		assert_int_equal(out.subject.n, form != EST_ATTRS_LIST ? 2 : 0);
		assert_int_equal(out.open_n + out.more_attributes_n + out.more_extensions_n, 0);
	}
}

/* RFC 9908 3.4: curve by its OID; size of an RSA key by a dummy modulus */
static void every_key_wish_comes_back(void **state)
{
	static const enum key_spec specs[] = {KEY_NONE, KEY_P256, KEY_P384, KEY_RSA2048, KEY_RSA3072, KEY_RSA4096};
	(void)state;

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct est_attrs in = {.key = specs[i], .digital_signature = true};
		struct est_attrs out = {0};
		struct buf der OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
		struct why why = {0};
		assert_int_equal(est_attrs_write(&in, EST_ATTRS_TEMPLATE, &der, &why), OK);
		assert_int_equal(est_attrs_parse(buf_span(&der), &out, &why), OK);
		assert_int_equal(out.key, specs[i]);
	}
}

/* Zeros of a dummy modulus */
#define ZEROS_88 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

/* RFC 9908 3.4: v1; subject and key where they matter, names without value, a dummy key for a size alone */
static void each_field_has_its_own_octets(void **state)
{
	const struct est_attrs bare = {.digital_signature = true};
	const struct est_attrs sized = {.digital_signature = true, .key = KEY_RSA2048};
	const struct est_attrs full = {.key = KEY_P384, .sans = span_of(names, sizeof(names)), .digital_signature = true,
		.ekus = {.oids = {CLIENT_AUTH}, .n = 1},
		.subject = {.parts = {{.type = OID_COMMON_NAME}, {.type = OU, .tag = DER_UTF8, .value = span_text("yard")}}, .n = 2}};
	const struct {
		const struct est_attrs *in;
		const char *base64;
	} rows[] = {
		{&full, "MIGWMIGTBgsqhkiG9w0BCRACPTGBgzCBgAIBADAYMQcwBQYDVQQDMQ0wCwYDVQQLDAR5YXJkoBIwEAYHKoZIzj0C"
			"AQYFK4EEACKhTTBLBgkqhkiG9w0BCQ4xPjA8MBUGA1UdEQQOMAyCCmd3LmV4YW1wbGUwDgYDVR0PAQH/BAQDAgeA"
			"MBMGA1UdJQQMMAoGCCsGAQUFBwMC"},
		{&bare, "MDkwNwYLKoZIhvcNAQkQAj0xKDAmAgEAoSEwHwYJKoZIhvcNAQkOMRIwEDAOBgNVHQ8BAf8EBAMCB4A="},
		{&sized, "MIIBZTCCAWEGCyqGSIb3DQEJEAI9MYIBUDCCAUwCAQCgggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEKAoIBAQCA"
			 ZEROS_88 ZEROS_88 ZEROS_88
			 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABAgMBAAGhITAf"
			 "BgkqhkiG9w0BCQ4xEjAQMA4GA1UdDwEB/wQEAwIHgA=="},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf der OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
		struct buf want OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
		struct why why = {0};
		assert_int_equal(est_attrs_write(rows[i].in, EST_ATTRS_TEMPLATE, &der, &why), OK);
		assert_int_equal(base64_parse(span_text(rows[i].base64), &want, &why), OK);
		if (!span_equal(buf_span(&der), buf_span(&want)))
			fail_msg("row %zu", i);
	}
}

/* RFC 9908 4: "ignore all other elements", also where those are nonsense to us */
static void the_template_wins_over_the_list(void **state)
{
	struct est_attrs out = {0};
	struct buf der OWNED_BUF = BUF(512);
	struct why why = {0};
	(void)state;

	assert_int_equal(parse_text("MIG/MBIGCSqGSIb3DQEJBzEFEwNhYmMGCCqGSM49BAMCMIGRBgsqhkiG9w0BCRACPTGBgTB/AgEAMCwxBzAFBgNV"
				    "BAMxDzANBgNVBAsMBm15RGVwdDEQMA4GA1UECwwHbXlHcm91cKAVMBMGByqGSM49AgEGCCqGSM49AwEHoTUwEgYJ"
				    "KoZIhvcNAQkHMQUTA3h5ejAfBgkqhkiG9w0BCQ4xEjAQMA4GA1UdDwEB/wQEAwIHgAYLKoZIhvcNAQkQAjo=",
			     &der, &out, &why), OK);
	assert_true(span_is(out.challenge, "xyz"));
	assert_true(out.digital_signature);
	assert_true(out.asks_linking); /* beside the template: of the session, not of the contents */
}

static void what_we_do_not_know_is_copied_or_left_open(void **state)
{
	struct est_attrs out = {0};
	struct buf der OWNED_BUF = BUF(512);
	struct why why = {0};
	(void)state;

	assert_int_equal(parse_text("MGAwXgYLKoZIhvcNAQkQAj0xTzBNAgEAoUgwJAYJKoZIhvcNAQkOMRcwFTATBgNVHSAEDDAKMAgGBmeBDAECATAR"
				    "BgkqhkiG9w0BCRQxBB4CAGEwDQYJKwYBBAGGjR8BMQA=", &der, &out, &why), OK);
	assert_int_equal(out.more_extensions_n, 1);
	assert_int_equal(out.more_attributes_n, 1);
	assert_int_equal(out.open_n, 1);
}

/* CsrAttrs with one template of these fields behind the version. */
static enum err parse_fields(uint8_t version, struct span fields, struct buf *der, struct est_attrs *out, struct why *why)
{
	why_clear(why);
	buf_clear(der);
	size_t list = der_open(der, DER_SEQUENCE);
	size_t attribute = der_open(der, DER_SEQUENCE);
	der_put_oid(der, OID_CSR_TEMPLATE);
	size_t values = der_open(der, DER_SET);
	size_t whole = der_open(der, DER_SEQUENCE);
	der_put_small(der, version);
	buf_put_span(der, fields);
	der_close(der, whole);
	der_close(der, values);
	der_close(der, attribute);
	der_close(der, list);
	return est_attrs_parse(buf_span(der), out, why);
}

/* RFC 9908 3.2, 3.4: one element in the set */
static void a_second_list_of_extensions_is_refused(void **state)
{
	static const struct span types[] = {OID_EXTENSION_REQUEST, OID_EXTENSION_REQUEST_TEMPLATE};
	static const uint8_t list[] = {0x30, 9, 0x30, 7, 0x06, 2, 0x2a, 3, 0x04, 1, 'x'};
	(void)state;

	for (size_t i = 0; i < 6; i++) {
		struct est_attrs out = {0};
		struct buf fields OWNED_BUF = BUF(256);
		struct buf der OWNED_BUF = BUF(512);
		struct why why = {0};
		size_t attributes = der_open(&fields, 0xa1);
		size_t attribute = der_open(&fields, DER_SEQUENCE);
		der_put_oid(&fields, types[i % 2]);
		size_t values = der_open(&fields, DER_SET);
		for (size_t k = 0; k < i / 2; k++)
			buf_put(&fields, list, sizeof(list));
		der_close(&fields, values);
		der_close(&fields, attribute);
		der_close(&fields, attributes);
		assert_int_equal(parse_fields(0, buf_span(&fields), &der, &out, &why), i / 2 == 1 ? OK : ERR_SYNTAX);
	}
}

static void put_extensions(struct buf *out, struct span type, size_t n, bool same)
{
	size_t attribute = der_open(out, DER_SEQUENCE);

	der_put_oid(out, type);
	size_t values = der_open(out, DER_SET);
	size_t list = der_open(out, DER_SEQUENCE);
	for (size_t i = 0; i < n; i++) {
		const uint8_t oid[] = {0x2a, 0x03, same ? 1 : (uint8_t)(i + 1)};
		size_t extension = der_open(out, DER_SEQUENCE);
		der_put_oid(out, span_of(oid, sizeof(oid)));
		der_put(out, DER_OCTET_STRING, span_text("x"));
		der_close(out, extension);
	}
	der_close(out, list);
	der_close(out, values);
	der_close(out, attribute);
}

/* RFC 9908 3.4: v1; not both kinds of extension lists, neither of them twice; each extension once */
static void what_the_clause_forbids_is_refused(void **state)
{
	static const struct {
		struct span first, second;
		bool same;
	} rows[] = {
		{OID_EXTENSION_REQUEST, OID_EXTENSION_REQUEST_TEMPLATE, false},
		{OID_EXTENSION_REQUEST_TEMPLATE, OID_EXTENSION_REQUEST_TEMPLATE, false},
		{OID_EXTENSION_REQUEST_TEMPLATE, {NULL, 0}, true},
	};
	struct est_attrs out = {0};
	struct buf der OWNED_BUF = BUF(1024);
	struct why why = {0};
	(void)state;

	assert_int_equal(parse_fields(0, span_of("\xa1\x00", 2), &der, &out, &why), OK);
	assert_int_equal(parse_fields(1, span_of("\xa1\x00", 2), &der, &out, &why), ERR_SYNTAX);
	assert_string_equal(why.clause, "RFC 9908 3.4");
	/* a bare OID inside the attributes, a value behind, no attributes at all */
	assert_int_equal(parse_fields(0, span_of("\xa1\x04\x06\x02\x2a\x03", 6), &der, &out, &why), ERR_SYNTAX);
	assert_int_equal(parse_fields(0, span_of("\xa1\x00\x05\x00", 4), &der, &out, &why), ERR_SYNTAX);
	assert_int_equal(parse_fields(0, span_of(NULL, 0), &der, &out, &why), ERR_SYNTAX);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf fields OWNED_BUF = BUF(1024);
		size_t attributes = der_open(&fields, 0xa1);
		put_extensions(&fields, rows[i].first, 2, rows[i].same);
		if (rows[i].second.n)
			put_extensions(&fields, rows[i].second, 2, false);
		der_close(&fields, attributes);
		assert_int_equal(parse_fields(0, buf_span(&fields), &der, &out, &why), ERR_SYNTAX);
	}
}

static void sixteen_unknown_extensions_are_taken_and_seventeen_refused(void **state)
{
	(void)state;
	for (size_t n = EST_ATTRS_MAX; n <= EST_ATTRS_MAX + 1; n++) {
		struct est_attrs out = {0};
		struct buf fields OWNED_BUF = BUF(2048);
		struct buf der OWNED_BUF = BUF(2048);
		struct why why = {0};
		size_t attributes = der_open(&fields, 0xa1);
		put_extensions(&fields, OID_EXTENSION_REQUEST, n, false);
		der_close(&fields, attributes);
		assert_int_equal(parse_fields(0, buf_span(&fields), &der, &out, &why), n == EST_ATTRS_MAX ? OK : ERR_LIMIT);
	}
}

static void sixteen_subject_attributes_are_taken_and_seventeen_refused(void **state)
{
	(void)state;
	for (size_t n = NAME_PARTS_MAX; n <= NAME_PARTS_MAX + 1; n++) {
		struct est_attrs out = {0};
		struct buf fields OWNED_BUF = BUF(2048);
		struct buf der OWNED_BUF = BUF(2048);
		struct why why = {0};
		size_t subject = der_open(&fields, DER_SEQUENCE);
		for (size_t i = 0; i < n; i++)
			buf_put(&fields, "\x31\x07\x30\x05\x06\x03\x55\x04\x0b", 9);
		der_close(&fields, subject);
		buf_put(&fields, "\xa1\x00", 2);
		assert_int_equal(parse_fields(0, buf_span(&fields), &der, &out, &why), n == NAME_PARTS_MAX ? OK : ERR_LIMIT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_rfc_9908_3_4_is_read),
		cmocka_unit_test(each_form_comes_back),
		cmocka_unit_test(every_key_wish_comes_back),
		cmocka_unit_test(each_field_has_its_own_octets),
		cmocka_unit_test(the_template_wins_over_the_list),
		cmocka_unit_test(what_we_do_not_know_is_copied_or_left_open),
		cmocka_unit_test(what_the_clause_forbids_is_refused),
		cmocka_unit_test(a_second_list_of_extensions_is_refused),
		cmocka_unit_test(sixteen_unknown_extensions_are_taken_and_seventeen_refused),
		cmocka_unit_test(sixteen_subject_attributes_are_taken_and_seventeen_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
