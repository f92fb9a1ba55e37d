#include "unit/pki/made.h"

#include "pki/cms_envelope.h"
#include "pki/cms_signed.h"

/* ContentInfo { SignedData }, as far as the envelope looks at it */
static const uint8_t signed_info[] = {0x30, 0x12, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02, 0xa0, 0x05,
	0x30, 0x03, 0x02, 0x01, 0x01};

static struct span whole(void)
{
	return span_of(signed_info, sizeof(signed_info));
}

static void a_shared_key_opens_what_it_closed(void **state)
{
	static const enum cms_cipher ciphers[] = {CMS_AES_128, CMS_AES_256};

	for (int i = 0; i < 4; i++) {
		OWNED_BUF struct buf der = BUF(CMS_ENVELOPE_MAX), plain = BUF(1024);
		OWNED_SECRET struct secret kek = {0};
		OWNED_SECRET struct secret other = {0};
		struct why why = {0};
		must(cms_kek_derive(span_text("a key that both hold"), ciphers[i & 1], &kek, &why));
		must(cms_kek_derive(span_text("another"), ciphers[i & 1], &other, &why));
		must(cms_envelop_kek(whole(), ciphers[i >> 1], secret_span(&kek), span_text("pump@localhost"), &der, &why));
		struct cms_opener opener = {.kek = secret_span(&kek), .kek_id = span_text("pump@localhost")};
		must(cms_envelope_open(buf_span(&der), &opener, &plain, &why));
		assert_true(span_equal(buf_span(&plain), whole()));
		opener.kek = secret_span(&other);
		refused(cms_envelope_open(buf_span(&der), &opener, &plain, &refusal), CMS_OPEN);
		opener.kek = secret_span(&kek);
		opener.kek_id = span_text("valve@localhost");
		refused(cms_envelope_open(buf_span(&der), &opener, &plain, &refusal), CMS_OPEN);
	}
}

/* docs/decisions/0016; the derivation itself is checked against Python in tests/process/test_serverkeygen.py */
static void the_key_encryption_keys_differ_by_algorithm(void **state)
{
	OWNED_SECRET struct secret a = {0};
	OWNED_SECRET struct secret b = {0};
	struct why why = {0};

	must(cms_kek_derive(span_text("k"), CMS_AES_128, &a, &why));
	must(cms_kek_derive(span_text("k"), CMS_AES_256, &b, &why));
	assert_int_equal(a.n, 16);
	assert_int_equal(b.n, 32);
	assert_memory_not_equal(a.bytes, b.bytes, 16);
}

static void recipient(struct made *m, enum key_spec spec, uint16_t usage)
{
	struct cert_plan plan = made_plan(m, spec, "device");

	plan.key_usage = usage;
	made_sign(m, &plan, NULL);
}

static void a_certificates_key_opens_what_was_closed_for_it(void **state)
{
	static const struct {
		enum key_spec spec;
		uint16_t usage;
		enum cms_transport transport;
	} rows[] = {
		{KEY_RSA2048, KU_KEY_ENCIPHERMENT, CMS_RSA_OAEP},
		{KEY_RSA2048, KU_KEY_ENCIPHERMENT | KU_DIGITAL_SIGNATURE, CMS_RSA_PKCS1},
		{KEY_P256, KU_KEY_AGREEMENT, CMS_RSA_OAEP},
		{KEY_P384, KU_KEY_AGREEMENT | KU_DIGITAL_SIGNATURE, CMS_RSA_OAEP},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		OWNED_BUF struct buf der = BUF(CMS_ENVELOPE_MAX), plain = BUF(1024);
		OWNED_MADE struct made m = {0};
		OWNED_MADE struct made other = {0};
		struct cert cert;
		struct why why = {0};
		recipient(&m, rows[i].spec, rows[i].usage);
		recipient(&other, rows[i].spec, rows[i].usage);
		must(cert_parse(buf_span(&m.der), &cert, &why));
		must(cms_envelop_cert(whole(), CMS_AES_256, &cert, rows[i].transport, &der, &why));
		struct cms_opener opener = {.key = m.key, .cert = buf_span(&m.der)};
		must(cms_envelope_open(buf_span(&der), &opener, &plain, &why));
		assert_true(span_equal(buf_span(&plain), whole()));
		opener = (struct cms_opener){.key = other.key, .cert = buf_span(&other.der)};
		refused(cms_envelope_open(buf_span(&der), &opener, &plain, &refusal), CMS_OPEN);
	}
}

