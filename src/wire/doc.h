#pragma once
/*
 * Small documents that travel as JSON (RFC 8259) or XML (1.0), seen as one tree of named fields, so
 * that a message is described once. In JSON the top is an object; in XML its one element has the
 * message's name. A list is a run of fields of one name; an empty one leaves no field. XML
 * attributes, namespaces' prefixes, comments and processing instructions are passed over; a DTD, an
 * entity of one's own and an encoding other than UTF-8 are refused. Texts hold what both forms can
 * carry: UTF-8 without control characters other than tab, line feed and carriage return.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/why.h"

enum {
	DOC_BYTES_MAX = 64 * 1024,  /* as much as a call's body */
	DOC_DEPTH_MAX = 8,          /* objects in each other, with the top; our deepest message has two */
	DOC_FIELDS_MAX = 1000,      /* the longest list of ours has 256 pairs of two fields each: 768 */
	DOC_NAME_MAX = 64,
	DOC_TEXT_MAX = 16 * 1024,
	DOC_ARENA_MAX = 512 * 1024, /* enough for any document within these limits, and its texts twice */
};

enum doc_form { DOC_JSON = 1, DOC_XML = 2 };

enum doc_kind { DOC_TEXT = 1, DOC_NUMBER, DOC_BOOL, DOC_OBJECT, DOC_NULL };

/* Numbers and truth values of a parsed XML document are DOC_TEXT: doc_bool and doc_number read both. */
struct doc {
	const char *name;      /* "" for the top of a JSON document */
	enum doc_kind kind;
	struct span text;      /* leaf: as text: "true", "42"; NUL-terminated behind its end */
	bool in_list;          /* written as JSON: part of an array, also when it is the only one */
	bool bad;              /* something could not be put below it */
	struct doc *first, *last, *next;
};

/* "application/json", "application/vnd.onem2m-res+json", "text/xml", ... ERR_UNSUPPORTED for others; empty: JSON. */
MUST_CHECK enum err doc_form_of(struct span media_type, enum doc_form *out, struct why *why);
/* RFC 9110 12.5.1: the form to answer in: what Accept prefers, else that of the request. */
enum doc_form doc_form_wanted(struct span accept, enum doc_form request);
const char *doc_media_type(enum doc_form form); /* "application/json", "application/xml" */

/*
 * Everything lives in the arena. ERR_SYNTAX, ERR_LIMIT (also past the arena's cap), ERR_NOMEM. Elements of one name in one XML
 * element are a list, wherever they stand; a name that is doubled in a JSON object is refused. Reasons
 * name fields and never quote a text: it may be a key.
 */
MUST_CHECK enum err doc_parse(enum doc_form form, struct span in, struct arena *arena, struct doc **out, struct why *why);

/*
 * Building is sticky: NULL parents and failed allocations are carried on to doc_write, which tells. Names are
 * not copied. doc_write: ERR_NOMEM; ERR_SYNTAX for a text or a name that the form cannot carry; ERR_LIMIT.
 */
struct doc *doc_new(struct arena *arena, const char *name);
struct doc *doc_put_object(struct arena *arena, struct doc *parent, const char *name, bool in_list);
void doc_put_text(struct arena *arena, struct doc *parent, const char *name, struct span value);
void doc_put_list_text(struct arena *arena, struct doc *parent, const char *name, struct span value);
void doc_put_bool(struct arena *arena, struct doc *parent, const char *name, bool value);
void doc_put_number(struct arena *arena, struct doc *parent, const char *name, int64_t value);
void doc_put_list_number(struct arena *arena, struct doc *parent, const char *name, int64_t value);
MUST_CHECK enum err doc_write(const struct doc *top, enum doc_form form, struct buf *out, struct why *why);

/* First field of that name below parent, and the next one of the same name; NULL: none. */
const struct doc *doc_find(const struct doc *parent, const char *name);
const struct doc *doc_again(const struct doc *field);
/* A field that is absent or null leaves *out as it is; one that stands there twice is refused. ERR_SYNTAX "NAME: want ..., have ...". */
MUST_CHECK enum err doc_bool(const struct doc *parent, const char *name, bool *out, struct why *why);
MUST_CHECK enum err doc_number(const struct doc *parent, const char *name, int64_t min, int64_t max, int64_t *out, struct why *why);
/* Borrowed, NUL-terminated text of at most max octets. */
MUST_CHECK enum err doc_text(const struct doc *parent, const char *name, size_t max, const char **out, struct why *why);
