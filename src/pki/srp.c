#include "pki/srp.h"

#include "base/mem.h"
#include "pki/ossl.h"

#include <openssl/bn.h>
#include <openssl/evp.h>

enum { SHA1_SIZE = 20, GENERATOR = 5 };

struct numbers {
	BN_CTX *ctx;
	BIGNUM *n, *g, *x, *v;
};

static void numbers_fini(struct numbers *b)
{
	BN_free(b->n);
	BN_free(b->g);
	BN_clear_free(b->x);
	BN_clear_free(b->v);
	BN_CTX_free(b->ctx);
}

static bool sha1(const struct span *parts, size_t n, uint8_t out[SHA1_SIZE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool fine = ctx && EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) == 1;

	for (size_t i = 0; i < n && fine; i++)
		fine = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1;
	fine = fine && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return fine;
}

static bool hash_password(struct span user, struct span password, const uint8_t *salt, uint8_t out[SHA1_SIZE])
{
	uint8_t inner[SHA1_SIZE];
	const struct span first[] = {user, span_text(":"), password};
	const struct span second[] = {span_of(salt, SRP_SALT_SIZE), span_of(inner, sizeof(inner))};
	bool fine = sha1(first, 3, inner) && sha1(second, 2, out);

	mem_wipe(inner, sizeof(inner));
	return fine;
}

enum err srp_verifier(struct span user, struct span password, const uint8_t salt[SRP_SALT_SIZE],
	uint8_t out[SRP_VERIFIER_SIZE], struct why *why)
{
	struct numbers b __attribute__((cleanup(numbers_fini))) = {
		.ctx = BN_CTX_secure_new(), .n = BN_get_rfc3526_prime_3072(NULL), .g = BN_new(), .v = BN_new()};
	uint8_t x[SHA1_SIZE];

	if (!hash_password(user, password, salt, x))
		return ossl_failed("SHA-1", why);
	b.x = BN_bin2bn(x, sizeof(x), NULL);
	mem_wipe(x, sizeof(x));
	/* The exponent is the password: no step may depend on its bits. */
	if (!b.ctx || !b.n || !b.g || !b.x || !b.v || BN_set_word(b.g, GENERATOR) != 1
		|| BN_mod_exp_mont_consttime(b.v, b.g, b.x, b.n, b.ctx, NULL) != 1
		|| BN_bn2binpad(b.v, out, SRP_VERIFIER_SIZE) != SRP_VERIFIER_SIZE)
		return ossl_failed("SRP verifier", why);
	return OK;
}
