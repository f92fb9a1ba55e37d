#include "wire/doc_codec.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

enum { NUMBER_SIZE = 24 };

bool doc_same_name(const struct doc *a, const struct doc *b)
{
	return a && b && strcmp(a->name, b->name) == 0;
}

void doc_append(struct doc *parent, struct doc *field)
{
	struct doc *before = parent->last;

	if (!doc_same_name(before, field)) {
		struct doc *found = NULL;
		for (struct doc *f = parent->first; f; f = f->next)
			found = doc_same_name(f, field) ? f : found;
		before = found ? found : before;
	}
	field->next = before ? before->next : NULL;
	if (before)
		before->next = field;
	else
		parent->first = field;
	if (!field->next)
		parent->last = field;
}

bool doc_text_fits(struct span text)
{
	if (!text_is_utf8(text))
		return false;
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];
		if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
			return false;
		/* XML 1.0 2.2: U+FFFE and U+FFFF are no characters */
		if (c == 0xef && text.p[i + 1] == 0xbf && text.p[i + 2] >= 0xbe)
			return false;
	}
	return true;
}

enum err doc_no_room(const struct arena *arena, struct why *why)
{
	/* no request for a document's sake is larger than its longest text */
	if (arena->used + DOC_TEXT_MAX + sizeof(struct doc) >= arena->max)
		return WHY(why, DOC_LIMIT, "", "document: want one that takes up to %zu octets when read", arena->max);
	return WHY(why, NOMEM, "", "document");
}

enum err doc_read_field(struct doc_reading *r, struct doc *parent, size_t depth, struct span name,
	struct doc **out, struct why *why)
{
	if (depth > DOC_DEPTH_MAX)
		return WHY(why, DOC_LIMIT, "", "depth: want at most %d objects in each other", DOC_DEPTH_MAX);
	if (++r->fields > DOC_FIELDS_MAX)
		return WHY(why, DOC_LIMIT, "", "fields: want at most %d", DOC_FIELDS_MAX);
	if (name.n > DOC_NAME_MAX)
		return WHY(why, DOC_LIMIT, "", "name: want at most %d octets, have %zu", DOC_NAME_MAX, name.n);
	struct doc *field = arena_alloc(r->arena, sizeof(*field));
	char *copy = field ? arena_text(r->arena, name) : NULL;
	if (!copy)
		return doc_no_room(r->arena, why);
	field->name = copy;
	field->kind = DOC_OBJECT;
	doc_append(parent, field);
	*out = field;
	return OK;
}

enum err doc_read_text(struct doc_reading *r, struct doc *field, enum doc_kind kind, struct span text, struct why *why)
{
	if (text.n > DOC_TEXT_MAX)
		return WHY(why, DOC_LIMIT, "", "%s: want at most %d octets, have %zu", field->name, DOC_TEXT_MAX, text.n);
	if (!doc_text_fits(text))
		return WHY(why, DOC_SYNTAX, "", "%s: want text without control characters", field->name);
	char *copy = arena_text(r->arena, text);
	if (!copy)
		return doc_no_room(r->arena, why);
	field->kind = kind;
	field->text = span_of(copy, text.n);
	return OK;
}

enum err doc_parse(enum doc_form form, struct span in, struct arena *arena, struct doc **out, struct why *why)
{
	*out = NULL;
	if (in.n > DOC_BYTES_MAX)
		return WHY(why, DOC_LIMIT, "", "document: want at most %d octets, have %zu", DOC_BYTES_MAX, in.n);
	if (!text_is_utf8(in))
		return WHY(why, DOC_SYNTAX, "RFC 8259 8.1", "document: want UTF-8 without NUL");
	return form == DOC_XML ? doc_xml_parse(in, arena, out, why) : doc_json_parse(in, arena, out, why);
}

struct doc *doc_new(struct arena *arena, const char *name)
{
	struct doc *top = arena_alloc(arena, sizeof(*top));

	if (top) {
		top->name = name;
		top->kind = DOC_OBJECT;
	}
	return top;
}

static struct doc *put(struct arena *arena, struct doc *parent, const char *name, enum doc_kind kind)
{
	struct doc *field = parent ? doc_new(arena, name) : NULL;

