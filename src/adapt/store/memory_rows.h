#pragma once
/*
 * Rows of the memory store. A row never changes once it is in: every write replaces one row by
 * another, and the log of replacements is what undo walks back.
 */
#include "port/store.h"

enum rows_table {
	ROWS_ENROLEE,    /* key: id */
	ROWS_CREDENTIAL, /* key: kind, value, NUL, anchor */
	ROWS_ISSUED,     /* key: serial */
	ROWS_REVISION,   /* one row; of revocations */
	ROWS_SYMKEY,     /* key: kind, id */
	ROWS_PREFS,      /* key: scope, key */
	ROWS_TOKEN,      /* key: id */
	ROWS_REQUEST,    /* key: id */
	ROWS_CRL,        /* key: CA */
	ROWS_SECRET,     /* key: name */
	ROWS_AUDIT,      /* key: seq, big-endian */
	ROWS_TABLES,
};

struct row {
	struct span key;
	union {
		struct enrolee enrolee;
		struct {
			struct credential c;
			const char *enrolee_id;
		} credential;
		struct issued issued;
		uint64_t revision;
		struct symkey symkey;
		struct span prefs;
		struct token token;
		struct request request;
		struct crl_row crl;
		struct span secret;
		struct audit_row audit;
	};
	size_t used, room;
	uint8_t bytes[];
};

struct rows_change {
	enum rows_table table;
	struct row *out, *in; /* one of them may be NULL */
};

struct rows {
	struct {
		struct row **at; /* in key order */
		size_t n, cap;
	} tables[ROWS_TABLES];
	struct rows_change *log;
	size_t log_n, log_cap;
};

void rows_fini(struct rows *r);

/* room: octets that row_text and row_bytes will take. NULL without memory. */
struct row *row_new(size_t room);
void row_free(struct row *row);
size_t row_text_room(const char *text);
const char *row_text(struct row *row, const char *text);
struct span row_bytes(struct row *row, struct span bytes);

/* Index of the first row whose key is not below. */
size_t rows_seek(const struct rows *r, enum rows_table table, struct span key);
/* Index of the first row whose key is above. */
size_t rows_after(const struct rows *r, enum rows_table table, struct span key);
struct row *rows_find(const struct rows *r, enum rows_table table, struct span key);
/* Takes `in` (NULL: none) and puts it in the place of `out` (NULL: none; else of the same key). ERR_NOMEM: nothing changed. */
MUST_CHECK enum err rows_change(struct rows *r, enum rows_table table, struct row *out,
	struct row *in, struct why *why);
/* Walks the log back to that length. */
void rows_undo(struct rows *r, size_t log_n);
/* Forgets the log. */
void rows_keep(struct rows *r);
