#include "pki/key.h"

#include "pki/der.h"
#include "pki/oid.h"

#include "run_openssl.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const enum key_spec kinds[] = {KEY_P256, KEY_P384, KEY_RSA2048};

enum { KINDS = 3 };

static struct key *new_key(enum key_spec spec)
{
	struct key *k = NULL;
	struct why why = {0};

	assert_int_equal(key_new(spec, &k, &why), OK);
	return k;
}

static void write_spki(const struct key *k, struct buf *out)
{
	struct why why = {0};

	assert_int_equal(key_write_spki(k, out, &why), OK);
}

static enum err parse_pem(const struct buf *pem, const char *pass, struct key **out)
{
	struct why why = {0};

	return key_parse_pem(buf_span(pem), span_text(pass), out, &why);
}

static enum err parse_spki(struct span spki)
{
	struct key *k OWNED_KEY = NULL;
	struct why why = {0};

	return key_parse_spki(spki, &k, &why);
}

static void makes_and_reads_back_each_kind(void **state)
{
	for (size_t i = 0; i < KINDS; i++) {
		struct key *k OWNED_KEY = new_key(kinds[i]);
		struct key *back OWNED_KEY = NULL;
		struct key *public OWNED_KEY = NULL;
		struct buf pem OWNED_BUF = BUF(KEY_PEM_MAX);
		struct buf spki OWNED_BUF = BUF(4096);
		struct why why = {0};

		assert_int_equal(key_spec_of(k), kinds[i]);
		assert_int_equal(key_write_pem(k, (struct span){0}, &pem, &why), OK);
		assert_non_null(strstr(buf_text(&pem), "-----BEGIN PRIVATE KEY-----"));
		assert_int_equal(parse_pem(&pem, "", &back), OK);
		write_spki(k, &spki);
		assert_int_equal(key_spec_of_spki(buf_span(&spki)), kinds[i]);
		assert_true(key_matches_spki(back, buf_span(&spki)));
		assert_int_equal(key_parse_spki(buf_span(&spki), &public, &why), OK);
		assert_int_equal(key_spec_of(public), kinds[i]);
		assert_true(key_matches_spki(public, buf_span(&spki)));
	}
}

static void encrypts_at_rest_with_strong_methods(void **state)
{
	struct key *k OWNED_KEY = new_key(KEY_P256);
	struct key *back OWNED_KEY = NULL;
	struct buf pem OWNED_BUF = BUF(KEY_PEM_MAX);
	struct buf listing OWNED_BUF = BUF(1 << 16);
	struct why why = {0};

	assert_int_equal(key_write_pem(k, span_text("correct horse"), &pem, &why), OK);
	assert_non_null(strstr(buf_text(&pem), "-----BEGIN ENCRYPTED PRIVATE KEY-----"));
	assert_int_equal(parse_pem(&pem, "correct horse", &back), OK);
	/* RFC 8018 6.2: PBES2 with the PRF and cipher that we promise */
	temp_write("key.pem", buf_span(&pem));
	assert_int_equal(run("openssl asn1parse -in key.pem > listing"), 0);
	temp_read("listing", &listing);
	assert_non_null(strstr(buf_text(&listing), "PBES2"));
	assert_non_null(strstr(buf_text(&listing), "hmacWithSHA256"));
	assert_non_null(strstr(buf_text(&listing), "aes-256-cbc"));
	assert_int_equal(run("openssl pkey -in key.pem -passin 'pass:correct horse' -noout"), 0);
}

static void tells_a_missing_or_wrong_passphrase_without_asking(void **state)
{
	struct key *k OWNED_KEY = new_key(KEY_P256);
	struct key *back OWNED_KEY = NULL;
	struct buf pem OWNED_BUF = BUF(KEY_PEM_MAX);
	struct buf old OWNED_BUF = BUF(KEY_PEM_MAX);
	struct why why = {0};

	assert_int_equal(key_write_pem(k, span_text("right"), &pem, &why), OK);
	assert_int_equal(parse_pem(&pem, "", &back), ERR_FORBIDDEN);
	assert_int_equal(parse_pem(&pem, "wrong", &back), ERR_FORBIDDEN);
	assert_null(back);
	/* the traditional form too */
	temp_write("key.pem", buf_span(&pem));
	assert_int_equal(run("openssl ec -in key.pem -passin pass:right -aes128 -passout pass:old -out old.pem 2>/dev/null"), 0);
	temp_read("old.pem", &old);
	assert_int_equal(parse_pem(&old, "", &back), ERR_FORBIDDEN);
	assert_int_equal(parse_pem(&old, "old", &back), OK);
}

