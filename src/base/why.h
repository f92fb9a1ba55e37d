#pragma once
/*
 * One enum of outcomes, one record of the reason. Every function that can fail returns enum err and
 * takes a last `struct why *`; the first reason set wins, so the deepest and most precise text
 * reaches the person. Kinds above ERR_PENDING are ours, not the peer's: they are only forwarded.
 */
#include <stddef.h>
#include <stdint.h>

enum err {
	OK = 0,
	/* the peer's */
	ERR_SYNTAX,
	ERR_UNSUPPORTED,
	ERR_UNAUTHENTICATED,
	ERR_FORBIDDEN,
	ERR_NOT_FOUND,
	ERR_CONFLICT,
	ERR_LIMIT,
	ERR_EXPIRED,
	ERR_PENDING,
	/* ours */
	ERR_NOMEM,
	ERR_SYSTEM,
	ERR_CRYPTO,
	ERR_STORE,
	ERR_BUG,
};

/* Stable codes: OMEF-<number>. Each row of codes/<area>.def is a page of the error catalogue. */
enum code {
	CODE_NONE = 0,
#define CODE(symbol, number, kind, title, next) CODE_##symbol = number,
#include "base/codes/all.def"
#undef CODE
};

enum {
	WHY_CLAUSE_MAX = 48,
	WHY_TEXT_MAX = 320,
};

struct why {
	enum err kind;
	enum code code;
	const char *file; /* a literal: where it was raised */
	int line;
	char clause[WHY_CLAUSE_MAX]; /* "RFC 7030 4.2.1", or "" */
	char text[WHY_TEXT_MAX];     /* "field: want A, have B" */
	uint32_t retry_s;            /* when to try again, where somebody said so (RFC 9110 10.2.3); 0: nobody did */
};

#define MUST_CHECK __attribute__((warn_unused_result))

/*
 * Sets the reason unless one is set already; returns the kind that the code's row names, also when
 * an earlier reason is kept. Texts never hold secrets. What is no printable UTF-8 is replaced by
 * '?', so that a peer's bytes may be quoted.
 */
enum err why_set(struct why *why, enum code code, const char *clause, const char *file, int line,
	const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* Tells compilers and analyzers, which see one file at a time, that a reason is never OK. */
static inline enum err why_failed(enum err kind)
{
	return kind != OK ? kind : ERR_BUG;
}

#define WHY(why, code, clause, ...) \
	why_failed(why_set((why), CODE_##code, (clause), __FILE__, __LINE__, __VA_ARGS__))

/* Forwards the first failure to the caller. */
#define TRY(expr) \
	do { \
		enum err try_err_ = (expr); \
		if (try_err_ != OK) \
			return try_err_; \
	} while (0)

/*
 * Puts "place: " before the text of a failure, for callers that know a file's name which the reader of its
 * content does not. Returns err; OK, a NULL or empty place and a text that begins with it
 * change nothing; of a long place the end is kept.
 */
enum err why_within(enum err err, const char *place, struct why *why);

/* Forgets a reason that the caller has handled. */
void why_clear(struct why *why);

/* The catalogue row of a code; NULL for a number that has none. */
struct code_page {
	enum code code;
	enum err kind;
	const char *symbol;
	const char *title; /* what failed, one line */
	const char *next;  /* what to do about it, one or two sentences */
};
const struct code_page *code_find(int number);
const struct code_page *code_at(size_t index); /* NULL past the end */

const char *err_name(enum err kind); /* "FORBIDDEN" */

/*
 * "OMEF-1203: title: text (clause). Next: ..." on one line, for logs, bodies and terminals. A text that ends with
 * a next step of its own, as what another server said does, keeps that one. Returns the length written, always below
 * size; out is always terminated.
 */
size_t why_print(const struct why *why, char *out, size_t size);
