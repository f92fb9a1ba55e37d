#pragma once
/* The table behind conf.h: every key once, with its place, type, default, bounds and comment. */
#include "app/conf/conf.h"

struct conf_key;

/* base: struct conf, struct profile or struct est_label, as the section says. */
typedef enum err (*conf_set)(void *base, const struct conf_key *key, struct span value, struct why *why);
typedef void (*conf_show)(const void *base, const struct conf_key *key, struct buf *out);

struct conf_type {
	conf_set set;
	conf_show show;
};

struct conf_key {
	const char *section;
	const char *name;
	const struct conf_type *type;
	size_t offset;
	size_t size;
	uint64_t min, max;
	const char *value; /* default as text; NULL: must be given */
	const char *comment;
};

extern const struct conf_key conf_schema[];
extern const size_t conf_schema_n;

const struct conf_key *conf_key_find(struct span section, struct span name);
/* Sets every key of that section to its default; keys without one stay as they are. */
void conf_section_defaults(const char *section, void *base);

/* types.c */
extern const struct conf_type conf_type_text;
extern const struct conf_type conf_type_number; /* unsigned int */
extern const struct conf_type conf_type_size;   /* int64_t, plain number */
extern const struct conf_type conf_type_duration;
extern const struct conf_type conf_type_yes_no;
extern const struct conf_type conf_type_log_level;
extern const struct conf_type conf_type_role;
extern const struct conf_type conf_type_pairs; /* struct conf_pairs */
extern const struct conf_type conf_type_linking;
extern const struct conf_type conf_type_keygen;
extern const struct conf_type conf_type_attrs;
extern const struct conf_type conf_type_ask_subject;
extern const struct conf_type conf_type_hold;
extern const struct conf_type conf_type_issuer_kind;
extern const struct conf_type conf_type_proxy_protocol;
/* types_pki.c: lists of profiles, labels and listeners */
extern const struct conf_type conf_type_behind_proxy;
extern const struct conf_type conf_type_networks; /* struct conf_networks */
extern const struct conf_type conf_type_https;
extern const struct conf_type conf_type_http;
extern const struct conf_type conf_type_profile_keys;
extern const struct conf_type conf_type_key_usage;
extern const struct conf_type conf_type_profile_ekus;
extern const struct conf_type conf_type_label_ekus;
extern const struct conf_type conf_type_san_kinds;
extern const struct conf_type conf_type_suffixes;
extern const struct conf_type conf_type_challenge;
extern const struct conf_type conf_type_ask_key;

/* Walks "a, b c": items parted by commas and blanks. False at the end. */
bool conf_list_next(struct span *rest, struct span *item);
