#include "lib/inner.h"

#include <unistd.h>

static struct enrolee_octets octets(struct span s)
{
	return (struct enrolee_octets){s.p, s.n};
}

static enum enrolee_method method_of(enum call_method method)
{
	switch (method) {
	case CALL_GET:
	case CALL_HEAD:
		return ENROLEE_GET;
	case CALL_POST:
		return ENROLEE_POST;
	case CALL_PUT:
		return ENROLEE_PUT;
	case CALL_DELETE:
		return ENROLEE_DELETE;
	}
	return ENROLEE_GET;
}

/* What every call of a run has in common. */
static struct enrolee_request *request(struct enrolee *e, enum call_method method, const char *url)
{
	struct lib_run *run = &e->run;

	run->request = (struct enrolee_request){
		.method = method_of(method),
		.url = url,
		.connect = lib_text(e, ENROLEE_CONNECT),
		.anchors = octets(buf_span(&run->anchors)),
		.certificate = octets(buf_span(&run->cert)),
		.key = octets(buf_span(&run->own_key)),
		.psk_identity = run->by_psk && !run->by_srp ? run->psk_identity : NULL,
		.psk = octets(secret_span(&run->psk)),
		.srp_user = run->by_srp ? run->srp_user : NULL,
		.srp_password = octets(span_text(run->srp_password)),
		.tls12_only = run->by_srp || e->numbers[ENROLEE_TLS12_ONLY] != 0,
		.timeout_s = e->numbers[ENROLEE_TIMEOUT_S],
	};
	return &run->request;
}

static void tell_action(struct enrolee *e, enum enrolee_action_kind kind, const char *step)
{
	e->action = (struct enrolee_action){.kind = kind, .step = step};
}

static void est_call(struct enrolee *e, const struct agent_action *a)
{
	struct enrolee_request *q = request(e, a->method, a->url);

	q->media_type = a->media_type;
	q->accept = a->accept;
	q->body = octets(a->body);
	q->base64 = 1;
	q->bindings = 1;
	tell_action(e, ENROLEE_ACTION_CALL, a->step);
	e->action.request = q;
}

static void est_install(struct enrolee *e, const struct agent_action *a)
{
	struct lib_run *run = &e->run;
	struct why why = {0};

	buf_clear(&run->cert_pem);
	enum err err = cert_write_pem(a->certificate, &run->cert_pem, &why);
	if (err == OK && a->made_key) {
		buf_clear(&run->key_pem);
		err = key_write_pem(a->made_key, (struct span){NULL, 0}, &run->key_pem, &why);
	}
	if (err != OK) {
		agent_feed_failure(run->est, &why);
		return;
	}
	run->installation = (struct enrolee_installation){
		.key_ref = a->made_key ? NULL : run->key_ref,
		.key_pem = octets(buf_span(&run->key_pem)),
		.certificate = octets(buf_span(&run->cert_pem)),
		.chain = octets(a->chain_pem),
		.anchors = octets(a->anchors_pem),
		.mef = buf_text(&run->mef),
	};
	tell_action(e, ENROLEE_ACTION_INSTALL, a->step);
}

/* The exchange goes on where the certificate was its part; else the run is over. */
static void est_over(struct enrolee *e, enum enrolee_action_kind kind, const struct why *why)
{
	struct lib_run *run = &e->run;

	if (!run->exchange) {
		tell_action(e, kind, run->est_action.step);
		return;
	}
	agent_free(run->est);
	run->est = NULL;
	if (kind == ENROLEE_ACTION_DONE)
		agent_x_feed_enrolled(run->exchange);
	else
		agent_x_feed_not_enrolled(run->exchange, why);
}

static void tell_est(struct enrolee *e)
{
	struct agent_action *a = &e->run.est_action;
	struct why why = {0};

	agent_next(e->run.est, a, &why);
	switch (a->kind) {
	case AGENT_CALL:
		est_call(e, a);
		return;
	case AGENT_MAKE_KEY:
		tell_action(e, ENROLEE_ACTION_MAKE_KEY, a->step);
		e->action.key_kind = a->key == KEY_NONE ? NULL : key_spec_name(a->key);
		return;
	case AGENT_INSTALL:
		est_install(e, a);
		return;
	case AGENT_WAIT:
		tell_action(e, ENROLEE_ACTION_WAIT, a->step);
		e->action.wait_s = a->wait_s;
		return;
	case AGENT_DONE:
		est_over(e, ENROLEE_ACTION_DONE, NULL);
		return;
	case AGENT_FAILED:
		if (!e->run.exchange)
			e->why = why;
		est_over(e, ENROLEE_ACTION_FAILED, &why);
		return;
	}
}

