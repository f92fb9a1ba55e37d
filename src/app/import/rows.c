#include "app/import/rows.h"

#include "wire/doc.h"

#include <assert.h>

enum { RECORD_MAX = CSV_RECORD_MAX };
static_assert((int)RECORD_MAX == (int)DOC_BYTES_MAX, "one limit for both forms");

/* Names of the columns; lists stand behind the texts. */
enum { FIELDS_N = ROW_TEXTS_N + ROW_LISTS_N };
static const char *const field_names[FIELDS_N] = {
	[ROW_ID] = "id",
	[ROW_TYPE] = "type",
	[ROW_ENTITY] = "entity",
	[ROW_LABEL] = "label",
	[ROW_PROFILE] = "profile",
	[ROW_PSK_ID] = "psk_id",
	[ROW_PSK] = "psk",
	[ROW_EXPIRY] = "expiry",
	[ROW_TEXTS_N + ROW_CREDENTIALS] = "credential",
	[ROW_TEXTS_N + ROW_TARGETS] = "targets",
	[ROW_TEXTS_N + ROW_MAFS] = "mafs",
};

static int field_find(struct span name)
{
	for (int i = 0; i < FIELDS_N; i++) {
		if (span_is_nocase(name, field_names[i]))
			return i;
	}
	return -1;
}

void import_rows_fini(struct import_rows *r)
{
	buf_fini_wipe(&r->ahead);
}

/* ---- records */

static struct span ahead(const struct import_rows *r)
{
	return span_from(buf_span(&r->ahead), r->used);
}

static enum err fill(struct import_rows *r, struct why *why)
{
	size_t n = 0;

	buf_drop(&r->ahead, r->used);
	r->used = 0;
	uint8_t *room = buf_room(&r->ahead, ROWS_CHUNK);
	TRY(buf_check(&r->ahead, "rows", why));
	TRY(r->input.read(r->input.self, room, ROWS_CHUNK, &n, why));
	buf_grew(&r->ahead, n);
	r->ended = n == 0;
	return OK;
}

/* JSON Lines: a line end within a text is written \n, so a line is a record. */
static enum csv_end scan(const struct import_rows *r, size_t *length_out, size_t *lines_out)
{
	struct span all = ahead(r);

	if (r->form == ROWS_CSV)
		return csv_scan(all, length_out, lines_out);
	size_t n = span_find(all, '\n');
	*lines_out = n < all.n;
	*length_out = n + *lines_out;
	return n < all.n ? CSV_COMPLETE : CSV_UNFINISHED;
}

/* Passes over a line that is too long, as it comes. */
static enum err skip_line(struct import_rows *r, struct why *why)
{
	for (;;) {
		struct span all = ahead(r);
		size_t n = span_find(all, '\n');
		if (n < all.n) {
			r->used += n + 1;
			r->line++;
			return OK;
		}
		r->used += all.n;
		if (r->ended)
			return OK;
		TRY(fill(r, why));
	}
}

static enum rows_next too_long(struct import_rows *r, enum csv_end end, struct why *why)
{
	struct why failed = {0};

	/* Whether what follows is text or a row cannot be told: nothing of it may become an enrolee. */
	if (r->form == ROWS_CSV) {
		(void)WHY(why, IMPORT_LOST, "RFC 4180 2.5", "line %llu: %s within %d octets", (unsigned long long)r->line,
			end == CSV_OPEN_QUOTE ? "a quote is not closed" : "the row does not end", RECORD_MAX);
		return ROWS_FAILED;
	}
	if (skip_line(r, &failed) != OK) {
		*why = failed;
		return ROWS_FAILED;
	}
	(void)WHY(why, IMPORT_LIMIT, "", "row: want at most %d octets", RECORD_MAX);
	return ROWS_BAD;
}

