#include "app/enrolee/drive.h"

#include "adapt/sys/generation.h"
#include "app/enrolee/under_way.h"
#include "base/date.h"

#include <stdio.h>
#include <unistd.h>

enum { PEM_MAX = 512 * 1024, SAID_SHOWN_MAX = 200 };

struct driving {
	const struct cli *cli;
	const struct drive_ask *ask;
	struct agent *agent;
	struct fetch *fetch; /* in use */
	struct fetch *own;   /* the same where nobody gave one */
	struct key *key;
	struct key *held; /* of cert_pem, where a made key is encrypted for it */
	struct key *signer; /* of the certificate that authenticates, for CMC */
	struct buf key_pem; /* of key */
	struct under_way way;
	struct drive_result *result;
};

static void driving_fini(struct driving *d)
{
	agent_free(d->agent);
	fetch_free(d->own);
	key_free(d->key);
	key_free(d->held);
	key_free(d->signer);
	buf_fini_wipe(&d->key_pem);
	under_way_fini(&d->way);
}

static enum err do_call(struct driving *d, const struct agent_action *action, struct why *why)
{
	OWNED_REPLY struct fetch_reply got = {0};
	const struct fetch_ask call = {.method = action->method, .url = action->url, .media_type = action->media_type,
		.accept = action->accept, .body = action->body, .base64 = true, .bindings = true};

	if (action->csr.n)
		TRY(under_way_keep(&d->way, action->csr, why));
	TRY(fetch_send(d->fetch, &call, &got, why));
	struct agent_reply reply = {
		.status = got.status,
		.media_type = span_text(got.media_type),
		.body = buf_span(&got.body),
		.retry_after_s = got.retry_after_s,
		.location = got.location,
		.server_certs = got.certs,
		.server_certs_n = got.certs_n,
		.tls_unique = span_of(got.unique, got.unique_n),
		.tls_exporter = span_of(got.exporter, got.exporter_n),
	};
	if (got.status == 202 && action->csr.n)
		TRY(under_way_told(&d->way, reply.body, reply.retry_after_s, why));
	agent_feed(d->agent, &reply);
	return OK;
}

static void drop_key(struct driving *d)
{
	key_free(d->key);
	d->key = NULL;
	buf_fini_wipe(&d->key_pem);
	d->key_pem = BUF(PEM_MAX);
}

/* The key of a request that was under way when the device stopped, where it fits. */
static bool take_pending(struct driving *d, enum key_spec spec)
{
	struct why ignored = {0};

	if (generation_pending(d->ask->dir, &d->key_pem, &ignored) == OK
		&& key_parse_pem(buf_span(&d->key_pem), (struct span){NULL, 0}, &d->key, &ignored) == OK
		&& key_spec_of(d->key) == spec)
		return true;
	drop_key(d);
	return false;
}

static enum err do_key(struct driving *d, const struct agent_action *action, struct why *why)
{
	OWNED_BUF struct buf csr = BUF(CSR_DER_MAX);

	drop_key(d);
	if (action->key == KEY_NONE) {
		buf_put_span(&d->key_pem, d->ask->key_pem);
		TRY(key_parse_pem(buf_span(&d->key_pem), (struct span){NULL, 0}, &d->key, why));
	} else if (!take_pending(d, action->key)) {
		TRY(key_new(action->key, &d->key, why));
		TRY(key_write_pem(d->key, (struct span){NULL, 0}, &d->key_pem, why));
		TRY(generation_keep_pending(d->ask->dir, buf_span(&d->key_pem), why));
	}
	under_way_find(&d->way, &csr);
	if (csr.n)
		agent_feed_pending(d->agent, d->key, buf_span(&csr));
	else
		agent_feed_key(d->agent, d->key);
	return OK;
}

static enum err do_install(struct driving *d, const struct agent_action *action, struct why *why)
{
	OWNED_BUF struct buf cert_pem = BUF(PEM_MAX);

	if (action->made_key) {
		buf_clear(&d->key_pem);
		TRY(key_write_pem(action->made_key, (struct span){NULL, 0}, &d->key_pem, why));
	}
	TRY(cert_write_pem(action->certificate, &cert_pem, why));
	struct generation g = {
		.key_pem = buf_span(&d->key_pem),
		.cert_pem = buf_span(&cert_pem),
		.chain_pem = action->chain_pem,
		.anchors_pem = action->anchors_pem,
		.mef_uri = d->ask->mef_uri,
		.anchors_origin = d->ask->anchors_origin,
	};
	TRY(generation_install(d->ask->dir, &g, &d->result->generation, why));
	agent_feed_installed(d->agent);
	return OK;
}

static enum err do_wait(struct driving *d, const struct agent_action *action, struct why *why)
{
	char again[DATE_TEXT_SIZE];

