#include "agent/exchange.h"

#include "base/hex.h"
#include "base/mem.h"
#include "proto/m2m/derive.h"
#include "wire/uri.h"

#include <stdio.h>

enum { X_ARENA_MAX = 256 * 1024, X_URL_MAX = 512, X_ERROR_MAX = 200 };

enum x_state {
	X_START,
	X_REPORT,
	X_ENROL,
	X_KEEP,
	X_WAIT,
	X_DONE,
	X_FAILED,
};

struct step {
	enum agent_x_kind kind;
	const char *text;
};

static const struct step steps[] = {
	[X_START] = {AGENT_X_CALL, "8.3.3.1 step 2: ask for enrolment"},
	[X_REPORT] = {AGENT_X_CALL, "8.3.3.1 steps 6 and 8: report to the MEF"},
	[X_ENROL] = {AGENT_X_ENROL, "8.3.3.1 step 6: certificate enrolment"},
	[X_KEEP] = {AGENT_X_KEEP, "8.3.3.1 step 10: store keys and authorised pairs"},
	[X_WAIT] = {AGENT_X_WAIT, "waiting before the next message"},
	[X_DONE] = {AGENT_X_DONE, "done"},
	[X_FAILED] = {AGENT_X_FAILED, "failed"},
};

struct agent_x {
	struct agent_x_config config; /* its texts are in the arena */
	struct arena arena;
	enum x_state state;
	enum x_state resume; /* behind a wait */
	struct why failure;
	const char *base; /* "https://FQDN:PORT" */
	struct span fqdn;
	struct buf url;
	struct buf body;
	uint8_t relative[M2M_RELATIVE_SIZE];
	unsigned int repeats, restarts, waits;
	int64_t wait_s;
	unsigned int step; /* instruction under way */
	enum exchange_kind kind;
	const char *est_uri;
	bool enrolled;
	struct why not_enrolled; /* why the certificate enrolment failed */
	struct agent_keys keys;
};

static void fail(struct agent_x *x, const struct why *why)
{
	if (x->state != X_FAILED)
		x->failure = *why;
	x->state = X_FAILED;
}

/* Scheme and authority of the MEF's address. */
static enum err set_base(struct agent_x *x, const char *given, struct why *why)
{
	struct span all = span_text(given);
	struct uri uri = {0};

	TRY(uri_parse(all, &uri, why));
	if (!span_is_nocase(uri.scheme, "https"))
		return WHY(why, AGENT_URI, "TS-0003 8.3.2.1", "want an https URI, have '%.*s'", SPAN_FMT(span_first(all, 80)));
	size_t n = uri.path.n ? (size_t)(uri.path.p - all.p) : span_find(all, '?');
	x->base = arena_text(&x->arena, span_first(all, n));
	char *fqdn = arena_text(&x->arena, uri.host);
	if (!x->base || !fqdn)
		return WHY(why, NOMEM, "", "MEF URI");
	x->fqdn = span_text(fqdn);
	return OK;
}

static enum err set_config(struct agent_x *x, const struct agent_x_config *config, struct why *why)
{
	x->config = *config;
	x->config.mef_uri = NULL;
	x->config.token = config->token ? arena_text(&x->arena, span_text(config->token)) : "";
	if (!x->config.token)
		return WHY(why, NOMEM, "", "Enrolment-Token");
	if (strlen(x->config.token) > M2M_TOKEN_MAX)
		return WHY(why, AGENT_KEY_INPUT, "", "Enrolment-Token: want at most %d octets, have %zu", M2M_TOKEN_MAX,
			strlen(x->config.token));
	return set_base(x, config->mef_uri, why);
}

static enum err write_request(struct agent_x *x, struct why *why)
{
	const struct exchange_request m = {
		.certificate = x->config.certificate, .maf = x->config.maf, .token = x->config.token};

	buf_clear(&x->url);
	buf_clear(&x->body);
	buf_put_fmt(&x->url, "%s" M2M_EXCHANGE_PATH, x->base);
	TRY(exchange_request_write(&m, x->config.form, &x->body, why));
	return buf_check(&x->url, "URL", why);
}