static void limits_passphrases_to_what_the_reader_takes(void **state)
{
	struct key *k OWNED_KEY = new_key(KEY_P256);
	struct key *back OWNED_KEY = NULL;
	struct buf pem OWNED_BUF = BUF(KEY_PEM_MAX);
	struct why why = {0};
	char pass[1026];

	memset(pass, 'x', sizeof(pass));
	pass[1025] = '\0';
	assert_int_equal(key_write_pem(k, span_text(pass), &pem, &why), ERR_FORBIDDEN);
	pass[1024] = '\0';
	why_clear(&why);
	assert_int_equal(key_write_pem(k, span_text(pass), &pem, &why), OK);
	assert_int_equal(parse_pem(&pem, pass, &back), OK);
}

static void reads_what_openssl_writes(void **state)
{
	static const struct {
		const char *command;
		enum key_spec spec;
	} rows[] = {
		{"openssl ecparam -name prime256v1 -genkey -out k.pem", KEY_P256}, /* EC PARAMETERS first */
		{"openssl ecparam -name secp384r1 -genkey -noout -conv_form compressed -out k.pem", KEY_P384},
		{"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out k.pem", KEY_P256},
		{"openssl genrsa -traditional -out k.pem 2048 2>/dev/null", KEY_RSA2048},
		{"openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out k.pem 2>/dev/null", KEY_RSA3072},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct key *k OWNED_KEY = NULL;
		struct key *public OWNED_KEY = NULL;
		struct buf pem OWNED_BUF = BUF(KEY_PEM_MAX);
		struct buf spki OWNED_BUF = BUF(4096);
		struct buf theirs OWNED_BUF = BUF(4096);
		struct why why = {0};

		assert_int_equal(run(rows[i].command), 0);
		temp_read("k.pem", &pem);
		assert_int_equal(parse_pem(&pem, "", &k), OK);
		assert_int_equal(key_spec_of(k), rows[i].spec);
		assert_int_equal(run("openssl pkey -in k.pem -pubout -ec_conv_form uncompressed -outform DER -out k.der"
				     " 2>/dev/null || openssl pkey -in k.pem -pubout -outform DER -out k.der"), 0);
		temp_read("k.der", &theirs);
		write_spki(k, &spki);
		assert_true(span_equal(buf_span(&spki), buf_span(&theirs)));
		assert_int_equal(key_parse_spki(buf_span(&theirs), &public, &why), OK);
		assert_true(key_matches_spki(public, buf_span(&theirs)));
	}
}

static void refuses_private_keys_that_are_none_of_ours(void **state)
{
	static const char *const commands[] = {
		"openssl genpkey -algorithm ED25519 -out k.pem",
		"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out k.pem",
		"openssl genrsa -out k.pem 1024 2>/dev/null",
	};
	struct key *k OWNED_KEY = NULL;

	for (size_t i = 0; i < 3; i++) {
		struct buf pem OWNED_BUF = BUF(KEY_PEM_MAX);
		assert_int_equal(run(commands[i]), 0);
		temp_read("k.pem", &pem);
		assert_int_equal(parse_pem(&pem, "", &k), ERR_UNSUPPORTED);
		assert_null(k);
	}
}

