#pragma once
/* PKCS#10 requests (RFC 2986): read as a view, verified, and written by the client. */
#include "base/arena.h"
#include "pki/cert.h"
#include "pki/key.h"

enum {
	CSR_DER_MAX = 16 * 1024,
	CSR_CHALLENGE_MAX = 255, /* RFC 2985 5.4.1 */
	CSR_ATTRS_MAX = 32,
};

struct csr {
	struct span der;
	struct span info; /* CertificationRequestInfo, what is signed */
	struct span subject;
	struct span spki;
	enum key_spec key_spec;
	bool has_challenge;
	struct span challenge; /* text octets of challengePassword */
	struct span extensions; /* DER Extensions of extensionRequest, empty when absent */
	struct span san;        /* DER GeneralNames, empty when absent */
	bool has_key_usage;
	uint16_t key_usage;
	struct eku_list ekus;
	bool asks_ca; /* basicConstraints with cA TRUE */
	struct span sig_alg;   /* DER AlgorithmIdentifier */
	struct span signature; /* octets */
};

/* Consumes exactly; a repeated attribute or extension is refused. ERR_SYNTAX, ERR_LIMIT. */
MUST_CHECK enum err csr_parse(struct span der, struct csr *out, struct why *why);
/* Proof of possession: signature over info by the key inside. SHA-1 and MD5 refused. ERR_FORBIDDEN. */
MUST_CHECK enum err csr_verify(const struct csr *csr, struct why *why);

struct csr_plan {
	struct span subject;   /* DER Name */
	struct span challenge; /* text; empty for none */
	struct span sans;      /* DER GeneralNames; empty for none */
	const struct eku_list *ekus; /* NULL for none */
	bool digital_signature; /* ask for keyUsage digitalSignature */
};
MUST_CHECK enum err csr_write(const struct csr_plan *plan, const struct key *key, struct buf *out, struct why *why);
/* PEM ("CERTIFICATE REQUEST") to DER, appended. */
MUST_CHECK enum err csr_parse_pem(struct span pem, struct buf *out, struct why *why);