	if (!field) {
		if (parent)
			parent->bad = true;
		return NULL;
	}
	field->kind = kind;
	doc_append(parent, field);
	return field;
}

static struct doc *put_text(struct arena *arena, struct doc *parent, const char *name, enum doc_kind kind, struct span text)
{
	struct doc *field = put(arena, parent, name, kind);
	char *copy = field ? arena_text(arena, text) : NULL;

	if (field)
		field->bad = !copy;
	if (copy)
		field->text = span_of(copy, text.n);
	return field;
}

struct doc *doc_put_object(struct arena *arena, struct doc *parent, const char *name, bool in_list)
{
	struct doc *field = put(arena, parent, name, DOC_OBJECT);

	if (field)
		field->in_list = in_list;
	return field;
}

void doc_put_text(struct arena *arena, struct doc *parent, const char *name, struct span value)
{
	put_text(arena, parent, name, DOC_TEXT, value);
}

void doc_put_list_text(struct arena *arena, struct doc *parent, const char *name, struct span value)
{
	struct doc *field = put_text(arena, parent, name, DOC_TEXT, value);

	if (field)
		field->in_list = true;
}

void doc_put_bool(struct arena *arena, struct doc *parent, const char *name, bool value)
{
	put_text(arena, parent, name, DOC_BOOL, span_text(value ? "true" : "false"));
}

static struct doc *put_number(struct arena *arena, struct doc *parent, const char *name, int64_t value)
{
	char text[NUMBER_SIZE];

	snprintf(text, sizeof(text), "%" PRId64, value);
	return put_text(arena, parent, name, DOC_NUMBER, span_text(text));
}

void doc_put_number(struct arena *arena, struct doc *parent, const char *name, int64_t value)
{
	put_number(arena, parent, name, value);
}

