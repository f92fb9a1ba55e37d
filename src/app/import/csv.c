#include "app/import/csv.h"

#include "base/text.h"

/* Where the scanner stands in a field. */
enum place { AT_START, IN_PLAIN, IN_QUOTED, BEHIND_QUOTE };

static enum place step(enum place place, uint8_t c)
{
	switch (place) {
	case AT_START:
		return c == '"' ? IN_QUOTED : c == ',' ? AT_START : IN_PLAIN;
	case IN_PLAIN:
		return c == ',' ? AT_START : IN_PLAIN;
	case IN_QUOTED:
		return c == '"' ? BEHIND_QUOTE : IN_QUOTED;
	case BEHIND_QUOTE: /* RFC 4180 2.7: a second one is part of the text */
		return c == '"' ? IN_QUOTED : c == ',' ? AT_START : IN_PLAIN;
	}
	return IN_PLAIN;
}

enum csv_end csv_scan(struct span in, size_t *length_out, size_t *lines_out)
{
	enum place place = AT_START;

	*lines_out = 0;
	for (size_t i = 0; i < in.n; i++) {
		bool line_end = in.p[i] == '\n';
		*lines_out += line_end;
		*length_out = i + 1;
		if (line_end && place != IN_QUOTED)
			return CSV_COMPLETE;
		place = step(place, in.p[i]);
	}
	*length_out = in.n;
	return place == IN_QUOTED ? CSV_OPEN_QUOTE : CSV_UNFINISHED;
}

static struct span without_line_end(struct span s)
{
	if (s.n && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

/* RFC 4180 2.7: a quote within a quoted field is written twice. Reads from behind the opening quote. */
static enum err take_quoted(struct span *rest, size_t column, struct arena *arena, const char **out, struct why *why)
{
	size_t end = 0;
	size_t n = 0;

	while (end < rest->n && (rest->p[end] != '"' || (end + 1 < rest->n && rest->p[end + 1] == '"')))
		end += rest->p[end] == '"' ? 2 : 1;
	if (end >= rest->n)
		return WHY(why, IMPORT_CSV, "RFC 4180 2.5", "column %zu: want a closing quote", column);
	char *text = arena_alloc(arena, end + 1);
	if (!text)
		return WHY(why, NOMEM, "", "column %zu", column);
	for (size_t i = 0; i < end; i += rest->p[i] == '"' ? 2 : 1)
		text[n++] = (char)rest->p[i];
	*rest = span_from(*rest, end + 1);
	if (rest->n && rest->p[0] != ',')
		return WHY(why, IMPORT_CSV, "RFC 4180 2.5", "column %zu: want a comma or the end behind the closing quote", column);
	*out = text;
	return OK;
}

static enum err take_plain(struct span *rest, size_t column, struct arena *arena, const char **out, struct why *why)
{
	struct span field = span_first(*rest, span_find(*rest, ','));

	/* RFC 4180 2.5: in a field that is not quoted there is no quote; 2.6: and no line end */
	if (span_find(field, '"') < field.n || span_find(field, '\r') < field.n)
		return WHY(why, IMPORT_CSV, "RFC 4180 2.6", "column %zu: a field with quotes or line ends stands in quotes", column);
	*rest = span_from(*rest, field.n);
	*out = arena_text(arena, field);
	return *out ? OK : WHY(why, NOMEM, "", "column %zu", column);
}

static enum err take_field(struct span *rest, size_t column, struct arena *arena, const char **out, struct why *why)
{
	if (rest->n && rest->p[0] == '"') {
		*rest = span_from(*rest, 1);
		return take_quoted(rest, column, arena, out, why);
	}
	return take_plain(rest, column, arena, out, why);
}

enum err csv_parse(struct span record, struct arena *arena, struct csv_fields *out, struct why *why)
{
	struct span rest = without_line_end(record);

	out->n = 0;
	if (record.n > CSV_RECORD_MAX)
		return WHY(why, IMPORT_LIMIT, "", "row: want at most %d octets, have %zu", CSV_RECORD_MAX, record.n);
	if (rest.n && !text_is_utf8(rest))
		return WHY(why, IMPORT_CSV, "", "row: want UTF-8 text");
	for (;;) {
		if (out->n == CSV_FIELDS_MAX)
			return WHY(why, IMPORT_LIMIT, "", "row: want at most %d columns", CSV_FIELDS_MAX);
		TRY(take_field(&rest, out->n + 1, arena, &out->items[out->n], why));
		out->n++;
		if (!rest.n)
			return OK;
		rest = span_from(rest, 1); /* the comma */
	}
}
