#pragma once
/*
 * A client that lost our answer asks again and gets the same answer (RFC 7030 4.2.3), never a second certificate. Each
 * function leaves *cert_out, which lies in the arena, empty where nothing was answered before. ERR_STORE, ERR_NOMEM besides
 * what is named.
 */
#include "base/arena.h"
#include "port/store.h"

struct again {
	const struct store *store;
	struct arena *arena;
	const char *enrolee_id;
	const uint8_t *csr_sha256;
	bool key_made; /* by the MEF: such a key was given away once and is kept nowhere (docs/decisions/0016) */
};

/* By the challenge that was spent on it; ERR_CONFLICT when that was not for this very request. nonce may be empty. */
MUST_CHECK enum err again_by_nonce(const struct again *a, struct span nonce, struct span *cert_out, struct why *why);
/* By a request that waited; ERR_CONFLICT when its certificate was revoked. */
MUST_CHECK enum err again_by_request(const struct again *a, const struct request *held, struct span *cert_out, struct why *why);
/* By the number of record of that certificate of another CA, which may answer a repetition with what it gave before. */
MUST_CHECK enum err again_by_record(
	const struct again *a, struct span record, struct span der, struct span *cert_out, struct why *why);
