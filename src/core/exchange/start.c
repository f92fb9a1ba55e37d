#include "core/exchange/rights.h"
#include "core/exchange/turn.h"
#include "core/keys/register.h"
#include "proto/m2m/derive.h"

#include <stdio.h>

enum {
	EXPORTED_SIZE = 2 * M2M_EXPORT_SIZE,
	EST_PATH_SIZE = 2 * PREFS_URI_MAX,
	INFO_ARENA_MAX = 256 * 1024
};

/* What the session gave (seed 003 8.3.3.2). */
struct made {
	struct secret ke, kre;
	char kreid[M2M_KEYID_SIZE];
};

static void made_wipe(struct made *m)
{
	secret_wipe(&m->ke);
	secret_wipe(&m->kre);
}

static enum err make_keys(struct turn *t, struct made *m)
{
	struct flow *f = &t->flow;
	struct span exported = t->ask->exported;
	uint8_t relative[M2M_RELATIVE_SIZE];

	/* RFC 7627: without the extended master secret two sessions may share what they export. */
	if (exported.n != EXPORTED_SIZE)
		return WHY(&f->why, EXCHANGE_NO_EXPORT, "RFC 5705 4",
			"exported keys: want %d octets of a session with extended master secret, "
			"have %zu",
			EXPORTED_SIZE, exported.n);
	/* seed 003 8.3.3.2 step 1: Ke and RelativeKeId, then Kre and RelativeKreId */
	TRY(m2m_split_export(span_first(exported, M2M_EXPORT_SIZE), relative, &m->ke, &f->why));
	TRY(m2m_keyid_write(relative, span_text(f->env.fqdn), t->keid, &f->why));
	TRY(m2m_split_export(span_from(exported, M2M_EXPORT_SIZE), relative, &m->kre, &f->why));
	return m2m_keyid_write(relative, span_text(f->env.fqdn), m->kreid, &f->why);
}

static enum err hash_token(struct turn *t, bool *has, uint8_t hash[STATE_TOKEN_SIZE])
{
	const char *token = t->ask->request.token;
	struct why inner = {0};

	*has = token && token[0];
	if (!*has || token_hash(span_text(token), hash, &inner) == OK)
		return OK;
	return WHY(&t->flow.why, EXCHANGE_TOKEN, "seed 003 8.3.3.1 step 3", "enrolmentToken: %s",
		inner.text);
}

/* The first step that was not left out: what a start was told. */
static size_t first_step(const struct state *s)
{
	size_t n = 1;

	while (n <= s->steps_n && s->steps[n - 1].outcome == STEP_SKIPPED)
		n++;
	return n;
}

/* docs/decisions/0013: in one session the same request gets the same answer. */
static enum err repeat(struct turn *t)
{
	const struct exchange_request *r = &t->ask->request;
	const struct state *s = &t->state;
	uint8_t hash[STATE_TOKEN_SIZE] = {0};
	bool has = false;

	TRY(turn_check_row(t));
	TRY(hash_token(t, &has, hash));
	bool same_token =
		has == s->has_token && (!has || memcmp(hash, s->token, sizeof(hash)) == 0);
	if (r->certificate != s->certificate || r->maf != s->maf || !same_token)
		return WHY(&t->flow.why, EXCHANGE_DIFFERS, "seed 003 8.3.3.1 step 2",
			"request: want the same as before in this session, have another %s",
			same_token ? "indication" : "enrolmentToken");
	return turn_instruct(t, first_step(s));
}

static enum err bad_token(struct turn *t, const char *have)
{
	why_clear(&t->flow.why);
	return WHY(&t->flow.why, EXCHANGE_TOKEN, "seed 003 8.3.3.1 step 3",
		"enrolmentToken: want a valid one of this enrolee, have one that %s", have);
}

/* seed 003 8.3.3.1 step 3: also where none is required an invalid token denies. *id_out stays NULL
 * without one. */
static enum err take_token(struct turn *t, const char **id_out)
{
	struct flow *f = &t->flow;
	struct state *s = &t->state;
	const struct store *store = f->env.store;
	const char *enrolee_id = f->client->enrolee.id;
	struct token token = {0};

