#pragma once
/* What the store says now about an enrolee's provisioning. */
#include "port/store.h"
#include "proto/m2m/prefs.h"

/*
 * seed 003 8.3.3.1: the preferences that decide: the enrolee's, else the token's (its id, or NULL),
 * else the default ones, else those built in. Texts in the arena. ERR_SYSTEM when they cannot be read: the rest of the batch is whole.
 */
MUST_CHECK enum err rights_prefs(struct store *store, const char *enrolee_id, const char *token_id,
	struct arena *arena, struct prefs *out, struct why *why);
/* Has the enrolee a certificate of this MEF that is valid now? */
MUST_CHECK enum err rights_certificate(struct store *store, const char *enrolee_id, int64_t now_s, bool *out, struct why *why);