/* The next record, empty lines passed over; it stays good until the next fill. */
static enum rows_next record(struct import_rows *r, struct span *out, uint64_t *line_out, struct why *why)
{
	for (;;) {
		size_t n = 0;
		size_t lines = 0;
		enum csv_end end = scan(r, &n, &lines);
		bool whole = end == CSV_COMPLETE || (r->ended && n);
		*line_out = r->line;
		if (n > RECORD_MAX || (r->ended && end == CSV_OPEN_QUOTE))
			return too_long(r, end, why);
		if (r->ended && !n)
			return ROWS_END;
		if (!whole && fill(r, why) != OK)
			return ROWS_FAILED;
		if (!whole)
			continue;
		*out = span_first(ahead(r), n);
		r->used += n;
		r->line += lines;
		if (out->n > 2 || !(span_is(*out, "\n") || span_is(*out, "\r\n") || span_is(*out, "\r")))
			return ROWS_ROW;
	}
}

/* ---- fields */

/*
 * A ';' parts two credentials only before a new KIND=: "key=sha-256;AbC" and "device=OID;VALUE" have one
 * themselves. Targets and MAFs have none.
 */
static bool starts_item(struct span rest)
{
	struct span name = span_first(rest, span_find(rest, '='));
	static const char *const kinds[] = {"device", "serial", "fqdn", "uri", "key", "cert"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (name.n < rest.n && span_is_nocase(span_trim(name), kinds[i]))
			return true;
	}
	return false;
}

static size_t item_length(struct span rest, enum row_list list)
{
	size_t n = span_find(rest, ';');

	while (n < rest.n && list == ROW_CREDENTIALS && !starts_item(span_from(rest, n + 1)))
		n += 1 + span_find(span_from(rest, n + 1), ';');
	return n;
}

static enum err add_item(struct row *out, enum row_list list, struct span item, struct arena *arena, struct why *why)
{
	const char *name = field_names[ROW_TEXTS_N + list];

	if (out->lists_n[list] == ROW_LIST_MAX)
		return WHY(why, IMPORT_LIMIT, "", "%s: want at most %d of them", name, ROW_LIST_MAX);
	const char *text = arena_text(arena, item);
	if (!text)
		return WHY(why, NOMEM, "", "%s", name);
	out->lists[list][out->lists_n[list]++] = text;
	return OK;
}

static enum err add_items(struct row *out, enum row_list list, struct span text, struct arena *arena, struct why *why)
{
	while (text.n) {
		struct span item = span_first(text, item_length(text, list));
		text = span_from(text, item.n + 1);
		item = span_trim(item);
		if (item.n)
			TRY(add_item(out, list, item, arena, why));
	}
	return OK;
}

/* A value of a column or field; text is terminated. */
static enum err put(struct row *out, int field, const char *text, struct arena *arena, struct why *why)
{
	if (field >= ROW_TEXTS_N)
		return add_items(out, (enum row_list)(field - ROW_TEXTS_N), span_text(text), arena, why);
	out->texts[field] = text;
	return OK;
}

static void row_init(struct row *out, uint64_t line)
{
	*out = (struct row){.line = line};
	for (size_t i = 0; i < ROW_TEXTS_N; i++)
		out->texts[i] = "";
}

static enum err parse_csv(const struct import_rows *r, struct span record, struct arena *arena, struct row *out, struct why *why)
{
	struct csv_fields fields = {0};

	TRY(csv_parse(record, arena, &fields, why));
	/* The id first: a refused row is told by it. */
	for (size_t i = 0; i < fields.n && i < r->columns_n; i++) {
		if (r->columns[i] == ROW_ID)
			out->texts[ROW_ID] = fields.items[i];
	}
	if (fields.n != r->columns_n)
		return WHY(why, IMPORT_CSV, "RFC 4180 2.4", "row: want %zu columns as in the header, have %zu", r->columns_n, fields.n);
	for (size_t i = 0; i < fields.n; i++)
		TRY(put(out, r->columns[i], fields.items[i], arena, why));
	return OK;
}

static enum err put_doc(struct row *out, const struct doc *field, bool *seen, struct arena *arena, struct why *why)
{
	int i = field_find(span_text(field->name));

