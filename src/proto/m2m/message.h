#pragma once
/*
 * What the codecs of exchange, retrieval and MAF share: fields read with the clause that asks for them.
 * Every reader leaves *out as it is when an optional field is absent.
 */
#include "base/arena.h"
#include "base/secret.h"
#include "proto/m2m/ids.h"
#include "proto/m2m/suid.h"
#include "wire/doc.h"

struct message {
	const struct doc *doc;
	const char *clause;
	struct arena *arena;
};

enum presence { OPTIONAL = 0, MANDATORY = 1 };

enum { MESSAGE_TEXT_MAX = 512, MESSAGE_URI_MAX = 255 };
/* 100 years: nobody means more, and adding it to a clock overflows nothing */
#define MESSAGE_LIFETIME_MAX_S (100LL * 365 * 86400)

/* XML: the one element has that name. ERR_SYNTAX, ERR_LIMIT. */
MUST_CHECK enum err message_open(enum doc_form form, struct span in, const char *name, struct arena *arena,
	struct message *out, struct why *why);
/* Puts clause into a reason of kind ERR_SYNTAX that has none; returns err. */
enum err message_cite(enum err err, const char *clause, struct why *why);
/* ERR_SYNTAX "NAME: want WANT, have none". */
MUST_CHECK enum err message_need(const struct message *m, const char *name, enum presence p, struct why *why);

MUST_CHECK enum err message_bool(const struct message *m, const char *name, enum presence p, bool *out, struct why *why);
MUST_CHECK enum err message_number(const struct message *m, const char *name, enum presence p, int64_t min, int64_t max,
	int64_t *out, struct why *why);
MUST_CHECK enum err message_text(const struct message *m, const char *name, enum presence p, size_t max, const char **out, struct why *why);
/* In normal form. */
MUST_CHECK enum err message_id(const struct message *m, const char *name, enum presence p, const char **out, struct why *why);
MUST_CHECK enum err message_fqdn(const struct message *m, const char *name, enum presence p, const char **out, struct why *why);
/* https only. */
MUST_CHECK enum err message_uri(const struct message *m, const char *name, enum presence p, const char **out, struct why *why);
/* A list of SUIDs of that origin. */
MUST_CHECK enum err message_usages(const struct message *m, const char *name, enum suid_origin origin, struct suid_list *out, struct why *why);
/* base64 of min to max octets. */
MUST_CHECK enum err message_secret(const struct message *m, const char *name, enum presence p, size_t min, size_t max,
	struct secret *out, struct why *why);

void message_put_usages(struct arena *arena, struct doc *to, const char *name, const struct suid_list *l);
/* Absent when NULL or "". */
void message_put_text(struct arena *arena, struct doc *to, const char *name, const char *text);
void message_put_secret(struct arena *arena, struct doc *to, const char *name, const struct secret *s);
/* The SUID that a leaf holds in digits; 0 when it holds another thing. */
unsigned int message_suid(const struct doc *leaf);
