#include "app/conf/schema.h"

#include "base/text.h"

static void *field_of(void *base, const struct conf_key *key)
{
	return (uint8_t *)base + key->offset;
}

static const void *field_in(const void *base, const struct conf_key *key)
{
	return (const uint8_t *)base + key->offset;
}

static enum err text_set(void *base, const struct conf_key *key, struct span value, struct why *why)
{
	if (value.n < key->min || value.n > key->max || !text_copy(field_of(base, key), key->size, value))
		return WHY(why, CONF_VALUE, "", "want %llu to %llu characters, have %zu",
			(unsigned long long)key->min, (unsigned long long)key->max, value.n);
	return OK;
}

static void text_show(const void *base, const struct conf_key *key, struct buf *out)
{
	buf_put_text(out, field_in(base, key));
}

const struct conf_type conf_type_text = {text_set, text_show};

static enum err number_set(void *base, const struct conf_key *key, struct span value, struct why *why)
{
	uint64_t v = 0;

	TRY(text_number(value, key->min, key->max, key->name, &v, why));
	*(unsigned int *)field_of(base, key) = (unsigned int)v;
	return OK;
}

static void number_show(const void *base, const struct conf_key *key, struct buf *out)
{
	buf_put_fmt(out, "%u", *(const unsigned int *)field_in(base, key));
}

const struct conf_type conf_type_number = {number_set, number_show};

static enum err size_set(void *base, const struct conf_key *key, struct span value, struct why *why)
{
	uint64_t v = 0;

	TRY(text_number(value, key->min, key->max, key->name, &v, why));
	*(int64_t *)field_of(base, key) = (int64_t)v;
	return OK;
}

static void size_show(const void *base, const struct conf_key *key, struct buf *out)
{
	buf_put_fmt(out, "%lld", (long long)*(const int64_t *)field_in(base, key));
}

const struct conf_type conf_type_size = {size_set, size_show};

static enum err duration_set(void *base, const struct conf_key *key, struct span value, struct why *why)
{
	int64_t v = 0;

	TRY(text_duration(value, key->name, &v, why));
	if ((uint64_t)v < key->min || (uint64_t)v > key->max)
		return WHY(why, CONF_VALUE, "", "%s: want %llu s to %llu s, have %lld s", key->name,
			(unsigned long long)key->min, (unsigned long long)key->max, (long long)v);
	*(int64_t *)field_of(base, key) = v;
	return OK;
}

static void duration_show(const void *base, const struct conf_key *key, struct buf *out)
{
	static const struct {
		const char *name;
		int64_t seconds;
	} units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
	int64_t v = *(const int64_t *)field_in(base, key);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (v % units[i].seconds == 0 && v >= units[i].seconds) {
			buf_put_fmt(out, "%lld%s", (long long)(v / units[i].seconds), units[i].name);
			return;
		}
	}
	buf_put_text(out, "0");
}

const struct conf_type conf_type_duration = {duration_set, duration_show};

static enum err bool_set(void *base, const struct conf_key *key, struct span value, struct why *why)
{
	bool yes = span_is_nocase(value, "yes") || span_is_nocase(value, "true") || span_is_nocase(value, "on");
	bool no = span_is_nocase(value, "no") || span_is_nocase(value, "false") || span_is_nocase(value, "off");

	if (!yes && !no)
		return WHY(why, CONF_VALUE, "", "%s: want yes or no, have '%.*s'", key->name,
			SPAN_FMT(span_first(value, 40)));
	*(bool *)field_of(base, key) = yes;
	return OK;
}

static void bool_show(const void *base, const struct conf_key *key, struct buf *out)
{
	buf_put_text(out, *(const bool *)field_in(base, key) ? "yes" : "no");
}

const struct conf_type conf_type_yes_no = {bool_set, bool_show};

static const char *const levels[] = {"debug", "info", "warn", "error"};

static enum err level_set(void *base, const struct conf_key *key, struct span value, struct why *why)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (span_is_nocase(value, levels[i])) {
			*(int *)field_of(base, key) = (int)i;
			return OK;
		}
	}
	return WHY(why, CONF_VALUE, "", "%s: want debug, info, warn or error, have '%.*s'", key->name,
		SPAN_FMT(span_first(value, 40)));
}

static void level_show(const void *base, const struct conf_key *key, struct buf *out)
{
	buf_put_text(out, levels[*(const int *)field_in(base, key)]);
}

const struct conf_type conf_type_log_level = {level_set, level_show};

