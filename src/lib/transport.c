#include "lib/inner.h"

#include "base/text.h"
#include "wire/uri.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

void lib_response_fini(struct enrolee_response *r)
{
	buf_fini_wipe(&r->body);
	buf_fini(&r->ders);
	for (size_t i = 0; i < FETCH_EXPORTS_MAX; i++)
		secret_wipe(&r->exported[i]);
}

void lib_response_clear(struct enrolee_response *r)
{
	lib_response_fini(r);
	*r = (struct enrolee_response){.body = BUF(AGENT_REPLY_MAX), .ders = BUF(FETCH_CERTS_MAX * CERT_DER_MAX)};
}

void enrolee_response_status(struct enrolee_response *r, unsigned int status)
{
	r->status = status;
}

void enrolee_response_media_type(struct enrolee_response *r, const char *media_type)
{
	if (!text_copy(r->media_type, sizeof(r->media_type), span_text(media_type)))
		r->media_type[0] = '\0';
}

void enrolee_response_location(struct enrolee_response *r, const char *uri)
{
	if (!text_copy(r->location, sizeof(r->location), span_text(uri)))
		r->location[0] = '\0';
}

void enrolee_response_retry_after(struct enrolee_response *r, int64_t seconds)
{
	r->retry_after_s = seconds > 0 ? seconds : 0;
}

int enrolee_response_body(struct enrolee_response *r, const void *p, size_t n)
{
	buf_put(&r->body, p, n);
	return r->body.bad ? ENROLEE_NONE : 0;
}

int enrolee_response_certificate(struct enrolee_response *r, const void *der, size_t n)
{
	if (r->certs_n == FETCH_CERTS_MAX || n == 0 || n > CERT_DER_MAX)
		return ENROLEE_NONE;
	buf_put(&r->ders, der, n);
	if (r->ders.bad)
		return ENROLEE_NONE;
	r->ends[r->certs_n++] = r->ders.n;
	return 0;
}

int enrolee_response_exported(struct enrolee_response *r, size_t index, const void *p, size_t n)
{
	if (index >= FETCH_EXPORTS_MAX || n != FETCH_EXPORT_SIZE)
		return ENROLEE_NONE;
	return secret_set(&r->exported[index], span_of(p, n)) ? 0 : ENROLEE_NONE;
}

static bool keep_binding(uint8_t out[FETCH_BINDING_MAX], size_t *n_out, const void *p, size_t n)
{
	*n_out = n <= FETCH_BINDING_MAX ? n : 0;
	if (*n_out)
		memcpy(out, p, n);
	return *n_out == n;
}

int enrolee_response_bindings(struct enrolee_response *r, const void *unique, size_t unique_n, const void *exporter, size_t exporter_n)
{
	bool good = keep_binding(r->unique, &r->unique_n, unique, unique_n);

	return keep_binding(r->exporter, &r->exporter_n, exporter, exporter_n) && good ? 0 : ENROLEE_NONE;
}

void enrolee_response_reason(struct enrolee_response *r, const char *text)
{
	snprintf(r->reason, sizeof(r->reason), "%s", text ? text : "");
}

static void shown(const struct enrolee_response *r, struct span *certs)
{
	for (size_t i = 0; i < r->certs_n; i++) {
		size_t from = i ? r->ends[i - 1] : 0;
		certs[i] = span_of(r->ders.p + from, r->ends[i] - from);
	}
}

static struct span span_of_octets(struct enrolee_octets o)
{
	return span_of(o.p, o.n);
}

static enum err judge(struct enrolee *e, const struct span *certs, struct why *why)
{
	OWNED_ANCHORS struct anchors *anchors = NULL;
	struct cert leaf = {0};
	struct uri uri = {0};
	uint8_t anchor[32];

	TRY(anchors_parse_pem(span_of_octets(e->run.request.anchors), &anchors, why));
	TRY(chain_check(anchors, certs[0], certs + 1, e->response.certs_n - 1, CHAIN_SERVER, clock_unix_s(&e->clock), anchor,
		why));
	TRY(cert_parse(certs[0], &leaf, why));
	TRY(uri_parse(span_text(e->run.request.url), &uri, why));
	return chain_check_host(&leaf, uri.host, why);
}

enum err lib_check_server(struct enrolee *e, struct span *certs, struct why *why)
{
	struct why reason = {0};

	shown(&e->response, certs);
	/* RFC 7030 4.1.1: what nobody vouched for is judged by the fingerprint alone */
	if (e->run.by_psk || e->run.bootstrap == BOOTSTRAP_FINGERPRINT)
		return OK;
	if (e->response.certs_n == 0)
		return WHY(why, AGENT_ANSWER, "RFC 7030 3.6.1", "server's certificates: want them from the transport, have none");
	if (judge(e, certs, &reason) == OK)
		return OK;
	return WHY(why, AGENT_ANSWER, reason.clause, "%s", reason.text);
}

