#pragma once
/* Checks a CSR against client, label and challenge outcome; turns it into an issue order. Pure. */
#include "core/enrol/client.h"
#include "pki/csr.h"
#include "port/issuer.h"

/* The identity attribute (DER GeneralNames) that the MEF associates with this enrolee. */
MUST_CHECK enum err policy_identity(const struct enrolee *e, struct buf *der_out, struct why *why);
/*
 * Enrolment: subject empty, CN = id or entity id, or the subject of the authenticating certificate;
 * subjectAltName absent (label "accepted" only: the MEF then asks the CA to add it) or exactly the
 * identity; EKUs asked by the label present when required; no CA request. ERR_FORBIDDEN, each naming
 * want and have. Spans of the order live in the arena or in the csr.
 */
MUST_CHECK enum err policy_enrol(const struct client *client, const struct est_label *label, const struct csr *csr,
	struct arena *arena, struct issue_order *out, struct why *why);
/* Re-enrolment: provisioned client, subject and SAN equal to the current certificate's (RFC 7030 4.2.2),
 * key reuse by label. */
MUST_CHECK enum err policy_reenrol(const struct client *client, const struct est_label *label, const struct csr *csr,
	struct arena *arena, struct issue_order *out, struct why *why);
