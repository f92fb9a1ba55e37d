#pragma once
/*
 * A bounded reader and writer of DER, for the places where letting OpenSSL decode the whole object would
 * also decode its key. Sticky like base/cursor.h: one der_done() decides. Indefinite lengths,
 * non-minimal lengths and tag numbers above 30 are refused. Nothing is copied or allocated when reading.
 */
#include "base/buf.h"

enum der_tag { /* identifier octets */
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_UTF8 = 0x0c,
	DER_PRINTABLE = 0x13,
	DER_IA5 = 0x16,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
	DER_CONTEXT = 0x80, /* | number, | 0x20 when constructed */
};

struct der {
	const uint8_t *p;
	size_t left;
	bool bad;
};

struct der_item {
	uint8_t tag;      /* identifier octet */
	struct span body; /* contents octets */
	struct span all;  /* with identifier and length */
};

struct der der_init(struct span in);
bool der_more(const struct der *d);                 /* not bad and bytes left */
struct der_item der_next(struct der *d);            /* any tag */
uint8_t der_peek(const struct der *d);              /* identifier octet, 0 at the end */
struct der_item der_take(struct der *d, uint8_t tag); /* bad when the tag differs */
bool der_take_if(struct der *d, uint8_t tag, struct der_item *out); /* optional elements */
/* Reader over the contents of an item; bad when d is. What goes wrong inside does not reach d. */
struct der der_enter(struct der *d, uint8_t tag);
bool der_take_bool(struct der *d);
/* INTEGER, not negative, without sign octet; zero is the one octet 0. */
struct span der_take_uint(struct der *d);
/* BIT STRING with no unused bits. */
struct span der_take_bits(struct der *d);
/* Named bit list of at most 16 bits: bit 0 of the list is 1 << 0 (enum key_usage). */
uint16_t der_take_flags(struct der *d);
/* Contents octets of an OBJECT IDENTIFIER that is well-formed (X.690 8.19). */
struct span der_take_oid(struct der *d);
/* UTCTime or GeneralizedTime of RFC 5280 4.1.2.5 to unix seconds. */
int64_t der_take_time(struct der *d);
bool der_done(const struct der *d);                 /* nothing bad, nothing left */

/* Whether PrintableString can hold these characters (X.680 41.4). */
bool der_is_printable(struct span text);

/* Writing: put contents into a buffer of their own, wrap them. */
void der_put(struct buf *out, uint8_t tag, struct span body);
void der_put_uint(struct buf *out, struct span big_endian);
void der_put_small(struct buf *out, uint32_t v); /* INTEGER */
void der_put_oid(struct buf *out, struct span contents);
void der_put_bits(struct buf *out, struct span bytes, unsigned int unused);
/* UTCTime up to 2049, GeneralizedTime from 2050 (RFC 5280 4.1.2.5). */
void der_put_time(struct buf *out, int64_t unix_s);
void der_put_bool(struct buf *out, bool v);
void der_put_flags(struct buf *out, uint16_t flags); /* named bit list, trailing zero bits dropped */