static enum err open_fetch(struct enrolee *e, struct why *why)
{
	const struct enrolee_request *q = &e->run.request;
	struct fetch_config config = {
		.anchors_pem = span_of_octets(q->anchors),
		.provisional = q->provisional,
		.psk_identity = q->psk_identity,
		.psk = e->run.psk,
		.srp_user = q->srp_user,
		.srp_password = span_of_octets(q->srp_password),
		.cert_pem = span_of_octets(q->certificate),
		.key_pem = span_of_octets(q->key),
		.clock = e->clock,
		.connect = q->connect,
		.timeout_s = q->timeout_s,
		.tls12_only = q->tls12_only,
	};

	if (e->run.fetch)
		return OK;
	enum err err = fetch_new(&config, &e->run.fetch, why);
	secret_wipe(&config.psk);
	return err;
}

static enum err take_reply(struct enrolee_response *r, const struct fetch_reply *got, struct why *why)
{
	bool good = true;

	r->status = got->status;
	enrolee_response_media_type(r, got->media_type);
	enrolee_response_retry_after(r, got->retry_after_s);
	enrolee_response_location(r, got->location);
	good = good && enrolee_response_body(r, got->body.p, got->body.n) == 0;
	for (size_t i = 0; i < got->certs_n; i++)
		good = good && enrolee_response_certificate(r, got->certs[i].p, got->certs[i].n) == 0;
	for (size_t i = 0; i < FETCH_EXPORTS_MAX; i++)
		r->exported[i] = got->exported[i];
	good = good && enrolee_response_bindings(r, got->unique, got->unique_n, got->exporter, got->exporter_n) == 0;
	return good ? OK : WHY(why, NOMEM, "", "answer of %zu octets", got->body.n);
}

static enum call_method method_of(enum enrolee_method method)
{
	switch (method) {
	case ENROLEE_GET:
		return CALL_GET;
	case ENROLEE_POST:
		return CALL_POST;
	case ENROLEE_PUT:
		return CALL_PUT;
	case ENROLEE_DELETE:
		return CALL_DELETE;
	}
	return CALL_GET;
}

static enum err call(struct enrolee *e, struct why *why)
{
	const struct enrolee_request *q = &e->run.request;
	OWNED_REPLY struct fetch_reply got = {0};
	struct fetch_ask ask = {.method = method_of(q->method), .url = q->url,
		.media_type = q->media_type, .accept = q->accept, .body = span_of_octets(q->body), .base64 = q->base64, .bindings = q->bindings};

	for (size_t i = 0; i < q->export_labels_n; i++)
		ask.labels[ask.labels_n++] = q->export_labels[i];
	TRY(open_fetch(e, why));
	TRY(fetch_send(e->run.fetch, &ask, &got, why));
	return take_reply(&e->response, &got, why);
}

/* The TLS library writes to a socket that may be closed: the signal stays in this thread and goes. */
static enum err call_quietly(struct enrolee *e, struct why *why)
{
	const struct timespec at_once = {0};
	sigset_t pipe_only;
	sigset_t before;
	sigset_t pending;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	sigpending(&pending);
	bool was_pending = sigismember(&pending, SIGPIPE) == 1;
	pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
	enum err err = call(e, why);
	if (!was_pending)
		sigtimedwait(&pipe_only, NULL, &at_once);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

static enum enrolee_outcome built_in(struct enrolee *e, struct why *why)
{
	if (call_quietly(e, why) == OK)
		return ENROLEE_ANSWERED;
	/* What a repetition may mend; a server that was refused or refuses stays so. */
	return why->code == CODE_AGENT_CONNECT ? ENROLEE_LOST : ENROLEE_REFUSED;
}

enum enrolee_outcome lib_exchange(struct enrolee *e, struct why *why)
{
	const char *reason = e->response.reason;

	lib_response_clear(&e->response);
	if (!e->transport.exchange)
		return built_in(e, why);
	enum enrolee_outcome outcome = e->transport.exchange(e->transport.arg, &e->run.request, &e->response);
	if (outcome == ENROLEE_ANSWERED)
		return outcome;
	if (outcome == ENROLEE_LOST)
		(void)WHY(why, AGENT_CONNECT, "", "transport: %s", reason);
	else
		(void)WHY(why, AGENT_TRANSPORT, "", "transport: %s", reason);
	return outcome == ENROLEE_LOST ? ENROLEE_LOST : ENROLEE_REFUSED;
}
