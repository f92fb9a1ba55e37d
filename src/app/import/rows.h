#pragma once
/*
 * The rows of an enrolee list, one after another in bounded memory: CSV with a header row, or JSON Lines
 * (one object a line, the same names). Lists are parted by ';' in a text; JSON may also give an array.
 */
#include "app/import/csv.h"
#include "base/buf.h"

enum {
	ROW_LIST_MAX = 16,
	ROW_ARENA_MAX = 512 * 1024, /* one row in pieces */
	ROWS_CHUNK = 16 * 1024,
};

enum rows_form { ROWS_CSV = 1, ROWS_JSONL };

enum row_text { ROW_ID, ROW_TYPE, ROW_ENTITY, ROW_LABEL, ROW_PROFILE, ROW_PSK_ID, ROW_PSK, ROW_EXPIRY, ROW_TEXTS_N };
enum row_list { ROW_CREDENTIALS, ROW_TARGETS, ROW_MAFS, ROW_LISTS_N };

struct row {
	uint64_t line;                  /* where it starts, from 1 */
	const char *texts[ROW_TEXTS_N]; /* "" where nothing is given */
	const char *lists[ROW_LISTS_N][ROW_LIST_MAX];
	size_t lists_n[ROW_LISTS_N];
};

/* Appends some of what follows to out (at most n octets); nothing at the end. */
struct rows_input {
	void *self;
	enum err (*read)(void *self, uint8_t *out, size_t n, size_t *n_out, struct why *why);
};

struct import_rows {
	enum rows_form form;
	struct rows_input input;
	struct buf ahead;
	size_t used;         /* octets of ahead that are behind us */
	uint64_t line;       /* of the next record */
	bool ended;
	int columns[CSV_FIELDS_MAX]; /* CSV: what each column is */
	size_t columns_n;
};

#define OWNED_IMPORT_ROWS __attribute__((cleanup(import_rows_fini)))
void import_rows_fini(struct import_rows *r); /* wipes: rows hold keys */
/* Reads the header row of CSV. ERR_SYNTAX, ERR_LIMIT, and what input gives. */
MUST_CHECK enum err import_rows_begin(struct import_rows *r, enum rows_form form, const struct rows_input *input, struct why *why);

enum rows_next {
	ROWS_ROW = 1, /* one row in out */
	ROWS_BAD,     /* this row is no row; out->line tells where, why tells what. The next one can be read */
	ROWS_END,     /* there is no more */
	ROWS_FAILED,  /* input failed, or where rows end can no longer be told */
};
/* Texts live in the arena, which the caller clears between rows. Passes over empty lines. */
enum rows_next import_rows_next(struct import_rows *r, struct arena *arena, struct row *out, struct why *why);
