#include "pki/cms_signed.h"

#include "made.h"
#include "pki/oid.h"
#include "run_openssl.h"

#define PKI_DATA OID("\x2b\x06\x01\x05\x05\x07\x0c\x02")
#define PKI_RESPONSE OID("\x2b\x06\x01\x05\x05\x07\x0c\x03")

/* A signed message by openssl itself: key.pem, cert.pem, cert.der, msg.der over "hello". */
static void sign_by_openssl(const char *more, struct buf *out)
{
	char line[600];

	assert_int_equal(run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem"
			     " -subj /CN=signer -days 30 2>/dev/null && openssl x509 -in cert.pem -outform DER -out cert.der"
			     " && printf hello > content"),
		0);
	snprintf(line, sizeof(line),
		"openssl cms -sign -in content -binary -nodetach -outform DER -signer cert.pem -inkey key.pem"
		" -econtent_type 1.3.6.1.5.5.7.12.2 -out msg.der %s",
		more);
	assert_int_equal(run(line), 0);
	temp_read("msg.der", out);
}

static void reads_what_openssl_signed(void **state)
{
	static const char *const forms[] = {"", "-md sha384", "-keyid", "-stream"};
	struct why why = {0};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct buf msg OWNED_BUF = BUF(65536);
		struct buf cert OWNED_BUF = BUF(65536);
		struct buf signer OWNED_BUF = BUF(65536);
		struct cms_signed *s OWNED_CMS_SIGNED = NULL;
		struct span certs[CMS_CERTS_MAX];
		sign_by_openssl(forms[i], &msg);
		temp_read("cert.der", &cert);
		must(cms_signed_parse(buf_span(&msg), PKI_DATA, &s, &why));
		assert_true(span_is(cms_signed_content(s), "hello"));
		assert_int_equal(cms_signed_certs(s, certs), 1);
		must(cms_signed_verify(s, (struct span){0}, &signer, &why));
		assert_true(span_equal(buf_span(&signer), buf_span(&cert)));
	}
}

static void the_session_may_know_the_signer(void **state)
{
	struct buf msg OWNED_BUF = BUF(65536);
	struct buf cert OWNED_BUF = BUF(65536);
	struct buf signer OWNED_BUF = BUF(65536);
	struct cms_signed *s OWNED_CMS_SIGNED = NULL;
	struct why why = {0};

	sign_by_openssl("-nocerts", &msg);
	temp_read("cert.der", &cert);
	must(cms_signed_parse(buf_span(&msg), PKI_DATA, &s, &why));
	refused(cms_signed_verify(s, (struct span){0}, &signer, &refusal), CMS_SIGNED_SIGNER);
	must(cms_signed_verify(s, buf_span(&cert), &signer, &why));
	assert_int_equal(signer.n, cert.n);
}

static void refuses_weak_and_odd_messages(void **state)
{
	static const struct {
		const char *more;
		enum code code;
	} rows[] = {
		{"-md sha1", CODE_CMS_SIGNED_ALG},
		{"-noattr", CODE_CMS_SIGNED_WRONG},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf msg OWNED_BUF = BUF(65536);
		struct buf signer OWNED_BUF = BUF(65536);
		struct cms_signed *s OWNED_CMS_SIGNED = NULL;
		struct why why = {0};
		sign_by_openssl(rows[i].more, &msg);
		must(cms_signed_parse(buf_span(&msg), PKI_DATA, &s, &why));
		assert_int_not_equal(cms_signed_verify(s, (struct span){0}, &signer, &why), OK);
		assert_int_equal(why.code, rows[i].code);
		assert_int_equal(signer.n, 0);
	}
}

static void every_changed_octet_is_noticed(void **state)
{
	struct buf msg OWNED_BUF = BUF(65536);

	sign_by_openssl("-nocerts", &msg);
	struct buf cert OWNED_BUF = BUF(65536);
	temp_read("cert.der", &cert);
	for (size_t i = 0; i < msg.n; i++) {
		struct buf signer OWNED_BUF = BUF(65536);
		struct cms_signed *s OWNED_CMS_SIGNED = NULL;
		struct why why = {0};
		msg.p[i] ^= 0x01;
		enum err err = cms_signed_parse(buf_span(&msg), PKI_DATA, &s, &why);
		if (err == OK)
			err = cms_signed_verify(s, buf_span(&cert), &signer, &why);
		msg.p[i] ^= 0x01;
		/* versions and the digest list are not signed; the content is, so it must be the one that was meant */
		if (err == OK)
			assert_true(span_is(cms_signed_content(s), "hello"));
	}
}

