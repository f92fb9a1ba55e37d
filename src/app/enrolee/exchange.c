#include "app/enrolee/exchange.h"

#include "adapt/sys/generation.h"
#include "app/enrolee/store.h"

#include <stdio.h>
#include <unistd.h>

struct running {
	const struct cli *cli;
	const struct exchange_plan *plan;
	struct agent_x *x;
	struct fetch *fetch;
};

static void running_fini(struct running *r)
{
	agent_x_free(r->x);
	fetch_free(r->fetch);
}

/* What a repetition may mend; a server that was refused or refuses stays so. */
static bool is_lost(const struct why *why)
{
	return why->code == CODE_AGENT_CONNECT;
}

static enum err do_call(struct running *r, const struct agent_x_action *action, struct why *why)
{
	OWNED_REPLY struct fetch_reply got = {0};
	struct fetch_ask ask = {.method = action->method, .url = action->url, .media_type = action->media_type,
		.accept = action->media_type, .body = action->body};

	if (action->exports) {
		ask.labels[ask.labels_n++] = M2M_LABEL_BOOTSTRAP;
		ask.labels[ask.labels_n++] = M2M_LABEL_REAUTH;
	}
	if (fetch_send(r->fetch, &ask, &got, why) != OK) {
		if (!is_lost(why))
			return why->kind;
		agent_x_feed_lost(r->x, why);
		return OK;
	}
	const struct agent_x_reply reply = {
		.status = got.status,
		.media_type = span_text(got.media_type),
		.body = buf_span(&got.body),
		.retry_after_s = got.retry_after_s,
		.bootstrap = secret_span(&got.exported[0]),
		.reauth = secret_span(&got.exported[1]),
	};
	agent_x_feed(r->x, &reply);
	return OK;
}

static void do_enrol(struct running *r, const struct agent_x_action *action)
{
	const struct exchange_plan *plan = r->plan;
	struct drive_result result = {0};
	struct why why = {0};
	const struct drive_ask ask = {
		.goal = AGENT_ENROL,
		.fetch = r->fetch,
		.by_psk = plan->psk_identity != NULL,
		.mef_uri = action->est_uri,
		.dir = plan->dir,
		.anchors_pem = plan->anchors_pem,
		.anchors_origin = plan->anchors_origin,
		.cert_pem = plan->cert_pem,
		.key_pem = plan->key_pem,
		.key_wish = plan->key_wish,
		.server_key = plan->server_key,
		.server_key_cipher = plan->server_key_cipher,
		.decrypt_id = plan->psk_identity,
		.decrypt_secret = &plan->psk,
		.no_wait = plan->no_wait,
	};

	enum err err = drive_agent(r->cli, &ask, &result, &why);
	if (err == OK)
		agent_x_feed_enrolled(r->x);
	else if (err == ERR_PENDING) /* nothing failed that the MEF would have to be told */
		agent_x_feed_failure(r->x, &why);
	else
		agent_x_feed_not_enrolled(r->x, &why);
}

static enum err do_keep(struct running *r, const struct agent_x_action *action, struct why *why)
{
	OWNED_SECRET_BUF struct buf json = BUF(DOC_BYTES_MAX + 1);
	unsigned int number = 0;

	TRY(agent_keys_write(action->keys, &json, why));
	const struct generation g = {
		.mef_uri = r->plan->mef_uri, .anchors_pem = r->plan->anchors_pem, .keys_json = buf_span(&json)};
	TRY(generation_install(r->plan->dir, &g, &number, why));
	agent_x_feed_kept(r->x);
	return OK;
}

static enum err do_wait(struct running *r, const struct agent_x_action *action, struct why *why)
{
	if (r->plan->no_wait)
		return WHY(why, AGENT_WAITS, "", "asked to come back in %lld s", (long long)action->wait_s);
	cli_say(r->cli, "  %lld s, then again\n", (long long)action->wait_s);
	fflush(stdout);
	sleep((unsigned int)action->wait_s);
	agent_x_feed_waited(r->x);
	return OK;
}

static enum err do_action(struct running *r, const struct agent_x_action *action, struct why *why)
{
	switch (action->kind) {
	case AGENT_X_CALL:
		return do_call(r, action, why);
	case AGENT_X_ENROL:
		do_enrol(r, action);
		return OK;
	case AGENT_X_KEEP:
		return do_keep(r, action, why);
	case AGENT_X_WAIT:
		return do_wait(r, action, why);
	case AGENT_X_DONE:
	case AGENT_X_FAILED:
		return OK;
	}
	return OK;
}

/* Table 9.2.2.1-1: what this device was to be provisioned for; told only after the keys are stored. */
static enum err done(const struct running *r, const struct agent_keys *k, struct why *why)
{
	TRY(keys_tell(r->cli, r->plan->dir, k, false, why));
	for (size_t i = 0; i < r->plan->targets_n; i++) {
		if (!agent_keys_granted(k, span_text(r->plan->targets[i])))
			return WHY(why, AGENT_TARGET, "TS-0003 9.2.2.1", "Enrolment Target: want '%.200s' granted, have %zu MAFs and %zu pairs without it",
				r->plan->targets[i], k->mafs_n, k->pairs_n);
	}
	return OK;
}

static enum err run(struct running *r, struct why *why)
{
	for (;;) {
		struct agent_x_action action;
		agent_x_next(r->x, &action, why);
		if (action.kind == AGENT_X_FAILED)
			return why->kind;
		if (action.kind == AGENT_X_DONE)
			return done(r, action.keys, why);
		cli_say(r->cli, "  %s\n", action.step);
		struct why failure = {0};
		if (do_action(r, &action, &failure) != OK)
			agent_x_feed_failure(r->x, &failure);
	}
}

enum err exchange_drive(const struct cli *cli, const struct exchange_plan *plan, struct why *why)
{
	__attribute__((cleanup(running_fini))) struct running r = {.cli = cli, .plan = plan};
	const struct agent_x_config config = {
		.mef_uri = plan->mef_uri,
		.certificate = plan->certificate,
		.maf = plan->maf,
		.has_certificate = plan->has_certificate,
		.token = plan->token,
		.expiry_s = plan->expiry_s,
		.form = DOC_JSON,
		.clock = cli->clock,
	};
	struct fetch_config fetch = {
		.anchors_pem = plan->anchors_pem,
		.psk_identity = plan->psk_identity,
		.psk = plan->psk,
		.cert_pem = plan->cert_pem,
		.key_pem = plan->key_pem,
		.clock = cli->clock,
		.connect = plan->connect,
		.tls12_only = plan->tls12_only,
	};

	TRY(agent_x_new(&config, &r.x, why));
	enum err err = fetch_new(&fetch, &r.fetch, why);
	secret_wipe(&fetch.psk);
	TRY(err);
	return run(&r, why);
}
