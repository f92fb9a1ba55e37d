#pragma once
/* PKCS#10 requests (RFC 2986): read as a view, verified, and written by the client. */
#include "base/arena.h"
#include "pki/cert.h"
#include "pki/key.h"

enum {
	CSR_DER_MAX = 16 * 1024,
	CSR_CHALLENGE_MAX = 255, /* octets; RFC 2985 5.4.1 allows as many characters */
	CSR_ATTRS_MAX = 32,      /* attributes of one request; real ones have fewer than ten */
	CSR_EXTENSIONS_MAX = 32, /* requested extensions */
};

struct csr {
	struct span der;
	struct span info; /* CertificationRequestInfo, what is signed */
	struct span subject;
	struct span spki;
	enum key_spec key_spec;
	bool has_challenge;
	struct span challenge; /* text octets of challengePassword */
	struct span linking;   /* text octets of estIdentityLinking (RFC 7894 3.3); empty when absent */
	struct span extensions; /* DER Extensions of extensionRequest, empty when absent */
	struct span san;        /* DER GeneralNames, empty when absent */
	bool has_key_usage;
	uint16_t key_usage;
	struct eku_list ekus;
	bool asks_ca; /* basicConstraints with cA TRUE */
	struct span attributes; /* contents of the SET OF Attribute, each well-formed */
	size_t unknown_attrs; /* attributes that we do not read; extensions of that sort are left alone */
	struct span sig_alg;   /* DER AlgorithmIdentifier */
	struct span signature; /* octets */
};

/*
 * Consumes exactly; a repeated attribute or extension is refused. All spans point into der; nothing is
 * allocated and the key is not decoded. The san's entries are checked by san_parse. ERR_SYNTAX, ERR_LIMIT.
 */
MUST_CHECK enum err csr_parse(struct span der, struct csr *out, struct why *why);
/* Proof of possession: signature over info by the key inside. SHA-1 and MD5 refused. ERR_FORBIDDEN;
 * ERR_UNSUPPORTED and ERR_SYNTAX when the key itself is none of ours (key_parse_spki). */
MUST_CHECK enum err csr_verify(const struct csr *csr, struct why *why);

struct csr_plan {
	struct span subject;   /* DER Name */
	struct span challenge; /* text; empty for none */
	struct span linking;   /* text of estIdentityLinking; empty for none */
	struct span sans;      /* DER GeneralNames; empty for none */
	const struct eku_list *ekus; /* NULL for none */
	bool digital_signature; /* ask for keyUsage digitalSignature */
	bool critical_sans, critical_ekus; /* more than RFC 5280 suggests */
	struct span more_extensions; /* DER Extension elements, one after the other, none of those above */
	struct span attributes; /* further attributes, DER one behind the other; empty for none */
};
/* Appends the signed request. out is as it was when anything fails. ERR_SYNTAX for a value that a request cannot hold. */
MUST_CHECK enum err csr_write(const struct csr_plan *plan, const struct key *key, struct buf *out, struct why *why);
/* The first PEM block "CERTIFICATE REQUEST" (or "NEW CERTIFICATE REQUEST") to DER, appended. ERR_SYNTAX, ERR_LIMIT. */
MUST_CHECK enum err csr_parse_pem(struct span pem, struct buf *out, struct why *why);
