#pragma once
/*
 * The server side of TLS 1.2 and 1.3 with optional client certificates. One context per process.
 * What makes OpenSSL 3.0 fast: no auto-chain, X25519 first, released buffers, no session tickets for
 * certificate clients, a library context per process that holds only what is used.
 *
 * Who the peer is: a chain to the MEF's own issuing CA makes PEER_OWN, one to an explicit device
 * anchor PEER_THIRD_PARTY, a single self-signed certificate that is no CA PEER_RAW_KEY (a proof of
 * key only), no certificate PEER_ANONYMOUS. Everything else fails in the handshake, a leaf out of its dates too, but
 * for own_expired_s. Revocation is not
 * looked at here. A client that proves a pre-shared key is PEER_PSK with its psk_identity; on TLS 1.2 a
 * psk_identity has at most 256 octets (OpenSSL).
 */
#include "base/secret.h"
#include "base/why.h"
#include "wire/call.h"

#include <openssl/types.h>

enum {
	TLS_CHAIN_MAX = 8,               /* certificates between leaf and anchor */
	TLS_CHAIN_BYTES_MAX = 64 * 1024, /* what a client may send as its chain */
	TLS_SRP_SALT = 16,
	TLS_SRP_VERIFIER = 384,          /* of the group of 3072 bits */
	TLS_ANCHORS_MAX = 1000,          /* certificates in one file of anchors */
};

struct tls_server;

struct tls_config {
	struct span cert_pem;   /* server certificate, then its chain */
	struct span key_pem;    /* may be encrypted */
	struct span key_pass;
	struct span own_ca_pem; /* the MEF's own issuing CA and what stands above it: PEER_OWN */
	struct span device_anchors_pem; /* explicit third-party anchors; empty: none: PEER_THIRD_PARTY */
	const char *fqdn;       /* SNI that is served; others get unrecognized_name unless absent; NULL: any */
	bool psk;             /* TS-0003 10.2.2: PSK suites on TLS 1.2, external PSK (psk_dhe_ke) on TLS 1.3 */
	int64_t own_expired_s; /* a leaf under own_ca_pem may have ended so long ago; whoever reads tls_peer looks at its dates */
	bool srp;             /* RFC 7030 3.3.3: SRP suites on TLS 1.2, those of RFC 5054 without server certificate */
	bool ems_optional;    /* export keys also from a TLS 1.2 session without extended master secret (RFC 7627) */
	/* Where those came from, for reasons; NULL where nobody knows. */
	const char *cert_path, *key_path, *own_ca_path, *device_anchors_path;
};

/* ERR_SYNTAX for files that cannot be used, with their fault; ERR_CRYPTO, ERR_NOMEM. */
MUST_CHECK enum err tls_server_new(const struct tls_config *config, struct tls_server **out, struct why *why);
void tls_server_free(struct tls_server *s); /* after its last connection */
/* New server-side connection object; free with tls_free. */
MUST_CHECK enum err tls_accept(struct tls_server *s, SSL **out, struct why *why);
void tls_free(SSL *ssl);
/*
 * One step of the handshake, as SSL_do_handshake. After a step that did not end it, tls_psk_waits tells whether
 * it stands still until tls_psk_give.
 */
int tls_handshake(SSL *ssl);
/* True while the handshake waits for the key of an identity; the span is good until tls_free. */
bool tls_psk_waits(const SSL *ssl, struct span *identity_out);
/* key NULL: there is none to be had; the handshake fails and says nothing to the client. Then tls_handshake. */
void tls_psk_give(SSL *ssl, const struct secret *key);
/* The same for the verifier of an SRP user. record: salt and verifier; empty: there is none to be had. */
bool tls_srp_waits(const SSL *ssl, struct span *user_out);
void tls_srp_give(SSL *ssl, struct span record);
/*
 * After the handshake: what is known of the peer. Spans point into memory that lives as long as the
 * connection object. The address is left as it is.
 */
MUST_CHECK enum err tls_peer(SSL *ssl, struct peer *out, struct why *why);
/*
 * The peer of a client whose TLS ended at a proxy, by the certificates that the proxy told of (leaf first): the verdicts of a
 * handshake, except that a raw key is refused. leaf of out is ders[0]. The address is left as it is.
 * ERR_SYNTAX, ERR_UNAUTHENTICATED, ERR_FORBIDDEN, ERR_EXPIRED.
 */
MUST_CHECK enum err tls_proxied(struct tls_server *s, const struct span *ders, size_t n, struct peer *out, struct why *why);
/* Fills peer.exporter or peer.exported. Without the extended master secret it leaves them empty (see ems_optional). */
MUST_CHECK enum err tls_export(SSL *ssl, enum call_export what, struct peer *out, struct why *why);
/* Why the handshake of this connection failed; call it right after the failing call. */
MUST_CHECK enum err tls_failure(SSL *ssl, struct why *why);
