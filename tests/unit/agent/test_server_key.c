#include "lab.h"

#include "pki/cms_signed.h"
#include "pki/der_nest.h"
#include "proto/est/keygen.h"

#define CT_KEY_PACKAGE OID("\x60\x86\x48\x01\x65\x02\x01\x02\x4e\x05")
#define KP_CMC_CA OID("\x2b\x06\x01\x05\x05\x07\x03\x1b")
#define KEY_NAME "pump@mef.example.com"

/* What the MEF answers; tests change one thing. */
struct answer {
	struct made signer;
	struct key *key;     /* in the answer */
	struct key *of_cert; /* that the certificate is for; NULL: key */
	struct secret shared;
	bool plain;
	const char *kek_id;
	struct span package_type;
	struct buf body;
	char media_type[EST_KEYGEN_MEDIA_SIZE];
};

static void answer_fini(struct answer *a)
{
	made_fini(&a->signer);
	key_free(a->key);
	key_free(a->of_cert);
	buf_fini_wipe(&a->body);
}

#define OWNED_ANSWER __attribute__((cleanup(answer_fini)))

static void make_signer(struct answer *a, const struct made *by, bool may_make_keys)
{
	made_fini(&a->signer);
	struct cert_plan plan = made_plan(&a->signer, KEY_P256, "MEF Messages");
	plan.key_usage = KU_DIGITAL_SIGNATURE;
	plan.ekus[plan.ekus_n++] = may_make_keys ? KP_CMC_CA : CLIENT_AUTH_OID;
	made_sign(&a->signer, &plan, by);
}

static void answer_init(struct answer *a, struct lab *lab)
{
	struct why why = {0};

	*a = (struct answer){.shared = {.n = 32, .bytes = {5}}, .kek_id = KEY_NAME, .package_type = CT_KEY_PACKAGE,
		.body = BUF(EST_KEYGEN_BODY_MAX)};
	must(key_new(KEY_P256, &a->key, &why));
	make_signer(a, &lab->inner, true);
}

static void seal(struct answer *a, struct span pkcs8, struct buf *out)
{
	OWNED_BUF struct buf package = BUF(8192), info = BUF(CMS_SIGNED_MAX);
	OWNED_SECRET struct secret kek = {0};
	struct why why = {0};
	size_t at = der_open(&package, DER_SEQUENCE);

	buf_put_span(&package, pkcs8);
	der_close(&package, at);
	const struct cms_signed_plan plan = {.type = a->package_type, .content = buf_span(&package), .key = a->signer.key,
		.cert = buf_span(&a->signer.der)};
	must(cms_signed_write(&plan, &info, &why));
	must(cms_kek_derive(secret_span(&a->shared), CMS_AES_256, &kek, &why));
	must(cms_envelop_kek(buf_span(&info), CMS_AES_256, secret_span(&kek), span_text(a->kek_id), out, &why));
}

static void feed(struct answer *a, struct lab *lab)
{
	static const uint8_t seed[EST_KEYGEN_SEED_SIZE] = {1};
	OWNED_BUF struct buf pkcs8 = BUF(KEY_PKCS8_MAX), sealed = BUF(CMS_ENVELOPE_MAX), certs = BUF(AGENT_REPLY_MAX);
	struct cert_plan plan = lab_plan(lab);
	struct why why = {0};

	buf_clear(&lab->issued.spki);
	must(key_write_spki(a->of_cert ? a->of_cert : a->key, &lab->issued.spki, &why));
	plan.spki = buf_span(&lab->issued.spki);
	made_sign(&lab->issued, &plan, &lab->inner);
	const struct span der = buf_span(&lab->issued.der);
	must(cms_certs_write(&der, 1, &certs, &why));
	must(key_write_pkcs8(a->key, &pkcs8, &why));
	if (!a->plain)
		seal(a, buf_span(&pkcs8), &sealed);
	const struct est_keygen_parts parts = {.encrypted = !a->plain,
		.key = a->plain ? buf_span(&pkcs8) : buf_span(&sealed), .cert = buf_span(&certs)};
	must(est_keygen_write(&parts, seed, &a->body, a->media_type, &why));
	lab_feed(lab, 200, a->media_type, buf_span(&a->body));
}

/* Up to the request; decrypt: by the shared key. */
static void to_request(struct lab *lab, const struct answer *a, bool decrypt)
{
	lab->config.server_key = true;
	lab->config.decrypt_id = decrypt ? KEY_NAME : NULL;
	lab->config.decrypt_secret = decrypt ? &a->shared : NULL;
	lab_agent(lab);
	lab_to_enrol(lab);
}

static void installed(struct lab *lab, const struct answer *a)
{
	const struct agent_action action = lab_next(lab);
	OWNED_BUF struct buf spki = BUF(1024);
	struct why why = {0};

	assert_int_equal(action.kind, AGENT_INSTALL);
	assert_non_null(action.made_key);
	must(key_write_spki(a->key, &spki, &why));
	assert_true(key_matches_spki(action.made_key, buf_span(&spki)));
	assert_true(span_equal(action.certificate, buf_span(&lab->issued.der)));
}

