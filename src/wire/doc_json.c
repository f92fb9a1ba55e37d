#include "wire/doc_codec.h"

#include "base/json_text.h"

#include <jansson.h>
#include <stdio.h>

enum { LEVELS = 2 * DOC_DEPTH_MAX + 2, NUMBER_SIZE = 40 };

/* An object or an array that is being walked. */
struct level {
	json_t *value;
	void *at;          /* of an object: jansson's iterator */
	size_t index;      /* of an array */
	struct doc *owner; /* what its members are put below */
	size_t depth;      /* of the owner */
	struct span name;  /* of an array: its members' name */
};

static void json_release(json_t **value)
{
	json_decref(*value);
}

static bool level_next(struct level *l, struct span *name, json_t **value)
{
	if (json_is_array(l->value)) {
		*name = l->name;
		*value = json_array_get(l->value, l->index++);
		return *value != NULL;
	}
	if (!l->at)
		return false;
	*name = span_text(json_object_iter_key(l->at));
	*value = json_object_iter_value(l->at);
	l->at = json_object_iter_next(l->value, l->at);
	return true;
}

static enum err read_leaf(struct doc_reading *r, struct doc *field, json_t *value, struct why *why)
{
	char number[NUMBER_SIZE];

	switch (json_typeof(value)) {
	case JSON_STRING:
		return doc_read_text(r, field, DOC_TEXT, span_of(json_string_value(value), json_string_length(value)), why);
	case JSON_INTEGER:
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return doc_read_text(r, field, DOC_NUMBER, span_text(number), why);
	case JSON_REAL:
		/* nobody asks for one; kept so that an unknown field may be one */
		snprintf(number, sizeof(number), "%.17g", json_real_value(value));
		return doc_read_text(r, field, DOC_NUMBER, span_text(number), why);
	case JSON_TRUE:
	case JSON_FALSE:
		return doc_read_text(r, field, DOC_BOOL, span_text(json_is_true(value) ? "true" : "false"), why);
	case JSON_NULL:
		return doc_read_text(r, field, DOC_NULL, span_text(""), why);
	case JSON_OBJECT:
	case JSON_ARRAY:
		break;
	}
	return WHY(why, BUG, "", "JSON value");
}

/* One member: an array or object is pushed at `up`, *pushed tells. */
static enum err read_member(struct doc_reading *r, const struct level *l, struct span name, json_t *value,
	struct level *up, bool *pushed, struct why *why)
{
	struct doc *field = NULL;

	*pushed = false;
	if (json_is_array(value)) {
		if (json_is_array(l->value))
			return WHY(why, DOC_SYNTAX, "", "%.*s: want no list in a list", SPAN_FMT(span_first(name, DOC_NAME_MAX)));
		*up = (struct level){.value = value, .owner = l->owner, .depth = l->depth, .name = name};
		*pushed = true;
		return OK;
	}
	TRY(doc_read_field(r, l->owner, l->depth, name, &field, why));
	if (!doc_text_fits(name))
		return WHY(why, DOC_SYNTAX, "", "name of a field: want text without control characters");
	field->in_list = json_is_array(l->value);
	if (!json_is_object(value))
		return read_leaf(r, field, value, why);
	field->text = span_text("");
	*up = (struct level){.value = value, .at = json_object_iter(value), .owner = field, .depth = l->depth + 1};
	*pushed = true;
	return OK;
}

static enum err read_all(json_t *value, struct doc *top, struct arena *arena, struct why *why)
{
	struct doc_reading r = {.arena = arena};
	struct level levels[LEVELS] = {{.value = value, .at = json_object_iter(value), .owner = top, .depth = 1}};
	size_t n = 1;

	while (n) {
		struct span name = {NULL, 0};
		json_t *member = NULL;
		bool pushed = false;
		if (!level_next(&levels[n - 1], &name, &member)) {
			n--;
			continue;
		}
		if (n == LEVELS)
			return WHY(why, DOC_LIMIT, "", "depth: want at most %d objects in each other", DOC_DEPTH_MAX);
		TRY(read_member(&r, &levels[n - 1], name, member, &levels[n], &pushed, why));
		n += pushed;
	}
	return OK;
}

/* What jansson says, without the input that it quotes. */
static enum err bad_json(const json_error_t *error, struct why *why)
{
	const char *quote = strstr(error->text, " near '");
	size_t n = quote ? (size_t)(quote - error->text) : strlen(error->text);

	return WHY(why, DOC_SYNTAX, "RFC 8259 2", "line %d, column %d: %.*s", error->line, error->column, (int)n, error->text);
}

enum err doc_json_parse(struct span in, struct arena *arena, struct doc **out, struct why *why)
{
	json_error_t error = {0};
	/* RFC 8259 4: what a doubled name means is open, so two readers could disagree */
	json_t *value __attribute__((cleanup(json_release))) =
		json_loadb((const char *)in.p, in.n, JSON_REJECT_DUPLICATES, &error);

	if (!value)
		return bad_json(&error, why);
	if (!json_is_object(value))
		return WHY(why, DOC_SYNTAX, "", "document: want a JSON object");
	struct doc *top = doc_new(arena, "");
	if (!top)
		return doc_no_room(arena, why);
	TRY(read_all(value, top, arena, why));
	*out = top;
	return OK;
}

struct json_pen {
	struct buf *out;
	const struct doc *open[DOC_DEPTH_MAX + 1];
	bool listed[DOC_DEPTH_MAX + 1]; /* an array is open among that object's members */
	size_t depth;
};

static void begin_member(struct json_pen *pen, const struct doc *f)
{
	bool *listed = &pen->listed[pen->depth - 1];

	if (f != pen->open[pen->depth - 1]->first)
		buf_put_u8(pen->out, ',');
	if (*listed)
		return;
	json_text_write(pen->out, span_text(f->name));
	buf_put_u8(pen->out, ':');
	if (f->in_list || doc_again(f)) {
		buf_put_u8(pen->out, '[');
		*listed = true;
	}
}

static void end_member(struct json_pen *pen, const struct doc *f)
{
	bool *listed = &pen->listed[pen->depth - 1];

	if (*listed && !doc_again(f)) {
		buf_put_u8(pen->out, ']');
		*listed = false;
	}
}

static void write_leaf(struct buf *out, const struct doc *f)
{
	if (f->kind == DOC_TEXT)
		json_text_write(out, f->text);
	else if (f->kind == DOC_NULL)
		buf_put_text(out, "null");
	else if (f->kind == DOC_OBJECT)
		buf_put_text(out, "{}");
	else
		buf_put_span(out, f->text);
}

void doc_json_write(const struct doc *top, struct buf *out)
{
	struct json_pen pen = {.out = out, .open = {top}, .depth = 1};
	const struct doc *at = top->first;

	buf_put_u8(out, '{');
	while (pen.depth) {
		if (!at) {
			buf_put_u8(out, '}');
			at = pen.open[--pen.depth];
			if (pen.depth)
				end_member(&pen, at);
			at = pen.depth ? at->next : NULL;
			continue;
		}
		begin_member(&pen, at);
		if (at->first) {
			buf_put_u8(out, '{');
			pen.open[pen.depth++] = at;
			at = at->first;
			continue;
		}
		write_leaf(out, at);
		end_member(&pen, at);
		at = at->next;
	}
}
