#pragma once
/*
 * CSR attributes: what the MEF asks of a CSR, as the list of RFC 7030 4.5.2 (as RFC 9908 3.2 explains it; attrs.c), as
 * the template of RFC 9908 3.4 (attrs_template.c), or as both. One struct for both forms and both sides.
 */
#include "pki/csr.h"
#include "pki/name_template.h"

enum { EST_ATTRS_MAX = 16, EST_ATTRS_DER_MAX = 8 * 1024 };

enum est_attrs_form {
	EST_ATTRS_LIST = 0,
	EST_ATTRS_TEMPLATE = 1, /* beside it only bare OIDs that ask for linking: no attribute of a template lacks a value */
	EST_ATTRS_BOTH = 2,
};

struct est_attrs {
	struct span challenge;   /* value to echo in challengePassword; empty: none */
	bool asks_challenge;     /* the bare OID was listed: RFC 7030 3.5 meaning, no value given */
	bool asks_linking;       /* estIdentityLinking was listed (RFC 7894 4) */
	enum key_spec key;       /* KEY_NONE: any */
	struct span sans;        /* DER GeneralNames that the CSR must carry; empty: none */
	struct eku_list ekus;    /* that the CSR must carry; n == 0: none */
	bool digital_signature;  /* keyUsage digitalSignature asked for */
	struct span unknown[EST_ATTRS_MAX]; /* OID contents of attributes that we do not know */
	size_t unknown_n;

	/* Of a template alone; reading: all of what was asked came from one */
	bool is_template;
	struct name_template subject; /* n == 0: none asked for; writing: of EST_ATTRS_LIST nothing */
	bool critical_sans, critical_ekus; /* reading: asked for as critical */
	bool open_sans, open_ekus; /* asked for, the values are the client's to fill in */
	struct span open[EST_ATTRS_MAX]; /* OID contents of other things that the client should fill in */
	size_t open_n;
	struct span more_extensions[EST_ATTRS_MAX]; /* DER Extensions to be copied */
	size_t more_extensions_n;
	struct span more_attributes[EST_ATTRS_MAX]; /* DER Attributes to be copied */
	size_t more_attributes_n;
};

MUST_CHECK enum err est_attrs_write(const struct est_attrs *attrs, enum est_attrs_form form, struct buf *der_out, struct why *why);
/* RFC 9908 4: where a template is there, only it counts, beside what asks for linking. Spans point into `der`. An empty body (204) is no attributes. ERR_SYNTAX, ERR_LIMIT. */
MUST_CHECK enum err est_attrs_parse(struct span der, struct est_attrs *out, struct why *why);
