#pragma once
/*
 * CMS SignedData with content and one signer (RFC 5652 5), by OpenSSL: a certificate's holder signs a PKIData,
 * the MEF a PKIResponse (RFC 5272 3.2).
 */
#include "pki/cert.h"
#include "pki/cms.h"
#include "pki/key.h"

enum { CMS_SIGNED_MAX = 64 * 1024 }; /* octets of a message that is read */

struct cms_signed; /* a message that was read, its signature not yet looked at */

void cms_signed_free(struct cms_signed *s);
void cms_signed_cleanup(struct cms_signed **s);
#define OWNED_CMS_SIGNED __attribute__((cleanup(cms_signed_cleanup)))

/*
 * BER or DER, consumed exactly; content present; one SignerInfo. type: contents octets of the eContentType's OBJECT
 * IDENTIFIER that is wanted. ERR_SYNTAX, ERR_LIMIT; ERR_UNSUPPORTED for several signers.
 */
MUST_CHECK enum err cms_signed_parse(struct span in, struct span type, struct cms_signed **out, struct why *why);
struct span cms_signed_content(const struct cms_signed *s); /* borrowed */
/*
 * Certificates of the message, DER, borrowed; at most CMS_CERTS_MAX.
 */
size_t cms_signed_certs(const struct cms_signed *s, struct span certs_out[CMS_CERTS_MAX]);
/*
 * Signature and signed attributes (which must be there, RFC 5652 5.3) by the certificate that the SignerInfo names:
 * `known` (DER, may be empty) or one of the message's. Whether that certificate counts is the caller's business: no chain
 * is built and no date looked at. signer_out: its DER, appended. ERR_FORBIDDEN when the signature is wrong or nobody's;
 * ERR_UNSUPPORTED for digests outside SHA-2 and keys that we do not issue for.
 */
MUST_CHECK enum err cms_signed_verify(struct cms_signed *s, struct span known, struct buf *signer_out, struct why *why);

struct cms_signed_plan {
	struct span type;    /* contents octets of the eContentType */
	struct span content;
	const struct key *key;
	struct span cert;    /* DER, of that key; goes into the message */
	const struct span *others; /* further certificates */
	size_t others_n;
};
/* Appends the message in DER; SHA-256, SHA-384 with a P-384 key. ERR_SYNTAX for what makes no message, ERR_CRYPTO. */
MUST_CHECK enum err cms_signed_write(const struct cms_signed_plan *plan, struct buf *out, struct why *why);
/*
 * The same message (DER) with more certificates, which no signature covers. Appended to out. ERR_SYNTAX, ERR_LIMIT.
 */
MUST_CHECK enum err cms_signed_add_certs(
	struct span in, const struct span *certs, size_t n, struct buf *out, struct why *why);
