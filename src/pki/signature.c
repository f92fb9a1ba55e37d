#include "pki/signature.h"

#include "pki/der.h"
#include "pki/der_nest.h"
#include "pki/key_inner.h"

#include <openssl/err.h>
#include <openssl/evp.h>

enum { SIGNATURE_MAX = 512 }; /* RSA-4096; an ECDSA signature is far shorter */

static const uint8_t alg_p256[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
static const uint8_t alg_p384[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03};
/* RFC 4055 5: the parameters of RSA with SHA-2 are NULL and present */
static const uint8_t alg_rsa[] = {
	0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00};

enum err signature_alg(const struct key *k, struct span *der_out, struct why *why)
{
	switch (key_spec_of(k)) {
	case KEY_P256:
		/* TS-0003 10.1.1.1: certificates are signed by ECDSA with SHA-256 on secp256r1 */
		*der_out = span_of(alg_p256, sizeof(alg_p256));
		return OK;
	case KEY_P384:
		*der_out = span_of(alg_p384, sizeof(alg_p384));
		return OK;
	case KEY_RSA2048:
	case KEY_RSA3072:
	case KEY_RSA4096:
		*der_out = span_of(alg_rsa, sizeof(alg_rsa));
		return OK;
	case KEY_NONE:
	case KEY_OTHER:
		break;
	}
	return WHY(why, SIGNATURE_KEY, "", "signing key: want P-256, P-384 or RSA of 2048 to 4096 bits, have %s",
		key_spec_name(key_spec_of(k)));
}

static void md_ctx_cleanup(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

/* Whoever holds the key may err: what does not verify is not sent. */
static enum err sign_remote(struct span tbs, const struct key *k, const EVP_MD *md, uint8_t *sig, size_t *sig_n,
	struct why *why)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int digest_n = 0;
	struct span alg = {0};

	if (EVP_Digest(tbs.p, tbs.n, digest, &digest_n, md, NULL) != 1)
		return WHY(why, SIGNATURE_MAKE, "", "digest of what is signed");
	TRY(key_sign_remote(k, span_of(digest, digest_n), sig, sig_n, why));
	TRY(signature_alg(k, &alg, why));
	return signature_check(k, alg, tbs, span_of(sig, *sig_n <= SIGNATURE_MAX ? *sig_n : 0), why);
}

static enum err sign(struct span tbs, const struct key *k, uint8_t *sig, size_t *sig_n, struct why *why)
{
	EVP_MD_CTX *ctx __attribute__((cleanup(md_ctx_cleanup))) = EVP_MD_CTX_new();
	const EVP_MD *md = key_spec_of(k) == KEY_P384 ? EVP_sha384() : EVP_sha256();

	if (key_is_remote(k))
		return sign_remote(tbs, k, md, sig, sig_n, why);
	if (!ctx)
		return WHY(why, NOMEM, "", "signing context");
	if (EVP_DigestSignInit(ctx, NULL, md, NULL, key_native(k)) != 1
		|| EVP_DigestSign(ctx, sig, sig_n, tbs.p, tbs.n) != 1) {
		char text[160];
		ERR_error_string_n(ERR_get_error(), text, sizeof(text));
		ERR_clear_error();
		return WHY(why, SIGNATURE_MAKE, "", "signing with a %s key: %s", key_spec_name(key_spec_of(k)), text);
	}
	return OK;
}

enum err signed_write(struct span tbs, const struct key *k, struct buf *out, struct why *why)
{
	struct span alg;
	uint8_t sig[SIGNATURE_MAX];
	size_t sig_n = sizeof(sig);
	size_t before = out->n;

	TRY(signature_alg(k, &alg, why));
	TRY(sign(tbs, k, sig, &sig_n, why));
	size_t at = der_open(out, DER_SEQUENCE);
	buf_put_span(out, tbs);
	buf_put_span(out, alg);
	der_put_bits(out, span_of(sig, sig_n), 0);
	der_close(out, at);
	if (out->bad)
		out->n = before;
	return buf_check(out, "signed object", why);
}

struct verify_alg {
	uint8_t oid[9];
	uint8_t oid_n;
	int key_type;
	const EVP_MD *(*md)(void);
};

static const struct verify_alg verify_algs[] = {
	{{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02}, 8, EVP_PKEY_EC, EVP_sha256},
	{{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03}, 8, EVP_PKEY_EC, EVP_sha384},
	{{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04}, 8, EVP_PKEY_EC, EVP_sha512},
	{{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b}, 9, EVP_PKEY_RSA, EVP_sha256},
	{{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c}, 9, EVP_PKEY_RSA, EVP_sha384},
	{{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d}, 9, EVP_PKEY_RSA, EVP_sha512},
};

static const struct verify_alg *verify_alg_find(struct span alg_der)
{
	struct der outer = der_init(alg_der);
	struct der alg = der_enter(&outer, DER_SEQUENCE);
	struct span oid = der_take(&alg, DER_OID).body;
	struct der_item null = {0};

	der_take_if(&alg, DER_NULL, &null);
	if (!der_done(&alg) || !der_done(&outer) || null.body.n)
		return NULL;
	for (size_t i = 0; i < sizeof(verify_algs) / sizeof(verify_algs[0]); i++) {
		if (span_equal(oid, span_of(verify_algs[i].oid, verify_algs[i].oid_n)))
			return &verify_algs[i];
	}
	return NULL;
}

enum err signature_check(const struct key *k, struct span alg_der, struct span signed_bytes, struct span signature,
	struct why *why)
{
	EVP_MD_CTX *ctx __attribute__((cleanup(md_ctx_cleanup))) = NULL;
	const struct verify_alg *alg = verify_alg_find(alg_der);

	if (!alg)
		return WHY(why, SIGNATURE_ALG, "RFC 5280 4.1.1.2",
			"signature algorithm: want ECDSA or RSA with SHA-256, SHA-384 or SHA-512, have another");
	if (EVP_PKEY_get_base_id(key_native(k)) != alg->key_type)
		return WHY(why, SIGNATURE_WRONG, "", "signature algorithm: does not fit the signer's %s key",
			key_spec_name(key_spec_of(k)));
	ctx = EVP_MD_CTX_new();
	if (!ctx)
		return WHY(why, NOMEM, "", "verification context");
	int good = EVP_DigestVerifyInit(ctx, NULL, alg->md(), NULL, key_native(k)) == 1
		&& EVP_DigestVerify(ctx, signature.p, signature.n, signed_bytes.p, signed_bytes.n) == 1;
	ERR_clear_error();
	if (!good)
		return WHY(why, SIGNATURE_WRONG, "RFC 5280 4.1.1.3", "signature: was not made over these bytes by that %s key",
			key_spec_name(key_spec_of(k)));
	return OK;
}
