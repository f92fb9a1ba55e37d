#pragma once
/*
 * The device's side of full CMC (RFC 7030 4.3): a message signed by the certificate that authenticates it, and the answer
 * to it. Pure, as agent/machine.h is.
 */
#include "agent/machine.h"
#include "pki/cms.h"
#include "proto/cmc/cmc.h"

struct agent_cmc {
	const struct key *key; /* of cert, signs */
	struct span cert;      /* DER, the one of the TLS session */
	struct span csr;       /* PKCS#10 to be asked for; empty: none */
	const struct cmc_revoke *revoke; /* NULL: none; its body part is 1 then */
	const uint8_t *random; /* AGENT_CMC_RANDOM fresh octets: transactionId and senderNonce */
};

/* BASE/fullcmc for a MEF's URI, appended. ERR_SYNTAX. */
MUST_CHECK enum err agent_cmc_url(const char *mef_uri, struct buf *out, struct why *why);
/* The body of the POST, base64; its media type is CMC_MEDIA_REQUEST. */
MUST_CHECK enum err agent_cmc_write(const struct agent_cmc *ask, struct buf *body_out, struct why *why);

/* Certificates that the answer brought, and how it was judged. */
struct agent_cmc_answer {
	const struct anchors *anchors; /* that the signer's certificate leads to */
	struct arena *arena;           /* of the certificates */
	int64_t now_s;
	struct span certs[CMS_CERTS_MAX];
	size_t certs_n;
};
/*
 * Whether the reply carries a PKIResponse; whatever its status is.
 */
bool agent_cmc_is_answer(const struct agent_reply *reply);
/*
 * Signature, chain, transaction and nonce, then the status of every body part: all of them must say success. ERR_FORBIDDEN
 * with the MEF's own words when one does not.
 */
MUST_CHECK enum err agent_cmc_read(const struct agent_cmc *ask, const struct agent_reply *reply,
	struct agent_cmc_answer *answer, struct why *why);
