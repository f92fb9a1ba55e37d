#pragma once
/* Inside of fetch: the handshake by a shared key (RFC 4279, RFC 8446 2.2), and keys exported from a session. */
#include "adapt/sys/fetch_server.h"

struct fetch_psk {
	char identity[FETCH_IDENTITY_SIZE];
	struct secret key;
};

/* Makes the connections of this SSL_CTX ones by that key alone. ERR_CRYPTO. */
MUST_CHECK enum err fetch_psk_arm(void *ssl_ctx, struct fetch_server *s, struct why *why);
/* Octets of each label, without context. ERR_UNSUPPORTED without the extended master secret; ERR_CRYPTO. */
MUST_CHECK enum err fetch_psk_export(void *ssl, const char *const *labels, size_t labels_n, struct secret *out,
	struct why *why);

/* Channel bindings of that session into the reply. ERR_CRYPTO. */
MUST_CHECK enum err fetch_bindings(void *ssl, struct fetch_reply *out, struct why *why);