/* Nothing is told to a server that is not yet known: neither certificate nor key. */
static void bootstrap_call(struct enrolee *e)
{
	struct enrolee_request *q = request(e, CALL_GET, buf_text(&e->run.bootstrap_url));
	const struct enrolee_octets none = {NULL, 0};
	bool implicit = e->run.bootstrap == BOOTSTRAP_IMPLICIT;

	q->accept = "application/pkcs7-mime";
	q->anchors = implicit ? octets(buf_span(&e->blobs[ENROLEE_IMPLICIT_ANCHORS])) : none;
	q->provisional = !implicit;
	q->certificate = none;
	q->key = none;
	tell_action(e, ENROLEE_ACTION_CALL, "fetch the first trust anchors");
	e->action.request = q;
}

static void bootstrap_failed(struct enrolee *e)
{
	e->why = e->run.failure;
	tell_action(e, ENROLEE_ACTION_FAILED, "fetch the first trust anchors");
}

static void exchange_call(struct enrolee *e, const struct agent_x_action *x)
{
	struct enrolee_request *q = request(e, x->method, x->url);

	q->media_type = x->media_type;
	q->accept = x->media_type;
	q->body = octets(x->body);
	if (x->exports) {
		q->export_labels[q->export_labels_n++] = M2M_LABEL_BOOTSTRAP;
		q->export_labels[q->export_labels_n++] = M2M_LABEL_REAUTH;
	}
	tell_action(e, ENROLEE_ACTION_CALL, x->step);
	e->action.request = q;
}

static void exchange_enrol(struct enrolee *e, const struct agent_x_action *x)
{
	struct why why = {0};

	if (lib_est_begin(e, x->est_uri, &why) != OK)
		agent_x_feed_not_enrolled(e->run.exchange, &why);
}

static void exchange_keep(struct enrolee *e, const struct agent_x_action *x)
{
	struct lib_run *run = &e->run;
	struct why why = {0};

	buf_fini_wipe(&run->json);
	run->json = BUF(DOC_BYTES_MAX + 1);
	if (agent_keys_write(x->keys, &run->json, &why) != OK) {
		agent_x_feed_failure(run->exchange, &why);
		return;
	}
	run->installation = (struct enrolee_installation){
		.anchors = octets(buf_span(&run->anchors)),
		.mef = buf_text(&run->mef),
		.symmetric = octets(buf_span(&run->json)),
	};
	tell_action(e, ENROLEE_ACTION_INSTALL, x->step);
}

static void tell_exchange(struct enrolee *e)
{
	struct agent_x_action *x = &e->run.x_action;
	struct why why = {0};

	agent_x_next(e->run.exchange, x, &why);
	switch (x->kind) {
	case AGENT_X_CALL:
		exchange_call(e, x);
		return;
	case AGENT_X_ENROL:
		exchange_enrol(e, x);
		return;
	case AGENT_X_KEEP:
		exchange_keep(e, x);
		return;
	case AGENT_X_WAIT:
		tell_action(e, ENROLEE_ACTION_WAIT, x->step);
		e->action.wait_s = x->wait_s;
		return;
	case AGENT_X_DONE:
		tell_action(e, ENROLEE_ACTION_DONE, x->step);
		return;
	case AGENT_X_FAILED:
		e->why = why;
		tell_action(e, ENROLEE_ACTION_FAILED, x->step);
		return;
	}
}

static bool is_over(const struct enrolee *e)
{
	return e->action.kind == ENROLEE_ACTION_DONE || e->action.kind == ENROLEE_ACTION_FAILED;
}

/* A step that needs nobody, such as the turn from the certificate back to the exchange, is passed over. */
static void tell(struct enrolee *e)
{
	e->action = (struct enrolee_action){0};
	while (e->run.under_way && e->action.kind == 0) {
		if (e->run.bootstrap == BOOTSTRAP_FAILED)
			bootstrap_failed(e);
		else if (e->run.bootstrap != BOOTSTRAP_NONE)
			bootstrap_call(e);
		else if (e->run.est)
			tell_est(e);
		else
			tell_exchange(e);
	}
	if (is_over(e))
		lib_run_end(e);
}

int enrolee_begin(struct enrolee *e, enum enrolee_goal goal)
{
	lib_open(e);
	enum err err = lib_run_begin(e, goal, &e->why);

	if (err != OK) {
		lib_run_end(e);
		tell_action(e, ENROLEE_ACTION_FAILED, "failed");
	}
	return lib_close(e, err);
}

