#pragma once
/* Checks a CSR against client, label and challenge outcome; turns it into an issue order. Pure. */
#include "core/enrol/asked.h"
#include "core/enrol/client.h"
#include "pki/csr.h"
#include "port/issuer.h"

/* The identity attribute (DER GeneralNames) that the MEF associates with this enrolee: URI for node
 * and ae, dNSName for cse and fqdn. */
MUST_CHECK enum err policy_identity(const struct enrolee *e, struct buf *der_out, struct why *why);
/*
 * Enrolment. Each refusal is ERR_FORBIDDEN and names want and have.
 * - subject: empty (the certificate gets CN = entity id; when that is longer than 64 characters
 *   CN = id, or none when the id holds a dot), exactly CN = id, exactly CN = entity id, or the authenticating certificate's subject
 *   unless that is a raw key's, which wrote it itself. What was sent is what the certificate gets.
 *   Where csrattrs asks for a subject (asked->subject), that one: always with asked->must, else it may be too.
 * - subjectAltName: exactly the identity; without asked->must it may be absent. The
 *   certificate gets the registry's own writing of it.
 * - extended key usages: with asked->must all that csrattrs asks for; none beyond them unless
 *   it asks for none (then they are ignored: the profile decides what the certificate says).
 * - key, key usage digitalSignature: with asked->must as csrattrs asks; else the profile decides.
 * - no CA: neither basicConstraints cA nor keyCertSign nor cRLSign.
 * - profile: the enrolee's, or else the label's.
 * Proof of possession is checked by the issuer. Spans of the order live in the arena or in the csr.
 */
MUST_CHECK enum err policy_enrol(const struct client *client, const struct attrs_asked *asked, const struct csr *csr,
	struct arena *arena, struct issue_order *out, struct why *why);
/*
 * Re-enrolment: a provisioned client; subject and subjectAltName equal to those of the certificate that
 * authenticates it (RFC 7030 4.2.2), which must still hold the enrolee's identity; another key unless
 * the label allows reuse; usages, key kind, CA and profile as above. The old certificate stays valid.
 */
MUST_CHECK enum err policy_reenrol(const struct client *client, const struct attrs_asked *asked, const struct csr *csr,
	struct arena *arena, struct issue_order *out, struct why *why);