static void refuses_files_that_hold_no_private_key(void **state)
{
	struct buf pem OWNED_BUF = BUF(KEY_PEM_MAX + 1);
	struct key *k OWNED_KEY = NULL;

	assert_int_equal(parse_pem(&pem, "", &k), ERR_SYNTAX);
	assert_int_equal(run("openssl ecparam -name prime256v1 -genkey -noout | openssl pkey -pubout -out pub.pem"), 0);
	temp_read("pub.pem", &pem);
	assert_int_equal(parse_pem(&pem, "", &k), ERR_SYNTAX);
	buf_clear(&pem);
	buf_put_text(&pem, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
	assert_int_equal(parse_pem(&pem, "", &k), ERR_SYNTAX);
	assert_null(k);
}

static void refuses_a_key_file_one_past_the_limit(void **state)
{
	struct key *k OWNED_KEY = new_key(KEY_P256);
	struct key *back OWNED_KEY = NULL;
	struct buf pem OWNED_BUF = BUF(KEY_PEM_MAX + 1);
	struct why why = {0};

	assert_int_equal(key_write_pem(k, (struct span){0}, &pem, &why), OK);
	while (pem.n < KEY_PEM_MAX)
		buf_put_u8(&pem, '\n');
	assert_int_equal(parse_pem(&pem, "", &back), OK);
	buf_put_u8(&pem, '\n');
	key_free(back);
	back = NULL;
	assert_int_equal(parse_pem(&pem, "", &back), ERR_SYNTAX);
}

static void refuses_points_that_are_not_on_the_curve_or_compressed(void **state)
{
	struct key *k OWNED_KEY = new_key(KEY_P256);
	struct buf spki OWNED_BUF = BUF(4096);

	write_spki(k, &spki);
	assert_int_equal(parse_spki(buf_span(&spki)), OK);
	spki.p[spki.n - 1] ^= 1;
	assert_int_equal(parse_spki(buf_span(&spki)), ERR_SYNTAX);
	spki.p[spki.n - 1] ^= 1;
	/* TS-0003 10.1.1.1: uncompressed points only */
	spki.p[spki.n - 65] = 0x06;
	assert_int_equal(parse_spki(buf_span(&spki)), ERR_UNSUPPORTED);
	assert_int_equal(run("openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout -conv_form compressed"
			     " -outform DER -out c.der 2>/dev/null"), 0);
	buf_clear(&spki);
	temp_read("c.der", &spki);
	assert_int_equal(parse_spki(buf_span(&spki)), ERR_UNSUPPORTED);
	assert_int_equal(key_spec_of_spki(buf_span(&spki)), KEY_OTHER);
}

static void refuses_weak_and_foreign_public_keys(void **state)
{
	static const char *const commands[] = {
		"openssl genpkey -algorithm ED25519 | openssl pkey -pubout -outform DER -out k.der",
		"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 | openssl pkey -pubout -outform DER -out k.der",
		("openssl ecparam -name prime256v1 -genkey -noout -param_enc explicit | openssl ec -pubout -param_enc explicit"
		 " -outform DER -out k.der 2>/dev/null"),
		"openssl genrsa 1024 2>/dev/null | openssl pkey -pubout -outform DER -out k.der",
		"openssl genpkey -algorithm RSA-PSS 2>/dev/null | openssl pkey -pubout -outform DER -out k.der",
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct buf spki OWNED_BUF = BUF(4096);
		assert_int_equal(run(commands[i]), 0);
		temp_read("k.der", &spki);
		assert_int_equal(key_spec_of_spki(buf_span(&spki)), KEY_OTHER);
		assert_int_equal(parse_spki(buf_span(&spki)), ERR_UNSUPPORTED);
	}
}

/* An RSA-2048 public key with that modulus end and exponent. */
static void rsa_spki(uint8_t last, struct span e, struct buf *out)
{
	uint8_t n[256];
	struct buf inner OWNED_BUF = BUF(1024);
	struct buf parts OWNED_BUF = BUF(1024);
	struct buf alg OWNED_BUF = BUF(64);

	memset(n, 0xc5, sizeof(n));
	n[255] = last;
	der_put_uint(&inner, span_of(n, sizeof(n)));
	der_put_uint(&inner, e);
	der_put_oid(&alg, OID_RSA);
	der_put(&alg, DER_NULL, (struct span){0});
	der_put(&parts, DER_SEQUENCE, buf_span(&alg));
	buf_clear(&alg);
	struct buf seq OWNED_BUF = BUF(1024);
	der_put(&seq, DER_SEQUENCE, buf_span(&inner));
	der_put_bits(&parts, buf_span(&seq), 0);
	der_put(out, DER_SEQUENCE, buf_span(&parts));
}

static enum err parse_rsa(uint8_t last, struct span e)
{
	struct buf spki OWNED_BUF = BUF(4096);

	rsa_spki(last, e, &spki);
	assert_int_equal(key_spec_of_spki(buf_span(&spki)), KEY_RSA2048);
	return parse_spki(buf_span(&spki));
}

static void refuses_rsa_exponents_outside_the_bounds(void **state)
{
	/* FIPS 186-5 A.1.1 */
	assert_int_equal(parse_rsa(0xc5, span_of("\x01\x00\x01", 3)), OK);
	assert_int_equal(parse_rsa(0xc5, span_of("\xff\xff\xff\xff\xff\xff\xff\xff", 8)), OK);
	assert_int_equal(parse_rsa(0xc5, span_of("\x03", 1)), ERR_SYNTAX);
	assert_int_equal(parse_rsa(0xc5, span_of("\xff\xff", 2)), ERR_SYNTAX);
	assert_int_equal(parse_rsa(0xc5, span_of("\x01\x00\x02", 3)), ERR_SYNTAX);
	assert_int_equal(parse_rsa(0xc5, span_of("\x01\xff\xff\xff\xff\xff\xff\xff\xff", 9)), ERR_SYNTAX);
	assert_int_equal(parse_rsa(0xc4, span_of("\x01\x00\x01", 3)), ERR_SYNTAX); /* even modulus */
}

static void refuses_every_cut_of_a_public_key(void **state)
{
	for (size_t i = 0; i < KINDS; i++) {
		struct key *k OWNED_KEY = new_key(kinds[i]);
		struct buf spki OWNED_BUF = BUF(4096);
		write_spki(k, &spki);
		for (size_t n = 0; n < spki.n; n++)
			assert_int_equal(parse_spki(span_first(buf_span(&spki), n)), ERR_SYNTAX);
		buf_put_u8(&spki, 0);
		assert_int_equal(parse_spki(buf_span(&spki)), ERR_SYNTAX); /* leftovers */
	}
}

static void tells_its_own_public_key_from_others(void **state)
{
	struct key *a OWNED_KEY = new_key(KEY_P256);
	struct key *b OWNED_KEY = new_key(KEY_P256);
	struct buf spki OWNED_BUF = BUF(4096);

	write_spki(a, &spki);
	assert_true(key_matches_spki(a, buf_span(&spki)));
	assert_false(key_matches_spki(b, buf_span(&spki)));
	assert_false(key_matches_spki(a, (struct span){0}));
}

static void names_each_kind_both_ways(void **state)
{
	assert_string_equal(key_spec_name(KEY_P256), "P-256");
	assert_string_equal(key_spec_name(KEY_RSA3072), "RSA-3072");
	assert_int_equal(key_spec_parse(span_text("p256")), KEY_P256);
	assert_int_equal(key_spec_parse(span_text("P-384")), KEY_P384);
	assert_int_equal(key_spec_parse(span_text("rsa4096")), KEY_RSA4096);
	assert_int_equal(key_spec_parse(span_text("rsa-2048")), KEY_RSA2048);
	assert_int_equal(key_spec_parse(span_text("p-257")), KEY_NONE);
	assert_int_equal(key_spec_parse(span_text("")), KEY_NONE);
	for (int spec = KEY_P256; spec <= KEY_RSA4096; spec++)
		assert_int_equal(key_spec_parse(span_text(key_spec_name((enum key_spec)spec))), spec);
}

static void names_a_public_key_by_its_digest(void **state)
{
	char text[KEY_NI_SIZE];

	/* RFC 6920 3: base64url without padding; the digest of no octets is known */
	key_ni_text((struct span){0}, text);
	assert_string_equal(text, "sha-256;47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
}

static void makes_no_key_of_no_kind(void **state)
{
	struct key *k OWNED_KEY = NULL;
	struct why why = {0};

	assert_int_equal(key_new(KEY_OTHER, &k, &why), ERR_UNSUPPORTED);
	assert_null(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_and_reads_back_each_kind),
		cmocka_unit_test(encrypts_at_rest_with_strong_methods),
		cmocka_unit_test(tells_a_missing_or_wrong_passphrase_without_asking),
		cmocka_unit_test(limits_passphrases_to_what_the_reader_takes),
		cmocka_unit_test(reads_what_openssl_writes),
		cmocka_unit_test(refuses_private_keys_that_are_none_of_ours),
		cmocka_unit_test(refuses_files_that_hold_no_private_key),
		cmocka_unit_test(refuses_a_key_file_one_past_the_limit),
		cmocka_unit_test(refuses_points_that_are_not_on_the_curve_or_compressed),
		cmocka_unit_test(refuses_weak_and_foreign_public_keys),
		cmocka_unit_test(refuses_rsa_exponents_outside_the_bounds),
		cmocka_unit_test(refuses_every_cut_of_a_public_key),
		cmocka_unit_test(tells_its_own_public_key_from_others),
		cmocka_unit_test(names_each_kind_both_ways),
		cmocka_unit_test(names_a_public_key_by_its_digest),
		cmocka_unit_test(makes_no_key_of_no_kind),
	};
	return cmocka_run_group_tests(tests, temp_make, temp_remove);
}
