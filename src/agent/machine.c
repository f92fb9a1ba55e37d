#include "agent/cmc.h"
#include "agent/run.h"

#include "base/mem.h"
#include "pki/cms_signed.h"
#include "proto/est/body.h"
#include "wire/uri.h"

enum agent_state {
	STATE_CA_CERTS,
	STATE_CSR_ATTRS,
	STATE_KEY,
	STATE_ENROL,
	STATE_INSTALL,
	STATE_WAIT,
	STATE_DONE,
	STATE_FAILED,
};

struct step {
	enum agent_action_kind kind;
	const char *operation; /* EST operation of a call */
	const char *renew_operation;
	const char *accept;
	const char *text;
	enum err (*take)(struct agent *a, const struct agent_reply *reply, struct why *why);
	enum agent_state next;
};

static const struct step steps[] = {
	[STATE_CA_CERTS] = {AGENT_CALL, "cacerts", "cacerts", "application/pkcs7-mime",
		"step 1: obtain the trust anchors", run_take_ca_certs, STATE_CSR_ATTRS},
	[STATE_CSR_ATTRS] = {AGENT_CALL, "csrattrs", "csrattrs", "application/csrattrs",
		"step 2: obtain the CSR attributes", run_take_attrs, STATE_KEY},
	[STATE_KEY] = {AGENT_MAKE_KEY, NULL, NULL, NULL, "step 3a: make the key pair", NULL, STATE_ENROL},
	[STATE_ENROL] = {AGENT_CALL, "simpleenroll", "simplereenroll", "application/pkcs7-mime",
		"step 3c: ask for the certificate", run_take_enrolled, STATE_INSTALL},
	[STATE_INSTALL] = {AGENT_INSTALL, NULL, NULL, NULL, "step 3f: install certificate and key", NULL, STATE_DONE},
	[STATE_WAIT] = {AGENT_WAIT, NULL, NULL, NULL, "waiting as the MEF asked", NULL, STATE_DONE},
	[STATE_DONE] = {AGENT_DONE, NULL, NULL, NULL, "done", NULL, STATE_DONE},
	[STATE_FAILED] = {AGENT_FAILED, NULL, NULL, NULL, "failed", NULL, STATE_FAILED},
};

enum err agent_base_write(const char *given, struct buf *out, struct why *why)
{
	struct span all = span_text(given);
	struct uri uri = {0};

	while (all.n && all.p[all.n - 1] == '/')
		all.n--;
	TRY(uri_parse(all, &uri, why));
	if (!span_is_nocase(uri.scheme, "https"))
		return WHY(why, AGENT_URI, "RFC 7030 3.2.1", "want an https URI, have '%.*s'", SPAN_FMT(span_first(all, 80)));
	if (uri.query.n)
		return WHY(why, AGENT_URI, "", "want no query behind '?'");
	buf_put_span(out, all);
	if (uri.path.n == 0)
		buf_put_text(out, "/.well-known/est");
	return buf_check(out, "MEF URI", why);
}

static enum err set_base(struct agent *a, const char *given, struct why *why)
{
	OWNED_BUF struct buf text = BUF(CALL_PATH_MAX);

	TRY(agent_base_write(given, &text, why));
	a->base = arena_text(&a->arena, buf_span(&text));
	return a->base ? OK : WHY(why, NOMEM, "", "MEF URI");
}

static enum err keep(struct agent *a, struct span in, struct span *out, struct why *why)
{
	*out = arena_copy(&a->arena, in);
	return out->p || in.n == 0 ? OK : WHY(why, NOMEM, "", "%zu bytes", in.n);
}

static enum err hold_anchor(void *arg, struct span der, struct why *why)
{
	struct agent *a = arg;
	struct span kept = {0};

	TRY(keep(a, der, &kept, why));
	return cert_set_add(&a->held, kept, why);
}

static enum err set_config(struct agent *a, const struct agent_config *config, struct why *why)
{
	a->config = *config;
	a->config.base_uri = NULL;
	a->config.anchors_pem = (struct span){NULL, 0};
	TRY(set_base(a, config->base_uri, why));
	/* RFC 7030 3.6.1: the explicit trust anchor database; without one nobody can be authenticated, unless by key */
	if (!config->by_psk || config->anchors_pem.n)
		TRY(cert_each_pem(config->anchors_pem, hold_anchor, a, why));
	TRY(keep(a, config->client_cert, &a->config.client_cert, why));
	a->config.subject = NULL;
	TRY(name_template_read(span_text(config->subject ? config->subject : ""), &a->arena, &a->given, why));
	return config->by_psk && config->client_cert.n == 0 ? OK : cert_parse(a->config.client_cert, &a->current, why);
}

