#include "pki/csr.h"

#include "pki/der_nest.h"
#include "pki/oid.h"
#include "pki/signature.h"

#include "run_openssl.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define IN(octets) ((struct span){(const uint8_t *)(octets), sizeof(octets) - 1})

static struct key *device; /* one for all tests: made by setup */

static const struct span san_mef = {(const uint8_t *)"\x30\x0d\x82\x0bmef.example", 15};

/* A request with these attributes as encoded, truly signed. */
static void put_request(struct buf *out, struct span version, struct span subject, struct span attributes)
{
	struct buf info OWNED_BUF = BUF(1 << 16);
	struct why why = {0};

	size_t whole = der_open(&info, DER_SEQUENCE);
	buf_put_span(&info, version);
	buf_put_span(&info, subject);
	assert_int_equal(key_write_spki(device, &info, &why), OK);
	der_put(&info, 0xa0, attributes);
	der_close(&info, whole);
	assert_int_equal(signed_write(buf_span(&info), device, out, &why), OK);
}

static void put_attribute(struct buf *out, struct span oid, struct span values)
{
	size_t attribute = der_open(out, DER_SEQUENCE);

	der_put_oid(out, oid);
	der_put(out, DER_SET, values);
	der_close(out, attribute);
}

static void put_extension(struct buf *out, struct span oid, struct span value)
{
	size_t extension = der_open(out, DER_SEQUENCE);

	der_put_oid(out, oid);
	der_put(out, DER_OCTET_STRING, value);
	der_close(out, extension);
}

static enum err parse(struct span der, struct csr *out)
{
	struct why why = {0};
	enum err err = csr_parse(der, out, &why);

	assert_int_equal(err, why.kind);
	return err;
}

static enum err verify(const struct csr *csr)
{
	struct why why = {0};

	return csr_verify(csr, &why);
}

static enum err parse_attributes(const struct buf *attributes, struct csr *out)
{
	static struct buf request; /* what out points into, until the next call */

	buf_fini(&request);
	request.max = 1 << 16;
	put_request(&request, IN("\x02\x01\x00"), IN("\x30\x00"), buf_span(attributes));
	enum err err = parse(buf_span(&request), out);
	if (err != OK)
		buf_fini(&request);
	return err;
}

static enum err parse_challenge(uint8_t tag, struct span text)
{
	struct buf attributes OWNED_BUF = BUF(4096);
	struct buf value OWNED_BUF = BUF(4096);
	struct csr csr;

	der_put(&value, tag, text);
	put_attribute(&attributes, OID_CHALLENGE_PASSWORD, buf_span(&value));
	enum err err = parse_attributes(&attributes, &csr);
	assert_true(err != OK || (csr.has_challenge && span_equal(csr.challenge, text)));
	return err;
}

/* extensions: the contents of the SEQUENCE */
static enum err parse_extensions(struct span oid, const struct buf *extensions, struct csr *out)
{
	struct buf attributes OWNED_BUF = BUF(1 << 16);
	struct buf value OWNED_BUF = BUF(1 << 16);

	der_put(&value, DER_SEQUENCE, buf_span(extensions));
	put_attribute(&attributes, oid, buf_span(&value));
	return parse_attributes(&attributes, out);
}

static enum err parse_extension(struct span oid, struct span value, struct csr *out)
{
	struct buf extensions OWNED_BUF = BUF(1 << 16);

	put_extension(&extensions, oid, value);
	return parse_extensions(OID_EXTENSION_REQUEST, &extensions, out);
}

static void write_request(const struct csr_plan *plan, const struct key *k, struct buf *out)
{
	struct why why = {0};

	assert_int_equal(csr_write(plan, k, out, &why), OK);
}

