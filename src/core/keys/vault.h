#pragma once
/*
 * Symmetric keys at rest: sealed by AES-256-GCM under a key that is derived from the master key for this
 * alone, bound to kind, id and owner, so that rows cannot be exchanged. Opened only for use.
 */
#include "base/secret.h"
#include "port/random.h"
#include "port/store.h"

struct vault {
	struct store *store;
	const struct secret *seal_key; /* 32 octets */
	struct random_source random;
};

/* master_derive's purpose (adapt/sys/master.h) for seal_key. */
#define VAULT_PURPOSE "symmetric keys"

/* Adds the row with key sealed; row->sealed is ignored. Within a transaction. Kinds: store's, ERR_CRYPTO. */
MUST_CHECK enum err vault_add(const struct vault *v, const struct symkey *row, const struct secret *key, struct why *why);
/* ERR_NOT_FOUND; ERR_EXPIRED from expires_s on; ERR_CRYPTO when it does not open (another master key, a swapped row). */
MUST_CHECK enum err vault_find(const struct vault *v, enum symkey_kind kind, const char *id, int64_t now_s,
	struct arena *arena, struct symkey *row_out, struct secret *key_out, struct why *why);
