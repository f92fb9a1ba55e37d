#include "app/conf/schema.h"

#include "base/text.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>

enum { CONF_FILE_MAX = 256 * 1024 };

struct reading {
	const char *path;
	struct span rest;
	unsigned int line;
	struct conf *conf;
	struct why *why;
	bool saw_mef, saw_maf;
};

static enum err refuse(struct reading *r, const char *section, const char *name, const struct why *cause)
{
	if (r->why->kind != OK)
		return r->why->kind;
	return WHY(r->why, CONF_VALUE, "", "%s:%u: [%s] %s: %s", r->path, r->line, section, name, cause->text);
}

static void *profile_of(struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->profiles.n; i++) {
		if (strcmp(c->profiles.items[i].name, name) == 0)
			return &c->profiles.items[i];
	}
	if (c->profiles.n == PROFILES_MAX)
		return NULL;
	struct profile *p = &c->profiles.items[c->profiles.n];
	memset(p, 0, sizeof(*p));
	if (!text_is_name(span_text(name), "._-") || !text_copy(p->name, sizeof(p->name), span_text(name)))
		return NULL;
	conf_section_defaults("profile", p);
	c->profiles.n++;
	return p;
}

static void *label_of(struct conf *c, const char *name)
{
	if (strcmp(name, "default") == 0)
		name = "";
	for (size_t i = 0; i < c->labels.n; i++) {
		if (strcmp(c->labels.items[i].name, name) == 0)
			return &c->labels.items[i];
	}
	if (c->labels.n == LABELS_MAX)
		return NULL;
	struct est_label *l = &c->labels.items[c->labels.n];
	memset(l, 0, sizeof(*l));
	if ((name[0] && !text_is_name(span_text(name), "._-"))
		|| !text_copy(l->name, sizeof(l->name), span_text(name)))
		return NULL;
	conf_section_defaults("label", l);
	c->labels.n++;
	return l;
}

static void *issuer_of(struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->issuers.n; i++) {
		if (strcmp(c->issuers.items[i].name, name) == 0)
			return &c->issuers.items[i];
	}
	if (c->issuers.n == ISSUERS_MAX)
		return NULL;
	struct conf_issuer *issuer = &c->issuers.items[c->issuers.n];
	memset(issuer, 0, sizeof(*issuer));
	if (!text_is_name(span_text(name), "._-") || !text_copy(issuer->name, sizeof(issuer->name), span_text(name)))
		return NULL;
	conf_section_defaults("issuer", issuer);
	c->issuers.n++;
	return issuer;
}

/* [mef] and [maf] share fields, whose defaults differ. */
static void note_role(struct reading *r, struct span section)
{
	if (span_is(section, "maf") && !r->saw_maf)
		conf_section_defaults("maf", r->conf);
	r->saw_maf = r->saw_maf || span_is(section, "maf");
	r->saw_mef = r->saw_mef || span_is(section, "mef");
}

/* "profile device" is section "profile", instance "device". */
static void *base_of(struct reading *r, const char *section, struct span *kind)
{
	static const char *const plain[] = {"serve", "mef", "maf", "ca", "keys", "store", "log"};
	struct span all = span_text(section);
	size_t blank = span_find(all, ' ');
	const char *instance = blank < all.n ? section + blank + 1 : "";

	*kind = span_first(all, blank);
	if (span_is(*kind, "profile") && instance[0])
		return profile_of(r->conf, instance);
	if (span_is(*kind, "label") && instance[0])
		return label_of(r->conf, instance);
	if (span_is(*kind, "issuer") && instance[0])
		return issuer_of(r->conf, instance);
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (span_is(all, plain[i])) {
			note_role(r, all);
			return r->conf;
		}
	}
	return NULL;
}

/* inih tells of a section only with its first key; an empty [label default] counts too. */
static void note_section(struct reading *r, struct span line)
{
	char section[128];
	struct span kind = {0};
	size_t end = span_find(line, ']');

	if (line.n == 0 || line.p[0] != '[' || end == line.n || r->why->kind != OK)
		return;
	if (!text_copy(section, sizeof(section), span_from(span_first(line, end), 1)) || !base_of(r, section, &kind))
		WHY(r->why, CONF_SYNTAX, "", "%s:%u: %.*s is no section, or one too many", r->path, r->line,
			SPAN_FMT(span_first(line, 80)));
}