static enum err write_report(struct agent_x *x, struct why *why)
{
	char relative[2 * M2M_RELATIVE_SIZE + 1];
	char error[X_ERROR_MAX] = "";
	const struct why *reason = &x->not_enrolled;
	const struct exchange_report m = {
		.step = x->step, .kind = x->kind, .success = reason->kind == OK, .error = error};

	/* the catalogue's title alone: the text may speak of this device's files */
	if (reason->kind != OK)
		snprintf(error, sizeof(error), "OMEF-%d: %s", (int)reason->code, code_find((int)reason->code)->title);
	hex_text(x->relative, sizeof(x->relative), relative);
	buf_clear(&x->url);
	buf_clear(&x->body);
	buf_put_fmt(&x->url, "%s" M2M_EXCHANGE_PATH "/%s", x->base, relative);
	TRY(exchange_report_write(&m, x->config.form, &x->body, why));
	return buf_check(&x->url, "URL", why);
}

static void begin(struct agent_x *x)
{
	struct why why = {0};

	agent_keys_fini(&x->keys);
	agent_keys_init(&x->keys);
	x->state = X_START;
	x->step = 0;
	x->repeats = 0;
	x->enrolled = false;
	if (write_request(x, &why) != OK)
		fail(x, &why);
}

static void report(struct agent_x *x)
{
	struct why why = {0};

	x->state = X_REPORT;
	x->repeats = 0;
	if (write_report(x, &why) != OK)
		fail(x, &why);
}

enum err agent_x_new(const struct agent_x_config *config, struct agent_x **out, struct why *why)
{
	struct agent_x *x = mem_alloc(sizeof(*x));

	if (!x)
		return WHY(why, NOMEM, "", "enrolment exchange");
	x->arena = ARENA(X_ARENA_MAX);
	x->url = BUF(X_URL_MAX);
	x->body = BUF(DOC_BYTES_MAX);
	agent_keys_init(&x->keys);
	enum err err = set_config(x, config, why);
	if (err != OK) {
		agent_x_free(x);
		return err;
	}
	begin(x);
	*out = x;
	return OK;
}

void agent_x_free(struct agent_x *x)
{
	if (!x)
		return;
	agent_keys_fini(&x->keys);
	buf_fini(&x->url);
	buf_fini_wipe(&x->body);
	arena_fini(&x->arena);
	mem_free(x);
}

void agent_x_next(struct agent_x *x, struct agent_x_action *out, struct why *why)
{
	const struct step *step = &steps[x->state];

	*out = (struct agent_x_action){.kind = step->kind, .step = step->text, .wait_s = x->wait_s};
	if (step->kind == AGENT_X_CALL) {
		out->method = CALL_POST;
		out->url = buf_text(&x->url);
		out->media_type = doc_media_type(x->config.form);
		out->body = buf_span(&x->body);
		out->exports = x->state == X_START;
	}
	out->est_uri = x->est_uri;
	out->usages = &x->keys.certificate_usages;
	out->keys = x->state == X_KEEP || x->state == X_DONE ? &x->keys : NULL;
	if (x->state == X_FAILED && why->kind == OK)
		*why = x->failure;
}

static void out_of_turn(struct agent_x *x)
{
	struct why why = {0};

	(void)WHY(&why, AGENT_STEP, "", "exchange, state %d", (int)x->state);
	fail(x, &why);
}

static void pause_for(struct agent_x *x, int64_t wait_s)
{
	x->wait_s = wait_s < AGENT_WAIT_MAX_S ? wait_s : AGENT_WAIT_MAX_S;
	x->resume = x->state;
	x->state = X_WAIT;
}

static void wait_as_told(struct agent_x *x, int64_t retry_after_s)
{
	struct why why = {0};

	if (++x->waits > AGENT_WAITS_MAX) {
		(void)WHY(&why, AGENT_WAITS, "", "asked %d times", AGENT_WAITS_MAX);
		fail(x, &why);
		return;
	}
	pause_for(x, retry_after_s > 0 ? retry_after_s : AGENT_WAIT_DEFAULT_S);
}

