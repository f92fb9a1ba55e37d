#include "pki/key_inner.h"

#include "base/base64.h"
#include "base/mem.h"
#include "pki/der_nest.h"
#include "pki/digest.h"
#include "pki/oid.h"
#include "pki/ossl.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <stdio.h>

enum {
	SPKI_MAX = 1024, /* RSA-4096: 550 */
	P256_OCTETS = 32,
	P384_OCTETS = 48,
	RSA_OCTETS_MAX = 512,
};

static void bn_cleanup(BIGNUM **bn)
{
	BN_free(*bn);
}

#define OWNED_BN __attribute__((cleanup(bn_cleanup)))

void key_free(struct key *k)
{
	if (!k)
		return;
	EVP_PKEY_free(k->pkey);
	mem_free(k);
}

void key_cleanup(struct key **k)
{
	key_free(*k);
}

static enum key_spec spec_of_rsa_bits(size_t bits)
{
	switch (bits) {
	case 2048:
		return KEY_RSA2048;
	case 3072:
		return KEY_RSA3072;
	case 4096:
		return KEY_RSA4096;
	default:
		return KEY_OTHER;
	}
}

static enum key_spec spec_of_pkey(const EVP_PKEY *pkey)
{
	char group[32] = "";

	if (EVP_PKEY_is_a(pkey, "RSA"))
		return spec_of_rsa_bits((size_t)EVP_PKEY_get_bits(pkey));
	if (!EVP_PKEY_is_a(pkey, "EC") || EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) != 1)
		return KEY_OTHER;
	if (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0)
		return KEY_P256;
	if (strcmp(group, "secp384r1") == 0 || strcmp(group, "P-384") == 0)
		return KEY_P384;
	return KEY_OTHER;
}

struct key *key_adopt(void *evp_pkey)
{
	struct key *k = mem_alloc(sizeof(*k));

	if (!k) {
		EVP_PKEY_free(evp_pkey);
		return NULL;
	}
	k->pkey = evp_pkey;
	k->spec = spec_of_pkey(evp_pkey);
	return k;
}

void *key_native(const struct key *k)
{
	return k->pkey;
}

enum key_spec key_spec_of(const struct key *k)
{
	return k->spec;
}

enum err key_new(enum key_spec spec, struct key **out, struct why *why)
{
	EVP_PKEY *pkey = NULL;

	switch (spec) {
	case KEY_P256:
		pkey = EVP_EC_gen("P-256");
		break;
	case KEY_P384:
		pkey = EVP_EC_gen("P-384");
		break;
	case KEY_RSA2048:
		pkey = EVP_RSA_gen(2048);
		break;
	case KEY_RSA3072:
		pkey = EVP_RSA_gen(3072);
		break;
	case KEY_RSA4096:
		pkey = EVP_RSA_gen(4096);
		break;
	case KEY_NONE:
	case KEY_OTHER:
		return WHY(why, KEY_KIND, "", "key to make: want P-256, P-384 or RSA of 2048 to 4096 bits, have none of them");
	}
	if (!pkey)
		return ossl_failed("making a key", why);
	*out = key_adopt(pkey);
	return *out ? OK : WHY(why, NOMEM, "", "key");
}

static const struct {
	enum key_spec spec;
	const char *name;
} spec_names[] = {
	{KEY_P256, "P-256"},
	{KEY_P384, "P-384"},
	{KEY_RSA2048, "RSA-2048"},
	{KEY_RSA3072, "RSA-3072"},
	{KEY_RSA4096, "RSA-4096"},
	{KEY_P256, "P256"},
	{KEY_P256, "secp256r1"},
	{KEY_P256, "prime256v1"},
	{KEY_P384, "P384"},
	{KEY_P384, "secp384r1"},
	{KEY_RSA2048, "RSA2048"},
	{KEY_RSA3072, "RSA3072"},
	{KEY_RSA4096, "RSA4096"},
};

const char *key_spec_name(enum key_spec spec)
{
	for (size_t i = 0; i < sizeof(spec_names) / sizeof(spec_names[0]); i++) {
		if (spec_names[i].spec == spec)
			return spec_names[i].name;
	}
	return spec == KEY_OTHER ? "another kind of key" : "no key";
}

enum key_spec key_spec_parse(struct span name)
{
	for (size_t i = 0; i < sizeof(spec_names) / sizeof(spec_names[0]); i++) {
		if (span_is_nocase(name, spec_names[i].name))
			return spec_names[i].spec;
	}
	return KEY_NONE;
}

