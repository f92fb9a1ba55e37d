#pragma once
/* How symmetric keys are told to people and programs: what they are and how long, never the key. */
#include "app/openmef/place.h"

enum { KEY_ENDS_SIZE = 40 };

const char *key_word(enum symkey_kind kind); /* "kpm"; NULL for rows that are no key of their own */
/* --kind; 0 where it is not given. ERR_SYNTAX: usage. */
MUST_CHECK enum err key_kind_option(const struct cli *cli, enum symkey_kind *out, struct why *why);
struct json *key_json(const struct symkey *k);
/* "2026-01-31T12:00:00Z", "never", or the date and that it is over. */
const char *key_ends(const struct symkey *k, int64_t now_s, char out[KEY_ENDS_SIZE]);
