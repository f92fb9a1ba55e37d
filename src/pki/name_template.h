#pragma once
/*
 * Subjects of which some values are given and others are for the client to fill in: RFC 9908 3.4 NameTemplate,
 * and the operator's writing of it: "CN, O=Acme\, Inc., OU".
 */
#include "base/arena.h"
#include "base/buf.h"

enum { NAME_PARTS_MAX = 16 /* attributes of a subject that core/ca issues */ };

struct name_part {
	struct span type;  /* contents octets of its OBJECT IDENTIFIER */
	uint8_t tag;       /* of the value */
	struct span value; /* contents octets; empty: to be filled in */
	bool joined;       /* in one RelativeDistinguishedName with the part before */
};

struct name_template {
	struct name_part parts[NAME_PARTS_MAX];
	size_t n;
};

/* RDNSequenceTemplate, one whole element; spans point into it. ERR_SYNTAX, ERR_LIMIT. */
MUST_CHECK enum err name_template_parse(struct span der, struct name_template *out, struct why *why);
/* A Name where every part has its value. */
void name_template_write(const struct name_template *t, struct buf *out);
/* CN, serialNumber, C, L, ST, O, OU, title, DC, UID. Values are copied into the arena. ERR_SYNTAX, ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK enum err name_template_read(struct span text, struct arena *arena, struct name_template *out, struct why *why);
/*
 * Whether a Name has just these attributes in this order, the given values among them (RFC 5280 7.1). at_out: the
 * first part that it does not have; n when there is something behind the last.
 */
bool name_template_fits(const struct name_template *t, struct span name, size_t *at_out);
/* Value of the first attribute of that type in a Name, as it is encoded; false: none. */
bool name_find(struct span name, struct span type, struct name_part *out);
/* "O=Acme", "CN" where it is to be filled in; a type that we have no name for in dotted form. */
void name_part_put(struct buf *out, const struct name_part *part);
/* The tag for text of that type: RFC 5280 A.1. */
uint8_t name_tag(struct span type);
