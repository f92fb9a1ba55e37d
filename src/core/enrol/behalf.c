#include "core/enrol/behalf.h"

#include "core/registry/form.h"
#include "core/registry/record.h"
#include "pki/oid.h"

enum { NAME_SHOWN_MAX = 100 };

/* RFC 6402 2.10 */
#define OID_KP_CMC_RA OID("\x2b\x06\x01\x05\x05\x07\x03\x1c")

bool behalf_names_ra(const struct cert *cert)
{
	for (size_t i = 0; i < cert->ekus.n; i++) {
		if (span_equal(cert->ekus.oids[i], OID_KP_CMC_RA))
			return true;
	}
	return false;
}

bool behalf_is_ra(const struct client *client)
{
	/* another CA may copy usages from requests, so that anyone could ask for this one */
	return client->provisioned && !record_is_foreign(client->current.serial) && behalf_names_ra(&client->leaf);
}

/* RFC 7030 3.7: one that was taken over could make itself another, which outlives its revocation. */
enum err behalf_check_given(const char *enrolee_id, struct span cert_der, struct why *why)
{
	struct cert cert = {0};

	TRY(cert_parse(cert_der, &cert, why));
	if (!behalf_names_ra(&cert))
		return OK;
	return WHY(why, RA_NAMES_RA, "RFC 7030 3.7", "enrolee '%s': want one that is no registration authority, have one", enrolee_id);
}

/* The one enrolee that every name leads to. */
struct hunt {
	struct store *store;
	struct arena *arena;
	struct enrolee found;
	bool has, several;
};

static enum err take(struct hunt *h, enum err err, const struct enrolee *e, struct why *why)
{
	if (err == ERR_NOT_FOUND) {
		why_clear(why);
		return OK;
	}
	TRY(err);
	h->several |= h->has && strcmp(h->found.id, e->id) != 0;
	h->found = *e;
	h->has = true;
	return OK;
}

static enum err look_up(struct hunt *h, enum entity_type type, const char *normal, struct why *why)
{
	struct enrolee e = {0};
	enum err err = h->store->ops->enrolee_by_entity(h->store->self, type, normal, h->arena, &e, why);

	return take(h, err, &e, why);
}

/* Types that a name of this form may belong to (policy_identity). */
static enum err look_up_name(struct hunt *h, bool dns, struct span name, struct why *why)
{
	static const enum entity_type of_dns[] = {ENTITY_CSE, ENTITY_FQDN};
	static const enum entity_type of_uri[] = {ENTITY_NODE, ENTITY_AE};
	const enum entity_type *types = dns ? of_dns : of_uri;
	char normal[FORM_SIZE];

	if ((dns ? form_dns(name, normal) : form_uri(name, false, normal)) != NULL)
		return OK; /* nobody could be registered by it */
	for (size_t i = 0; i < 2; i++)
		TRY(look_up(h, types[i], normal, why));
	return OK;
}

static enum err hunt_sans(struct hunt *h, struct span sans, struct why *why)
{
	struct san_list list = {0};

	TRY(san_parse(sans, h->arena, &list, why));
	for (size_t i = 0; i < list.n; i++) {
		const struct san *san = &list.items[i];
		if (san->kind == SAN_DNS || san->kind == SAN_URI)
			TRY(look_up_name(h, san->kind == SAN_DNS, san->value, why));
	}
	return OK;
}

static enum err hunt_cn(struct hunt *h, struct span cn, struct why *why)
{
	struct enrolee e = {0};
	const char *text = arena_text(h->arena, cn);

	if (!text)
		return WHY(why, NOMEM, "", "common name");
	TRY(take(h, h->store->ops->enrolee_find(h->store->self, text, h->arena, &e, why), &e, why));
	if (h->has)
		return OK;
	TRY(look_up_name(h, true, cn, why));
	return look_up_name(h, false, cn, why);
}

/* What a request names, for people; empty when it names nobody. */
static enum err named(const struct csr *csr, struct arena *arena, struct span *cn_out, const char **text_out, struct why *why)
{
	struct san_list list = {0};

