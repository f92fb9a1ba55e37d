#pragma once
/* Clients of a TLS-PSK session: whose key it was, and whether it still counts. */
#include "core/enrol/client.h"

/* Sets enrolee (enabled or not), key_id and identity. ERR_FORBIDDEN; ERR_EXPIRED. */
MUST_CHECK enum err client_psk_find(struct store *store, struct span identity, int64_t now_s,
	struct arena *arena, struct client *out, struct why *why);
/* The key is still there, this enrolee's, and not over. ERR_FORBIDDEN, ERR_EXPIRED. */
MUST_CHECK enum err client_psk_check(struct store *store, const char *enrolee_id, const char *key_id,
	int64_t now_s, struct why *why);