static void writes_a_request_that_it_reads_and_verifies(void **state)
{
	static const enum key_spec kinds[] = {KEY_P256, KEY_P384, KEY_RSA2048};
	const struct eku_list ekus = {.n = 1, .oids = {IN("\x2b\x06\x01\x05\x05\x07\x03\x02")}};

	for (size_t i = 0; i < 3; i++) {
		struct key *k OWNED_KEY = NULL;
		struct buf subject OWNED_BUF = BUF(NAME_DER_MAX);
		struct buf der OWNED_BUF = BUF(CSR_DER_MAX);
		struct why why = {0};
		struct csr csr;

		assert_int_equal(key_new(kinds[i], &k, &why), OK);
		assert_int_equal(name_write_cn("device 7", NULL, &subject, &why), OK);
		const struct csr_plan plan = {.subject = buf_span(&subject), .challenge = span_text("abc_*"),
			.sans = san_mef, .ekus = &ekus, .digital_signature = true};
		write_request(&plan, k, &der);
		assert_int_equal(parse(buf_span(&der), &csr), OK);
		assert_int_equal(csr.key_spec, kinds[i]);
		assert_true(span_equal(csr.subject, buf_span(&subject)));
		assert_true(key_matches_spki(k, csr.spki));
		assert_true(csr.has_challenge);
		assert_true(span_is(csr.challenge, "abc_*"));
		assert_true(span_equal(csr.san, san_mef));
		assert_true(csr.has_key_usage);
		assert_int_equal(csr.key_usage, KU_DIGITAL_SIGNATURE);
		assert_int_equal(csr.ekus.n, 1);
		assert_true(span_equal(csr.ekus.oids[0], ekus.oids[0]));
		assert_false(csr.asks_ca);
		assert_int_equal(csr.unknown_attrs, 0);
		assert_int_equal(verify(&csr), OK);
	}
}

static void writes_requests_that_openssl_verifies(void **state)
{
	static const char *const challenges[] = {"printable (ok)", "with_underscore"};
	static const char *const types[] = {"PRINTABLESTRING", "UTF8STRING"};
	const struct eku_list ekus = {.n = 1, .oids = {IN("\x2b\x06\x01\x05\x05\x07\x03\x02")}};

	for (size_t i = 0; i < 2; i++) {
		struct buf der OWNED_BUF = BUF(CSR_DER_MAX);
		struct buf listing OWNED_BUF = BUF(1 << 16);
		const struct csr_plan plan = {.subject = IN("\x30\x00"), .challenge = span_text(challenges[i]),
			.sans = san_mef, .ekus = &ekus, .digital_signature = true};

		write_request(&plan, device, &der);
		temp_write("r.der", buf_span(&der));
		assert_int_equal(run("openssl req -inform DER -in r.der -verify -noout -text > text 2>&1"), 0);
		assert_int_equal(run("openssl asn1parse -inform DER -in r.der >> text"), 0);
		temp_read("text", &listing);
		const char *text = buf_text(&listing);
		assert_non_null(strstr(text, "verify OK"));
		assert_non_null(strstr(text, "DNS:mef.example"));
		assert_non_null(strstr(text, "TLS Web Client Authentication"));
		assert_non_null(strstr(text, "Digital Signature"));
		assert_non_null(strstr(text, challenges[i]));
		/* RFC 2985 5.4.1: PrintableString where it fits */
		const char *at = strstr(text, ":challengePassword");
		assert_non_null(at);
		assert_non_null(strstr(at, types[i]));
		/* RFC 5280 4.2.1.6: critical, since the subject is empty */
		assert_non_null(strstr(text, "X509v3 Subject Alternative Name: critical"));
	}
}

static void writes_an_empty_set_when_nothing_is_asked(void **state)
{
	struct buf der OWNED_BUF = BUF(CSR_DER_MAX);
	const struct csr_plan plan = {.subject = IN("\x30\x00")};
	struct csr csr;

	write_request(&plan, device, &der);
	assert_int_equal(parse(buf_span(&der), &csr), OK);
	/* RFC 2986 4.1: the attributes are not optional */
	assert_memory_equal(csr.info.p + csr.info.n - 2, "\xa0\x00", 2);
}

static enum err write_plan(const struct csr_plan *plan)
{
	struct buf der OWNED_BUF = BUF(CSR_DER_MAX);
	struct why why = {0};

	buf_put_text(&der, "before");
	enum err err = csr_write(plan, device, &der, &why);
	assert_true(err == OK || der.n == 6);
	return err;
}

static void refuses_to_write_what_a_request_cannot_hold(void **state)
{
	char challenge[CSR_CHALLENGE_MAX + 2];
	struct csr_plan plan = {.subject = IN("\x30\x00")};

	memset(challenge, 'x', sizeof(challenge));
	plan.challenge = span_of(challenge, CSR_CHALLENGE_MAX);
	assert_int_equal(write_plan(&plan), OK);
	plan.challenge = span_of(challenge, CSR_CHALLENGE_MAX + 1);
	assert_int_equal(write_plan(&plan), ERR_SYNTAX);
	plan.challenge = IN("\xff");
	assert_int_equal(write_plan(&plan), ERR_SYNTAX);
	plan.challenge = (struct span){0};
	plan.sans = IN("garbage");
	assert_int_equal(write_plan(&plan), ERR_SYNTAX);
	plan.sans = (struct span){0};
	plan.subject = IN("\x31\x00");
	assert_int_equal(write_plan(&plan), ERR_SYNTAX);
}