enum err agent_new(const struct agent_config *config, struct agent **out, struct why *why)
{
	struct agent *a = mem_alloc(sizeof(*a));

	if (!a)
		return WHY(why, NOMEM, "", "agent");
	a->arena = ARENA(RUN_ARENA_MAX);
	a->url = BUF(2 * CALL_PATH_MAX);
	a->anchors_pem = BUF(RUN_PEM_MAX);
	a->chain_pem = BUF(RUN_PEM_MAX);
	a->csr = BUF(CSR_DER_MAX);
	a->body = BUF(2 * CMS_SIGNED_MAX);
	a->linking = BUF(LINKING_TEXT_MAX);
	a->state = STATE_CA_CERTS;
	enum err err = set_config(a, config, why);
	if (err != OK) {
		agent_free(a);
		return err;
	}
	*out = a;
	return OK;
}

void agent_free(struct agent *a)
{
	if (!a)
		return;
	key_free(a->made);
	buf_fini(&a->url);
	buf_fini(&a->anchors_pem);
	buf_fini(&a->chain_pem);
	buf_fini(&a->csr);
	buf_fini(&a->body);
	buf_fini(&a->linking);
	arena_fini(&a->arena);
	mem_free(a);
}

static void fail(struct agent *a, const struct why *why)
{
	if (a->state != STATE_FAILED)
		a->failure = *why;
	a->state = STATE_FAILED;
}

static bool is_cmc(const struct agent *a)
{
	return a->config.cmc_key && a->state == STATE_ENROL;
}

static const char *operation_of(const struct agent *a)
{
	if (is_cmc(a))
		return "fullcmc";
	if (a->config.server_key && a->state == STATE_ENROL)
		return "serverkeygen";
	return a->config.goal == AGENT_RENEW ? steps[a->state].renew_operation : steps[a->state].operation;
}

static void describe_call(struct agent *a, const struct step *step, struct agent_action *out)
{
	bool enrol = a->state == STATE_ENROL;

	buf_clear(&a->url);
	if (a->moved[0])
		buf_put_text(&a->url, a->moved);
	else
		buf_put_fmt(&a->url, "%s/%s", a->base, operation_of(a));
	a->posts = enrol;
	out->method = enrol ? CALL_POST : CALL_GET;
	out->url = buf_text(&a->url);
	out->accept = enrol && a->config.server_key ? "multipart/mixed" : step->accept;
	out->media_type = is_cmc(a) ? CMC_MEDIA_REQUEST : enrol ? EST_MEDIA_PKCS10 : NULL;
	out->body = enrol ? buf_span(&a->body) : (struct span){NULL, 0};
	out->csr = enrol ? buf_span(&a->csr) : (struct span){NULL, 0};
}

void agent_next(struct agent *a, struct agent_action *out, struct why *why)
{
	const struct step *step = &steps[a->state];

	*out = (struct agent_action){.kind = step->kind, .step = step->text};
	if (step->kind == AGENT_CALL)
		describe_call(a, step, out);
	out->key = run_wanted_key(a);
	out->certificate = a->issued;
	out->made_key = a->made;
	out->chain_pem = buf_span(&a->chain_pem);
	out->anchors_pem = buf_span(&a->anchors_pem);
	out->wait_s = a->wait_s;
	if (a->state == STATE_FAILED && why->kind == OK)
		*why = a->failure;
}

/* RFC 7030 4.2.3: 202 with Retry-After means "not yet"; 503 is the same said by a busy server. */
static void wait_for(struct agent *a, const struct agent_reply *reply)
{
	struct why why = {0};
	int64_t wait_s = reply->retry_after_s > 0 ? reply->retry_after_s : AGENT_WAIT_DEFAULT_S;

	if (++a->waits > AGENT_WAITS_MAX) {
		WHY(&why, AGENT_WAITS, "RFC 7030 4.2.3", "asked %d times", AGENT_WAITS_MAX);
		fail(a, &why);
		return;
	}
	a->wait_s = wait_s < AGENT_WAIT_MAX_S ? wait_s : AGENT_WAIT_MAX_S;
	/* RFC 7030 4.2.3: then the same request again; its challenge may not live that long */
	a->challenged_again = false;
	a->resume = a->state;
	a->state = STATE_WAIT;
}