	if (i < 0)
		return WHY(why, IMPORT_CSV, "", "field '%.60s': want id, type, entity, label, profile, credential, psk_id, psk, targets, mafs or expiry",
			field->name);
	bool again = seen[i];
	seen[i] = true;
	if (field->kind == DOC_NULL)
		return OK;
	if (field->kind != DOC_TEXT)
		return WHY(why, IMPORT_CSV, "", "%s: want text%s", field_names[i], i >= ROW_TEXTS_N ? " or a list of texts" : "");
	if (i >= ROW_TEXTS_N && field->in_list)
		return add_item(out, (enum row_list)(i - ROW_TEXTS_N), field->text, arena, why);
	if (again)
		return WHY(why, IMPORT_CSV, "", "%s: want it once", field_names[i]);
	/* doc.h: NUL-terminated behind its end; one within would hide the rest */
	if (span_find(field->text, 0) < field->text.n)
		return WHY(why, IMPORT_CSV, "", "%s: want text without NUL", field_names[i]);
	return put(out, i, (const char *)field->text.p, arena, why);
}

static enum err parse_json(struct span record, struct arena *arena, struct row *out, struct why *why)
{
	struct doc *doc = NULL;
	bool seen[FIELDS_N] = {0};

	TRY(doc_parse(DOC_JSON, record, arena, &doc, why));
	const struct doc *id = doc_find(doc, field_names[ROW_ID]);
	if (id && id->kind == DOC_TEXT)
		out->texts[ROW_ID] = (const char *)id->text.p;
	for (const struct doc *field = doc->first; field; field = field->next)
		TRY(put_doc(out, field, seen, arena, why));
	return OK;
}

/* ---- the whole */

static enum err take_header(struct import_rows *r, const struct csv_fields *names, struct why *why)
{
	bool seen[FIELDS_N] = {0};

	for (size_t i = 0; i < names->n; i++) {
		int field = field_find(span_trim(span_text(names->items[i])));
		if (field < 0)
			return WHY(why, IMPORT_HEADER, "", "column %zu: want id, type, entity, label, profile, credential, psk_id, psk, targets, mafs or expiry, have '%.60s'",
				i + 1, names->items[i]);
		if (seen[field])
			return WHY(why, IMPORT_HEADER, "", "column %zu: want '%s' once", i + 1, field_names[field]);
		seen[field] = true;
		r->columns[i] = field;
	}
	r->columns_n = names->n;
	for (int i = ROW_ID; i <= ROW_ENTITY; i++) {
		if (!seen[i])
			return WHY(why, IMPORT_HEADER, "", "want a column '%s', have none", field_names[i]);
	}
	return OK;
}

static enum err read_header(struct import_rows *r, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(ROW_ARENA_MAX);
	struct csv_fields names = {0};
	struct span first = {0};
	uint64_t line = 0;

	switch (record(r, &first, &line, why)) {
	case ROWS_ROW:
		TRY(csv_parse(first, &arena, &names, why));
		return take_header(r, &names, why);
	case ROWS_END:
		return WHY(why, IMPORT_HEADER, "", "want a header row such as id,type,entity,credential, have an empty file");
	case ROWS_BAD:
	case ROWS_FAILED:
		break;
	}
	return why->kind != OK ? why->kind : WHY(why, BUG, "", "header without reason");
}

enum err import_rows_begin(struct import_rows *r, enum rows_form form, const struct rows_input *input, struct why *why)
{
	*r = (struct import_rows){.form = form, .input = *input, .ahead = BUF(RECORD_MAX + 2 * ROWS_CHUNK), .line = 1};
	while (ahead(r).n < 3 && !r->ended)
		TRY(fill(r, why));
	/* Spreadsheets begin UTF-8 with a mark. */
	if (span_starts(ahead(r), "\xEF\xBB\xBF"))
		r->used = 3;
	return form == ROWS_CSV ? read_header(r, why) : OK;
}

enum rows_next import_rows_next(struct import_rows *r, struct arena *arena, struct row *out, struct why *why)
{
	struct span bytes = {0};
	uint64_t line = 0;

	enum rows_next next = record(r, &bytes, &line, why);
	row_init(out, line);
	if (next != ROWS_ROW)
		return next;
	enum err err = r->form == ROWS_CSV ? parse_csv(r, bytes, arena, out, why) : parse_json(bytes, arena, out, why);
	if (err == OK)
		return ROWS_ROW;
	return err > ERR_PENDING ? ROWS_FAILED : ROWS_BAD;
}
