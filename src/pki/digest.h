#pragma once
/* Digests and keyed digests by OpenSSL. */
#include "base/span.h"
#include "base/why.h"

enum { SHA256_SIZE = 32 };

/* Cannot fail short of a broken library, in which case it aborts. */
void digest_sha256(struct span in, uint8_t out[SHA256_SIZE]);
void digest_sha256_parts(const struct span *parts, size_t n, uint8_t out[SHA256_SIZE]);
MUST_CHECK enum err digest_hmac_sha256(struct span key, struct span in, uint8_t out[SHA256_SIZE], struct why *why);
/* RFC 5869 with SHA-256: one key per purpose from the master key. */
MUST_CHECK enum err digest_hkdf_sha256(
	struct span key, const char *purpose, uint8_t *out, size_t n, struct why *why);