static bool put_point_part(const EVP_PKEY *pkey, const char *which, uint8_t *out, int n)
{
	BIGNUM *bn OWNED_BN = NULL;

	return EVP_PKEY_get_bn_param(pkey, which, &bn) == 1 && BN_bn2binpad(bn, out, n) == n;
}

/* TS-0003 10.1.1.1: points are uncompressed, whatever form the key was read in */
static bool put_ec_spki(const struct key *k, struct buf *out)
{
	int n = k->spec == KEY_P256 ? P256_OCTETS : P384_OCTETS;
	uint8_t point[1 + 2 * P384_OCTETS] = {0x04};

	if (!put_point_part(k->pkey, OSSL_PKEY_PARAM_EC_PUB_X, point + 1, n)
		|| !put_point_part(k->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, point + 1 + n, n))
		return false;
	size_t spki = der_open(out, DER_SEQUENCE);
	size_t alg = der_open(out, DER_SEQUENCE);
	der_put_oid(out, OID_EC_PUBLIC_KEY);
	der_put_oid(out, k->spec == KEY_P256 ? OID_P256 : OID_P384);
	der_close(out, alg);
	der_put_bits(out, span_of(point, 1 + 2 * (size_t)n), 0);
	der_close(out, spki);
	return true;
}

static bool put_rsa_part(const EVP_PKEY *pkey, const char *which, struct buf *out)
{
	BIGNUM *bn OWNED_BN = NULL;
	uint8_t bytes[RSA_OCTETS_MAX];

	if (EVP_PKEY_get_bn_param(pkey, which, &bn) != 1 || BN_num_bytes(bn) > RSA_OCTETS_MAX)
		return false;
	der_put_uint(out, span_of(bytes, (size_t)BN_bn2bin(bn, bytes)));
	return true;
}

static bool put_rsa_spki(const struct key *k, struct buf *out)
{
	struct buf inner OWNED_BUF = BUF(SPKI_MAX);
	size_t at = der_open(&inner, DER_SEQUENCE);

	if (!put_rsa_part(k->pkey, OSSL_PKEY_PARAM_RSA_N, &inner) || !put_rsa_part(k->pkey, OSSL_PKEY_PARAM_RSA_E, &inner))
		return false;
	der_close(&inner, at);
	size_t spki = der_open(out, DER_SEQUENCE);
	size_t alg = der_open(out, DER_SEQUENCE);
	der_put_oid(out, OID_RSA);
	der_put(out, DER_NULL, (struct span){0}); /* RFC 3279 2.3.1: parameters are NULL */
	der_close(out, alg);
	der_put_bits(out, buf_span(&inner), 0);
	der_close(out, spki);
	return !inner.bad;
}

static bool put_other_spki(const struct key *k, struct buf *out)
{
	int n = i2d_PUBKEY(k->pkey, NULL);
	unsigned char *to = n > 0 ? buf_room(out, (size_t)n) : NULL;

	if (!to || i2d_PUBKEY(k->pkey, &to) != n)
		return false;
	buf_grew(out, (size_t)n);
	return true;
}

enum err key_write_spki(const struct key *k, struct buf *out, struct why *why)
{
	bool good = false;

	switch (k->spec) {
	case KEY_P256:
	case KEY_P384:
		good = put_ec_spki(k, out);
		break;
	case KEY_RSA2048:
	case KEY_RSA3072:
	case KEY_RSA4096:
		good = put_rsa_spki(k, out);
		break;
	case KEY_NONE:
	case KEY_OTHER:
		good = put_other_spki(k, out);
		break;
	}
	if (!good && !out->bad)
		return ossl_failed("writing a public key", why);
	return buf_check(out, "public key", why);
}

bool key_matches_spki(const struct key *k, struct span spki)
{
	struct buf own OWNED_BUF = BUF(16 * 1024);
	struct why ignored = {0};

	/* DER is canonical for the keys that we know, so equal keys are equal octets */
	return key_write_spki(k, &own, &ignored) == OK && span_equal(buf_span(&own), spki);
}

void key_ni_text(struct span spki, char out[KEY_NI_SIZE])
{
	struct buf text OWNED_BUF = BUF(64);
	uint8_t digest[SHA256_SIZE];

	digest_sha256(spki, digest);
	base64_write(&text, span_of(digest, sizeof(digest)), 0);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '+')
			text.p[i] = '-';
		else if (text.p[i] == '/')
			text.p[i] = '_';
	}
	/* RFC 6920 3: base64url without padding */
	while (text.n && text.p[text.n - 1] == '=')
		text.n--;
	snprintf(out, KEY_NI_SIZE, "sha-256;%s", buf_text(&text));
}
