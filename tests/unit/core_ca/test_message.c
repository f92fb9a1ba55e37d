#include "unit/core_ca/engine.h"

#include "core/ca/message.h"
#include "pki/cms_envelope.h"
#include "pki/cms_signed.h"
#include "pki/csr.h"
#include "pki/der.h"

#define CT_KEY_PACKAGE span_of("\x60\x86\x48\x01\x65\x02\x01\x02\x4e\x05", 10)
#define CCT_PKI_RESPONSE span_of("\x2b\x06\x01\x05\x05\x07\x0c\x03", 8)

struct signer {
	struct made ca, own;
	struct message message;
};

static void signer_fini(struct signer *s)
{
	made_fini(&s->own);
	made_fini(&s->ca);
}

static void signer_init(struct signer *s)
{
	struct why why = {0};

	made_ca(&s->ca, KEY_P256, "CA", NULL);
	struct cert_plan plan = made_plan(&s->own, KEY_P256, "MEF Messages");
	plan.key_usage = KU_DIGITAL_SIGNATURE;
	made_sign(&s->own, &plan, &s->ca);
	s->message = (struct message){.key = s->own.key, .cert_der = buf_span(&s->own.der), .ca_der = buf_span(&s->ca.der)};
	must(cert_parse(s->message.cert_der, &s->message.cert, &why));
	must(message_check(&s->message, &why));
}

#define OWNED_SIGNER __attribute__((cleanup(signer_fini)))
#define OWNED_BYTES __attribute__((cleanup(made_key_bytes_fini)))

static void open_signed(struct span der, struct span type, const struct signer *s, struct buf *content)
{
	OWNED_CMS_SIGNED struct cms_signed *m = NULL;
	OWNED_BUF struct buf by = BUF(CERT_DER_MAX);
	struct why why = {0};

	must(cms_signed_parse(der, type, &m, &why));
	must(cms_signed_verify(m, (struct span){0}, &by, &why));
	assert_true(span_equal(buf_span(&by), s->message.cert_der));
	buf_put_span(content, cms_signed_content(m));
}

static void a_made_key_comes_with_its_request_and_its_signed_package(void **state)
{
	static const enum key_spec specs[] = {KEY_P256, KEY_P384, KEY_RSA2048};
	OWNED_SIGNER struct signer s = {0};

	signer_init(&s);
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		OWNED_BYTES struct made_key_bytes bytes = MADE_KEY_BYTES;
		OWNED_KEY struct key *key = NULL;
		OWNED_BUF struct buf package = BUF(KEY_PKCS8_MAX + 16);
		const struct key_order order = {.spec = (int)specs[i], .subject = buf_span(&s.own.name), .package = true};
		struct csr csr = {0};
		struct why why = {0};
		must(message_make_key(&s.message, &order, made_now_s, &bytes, &why));
		must(key_parse_pkcs8(buf_span(&bytes.pkcs8), &key, &why));
		assert_int_equal(key_spec_of(key), specs[i]);
		must(csr_parse(buf_span(&bytes.csr), &csr, &why));
		must(csr_verify(&csr, &why));
		assert_true(key_matches_spki(key, csr.spki));
		open_signed(buf_span(&bytes.package), CT_KEY_PACKAGE, &s, &package);
		/* RFC 5958 2: a SEQUENCE OF OneAsymmetricKey */
		struct der d = der_init(buf_span(&package));
		struct der one = der_enter(&d, DER_SEQUENCE);
		assert_true(span_equal(der_take(&one, DER_SEQUENCE).all, buf_span(&bytes.pkcs8)));
		assert_true(der_done(&one) && der_done(&d));
	}
}

static void without_package_none_is_made_and_unknown_kinds_are_refused(void **state)
{
	OWNED_SIGNER struct signer s = {0};
	OWNED_BYTES struct made_key_bytes bytes = MADE_KEY_BYTES;
	OWNED_BYTES struct made_key_bytes none = MADE_KEY_BYTES;
	struct key_order order = {.spec = KEY_P256};
	struct why why = {0};

	signer_init(&s);
	order.subject = buf_span(&s.own.name);
	must(message_make_key(&s.message, &order, made_now_s, &bytes, &why));
	assert_int_equal(bytes.package.n, 0);
	order.spec = KEY_OTHER;
	refused(message_make_key(&s.message, &order, made_now_s, &none, &refusal), KEY_KIND);
	order.spec = 99;
	assert_int_not_equal(message_make_key(&s.message, &order, made_now_s, &none, &why), OK);
}

