#include "app/conf/schema.h"

#include "base/text.h"
#include "pki/name_template.h"

#define UNKNOWN(why, key, item) \
	WHY((why), CONF_VALUE, "", "%s: '%.*s' is not one of those listed in the comment", (key)->name, \
		SPAN_FMT(span_first((item), 60)))

static enum err too_many(const struct conf_key *key, struct why *why)
{
	return WHY(why, CONF_VALUE, "", "%s: want at most %llu entries", key->name, (unsigned long long)key->max);
}

/* "127.0.0.1:8443" or "[::1]:8443" */
static enum err listen_parse(struct span text, struct conf_listen *out, struct why *why)
{
	bool bracketed = text.n && text.p[0] == '[';
	size_t end = bracketed ? span_find(text, ']') : span_find(text, ':');
	struct span address = bracketed ? span_from(span_first(text, end), 1) : span_first(text, end);
	struct span port = span_from(text, bracketed ? end + 1 : end);
	uint64_t number = 0;

	if (port.n < 2 || port.p[0] != ':' || address.n == 0
		|| !text_copy(out->address, sizeof(out->address), address))
		return WHY(why, CONF_VALUE, "", "listen address: want 127.0.0.1:8443 or [::1]:8443, have '%.*s'",
			SPAN_FMT(span_first(text, 60)));
	TRY(text_number(span_from(port, 1), 0, 65535, "port", &number, why));
	out->port = (uint16_t)number;
	return OK;
}

static enum err listens_parse(const struct conf_key *key, struct span value, struct conf_listen *out,
	size_t *n_out, struct why *why)
{
	struct span item;
	size_t n = 0;

	while (conf_list_next(&value, &item)) {
		if (n == CONF_LISTEN_MAX)
			return too_many(key, why);
		TRY(listen_parse(item, &out[n++], why));
	}
	if (n < key->min)
		return WHY(why, CONF_VALUE, "", "%s: want at least one address:port", key->name);
	*n_out = n;
	return OK;
}

static void listens_show(const struct conf_listen *list, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		bool six = strchr(list[i].address, ':') != NULL;
		buf_put_fmt(out, "%s%s%s%s:%u", i ? ", " : "", six ? "[" : "", list[i].address, six ? "]" : "",
			(unsigned int)list[i].port);
	}
}

static enum err https_set(void *base, const struct conf_key *key, struct span value, struct why *why)
{
	struct conf *c = base;

	return listens_parse(key, value, c->https, &c->https_n, why);
}

static void https_show(const void *base, const struct conf_key *key, struct buf *out)
{
	const struct conf *c = base;

	listens_show(c->https, c->https_n, out);
}

const struct conf_type conf_type_https = {https_set, https_show};

static enum err http_set(void *base, const struct conf_key *key, struct span value, struct why *why)
{
	struct conf *c = base;

	return listens_parse(key, value, c->http, &c->http_n, why);
}

static void http_show(const void *base, const struct conf_key *key, struct buf *out)
{
	const struct conf *c = base;

	listens_show(c->http, c->http_n, out);
}

const struct conf_type conf_type_http = {http_set, http_show};

static enum err behind_proxy_set(void *base, const struct conf_key *key, struct span value, struct why *why)
{
	struct conf *c = base;

	return listens_parse(key, value, c->behind_proxy, &c->behind_proxy_n, why);
}

static void behind_proxy_show(const void *base, const struct conf_key *key, struct buf *out)
{
	const struct conf *c = base;

	listens_show(c->behind_proxy, c->behind_proxy_n, out);
}

const struct conf_type conf_type_behind_proxy = {behind_proxy_set, behind_proxy_show};

static enum err keys_set(void *base, const struct conf_key *key, struct span value, struct why *why)
{
	struct profile *p = base;
	struct span item;
	size_t n = 0;

	while (conf_list_next(&value, &item)) {
		enum key_spec spec = key_spec_parse(item);
		if (spec == KEY_NONE || spec == KEY_OTHER)
			return UNKNOWN(why, key, item);
		if (n == PROFILE_KEYS_MAX)
			return too_many(key, why);
		p->keys[n++] = spec;
	}
	p->keys_n = n;
	return OK;
}

