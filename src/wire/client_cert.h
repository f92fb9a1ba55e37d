#pragma once
/*
 * RFC 9440: the certificate of a client whose TLS ended at a proxy, in the fields Client-Cert (one byte sequence of RFC
 * 8941 3.3.5) and Client-Cert-Chain (a list of such). Stricter than RFC 8941 allows: canonical base64, no parameters.
 * That it is DER is for others to see.
 */
#include "base/buf.h"

enum { CLIENT_CERT_CHAIN_MAX = 8 }; /* certificates above the leaf, as in a handshake (TLS_CHAIN_MAX) */

struct client_cert {
	size_t n;                                   /* leaf and chain; 0: none */
	struct span ders[1 + CLIENT_CERT_CHAIN_MAX]; /* the leaf first */
};

/*
 * cert: value of the field Client-Cert; chain: the values of chain_n fields Client-Cert-Chain. The spans of out point into
 * bytes. ERR_SYNTAX, ERR_LIMIT.
 */
MUST_CHECK enum err client_cert_parse(struct span cert, const struct span *chain, size_t chain_n, struct buf *bytes,
	struct client_cert *out, struct why *why);