static void refuses_what_is_no_such_message(void **state)
{
	struct buf msg OWNED_BUF = BUF(2 * CMS_SIGNED_MAX);
	struct cms_signed *s = NULL;

	sign_by_openssl("", &msg);
	refused(cms_signed_parse(buf_span(&msg), PKI_RESPONSE, &s, &refusal), CMS_SIGNED_SYNTAX);
	refused(cms_signed_parse((struct span){0}, PKI_DATA, &s, &refusal), CMS_SIGNED_SYNTAX);
	refused(cms_signed_parse(span_first(buf_span(&msg), msg.n - 1), PKI_DATA, &s, &refusal), CMS_SIGNED_SYNTAX);
	buf_put_u8(&msg, 0);
	refused(cms_signed_parse(buf_span(&msg), PKI_DATA, &s, &refusal), CMS_SIGNED_SYNTAX);
	while (msg.n <= CMS_SIGNED_MAX)
		buf_put_u8(&msg, 0);
	refused(cms_signed_parse(buf_span(&msg), PKI_DATA, &s, &refusal), CMS_SIGNED_LIMIT);
	buf_clear(&msg);
	assert_int_equal(run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key2.pem -out cert2.pem"
			     " -subj /CN=second 2>/dev/null"),
		0);
	sign_by_openssl("-signer cert2.pem -inkey key2.pem", &msg);
	refused(cms_signed_parse(buf_span(&msg), PKI_DATA, &s, &refusal), CMS_SIGNED_SIGNERS);
}

static void openssl_reads_what_we_sign(void **state)
{
	static const enum key_spec specs[] = {KEY_P256, KEY_P384, KEY_RSA2048};

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct made m OWNED_MADE = {0};
		struct made other OWNED_MADE = {0};
		struct cert_plan plan = made_plan(&m, specs[i], "signer");
		struct cert_plan more = made_plan(&other, KEY_P256, "issued");
		struct buf msg OWNED_BUF = BUF(65536);
		struct buf all OWNED_BUF = BUF(65536);
		struct buf pem OWNED_BUF = BUF(65536);
		struct why why = {0};
		made_sign(&m, &plan, NULL);
		made_sign(&other, &more, NULL);
		const struct cms_signed_plan p = {.type = PKI_RESPONSE, .content = span_text("answer"), .key = m.key,
			.cert = buf_span(&m.der)};
		struct span issued = buf_span(&other.der);
		must(cms_signed_write(&p, &msg, &why));
		must(cms_signed_add_certs(buf_span(&msg), &issued, 1, &all, &why));
		temp_write("ours.der", buf_span(&all));
		must(cert_write_pem(buf_span(&m.der), &pem, &why));
		temp_write("ours.pem", buf_span(&pem));
		assert_int_equal(run("openssl cms -verify -inform DER -in ours.der -CAfile ours.pem -no_check_time -purpose any"
				     " -out got 2>err && test \"$(cat got)\" = answer"
				     " && openssl cms -cmsout -print -inform DER -in ours.der | grep -q 'CN=issued'"),
			0);
	}
}

static void refuses_to_add_to_what_is_no_message(void **state)
{
	struct buf out OWNED_BUF = BUF(65536);
	struct span none = {0};

	refused(cms_signed_add_certs(span_text("0123"), &none, 1, &out, &refusal), CMS_SIGNED_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_openssl_signed),
		cmocka_unit_test(the_session_may_know_the_signer),
		cmocka_unit_test(refuses_weak_and_odd_messages),
		cmocka_unit_test(every_changed_octet_is_noticed),
		cmocka_unit_test(refuses_what_is_no_such_message),
		cmocka_unit_test(openssl_reads_what_we_sign),
		cmocka_unit_test(refuses_to_add_to_what_is_no_message),
	};

	return cmocka_run_group_tests(tests, temp_make, temp_remove);
}
