#pragma once
/*
 * Verifiers of SRP users (RFC 7030 3.3.3, RFC 5054). One is always given: a user that is unknown, disabled or over gets
 * a salt and a verifier that are his own and always the same (RFC 5054 2.5.1.3), by the same steps.
 */
#include "core/keys/vault.h"
#include "pki/srp.h"

struct srp_record {
	uint8_t salt[SRP_SALT_SIZE];
	uint8_t verifier[SRP_VERIFIER_SIZE];
};

/* What is looked at for those who are not there. The key comes from the vault's: a restart changes nobody's salt. */
struct srp_decoy {
	uint8_t key[32];
	uint8_t sealed[STORE_KEY_SEALED_MAX];
	size_t sealed_n;
};
MUST_CHECK enum err srp_decoy_init(struct srp_decoy *d, const struct vault *v, struct why *why);
void srp_decoy_wipe(struct srp_decoy *d);

/* What nobody has, for that name; out of order it is the same for all. */
void srp_decoy_make(const struct srp_decoy *d, struct span user, struct srp_record *out);
/* OK also with a decoy (*known_out false, for the log only). The caller wipes out. Faults of ours as they are. */
MUST_CHECK enum err srp_find(const struct vault *v, const struct srp_decoy *d, struct span user, int64_t now_s,
	struct srp_record *out, bool *known_out, struct why *why);
/* digest: SHA-256 of the verifier that made the session. ERR_FORBIDDEN: it is not, or no longer, that user's. */
MUST_CHECK enum err srp_check_used(const struct vault *v, const char *user, const uint8_t digest[32], struct why *why);
/* Letters, digits and . _ - @, at most SRP_USER_MAX. */
bool srp_user_is_good(struct span user);
/*
 * Within a transaction: the verifier of a password, which itself is not kept, with an event key.added.
 * ERR_SYNTAX: user or password; ERR_NOT_FOUND: enrolee; ERR_CONFLICT: the user exists.
 */
MUST_CHECK enum err srp_register(const struct vault *v, const struct symkey *plan, struct span password, struct why *why);