/* What the CA would refuse is not made before: a few RSA keys keep the signer from everybody else's orders. */
static void of_a_kind_that_the_profile_refuses_no_key_is_made(void **state)
{
	const struct profile_set profiles = {.n = 1, .items = {{.name = "device", .keys = {KEY_P256}, .keys_n = 1}}};
	OWNED_SIGNER struct signer s = {0};
	OWNED_BYTES struct made_key_bytes none = MADE_KEY_BYTES;
	OWNED_BYTES struct made_key_bytes bytes = MADE_KEY_BYTES;
	struct key_order order = {.spec = KEY_RSA4096, .profile = "device"};
	struct why why = {0};

	signer_init(&s);
	s.message.profiles = &profiles;
	order.subject = buf_span(&s.own.name);
	refused(message_make_key(&s.message, &order, made_now_s, &none, &refusal), ISSUE_KEY);
	assert_int_equal(none.pkcs8.n, 0);
	order.spec = KEY_P256;
	must(message_make_key(&s.message, &order, made_now_s, &bytes, &why));
}

/* RFC 5280 6.1.3: what it signs counts only in its own dates */
static void outside_its_dates_the_message_key_signs_nothing(void **state)
{
	static const uint8_t response[] = {0x30, 0x00};
	OWNED_SIGNER struct signer s = {0};
	OWNED_BYTES struct made_key_bytes bytes = MADE_KEY_BYTES;
	OWNED_BUF struct buf out = BUF(MESSAGE_SIGNED_MAX);
	struct key_order order = {.spec = KEY_P256};

	signer_init(&s);
	order.subject = buf_span(&s.own.name);
	int64_t late_s = s.message.cert.not_after_s + 1;
	refused(message_make_key(&s.message, &order, late_s, &bytes, &refusal), MESSAGE_DATES);
	refused(message_sign_cmc(&s.message, span_of(response, 2), late_s, &out, &refusal), MESSAGE_DATES);
}

static void a_pki_response_is_signed_and_nothing_else(void **state)
{
	static const uint8_t response[] = {0x30, 0x06, 0x30, 0x00, 0x30, 0x00, 0x30, 0x00};
	static uint8_t large[ISSUER_RESPONSE_MAX + 1] = {0x30, 0x82, 0xbf, 0xfd};
	OWNED_SIGNER struct signer s = {0};
	OWNED_BUF struct buf out = BUF(MESSAGE_SIGNED_MAX);
	OWNED_BUF struct buf content = BUF(64);
	struct why why = {0};

	signer_init(&s);
	must(message_sign_cmc(&s.message, span_of(response, sizeof(response)), made_now_s, &out, &why));
	open_signed(buf_span(&out), CCT_PKI_RESPONSE, &s, &content);
	assert_true(span_equal(buf_span(&content), span_of(response, sizeof(response))));
	refused(message_sign_cmc(&s.message, span_of(response, 7), made_now_s, &out, &refusal), MESSAGE_RESPONSE);
	refused(message_sign_cmc(&s.message, span_of(large, sizeof(large)), made_now_s, &out, &refusal), MESSAGE_SIZE);
}

static void a_foreign_key_and_a_ca_are_no_message_key(void **state)
{
	OWNED_SIGNER struct signer s = {0};
	struct message other;
	struct why why = {0};

	signer_init(&s);
	other = s.message;
	other.key = s.ca.key;
	refused(message_check(&other, &refusal), MESSAGE_KEY);
	other.cert_der = buf_span(&s.ca.der);
	must(cert_parse(other.cert_der, &other.cert, &why));
	refused(message_check(&other, &refusal), MESSAGE_KEY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_made_key_comes_with_its_request_and_its_signed_package),
		cmocka_unit_test(without_package_none_is_made_and_unknown_kinds_are_refused),
		cmocka_unit_test(of_a_kind_that_the_profile_refuses_no_key_is_made),
		cmocka_unit_test(outside_its_dates_the_message_key_signs_nothing),
		cmocka_unit_test(a_pki_response_is_signed_and_nothing_else),
		cmocka_unit_test(a_foreign_key_and_a_ca_are_no_message_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