/* inih asks for lines like fgets; counting them here gives line numbers without its build option. */
static char *next_line(char *out, int size, void *stream)
{
	struct reading *r = stream;
	size_t n = span_find(r->rest, '\n');
	size_t take = n < r->rest.n ? n + 1 : n;

	if (r->rest.n == 0)
		return NULL;
	r->line++;
	if (take + 1 > (size_t)size)
		take = (size_t)size - 1; /* inih then reports the rest as a broken line */
	memcpy(out, r->rest.p, take);
	out[take] = '\0';
	r->rest = span_from(r->rest, take);
	note_section(r, span_trim(span_of(out, n < take ? n : take)));
	return out;
}

static int on_pair(void *user, const char *section, const char *name, const char *value)
{
	struct reading *r = user;
	struct span kind = {0};
	struct why cause = {0};
	void *base = base_of(r, section, &kind);
	const struct conf_key *key = base ? conf_key_find(kind, span_text(name)) : NULL;

	if (!base) /* told by note_section, or a key before the first section */
		WHY(r->why, CONF_SYNTAX, "", "%s:%u: want a [section] before '%s'", r->path, r->line, name);
	else if (!key)
		WHY(r->why, CONF_SYNTAX, "", "%s:%u: [%s] has no key '%s'", r->path, r->line, section, name);
	else if (key->type->set(base, key, span_text(value), &cause) != OK)
		refuse(r, section, name, &cause);
	return r->why->kind == OK;
}

static enum err check_profiles(const char *path, const struct conf *c, struct why *why)
{
	for (size_t i = 0; i < c->profiles.n; i++) {
		struct why cause = {0};
		if (profile_check(&c->profiles.items[i], &cause) != OK)
			return WHY(why, CONF_VALUE, "", "%s: [profile %s]: %s", path, c->profiles.items[i].name,
				cause.text);
	}
	for (size_t i = 0; i < c->labels.n; i++) {
		const struct est_label *l = &c->labels.items[i];
		if (!profile_find(&c->profiles, l->profile))
			return WHY(why, CONF_MISSING, "", "%s: [label %s]: want a section [profile %s]", path,
				l->name[0] ? l->name : "default", l->profile);
	}
	return OK;
}

void conf_issuer_key_label(const struct conf_issuer *issuer, char out[CONF_ISSUER_LABEL_SIZE])
{
	snprintf(out, CONF_ISSUER_LABEL_SIZE, "issuer-%s", issuer->name);
}

const struct conf_issuer *conf_issuer_find(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->issuers.n; i++) {
		if (strcmp(c->issuers.items[i].name, name) == 0)
			return &c->issuers.items[i];
	}
	return NULL;
}

/* RFC 9908 1: the list has no way to ask for a subject */
static enum err check_asks(const char *path, const struct conf *c, struct why *why)
{
	for (size_t i = 0; i < c->labels.n; i++) {
		const struct est_label *l = &c->labels.items[i];
		if (l->ask_subject[0] && l->attrs == ATTRS_LEGACY)
			return WHY(why, CONF_VALUE, "RFC 9908 3.4", "%s: [label %s]: ask_subject wants attrs = template or both, have legacy",
				path, l->name[0] ? l->name : "default");
	}
	return OK;
}