void doc_put_list_number(struct arena *arena, struct doc *parent, const char *name, int64_t value)
{
	struct doc *field = put_number(arena, parent, name, value);

	if (field)
		field->in_list = true;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* XML 1.0 2.3 has more; of those, nobody names a field. */
static bool is_xml_name(const char *name)
{
	struct span s = span_text(name);

	return s.n <= DOC_NAME_MAX && text_is_name(s, "._-") && is_letter(name[0]);
}

static enum err check_field(const struct doc *f, enum doc_form form, struct why *why)
{
	if (f->bad)
		return WHY(why, NOMEM, "", "document");
	if (form == DOC_XML && !is_xml_name(f->name))
		return WHY(why, DOC_SYNTAX, "", "name of a field: want letters, digits, . _ -, have '%s'", f->name);
	if (f->text.n > DOC_TEXT_MAX)
		return WHY(why, DOC_LIMIT, "", "%s: want at most %d octets, have %zu", f->name, DOC_TEXT_MAX, f->text.n);
	if (!doc_text_fits(f->text) || !doc_text_fits(span_text(f->name)))
		return WHY(why, DOC_SYNTAX, "", "%s: want UTF-8 without control characters", f->name);
	return OK;
}

static enum err check_tree(const struct doc *top, enum doc_form form, struct why *why)
{
	const struct doc *open[DOC_DEPTH_MAX] = {top};
	const struct doc *at = top->first;
	size_t depth = 1;

	TRY(top->bad ? WHY(why, NOMEM, "", "document") : OK);
	TRY(form == DOC_XML ? check_field(top, form, why) : OK);
	while (depth) {
		if (!at) {
			at = open[--depth]->next;
			continue;
		}
		TRY(check_field(at, form, why));
		if (at->first && depth == DOC_DEPTH_MAX)
			return WHY(why, DOC_LIMIT, "", "depth: want at most %d objects in each other", DOC_DEPTH_MAX);
		if (at->first)
			open[depth++] = at;
		at = at->first ? at->first : at->next;
	}
	return OK;
}

enum err doc_write(const struct doc *top, enum doc_form form, struct buf *out, struct why *why)
{
	size_t start = out->n;

	if (!top)
		return WHY(why, NOMEM, "", "document");
	TRY(check_tree(top, form, why));
	if (form == DOC_XML)
		doc_xml_write(top, out);
	else
		doc_json_write(top, out);
	TRY(buf_check(out, "document", why));
	if (out->n - start > DOC_BYTES_MAX)
		return WHY(why, DOC_LIMIT, "", "document: want at most %d octets, have %zu", DOC_BYTES_MAX, out->n - start);
	return OK;
}

const struct doc *doc_find(const struct doc *parent, const char *name)
{
	const struct doc *f = parent ? parent->first : NULL;

	while (f && strcmp(f->name, name) != 0)
		f = f->next;
	return f;
}

const struct doc *doc_again(const struct doc *field)
{
	return field && doc_same_name(field, field->next) ? field->next : NULL;
}

static const char *kind_name(const struct doc *f)
{
	switch (f->kind) {
	case DOC_TEXT:
		return "text";
	case DOC_NUMBER:
		return "a number";
	case DOC_BOOL:
		return "a truth value";
	case DOC_OBJECT:
		return "an object";
	case DOC_NULL:
		return "null";
	}
	return "nothing";
}

/* *found is NULL when there is none. */
static enum err find_one(const struct doc *parent, const char *name, const struct doc **found, struct why *why)
{
	const struct doc *f = doc_find(parent, name);

	*found = NULL;
	if (f && (f->in_list || doc_again(f)))
		return WHY(why, DOC_FIELD, "", "%s: want one value, have a list", name);
	if (f && f->kind != DOC_NULL)
		*found = f;
	return OK;
}

/* XML Schema part 2, 4.3.6: white space around truth values and numbers does not count. */
static struct span collapse(struct span s)
{
	while (s.n && s.p[0] <= ' ')
		s = span_from(s, 1);
	while (s.n && s.p[s.n - 1] <= ' ')
		s.n--;
	return s;
}

enum err doc_bool(const struct doc *parent, const char *name, bool *out, struct why *why)
{
	const struct doc *f = NULL;

	TRY(find_one(parent, name, &f, why));
	if (!f)
		return OK;
	struct span text = collapse(f->text);
	bool readable = f->kind == DOC_BOOL || f->kind == DOC_TEXT;
	/* TS-0003 8.3.2.1: True and False, with a capital */
	bool yes = span_is_nocase(text, "true") || span_is(text, "1");
	bool no = span_is_nocase(text, "false") || span_is(text, "0");
	if (!readable || (!yes && !no))
		return WHY(why, DOC_FIELD, "", "%s: want true or false, have %s", name, readable ? "another text" : kind_name(f));
	*out = yes;
	return OK;
}

static bool parse_number(struct span text, int64_t *out)
{
	bool negative = text.n && text.p[0] == '-';
	int64_t v = 0;

	text = span_from(text, negative);
	for (size_t i = 0; i < text.n; i++) {
		int digit = text.p[i] - '0';
		if (digit < 0 || digit > 9 || v < (INT64_MIN + digit) / 10)
			return false;
		v = v * 10 - digit; /* downwards, where there is room for one more */
	}
	if (text.n == 0 || (!negative && v == INT64_MIN))
		return false;
	*out = negative ? v : -v;
	return true;
}

enum err doc_number(const struct doc *parent, const char *name, int64_t min, int64_t max, int64_t *out, struct why *why)
{
	const struct doc *f = NULL;
	int64_t v = 0;

	TRY(find_one(parent, name, &f, why));
	if (!f)
		return OK;
	if ((f->kind != DOC_NUMBER && f->kind != DOC_TEXT) || !parse_number(collapse(f->text), &v))
		return WHY(why, DOC_FIELD, "", "%s: want a whole number, have %s", name,
			f->kind == DOC_TEXT || f->kind == DOC_NUMBER ? "another" : kind_name(f));
	if (v < min || v > max)
		return WHY(why, DOC_FIELD, "", "%s: want %" PRId64 " to %" PRId64 ", have %" PRId64, name, min, max, v);
	*out = v;
	return OK;
}

enum err doc_text(const struct doc *parent, const char *name, size_t max, const char **out, struct why *why)
{
	const struct doc *f = NULL;

	TRY(find_one(parent, name, &f, why));
	if (!f)
		return OK;
	if (f->kind != DOC_TEXT)
		return WHY(why, DOC_FIELD, "", "%s: want text, have %s", name, kind_name(f));
	if (f->text.n > max)
		return WHY(why, DOC_FIELD, "", "%s: want at most %zu octets, have %zu", name, max, f->text.n);
	*out = (const char *)f->text.p;
	return OK;
}
