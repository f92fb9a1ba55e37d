#include "pki/ossl.h"

#include <openssl/err.h>

#include <pthread.h>
#include <stdlib.h>

/* Constants once fetched: the one kind of process-wide state that this folder keeps. */
static struct {
	EVP_MD *sha256;
	EVP_CIPHER *aes_256_gcm;
	EVP_MAC *hmac;
	EVP_KDF *hkdf;
} fetched;
static pthread_once_t fetched_once = PTHREAD_ONCE_INIT;

static void fetch_all(void)
{
	fetched.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	fetched.aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	fetched.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	fetched.hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	if (!fetched.sha256 || !fetched.aes_256_gcm || !fetched.hmac || !fetched.hkdf)
		abort();
}

const EVP_MD *ossl_sha256(void)
{
	pthread_once(&fetched_once, fetch_all);
	return fetched.sha256;
}

const EVP_CIPHER *ossl_aes_256_gcm(void)
{
	pthread_once(&fetched_once, fetch_all);
	return fetched.aes_256_gcm;
}

EVP_MAC *ossl_hmac(void)
{
	pthread_once(&fetched_once, fetch_all);
	return fetched.hmac;
}

EVP_KDF *ossl_hkdf(void)
{
	pthread_once(&fetched_once, fetch_all);
	return fetched.hkdf;
}

enum err ossl_failed(const char *what, struct why *why)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	enum err err = WHY(why, CRYPTO, "", "%s: %s", what, reason ? reason : "no reason given");
	ERR_clear_error();
	return err;
}

void ossl_forget(void)
{
	ERR_clear_error();
}

void ossl_pkey_cleanup(EVP_PKEY **p)
{
	EVP_PKEY_free(*p);
}

void ossl_pkey_ctx_cleanup(EVP_PKEY_CTX **p)
{
	EVP_PKEY_CTX_free(*p);
}

void ossl_md_ctx_cleanup(EVP_MD_CTX **p)
{
	EVP_MD_CTX_free(*p);
}

void ossl_cipher_ctx_cleanup(EVP_CIPHER_CTX **p)
{
	EVP_CIPHER_CTX_free(*p);
}

void ossl_mac_ctx_cleanup(EVP_MAC_CTX **p)
{
	EVP_MAC_CTX_free(*p);
}

void ossl_kdf_ctx_cleanup(EVP_KDF_CTX **p)
{
	EVP_KDF_CTX_free(*p);
}

void ossl_bio_cleanup(BIO **p)
{
	BIO_free_all(*p);
}