static struct span without_line_end(struct span s)
{
	while (s.n && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
		s.n--;
	return s;
}

/* RFC 7030 4.2.3: an error's body tells people the reason, so it is shown. */
static void refused(struct agent *a, const struct agent_reply *reply)
{
	struct why why = {0};
	const char *what = operation_of(a);
	struct span said = without_line_end(span_first(reply->body, WHY_TEXT_MAX));
	struct span none[RUN_CERTS_MAX];
	size_t n = 0;

	/* RFC 7030 4.3.2: the reason stands in the PKIResponse */
	if (is_cmc(a) && agent_cmc_is_answer(reply) && run_cmc_certs(a, reply, none, &n, &why) != OK) {
		fail(a, &why);
		return;
	}
	if (reply->status >= 500)
		WHY(&why, AGENT_BROKEN, "", "%s: status %u: %.*s", what, reply->status, SPAN_FMT(said));
	else if (reply->status >= 300 && reply->status < 400 && reply->location && reply->location[0])
		WHY(&why, AGENT_REPLY, "RFC 7030 3.2.1", "%s: want no redirection but to the same https origin, %d of them at most, have %u to %.300s", what,
			AGENT_MOVES_MAX, reply->status, reply->location);
	else if (reply->status >= 400 && reply->status != 404 && reply->status != 405)
		WHY(&why, AGENT_REFUSED, "", "%s: status %u: %.*s", what, reply->status, SPAN_FMT(said));
	else
		WHY(&why, AGENT_REPLY, "RFC 7030 3.2.2", "%s: want status 200, have %u: %.*s", what, reply->status,
			SPAN_FMT(said));
	fail(a, &why);
}

/*
 * A challenge may have outlived its minutes or its TLS session, or be spent, and a connection may have been made anew
 * behind the CSR that was linked to it (RFC 7030 3.5): asking once more from csrattrs on is worth it.
 */
static bool ask_challenge_again(struct agent *a, const struct agent_reply *reply)
{
	if (a->state != STATE_ENROL || a->challenged_again || !run_may_ask_anew(a, reply))
		return false;
	a->challenged_again = true;
	a->state = STATE_CSR_ATTRS;
	return true;
}

static bool is_good(const struct agent *a, unsigned int status)
{
	/* RFC 7030 4.5.2: no attributes are 204, and 404 where the server knows no csrattrs */
	return status == 200 || (a->state == STATE_CSR_ATTRS && (status == 204 || status == 404));
}

static void out_of_turn(struct agent *a)
{
	struct why why = {0};

	WHY(&why, AGENT_STEP, "", "state %d", a->state);
	fail(a, &why);
}

/* A second csrattrs keeps the key that was made, where it still is of the kind wanted. */
static bool keeps_key(const struct agent *a)
{
	enum key_spec want = run_wanted_key(a);

	return a->key && (want == KEY_NONE || key_spec_of(a->key) == want);
}

static void take(struct agent *a, const struct agent_reply *reply)
{
	const struct step *step = &steps[a->state];
	struct why why = {0};

	if (step->take(a, reply, &why) != OK) {
		fail(a, &why);
		return;
	}
	a->state = (int)step->next;
	if (a->state == STATE_KEY && keeps_key(a))
		agent_feed_key(a, a->key);
}

void agent_feed(struct agent *a, const struct agent_reply *reply)
{
	if (steps[a->state].kind != AGENT_CALL) {
		out_of_turn(a);
		return;
	}
	if (run_moves(a, reply))
		return;
	a->moved[0] = '\0';
	if (reply->status == 202 || reply->status == 503)
		wait_for(a, reply);
	else if (is_good(a, reply->status))
		take(a, reply);
	else if (!ask_challenge_again(a, reply))
		refused(a, reply);
}

void agent_feed_key(struct agent *a, const struct key *key)
{
	struct why why = {0};

	if (a->state != STATE_KEY) {
		out_of_turn(a);
		return;
	}
	a->key = key;
	if (run_make_csr(a, &why) != OK)
		fail(a, &why);
	else
		a->state = STATE_ENROL;
}

void agent_feed_pending(struct agent *a, const struct key *key, struct span csr)
{
	struct why ignored = {0};

	a->key = key;
	if (a->state == STATE_KEY && run_take_csr(a, csr, &ignored) == OK)
		a->state = STATE_ENROL;
	else
		agent_feed_key(a, key);
}

void agent_feed_installed(struct agent *a)
{
	if (a->state == STATE_INSTALL)
		a->state = STATE_DONE;
	else
		out_of_turn(a);
}

void agent_feed_waited(struct agent *a)
{
	if (a->state == STATE_WAIT)
		a->state = a->resume;
	else
		out_of_turn(a);
}

void agent_feed_failure(struct agent *a, const struct why *why)
{
	fail(a, why);
}
