#pragma once
/*
 * The server side of TLS 1.2 and 1.3 with optional client certificates. One context per process.
 * spec/feasibility 1.4: no auto-chain, X25519 first, released buffers, no session tickets for
 * certificate clients, a library context per process.
 */
#include "base/why.h"
#include "wire/call.h"

#include <openssl/types.h>

struct tls_server;

struct tls_config {
	struct span cert_pem;   /* server certificate, then its chain */
	struct span key_pem;    /* may be encrypted */
	struct span key_pass;
	struct span own_ca_pem; /* the MEF's own CA chain: PEER_OWN */
	struct span device_anchors_pem; /* explicit third-party anchors; empty: none: PEER_THIRD_PARTY */
	const char *fqdn;       /* SNI that is served; others get unrecognized_name unless absent */
};

MUST_CHECK enum err tls_server_new(const struct tls_config *config, struct tls_server **out, struct why *why);
void tls_server_free(struct tls_server *s);
/* New server-side connection object. */
MUST_CHECK enum err tls_accept(struct tls_server *s, SSL **out, struct why *why);
/*
 * After the handshake: what is known of the peer. Spans point into memory that lives as long as the
 * connection object.
 */
MUST_CHECK enum err tls_peer(SSL *ssl, struct peer *out, struct why *why);