void agent_x_feed_lost(struct agent_x *x, const struct why *why)
{
	if (steps[x->state].kind != AGENT_X_CALL)
		out_of_turn(x);
	else if (x->repeats == AGENT_X_REPEATS_MAX)
		fail(x, x->not_enrolled.kind != OK ? &x->not_enrolled : why);
	else
		pause_for(x, (int64_t)AGENT_X_PAUSE_S << x->repeats++);
}

static enum err unlike(const char *what, const char *want, struct span have, struct why *why)
{
	return WHY(why, AGENT_INSTRUCTION, "seed 003 8.3.3.1", "%s: want %s, have '%.*s'", what, want,
		SPAN_FMT(span_first(have, 80)));
}

/* A URI that names another host would lead the device to somebody else. */
static enum err check_host(const char *what, const char *text, struct span host, struct why *why)
{
	struct uri uri = {0};
	char want[M2M_FQDN_MAX + 32];

	TRY(uri_parse(span_text(text), &uri, why));
	if (span_is_nocase(uri.scheme, "https") && span_equal_nocase(uri.host, host))
		return OK;
	snprintf(want, sizeof(want), "https://%.*s...", SPAN_FMT(span_first(host, M2M_FQDN_MAX)));
	return unlike(what, want, span_text(text), why);
}

/* 8.3.3.2: the MEF names the key that both have; another name means another session's secret. */
static enum err check_keid(const struct agent_x *x, const char *keid, struct why *why)
{
	uint8_t relative[M2M_RELATIVE_SIZE];
	char normal[M2M_KEYID_SIZE];
	struct span fqdn = {0};

	TRY(m2m_keyid_parse(span_text(keid), relative, normal, &fqdn, why));
	if (strcmp(normal, x->keys.keid) != 0)
		return WHY(why, AGENT_EXPORT, "TS-0003 10.3.1", "keId: want %s, have %s", x->keys.keid, normal);
	return OK;
}

static enum err take_common(struct agent_x *x, const struct exchange_instruction *m, struct why *why)
{
	TRY(check_keid(x, m->keid, why));
	/* a number may be missing: the MEF leaves out what this device cannot do (docs/decisions/0013) */
	if (m->step <= x->step || m->step > AGENT_X_STEPS_MAX)
		return WHY(why, AGENT_INSTRUCTION, "seed 003 8.3.3.1", "instructionNumber: want %u to %d, have %u", x->step + 1,
			AGENT_X_STEPS_MAX, m->step);
	if (m->lifetime_s < 1 || m->lifetime_s > PREFS_EXPIRY_MAX_S)
		return WHY(why, AGENT_INSTRUCTION, "TS-0003 10.7", "lifetime: want 1 to %d, have %lld", PREFS_EXPIRY_MAX_S,
			(long long)m->lifetime_s);
	if (strlen(m->enrolee_id) > M2M_ID_MAX)
		return unlike("enroleeID", "at most 512 octets", span_text(m->enrolee_id), why);
	x->keys.enrolee_id = arena_text(&x->keys.arena, span_text(m->enrolee_id));
	/* Table 9.2.2.1-2: Enrolment Expiry is configured on both sides; the shorter one holds */
	bool sooner = x->config.expiry_s > 0 && x->config.expiry_s < m->lifetime_s;
	x->keys.expires_s = clock_unix_s(&x->config.clock) + (sooner ? x->config.expiry_s : m->lifetime_s);
	return x->keys.enrolee_id ? OK : WHY(why, NOMEM, "", "enroleeID");
}