static void keys_show(const void *base, const struct conf_key *key, struct buf *out)
{
	const struct profile *p = base;

	for (size_t i = 0; i < p->keys_n; i++)
		buf_put_fmt(out, "%s%s", i ? ", " : "", key_spec_name(p->keys[i]));
}

const struct conf_type conf_type_profile_keys = {keys_set, keys_show};

struct bit_name {
	const char *name;
	unsigned int bit;
};

static const struct bit_name usages[] = {{"digitalSignature", KU_DIGITAL_SIGNATURE},
	{"nonRepudiation", KU_NON_REPUDIATION}, {"keyEncipherment", KU_KEY_ENCIPHERMENT},
	{"dataEncipherment", KU_DATA_ENCIPHERMENT}, {"keyAgreement", KU_KEY_AGREEMENT}, {NULL, 0}};
static const struct bit_name san_kinds[] = {{"dns", SAN_RULE_DNS}, {"uri", SAN_RULE_URI},
	{"other", SAN_RULE_OTHER}, {"ip", SAN_RULE_IP}, {NULL, 0}};

static enum err bits_parse(const struct bit_name *names, const struct conf_key *key, struct span value,
	unsigned int *out, struct why *why)
{
	struct span item;
	unsigned int bits = 0;

	while (conf_list_next(&value, &item)) {
		size_t i = 0;
		while (names[i].name && !span_is_nocase(item, names[i].name))
			i++;
		if (!names[i].name)
			return UNKNOWN(why, key, item);
		bits |= names[i].bit;
	}
	*out = bits;
	return OK;
}

static void bits_show(const struct bit_name *names, unsigned int bits, struct buf *out)
{
	const char *between = "";

	for (size_t i = 0; names[i].name; i++) {
		if (bits & names[i].bit) {
			buf_put_fmt(out, "%s%s", between, names[i].name);
			between = ", ";
		}
	}
}

static enum err usage_set(void *base, const struct conf_key *key, struct span value, struct why *why)
{
	struct profile *p = base;
	unsigned int bits = 0;

	TRY(bits_parse(usages, key, value, &bits, why));
	p->key_usage = (uint16_t)bits;
	return OK;
}

static void usage_show(const void *base, const struct conf_key *key, struct buf *out)
{
	bits_show(usages, ((const struct profile *)base)->key_usage, out);
}

const struct conf_type conf_type_key_usage = {usage_set, usage_show};

static enum err sans_set(void *base, const struct conf_key *key, struct span value, struct why *why)
{
	return bits_parse(san_kinds, key, value, &((struct profile *)base)->san_kinds, why);
}

static void sans_show(const void *base, const struct conf_key *key, struct buf *out)
{
	bits_show(san_kinds, ((const struct profile *)base)->san_kinds, out);
}

const struct conf_type conf_type_san_kinds = {sans_set, sans_show};

enum { OID_SIZE = 64 };

static const struct {
	const char *name;
	const char *dotted;
} eku_names[] = {{"serverAuth", "1.3.6.1.5.5.7.3.1"}, {"clientAuth", "1.3.6.1.5.5.7.3.2"},
	{"cmcRA", "1.3.6.1.5.5.7.3.28"}};

static enum err eku_parse(const struct conf_key *key, struct span item, char out[OID_SIZE], struct why *why)
{
	for (size_t i = 0; i < sizeof(eku_names) / sizeof(eku_names[0]); i++) {
		if (span_is_nocase(item, eku_names[i].name))
			item = span_text(eku_names[i].dotted);
	}
	OWNED_BUF struct buf contents = BUF(64);
	if (!text_copy(out, OID_SIZE, item) || oid_parse(out, &contents, why) != OK) {
		why_clear(why);
		return UNKNOWN(why, key, item);
	}
	return OK;
}

static enum err ekus_parse(const struct conf_key *key, struct span value, char (*list)[OID_SIZE], size_t max,
	size_t *n_out, struct why *why)
{
	struct span item;
	size_t n = 0;

	while (conf_list_next(&value, &item)) {
		if (n == max)
			return too_many(key, why);
		TRY(eku_parse(key, item, list[n++], why));
	}
	*n_out = n;
	return OK;
}

static void ekus_show(const char (*list)[OID_SIZE], size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		const char *name = list[i];
		for (size_t k = 0; k < sizeof(eku_names) / sizeof(eku_names[0]); k++) {
			if (strcmp(name, eku_names[k].dotted) == 0)
				name = eku_names[k].name;
		}
		buf_put_fmt(out, "%s%s", i ? ", " : "", name);
	}
}

