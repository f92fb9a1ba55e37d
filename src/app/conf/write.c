#include "app/conf/schema.h"

static void write_comment(const char *comment, struct buf *out)
{
	enum { WIDTH = 96 };
	struct span rest = span_text(comment);

	while (rest.n) {
		size_t n = rest.n;
		if (n > WIDTH) {
			n = WIDTH;
			while (n && rest.p[n] != ' ')
				n--;
			n = n ? n : WIDTH;
		}
		buf_put_fmt(out, "# %.*s\n", (int)n, (const char *)rest.p);
		rest = span_from(rest, n);
		while (rest.n && rest.p[0] == ' ')
			rest = span_from(rest, 1);
	}
}

static void write_keys(const char *section, const void *base, bool comments, struct buf *out)
{
	for (size_t i = 0; i < conf_schema_n; i++) {
		const struct conf_key *key = &conf_schema[i];
		if (strcmp(key->section, section) != 0)
			continue;
		if (comments)
			write_comment(key->comment, out);
		buf_put_fmt(out, "%s = ", key->name);
		key->type->show(base, key, out);
		buf_put_text(out, comments ? "\n\n" : "\n");
	}
}

/* A section that nobody needs at first, as comments. */
static void write_sample(const char *section, struct buf *out)
{
	buf_put_fmt(out, "\n# [%s NAME]\n", section);
	for (size_t i = 0; i < conf_schema_n; i++) {
		const struct conf_key *key = &conf_schema[i];
		if (strcmp(key->section, section) != 0)
			continue;
		write_comment(key->comment, out);
		buf_put_fmt(out, "# %s = %s\n", key->name, key->value ? key->value : "");
	}
}

static void write_certificates(const struct conf *c, struct buf *out)
{
	buf_put_text(out, "# Certificate profiles: what the CA issues, whoever asks.\n");
	for (size_t i = 0; i < c->profiles.n; i++) {
		buf_put_fmt(out, "\n[profile %s]\n", c->profiles.items[i].name);
		write_keys("profile", &c->profiles.items[i], i == 0, out);
	}
	buf_put_text(out, "\n# EST labels: https://FQDN/.well-known/est/LABEL/...; 'default' is the path without a label.\n");
	for (size_t i = 0; i < c->labels.n; i++) {
		const struct est_label *l = &c->labels.items[i];
		buf_put_fmt(out, "\n[label %s]\n", l->name[0] ? l->name : "default");
		write_keys("label", l, i == 0, out);
	}
	buf_put_text(out, "\n# CAs of others, one section [issuer NAME] each: a label names one by its key issuer.\n");
	if (c->issuers.n == 0)
		write_sample("issuer", out);
	for (size_t i = 0; i < c->issuers.n; i++) {
		buf_put_fmt(out, "\n[issuer %s]\n", c->issuers.items[i].name);
		write_keys("issuer", &c->issuers.items[i], i == 0, out);
	}
}

void conf_write(const struct conf *c, struct buf *out)
{
	static const char *const mef[] = {"serve", "mef", "ca", "keys", "store", "log", NULL};
	static const char *const maf[] = {"serve", "maf", "keys", "store", "log", NULL};
	const char *const *sections = c->role == CONF_ROLE_MAF ? maf : mef;

	buf_put_text(out, "# OpenMEF configuration. Relative paths start where this file lies.\n"
			  "# After a change: `openmef reload`, or SIGHUP to the running server.\n");
	for (; *sections; sections++) {
		buf_put_fmt(out, "\n[%s]\n", *sections);
		write_keys(*sections, c, true, out);
	}
	if (c->role == CONF_ROLE_MEF)
		write_certificates(c, out);
}
