#include "wire/json.h"

#include "base/date.h"
#include "base/mem.h"

#include <jansson.h>

struct json {
	json_t *value;
	bool bad;
};

static struct json *wrap(json_t *value)
{
	struct json *j = value ? mem_alloc(sizeof(*j)) : NULL;

	if (!j) {
		json_decref(value);
		return NULL;
	}
	j->value = value;
	return j;
}

struct json *json_object_new(void)
{
	return wrap(json_object());
}

struct json *json_list_new(void)
{
	return wrap(json_array());
}

void json_free(struct json *j)
{
	if (!j)
		return;
	json_decref(j->value);
	mem_free(j);
}

void json_cleanup(struct json **j)
{
	json_free(*j);
}

static void put(struct json *object, const char *name, json_t *value)
{
	if (!object) {
		json_decref(value);
		return;
	}
	if (json_object_set_new(object->value, name, value) != 0)
		object->bad = true;
}

void json_put_text(struct json *object, const char *name, const char *value)
{
	put(object, name, value ? json_string(value) : json_null());
}

void json_put_int(struct json *object, const char *name, int64_t value)
{
	put(object, name, json_integer(value));
}

void json_put_bool(struct json *object, const char *name, bool value)
{
	put(object, name, json_boolean(value));
}

void json_put_date(struct json *object, const char *name, int64_t unix_s)
{
	char text[DATE_TEXT_SIZE];

	date_text(unix_s, text);
	json_put_text(object, name, unix_s ? text : NULL);
}

/* The inner value, with the wrapper gone; NULL keeps the stickiness through json_object_set_new. */
static json_t *unwrap(struct json *j)
{
	if (!j)
		return NULL;
	json_t *value = j->bad ? NULL : json_incref(j->value);
	json_free(j);
	return value;
}

void json_put(struct json *object, const char *name, struct json *value)
{
	put(object, name, unwrap(value));
}

static void add(struct json *list, json_t *value)
{
	if (!list) {
		json_decref(value);
		return;
	}
	if (json_array_append_new(list->value, value) != 0)
		list->bad = true;
}

void json_add(struct json *list, struct json *value)
{
	add(list, unwrap(value));
}

void json_add_text(struct json *list, const char *value)
{
	add(list, json_string(value));
}

static int take(const char *text, size_t n, void *out)
{
	buf_put(out, text, n);
	return ((struct buf *)out)->bad ? -1 : 0;
}

enum err json_write(const struct json *j, struct buf *out, struct why *why)
{
	if (!j || j->bad)
		return WHY(why, NOMEM, "", "JSON value");
	if (json_dump_callback(j->value, take, out, JSON_INDENT(2) | JSON_PRESERVE_ORDER) != 0)
		return WHY(why, BUF_LIMIT, "", "JSON: want at most %zu bytes", out->max);
	buf_put_u8(out, '\n');
	return buf_check(out, "JSON", why);
}