static const char config[] =
	"[req]\nprompt=no\ndistinguished_name=dn\nattributes=at\nreq_extensions=ex\n"
	"[dn]\nCN=device\nserialNumber=42\n"
	"[at]\nchallengePassword=secret-1\nunstructuredName=another\n"
	"[ex]\nsubjectAltName=URI:urn:dev:1,DNS:d.example\nkeyUsage=critical,digitalSignature,keyAgreement\n"
	"extendedKeyUsage=clientAuth,1.2.3.4\nbasicConstraints=CA:TRUE,pathlen:0\nsubjectKeyIdentifier=hash\n";

static void reads_what_openssl_req_makes(void **state)
{
	static const struct {
		const char *command;
		enum key_spec spec;
	} rows[] = {
		{"openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem", KEY_P256},
		{"openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-384 -sha384 -nodes -keyout k.pem", KEY_P384},
		{"openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -sha512 -nodes -keyout k.pem", KEY_P256},
		{"openssl req -new -newkey rsa:2048 -nodes -keyout k.pem", KEY_RSA2048},
		{"openssl req -new -newkey rsa:2048 -sha384 -nodes -keyout k.pem", KEY_RSA2048},
		{"openssl req -new -newkey rsa:3072 -sha512 -nodes -keyout k.pem", KEY_RSA3072},
	};

	temp_write("c.cnf", span_text(config));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf pem OWNED_BUF = BUF(1 << 16);
		struct buf der OWNED_BUF = BUF(CSR_DER_MAX);
		struct arena arena OWNED_ARENA = ARENA(4096);
		struct why why = {0};
		struct csr csr;
		struct san_list sans;
		struct span cn;
		char command[512];

		snprintf(command, sizeof(command), "%s -config c.cnf -text -out r.pem 2>/dev/null", rows[i].command);
		assert_int_equal(run(command), 0);
		temp_read("r.pem", &pem);
		assert_int_equal(csr_parse_pem(buf_span(&pem), &der, &why), OK);
		assert_int_equal(parse(buf_span(&der), &csr), OK);
		assert_int_equal(verify(&csr), OK);
		assert_int_equal(csr.key_spec, rows[i].spec);
		assert_int_equal(name_cn(csr.subject, &arena, &cn, &why), OK);
		assert_true(span_is(cn, "device"));
		assert_true(span_is(csr.challenge, "secret-1"));
		assert_int_equal(csr.unknown_attrs, 1);
		assert_int_equal(csr.key_usage, KU_DIGITAL_SIGNATURE | KU_KEY_AGREEMENT);
		assert_int_equal(csr.ekus.n, 2);
		assert_true(csr.asks_ca);
		assert_int_equal(san_parse(csr.san, &arena, &sans, &why), OK);
		assert_int_equal(sans.n, 2);
		assert_true(span_is(sans.items[0].value, "urn:dev:1"));
	}
}