	date_text(clock_unix_s(&d->cli->clock) + action->wait_s, again);
	if (d->ask->no_wait)
		return WHY(why, AGENT_LATER, "RFC 7030 4.2.3", "come back in %lld s, at %s; key and request are kept%s%.*s",
			(long long)action->wait_s, again, d->way.text[0] ? "; it said: " : "",
			SPAN_FMT(agent_pending_reason(d->way.text, SAID_SHOWN_MAX)));
	if (d->way.text[0])
		cli_say(d->cli, "  %s\n", d->way.text);
	cli_say(d->cli, "  %lld s, then again\n", (long long)action->wait_s);
	fflush(stdout);
	sleep((unsigned int)action->wait_s);
	agent_feed_waited(d->agent);
	return OK;
}

static enum err do_action(struct driving *d, const struct agent_action *action, struct why *why)
{
	switch (action->kind) {
	case AGENT_CALL:
		return do_call(d, action, why);
	case AGENT_MAKE_KEY:
		return do_key(d, action, why);
	case AGENT_INSTALL:
		return do_install(d, action, why);
	case AGENT_WAIT:
		return do_wait(d, action, why);
	case AGENT_DONE:
	case AGENT_FAILED:
		return OK;
	}
	return OK;
}

static enum err run(struct driving *d, struct why *why)
{
	for (;;) {
		struct agent_action action;
		agent_next(d->agent, &action, why);
		if (action.kind == AGENT_FAILED)
			return why->kind;
		if (action.kind == AGENT_DONE)
			return OK;
		cli_say(d->cli, "  %s\n", action.step);
		struct why failure = {0};
		if (do_action(d, &action, &failure) != OK)
			agent_feed_failure(d->agent, &failure);
	}
}

/* A passphrase is never asked for: libcurl must not meet a key that needs one. */
static enum err check_pair(const struct drive_ask *ask, struct span leaf, struct why *why)
{
	OWNED_KEY struct key *key = NULL;
	struct cert cert = {0};

	TRY(key_parse_pem(ask->key_pem, (struct span){NULL, 0}, &key, why));
	TRY(cert_parse(leaf, &cert, why));
	return key_matches_spki(key, cert.spki) ? OK : WHY(why, AGENT_KEY, "", "want the key of the certificate, have another");
}

/* RFC 7030 4.4.1: for which key of the device the MEF encrypts the one that it makes */
static enum err take_decrypt(struct driving *d, struct span leaf, struct agent_config *config, struct why *why)
{
	config->decrypt_id = d->ask->decrypt_id;
	config->decrypt_secret = d->ask->decrypt_secret;
	if (config->decrypt_id)
		return OK;
	TRY(key_parse_pem(d->ask->key_pem, (struct span){NULL, 0}, &d->held, why));
	config->decrypt_key = d->held;
	config->decrypt_cert = leaf;
	return OK;
}

static enum err start(struct driving *d, struct span leaf, struct why *why)
{
	const struct drive_ask *ask = d->ask;
	struct agent_config config = {
		.goal = ask->goal,
		.base_uri = ask->mef_uri,
		.anchors_pem = ask->anchors_pem,
		.client_cert = leaf,
		.by_psk = ask->by_psk,
		.key_wish = ask->key_wish,
		.reuse_key = ask->reuse_key,
		.link_session = ask->link_session,
		.subject = ask->subject,
		.server_key = ask->server_key,
		.clock = d->cli->clock,
	};
	struct fetch_config fetch = {
		.anchors_pem = ask->anchors_pem,
		.cert_pem = ask->cert_pem,
		.key_pem = ask->key_pem,
		.clock = d->cli->clock,
		.connect = ask->connect,
		.tls12_only = ask->tls12_only,
	};

	if (ask->server_key_cipher)
		TRY(take_decrypt(d, leaf, &config, why));
	if (ask->cmc) {
		TRY(key_parse_pem(ask->key_pem, (struct span){NULL, 0}, &d->signer, why));
		TRY(random_fill(&d->cli->random, config.cmc_random, sizeof(config.cmc_random), why));
		config.cmc_key = d->signer;
	}
	TRY(agent_new(&config, &d->agent, why));
	d->fetch = ask->fetch;
	if (d->fetch)
		return OK;
	TRY(fetch_new(&fetch, &d->own, why));
	d->fetch = d->own;
	return OK;
}

enum err drive_agent(const struct cli *cli, const struct drive_ask *ask, struct drive_result *out, struct why *why)
{
	__attribute__((cleanup(driving_fini))) struct driving d = {
		.cli = cli, .ask = ask, .key_pem = BUF(PEM_MAX), .result = out};
	OWNED_BUF struct buf leaf = BUF(CERT_DER_MAX);

	if (!ask->by_psk) {
		TRY(cert_first_pem(ask->cert_pem, &leaf, why));
		TRY(check_pair(ask, buf_span(&leaf), why));
	}
	under_way_init(&d.way, cli, ask, buf_span(&leaf));
	TRY(start(&d, buf_span(&leaf), why));
	return run(&d, why);
}