/* RFC 7030 4.4.1.2: keyTransport or keyAgreement, or no restriction */
static void keys_that_may_only_sign_get_nothing(void **state)
{
	static const struct {
		enum key_spec spec;
		uint16_t usage;
	} rows[] = {{KEY_RSA2048, KU_DIGITAL_SIGNATURE}, {KEY_P256, KU_DIGITAL_SIGNATURE}, {KEY_P384, KU_NON_REPUDIATION}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		OWNED_BUF struct buf der = BUF(CMS_ENVELOPE_MAX);
		OWNED_MADE struct made m = {0};
		struct cert cert;
		struct why why = {0};
		recipient(&m, rows[i].spec, rows[i].usage);
		must(cert_parse(buf_span(&m.der), &cert, &why));
		refused(cms_envelop_cert(whole(), CMS_AES_256, &cert, CMS_RSA_OAEP, &der, &refusal), CMS_RECIPIENT);
		cert.has_key_usage = false;
		must(cms_recipient_check(&cert, &why));
		cert.skid = (struct span){0};
		refused(cms_recipient_check(&cert, &refusal), CMS_RECIPIENT);
	}
}

static void other_bytes_are_no_envelope(void **state)
{
	static uint8_t large[CMS_ENVELOPE_MAX + 1];
	OWNED_BUF struct buf plain = BUF(1024), der = BUF(CMS_ENVELOPE_MAX);
	OWNED_SECRET struct secret kek = {0};
	struct why why = {0};

	must(cms_kek_derive(span_text("k"), CMS_AES_256, &kek, &why));
	const struct cms_opener opener = {.kek = secret_span(&kek), .kek_id = span_text("a")};
	refused(cms_envelope_open(whole(), &opener, &plain, &refusal), CMS_ENVELOPED);
	refused(cms_envelope_open((struct span){0}, &opener, &plain, &refusal), CMS_ENVELOPED);
	refused(cms_envelope_open(span_of(large, sizeof(large)), &opener, &plain, &refusal), CMS_ENVELOPED);
	must(cms_envelop_kek(whole(), CMS_AES_256, secret_span(&kek), span_text("a"), &der, &why));
	for (size_t n = 0; n < der.n; n++) {
		struct why cut = {0};
		assert_int_not_equal(cms_envelope_open(span_of(der.p, n), &opener, &plain, &cut), OK);
	}
	buf_put_u8(&der, 0);
	refused(cms_envelope_open(buf_span(&der), &opener, &plain, &refusal), CMS_ENVELOPED);
}

static void a_private_key_in_der_comes_back(void **state)
{
	static const enum key_spec specs[] = {KEY_P256, KEY_P384, KEY_RSA2048};
	static uint8_t large[KEY_PKCS8_MAX + 1];
	OWNED_KEY struct key *none = NULL;

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		OWNED_KEY struct key *key = NULL;
		OWNED_KEY struct key *back = NULL;
		OWNED_BUF struct buf der = BUF(KEY_PKCS8_MAX), spki = BUF(1024);
		struct why why = {0};
		must(key_new(specs[i], &key, &why));
		must(key_write_pkcs8(key, &der, &why));
		must(key_parse_pkcs8(buf_span(&der), &back, &why));
		must(key_write_spki(key, &spki, &why));
		assert_true(key_matches_spki(back, buf_span(&spki)));
		/* the public half of another key: the last octet of an EC key lies in it */
		der.p[der.n - 1] ^= 1;
		refused(key_parse_pkcs8(buf_span(&der), &none, &refusal), KEY_PEM);
		der.p[der.n - 1] ^= 1;
		buf_put_u8(&der, 0);
		refused(key_parse_pkcs8(buf_span(&der), &none, &refusal), KEY_PEM);
	}
	refused(key_parse_pkcs8(span_of(large, sizeof(large)), &none, &refusal), KEY_PEM);
	assert_non_null(strstr(refusal.text, "at most"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shared_key_opens_what_it_closed),
		cmocka_unit_test(the_key_encryption_keys_differ_by_algorithm),
		cmocka_unit_test(a_certificates_key_opens_what_was_closed_for_it),
		cmocka_unit_test(keys_that_may_only_sign_get_nothing),
		cmocka_unit_test(other_bytes_are_no_envelope),
		cmocka_unit_test(a_private_key_in_der_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
