#include "bind/route.h"

#include "bind/turn.h"
#include "proto/m2m/maf.h"

#include <stdio.h>

enum {
	METHOD_GET = 1 << CALL_GET,
	METHOD_HEAD = 1 << CALL_HEAD,
	METHOD_POST = 1 << CALL_POST,
	METHOD_ANY = ~0, /* the handler looks itself */
};

static const struct route {
	enum bind_realm realm;
	const char *path;
	bool prefix;
	int methods;
	bool anyhow; /* also for clients whose TLS ended at a proxy, and for SRP users (docs/decisions/0022) */
	void (*handle)(const struct turn *t);
} routes[] = {
	{BIND_MEF, "/.well-known/est/", true, METHOD_ANY, true, bind_est},
	{BIND_MEF, "/crl/", true, METHOD_GET | METHOD_HEAD, true, bind_crl},
	{BIND_MEF, "/ca/chain.p7c", false, METHOD_GET | METHOD_HEAD, true, bind_ca_chain},
	{BIND_MEF, "/ca/", true, METHOD_GET | METHOD_HEAD, true, bind_ca_cert},
	{BIND_MAF, M2M_MAF_PATH, true, METHOD_ANY, false, bind_maf},
	{BIND_MEF, M2M_EXCHANGE_PATH, false, METHOD_POST, false, bind_exchange},
	{BIND_MEF, M2M_EXCHANGE_PATH "/", true, METHOD_POST, false, bind_exchange},
	{BIND_MEF, M2M_RETRIEVAL_PATH "/", true, METHOD_GET, false, bind_retrieval},
};

/* Of the sets that the table holds. */
static const char *methods_text(int methods)
{
	if (methods & METHOD_POST)
		return "POST";
	return methods & METHOD_HEAD ? "GET or HEAD" : "GET";
}

static const struct route *route_find(enum bind_realm realm, struct span path)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		const struct route *r = &routes[i];
		if (r->realm == realm && (r->prefix ? span_starts(path, r->path) : span_is(path, r->path)))
			return r;
	}
	return NULL;
}

void bind_call(const struct bind_env *env, const struct call *call, bind_done done, void *arg)
{
	struct turn t = {.env = env, .call = call, .done = done, .arg = arg};
	struct why why = {0};
	const struct route *r = route_find(env->realm, call->path);
	enum err err = OK;

	if (!r)
		err = WHY(&why, PUB_PATH, "RFC 9110 15.5.5", "path: want one that is served, have '%.*s'",
			SPAN_FMT(span_first(call->path, 80)));
	else if (call->peer.trust == PEER_SRP && !r->anyhow)
		err = WHY(&why, SRP_PATH, "TS-0003 8.3.2", "client: want a certificate or a pre-provisioned key, have a password");
	else if (call->peer.proxied && !r->anyhow)
		err = WHY(&why, PROXIED_PATH, "RFC 5705 4", "client: want its TLS session here, have one that ended at a proxy");
	else if (r->methods != METHOD_ANY && !(r->methods & 1 << call->method))
		err = WHY(&why, EST_METHOD, "RFC 9110 15.5.6", "method: want %s", methods_text(r->methods));
	if (err != OK)
		turn_fail_method(&t, r ? (unsigned int)r->methods : 0, &why);
	else
		r->handle(&t);
}

void turn_reply(const struct turn *t, const struct reply *reply)
{
	t->done(t->arg, reply);
}

static uint16_t status_of(const struct why *why)
{
	if (why->code == CODE_EST_METHOD)
		return 405;
	/* 415 is about the media type; a key or an algorithm that we do not take is a bad request */
	if (why->kind == ERR_UNSUPPORTED && why->code != CODE_EST_MEDIA && why->code != CODE_DOC_MEDIA)
		return 400;
	return (uint16_t)http_status_of(why->kind);
}

void turn_fail(const struct turn *t, const struct why *why)
{
	turn_fail_method(t, 0, why);
}

void turn_fail_method(const struct turn *t, unsigned int allow, const struct why *why)
{
	char text[1024];
	struct why told = *why;
	struct reply reply = {.status = status_of(why)};

	if (told.kind > ERR_PENDING) {
		snprintf(told.text, sizeof(told.text), "the MEF's log has the details");
		told.clause[0] = '\0';
		if (t->env->fault)
			t->env->fault(t->env->told_arg, why);
	}
	if (reply.status == 405)
		reply.allow = allow;
	size_t n = why_print(&told, text, sizeof(text) - 1);
	text[n++] = '\n';
	/* RFC 8951 5.1: text/plain for what people read */
	snprintf(reply.media_type, sizeof(reply.media_type), "text/plain; charset=utf-8");
	reply.body = span_of(text, n);
	if (reply.status == 503)
		reply.retry_after_s = why->retry_s ? why->retry_s : BIND_RETRY_S;
	if (reply.status == 202) /* RFC 7030 4.2.3: Retry-After is mandatory with 202 */
		reply.retry_after_s = why->retry_s ? why->retry_s
			: t->pending_retry_s	  ? (uint32_t)t->pending_retry_s
						  : BIND_PENDING_RETRY_S;
	turn_reply(t, &reply);
}
