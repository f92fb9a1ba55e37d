#pragma once
/*
 * The first trust anchors of a device that has none for this MEF (RFC 7030 3.6.2, 4.1.1): what cacerts brought over a
 * session that authenticated the server by implicit anchors, or by nobody, becomes the explicit database. Pure.
 */
#include "base/buf.h"
#include "base/span.h"
#include "base/why.h"

/* "https://mef.example.com:8443" gets the well-known path; a final slash goes. ERR_SYNTAX, ERR_LIMIT. */
MUST_CHECK enum err agent_base_write(const char *given, struct buf *out, struct why *why);
/*
 * media_type and body are those of a cacerts answer. Self-signed CA certificates come out as PEM: all of them, or with
 * root_sha256 (32 octets) that one alone. ERR_FORBIDDEN: AGENT_BOOTSTRAP when it is not there, AGENT_TRUST without any
 * root; ERR_SYNTAX.
 */
MUST_CHECK enum err agent_bootstrap(struct span media_type, struct span body, const uint8_t *root_sha256, struct buf *pem_out,
	struct why *why);
