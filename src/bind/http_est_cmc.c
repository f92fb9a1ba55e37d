#include "base/mem.h"
#include "bind/est_turn.h"
#include "core/cmc/message.h"
#include "proto/cmc/cmc.h"
#include "proto/est/body.h"
#include "wire/media.h"

#include <stdio.h>

/* One request of the message, as simpleenroll takes it. */
struct asking {
	const struct est_turn *e;
};

static void enrol_one(void *arg, const struct client *client, bool reenrol, struct span csr, enrol_done done, void *done_arg)
{
	const struct asking *a = arg;
	struct arena arena OWNED_ARENA = ARENA(BIND_ARENA_MAX);
	struct est_asked asked;
	struct why why = {0};

	if (est_ask(a->e, client, reenrol, csr, &arena, &asked, &why) != OK)
		turn_refuse(a->e->turn, client, &why, done, done_arg);
	else
		enrol_certificate(&a->e->turn->env->enrol, &asked.ask, done, done_arg);
}

/* RFC 7030 4.3.2: 200, or an error of HTTP with a CMC response in it. */
static void answer_message(const struct est_waiting *w, enum err err, struct span message, const struct why *outcome)
{
	struct buf body OWNED_BUF = BUF(REPLY_BODY_MAX);
	struct reply reply = {.status = 200, .base64 = true};
	struct why why = {0};

	if (err == ERR_UNSUPPORTED) /* of what stands in the message, not of its media type */
		reply.status = 400;
	else if (err != OK)
		reply.status = (uint16_t)http_status_of(err);
	/* RFC 7030 4.2.3: Retry-After is mandatory with 202 */
	if (err == ERR_PENDING && outcome->retry_s) /* another CA's word */
		reply.retry_after_s = outcome->retry_s;
	else if (err == ERR_PENDING)
		reply.retry_after_s = w->turn.pending_retry_s ? (uint32_t)w->turn.pending_retry_s : BIND_PENDING_RETRY_S;
	if (reply.status == 503)
		reply.retry_after_s = BIND_RETRY_S;
	est_body_write(&body, message, span_of(w->agent, w->agent_n));
	if (buf_check(&body, "reply", &why) != OK) {
		turn_fail(&w->turn, &why);
		return;
	}
	snprintf(reply.media_type, sizeof(reply.media_type), "%s", CMC_MEDIA_RESPONSE);
	reply.body = buf_span(&body);
	turn_reply(&w->turn, &reply);
}

static void answer(void *arg, enum err err, struct span message, const struct why *why)
{
	struct est_waiting *w = arg;

	if (message.n)
		answer_message(w, err, message, why);
	else
		turn_fail(&w->turn, why);
	mem_free(w);
}

static void answer_refused(void *arg, enum err err, struct span cert, const struct why *why)
{
	(void)cert;
	answer(arg, err, (struct span){0}, why);
}

static void run(const struct est_turn *e, struct span der, struct est_waiting *w)
{
	const struct bind_env *env = e->turn->env;
	struct arena arena OWNED_ARENA = ARENA(BIND_ARENA_MAX);
	struct asking asking = {e};
	struct client client = {0};
	struct why why = {0};
	const struct cmc_env cmc = {.enrol = env->enrol, .random = env->random, .enrol_one = enrol_one, .enrol_arg = &asking,
		.revoked = env->revoked, .fault = env->fault, .told_arg = env->told_arg};

	if (turn_client(e->turn, e->now_s, &arena, &client, &why) != OK) {
		turn_refuse(e->turn, &client, &why, answer_refused, w);
		return;
	}
	const struct cmc_ask ask = {.client = &client, .label = e->label, .address = e->turn->call->peer.address,
		.now_s = e->now_s, .message = der};
	cmc_run(&cmc, &ask, answer, w);
}

/* RFC 7030 4.3.1: application/pkcs7-mime, smime-type CMC-request; one that names no smime-type is read too. */
static enum err read_body(const struct call *call, struct buf *der, struct why *why)
{
	struct span type = media_param(call->media_type, "smime-type");

	if (!media_is(call->media_type, "application/pkcs7-mime") || (type.n && !span_is_nocase(type, "CMC-request")))
		return WHY(why, EST_MEDIA, "RFC 7030 4.3.1", "Content-Type: want %s, have '%.*s'", CMC_MEDIA_REQUEST,
			SPAN_FMT(span_first(call->media_type, 80)));
	return est_body_der(call->body, der, why);
}

void est_fullcmc(const struct est_turn *e)
{
	struct buf der OWNED_BUF = BUF(CALL_BODY_MAX);
	struct why why = {0};
	struct est_waiting *w = NULL;
	enum err err = OK;

	if (!e->label->fullcmc || !e->turn->env->enrol.issuer->sign_cmc)
		err = WHY(&why, EST_PATH, "RFC 7030 3.2.2", "fullcmc: not offered under this label");
	if (err == OK)
		err = read_body(e->turn->call, &der, &why);
	if (err == OK) {
		w = est_waiting_new(e->turn);
		if (!w)
			err = WHY(&why, NOMEM, "", "request: want memory for its answer");
	}
	if (err != OK)
		turn_fail(e->turn, &why);
	else
		run(e, buf_span(&der), w);
}