	TRY(hash_token(t, &s->has_token, s->token));
	if (!s->has_token && f->env.token_required)
		return WHY(&f->why, EXCHANGE_TOKEN_MISSING, "seed 003 8.3.3.1 step 3",
			"enrolmentToken: want one, have none");
	if (!s->has_token)
		return OK;
	enum err err = store->ops->token_find(store->self, s->token, &f->arena, &token, &f->why);
	bool others = err == OK && token.enrolee_id[0] && strcmp(token.enrolee_id, enrolee_id) != 0;
	if (err == ERR_NOT_FOUND || others)
		return bad_token(t, "is unknown or another's");
	TRY(err);
	if (token.expires_s && token.expires_s <= f->now_s)
		return bad_token(t, "has expired");
	*id_out = token.id;
	if (turn_token_again(t, &token))
		return OK;
	err = store->ops->token_claim(store->self, s->token, enrolee_id, f->now_s, &f->why);
	return err == ERR_CONFLICT ? bad_token(t, "has been used") : err;
}

static enum err plan_certificate(struct turn *t, const struct prefs *p)
{
	struct flow *f = &t->flow;
	struct state *s = &t->state;
	struct buf uri OWNED_BUF = BUF(EST_PATH_SIZE);

	s->required = p->certificate == PREFS_CERT_REQUIRE;
	if (s->required && !s->certificate)
		return WHY(&f->why, EXCHANGE_CERTIFICATE_NEEDED, "seed 003 8.3.3.1 step 5",
			"certificateEnrolmentIndication: want true, have false");
	if (p->certificate == PREFS_CERT_NEVER || !s->certificate)
		return OK;
	/* RFC 7030 3.2.2: the label stands behind the well-known path */
	buf_put_fmt(&uri, "%s/.well-known/est%s%s", f->env.public_https, p->est_label[0] ? "/" : "",
		p->est_label);
	TRY(buf_check(&uri, "EST address", &f->why));
	struct step *step = &s->steps[s->steps_n++];
	step->kind = EXCHANGE_CERTIFICATE;
	step->usages = p->certificate_usages;
	step->est_uri = arena_text(&f->arena, buf_span(&uri));
	return step->est_uri ? OK : WHY(&f->why, NOMEM, "", "EST address");
}

/* seed 003 8.3.3.1 step 4: the request against the preferences */
static enum err plan(struct turn *t, const struct prefs *p)
{
	struct state *s = &t->state;

	TRY(plan_certificate(t, p));
	for (size_t i = 0; i < p->mafs_n && s->maf; i++)
		s->steps[s->steps_n++] = (struct step){.kind = EXCHANGE_MAF, .maf = p->mafs[i]};
	memcpy(s->targets, p->targets, sizeof(s->targets));
	s->targets_n = p->targets_n;
	s->at = 1;
	return OK;
}

/* The enrolee's Ke, to find the oldest. */
struct crowd {
	struct turn *t;
	size_t n;
	const char *oldest, *oldest_kreid;
	int64_t oldest_s;
};

static enum err on_ke(void *arg, const struct symkey *k, struct why *why)
{
	struct crowd *c = arg;
	struct arena arena OWNED_ARENA = ARENA(INFO_ARENA_MAX);
	struct state state = {0};
	const char *own = c->t->flow.client->key_id;

	c->n++;
	TRY(state_parse(k->info, &arena, &state, why));
	/* The key that this very session stands on stays, else its next message would be a
	 * stranger's. */
	bool in_use = own && strcmp(state.kreid, own) == 0;
	if (in_use || (c->oldest && k->created_s >= c->oldest_s))
		return OK;
	c->oldest_s = k->created_s;
	c->oldest = arena_text(&c->t->flow.arena, span_text(k->id));
	c->oldest_kreid = arena_text(&c->t->flow.arena, span_text(state.kreid));
	return c->oldest && c->oldest_kreid ? OK : WHY(why, NOMEM, "", "keys of the enrolee");
}

static enum err remove_pair(struct turn *t, const char *keid, const char *kreid)
{
	struct flow *f = &t->flow;
	const struct store *store = f->env.store;
	char detail[FLOW_DETAIL_MAX];

