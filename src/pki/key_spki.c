/* Public keys from SubjectPublicKeyInfo, and nothing else; declared in key.h. */
#include "pki/key.h"

#include "pki/der.h"
#include "pki/oid.h"
#include "pki/ossl.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <endian.h>
#include <pthread.h>
#include <stdlib.h>

enum {
	POINT_UNCOMPRESSED = 0x04,
	RSA_E_OCTETS_MAX = 8, /* larger exponents only cost the verifier time */
	RSA_OCTETS_MAX = 512,
};

struct public {
	enum key_spec spec;
	struct span point; /* EC */
	struct span n, e;  /* RSA */
};

/* Key objects with a curve and no point: copying these is ten times cheaper than naming the curve. */
static struct {
	EVP_PKEY *p256;
	EVP_PKEY *p384;
} curves;
static pthread_once_t curves_once = PTHREAD_ONCE_INIT;

static EVP_PKEY *curve_new(const char *name)
{
	EVP_PKEY_CTX *ctx OWNED_PKEY_CTX = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *pkey = NULL;

	if (!ctx || EVP_PKEY_paramgen_init(ctx) != 1 || EVP_PKEY_CTX_set_group_name(ctx, name) != 1
		|| EVP_PKEY_paramgen(ctx, &pkey) != 1)
		abort();
	return pkey;
}

static void make_curves(void)
{
	curves.p256 = curve_new("P-256");
	curves.p384 = curve_new("P-384");
}

static void read_ec(struct der *alg, struct span bits, struct public *out)
{
	struct der_item curve = {0};

	/* RFC 5480 2.1.1: the curve is named, never spelled out */
	if (!der_take_if(alg, DER_OID, &curve) || !der_done(alg))
		return;
	if (span_equal(curve.body, OID_P256) && bits.n == 65)
		out->spec = KEY_P256;
	else if (span_equal(curve.body, OID_P384) && bits.n == 97)
		out->spec = KEY_P384;
	/* TS-0003 10.1.1.1: uncompressed points only */
	if (out->spec != KEY_OTHER && bits.p[0] != POINT_UNCOMPRESSED)
		out->spec = KEY_OTHER;
	out->point = bits;
}

static size_t bit_length(struct span v)
{
	size_t bits = v.n * 8;

	for (unsigned int mask = 0x80; v.n && mask && !(v.p[0] & mask); mask >>= 1)
		bits--;
	return bits;
}

static bool read_rsa(struct der *alg, struct span bits, struct public *out)
{
	struct der outer = der_init(bits);
	struct der key = der_enter(&outer, DER_SEQUENCE);
	struct der_item null = der_take(alg, DER_NULL);

	out->n = der_take_uint(&key);
	out->e = der_take_uint(&key);
	if (!der_done(alg) || null.body.n || !der_done(&key) || !der_done(&outer))
		return false;
	switch (bit_length(out->n)) {
	case 2048:
		out->spec = KEY_RSA2048;
		break;
	case 3072:
		out->spec = KEY_RSA3072;
		break;
	case 4096:
		out->spec = KEY_RSA4096;
		break;
	default:
		break;
	}
	return true;
}

/* False when it is no SubjectPublicKeyInfo; spec is KEY_OTHER for one that is none of ours. */
static bool read_spki(struct span spki, struct public *out)
{
	struct der outer = der_init(spki);
	struct der d = der_enter(&outer, DER_SEQUENCE);
	struct der alg = der_enter(&d, DER_SEQUENCE);
	struct span oid = der_take_oid(&alg);
	struct span bits = der_take_bits(&d);

	*out = (struct public){.spec = KEY_OTHER};
	if (!der_done(&d) || !der_done(&outer) || alg.bad)
		return false;
	if (span_equal(oid, OID_EC_PUBLIC_KEY))
		read_ec(&alg, bits, out);
	else if (span_equal(oid, OID_RSA))
		return read_rsa(&alg, bits, out);
	return true;
}

enum key_spec key_spec_of_spki(struct span spki)
{
	struct public key;

	return read_spki(spki, &key) ? key.spec : KEY_OTHER;
}

static EVP_PKEY *ec_public(const struct public *key)
{
	EVP_PKEY *pkey OWNED_PKEY = EVP_PKEY_new();

	pthread_once(&curves_once, make_curves);
	/* the point is checked to be on the curve by set1_encoded_public_key */
	if (!pkey || EVP_PKEY_copy_parameters(pkey, key->spec == KEY_P256 ? curves.p256 : curves.p384) != 1
		|| EVP_PKEY_set1_encoded_public_key(pkey, key->point.p, key->point.n) != 1)
		return NULL;
	EVP_PKEY *out = pkey;
	pkey = NULL;
	return out;
}

/* OSSL_PARAM holds integers in the order of the machine */
static OSSL_PARAM rsa_param(const char *name, struct span big_endian, uint8_t *room)
{
	for (size_t i = 0; i < big_endian.n; i++) {
		size_t to = BYTE_ORDER == LITTLE_ENDIAN ? big_endian.n - 1 - i : i;
		room[to] = big_endian.p[i];
	}
	return OSSL_PARAM_construct_BN(name, room, big_endian.n);
}

static EVP_PKEY *rsa_public(const struct public *key)
{
	EVP_PKEY_CTX *ctx OWNED_PKEY_CTX = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	uint8_t n[RSA_OCTETS_MAX];
	uint8_t e[RSA_E_OCTETS_MAX];
	OSSL_PARAM params[] = {
		rsa_param(OSSL_PKEY_PARAM_RSA_N, key->n, n),
		rsa_param(OSSL_PKEY_PARAM_RSA_E, key->e, e),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *pkey = NULL;

	if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		return NULL;
	return pkey;
}

static enum err check_rsa(const struct public *key, struct why *why)
{
	struct span e = key->e;
	bool small = e.n < 3 || (e.n == 3 && e.p[0] == 0);

	/* FIPS 186-5 A.1.1: the exponent is odd and above 2^16 */
	if (small || e.n > RSA_E_OCTETS_MAX || !(e.p[e.n - 1] & 1))
		return WHY(why, KEY_SPKI, "FIPS 186-5 A.1.1",
			"RSA public exponent: want an odd number from 65537 up to 64 bits, have another");
	if (!(key->n.p[key->n.n - 1] & 1))
		return WHY(why, KEY_SPKI, "RFC 8017 3.1", "RSA modulus: want an odd number, have an even one");
	return OK;
}

enum err key_parse_spki(struct span spki, struct key **out, struct why *why)
{
	struct public key;
	EVP_PKEY *pkey = NULL;

	if (!read_spki(spki, &key))
		return WHY(why, KEY_SPKI, "RFC 5280 4.1.2.7", "public key: want a DER SubjectPublicKeyInfo, have other bytes");
	if (key.spec == KEY_OTHER)
		return WHY(why, KEY_KIND, "TS-0003 10.1.1.1",
			"public key: want P-256 or P-384 with uncompressed point, or RSA of 2048, 3072 or 4096 bits, have another");
	if (key.n.n) {
		TRY(check_rsa(&key, why));
		pkey = rsa_public(&key);
	} else {
		pkey = ec_public(&key);
	}
	if (!pkey) {
		ossl_forget();
		return WHY(why, KEY_SPKI, "RFC 5480 2.2", "public key: want a point of %s, have one that is not on the curve",
			key_spec_name(key.spec));
	}
	*out = key_adopt(pkey);
	return *out ? OK : WHY(why, NOMEM, "", "public key");
}
