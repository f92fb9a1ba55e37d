#pragma once
/* Path validation (RFC 5280 6) against explicit anchors only; never the system's store. */
#include "pki/cert.h"
#include "pki/key.h"

enum { CHAIN_MAX = 8 }; /* certificates between leaf and anchor; oneM2M chains have one or two */

struct anchors; /* a set of trust anchors, opaque */

void anchors_free(struct anchors *a);
void anchors_cleanup(struct anchors **a);
#define OWNED_ANCHORS __attribute__((cleanup(anchors_cleanup)))
/* From PEM text; at least one certificate. Anchors need not be self-signed. */
MUST_CHECK enum err anchors_parse_pem(struct span pem, struct anchors **out, struct why *why);
MUST_CHECK enum err anchors_add(struct anchors *a, struct span der, struct why *why);

/*
 * Is it signed by its own key? Issuer and subject are also equal in the certificates of a root's rollover
 * (RFC 4210 4.4), which another key signs: those are no anchors. ERR_SYNTAX, ERR_LIMIT.
 */
MUST_CHECK enum err chain_self_signed(struct span der, bool *out, struct why *why);

enum chain_use { CHAIN_ANY, CHAIN_CLIENT, CHAIN_SERVER };

/*
 * Validates leaf through intermediates (DER each) to an anchor at now_s. anchor_out: SHA-256 of the
 * anchor that ended the path. ERR_FORBIDDEN with the reason ("expired", "unknown issuer"...), ERR_SYNTAX
 * and ERR_LIMIT for a certificate that cannot be read and for more than CHAIN_MAX intermediates.
 * SHA-1, MD5 and RSA below 2048 bits are refused.
 */
MUST_CHECK enum err chain_check(const struct anchors *a, struct span leaf, const struct span *intermediates, size_t n,
	enum chain_use use, int64_t now_s, uint8_t anchor_out[32], struct why *why);
/*
 * RFC 9525: does the certificate's dNSName cover this host? No CN, no wildcards (TS-0003 10.1.1). An IP
 * address as host needs the same iPAddress in the certificate. ERR_FORBIDDEN.
 */
MUST_CHECK enum err chain_check_host(const struct cert *cert, struct span host, struct why *why);
/*
 * Issuer, signature and dates of a CRL, then whether the serial (big-endian, no sign octet) is on it.
 * ERR_FORBIDDEN when any of it fails or the certificate is revoked, ERR_SYNTAX, ERR_UNSUPPORTED for
 * delta and partitioned CRLs and for signature algorithms outside signature.h.
 */
MUST_CHECK enum err chain_check_crl(struct span crl_der, struct span issuer_cert, struct span serial, int64_t now_s, struct why *why);