const struct enrolee_action *enrolee_next(struct enrolee *e)
{
	if (!e->run.under_way) {
		if (!is_over(e))
			tell_action(e, ENROLEE_ACTION_FAILED, "no run has begun");
		return &e->action;
	}
	lib_open(e);
	tell(e);
	(void)lib_close(e, e->why.kind);
	return &e->action;
}

struct enrolee_response *enrolee_response(struct enrolee *e)
{
	lib_response_clear(&e->response);
	return &e->response;
}

const struct enrolee_installation *enrolee_installation(struct enrolee *e)
{
	return e->run.under_way && e->action.kind == ENROLEE_ACTION_INSTALL ? &e->run.installation : NULL;
}

static void fail_run(struct enrolee *e, const struct why *why)
{
	if (e->run.bootstrap != BOOTSTRAP_NONE) {
		e->run.failure = *why;
		e->run.bootstrap = BOOTSTRAP_FAILED;
	} else if (e->run.est)
		agent_feed_failure(e->run.est, why);
	else if (e->run.exchange)
		agent_x_feed_failure(e->run.exchange, why);
}

/* A result must answer the action that is due; another ends the run. */
static enum err in_turn(struct enrolee *e, enum enrolee_action_kind kind)
{
	if (e->run.under_way && e->action.kind == kind)
		return OK;
	enum err err = WHY(&e->why, AGENT_STEP, "", "fed: want an answer to action %d, have one to %d", (int)e->action.kind, (int)kind);
	fail_run(e, &e->why);
	return err;
}

static enum err feed_response(struct enrolee *e, struct why *why)
{
	const struct enrolee_response *r = &e->response;
	struct span certs[FETCH_CERTS_MAX];

	TRY(lib_check_server(e, certs, why));
	if (e->run.bootstrap != BOOTSTRAP_NONE)
		return lib_bootstrapped(e, why);
	if (e->run.est) {
		const struct agent_reply reply = {.status = r->status, .media_type = span_text(r->media_type), .body = buf_span(&r->body),
			.retry_after_s = r->retry_after_s, .location = r->location, .server_certs = certs, .server_certs_n = r->certs_n,
			.tls_unique = span_of(r->unique, r->unique_n), .tls_exporter = span_of(r->exporter, r->exporter_n)};
		if (r->status == 202 && e->run.est_action.csr.n)
			TRY(lib_pending_told(e, why));
		agent_feed(e->run.est, &reply);
		return OK;
	}
	const struct agent_x_reply reply = {.status = r->status, .media_type = span_text(r->media_type), .body = buf_span(&r->body),
		.retry_after_s = r->retry_after_s, .bootstrap = secret_span(&r->exported[0]), .reauth = secret_span(&r->exported[1])};
	agent_x_feed(e->run.exchange, &reply);
	return OK;
}

static void feed_lost(struct enrolee *e, const struct why *why)
{
	if (e->run.est || e->run.bootstrap != BOOTSTRAP_NONE)
		fail_run(e, why);
	else
		agent_x_feed_lost(e->run.exchange, why);
}

/* Every feed ends here: what cannot be fed ends the run, and the next action tells. */
static int fed(struct enrolee *e, enum err err)
{
	if (err != OK)
		fail_run(e, &e->why);
	lib_response_clear(&e->response);
	e->action = (struct enrolee_action){0};
	return lib_close(e, err);
}

int enrolee_feed_response(struct enrolee *e)
{
	lib_open(e);
	enum err err = in_turn(e, ENROLEE_ACTION_CALL);
	return fed(e, err == OK ? feed_response(e, &e->why) : err);
}

int enrolee_feed_lost(struct enrolee *e, const char *text)
{
	struct why why = {0};

	lib_open(e);
	enum err err = in_turn(e, ENROLEE_ACTION_CALL);
	(void)WHY(&why, AGENT_CONNECT, "", "transport: %s", text ? text : "");
	if (err == OK)
		feed_lost(e, &why);
	return fed(e, err);
}

/* The CSR of an earlier run goes on, where there is one; a new one is on record before it is sent. */
static enum err key_made(struct enrolee *e, struct why *why)
{
	OWNED_BUF struct buf csr = BUF(CSR_DER_MAX);
	struct agent_action next;
	struct why ignored = {0};

	lib_pending_find(e, &csr);
	if (csr.n)
		agent_feed_pending(e->run.est, e->run.key, buf_span(&csr));
	else
		agent_feed_key(e->run.est, e->run.key);
	agent_next(e->run.est, &next, &ignored);
	return next.kind == AGENT_CALL && next.csr.n ? lib_pending_keep(e, next.csr, why) : OK;
}

