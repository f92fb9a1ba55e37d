#include "base/mem.h"
#include "bind/turn.h"

#include <stdio.h>

/* What outlives bind_call while the instruction is being made durable. */
struct waiting {
	struct turn turn;
	enum doc_form form;
};

static void reply_instruction(const struct waiting *w, const struct exchange_instruction *m)
{
	struct buf body OWNED_BUF = BUF(DOC_BYTES_MAX);
	struct reply reply = {.status = 200};
	struct why why = {0};

	if (exchange_instruction_write(m, w->form, &body, &why) != OK) {
		turn_fail(&w->turn, &why);
		return;
	}
	snprintf(reply.media_type, sizeof(reply.media_type), "%s", doc_media_type(w->form));
	reply.body = buf_span(&body);
	turn_reply(&w->turn, &reply);
}

static void on_instruction(void *arg, enum err err, const struct exchange_instruction *m, const struct why *why)
{
	struct waiting *w = arg;

	if (err == OK)
		reply_instruction(w, m);
	else
		turn_fail(&w->turn, why);
	mem_free(w);
}

static void on_refused(void *arg, enum err err, struct span none, const struct why *why)
{
	struct waiting *w = arg;
	(void)none;
	(void)err;

	turn_fail(&w->turn, why);
	mem_free(w);
}

/* RFC 9110 8.3, 12.5.1: the body's form by its Content-Type, the answer's by Accept, else the same. */
static enum err read_body(const struct call *call, struct arena *arena, struct exchange_ask *ask,
	enum doc_form *answer_out, struct why *why)
{
	enum doc_form form = DOC_JSON;

	TRY(doc_form_of(call->media_type, &form, why));
	*answer_out = doc_form_wanted(call->accept, form);
	return ask->start ? exchange_request_parse(form, call->body, arena, &ask->request, why)
			  : exchange_report_parse(form, call->body, arena, &ask->report, why);
}

static struct waiting *waiting_new(const struct turn *t)
{
	struct waiting *w = mem_alloc(sizeof(*w));

	if (!w)
		return NULL;
	w->turn = *t;
	w->turn.call = NULL;
	return w;
}

/* The client before its bytes: a stranger's document is not looked at. */
static void exchange(const struct turn *t, const struct exchange_ask *path, struct waiting *w)
{
	struct arena arena OWNED_ARENA = ARENA(BIND_ARENA_MAX);
	struct exchange_ask ask = *path;
	struct client client = {0};
	struct why why = {0};
	enum err err = turn_client(t, clock_unix_s(t->env->exchange.clock), &arena, &client, &why);

	if (err == OK)
		err = read_body(t->call, &arena, &ask, &w->form, &why);
	if (err != OK) {
		turn_refuse(t, &client, &why, on_refused, w);
		return;
	}
	ask.client = &client;
	ask.address = t->call->peer.address;
	ask.exported = t->call->peer.exported;
	exchange_call(&t->env->exchange, &ask, on_instruction, w);
}

/* Seed 003 8.3.3.1: POST /enrolment, then POST /enrolment/RELATIVE. */
void bind_exchange(const struct turn *t)
{
	struct exchange_ask ask = {0};
	struct why why = {0};
	struct waiting *w = NULL;
	enum err err = exchange_path_parse(t->call->path, &ask.start, ask.relative, &why);

	if (err == OK) {
		w = waiting_new(t);
		if (!w)
			err = WHY(&why, NOMEM, "", "request: want memory for its answer");
	}
	if (err != OK)
		turn_fail(t, &why);
	else
		exchange(t, &ask, w);
}
