#pragma once
/*
 * The grammar of DER for fuzzers: a message is read into its fields (also those inside of OCTET
 * STRING and BIT STRING), then one field is changed in one way while the lengths around it are made
 * to fit, so that the change reaches the parser of that field. Used by libFuzzer at random and by
 * replay.c for every field and way once.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/why.h"

enum { DER_FIELDS_MAX = 4096, DER_DEPTH_MAX = 32 };

struct der_field {
	size_t at;   /* of its identifier octet */
	size_t head; /* octets of identifier and length, for BIT STRING with fields inside also the
			unused bits */
	size_t body; /* octets of contents without the end of an indefinite length */
	size_t all;  /* octets from at to the next field */
	int parent;  /* field around it, or -1 */
	bool indefinite;
	bool inner; /* has fields */
};

struct der_fields {
	struct der_field list[DER_FIELDS_MAX];
	size_t n;
	size_t from; /* where the first begins: 0, or 1 where a target's choice stands before it */
};

enum der_change {
	DER_TAG_NUMBER,
	DER_TAG_CLASS,
	DER_TAG_FORM,
	DER_TAG_HIGH,
	DER_LENGTH_OVERLONG,
	DER_LENGTH_INDEFINITE,
	DER_LENGTH_LESS,
	DER_LENGTH_MORE,
	DER_LENGTH_HUGE,
	DER_LENGTH_OVERFLOW,
	DER_EMPTY,
	DER_DELETE,
	DER_DOUBLE,
	DER_MANY, /* 70 times: past every limit of a list */
	DER_SWAP,
	DER_NEST,
	DER_NEST_DEEP,
	DER_UNNEST,
	DER_VALUE_TOP_BIT,
	DER_VALUE_LAST_BIT,
	DER_VALUE_GROW,
	DER_VALUE_SHRINK,
	DER_VALUE_ZEROS,
	DER_VALUE_ONES,
	DER_VALUE_LEAD_ZERO,
	DER_VALUE_LEAD_TOP,
	DER_VALUE_LONG,
	DER_VALUE_ODD, /* what the type forbids: month 13, 8 unused bits, NUL in a string, BOOLEAN
			  1, version 99 */
	DER_CHANGES,
};

/* False for what is no DER (or BER) with at least one field, consumed exactly. */
bool der_fields_read(const uint8_t *data, size_t n, struct der_fields *out);
/* The message with that field changed; 0 where the change does not apply or the result is longer
 * than max. */
size_t der_field_change(const uint8_t *data, size_t n, const struct der_fields *fields,
	size_t field, enum der_change change, uint8_t *out, size_t max);
/* A refusal says what for: its code has a page, its kind is a peer's, it names a field and, but for
 * our own limits, a clause. */
void der_refusal_check(enum err err, const struct why *why);
