#pragma once
/* Clients of a TLS-PSK or TLS-SRP session: whose key it was, and whether it still counts. */
#include "core/enrol/client.h"

/* Sets enrolee (enabled or not), key_id and identity. ERR_FORBIDDEN; ERR_EXPIRED. */
MUST_CHECK enum err client_psk_find(struct store *store, struct span identity, int64_t now_s,
	struct arena *arena, struct client *out, struct why *why);
/* The same of an SRP user (RFC 7030 3.3.3), which is a shared secret too. */
MUST_CHECK enum err client_srp_find(struct store *store, struct span user, int64_t now_s,
	struct arena *arena, struct client *out, struct why *why);
/* The key is still there, this enrolee's, and not over. ERR_FORBIDDEN, ERR_EXPIRED. */
MUST_CHECK enum err client_psk_check(struct store *store, const struct standing *s, int64_t now_s, struct why *why);