static enum err check_issuers(const char *path, const struct conf *c, struct why *why)
{
	for (size_t i = 0; i < c->labels.n; i++) {
		const struct est_label *l = &c->labels.items[i];
		if (l->issuer[0] && !conf_issuer_find(c, l->issuer))
			return WHY(why, CONF_MISSING, "", "%s: [label %s]: want a section [issuer %s]", path,
				l->name[0] ? l->name : "default", l->issuer);
	}
	for (size_t i = 0; i < c->issuers.n; i++) {
		const struct conf_issuer *s = &c->issuers.items[i];
		bool est = s->kind == ISSUER_EST;
		if (!s->chain[0])
			return WHY(why, CONF_MISSING, "", "%s: [issuer %s]: want chain", path, s->name);
		if (est && (strncmp(s->uri, "https://", 8) != 0 || !s->anchors[0] || !s->cert[0] || !s->key[0]))
			return WHY(why, CONF_MISSING, "", "%s: [issuer %s]: want uri (https), anchors, cert and key", path, s->name);
		if (!est && s->command[0] != '/')
			return WHY(why, CONF_MISSING, "", "%s: [issuer %s]: want command, an absolute path", path, s->name);
	}
	return OK;
}

/* Goes into certificates as it stands here, with a path behind it. */
static bool is_http_base(struct span uri)
{
	if (uri.n == 0)
		return true;
	for (size_t i = 0; i < uri.n; i++) {
		if (uri.p[i] <= 0x20 || uri.p[i] >= 0x7f)
			return false;
	}
	return span_starts(uri, "http://") && uri.n > strlen("http://") && uri.p[uri.n - 1] != '/';
}

static enum err check_fqdn(const char *path, const struct conf *c, const char *section, struct why *why)
{
	if (!c->fqdn[0])
		return WHY(why, CONF_MISSING, "", "%s: [%s] fqdn: want its domain name", path, section);
	if (!text_is_name(span_text(c->fqdn), ".-"))
		return WHY(why, CONF_VALUE, "", "%s: [%s] fqdn: want a domain name, have '%s'", path, section, c->fqdn);
	return OK;
}

/* What the keys of one section mean for the other role would not be what its writer meant. */
static enum err check_role(const char *path, const struct reading *r, struct why *why)
{
	if (r->conf->role == CONF_ROLE_MEF && r->saw_maf)
		return WHY(why, CONF_VALUE, "", "%s: [maf]: want no such section with [serve] role = mef", path);
	if (r->conf->role == CONF_ROLE_MAF && r->saw_mef)
		return WHY(why, CONF_VALUE, "", "%s: [mef]: want no such section with [serve] role = maf", path);
	return OK;
}

/* TS-0003 10.1.1: a MEF shows the certificate of its FQDN, so the URI must name that host. */
static bool is_mef_uri(const struct conf_pair *mef)
{
	struct span uri = span_text(mef->value);
	size_t scheme = strlen("https://");
	struct span host = span_from(uri, scheme);
	struct span port = span_from(host, span_find(host, ':'));
	struct why ignored = {0};
	uint64_t number = 0;

	host = span_first(host, span_find(host, ':'));
	return span_starts(uri, "https://") && span_equal_nocase(host, span_text(mef->name))
		&& (port.n == 0 || text_number(span_from(port, 1), 1, 65535, "port", &number, &ignored) == OK);
}

static enum err check_maf(const char *path, const struct conf *c, struct why *why)
{
	TRY(check_fqdn(path, c, "maf", why));
	for (size_t i = 0; i < c->mefs.n; i++) {
		if (!is_mef_uri(&c->mefs.items[i]))
			return WHY(why, CONF_VALUE, "TS-0003 10.1.1", "%s: [maf] mef: want %s=https://%s[:PORT], have '%.100s'", path,
				c->mefs.items[i].name, c->mefs.items[i].name, c->mefs.items[i].value);
	}
	for (size_t i = 0; i < c->connects.n; i++) {
		if (!conf_pair_find(&c->mefs, c->connects.items[i].name))
			return WHY(why, CONF_VALUE, "", "%s: [maf] connect: %s is not among those of the key mef", path,
				c->connects.items[i].name);
		if (!strchr(c->connects.items[i].value, ':'))
			return WHY(why, CONF_VALUE, "", "%s: [maf] connect: %s: want HOST:PORT, have '%.100s'", path,
				c->connects.items[i].name, c->connects.items[i].value);
	}
	return OK;
}

/* Both names stand in paths of URIs. */
static enum err check_rollover(const char *path, const struct conf *c, struct why *why)
{
	bool other = c->ca_other_cert[0] != '\0';

