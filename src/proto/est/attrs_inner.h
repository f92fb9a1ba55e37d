#pragma once
/* Inside of the CSR attributes: what attrs.c and attrs_template.c share. */
#include "pki/der.h"
#include "proto/est/attrs.h"

struct est_wish { /* a key that can be asked for */
	enum key_spec spec;
	struct span curve; /* empty: RSA */
	uint32_t bits;
	struct span signature; /* that goes with it */
};

const struct est_wish *est_wish_find(enum key_spec spec); /* NULL: none of ours */
enum key_spec est_key_by_curve(struct span curve);
enum key_spec est_key_by_bits(uint32_t bits);

/* Attribute: SEQUENCE { type, SET { value } }; `value` is one whole element. */
void est_put_attribute(struct buf *out, struct span type, struct span value);
void est_put_extensions(struct buf *out, const struct est_attrs *attrs);
/* The attribute with the value to echo; nothing without one. */
MUST_CHECK enum err est_put_challenge(struct buf *out, const struct est_attrs *attrs, struct why *why);

MUST_CHECK enum err est_read_challenge(struct der values, struct est_attrs *out, struct why *why);
MUST_CHECK enum err est_read_sans(struct span value, struct est_attrs *out, struct why *why);
MUST_CHECK enum err est_read_ekus(struct span value, struct est_attrs *out, struct why *why);

/* RFC 9908 3.4: attrs_template.c; `value` is one CertificationRequestInfoTemplate. */
MUST_CHECK enum err est_template_put(struct buf *out, const struct est_attrs *attrs, struct why *why);
MUST_CHECK enum err est_template_parse(struct span value, struct est_attrs *out, struct why *why);
