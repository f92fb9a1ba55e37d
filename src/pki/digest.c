#include "pki/digest.h"

#include "pki/ossl.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <stdlib.h>

void digest_sha256_parts(const struct span *parts, size_t n, uint8_t out[SHA256_SIZE])
{
	EVP_MD_CTX *ctx OWNED_MD_CTX = EVP_MD_CTX_new();
	bool good = ctx && EVP_DigestInit_ex2(ctx, ossl_sha256(), NULL) == 1;

	for (size_t i = 0; good && i < n; i++)
		good = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1;
	if (!good || EVP_DigestFinal_ex(ctx, out, NULL) != 1)
		abort();
}

void digest_sha256(struct span in, uint8_t out[SHA256_SIZE])
{
	digest_sha256_parts(&in, 1, out);
}

enum err digest_hmac_sha256(struct span key, struct span in, uint8_t out[SHA256_SIZE], struct why *why)
{
	static const unsigned char none[1];
	EVP_MAC_CTX *ctx OWNED_MAC_CTX = EVP_MAC_CTX_new(ossl_hmac());
	char digest[] = OSSL_DIGEST_NAME_SHA2_256;
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	size_t n = 0;

	/* a NULL key would mean "the key set before" to OpenSSL, also when its length is 0 */
	if (!ctx || EVP_MAC_init(ctx, key.n ? key.p : none, key.n, params) != 1
		|| EVP_MAC_update(ctx, in.p, in.n) != 1 || EVP_MAC_final(ctx, out, &n, SHA256_SIZE) != 1
		|| n != SHA256_SIZE)
		return ossl_failed("HMAC-SHA256", why);
	return OK;
}

/* RFC 5869 2.2: no salt; 2.3: the purpose is the info */
enum err digest_hkdf_sha256(struct span key, const char *purpose, uint8_t *out, size_t n, struct why *why)
{
	EVP_KDF_CTX *ctx OWNED_KDF_CTX = EVP_KDF_CTX_new(ossl_hkdf());
	struct span info = span_text(purpose);
	char digest[] = OSSL_DIGEST_NAME_SHA2_256;
	OSSL_PARAM params[4] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		{OSSL_KDF_PARAM_KEY, OSSL_PARAM_OCTET_STRING, NULL, key.n, OSSL_PARAM_UNMODIFIED},
		OSSL_PARAM_construct_end(),
		OSSL_PARAM_construct_end(),
	};

	if (key.n == 0)
		return WHY(why, CRYPTO, "RFC 5869 2.2", "HKDF key: want at least 1 octet, have none");
	memcpy(&params[1].data, &key.p, sizeof(key.p)); /* OpenSSL only reads it, but its field is not const */
	if (info.n) {
		params[2] = (OSSL_PARAM){OSSL_KDF_PARAM_INFO, OSSL_PARAM_OCTET_STRING, NULL, info.n,
			OSSL_PARAM_UNMODIFIED};
		memcpy(&params[2].data, &info.p, sizeof(info.p));
	}
	if (!ctx || EVP_KDF_derive(ctx, out, n, params) != 1)
		return ossl_failed("HKDF-SHA256", why);
	return OK;
}
