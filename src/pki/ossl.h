#pragma once
/* For pki's own files: OpenSSL objects as owned locals, algorithms fetched once, its errors as ours. */
#include "base/why.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

/*
 * Fetched at first use and kept for the life of the process: OpenSSL 3.0 looks up an algorithm by name
 * at each use otherwise. They abort when the library lacks the algorithm.
 */
const EVP_MD *ossl_sha256(void);
const EVP_CIPHER *ossl_aes_256_gcm(void);
EVP_MAC *ossl_hmac(void);
EVP_KDF *ossl_hkdf(void);

/* ERR_CRYPTO with OpenSSL's own reason, whose queue is emptied. what: "signing". */
enum err ossl_failed(const char *what, struct why *why);
/* Empties OpenSSL's queue of errors after a failure that we name ourselves. */
void ossl_forget(void);

void ossl_pkey_cleanup(EVP_PKEY **p);
void ossl_pkey_ctx_cleanup(EVP_PKEY_CTX **p);
void ossl_md_ctx_cleanup(EVP_MD_CTX **p);
void ossl_cipher_ctx_cleanup(EVP_CIPHER_CTX **p);
void ossl_mac_ctx_cleanup(EVP_MAC_CTX **p);
void ossl_kdf_ctx_cleanup(EVP_KDF_CTX **p);
void ossl_bio_cleanup(BIO **p);

#define OWNED_PKEY __attribute__((cleanup(ossl_pkey_cleanup)))
#define OWNED_PKEY_CTX __attribute__((cleanup(ossl_pkey_ctx_cleanup)))
#define OWNED_MD_CTX __attribute__((cleanup(ossl_md_ctx_cleanup)))
#define OWNED_CIPHER_CTX __attribute__((cleanup(ossl_cipher_ctx_cleanup)))
#define OWNED_MAC_CTX __attribute__((cleanup(ossl_mac_ctx_cleanup)))
#define OWNED_KDF_CTX __attribute__((cleanup(ossl_kdf_ctx_cleanup)))
#define OWNED_BIO __attribute__((cleanup(ossl_bio_cleanup)))
