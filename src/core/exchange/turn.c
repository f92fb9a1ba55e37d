#include "core/exchange/turn.h"

#include "base/date.h"
#include "base/mem.h"
#include "core/exchange/rights.h"

#include <stdio.h>

enum err turn_check_row(struct turn *t)
{
	struct flow *f = &t->flow;
	char until[DATE_TEXT_SIZE];

	if (strcmp(t->row.owner, f->client->enrolee.id) != 0)
		return WHY(&f->why, EXCHANGE_OTHERS, "seed 003 8.3.3.1",
			"exchange %s: want one of '%s'", t->keid, f->client->enrolee.id);
	if (t->row.expires_s && t->row.expires_s <= f->now_s) {
		date_text(t->row.expires_s, until);
		return WHY(&f->why, EXCHANGE_OVER, "TS-0003 10.7",
			"exchange %s: its key expired at %s", t->keid, until);
	}
	return state_parse(t->row.info, &f->arena, &t->state, &f->why);
}

enum err turn_write_state(struct turn *t, struct buf *out)
{
	return state_write(&t->state, &t->flow.arena, out, &t->flow.why);
}

static enum err skip(struct turn *t, struct step *step)
{
	char detail[FLOW_DETAIL_MAX];

	step->outcome = STEP_SKIPPED;
	snprintf(detail, sizeof(detail),
		"%s, instruction %zu left out: MAF %s wants a certificate, the enrolee has none",
		t->keid, t->state.at, step->maf.fqdn);
	return flow_audit(&t->flow, "exchange.skipped", t->flow.client->enrolee.id, detail);
}

/* seed 003 8.3.3.4: a certificate for the MAF has been issued before. */
static enum err possible(struct turn *t, const struct step *step, bool *out)
{
	struct flow *f = &t->flow;

	*out = true;
	if (step->kind != EXCHANGE_MAF || step->maf.credential != MAF_BY_CERTIFICATE)
		return OK;
	return rights_certificate(f->env.store, f->client->enrolee.id, f->now_s, out, &f->why);
}

bool turn_token_again(const struct turn *t, const struct token *token)
{
	int64_t now_s = t->flow.now_s;

	return token->spent_s && strcmp(token->claimed_by, t->flow.client->enrolee.id) == 0
		&& now_s >= token->spent_s && now_s - token->spent_s < TOKEN_AGAIN_S;
}

/* One use of a token: the first exchange that ends has it, or the one that repeats it. */
static enum err spend_token(struct turn *t)
{
	struct flow *f = &t->flow;
	const struct store *store = f->env.store;
	struct token token = {0};

	if (!t->state.has_token)
		return OK;
	enum err err = store->ops->token_find(store->self, t->state.token, &f->arena, &token, &f->why);
	if (err == OK && turn_token_again(t, &token))
		return OK;
	if (err == OK)
		err = store->ops->token_spend(store->self, t->state.token, f->now_s, &f->why);
	if (err != ERR_CONFLICT && err != ERR_NOT_FOUND)
		return err;
	why_clear(&f->why);
	return WHY(&f->why, EXCHANGE_TOKEN, "seed 003 8.3.3.1 step 3",
		"enrolmentToken: want one that is not spent, have one that %s",
		err == ERR_CONFLICT ? "ended another exchange" : "was removed");
}

static enum err finish(struct turn *t)
{
	char detail[FLOW_DETAIL_MAX];

	TRY(spend_token(t));
	snprintf(detail, sizeof(detail), "%s, %zu targets", t->keid, t->state.targets_n);
	return flow_audit(&t->flow, "exchange.ended", t->flow.client->enrolee.id, detail);
}

enum err turn_advance(struct turn *t)
{
	struct state *s = &t->state;

	for (; !state_ended(s); s->at++) {
		struct step *step = &s->steps[s->at - 1];
		bool good = false;
		TRY(possible(t, step, &good));
		if (good)
			return OK;
		TRY(skip(t, step));
	}
	return finish(t);
}

static enum err put_pairs(struct turn *t)
{
	const struct state *s = &t->state;
	struct exchange_pair *pairs =
		arena_alloc(&t->flow.arena, EXCHANGE_PAIRS_MAX * sizeof(*pairs));
	size_t n = 0;

	if (!pairs)
		return WHY(&t->flow.why, NOMEM, "", "authorised pairs");
	for (size_t i = 0; i < s->targets_n; i++) {
		const struct prefs_target *target = &s->targets[i];
		for (size_t k = 0; k < target->usages.n && n < EXCHANGE_PAIRS_MAX; k++)
			pairs[n++] = (struct exchange_pair){
				.enrolee_b = target->id, .suid = target->usages.items[k]};
	}
	t->out.pairs = pairs;
	t->out.pairs_n = n;
	return OK;
}

static enum err put_step(struct turn *t, const struct step *step)
{
	t->out.kind = step->kind;
	if (step->kind == EXCHANGE_CERTIFICATE) {
		/* seed 003 8.3.3.3 step 1: what the certificate may be used for */
		t->out.est_uri = step->est_uri;
		t->out.usages = step->usages;
		return OK;
	}
	/* seed 003 8.3.3.4 step 1: what the MAF may be used for, and by which credential */
	t->out.maf_fqdn = step->maf.fqdn;
	t->out.maf_uri = step->maf.uri;
	t->out.credential = step->maf.credential;
	t->out.usages = step->maf.usages;
	return OK;
}

enum err turn_instruct(struct turn *t, size_t number)
{
	struct flow *f = &t->flow;
	const struct state *s = &t->state;

	t->out = (struct exchange_instruction){.step = (unsigned int)number,
		.kind = EXCHANGE_END,
		.lifetime_s = t->row.expires_s - f->now_s,
		.est_uri = "",
		.maf_fqdn = "",
		.maf_uri = ""};
	t->out.keid = arena_text(&f->arena, span_text(t->keid));
	t->out.enrolee_id = arena_text(&f->arena, span_text(f->client->enrolee.entity_id));
	if (!t->out.keid || !t->out.enrolee_id)
		return WHY(&f->why, NOMEM, "", "instruction");
	return number <= s->steps_n ? put_step(t, &s->steps[number - 1]) : put_pairs(t);
}

static void tell(struct flow *f, enum err err, const struct why *why)
{
	struct turn *t = (struct turn *)f;

	t->done(t->arg, err, err == OK ? &t->out : NULL, why);
}

static enum err work(struct flow *f)
{
	struct turn *t = (struct turn *)f;
	const struct standing standing = client_standing(f->client);

	/* The store may have changed since the client was found: operators write to it from
	 * outside. */
	TRY(client_check_standing(f->env.store, &standing, f->now_s, &f->why));
	return t->ask->start ? turn_start(t) : turn_report(t);
}

void exchange_call(const struct exchange_env *env, const struct exchange_ask *ask,
	exchange_done done, void *arg)
{
	struct turn *t = mem_alloc(sizeof(*t));

	if (!t) {
		struct why why = {0};
		done(arg, WHY(&why, NOMEM, "", "enrolment exchange"), NULL, &why);
		return;
	}
	t->flow = (struct flow){.env = *env,
		.refused = "exchange.refused",
		.failed = "exchange.failed",
		.client = ask->client,
		.address = ask->address,
		.tell = tell};
	t->done = done;
	t->arg = arg;
	t->ask = ask;
	flow_run(&t->flow, work);
}