static enum err profile_ekus_set(void *base, const struct conf_key *key, struct span value, struct why *why)
{
	struct profile *p = base;

	return ekus_parse(key, value, p->ekus, CERT_EKU_MAX, &p->ekus_n, why);
}

static void profile_ekus_show(const void *base, const struct conf_key *key, struct buf *out)
{
	const struct profile *p = base;

	ekus_show(p->ekus, p->ekus_n, out);
}

const struct conf_type conf_type_profile_ekus = {profile_ekus_set, profile_ekus_show};

static enum err label_ekus_set(void *base, const struct conf_key *key, struct span value, struct why *why)
{
	struct est_label *l = base;

	return ekus_parse(key, value, l->ask_ekus, sizeof(l->ask_ekus) / OID_SIZE, &l->ask_ekus_n, why);
}

static void label_ekus_show(const void *base, const struct conf_key *key, struct buf *out)
{
	const struct est_label *l = base;

	ekus_show(l->ask_ekus, l->ask_ekus_n, out);
}

const struct conf_type conf_type_label_ekus = {label_ekus_set, label_ekus_show};

static enum err suffixes_set(void *base, const struct conf_key *key, struct span value, struct why *why)
{
	struct profile *p = base;
	struct span item;
	size_t n = 0;

	while (conf_list_next(&value, &item)) {
		if (n == PROFILE_SUFFIXES_MAX)
			return too_many(key, why);
		if (!text_copy(p->suffixes[n++], sizeof(p->suffixes[0]), item))
			return UNKNOWN(why, key, item);
	}
	p->suffixes_n = n;
	return OK;
}

static void suffixes_show(const void *base, const struct conf_key *key, struct buf *out)
{
	const struct profile *p = base;

	for (size_t i = 0; i < p->suffixes_n; i++)
		buf_put_fmt(out, "%s%s", i ? ", " : "", p->suffixes[i]);
}

const struct conf_type conf_type_suffixes = {suffixes_set, suffixes_show};

static enum err challenge_set(void *base, const struct conf_key *key, struct span value, struct why *why)
{
	struct est_label *l = base;

	if (span_is_nocase(value, "required"))
		l->challenge = CHALLENGE_REQUIRED;
	else if (span_is_nocase(value, "accepted"))
		l->challenge = CHALLENGE_ACCEPTED;
	else
		return UNKNOWN(why, key, value);
	return OK;
}

static void challenge_show(const void *base, const struct conf_key *key, struct buf *out)
{
	const struct est_label *l = base;

	buf_put_text(out, l->challenge == CHALLENGE_REQUIRED ? "required" : "accepted");
}

const struct conf_type conf_type_challenge = {challenge_set, challenge_show};

static enum err ask_key_set(void *base, const struct conf_key *key, struct span value, struct why *why)
{
	struct est_label *l = base;

	l->ask_key = span_is_nocase(value, "any") ? KEY_NONE : key_spec_parse(value);
	if (!span_is_nocase(value, "any") && (l->ask_key == KEY_NONE || l->ask_key == KEY_OTHER))
		return UNKNOWN(why, key, value);
	return OK;
}

static void ask_key_show(const void *base, const struct conf_key *key, struct buf *out)
{
	const struct est_label *l = base;

	buf_put_text(out, l->ask_key == KEY_NONE ? "any" : key_spec_name(l->ask_key));
}

const struct conf_type conf_type_ask_key = {ask_key_set, ask_key_show};

static enum err ask_subject_set(void *base, const struct conf_key *key, struct span value, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(4 * LABEL_SUBJECT_MAX);
	struct name_template parts;
	struct why cause = {0};

	if (value.n > key->max)
		return WHY(why, CONF_VALUE, "", "%s: want at most %llu octets", key->name, (unsigned long long)key->max);
	if (name_template_read(value, &arena, &parts, &cause) != OK)
		return WHY(why, CONF_VALUE, "", "%s: %s", key->name, cause.text);
	return conf_type_text.set(base, key, value, why);
}

static void ask_subject_show(const void *base, const struct conf_key *key, struct buf *out)
{
	conf_type_text.show(base, key, out);
}

const struct conf_type conf_type_ask_subject = {ask_subject_set, ask_subject_show};
