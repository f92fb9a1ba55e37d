#include "unit/pki/made.h"

#include "pki/der.h"

#define BYTES(literal) ((struct span){(const uint8_t *)(literal), sizeof(literal) - 1})
#define CLIENT_AUTH BYTES("\x2b\x06\x01\x05\x05\x07\x03\x02")

/* A leaf with all extensions under a root with name constraints, both by that kind of key. */
static void chain_passes_openssl_strict(enum key_spec spec)
{
	static const char *const suffixes[] = {"example.com"};
	struct folder f OWNED_FOLDER = folder_new();
	struct made ca OWNED_MADE, leaf OWNED_MADE;
	struct buf names OWNED_BUF = BUF(256), constraints OWNED_BUF = BUF(256);
	struct why why = {0};

	struct cert_plan plan = made_plan(&ca, spec, "Root");
	must(name_constraints_write(suffixes, 1, &constraints, &why));
	plan.is_ca = true;
	plan.path_len = 0;
	plan.key_usage = KU_KEY_CERT_SIGN | KU_CRL_SIGN;
	plan.permitted_subtrees = buf_span(&constraints);
	made_sign(&ca, &plan, NULL);
	plan = made_plan(&leaf, KEY_P256, "device-1");
	made_dns(&names, "d1.example.com");
	plan.sans = buf_span(&names);
	plan.key_usage = KU_DIGITAL_SIGNATURE;
	plan.ekus[0] = CLIENT_AUTH;
	plan.ekus_n = 1;
	plan.cdp_uri = "http://mef.example.com/crl";
	plan.aia_uri = "http://mef.example.com/ca";
	plan.ocsp_uri = "http://mef.example.com/ocsp";
	made_sign(&leaf, &plan, &ca);
	folder_write_pem(&f, "ca.pem", buf_span(&ca.der));
	folder_write_pem(&f, "leaf.pem", buf_span(&leaf.der));
	ran(&f, "openssl verify -x509_strict -purpose sslclient -attime 1767225600 -CAfile ca.pem leaf.pem");
	ran(&f, "openssl x509 -in leaf.pem -noout -text");
	said(&f, "Version: 3");
	said(&f, "X509v3 Key Usage: critical");
	said(&f, "Digital Signature");
	said(&f, "TLS Web Client Authentication");
	said(&f, "DNS:d1.example.com");
	said(&f, "URI:http://mef.example.com/crl");
	said(&f, "CA Issuers - URI:http://mef.example.com/ca");
	said(&f, "OCSP - URI:http://mef.example.com/ocsp");
	ran(&f, "openssl x509 -in ca.pem -noout -text");
	said(&f, "X509v3 Basic Constraints: critical");
	said(&f, "CA:TRUE, pathlen:0");
	said(&f, "X509v3 Name Constraints: critical");
	said(&f, "DNS:example.com");
	said(&f, "URI:.example.com");
}

/* TS-0003 10.1.1.1: P-256 with SHA-256 by default; others by choice */
static void certificates_of_every_kind_of_ca_key_pass_openssl_strict(void **state)
{
	chain_passes_openssl_strict(KEY_P256);
	chain_passes_openssl_strict(KEY_P384);
	chain_passes_openssl_strict(KEY_RSA2048);
}

static void gnutls_reads_what_is_built(void **state)
{
	struct folder f OWNED_FOLDER = folder_new();
	struct made ca OWNED_MADE, leaf OWNED_MADE;

	/* certtool knows no other time than now; past 2049 the dates are GeneralizedTime */
	struct cert_plan plan = made_plan(&ca, KEY_P256, "Root");
	plan.is_ca = true;
	plan.key_usage = KU_KEY_CERT_SIGN | KU_CRL_SIGN;
	plan.not_after_s = made_now_s + 30LL * 365 * DAY_S;
	made_sign(&ca, &plan, NULL);
	plan = made_plan(&leaf, KEY_P256, "device-1");
	plan.key_usage = KU_DIGITAL_SIGNATURE;
	plan.not_after_s = made_now_s + 30LL * 365 * DAY_S;
	made_sign(&leaf, &plan, &ca);
	folder_write_pem(&f, "ca.pem", buf_span(&ca.der));
	folder_write_pem(&f, "leaf.pem", buf_span(&leaf.der));
	if (system("command -v certtool >/dev/null 2>&1") != 0)
		skip();
	ran(&f, "certtool --verify --load-ca-certificate ca.pem --infile leaf.pem");
	ran(&f, "certtool -i --infile leaf.pem");
	said(&f, "Not After: ");
	said(&f, "2055");
}

