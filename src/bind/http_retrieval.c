#include "base/mem.h"
#include "bind/turn.h"

#include <stdio.h>

/* What outlives bind_call while the refusal or the key's event is being made durable. */
struct waiting {
	struct turn turn;
	enum doc_form form;
};

/*
 * One status for whatever the MEF knows or does not know of a key, so that it tells no more than the document
 * (docs/decisions/0013); a path that cannot be read is the target's own mistake.
 */
static uint16_t status_of(enum err err)
{
	if (err == OK)
		return 200;
	return err == ERR_SYNTAX ? 400 : 403;
}

static void answer(const struct waiting *w, enum err err, const struct retrieval_answer *a)
{
	struct buf body __attribute__((cleanup(buf_fini_wipe))) = BUF(DOC_BYTES_MAX);
	struct reply reply = {.status = status_of(err)};
	struct why why = {0};

	if (retrieval_answer_write(a, w->form, &body, &why) != OK) {
		turn_fail(&w->turn, &why);
		return;
	}
	snprintf(reply.media_type, sizeof(reply.media_type), "%s", doc_media_type(w->form));
	reply.body = buf_span(&body);
	turn_reply(&w->turn, &reply);
}

/* Seed 003 8.3.3.6 step 4: Status False with an ErrorString. Our own faults are no word on the key. */
static void answer_refusal(const struct waiting *w, const struct why *why)
{
	char text[WHY_TEXT_MAX + 512];
	const struct retrieval_answer a = {.status = false, .enrolee_id = "", .error = text};

	if (why->kind > ERR_PENDING) {
		turn_fail(&w->turn, why);
		return;
	}
	why_print(why, text, sizeof(text));
	answer(w, why->kind, &a);
}

static void on_answer(void *arg, enum err err, const struct retrieval_answer *a, const struct why *why)
{
	struct waiting *w = arg;

	if (err == OK)
		answer(w, err, a);
	else
		answer_refusal(w, why);
	mem_free(w);
}

static void on_refused(void *arg, enum err err, struct span none, const struct why *why)
{
	struct waiting *w = arg;
	(void)none;
	(void)err;

	answer_refusal(w, why);
	mem_free(w);
}

static void retrieve(const struct turn *t, struct waiting *w)
{
	struct arena arena OWNED_ARENA = ARENA(BIND_ARENA_MAX);
	struct client client = {0};
	struct why why = {0};
	struct retrieval_call call = {
		.client = &client, .address = t->call->peer.address, .origin = t->call->origin};

	if (retrieval_path_parse(t->call->path, &call.ask, &why) != OK) {
		answer_refusal(w, &why);
		mem_free(w);
	} else if (turn_client(t, clock_unix_s(t->env->exchange.clock), &arena, &client, &why) != OK) {
		turn_refuse(t, &client, &why, on_refused, w);
	} else {
		retrieval_do(&t->env->exchange, &call, on_answer, w);
	}
}

void bind_retrieval(const struct turn *t)
{
	struct why why = {0};
	struct waiting *w = mem_alloc(sizeof(*w));

	if (!w) {
		(void)WHY(&why, NOMEM, "", "request: want memory for its answer");
		turn_fail(t, &why);
		return;
	}
	w->turn = *t;
	w->turn.call = NULL;
	/* Seed 003 8.3.3.6 step 3e: XML or JSON, as the target accepts. */
	w->form = doc_form_wanted(t->call->accept, DOC_JSON);
	retrieve(t, w);
}