static enum err take_certificate(struct agent_x *x, const struct exchange_instruction *m, struct why *why)
{
	if (!x->config.certificate || x->enrolled)
		return unlike("instructionType", x->enrolled ? "one certificate enrolment" : "none for certificates, as was said",
			span_text(exchange_kind_name(m->kind)), why);
	/* TS-0003 8.3.6.2: the FQDN of estBaseURI is that of the MEF */
	TRY(check_host("uri", m->est_uri, x->fqdn, why));
	x->est_uri = arena_text(&x->keys.arena, span_text(m->est_uri));
	x->keys.certificate_usages = m->usages;
	x->state = X_ENROL;
	return x->est_uri ? OK : WHY(why, NOMEM, "", "uri");
}

/* seed 003 8.3.3.4: record what the MAF may be used for, make its key (steps 2 to 4) */
static enum err record_maf(struct agent_x *x, const struct exchange_instruction *m, struct why *why)
{
	struct agent_maf *maf = &x->keys.mafs[x->keys.mafs_n];

	if (x->keys.mafs_n == PREFS_MAFS_MAX || agent_keys_maf(&x->keys, span_text(m->maf_fqdn)))
		return unlike("mafID", "another MAF", span_text(m->maf_fqdn), why);
	if (m->maf_uri[0])
		TRY(check_host("uri", m->maf_uri, span_text(m->maf_fqdn), why));
	*maf = (struct agent_maf){.credential = m->credential, .usages = m->usages, .kmid = "",
		.fqdn = arena_text(&x->keys.arena, span_text(m->maf_fqdn)),
		.uri = arena_text(&x->keys.arena, span_text(m->maf_uri))};
	if (!maf->fqdn || !maf->uri)
		return WHY(why, NOMEM, "", "mafID");
	x->keys.mafs_n++;
	if (m->credential != MAF_BY_SYMMETRIC_KEY)
		return OK;
	return agent_keys_km(&x->keys.ke, span_text(maf->fqdn), x->config.km_by_10_3_2, &maf->km, why);
}

static enum err take_maf(struct agent_x *x, const struct exchange_instruction *m, struct why *why)
{
	if (!x->config.maf)
		return unlike("instructionType", "none for MAFs, as was said", span_text(exchange_kind_name(m->kind)), why);
	if (m->credential == MAF_BY_CERTIFICATE && !x->enrolled && !x->config.has_certificate)
		return unlike("credentialType", "symmetricKey where there is no certificate", span_text("certificate"), why);
	TRY(record_maf(x, m, why));
	report(x);
	return OK;
}

/* seed 003 8.3.3.1 step 10, 8.3.3.5 */
static enum err take_end(struct agent_x *x, const struct exchange_instruction *m, struct why *why)
{
	if (m->pairs_n > EXCHANGE_PAIRS_MAX)
		return WHY(why, AGENT_INSTRUCTION, "seed 003 8.3.3.1", "authorizedPairs: want at most %d, have %zu", EXCHANGE_PAIRS_MAX,
			m->pairs_n);
	for (size_t i = 0; i < m->pairs_n; i++) {
		const struct exchange_pair *p = &m->pairs[i];
		x->keys.pairs[i] = (struct exchange_pair){
			.enrolee_b = arena_text(&x->keys.arena, span_text(p->enrolee_b)), .suid = p->suid};
		if (!x->keys.pairs[i].enrolee_b)
			return WHY(why, NOMEM, "", "authorizedPairs");
	}
	x->keys.pairs_n = m->pairs_n;
	x->state = X_KEEP;
	return OK;
}

static enum err take_instruction(struct agent_x *x, const struct exchange_instruction *m, struct why *why)
{
	TRY(take_common(x, m, why));
	x->step = m->step;
	x->kind = m->kind;
	x->repeats = 0;
	switch (m->kind) {
	case EXCHANGE_CERTIFICATE:
		return take_certificate(x, m, why);
	case EXCHANGE_MAF:
		return take_maf(x, m, why);
	case EXCHANGE_END:
		return take_end(x, m, why);
	}
	return unlike("instructionType", "certificateEnrolment, mafEnrolment or end", (struct span){0}, why);
}

/* seed 003 8.3.3.2: Ke, KeId, Kre and KreId of the session in which the exchange began */
static enum err take_exports(struct agent_x *x, const struct agent_x_reply *reply, struct why *why)
{
	uint8_t kre_relative[M2M_RELATIVE_SIZE];