/* RFC 5280 4.2.1.6: subjectAltName is critical when the subject is empty */
static void an_empty_subject_makes_the_names_critical(void **state)
{
	struct folder f OWNED_FOLDER = folder_new();
	struct made ca OWNED_MADE, leaf OWNED_MADE;
	struct buf names OWNED_BUF = BUF(256);

	made_ca(&ca, KEY_P256, "Root", NULL);
	struct cert_plan plan = made_plan(&leaf, KEY_P256, "");
	assert_true(name_is_empty(plan.subject));
	made_dns(&names, "d1.example.com");
	plan.sans = buf_span(&names);
	plan.key_usage = KU_DIGITAL_SIGNATURE;
	made_sign(&leaf, &plan, &ca);
	folder_write_pem(&f, "ca.pem", buf_span(&ca.der));
	folder_write_pem(&f, "leaf.pem", buf_span(&leaf.der));
	ran(&f, "openssl verify -x509_strict -attime 1767225600 -CAfile ca.pem leaf.pem");
	ran(&f, "openssl x509 -in leaf.pem -noout -text");
	said(&f, "X509v3 Subject Alternative Name: critical");
}

static void signing_twice_gives_the_same_text_that_is_signed(void **state)
{
	struct made ca OWNED_MADE;
	struct cert a, b;
	struct buf first OWNED_BUF = BUF(CERT_DER_MAX);
	struct why why = {0};

	struct cert_plan plan = made_plan(&ca, KEY_P256, "Root");
	made_sign(&ca, &plan, NULL);
	buf_put_span(&first, buf_span(&ca.der));
	made_sign(&ca, &plan, NULL);
	must(cert_parse(buf_span(&first), &a, &why));
	must(cert_parse(buf_span(&ca.der), &b, &why));
	assert_true(span_equal(a.tbs, b.tbs));
	assert_false(span_equal(a.der, b.der)); /* ECDSA takes a fresh number each time */
}

/* RFC 5280 4.1.2.2 */
static void serials_without_a_place_in_twenty_octets_are_refused(void **state)
{
	static const uint8_t longest[21] = {0x7f}, high[20] = {0x80}, zero[2] = {0, 5};
	struct made m OWNED_MADE;
	struct buf out OWNED_BUF = BUF(CERT_DER_MAX);
	struct why why = {0};

	struct cert_plan plan = made_plan(&m, KEY_P256, "Root");
	plan.serial = span_of(longest, 20);
	must(cert_build(&plan, m.key, &out, &why));
	buf_clear(&out);
	plan.serial = span_of(longest, 21);
	refused(cert_build(&plan, m.key, &out, &refusal), CERT_PLAN);
	plan.serial = span_of(high, 20);
	refused(cert_build(&plan, m.key, &out, &refusal), CERT_PLAN);
	plan.serial = span_of(zero, 2);
	refused(cert_build(&plan, m.key, &out, &refusal), CERT_PLAN);
	plan.serial = (struct span){0};
	refused(cert_build(&plan, m.key, &out, &refusal), CERT_PLAN);
	assert_int_equal(out.n, 0);
}

static void plans_that_rfc_5280_forbids_are_refused(void **state)
{
	static const uint8_t empty[] = {0x30, 0x00}, half[] = {0x30, 0x05, 0x01};
	struct made m OWNED_MADE;
	struct buf out OWNED_BUF = BUF(CERT_DER_MAX);

	const struct cert_plan good = made_plan(&m, KEY_P256, "Root");
	struct cert_plan plan = good;
	plan.not_after_s = plan.not_before_s - 1;
	refused(cert_build(&plan, m.key, &out, &refusal), CERT_PLAN);
	plan = good;
	plan.not_after_s = 253402300800; /* the year 10000 */
	refused(cert_build(&plan, m.key, &out, &refusal), CERT_PLAN);
	plan = good;
	plan.not_before_s = -631152001; /* 1949 */
	refused(cert_build(&plan, m.key, &out, &refusal), CERT_PLAN);
	plan = good;
	plan.subject = span_of(empty, 2);
	refused(cert_build(&plan, m.key, &out, &refusal), CERT_PLAN);
	plan = good;
	plan.issuer = span_of(empty, 2);
	refused(cert_build(&plan, m.key, &out, &refusal), CERT_PLAN);
	plan = good;
	plan.subject = span_of(half, 3);
	refused(cert_build(&plan, m.key, &out, &refusal), CERT_PLAN);
	plan = good;
	plan.sans = span_of(half, 3);
	refused(cert_build(&plan, m.key, &out, &refusal), CERT_PLAN);
	plan = good;
	plan.spki = span_of(half, 3);
	refused(cert_build(&plan, m.key, &out, &refusal), CERT_PLAN);
	plan = good;
	plan.key_usage = KU_KEY_CERT_SIGN;
	refused(cert_build(&plan, m.key, &out, &refusal), CERT_PLAN);
	plan = good;
	plan.is_ca = true;
	refused(cert_build(&plan, m.key, &out, &refusal), CERT_PLAN);
	plan = good;
	plan.ekus_n = CERT_EKU_MAX + 1;
	refused(cert_build(&plan, m.key, &out, &refusal), CERT_PLAN);
	plan = good;
	plan.cdp_uri = "http://a b/";
	refused(cert_build(&plan, m.key, &out, &refusal), CERT_PLAN);
	plan = good;
	plan.permitted_subtrees = span_of(empty, 2);
	refused(cert_build(&plan, m.key, &out, &refusal), CERT_PLAN);
	assert_int_equal(out.n, 0);
}

