#pragma once
/* Key pairs. The struct hides OpenSSL's EVP_PKEY, so a token key looks the same as a file key. */
#include "base/buf.h"
#include "base/secret.h"

enum key_spec {
	KEY_NONE = 0,
	KEY_P256,
	KEY_P384,
	KEY_RSA2048,
	KEY_RSA3072,
	KEY_RSA4096,
	KEY_OTHER, /* parsed, of a kind we do not issue for */
};

struct key;

void key_free(struct key *k);
void key_cleanup(struct key **k);
#define OWNED_KEY __attribute__((cleanup(key_cleanup)))

MUST_CHECK enum err key_new(enum key_spec spec, struct key **out, struct why *why);
/*
 * PEM, PKCS#8 or traditional, plain or encrypted (empty passphrase: plain only). Never prompts.
 * ERR_SYNTAX; ERR_FORBIDDEN when the passphrase is missing or wrong; ERR_UNSUPPORTED for a key whose
 * spec would be KEY_OTHER.
 */
MUST_CHECK enum err key_parse_pem(struct span pem, struct span passphrase, struct key **out, struct why *why);
enum { KEY_PEM_MAX = 32 * 1024 }; /* RSA-4096 takes 3.4 KiB */
/* PKCS#8 PEM; with a passphrase PBES2, AES-256-CBC, PBKDF2-HMAC-SHA256. */
MUST_CHECK enum err key_write_pem(const struct key *k, struct span passphrase, struct buf *out, struct why *why);
/* PKCS#8 PrivateKeyInfo in DER, a secret: buf_fini_wipe. The reader consumes exactly; its errors are those of
 * key_parse_pem. */
enum { KEY_PKCS8_MAX = 4096 }; /* RSA-4096 takes 2.4 KiB */
MUST_CHECK enum err key_write_pkcs8(const struct key *k, struct buf *out, struct why *why);
MUST_CHECK enum err key_parse_pkcs8(struct span der, struct key **out, struct why *why);
/* DER SubjectPublicKeyInfo. */
MUST_CHECK enum err key_write_spki(const struct key *k, struct buf *out, struct why *why);
/*
 * Public key from DER SPKI without OpenSSL's generic decoder, which is slow in 3.0. The
 * point is uncompressed and on the curve; RSA exponents are odd, from 65537 up to 64 bits. ERR_SYNTAX;
 * ERR_UNSUPPORTED for what key_spec_of_spki calls KEY_OTHER.
 */
MUST_CHECK enum err key_parse_spki(struct span spki, struct key **out, struct why *why);
/* Kind and size only, from the DER, without making a key object. KEY_OTHER when it is none of ours. */
enum key_spec key_spec_of_spki(struct span spki);
enum key_spec key_spec_of(const struct key *k);
const char *key_spec_name(enum key_spec spec); /* "P-256", "RSA-3072" */
/* "p256", "P-256", "rsa3072", ...; KEY_NONE when unknown. */
enum key_spec key_spec_parse(struct span name);
/* RFC 6920 form of the SPKI digest: "sha-256;<base64url without padding>". */
enum { KEY_NI_SIZE = 64 };
void key_ni_text(struct span spki, char out[KEY_NI_SIZE]);
/* True when the private key belongs to that SPKI. */
bool key_matches_spki(const struct key *k, struct span spki);

/*
 * A private key that is elsewhere, as in hardware: its public part (as key_parse_spki), and who signs a digest of
 * SHA-256, for P-384 of SHA-384. sig: ECDSA as DER, or RSA PKCS#1 v1.5; *sig_n: room, then length.
 * Such a key signs (signed_write) and can do nothing else.
 */
typedef enum err (*key_sign)(void *arg, struct span digest, uint8_t *sig, size_t *sig_n, struct why *why);
MUST_CHECK enum err key_new_remote(struct span spki, key_sign sign, void *arg, struct key **out, struct why *why);

/* For pki's own files and net glue only: struct evp_pkey_st *, borrowed. */
void *key_native(const struct key *k);
/* Takes ownership of an EVP_PKEY. NULL without memory (then the EVP_PKEY is freed). */
struct key *key_adopt(void *evp_pkey);