	if (!text_is_name(span_text(c->ca_name), "._-"))
		return WHY(why, CONF_VALUE, "", "%s: [ca] name: want letters, digits and . _ -, have '%s'", path, c->ca_name);
	if (other && (!c->ca_other_key[0] || !text_is_name(span_text(c->ca_other_name), "._-")))
		return WHY(why, CONF_MISSING, "", "%s: [ca] other_cert: want other_key and other_name with it", path);
	if (other && strcmp(c->ca_name, c->ca_other_name) == 0)
		return WHY(why, CONF_VALUE, "", "%s: [ca] other_name: want another than name, have '%s' twice", path, c->ca_name);
	return OK;
}

static enum err check_proxies(const char *path, const struct conf *c, struct why *why)
{
	bool used = c->behind_proxy_n > 0 || c->proxy_protocol != PROXY_OFF;

	if (used && c->proxy_from.n == 0)
		return WHY(why, CONF_VALUE, "RFC 9440 4", "%s: [mef] proxy_from: want the proxies of behind_proxy and proxy_protocol, have none",
			path);
	for (size_t i = 0; i < c->labels.n; i++) {
		const struct est_label *l = &c->labels.items[i];
		/* RFC 7030 3.5: what is bound to a TLS session cannot be seen behind the proxy that ended it */
		if (l->proxied && (l->bind_tls || l->linking == LINKING_REQUIRED))
			return WHY(why, CONF_VALUE, "RFC 7030 3.5", "%s: [label %s] proxied: want no beside %s", path,
				l->name[0] ? l->name : "default", l->bind_tls ? "bind_tls = yes" : "linking = required");
	}
	return OK;
}

/* RFC 7030 4.5.2: csrattrs says what kind of key the CA demands; another CA's demands are not known here */
void conf_only_keys(struct conf *c)
{
	for (size_t i = 0; i < c->labels.n; i++) {
		struct est_label *l = &c->labels.items[i];
		const struct profile *p = profile_find(&c->profiles, l->profile);
		l->only_key = p && p->keys_n == 1 && !l->issuer[0] ? p->keys[0] : KEY_NONE;
	}
}

static enum err check_whole(const char *path, const struct conf *c, struct why *why)
{
	TRY(check_fqdn(path, c, "mef", why));
	if (!is_http_base(span_text(c->public_http)))
		return WHY(why, CONF_VALUE, "", "%s: [mef] public_http: want http://HOST[:PORT][/PATH] without a final '/', have '%.100s'",
			path, c->public_http);
	if (c->labels.n == 0)
		return WHY(why, CONF_MISSING, "", "%s: want at least one section [label default]", path);
	if (c->crl_overlap_s >= c->crl_lifetime_s)
		return WHY(why, CONF_VALUE, "", "%s: [ca] crl_overlap: want less than crl_lifetime", path);
	TRY(check_rollover(path, c, why));
	TRY(check_asks(path, c, why));
	TRY(check_issuers(path, c, why));
	TRY(check_proxies(path, c, why));
	return check_profiles(path, c, why);
}

/* Relative paths start where the file lies; a kind ("sqlite:", "file:") stays in front. */
static enum err resolve(const struct conf *c, const char *kind, char path[CONF_PATH_MAX], struct why *why)
{
	char joined[2 * CONF_PATH_MAX + 16];
	size_t skip = strlen(kind);

	if (strncmp(path, kind, skip) != 0 || path[skip] == '/' || path[skip] == '\0')
		return OK;
	snprintf(joined, sizeof(joined), "%s%s/%s", kind, c->dir, path + skip);
	if (!text_copy(path, CONF_PATH_MAX, span_text(joined)))
		return WHY(why, CONF_VALUE, "", "path: want at most %d characters: %s", CONF_PATH_MAX - 1, joined);
	return OK;
}

static enum err resolve_issuer(const struct conf *c, struct conf_issuer *s, struct why *why)
{
	TRY(resolve(c, "", s->chain, why));
	TRY(resolve(c, "", s->anchors, why));
	TRY(resolve(c, "", s->cert, why));
	return resolve(c, "", s->key, why);
}