static void a_full_buffer_is_an_error_and_stays_as_it_was(void **state)
{
	struct made m OWNED_MADE;
	struct buf out OWNED_BUF = BUF(100);

	struct cert_plan plan = made_plan(&m, KEY_P256, "Root");
	buf_put_text(&out, "before");
	refused(cert_build(&plan, m.key, &out, &refusal), BUF_LIMIT);
	assert_string_equal(buf_text(&out), "before");
}

/* RFC 5280 4.2.1.2 (1): SHA-1 of the bits, as openssl computes it */
static void the_key_identifier_is_the_one_that_openssl_computes(void **state)
{
	struct folder f OWNED_FOLDER = folder_new();
	struct made m OWNED_MADE;
	struct buf hex OWNED_BUF = BUF(128);

	struct cert_plan plan = made_plan(&m, KEY_P256, "Root");
	made_sign(&m, &plan, NULL);
	folder_write_pem(&f, "a.pem", buf_span(&m.der));
	for (size_t i = 0; i < 20; i++)
		buf_put_fmt(&hex, "%02x", m.key_id[i]);
	ran(&f, "openssl x509 -in a.pem -noout -pubkey | openssl pkey -pubin -outform DER | tail -c 65 | openssl sha1");
	said(&f, buf_text(&hex));
	ran(&f, "openssl x509 -in a.pem -noout -ext subjectKeyIdentifier | tr -d : | tr A-F a-f");
	said(&f, buf_text(&hex));
}

/* RFC 5280 4.2.1.10: a URI without a host fails every URI constraint */
static void urn_prefixes_leave_uris_unconstrained(void **state)
{
	static const char *const with[] = {"example.com", "urn:gsma:imei:"}, *const only[] = {"urn:gsma:imei:"},
		*const wrong[] = {".example.com"}, *const blank[] = {""}, *const star[] = {"*.example.com"};
	struct buf out OWNED_BUF = BUF(256);
	struct why why = {0};

	must(name_constraints_write(with, 2, &out, &why));
	static const uint8_t want[] = {0x30, 0x11, 0xa0, 0x0f, 0x30, 0x0d, 0x82, 0x0b, 'e', 'x', 'a', 'm', 'p', 'l', 'e', '.', 'c',
		'o', 'm'};
	assert_true(span_equal(buf_span(&out), span_of(want, sizeof(want))));
	buf_clear(&out);
	refused(name_constraints_write(only, 1, &out, &refusal), CERT_PLAN);
	refused(name_constraints_write(wrong, 1, &out, &refusal), CERT_PLAN);
	refused(name_constraints_write(blank, 1, &out, &refusal), CERT_PLAN);
	refused(name_constraints_write(star, 1, &out, &refusal), CERT_PLAN);
	refused(name_constraints_write(NULL, 0, &out, &refusal), CERT_PLAN);
	assert_int_equal(out.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_of_every_kind_of_ca_key_pass_openssl_strict),
		cmocka_unit_test(gnutls_reads_what_is_built),
		cmocka_unit_test(an_empty_subject_makes_the_names_critical),
		cmocka_unit_test(signing_twice_gives_the_same_text_that_is_signed),
		cmocka_unit_test(serials_without_a_place_in_twenty_octets_are_refused),
		cmocka_unit_test(plans_that_rfc_5280_forbids_are_refused),
		cmocka_unit_test(a_full_buffer_is_an_error_and_stays_as_it_was),
		cmocka_unit_test(the_key_identifier_is_the_one_that_openssl_computes),
		cmocka_unit_test(urn_prefixes_leave_uris_unconstrained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
