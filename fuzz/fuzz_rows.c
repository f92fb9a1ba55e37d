/* Lists of enrolees: CSV (first octet even) and JSON Lines (odd), read in pieces; keys as text. */
#include "app/import/key_text.h"
#include "app/import/rows.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct pieces {
	struct span rest;
	size_t step;
};

static enum err read_piece(void *self, uint8_t *out, size_t n, size_t *n_out, struct why *why)
{
	struct pieces *p = self;
	struct span piece = span_first(p->rest, p->step < n ? p->step : n);

	if (piece.n)
		memcpy(out, piece.p, piece.n);
	p->rest = span_from(p->rest, piece.n);
	*n_out = piece.n;
	return OK;
}

static void look_at(const struct row *row)
{
	for (size_t i = 0; i < ROW_TEXTS_N; i++)
		assert(row->texts[i] && strlen(row->texts[i]) <= CSV_RECORD_MAX);
	for (size_t i = 0; i < ROW_LISTS_N; i++) {
		assert(row->lists_n[i] <= ROW_LIST_MAX);
		for (size_t k = 0; k < row->lists_n[i]; k++)
			assert(row->lists[i][k]);
	}
}

/* What is read does not depend on how it comes: the sum over all rows. */
static size_t read_all(enum rows_form form, struct span text, size_t step)
{
	struct pieces pieces = {text, step};
	struct rows_input input = {&pieces, read_piece};
	OWNED_IMPORT_ROWS struct import_rows rows = {0};
	struct why why = {0};
	size_t sum = 0;
	uint64_t line = 0;

	enum err err = import_rows_begin(&rows, form, &input, &why);
	for (bool more = err == OK; more;) {
		OWNED_ARENA struct arena arena = ARENA(ROW_ARENA_MAX);
		struct row row = {0};
		struct why cause = {0};
		enum rows_next next = import_rows_next(&rows, &arena, &row, &cause);
		more = next == ROWS_ROW || next == ROWS_BAD;
		assert(next == ROWS_ROW || next == ROWS_END || cause.code);
		assert(!more || row.line > line);
		line = row.line;
		sum = sum * 31 + (size_t)next + (size_t)cause.code;
		if (next == ROWS_ROW)
			look_at(&row);
	}
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWNED_SECRET struct secret key = {0};
	struct why why = {0};

	if (!size)
		return 0;
	struct span text = span_of(data + 1, size - 1);
	enum rows_form form = data[0] % 2 ? ROWS_JSONL : ROWS_CSV;
	assert(read_all(form, text, 1 + data[0]) == read_all(form, text, SIZE_MAX));
	if (key_text_parse(text, data[0] % 4, &key, &why) == OK)
		assert(key.n >= KEY_TEXT_MIN && key.n <= KEY_TEXT_MAX);
	return 0;
}