	if (reply->bootstrap.n != M2M_EXPORT_SIZE || reply->reauth.n != M2M_EXPORT_SIZE)
		return WHY(why, AGENT_STEP, "TS-0003 10.3.1", "want %d exported octets twice", M2M_EXPORT_SIZE);
	TRY(m2m_split_export(reply->bootstrap, x->relative, &x->keys.ke, why));
	TRY(m2m_split_export(reply->reauth, kre_relative, &x->keys.kre, why));
	TRY(m2m_keyid_write(x->relative, x->fqdn, x->keys.keid, why));
	return m2m_keyid_write(kre_relative, x->fqdn, x->keys.kreid, why);
}

static enum err take(struct agent_x *x, const struct agent_x_reply *reply, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(X_ARENA_MAX);
	struct exchange_instruction m = {0};
	enum doc_form form = DOC_JSON;

	TRY(doc_form_of(reply->media_type, &form, why));
	TRY(exchange_instruction_parse(form, reply->body, &arena, &m, why));
	if (x->state == X_START)
		TRY(take_exports(x, reply, why));
	return take_instruction(x, &m, why);
}

static void refused(struct agent_x *x, const struct agent_x_reply *reply)
{
	struct why why = {0};
	struct span said = span_first(reply->body, WHY_TEXT_MAX);

	while (said.n && (said.p[said.n - 1] == '\n' || said.p[said.n - 1] == '\r'))
		said.n--;
	if (reply->status >= 500)
		(void)WHY(&why, AGENT_BROKEN, "", "enrolment: status %u: %.*s", reply->status, SPAN_FMT(said));
	else if (reply->status >= 400)
		(void)WHY(&why, AGENT_REFUSED, "seed 003 8.3.3.1", "enrolment: status %u: %.*s", reply->status, SPAN_FMT(said));
	else
		(void)WHY(&why, AGENT_REPLY, "", "enrolment: want status 200, have %u", reply->status);
	fail(x, &why);
}

/* The MEF does not know the exchange any more: restored from an older backup, or its keys went. */
static bool start_again(struct agent_x *x, unsigned int status)
{
	if (x->state != X_REPORT || status != 404 || x->restarts == AGENT_X_RESTARTS_MAX)
		return false;
	x->restarts++;
	begin(x);
	return true;
}

void agent_x_feed(struct agent_x *x, const struct agent_x_reply *reply)
{
	struct why why = {0};
	bool reported = x->state == X_REPORT;

	if (steps[x->state].kind != AGENT_X_CALL) {
		out_of_turn(x);
	} else if (reported && x->not_enrolled.kind != OK) {
		/* whatever the MEF says to that: without the certificate that it wants there is no enrolment */
		fail(x, &x->not_enrolled);
	} else if (reply->status == 202 || reply->status == 503) {
		wait_as_told(x, reply->retry_after_s);
	} else if (reply->status == 200 || reply->status == 201) {
		if (take(x, reply, &why) != OK)
			fail(x, &why);
	} else if (!start_again(x, reply->status)) {
		refused(x, reply);
	}
}

void agent_x_feed_enrolled(struct agent_x *x)
{
	if (x->state != X_ENROL) {
		out_of_turn(x);
		return;
	}
	x->enrolled = true;
	report(x);
}

void agent_x_feed_not_enrolled(struct agent_x *x, const struct why *why)
{
	if (x->state != X_ENROL) {
		out_of_turn(x);
		return;
	}
	x->not_enrolled = *why;
	report(x);
}

void agent_x_feed_kept(struct agent_x *x)
{
	if (x->state == X_KEEP)
		x->state = X_DONE;
	else
		out_of_turn(x);
}

void agent_x_feed_waited(struct agent_x *x)
{
	if (x->state == X_WAIT)
		x->state = x->resume;
	else
		out_of_turn(x);
}

void agent_x_feed_failure(struct agent_x *x, const struct why *why)
{
	fail(x, why);
}
