#include "base/mem.h"
#include "core/exchange/flow.h"
#include "core/exchange/rights.h"
#include "core/exchange/state.h"
#include "core/registry/form.h"
#include "proto/m2m/derive.h"

#include <stdio.h>

enum { TARGET_SIZE = FORM_SIZE, TARGET_SHOWN_MAX = 160 };

/* One retrieval. */
struct fetch {
	struct flow flow; /* first: flow_run frees it */
	retrieval_done done;
	void *arg;
	const struct retrieval_call *call; /* until flow_run returns */
	char keid[M2M_KEYID_SIZE];
	char target[TARGET_SIZE]; /* the client as preferences name it */
	struct symkey row;
	struct enrolee enrolee; /* whose Ke it is */
	struct prefs granted, present;
	unsigned int suid;
	struct retrieval_answer out;
};

/*
 * seed 003 8.3.3.6 step 4: one text for unknown, expired and not authorised, for else it would tell
 * who is enrolled with whom; the audit log has the reason.
 */
static enum err refuse(struct fetch *x, const char *reason)
{
	struct flow *f = &x->flow;

	why_clear(&f->why);
	snprintf(f->detail, sizeof(f->detail), "%s: %s for %.*s, usage %u", reason, x->keid,
		SPAN_FMT(span_first(span_text(x->target), TARGET_SHOWN_MAX)), x->call->ask.suid);
	return WHY(&f->why, RETRIEVAL_REFUSED, "seed 003 8.3.3.6 step 4",
		"key: want one that exists and is granted to the requester");
}

static const char *normalise(enum entity_type type, struct span in, char out[FORM_SIZE])
{
	switch (type) {
	case ENTITY_CSE:
	case ENTITY_FQDN:
		return form_dns(in, out);
	case ENTITY_AE:
		return form_uri(in, true, out);
	case ENTITY_NODE:
		break;
	}
	return "want a CSE, an AE or a host";
}

/* docs/decisions/0013: the FQDN form of an AE-ID is its URI's host, then its path. */
static enum err name_target(struct fetch *x, const struct enrolee *e)
{
	const char *slashes = strstr(e->entity_id, "//");

	if (e->entity_type != ENTITY_AE) {
		snprintf(x->target, sizeof(x->target), "%s", e->entity_id);
		return OK;
	}
	if (!slashes) /* an AE-ID has a host: core/registry/form.h */
		return WHY(&x->flow.why, BUG, "", "AE-ID without a host");
	struct span rest = span_text(slashes + 2);
	struct span authority = span_first(rest, span_find(rest, '/'));
	struct span path = span_from(rest, authority.n);
	path = span_first(path, span_find(path, '?'));
	if (span_is(path, "/"))
		path = (struct span){0};
	struct span host = span_first(authority, span_find(authority, ':'));
	snprintf(x->target, sizeof(x->target), "%.*s%.*s", SPAN_FMT(host), SPAN_FMT(path));
	return OK;
}

/* seed 003 8.3.3.6 step 3b: the identifier in "from" is the one that belongs to the credential. */
static enum err check_origin(struct fetch *x)
{
	const struct enrolee *e = &x->flow.client->enrolee;
	struct span origin = x->call->origin;
	char normal[FORM_SIZE];

	const char *want = normalise(e->entity_type, origin, normal);
	if (want || strcmp(normal, e->entity_id) != 0)
		return WHY(&x->flow.why, RETRIEVAL_ORIGIN, "seed 003 8.3.3.6 step 3",
			"X-M2M-Origin or From: want '%.*s', have '%.*s'",
			SPAN_FMT(span_first(span_text(e->entity_id), 120)),
			SPAN_FMT(span_first(origin, 120)));
	return name_target(x, e);
}

static enum err find_key(struct fetch *x, struct secret *ke)
{
	struct flow *f = &x->flow;
	const struct retrieval_ask *ask = &x->call->ask;

	TRY(m2m_keyid_write(ask->relative, span_text(f->env.fqdn), x->keid, &f->why));
	if (ask->fqdn[0] && !span_is_nocase(span_text(ask->fqdn), f->env.fqdn))
		return refuse(x, "the KeId is of another MEF");
	enum err err = vault_find(
		f->env.vault, SYMKEY_KE, x->keid, f->now_s, &f->arena, &x->row, ke, &f->why);
	if (err == ERR_NOT_FOUND)
		return refuse(x, "no such Ke");
	if (err == ERR_EXPIRED)
		return refuse(x, "the Ke has expired");
	return err;
}

static enum err find_enrolee(struct fetch *x)
{
	struct flow *f = &x->flow;
	const struct store *store = f->env.store;

