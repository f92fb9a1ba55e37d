#include "base/mem.h"
#include "bind/est_turn.h"
#include "pki/cms.h"
#include "proto/est/body.h"

#include <stdio.h>

void turn_est_body(const struct turn *t, const char *media_type, struct span der, struct span user_agent)
{
	struct buf body OWNED_BUF = BUF(REPLY_BODY_MAX);
	struct reply reply = {.status = 200, .base64 = true};
	struct why why = {0};

	est_body_write(&body, der, user_agent);
	if (buf_check(&body, "reply", &why) != OK) {
		(void)WHY(&why, BUG, "", "reply: want at most %d bytes", REPLY_BODY_MAX);
		turn_fail(t, &why);
		return;
	}
	snprintf(reply.media_type, sizeof(reply.media_type), "%s", media_type);
	reply.body = buf_span(&body);
	turn_reply(t, &reply);
}

struct est_waiting *est_waiting_new(const struct turn *t)
{
	struct est_waiting *w = mem_alloc(sizeof(*w));
	struct span agent = span_first(t->call->user_agent, CALL_AGENT_MAX);

	if (!w)
		return NULL;
	w->turn = *t;
	w->turn.call = NULL;
	w->agent_n = agent.n;
	if (agent.n)
		memcpy(w->agent, agent.p, agent.n);
	return w;
}

/* RFC 7030 4.1.2: anybody may ask for the CA certificates */
static void cacerts(const struct est_turn *e)
{
	struct span own = turn_side(e->turn)->cacerts_cms;

	turn_est_body(e->turn, EST_MEDIA_CERTS, own.n ? own : e->turn->env->ca_chain_cms, e->turn->call->user_agent);
}

static void answer(void *arg, enum err err, struct span cert, const struct why *why)
{
	struct est_waiting *w = arg;
	struct buf cms OWNED_BUF = BUF(CALL_BODY_MAX);
	struct why own = {0};

	/* RFC 7030 4.2.3: the issued certificate and no other */
	if (err == OK && cms_certs_write(&cert, 1, &cms, &own) == OK)
		turn_est_body(&w->turn, EST_MEDIA_CERTS, buf_span(&cms), span_of(w->agent, w->agent_n));
	else
		turn_fail(&w->turn, err == OK ? &own : why);
	mem_free(w);
}

static void enrol_der(const struct est_turn *e, struct span der, struct est_waiting *w)
{
	struct arena arena OWNED_ARENA = ARENA(BIND_ARENA_MAX);
	struct client client = {0};
	struct est_asked asked;
	struct why why = {0};
	bool reenrol = e->path.operation == EST_SIMPLEREENROLL;
	enum err err = turn_client_late(e->turn, e->now_s, reenrol ? e->label->expired_s : 0, &arena, &client, &why);

	if (err == OK)
		err = est_ask(e, &client, reenrol, der, &arena, &asked, &why);
	if (err != OK)
		turn_refuse(e->turn, &client, &why, answer, w);
	else
		enrol_certificate(&e->turn->env->enrol, &asked.ask, answer, w);
}

/* RFC 7030 4.2.1, 4.2.2 */
static void enrol(const struct est_turn *e)
{
	const struct call *call = e->turn->call;
	struct buf der OWNED_BUF = BUF(CALL_BODY_MAX);
	struct why why = {0};
	struct est_waiting *w = NULL;
	enum err err = est_body_csr(call->media_type, call->body, &der, &why);

	if (err == OK) {
		w = est_waiting_new(e->turn);
		if (!w)
			err = WHY(&why, NOMEM, "", "request: want memory for its answer");
	}
	if (err != OK)
		turn_fail(e->turn, &why);
	else
		enrol_der(e, buf_span(&der), w);
}

static const struct {
	enum est_operation op;
	enum call_method method;
	const char *method_name;
	void (*run)(const struct est_turn *e);
} operations[] = {
	{EST_CACERTS, CALL_GET, "GET", cacerts},
	{EST_CSRATTRS, CALL_GET, "GET", est_csrattrs},
	{EST_SIMPLEENROLL, CALL_POST, "POST", enrol},
	{EST_SIMPLEREENROLL, CALL_POST, "POST", enrol},
	{EST_SERVERKEYGEN, CALL_POST, "POST", est_serverkeygen},
	{EST_FULLCMC, CALL_POST, "POST", est_fullcmc},
};

/* RFC 9110 9.3.2: who serves GET serves HEAD too */
static unsigned int methods_of(size_t row)
{
	return 1u << operations[row].method | (operations[row].method == CALL_GET ? 1u << CALL_HEAD : 0);
}

/* RFC 7030 3.3: TLS carries every EST message; where it ended at a trusted proxy that may not say which */
static enum err check_session(const struct peer *peer, struct why *why)
{
	if (peer->tls_version >= 0x0303 || (peer->proxied && peer->tls_version == 0))
		return OK;
	return WHY(why, EST_TLS, "RFC 7030 3.3", "connection: want TLS 1.2 or later, have %s",
		peer->tls_version ? "an older one" : "none");
}

/* The proxy's word stands for the handshake, so each label says whether that is enough (docs/decisions/0022). */
static enum err check_proxied(const struct peer *peer, const struct est_label *label, struct why *why)
{
	if (!peer->proxied || label->proxied)
		return OK;
	return WHY(why, EST_PROXIED, "RFC 9440 3.1", "[label %s] proxied: want yes for clients behind a proxy, have no",
		label->name[0] ? label->name : "default");
}

static enum err open_turn(struct est_turn *e, size_t *row_out, struct why *why)
{
	const struct call *call = e->turn->call;
	size_t row = 0;

	TRY(est_path_parse(call->path, &e->path, why));
	TRY(check_session(&call->peer, why));
	e->label = label_find(e->turn->env->labels, e->path.label);
	if (!e->label)
		return WHY(why, EST_LABEL, "RFC 7030 3.2.2", "label: want one that is configured, have '%.*s'",
			SPAN_FMT(span_first(e->path.label, EST_LABEL_MAX)));
	TRY(check_proxied(&call->peer, e->label, why));
	while (operations[row].op != e->path.operation) /* est_path_parse yields no other */
		row++;
	*row_out = row;
	/* RFC 7030 3.2.2: GET fetches, POST enrols */
	if (!(methods_of(row) & 1u << call->method))
		return WHY(why, EST_METHOD, "RFC 7030 3.2.2", "method of %s: want %s",
			est_operation_name(e->path.operation), operations[row].method_name);
	return OK;
}

void bind_est(const struct turn *t)
{
	struct turn turn = *t;
	struct est_turn e = {.turn = &turn, .now_s = clock_unix_s(t->env->enrol.clock)};
	struct why why = {0};
	size_t row = 0;

	if (open_turn(&e, &row, &why) != OK)
		turn_fail_method(t, methods_of(row), &why);
	else {
		turn.pending_retry_s = e.label->hold_retry_s;
		operations[row].run(&e);
	}
}