	TRY(store->ops->symkey_remove(store->self, SYMKEY_KE, keid, &f->why));
	enum err err = store->ops->symkey_remove(store->self, SYMKEY_KRE, kreid, &f->why);
	if (err == ERR_NOT_FOUND)
		why_clear(&f->why);
	else
		TRY(err);
	snprintf(detail, sizeof(detail), "Ke %s and its Kre: an enrolee has at most %d", keid,
		EXCHANGE_KES_MAX);
	return flow_audit(f, "key.removed", f->client->enrolee.id, detail);
}

/* docs/decisions/0013: four Ke at a time, the oldest goes. */
static enum err make_room(struct turn *t)
{
	struct flow *f = &t->flow;
	const struct store *store = f->env.store;
	const struct symkey_filter filter = {.kind = SYMKEY_KE,
		.owner = f->client->enrolee.id,
		.after_id = "",
		.limit = STORE_KEYS_PER_OWNER_MAX};

	for (;;) {
		struct crowd c = {.t = t};
		TRY(store->ops->symkey_list(store->self, &filter, on_ke, &c, &f->why));
		if (c.n < EXCHANGE_KES_MAX || !c.oldest)
			return OK;
		TRY(remove_pair(t, c.oldest, c.oldest_kreid));
	}
}

/* seed 003 8.3.3.2 step 4: all four values are stored, with one end */
static enum err store_keys(struct turn *t, const struct made *m)
{
	struct flow *f = &t->flow;
	struct buf info OWNED_BUF = BUF(2 * STORE_KEY_INFO_MAX);
	struct symkey kre = t->row;

	TRY(turn_write_state(t, &info));
	t->row.info = buf_text(&info);
	TRY(vault_add(f->env.vault, &t->row, &m->ke, &f->why));
	t->row.info = "";
	kre.kind = SYMKEY_KRE;
	kre.id = m->kreid;
	kre.info = "";
	return vault_add(f->env.vault, &kre, &m->kre, &f->why);
}

static enum err audit_start(struct turn *t, const char *token_id)
{
	const struct state *s = &t->state;
	char detail[FLOW_DETAIL_MAX];

	snprintf(detail, sizeof(detail), "%s, certificate %s, MAF %s, %s%s, %zu instructions",
		t->keid, s->certificate ? "yes" : "no", s->maf ? "yes" : "no",
		token_id ? "token " : "no token", token_id ? token_id : "", s->steps_n);
	return flow_audit(&t->flow, "exchange.started", t->flow.client->enrolee.id, detail);
}

static enum err begin(struct turn *t, const struct made *m)
{
	struct flow *f = &t->flow;
	const char *enrolee_id = f->client->enrolee.id;
	const char *token_id = NULL;
	struct prefs prefs = {0};

	t->state = (struct state){.certificate = t->ask->request.certificate,
		.maf = t->ask->request.maf,
		.kreid = m->kreid};
	TRY(take_token(t, &token_id));
	TRY(rights_prefs(f->env.store, enrolee_id, token_id, &f->arena, &prefs, &f->why));
	TRY(plan(t, &prefs));
	TRY(make_room(t));
	TRY(audit_start(t, token_id));
	TRY(turn_advance(t));
	t->row = (struct symkey){.kind = SYMKEY_KE,
		.id = t->keid,
		.owner = enrolee_id,
		.created_s = f->now_s,
		.expires_s = f->now_s + prefs.enrolment_expiry_s};
	TRY(store_keys(t, m));
	return turn_instruct(t, t->state.at);
}

enum err turn_start(struct turn *t)
{
	struct flow *f = &t->flow;
	const struct store *store = f->env.store;
	struct made m __attribute__((cleanup(made_wipe))) = {0};

	TRY(make_keys(t, &m));
	enum err err = store->ops->symkey_find(
		store->self, SYMKEY_KE, t->keid, &f->arena, &t->row, &f->why);
	if (err == OK)
		return repeat(t);
	if (err != ERR_NOT_FOUND)
		return err;
	why_clear(&f->why);
	return begin(t, &m);
}
