#pragma once
/*
 * The key of a psk_identity. Always gives one: of an identity that is malformed, unknown, expired, or
 * whose enrolee is disabled it gives a key that nobody holds, by the same steps, so that neither answer
 * nor time tells which (RFC 4279 3: decrypt_error for both).
 */
#include "core/keys/vault.h"

enum psk_realm { PSK_REALM_MEF, PSK_REALM_MAF }; /* Kpm and Kre; Km by KmId or KeId */

struct psk_decoy {
	struct secret key;             /* random, per process: keys of unknown identities are derived from it */
	uint8_t sealed[STORE_KEY_SEALED_MAX]; /* something to open */
	size_t sealed_n;
};
MUST_CHECK enum err psk_decoy_init(struct psk_decoy *d, const struct vault *v, struct why *why);
void psk_decoy_wipe(struct psk_decoy *d);

/* OK also with a decoy (*known_out false, for the audit log only). ERR_STORE and other faults of ours as they are. */
MUST_CHECK enum err psk_find(const struct vault *v, const struct psk_decoy *d, enum psk_realm realm,
	struct span identity, int64_t now_s, struct secret *out, bool *known_out, struct why *why);

/*
 * A KpmId may get another key while a session by the earlier one is open. id: KpmId or KreId in normal form; digest:
 * SHA-256 of the key that made the session. ERR_FORBIDDEN: it is not, or no longer, that id's.
 */
MUST_CHECK enum err psk_check_used(const struct vault *v, const char *id, const uint8_t digest[32], struct why *why);
