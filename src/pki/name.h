#pragma once
/* Distinguished names (DER in, DER out) and subjectAltName entries. */
#include "base/arena.h"
#include "base/buf.h"

enum {
	NAME_DER_MAX = 2048,
	NAME_VALUE_MAX = 64, /* characters of a common name or serial number we write: RFC 5280 A.1 */
	SAN_MAX = 16, /* entries of one certificate or request that we look at; more are refused */
};

enum san_kind {
	SAN_DNS = 1,
	SAN_URI,
	SAN_OTHER, /* otherName; text "<type-id dotted>;<value>": an OID dotted, text as it is, RFC 4108
		      hardwareModuleName as "<hwType dotted>:<serial hex>", anything else as "#<hex>" */
	SAN_EMAIL,
	SAN_IP,
	SAN_DIRECTORY, /* value: DER Name */
	SAN_UNKNOWN,
};

struct san {
	enum san_kind kind;
	struct span value; /* text for DNS, URI, OTHER, EMAIL; octets for IP */
	struct span der;   /* the GeneralName as encoded */
};

struct san_list {
	struct san items[SAN_MAX];
	size_t n;
};

/* Name as a view: structure only, nothing allocated, consumed exactly. ERR_SYNTAX, ERR_LIMIT. */
MUST_CHECK enum err name_check(struct span der, struct why *why);
/* RFC 5280 7.1: attribute values compare without case and runs of blanks, whatever string type. ERR_SYNTAX. */
MUST_CHECK enum err name_equal(struct span der_a, struct span der_b, bool *equal_out, struct why *why);
bool name_is_empty(struct span der);
/* RFC 4514 text. */
MUST_CHECK enum err name_text(struct span der, struct arena *arena, const char **out, struct why *why);
/* Name with one CN (UTF8String), plus serialNumber when not NULL; cn NULL or "": none. */
MUST_CHECK enum err name_write_cn(const char *cn, const char *serial, struct buf *out, struct why *why);
/* Values of CN or serialNumber; empty when absent; the first when repeated. In the arena, UTF-8 without NUL. */
MUST_CHECK enum err name_cn(struct span der, struct arena *arena, struct span *out, struct why *why);
MUST_CHECK enum err name_serial(struct span der, struct arena *arena, struct span *out, struct why *why);

/*
 * DER GeneralNames (the extension's value) to a list. The text of SAN_OTHER is made in the arena;
 * everything else points into the input. ERR_SYNTAX, ERR_LIMIT.
 */
MUST_CHECK enum err san_parse(struct span general_names, struct arena *arena, struct san_list *out, struct why *why);
/* DER GeneralNames from a list; for SAN_DNS and SAN_URI from value, for the rest from der. */
MUST_CHECK enum err san_write(const struct san_list *list, struct buf *out, struct why *why);
/* RFC 5280 7.2, 7.4: DNS without case; URI scheme and host without case, the rest exact; else DER. */
bool san_equal(const struct san *a, const struct san *b);
bool san_has(const struct san_list *list, const struct san *one);
/* For people: texts and URIs as they are, others as "(another kind)", parted by ", "; nothing for an empty list. */
void san_put_text(struct buf *out, const struct san_list *list);
/* The same set, in any order. */
bool san_same_set(const struct san_list *a, const struct san_list *b);