static enum err role_set(void *base, const struct conf_key *key, struct span value, struct why *why)
{
	struct conf *c = base;

	if (!span_is_nocase(value, "mef") && !span_is_nocase(value, "maf"))
		return WHY(why, CONF_VALUE, "", "%s: want mef or maf, have '%.*s'", key->name, SPAN_FMT(span_first(value, 40)));
	c->role = span_is_nocase(value, "maf") ? CONF_ROLE_MAF : CONF_ROLE_MEF;
	return OK;
}

static void role_show(const void *base, const struct conf_key *key, struct buf *out)
{
	const struct conf *c = base;

	buf_put_text(out, c->role == CONF_ROLE_MAF ? "maf" : "mef");
}

const struct conf_type conf_type_role = {role_set, role_show};

static enum err pairs_set(void *base, const struct conf_key *key, struct span value, struct why *why)
{
	struct conf_pairs *pairs = field_of(base, key);
	struct span item;

	pairs->n = 0;
	while (conf_list_next(&value, &item)) {
		size_t at = span_find(item, '=');
		struct span name = span_first(item, at);
		if (pairs->n == CONF_MEFS_MAX)
			return WHY(why, CONF_VALUE, "", "%s: want at most %d entries", key->name, CONF_MEFS_MAX);
		struct conf_pair *p = &pairs->items[pairs->n];
		if (!text_is_name(name, ".-") || item.n < at + 2 || !text_copy(p->name, sizeof(p->name), name)
			|| !text_copy(p->value, sizeof(p->value), span_from(item, at + 1)))
			return WHY(why, CONF_VALUE, "", "%s: want FQDN=VALUE, have '%.*s'", key->name, SPAN_FMT(span_first(item, 100)));
		if (conf_pair_find(pairs, p->name))
			return WHY(why, CONF_VALUE, "", "%s: %s: want it once", key->name, p->name);
		pairs->n++;
	}
	return OK;
}

static void pairs_show(const void *base, const struct conf_key *key, struct buf *out)
{
	const struct conf_pairs *pairs = field_in(base, key);

	for (size_t i = 0; i < pairs->n; i++)
		buf_put_fmt(out, "%s%s=%s", i ? ", " : "", pairs->items[i].name, pairs->items[i].value);
}

const struct conf_type conf_type_pairs = {pairs_set, pairs_show};

bool conf_list_next(struct span *rest, struct span *item)
{
	while (rest->n && strchr(", \t", rest->p[0]) && rest->p[0])
		*rest = span_from(*rest, 1);
	size_t n = 0;
	while (n < rest->n && (rest->p[n] == 0 || !strchr(", \t", rest->p[n])))
		n++;
	*item = span_first(*rest, n);
	*rest = span_from(*rest, n);
	return n > 0;
}

/* Words of an enumeration, in the order of its values from 0. */
struct words {
	const char *const *list;
	size_t n;
};

static enum err word_set(const struct words *words, void *base, const struct conf_key *key, struct span value, struct why *why)
{
	for (size_t i = 0; i < words->n; i++) {
		if (span_is_nocase(value, words->list[i])) {
			*(int *)field_of(base, key) = (int)i;
			return OK;
		}
	}
	return WHY(why, CONF_VALUE, "", "%s: '%.*s' is not one of those listed in the comment", key->name,
		SPAN_FMT(span_first(value, 60)));
}

#define WORDS(type, ...) \
	static const char *const type##_words[] = {__VA_ARGS__}; \
	static enum err type##_set(void *base, const struct conf_key *key, struct span value, struct why *why) \
	{ \
		const struct words words = {type##_words, sizeof(type##_words) / sizeof(type##_words[0])}; \
		return word_set(&words, base, key, value, why); \
	} \
	static void type##_show(const void *base, const struct conf_key *key, struct buf *out) \
	{ \
		buf_put_text(out, type##_words[*(const int *)field_in(base, key)]); \
	} \
	const struct conf_type conf_type_##type = {type##_set, type##_show}

_Static_assert(sizeof(enum linking_mode) == sizeof(int) && sizeof(enum issuer_kind) == sizeof(int), "words are stored as int");

WORDS(linking, "off", "accepted", "required");
WORDS(keygen, "no", "yes", "encrypted");
WORDS(attrs, "legacy", "template", "both");
WORDS(hold, "no", "enrol", "all");
WORDS(issuer_kind, "est", "command");
WORDS(proxy_protocol, "off", "v2");
