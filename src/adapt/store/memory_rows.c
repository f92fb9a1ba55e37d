#include "adapt/store/memory_rows.h"

#include "base/mem.h"

#include <assert.h>

struct row *row_new(size_t room)
{
	struct row *row = mem_alloc(sizeof(*row) + room);

	if (row)
		row->room = room;
	return row;
}

void row_free(struct row *row)
{
	if (row)
		mem_wipe(row->bytes, row->room);
	mem_free(row);
}

size_t row_text_room(const char *text)
{
	return span_text(text).n + 1;
}

struct span row_bytes(struct row *row, struct span bytes)
{
	uint8_t *to = row->bytes + row->used;

	assert(bytes.n <= row->room - row->used);
	if (bytes.n)
		memcpy(to, bytes.p, bytes.n);
	row->used += bytes.n;
	return (struct span){to, bytes.n};
}

const char *row_text(struct row *row, const char *text)
{
	const char *copy = (const char *)row->bytes + row->used;

	row_bytes(row, span_text(text));
	row_bytes(row, span_of("", 1));
	return copy;
}

void rows_fini(struct rows *r)
{
	rows_undo(r, 0);
	for (size_t t = 0; t < ROWS_TABLES; t++) {
		for (size_t i = 0; i < r->tables[t].n; i++)
			row_free(r->tables[t].at[i]);
		mem_free(r->tables[t].at);
	}
	mem_free(r->log);
	*r = (struct rows){0};
}

static int compare(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n ? memcmp(a.p, b.p, n) : 0;

	return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* First index whose key compares to `key` as `least` or more: 0 not below, 1 above. */
static size_t bound(const struct rows *r, enum rows_table table, struct span key, int least)
{
	size_t low = 0;
	size_t high = r->tables[table].n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(r->tables[table].at[middle]->key, key);
		if (order < 0 || (order == 0 && least > 0))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t rows_seek(const struct rows *r, enum rows_table table, struct span key)
{
	return bound(r, table, key, 0);
}

size_t rows_after(const struct rows *r, enum rows_table table, struct span key)
{
	return bound(r, table, key, 1);
}

struct row *rows_find(const struct rows *r, enum rows_table table, struct span key)
{
	size_t i = rows_seek(r, table, key);

	if (i == r->tables[table].n || !span_equal(r->tables[table].at[i]->key, key))
		return NULL;
	return r->tables[table].at[i];
}

static bool grow(void **array, size_t *cap, size_t n, size_t size)
{
	if (n < *cap)
		return true;
	size_t want = *cap ? *cap * 2 : 16;
	void *more = mem_resize(*array, want * size);
	if (!more)
		return false;
	*array = more;
	*cap = want;
	return true;
}

/* Needs no memory: the way back of a change always fits where the change came from. */
static void replace(struct rows *r, enum rows_table table, const struct row *out, struct row *in)
{
	struct row **at = r->tables[table].at;
	size_t *n = &r->tables[table].n;
	/* cppcheck-suppress nullPointerRedundantCheck; one of the two is always given */
	size_t i = rows_seek(r, table, out ? out->key : in->key);

	if (out && in) {
		at[i] = in;
	} else if (in) {
		memmove(at + i + 1, at + i, (*n - i) * sizeof(*at));
		at[i] = in;
		(*n)++;
	} else {
		(*n)--;
		memmove(at + i, at + i + 1, (*n - i) * sizeof(*at));
	}
}

enum err rows_change(struct rows *r, enum rows_table table, struct row *out, struct row *in,
	struct why *why)
{
	void *rows = r->tables[table].at;
	void *log = r->log;
	bool fits = grow(&rows, &r->tables[table].cap, r->tables[table].n, sizeof(struct row *));

	r->tables[table].at = rows;
	fits = fits && grow(&log, &r->log_cap, r->log_n, sizeof(*r->log));
	r->log = log;
	if (!fits) {
		row_free(in);
		return WHY(why, NOMEM, "", "store: no room for another row");
	}
	assert(!out || !in || span_equal(out->key, in->key));
	replace(r, table, out, in);
	r->log[r->log_n++] = (struct rows_change){table, out, in};
	return OK;
}

void rows_undo(struct rows *r, size_t log_n)
{
	while (r->log_n > log_n) {
		struct rows_change *c = &r->log[--r->log_n];
		replace(r, c->table, c->in, c->out);
		row_free(c->in);
	}
}

void rows_keep(struct rows *r)
{
	for (size_t i = 0; i < r->log_n; i++)
		row_free(r->log[i].out);
	r->log_n = 0;
}
