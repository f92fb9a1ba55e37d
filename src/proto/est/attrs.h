#pragma once
/*
 * CSR attributes (RFC 7030 4.5.2, RFC 9908 legacy form): what the MEF asks of a CSR. One struct for
 * both sides; reading and writing stand in attrs.c.
 */
#include "pki/csr.h"

enum { EST_ATTRS_MAX = 16, EST_ATTRS_DER_MAX = 8 * 1024 };

struct est_attrs {
	struct span challenge;   /* value to echo in challengePassword; empty: none */
	bool asks_challenge;     /* the bare OID was listed: RFC 7030 3.5 meaning, no value given */
	enum key_spec key;       /* KEY_NONE: any */
	struct span sans;        /* DER GeneralNames that the CSR must carry; empty: none */
	struct eku_list ekus;    /* that the CSR must carry; n == 0: none */
	bool digital_signature;  /* keyUsage digitalSignature asked for */
	struct span unknown[EST_ATTRS_MAX]; /* OID contents of attributes that we do not know */
	size_t unknown_n;
};

MUST_CHECK enum err est_attrs_write(const struct est_attrs *attrs, struct buf *der_out, struct why *why);
/* Spans point into `der`. An empty body (204) is no attributes. ERR_SYNTAX, ERR_LIMIT. */
MUST_CHECK enum err est_attrs_parse(struct span der, struct est_attrs *out, struct why *why);