static void a_made_key_is_installed(void **state)
{
	for (int decrypt = 0; decrypt < 2; decrypt++) {
		struct lab *lab = *state;
		OWNED_ANSWER struct answer a;
		answer_init(&a, lab);
		to_request(lab, &a, decrypt);
		assert_non_null(strstr(lab_next(lab).url, "/serverkeygen"));
		assert_string_equal(lab_next(lab).accept, "multipart/mixed");
		a.plain = !decrypt;
		feed(&a, lab);
		installed(lab, &a);
		agent_feed_installed(lab->agent);
		assert_int_equal(lab_next(lab).kind, AGENT_DONE);
	}
}

static void the_request_names_the_decryption_key(void **state)
{
	struct lab *lab = *state;
	OWNED_ANSWER struct answer a;
	OWNED_BUF struct buf der = BUF(CSR_DER_MAX);
	struct est_keygen wish;
	struct csr csr;
	struct why why = {0};

	answer_init(&a, lab);
	to_request(lab, &a, true);
	must(est_body_der(lab_next(lab).body, &der, &why));
	must(csr_parse(buf_span(&der), &csr, &why));
	must(est_keygen_parse(csr.attributes, &wish, &why));
	assert_true(span_is(wish.symmetric, KEY_NAME));
}

/* RFC 7030 4.4.2: what was asked for encrypted comes encrypted */
static void plain_for_encrypted_and_the_reverse_are_refused(void **state)
{
	for (int decrypt = 0; decrypt < 2; decrypt++) {
		struct lab *lab = *state;
		OWNED_ANSWER struct answer a;
		answer_init(&a, lab);
		to_request(lab, &a, decrypt);
		a.plain = decrypt;
		feed(&a, lab);
		lab_failed(lab, CODE_AGENT_SERVER_KEY, decrypt ? "want it encrypted" : "want it plain");
	}
}

/* Any device's certificate leads to the same anchors. */
static void a_package_signed_by_a_device_is_refused(void **state)
{
	struct lab *lab = *state;
	OWNED_ANSWER struct answer a;

	answer_init(&a, lab);
	make_signer(&a, &lab->inner, false);
	to_request(lab, &a, true);
	feed(&a, lab);
	lab_failed(lab, CODE_AGENT_SERVER_KEY, "id-kp-cmcCA");
}

static void a_package_signed_under_another_ca_is_refused(void **state)
{
	struct lab *lab = *state;
	OWNED_ANSWER struct answer a;

	answer_init(&a, lab);
	make_signer(&a, &lab->web, true);
	to_request(lab, &a, true);
	feed(&a, lab);
	lab_failed(lab, CODE_CHAIN_UNKNOWN_ISSUER, "MEF Messages");
}

static void an_envelope_for_another_key_is_refused(void **state)
{
	struct lab *lab = *state;
	OWNED_ANSWER struct answer a;

	answer_init(&a, lab);
	to_request(lab, &a, true);
	a.kek_id = "valve@mef.example.com";
	feed(&a, lab);
	lab_failed(lab, CODE_CMS_OPEN, "key that was named");
}

static void signed_content_of_another_type_is_refused(void **state)
{
	struct lab *lab = *state;
	OWNED_ANSWER struct answer a;

	answer_init(&a, lab);
	to_request(lab, &a, true);
	a.package_type = OID("\x2b\x06\x01\x05\x05\x07\x0c\x03");
	feed(&a, lab);
	lab_failed(lab, CODE_CMS_SIGNED_SYNTAX, "eContentType");
}

static void a_certificate_for_another_key_is_refused(void **state)
{
	for (int decrypt = 0; decrypt < 2; decrypt++) {
		struct lab *lab = *state;
		OWNED_ANSWER struct answer a;
		struct why why = {0};
		answer_init(&a, lab);
		must(key_new(KEY_P256, &a.of_cert, &why));
		to_request(lab, &a, decrypt);
		a.plain = !decrypt;
		feed(&a, lab);
		lab_failed(lab, CODE_AGENT_ISSUED, "for others");
	}
}

static void an_answer_of_simpleenroll_is_no_answer(void **state)
{
	struct lab *lab = *state;
	OWNED_ANSWER struct answer a;

	answer_init(&a, lab);
	to_request(lab, &a, false);
	struct cert_plan plan = lab_plan(lab);
	lab_issue(lab, &plan, &lab->inner);
	lab_failed(lab, CODE_EST_KEYGEN_REPLY, "multipart/mixed");
}

/* RFC 7030 4.4.1.2 */
static void a_certificate_that_may_only_sign_is_not_shown_for_decryption(void **state)
{
	struct lab *lab = *state;

	lab->config.server_key = true;
	lab->config.decrypt_key = lab->factory.key;
	lab->config.decrypt_cert = buf_span(&lab->factory.der);
	lab_agent(lab);
	lab_to_key(lab);
	agent_feed_key(lab->agent, lab->key);
	lab_failed(lab, CODE_CMS_RECIPIENT, "keyAgreement");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(a_made_key_is_installed),
		LAB(the_request_names_the_decryption_key),
		LAB(plain_for_encrypted_and_the_reverse_are_refused),
		LAB(a_package_signed_by_a_device_is_refused),
		LAB(a_package_signed_under_another_ca_is_refused),
		LAB(an_envelope_for_another_key_is_refused),
		LAB(signed_content_of_another_type_is_refused),
		LAB(a_certificate_for_another_key_is_refused),
		LAB(an_answer_of_simpleenroll_is_no_answer),
		LAB(a_certificate_that_may_only_sign_is_not_shown_for_decryption),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
