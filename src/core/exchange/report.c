#include "core/exchange/rights.h"
#include "core/exchange/turn.h"

#include <stdio.h>

enum { ERROR_SHOWN_MAX = 200 };

static enum err find_row(struct turn *t)
{
	struct flow *f = &t->flow;
	const struct store *store = f->env.store;

	TRY(m2m_keyid_write(t->ask->relative, span_text(f->env.fqdn), t->keid, &f->why));
	enum err err = store->ops->symkey_find(
		store->self, SYMKEY_KE, t->keid, &f->arena, &t->row, &f->why);
	if (err == ERR_NOT_FOUND) {
		why_clear(&f->why);
		return WHY(&f->why, EXCHANGE_UNKNOWN, "seed 003 8.3.3.1",
			"exchange: have none of %s", t->keid);
	}
	TRY(err);
	return turn_check_row(t);
}

static enum err out_of_order(struct turn *t)
{
	const struct exchange_report *r = &t->ask->report;
	const struct state *s = &t->state;

	if (state_ended(s))
		return WHY(&t->flow.why, EXCHANGE_ORDER, "seed 003 8.3.3.1 step 9",
			"instructionNumber: have %u of an exchange that has ended", r->step);
	return WHY(&t->flow.why, EXCHANGE_ORDER, "seed 003 8.3.3.1",
		"report: want instruction %zu (%s), have %u (%s)", s->at,
		exchange_kind_name(s->steps[s->at - 1].kind), r->step, exchange_kind_name(r->kind));
}

/* The answer to the report before was lost. */
static enum err repeat(struct turn *t)
{
	const struct exchange_report *r = &t->ask->report;
	const struct step *step = &t->state.steps[r->step - 1];

	if (r->kind != step->kind || r->success != (step->outcome == STEP_DONE))
		return WHY(&t->flow.why, EXCHANGE_DIFFERS, "seed 003 8.3.3.1",
			"report of instruction %u: want the same as before (%s)", r->step,
			step->outcome == STEP_DONE ? "success" : "failure");
	return turn_instruct(t, t->state.at);
}

/* seed 003 8.3.3.1 step 6: success is what our own record says as well. */
static enum err take_success(struct turn *t, struct step *step)
{
	struct flow *f = &t->flow;
	bool on_record = true;

	if (step->kind == EXCHANGE_CERTIFICATE)
		TRY(rights_certificate(
			f->env.store, f->client->enrolee.id, f->now_s, &on_record, &f->why));
	if (!on_record)
		return WHY(&f->why, EXCHANGE_NO_CERTIFICATE, "seed 003 8.3.3.1 step 6",
			"status: want success after a certificate was issued, have none of '%s'",
			f->client->enrolee.id);
	step->outcome = STEP_DONE;
	return OK;
}

static enum err take_failure(struct turn *t, struct step *step)
{
	struct flow *f = &t->flow;
	const struct exchange_report *r = &t->ask->report;
	struct span error = span_first(span_text(r->error), ERROR_SHOWN_MAX);
	char detail[FLOW_DETAIL_MAX];

	snprintf(detail, sizeof(detail), "%s, instruction %u (%s): the enrolee says: %.*s", t->keid,
		r->step, exchange_kind_name(step->kind), SPAN_FMT(error));
	if (step->kind == EXCHANGE_CERTIFICATE && t->state.required) {
		snprintf(f->detail, sizeof(f->detail), "%s", detail);
		return WHY(&f->why, EXCHANGE_CERTIFICATE_NEEDED, "seed 003 8.3.3.1 step 5",
			"status: want success of the certificate enrolment, have failure");
	}
	step->outcome = STEP_FAILED;
	return flow_audit(f, "exchange.step_failed", f->client->enrolee.id, detail);
}

static enum err store_state(struct turn *t)
{
	struct flow *f = &t->flow;
	struct buf info OWNED_BUF = BUF(2 * STORE_KEY_INFO_MAX);
	struct symkey row = t->row;

	TRY(turn_write_state(t, &info));
	row.info = buf_text(&info);
	return f->env.store->ops->symkey_set(f->env.store->self, &row, &f->why);
}

enum err turn_report(struct turn *t)
{
	struct state *s = &t->state;
	const struct exchange_report *r = &t->ask->report;

	TRY(find_row(t));
	if (r->step && r->step == s->told)
		return repeat(t);
	if (state_ended(s) || r->step != s->at || r->kind != s->steps[s->at - 1].kind)
		return out_of_order(t);
	struct step *step = &s->steps[s->at - 1];
	TRY(r->success ? take_success(t, step) : take_failure(t, step));
	s->told = s->at++;
	TRY(turn_advance(t));
	TRY(store_state(t));
	return turn_instruct(t, s->at);
}
