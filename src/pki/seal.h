#pragma once
/*
 * Secrets at rest: AES-256-GCM under the operator's master key. A sealed value is bound to the name of
 * its place (additional data), so that rows cannot be swapped. Form: version 0x01, 12-octet IV,
 * ciphertext, 16-octet tag.
 */
#include "base/buf.h"
#include "base/secret.h"

enum { SEAL_KEY_SIZE = 32, SEAL_OVERHEAD = 1 + 12 + 16 };

/* iv: 12 fresh random octets. */
MUST_CHECK enum err seal_write(struct span key, const uint8_t iv[12], struct span place, struct span plain,
	struct buf *out, struct why *why);
/* ERR_CRYPTO when the key, the place or a bit differs. out is appended to. */
MUST_CHECK enum err seal_open(
	struct span key, struct span place, struct span sealed, struct buf *out, struct why *why);