	*text_out = "";
	TRY(name_cn(csr->subject, arena, cn_out, why));
	if (csr->san.n == 0) {
		*text_out = arena_text(arena, *cn_out);
		return *text_out ? OK : WHY(why, NOMEM, "", "common name");
	}
	TRY(san_parse(csr->san, arena, &list, why));
	if (list.n && (list.items[0].kind == SAN_DNS || list.items[0].kind == SAN_URI))
		*text_out = arena_text(arena, list.items[0].value);
	else
		*text_out = "another kind of name";
	return *text_out ? OK : WHY(why, NOMEM, "", "name");
}

static enum err judge(const struct hunt *h, const char *name, struct why *why)
{
	struct span shown = span_first(span_text(name), NAME_SHOWN_MAX);

	if (!h->has)
		return WHY(why, RA_NAMES_NOBODY, "RFC 7030 4.2.1", "request: want the name of an enrolee that is registered, have '%.*s'",
			SPAN_FMT(shown));
	if (h->several)
		return WHY(why, RA_NAMES_SEVERAL, "RFC 7030 4.2.1", "request: want names of one enrolee, have '%.*s' and others",
			SPAN_FMT(shown));
	return OK;
}

/* The newest of the certificates that may be renewed. */
struct current {
	const struct behalf_ask *ask;
	struct arena *arena;
	struct span serial;
	int64_t issued_s;
};

static enum err look_at(void *arg, const struct issued *row, struct why *why)
{
	struct current *c = arg;
	struct cert cert = {0};
	bool same = false;

	if (row->not_before_s > c->ask->now_s || row->not_after_s < c->ask->now_s || (c->serial.n && row->issued_s < c->issued_s))
		return OK;
	TRY(cert_parse(row->der, &cert, why));
	TRY(name_equal(cert.subject, c->ask->csr->subject, &same, why));
	if (!same)
		return OK;
	c->issued_s = row->issued_s;
	c->serial = arena_copy(c->arena, row->serial);
	return c->serial.n ? OK : WHY(why, NOMEM, "", "serial number");
}

static enum err find_current(struct store *store, const struct behalf_ask *ask, struct arena *arena, struct client *out,
	struct why *why)
{
	const struct issued_filter filter = {.enrolee_id = out->enrolee.id, .state = ISSUED_VALID, .limit = STORE_PAGE_MAX};
	struct current c = {.ask = ask, .arena = arena};

	TRY(store->ops->issued_list(store->self, &filter, look_at, &c, why));
	if (c.serial.n == 0)
		return WHY(why, RA_NOTHING_TO_RENEW, "RFC 7030 4.2.2",
			"enrolee '%s': want a valid certificate with the request's subject, have none", out->enrolee.id);
	TRY(store->ops->issued_find(store->self, c.serial, arena, &out->current, why));
	out->provisioned = true;
	return cert_parse(out->current.der, &out->leaf, why);
}

enum err behalf_find(struct store *store, const struct behalf_ask *ask, struct arena *arena, struct client *out,
	bool *other_out, struct why *why)
{
	struct hunt h = {.store = store, .arena = arena};
	struct span cn = {0};
	const char *name = "";

	*other_out = false;
	if (!behalf_is_ra(ask->asker))
		return OK;
	TRY(named(ask->csr, arena, &cn, &name, why));
	if (name[0] == '\0')
		return OK;
	TRY(ask->csr->san.n ? hunt_sans(&h, ask->csr->san, why) : hunt_cn(&h, cn, why));
	if (h.has && !h.several && strcmp(h.found.id, ask->asker->enrolee.id) == 0)
		return OK;
	if (!ask->label->ra)
		return WHY(why, RA_LABEL, "RFC 7030 3.7", "label '%s': admits no registration authority, the request names '%.*s'",
			ask->label->name, SPAN_FMT(span_first(span_text(name), NAME_SHOWN_MAX)));
	TRY(judge(&h, name, why));
	if (h.found.state != ENROLEE_ENABLED)
		return WHY(why, CLIENT_DISABLED, "RFC 7030 3.7", "enrolee '%s': want enabled, have disabled", h.found.id);
	*out = (struct client){.enrolee = h.found};
	*other_out = true;
	return ask->reenrol ? find_current(store, ask, arena, out, why) : OK;
}