static void refuses_weak_digests_by_name(void **state)
{
	static const struct {
		const char *command;
		const char *name;
	} rows[] = {
		{"openssl req -new -newkey rsa:2048 -sha1 -nodes -keyout k.pem", "RSA with SHA-1"},
		{"openssl req -new -newkey rsa:2048 -md5 -nodes -keyout k.pem", "RSA with MD5"},
		{"openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -sha1 -nodes -keyout k.pem", "ECDSA with SHA-1"},
		{"openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -sha224 -nodes -keyout k.pem", "another"},
		{"openssl req -new -newkey rsa:2048 -sigopt rsa_padding_mode:pss -nodes -keyout k.pem", "another"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf der OWNED_BUF = BUF(CSR_DER_MAX);
		struct why why = {0};
		struct csr csr;
		char command[512];

		snprintf(command, sizeof(command), "%s -subj /CN=d -outform DER -out r.der 2>/dev/null", rows[i].command);
		assert_int_equal(run(command), 0);
		temp_read("r.der", &der);
		assert_int_equal(parse(buf_span(&der), &csr), OK);
		/* TS-0003 10.1.1.1: SHA-256 */
		assert_int_equal(csr_verify(&csr, &why), ERR_FORBIDDEN);
		assert_int_equal(why.code, CODE_CSR_ALG);
		assert_non_null(strstr(why.text, rows[i].name));
	}
}

static void reads_but_does_not_verify_keys_of_other_kinds(void **state)
{
	static const char *const commands[] = {
		"openssl req -new -newkey ed25519 -nodes -keyout k.pem",
		"openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-521 -nodes -keyout k.pem",
		"openssl req -new -newkey rsa:1024 -nodes -keyout k.pem",
	};
	static const enum err want[] = {ERR_FORBIDDEN, ERR_UNSUPPORTED, ERR_UNSUPPORTED};

	for (size_t i = 0; i < 3; i++) {
		struct buf der OWNED_BUF = BUF(CSR_DER_MAX);
		struct csr csr;
		char command[512];

		snprintf(command, sizeof(command), "%s -subj /CN=d -outform DER -out r.der 2>/dev/null", commands[i]);
		assert_int_equal(run(command), 0);
		temp_read("r.der", &der);
		assert_int_equal(parse(buf_span(&der), &csr), OK);
		assert_int_equal(csr.key_spec, KEY_OTHER);
		assert_int_equal(verify(&csr), want[i]);
	}
}

static void refuses_every_cut_and_leftovers(void **state)
{
	struct buf der OWNED_BUF = BUF(CSR_DER_MAX);
	const struct csr_plan plan = {.subject = IN("\x30\x00"), .challenge = span_text("c"), .sans = san_mef};
	struct csr csr;

	write_request(&plan, device, &der);
	for (size_t n = 0; n < der.n; n++)
		assert_int_equal(parse(span_first(buf_span(&der), n), &csr), ERR_SYNTAX);
	buf_put_u8(&der, 0);
	assert_int_equal(parse(buf_span(&der), &csr), ERR_SYNTAX);
}

static void refuses_every_changed_bit_somewhere(void **state)
{
	struct buf der OWNED_BUF = BUF(CSR_DER_MAX);
	const struct csr_plan plan = {.subject = IN("\x30\x00"), .challenge = span_text("c"), .sans = san_mef,
		.digital_signature = true};

	write_request(&plan, device, &der);
	for (size_t bit = 0; bit < der.n * 8; bit++) {
		struct csr csr;
		der.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		/* RFC 2986 3: nothing in a request can change and still be proven */
		bool accepted = parse(buf_span(&der), &csr) == OK && verify(&csr) == OK;
		assert_false(accepted);
		der.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void refuses_the_signature_of_another_key(void **state)
{
	struct key *other OWNED_KEY = NULL;
	struct buf der OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf info OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf forged OWNED_BUF = BUF(CSR_DER_MAX);
	const struct csr_plan plan = {.subject = IN("\x30\x00")};
	struct why why = {0};
	struct csr csr;

	assert_int_equal(key_new(KEY_P256, &other, &why), OK);
	write_request(&plan, device, &der);
	assert_int_equal(parse(buf_span(&der), &csr), OK);
	buf_put_span(&info, csr.info);
	assert_int_equal(signed_write(buf_span(&info), other, &forged, &why), OK);
	assert_int_equal(parse(buf_span(&forged), &csr), OK);
	assert_int_equal(csr_verify(&csr, &why), ERR_FORBIDDEN);
	assert_int_equal(why.code, CODE_CSR_SIGNATURE);
}

static void refuses_an_algorithm_that_does_not_fit_the_key(void **state)
{
	struct key *rsa OWNED_KEY = NULL;
	struct buf der OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf forged OWNED_BUF = BUF(CSR_DER_MAX);
	const struct csr_plan plan = {.subject = IN("\x30\x00")};
	struct why why = {0};
	struct csr csr;

	assert_int_equal(key_new(KEY_RSA2048, &rsa, &why), OK);
	write_request(&plan, device, &der);
	assert_int_equal(parse(buf_span(&der), &csr), OK);
	assert_int_equal(signed_write(csr.info, rsa, &forged, &why), OK);
	assert_int_equal(parse(buf_span(&forged), &csr), OK);
	assert_int_equal(verify(&csr), ERR_FORBIDDEN);
}

static void refuses_other_versions(void **state)
{
	static const struct span versions[] = {
		{(const uint8_t *)"\x02\x01\x01", 3},
		{(const uint8_t *)"\x02\x02\x00\x00", 4},
		{(const uint8_t *)"\x02\x01\xff", 3},
		{(const uint8_t *)"", 0},
	};

	for (size_t i = 0; i < 4; i++) {
		struct buf der OWNED_BUF = BUF(CSR_DER_MAX);
		struct csr csr;
		put_request(&der, versions[i], IN("\x30\x00"), (struct span){0});
		assert_int_equal(parse(buf_span(&der), &csr), ERR_SYNTAX); /* RFC 2986 4.1: version is 0 */
	}
}

static void reads_requests_without_attributes(void **state)
{
	struct buf info OWNED_BUF = BUF(4096);
	struct buf der OWNED_BUF = BUF(4096);
	struct why why = {0};
	struct csr csr;

	size_t whole = der_open(&info, DER_SEQUENCE);
	der_put_small(&info, 0);
	buf_put_span(&info, IN("\x30\x00"));
	assert_int_equal(key_write_spki(device, &info, &why), OK);
	der_close(&info, whole);
	assert_int_equal(signed_write(buf_span(&info), device, &der, &why), OK);
	assert_int_equal(parse(buf_span(&der), &csr), OK);
	assert_int_equal(verify(&csr), OK);
	assert_false(csr.has_challenge);
}

static void refuses_a_public_key_without_its_structure(void **state)
{
	static const struct span keys[] = {
		{(const uint8_t *)"\x30\x00", 2},
		{(const uint8_t *)"\x30\x07\x30\x03\x06\x01\x2a\x05\x00", 9}, /* no BIT STRING */
		{(const uint8_t *)"\x30\x06\x30\x00\x03\x02\x00\x01", 8},     /* no algorithm */
		{(const uint8_t *)"\x30\x09\x30\x03\x06\x01\x2a\x03\x02\x01\x02", 11}, /* unused bits */
	};

	for (size_t i = 0; i < 4; i++) {
		struct buf info OWNED_BUF = BUF(4096);
		struct buf der OWNED_BUF = BUF(4096);
		struct why why = {0};
		struct csr csr;

		size_t whole = der_open(&info, DER_SEQUENCE);
		buf_put_span(&info, IN("\x02\x01\x00\x30\x00"));
		buf_put_span(&info, keys[i]);
		buf_put_span(&info, IN("\xa0\x00"));
		der_close(&info, whole);
		assert_int_equal(signed_write(buf_span(&info), device, &der, &why), OK);
		assert_int_equal(parse(buf_span(&der), &csr), ERR_SYNTAX); /* RFC 5280 4.1.2.7 */
	}
}

static void reads_challenges_of_three_string_types(void **state)
{
	char longest[CSR_CHALLENGE_MAX + 1];

	memset(longest, 'x', sizeof(longest));
	/* RFC 2985 5.4.1 */
	assert_int_equal(parse_challenge(DER_PRINTABLE, span_text("abc")), OK);
	assert_int_equal(parse_challenge(DER_UTF8, span_text("gehäim")), OK);
	assert_int_equal(parse_challenge(DER_IA5, span_text("a_b*c")), OK);
	assert_int_equal(parse_challenge(DER_UTF8, span_of(longest, CSR_CHALLENGE_MAX)), OK);
	assert_int_equal(parse_challenge(DER_UTF8, span_of(longest, CSR_CHALLENGE_MAX + 1)), ERR_LIMIT);
	assert_int_equal(parse_challenge(DER_UTF8, (struct span){0}), ERR_SYNTAX);
	assert_int_equal(parse_challenge(DER_UTF8, IN("\xff")), ERR_SYNTAX);
	assert_int_equal(parse_challenge(DER_IA5, IN("\xe4")), ERR_SYNTAX);
	assert_int_equal(parse_challenge(0x1e, IN("\0a")), ERR_SYNTAX);
	assert_int_equal(parse_challenge(0x14, span_text("a")), ERR_SYNTAX);
	assert_int_equal(parse_challenge(DER_OCTET_STRING, span_text("a")), ERR_SYNTAX);
}

static void refuses_repeated_attributes(void **state)
{
	struct buf twice OWNED_BUF = BUF(4096);
	struct buf unknown OWNED_BUF = BUF(4096);
	struct buf two_values OWNED_BUF = BUF(4096);
	struct csr csr;

	put_attribute(&twice, OID_CHALLENGE_PASSWORD, IN("\x13\x01x"));
	assert_int_equal(parse_attributes(&twice, &csr), OK);
	put_attribute(&twice, OID_CHALLENGE_PASSWORD, IN("\x13\x01x"));
	assert_int_equal(parse_attributes(&twice, &csr), ERR_SYNTAX);
	put_attribute(&unknown, IN("\x2a\x03"), IN("\x13\x01x"));
	put_attribute(&unknown, IN("\x2a\x04"), IN("\x13\x01x\x05\x00"));
	assert_int_equal(parse_attributes(&unknown, &csr), OK);
	assert_int_equal(csr.unknown_attrs, 2);
	put_attribute(&unknown, IN("\x2a\x03"), IN("\x13\x01x"));
	assert_int_equal(parse_attributes(&unknown, &csr), ERR_SYNTAX);
	/* RFC 2985 5.4.1: single value */
	put_attribute(&two_values, OID_CHALLENGE_PASSWORD, IN("\x13\x01x\x13\x01y"));
	assert_int_equal(parse_attributes(&two_values, &csr), ERR_SYNTAX);
	buf_clear(&two_values);
	put_attribute(&two_values, IN("\x2a\x03"), (struct span){0});
	assert_int_equal(parse_attributes(&two_values, &csr), ERR_SYNTAX); /* RFC 2986 4.1: at least one */
}

static void limits_the_number_of_attributes(void **state)
{
	struct buf attributes OWNED_BUF = BUF(1 << 16);
	struct csr csr;

	for (uint8_t i = 0; i < CSR_ATTRS_MAX; i++) {
		const uint8_t oid[] = {0x2a, i};
		put_attribute(&attributes, span_of(oid, 2), IN("\x05\x00"));
	}
	assert_int_equal(parse_attributes(&attributes, &csr), OK);
	assert_int_equal(csr.unknown_attrs, CSR_ATTRS_MAX);
	put_attribute(&attributes, IN("\x2b\x01"), IN("\x05\x00"));
	assert_int_equal(parse_attributes(&attributes, &csr), ERR_LIMIT);
}

static void takes_the_extension_request_under_either_name(void **state)
{
	struct buf extensions OWNED_BUF = BUF(4096);
	struct buf both OWNED_BUF = BUF(4096);
	struct buf value OWNED_BUF = BUF(4096);
	struct csr csr;

	put_extension(&extensions, OID_CE_SUBJECT_ALT_NAME, san_mef);
	assert_int_equal(parse_extensions(OID_EXTENSION_REQUEST, &extensions, &csr), OK);
	assert_true(span_equal(csr.san, san_mef));
	assert_int_equal(csr.extensions.n, extensions.n + 2);
	assert_int_equal(parse_extensions(OID_MS_EXTENSION_REQUEST, &extensions, &csr), OK);
	assert_true(span_equal(csr.san, san_mef));
	der_put(&value, DER_SEQUENCE, buf_span(&extensions));
	put_attribute(&both, OID_EXTENSION_REQUEST, buf_span(&value));
	put_attribute(&both, OID_MS_EXTENSION_REQUEST, buf_span(&value));
	assert_int_equal(parse_attributes(&both, &csr), ERR_SYNTAX);
}

static void refuses_repeated_extensions(void **state)
{
	struct buf extensions OWNED_BUF = BUF(4096);
	struct csr csr;

	put_extension(&extensions, IN("\x55\x1d\x0e"), IN("\x04\x00"));
	put_extension(&extensions, OID_CE_SUBJECT_ALT_NAME, san_mef);
	assert_int_equal(parse_extensions(OID_EXTENSION_REQUEST, &extensions, &csr), OK);
	/* RFC 5280 4.2: one instance of each */
	put_extension(&extensions, IN("\x55\x1d\x0e"), IN("\x04\x00"));
	assert_int_equal(parse_extensions(OID_EXTENSION_REQUEST, &extensions, &csr), ERR_SYNTAX);
}

static void limits_the_number_of_extensions(void **state)
{
	struct buf extensions OWNED_BUF = BUF(1 << 16);
	struct csr csr;

	for (uint8_t i = 0; i < CSR_EXTENSIONS_MAX; i++) {
		const uint8_t oid[] = {0x2a, i};
		put_extension(&extensions, span_of(oid, 2), IN("\x05\x00"));
	}
	assert_int_equal(parse_extensions(OID_EXTENSION_REQUEST, &extensions, &csr), OK);
	put_extension(&extensions, IN("\x2b\x01"), IN("\x05\x00"));
	assert_int_equal(parse_extensions(OID_EXTENSION_REQUEST, &extensions, &csr), ERR_LIMIT);
}

static void limits_the_number_of_purposes(void **state)
{
	struct buf value OWNED_BUF = BUF(4096);
	struct buf list OWNED_BUF = BUF(4096);
	struct csr csr;

	for (size_t i = 0; i < CERT_EKU_MAX; i++)
		der_put_oid(&list, IN("\x2a\x03"));
	der_put(&value, DER_SEQUENCE, buf_span(&list));
	assert_int_equal(parse_extension(OID_CE_EXT_KEY_USAGE, buf_span(&value), &csr), OK);
	assert_int_equal(csr.ekus.n, CERT_EKU_MAX);
	der_put_oid(&list, IN("\x2a\x03"));
	buf_clear(&value);
	der_put(&value, DER_SEQUENCE, buf_span(&list));
	assert_int_equal(parse_extension(OID_CE_EXT_KEY_USAGE, buf_span(&value), &csr), ERR_LIMIT);
}

static void refuses_malformed_extensions(void **state)
{
	struct buf none OWNED_BUF = BUF(4096);
	struct csr csr;

	assert_int_equal(parse_extension(OID_CE_KEY_USAGE, IN("\x03\x02\x07\x80"), &csr), OK);
	assert_int_equal(csr.key_usage, KU_DIGITAL_SIGNATURE);
	assert_int_equal(parse_extension(OID_CE_KEY_USAGE, IN("\x03\x02\x07\x80\x00"), &csr), ERR_SYNTAX);
	assert_int_equal(parse_extension(OID_CE_KEY_USAGE, IN("\x04\x02\x07\x80"), &csr), ERR_SYNTAX);
	assert_int_equal(parse_extension(OID_CE_SUBJECT_ALT_NAME, IN("\x30\x00"), &csr), ERR_SYNTAX);
	assert_int_equal(parse_extension(OID_CE_SUBJECT_ALT_NAME, IN("\x31\x03\x82\x01x"), &csr), ERR_SYNTAX);
	assert_int_equal(parse_extension(OID_CE_EXT_KEY_USAGE, IN("\x30\x00"), &csr), ERR_SYNTAX);
	assert_int_equal(parse_extension(OID_CE_EXT_KEY_USAGE, IN("\x30\x02\x05\x00"), &csr), ERR_SYNTAX);
	assert_int_equal(parse_extension(OID_CE_BASIC_CONSTRAINTS, IN("\x30\x00"), &csr), OK);
	assert_false(csr.asks_ca);
	assert_int_equal(parse_extension(OID_CE_BASIC_CONSTRAINTS, IN("\x30\x03\x01\x01\xff"), &csr), OK);
	assert_true(csr.asks_ca);
	assert_int_equal(parse_extension(OID_CE_BASIC_CONSTRAINTS, IN("\x30\x03\x01\x01\x01"), &csr), ERR_SYNTAX);
	assert_int_equal(parse_extension(OID_CE_BASIC_CONSTRAINTS, IN("\x30\x03\x02\x01\x80"), &csr), ERR_SYNTAX);
	assert_int_equal(parse_extensions(OID_EXTENSION_REQUEST, &none, &csr), ERR_SYNTAX);
}

static void limits_the_size_of_a_request(void **state)
{
	struct buf der OWNED_BUF = BUF(2 * CSR_DER_MAX);
	static uint8_t fill[CSR_DER_MAX];
	struct csr csr;

	for (size_t more = 0; more < 2; more++) {
		struct buf attributes OWNED_BUF = BUF(2 * CSR_DER_MAX);
		struct buf value OWNED_BUF = BUF(2 * CSR_DER_MAX);
		/* the length of an ECDSA signature varies, so try until it fits exactly */
		size_t n = CSR_DER_MAX - 220;
		do {
			buf_clear(&der);
			buf_clear(&value);
			buf_clear(&attributes);
			der_put(&value, DER_OCTET_STRING, span_of(fill, n));
			put_attribute(&attributes, IN("\x2a\x03"), buf_span(&value));
			put_request(&der, IN("\x02\x01\x00"), IN("\x30\x00"), buf_span(&attributes));
			n += der.n < CSR_DER_MAX + more;
			n -= der.n > CSR_DER_MAX + more;
		} while (der.n != CSR_DER_MAX + more);
		assert_int_equal(parse(buf_span(&der), &csr), more ? ERR_LIMIT : OK);
	}
}

static void refuses_a_subject_that_is_no_name_or_too_long(void **state)
{
	static uint8_t fill[NAME_DER_MAX];
	struct buf der OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf pair OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf set OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf rdn OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf name OWNED_BUF = BUF(CSR_DER_MAX);
	struct csr csr;

	put_request(&der, IN("\x02\x01\x00"), IN("\x30\x02\x31\x00"), (struct span){0});
	assert_int_equal(parse(buf_span(&der), &csr), ERR_SYNTAX);
	der_put_oid(&pair, OID_COMMON_NAME);
	der_put(&pair, DER_UTF8, span_of(fill, sizeof(fill)));
	der_put(&set, DER_SEQUENCE, buf_span(&pair));
	der_put(&rdn, DER_SET, buf_span(&set));
	der_put(&name, DER_SEQUENCE, buf_span(&rdn));
	buf_clear(&der);
	put_request(&der, IN("\x02\x01\x00"), buf_span(&name), (struct span){0});
	assert_int_equal(parse(buf_span(&der), &csr), ERR_LIMIT);
}

static enum err parse_pem(struct span pem)
{
	struct buf der OWNED_BUF = BUF(CSR_DER_MAX);
	struct why why = {0};

	return csr_parse_pem(pem, &der, &why);
}

static void refuses_pem_without_a_request(void **state)
{
	struct buf pem OWNED_BUF = BUF(1 << 17);

	assert_int_equal(parse_pem((struct span){0}), ERR_SYNTAX);
	assert_int_equal(parse_pem(span_text("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n")), ERR_SYNTAX);
	assert_int_equal(parse_pem(span_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")), ERR_SYNTAX);
	assert_int_equal(
		parse_pem(span_text("-----BEGIN NEW CERTIFICATE REQUEST-----\nAAAA\n-----END NEW CERTIFICATE REQUEST-----\n")), OK);
	while (pem.n < 2 * CSR_DER_MAX)
		buf_put_u8(&pem, '\n');
	assert_int_equal(parse_pem(buf_span(&pem)), ERR_SYNTAX);
	buf_put_u8(&pem, '\n');
	assert_int_equal(parse_pem(buf_span(&pem)), ERR_LIMIT);
}

static int set_up(void **state)
{
	struct why why = {0};

	return temp_make(state) || key_new(KEY_P256, &device, &why) != OK ? -1 : 0;
}

static int tear_down(void **state)
{
	key_free(device);
	return temp_remove(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_a_request_that_it_reads_and_verifies),
		cmocka_unit_test(writes_requests_that_openssl_verifies),
		cmocka_unit_test(writes_an_empty_set_when_nothing_is_asked),
		cmocka_unit_test(refuses_to_write_what_a_request_cannot_hold),
		cmocka_unit_test(reads_what_openssl_req_makes),
		cmocka_unit_test(refuses_weak_digests_by_name),
		cmocka_unit_test(reads_but_does_not_verify_keys_of_other_kinds),
		cmocka_unit_test(refuses_every_cut_and_leftovers),
		cmocka_unit_test(refuses_every_changed_bit_somewhere),
		cmocka_unit_test(refuses_the_signature_of_another_key),
		cmocka_unit_test(refuses_an_algorithm_that_does_not_fit_the_key),
		cmocka_unit_test(refuses_other_versions),
		cmocka_unit_test(reads_requests_without_attributes),
		cmocka_unit_test(refuses_a_public_key_without_its_structure),
		cmocka_unit_test(reads_challenges_of_three_string_types),
		cmocka_unit_test(refuses_repeated_attributes),
		cmocka_unit_test(limits_the_number_of_attributes),
		cmocka_unit_test(takes_the_extension_request_under_either_name),
		cmocka_unit_test(refuses_repeated_extensions),
		cmocka_unit_test(limits_the_number_of_extensions),
		cmocka_unit_test(limits_the_number_of_purposes),
		cmocka_unit_test(refuses_malformed_extensions),
		cmocka_unit_test(limits_the_size_of_a_request),
		cmocka_unit_test(refuses_a_subject_that_is_no_name_or_too_long),
		cmocka_unit_test(refuses_pem_without_a_request),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
