#pragma once
/*
 * JSON values for what people and programs read (jansson inside). Building is sticky: a failure shows
 * once, at json_write.
 */
#include "base/buf.h"

struct json;

struct json *json_object_new(void); /* NULL without memory: every call below accepts that */
struct json *json_list_new(void);
void json_free(struct json *j);
void json_cleanup(struct json **j);
#define OWNED_JSON __attribute__((cleanup(json_cleanup)))

void json_put_text(struct json *object, const char *name, const char *value); /* NULL: JSON null */
void json_put_int(struct json *object, const char *name, int64_t value);
void json_put_bool(struct json *object, const char *name, bool value);
/* "2026-01-31T12:00:00Z"; 0 becomes null. */
void json_put_date(struct json *object, const char *name, int64_t unix_s);
void json_put(struct json *object, const char *name, struct json *value); /* takes value */
void json_add(struct json *list, struct json *value);                     /* takes value */
void json_add_text(struct json *list, const char *value);
/* Indented by two, keys in the order in which they were put, a newline at the end. */
MUST_CHECK enum err json_write(const struct json *j, struct buf *out, struct why *why);