static enum err resolve_all(struct conf *c, struct why *why)
{
	TRY(resolve(c, "", c->mef_anchors, why));
	TRY(resolve(c, "", c->tls_cert, why));
	TRY(resolve(c, "", c->tls_key, why));
	TRY(resolve(c, "", c->device_anchors, why));
	TRY(resolve(c, "", c->ca_cert, why));
	TRY(resolve(c, "", c->ca_key, why));
	TRY(resolve(c, "", c->ca_chain, why));
	TRY(resolve(c, "", c->message_cert, why));
	TRY(resolve(c, "", c->message_key, why));
	TRY(resolve(c, "", c->ca_other_cert, why));
	TRY(resolve(c, "", c->ca_other_key, why));
	TRY(resolve(c, "", c->ca_extra, why));
	TRY(resolve(c, "", c->ca_bridge, why));
	TRY(resolve(c, "", c->ca_rollover, why));
	for (size_t i = 0; i < c->labels.n; i++)
		TRY(resolve(c, "", c->labels.items[i].anchors, why));
	for (size_t i = 0; i < c->issuers.n; i++)
		TRY(resolve_issuer(c, &c->issuers.items[i], why));
	TRY(resolve(c, "file:", c->master_key, why));
	return resolve(c, "sqlite:", c->store, why);
}

const char *conf_pair_find(const struct conf_pairs *pairs, const char *name)
{
	for (size_t i = 0; i < pairs->n; i++) {
		if (span_equal_nocase(span_text(pairs->items[i].name), span_text(name)))
			return pairs->items[i].value;
	}
	return NULL;
}

static void set_dir(const char *path, struct conf *out)
{
	const char *slash = strrchr(path, '/');
	struct span dir = slash ? span_of(path, (size_t)(slash - path)) : span_text(".");

	if (!text_copy(out->dir, sizeof(out->dir), dir.n ? dir : span_text("/")))
		out->dir[0] = '\0';
}

enum err conf_parse(const char *path, struct span text, struct conf *out, struct why *why)
{
	struct reading r = {.path = path, .rest = text, .conf = out, .why = why};

	conf_defaults(out);
	out->profiles.n = 0;
	out->labels.n = 0;
	out->issuers.n = 0;
	set_dir(path, out);
	if (text.n > CONF_FILE_MAX || (text.n && memchr(text.p, 0, text.n)))
		return WHY(why, CONF_SYNTAX, "", "%s: want text of at most %d bytes", path, CONF_FILE_MAX);
	/* One value a line, long lists admitted; the library's own defaults cut at 200 bytes. */
	ini_allow_multiline = false;
	ini_use_stack = false;
	ini_max_line = 4096;
	ini_initial_alloc = 4096;
	int line = ini_parse_stream(next_line, &r, on_pair, &r);
	if (why->kind != OK)
		return why->kind;
	if (line != 0)
		return WHY(why, CONF_SYNTAX, "", "%s:%d: want [section] or key = value", path, line);
	TRY(check_role(path, &r, why));
	if (out->role == CONF_ROLE_MAF) {
		out->http_n = 0;
		out->device_anchors[0] = out->ca_chain[0] = '\0';
		TRY(check_maf(path, out, why));
	} else {
		TRY(check_whole(path, out, why));
		conf_only_keys(out);
	}
	return resolve_all(out, why);
}

enum err conf_load(const char *path, struct conf *out, struct why *why)
{
	OWNED_BUF struct buf text = BUF(CONF_FILE_MAX + 1);
	FILE *file = fopen(path, "re");

	if (!file)
		return WHY(why, CONF_FILE, "", "%s: %s", path, strerror(errno));
	uint8_t *to = buf_room(&text, CONF_FILE_MAX);
	size_t n = to ? fread(to, 1, CONF_FILE_MAX, file) : 0;
	bool failed = !to || ferror(file);
	fclose(file);
	if (failed)
		return WHY(why, CONF_FILE, "", "%s: %s", path, strerror(errno));
	buf_grew(&text, n);
	return conf_parse(path, buf_span(&text), out, why);
}
