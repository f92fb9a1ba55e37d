#include "app/conf/schema.h"

#include "base/text.h"

void conf_defaults(struct conf *out)
{
	static const char *const sections[] = {"serve", "mef", "ca", "keys", "store", "log"};

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		conf_section_defaults(sections[i], out);
}

void conf_defaults_maf(struct conf *out)
{
	conf_defaults(out);
	out->role = CONF_ROLE_MAF;
	conf_section_defaults("maf", out);
	out->http_n = 0;
	out->device_anchors[0] = out->ca_chain[0] = '\0';
}

struct setting {
	const char *name;
	const char *value;
};

/* TS-0003 10.1.1.1: P-256 throughout; short lives, since devices renew by themselves. */
static const struct setting iot_profile[] = {{"validity", "90d"}, {"keys", "P-256"},
	{"key_usage", "digitalSignature"}, {"ekus", "clientAuth, serverAuth"}, {NULL, NULL}};
/* Hosts and network gear: a year, and keys that older software can make. */
static const struct setting it_profile[] = {{"validity", "397d"},
	{"keys", "P-256, P-384, RSA-2048, RSA-3072, RSA-4096"},
	{"key_usage", "digitalSignature, keyEncipherment"}, {"ekus", "clientAuth, serverAuth"}, {NULL, NULL}};
/* Plain RFC 7030 clients know nothing of a challenge with a value. */
static const struct setting default_label[] = {{"challenge", "accepted"}, {"reuse_key", "yes"}, {NULL, NULL}};
/* Seed 001 8.3.Z.2.2 step 2b: the challengePassword that csrattrs gave is echoed. */
static const struct setting onem2m_label[] = {{"challenge", "required"}, {"bind_tls", "yes"},
	{"reuse_key", "no"}, {"ask_key", "P-256"}, {"ask_ekus", "clientAuth"}, {NULL, NULL}};

static enum err apply(const char *section, void *base, const struct setting *settings, struct why *why)
{
	conf_section_defaults(section, base);
	for (; settings->name; settings++) {
		const struct conf_key *key = conf_key_find(span_text(section), span_text(settings->name));
		if (!key)
			return WHY(why, BUG, "", "preset: no key %s in [%s]", settings->name, section);
		TRY(key->type->set(base, key, span_text(settings->value), why));
	}
	return OK;
}

enum err conf_preset(struct conf *c, const char *name, struct why *why)
{
	bool iot = strcmp(name, "iot") == 0;

	if (!iot && strcmp(name, "it") != 0)
		return WHY(why, CONF_VALUE, "", "profile: want iot or it, have '%s'", name);
	memset(&c->profiles, 0, sizeof(c->profiles));
	memset(&c->labels, 0, sizeof(c->labels));
	struct profile *p = &c->profiles.items[0];
	text_copy(p->name, sizeof(p->name), span_text("device"));
	TRY(apply("profile", p, iot ? iot_profile : it_profile, why));
	c->profiles.n = 1;
	TRY(apply("label", &c->labels.items[0], default_label, why));
	struct est_label *l = &c->labels.items[1];
	text_copy(l->name, sizeof(l->name), span_text("onem2m"));
	TRY(apply("label", l, onem2m_label, why));
	c->labels.n = 2;
	conf_only_keys(c);
	return OK;
}