	TRY(store->ops->enrolee_find(store->self, x->row.owner, &f->arena, &x->enrolee, &f->why));
	return x->enrolee.state == ENROLEE_ENABLED ? OK : refuse(x, "its enrolee is disabled");
}

static enum err token_id_of(struct fetch *x, const struct state *s, const char **out)
{
	struct flow *f = &x->flow;
	const struct store *store = f->env.store;
	struct token token = {0};

	if (!s->has_token)
		return OK;
	enum err err = store->ops->token_find(store->self, s->token, &f->arena, &token, &f->why);
	if (err == ERR_NOT_FOUND) {
		why_clear(&f->why);
		return OK;
	}
	*out = token.id;
	return err;
}

/* docs/decisions/0013: granted by the exchange, and still wanted; a right taken away ends at once.
 */
static enum err find_rights(struct fetch *x)
{
	struct flow *f = &x->flow;
	struct state state = {0};
	const char *token_id = NULL;

	TRY(state_parse(x->row.info, &f->arena, &state, &f->why));
	state_granted(&state, &x->granted);
	TRY(token_id_of(x, &state, &token_id));
	return rights_prefs(f->env.store, x->row.owner, token_id, &f->arena, &x->present, &f->why);
}

static bool allowed(const struct fetch *x, unsigned int suid)
{
	struct span target = span_text(x->target);
	bool maf = x->flow.client->enrolee.entity_type == ENTITY_FQDN;

	if (suid == SUID_RSPF_MAF && !maf)
		return false;
	return prefs_allow(&x->granted, target, suid) && prefs_allow(&x->present, target, suid);
}

/* docs/decisions/0013: a request without usage means 21 for a MAF, else the only one that is
 * granted. */
static enum err choose_usage(struct fetch *x)
{
	size_t n = 0;

	x->suid = x->call->ask.suid;
	if (x->suid)
		return allowed(x, x->suid) ? OK : refuse(x, "not granted");
	x->suid = SUID_RSPF_MAF;
	if (allowed(x, SUID_RSPF_MAF))
		return OK;
	for (unsigned int suid = SUID_RSPF_MAF + 1;
		suid_origin_of(suid) == SUID_RSPF && suid_known(suid); suid++) {
		if (!allowed(x, suid))
			continue;
		x->suid = suid;
		n++;
	}
	if (n == 0)
		return refuse(x, "not granted");
	return n == 1 ? OK : refuse(x, "several usages are granted, the request names none");
}

static enum err audit_answer(struct fetch *x)
{
	char detail[FLOW_DETAIL_MAX];

	snprintf(detail, sizeof(detail), "%s for %.*s, usage %u", x->keid,
		SPAN_FMT(span_first(span_text(x->target), TARGET_SHOWN_MAX)), x->suid);
	return flow_audit(&x->flow, "key.retrieved", x->row.owner, detail);
}

static enum err work(struct flow *f)
{
	struct fetch *x = (struct fetch *)f;
	const struct standing standing = client_standing(f->client);
	struct secret ke OWNED_SECRET = {0};

	TRY(client_check_standing(f->env.store, &standing, f->now_s, &f->why));
	TRY(check_origin(x));
	TRY(find_key(x, &ke));
	TRY(find_enrolee(x));
	TRY(find_rights(x));
	TRY(choose_usage(x));
	TRY(m2m_derive_constrained(
		&ke, x->suid, span_text(x->target), &x->out.credential, &f->why));
	x->out.status = true;
	x->out.enrolee_id = x->enrolee.entity_id;
	/* TS-0003 10.7: a derived key does not outlive its Ke. */
	x->out.lifetime_s = x->row.expires_s - f->now_s;
	x->out.error = "";
	return audit_answer(x);
}

static void tell(struct flow *f, enum err err, const struct why *why)
{
	struct fetch *x = (struct fetch *)f;

	if (err != OK) {
		secret_wipe(&x->out.credential);
		x->out = (struct retrieval_answer){.enrolee_id = "", .error = why->text};
	}
	x->done(x->arg, err, err <= ERR_PENDING ? &x->out : NULL, why);
	secret_wipe(&x->out.credential);
}

void retrieval_do(const struct exchange_env *env, const struct retrieval_call *call,
	retrieval_done done, void *arg)
{
	struct fetch *x = mem_alloc(sizeof(*x));

	if (!x) {
		struct why why = {0};
		done(arg, WHY(&why, NOMEM, "", "key retrieval"), NULL, &why);
		return;
	}
	x->flow = (struct flow){.env = *env,
		.refused = "key.refused",
		.failed = "key.failed",
		.client = call->client,
		.address = call->address,
		.tell = tell};
	x->done = done;
	x->arg = arg;
	x->call = call;
	flow_run(&x->flow, work);
}
