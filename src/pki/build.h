#pragma once
/* Building and signing certificates and CRLs. Used by core/ca (the signer) and by `init`. */
#include "pki/cert.h"
#include "pki/key.h"
#include "port/issuer.h"

struct cert_plan {
	struct span serial;  /* 1..20 octets, positive */
	struct span issuer;  /* DER Name */
	struct span subject; /* DER Name */
	struct span spki;    /* DER, copied as it is: the key is not decoded again */
	int64_t not_before_s, not_after_s;
	bool is_ca;
	int path_len; /* for CAs; -1 for none */
	uint16_t key_usage; /* enum key_usage bits */
	struct span ekus[CERT_EKU_MAX]; /* OID contents octets */
	size_t ekus_n;
	struct span sans;   /* DER GeneralNames; critical when the subject is empty */
	struct span akid;   /* issuer's subjectKeyIdentifier octets; empty for self-signed: own */
	const char *cdp_uri; /* NULL or "": none */
	const char *aia_uri; /* caIssuers */
	const char *ocsp_uri;
	struct span permitted_subtrees; /* DER NameConstraints extension value for CAs; empty for none */
};

/*
 * Both append to der_out, and leave it as it was when they fail. ERR_SYNTAX for values that make no
 * certificate or CRL by RFC 5280, ERR_UNSUPPORTED for the signer's kind of key, ERR_CRYPTO.
 */
/* Signature algorithm follows the signing key: ECDSA with SHA-256 (P-256), SHA-384 (P-384), RSA with SHA-256. */
MUST_CHECK enum err cert_build(const struct cert_plan *plan, const struct key *signer, struct buf *der_out, struct why *why);
/*
 * NameConstraints value permitting the given dNSName/URI-host suffixes. A "urn:..." among them leaves
 * URIs unconstrained, since a URI without a host passes no URI constraint (RFC 5280 4.2.1.10).
 */
MUST_CHECK enum err name_constraints_write(const char *const *suffixes, size_t n, struct buf *out, struct why *why);
/* SHA-1 of the public key bits (RFC 5280 4.2.1.2 method 1), 20 octets. */
MUST_CHECK enum err spki_key_id(struct span spki, uint8_t out[20], struct why *why);

/* X.509 v2 CRL, complete, with number and akid. */
MUST_CHECK enum err crl_build(const struct crl_order *order, struct span issuer_name, struct span issuer_skid,
	const struct key *signer, struct buf *der_out, struct why *why);