int enrolee_feed_key(struct enrolee *e, const struct enrolee_key *key)
{
	lib_open(e);
	enum err err = in_turn(e, ENROLEE_ACTION_MAKE_KEY);
	if (err == OK)
		err = lib_take_key(e, key, &e->why);
	if (err == OK)
		err = key_made(e, &e->why);
	return fed(e, err);
}

static void installed(struct enrolee *e)
{
	if (e->run.est)
		agent_feed_installed(e->run.est);
	else
		agent_x_feed_kept(e->run.exchange);
}

int enrolee_feed_installed(struct enrolee *e)
{
	lib_open(e);
	enum err err = in_turn(e, ENROLEE_ACTION_INSTALL);
	if (err == OK)
		installed(e);
	return fed(e, err);
}

static void waited(struct enrolee *e)
{
	if (e->run.est)
		agent_feed_waited(e->run.est);
	else
		agent_x_feed_waited(e->run.exchange);
}

int enrolee_feed_waited(struct enrolee *e)
{
	lib_open(e);
	enum err err = in_turn(e, ENROLEE_ACTION_WAIT);
	if (err == OK)
		waited(e);
	return fed(e, err);
}

int enrolee_feed_failure(struct enrolee *e, const char *text)
{
	struct why why = {0};

	lib_open(e);
	enum err err = lib_caller_failed("action", text, &why);
	if (err != OK)
		fail_run(e, &why);
	return fed(e, OK);
}

static enum err do_call(struct enrolee *e, struct why *why)
{
	/* a challenge that was renewed made another CSR of the same key */
	if (e->run.est && e->run.bootstrap == BOOTSTRAP_NONE && e->run.est_action.csr.n)
		TRY(lib_pending_keep(e, e->run.est_action.csr, why));
	enum enrolee_outcome outcome = lib_exchange(e, why);

	if (outcome == ENROLEE_ANSWERED)
		return feed_response(e, why);
	if (outcome == ENROLEE_REFUSED || !e->run.exchange || e->run.est)
		return why->kind;
	feed_lost(e, why);
	why_clear(why);
	return OK;
}

static enum err do_key(struct enrolee *e, struct why *why)
{
	TRY(lib_make_key(e, e->run.est_action.key, why));
	return key_made(e, why);
}

static enum err do_install(struct enrolee *e, struct why *why)
{
	TRY(lib_install(e, why));
	installed(e);
	return OK;
}

static bool wait_for(struct enrolee *e, int64_t wait_s)
{
	unsigned int left = (unsigned int)wait_s;

	if (e->wait)
		return e->wait(e->wait_arg, wait_s) == 0;
	while (left) /* a signal shortens it */
		left = sleep(left);
	return true;
}

static enum err do_wait(struct enrolee *e, struct why *why)
{
	if (e->numbers[ENROLEE_NO_WAIT] || !wait_for(e, e->action.wait_s))
		return WHY(why, AGENT_LATER, "RFC 7030 4.2.3", "come back in %lld s; key and request are kept%s%.*s", (long long)e->action.wait_s,
			e->run.said[0] ? "; it said: " : "", SPAN_FMT(agent_pending_reason(e->run.said, 200)));
	waited(e);
	return OK;
}

static enum err perform(struct enrolee *e, struct why *why)
{
	if (e->progress && e->action.step)
		e->progress(e->progress_arg, e->action.step);
	switch (e->action.kind) {
	case ENROLEE_ACTION_CALL:
		return do_call(e, why);
	case ENROLEE_ACTION_MAKE_KEY:
		return do_key(e, why);
	case ENROLEE_ACTION_INSTALL:
		return do_install(e, why);
	case ENROLEE_ACTION_WAIT:
		return do_wait(e, why);
	case ENROLEE_ACTION_DONE:
	case ENROLEE_ACTION_FAILED:
		break;
	}
	return OK;
}

int enrolee_perform(struct enrolee *e)
{
	(void)enrolee_next(e);
	if (is_over(e))
		return enrolee_error_code(e);
	lib_open(e);
	return fed(e, perform(e, &e->why));
}

int enrolee_run(struct enrolee *e, enum enrolee_goal goal)
{
	int code = enrolee_begin(e, goal);

	if (code != 0)
		return code;
	while (enrolee_next(e)->kind < ENROLEE_ACTION_DONE)
		(void)enrolee_perform(e);
	return enrolee_error_code(e);
}
