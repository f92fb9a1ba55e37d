#include "adapt/sys/session.h"

#include "app/enrolee/enrolee.h"
#include "base/text.h"
#include "proto/m2m/derive.h"

#include <stdio.h>
#include <unistd.h>

enum { TIMEOUT_DEFAULT_S = 60 };

static enum err number_option(const struct cli *cli, const char *name, uint64_t min, uint64_t max, uint64_t *out, struct why *why)
{
	const char *text = cli_value(cli, name);

	return text ? text_number(span_text(text), min, max, name, out, why) : OK;
}

static const char *authorised(const struct agent_keys *k, struct span target)
{
	for (size_t i = 0; i < k->pairs_n; i++) {
		if (k->pairs[i].suid == SUID_RSPF_SAEF && span_is_nocase(target, k->pairs[i].enrolee_b))
			return k->pairs[i].enrolee_b;
	}
	return NULL;
}

/* seed 003 8.3.3.5: the enrolee's side of a direct key; KeId is its identifier, the target fetches its own copy. */
static enum err derive_key(const struct cli *cli, const char *keyid, const char *target, struct agent_shared *out, struct why *why)
{
	OWNED_AGENT_KEYS struct agent_keys own = {0};

	agent_keys_init(&own);
	TRY(store_keys(enrolee_dir(cli), false, clock_unix_s(&cli->clock), &own, why));
	if (strcmp(own.keid, keyid) != 0)
		return WHY(why, AGENT_KEY_INPUT, "seed 003 8.3.3.5", "KeId: want %s of the own enrolment, have %s", own.keid, keyid);
	const char *enrolee_b = authorised(&own, span_text(target));
	if (!enrolee_b)
		return WHY(why, AGENT_PAIR, "seed 003 8.3.3.5", "--target: want an Enrolee B that is authorised for %d, have '%.128s'",
			SUID_RSPF_SAEF, target);
	*out = (struct agent_shared){.suid = SUID_RSPF_SAEF, .expires_s = own.expires_s};
	text_copy(out->keyid, sizeof(out->keyid), span_text(keyid));
	return m2m_derive_constrained(&own.ke, SUID_RSPF_SAEF, span_text(enrolee_b), &out->key, why);
}

/* The key and its identifier: derived for a target, shared by way of a MAF, or fetched from a MEF. */
static enum err find_key(const struct cli *cli, struct agent_shared *out, struct why *why)
{
	uint8_t relative[M2M_RELATIVE_SIZE];
	char keyid[M2M_KEYID_SIZE];
	struct span fqdn = {0};
	struct why none = {0};

	TRY(m2m_keyid_parse(span_text(cli->args[0]), relative, keyid, &fqdn, why));
	if (cli_flag(cli, "target"))
		return derive_key(cli, keyid, cli_value(cli, "target"), out, why);
	enum err err = store_shared_find(enrolee_dir(cli), STORE_PAIRWISE, keyid, clock_unix_s(&cli->clock), out, &none);
	if (err == ERR_NOT_FOUND)
		return store_shared_find(enrolee_dir(cli), STORE_FETCHED, keyid, clock_unix_s(&cli->clock), out, why);
	*why = none;
	return err;
}

static enum err plan_of(const struct cli *cli, const struct agent_shared *s, struct session_plan *out, struct why *why)
{
	uint64_t timeout_s = TIMEOUT_DEFAULT_S;

	TRY(number_option(cli, "timeout", 1, 86400, &timeout_s, why));
	*out = (struct session_plan){
		.identity = s->keyid, .key = &s->key, .timeout_s = (int64_t)timeout_s, .tls12_only = cli_flag(cli, "tls12")};
	return OK;
}

static void tell(const struct cli *cli, const struct session *s, const char *keyid, const char *heard)
{
	OWNED_JSON struct json *j = json_object_new();

	json_put_text(j, "keyid", keyid);
	json_put_text(j, "version", session_version(s));
	json_put_text(j, "suite", session_suite(s));
	json_put_text(j, "heard", heard);
	if (cli->json)
		cli_print_json(j);
	cli_say(cli, "Both sides hold the key %s (%s, %s).\nHeard: %s\n", keyid, session_version(s), session_suite(s), heard);
}

static const char *line_of(const struct cli *cli, const char *otherwise)
{
	return cli_value(cli, "say") ? cli_value(cli, "say") : otherwise;
}

/* What a peer says goes to a terminal. */
static void only_visible(char *line)
{
	for (char *p = line; *p; p++)
		*p = *p >= ' ' && *p <= '~' ? *p : '?';
}

static enum err serve(struct cli *cli, int fd, const struct agent_shared *key, struct why *why)
{
	OWNED_SESSION struct session *s = NULL;
	struct session_plan plan = {0};
	char heard[SESSION_LINE_SIZE];

	TRY(plan_of(cli, key, &plan, why));
	TRY(session_accept(fd, &plan, &s, why));
	TRY(session_hear(s, heard, why));
	TRY(session_say(s, line_of(cli, "hello from the listening side"), why));
	only_visible(heard);
	tell(cli, s, key->keyid, heard);
	return OK;
}

static enum err run_listen(struct cli *cli, struct why *why)
{
	OWNED_SHARED struct agent_shared key = {0};
	uint64_t wish = 0;
	uint16_t port = 0;
	int fd = -1;

	TRY(number_option(cli, "port", 0, UINT16_MAX, &wish, why));
	TRY(find_key(cli, &key, why));
	TRY(session_listen((uint16_t)wish, &fd, &port, why));
	/* on standard error, as programs read the JSON of the other stream */
	fprintf(stderr, "listening on 127.0.0.1:%u\n", port);
	enum err err = serve(cli, fd, &key, why);
	close(fd);
	return err;
}

static enum err run_connect(struct cli *cli, struct why *why)
{
	OWNED_SHARED struct agent_shared key = {0};
	OWNED_SESSION struct session *s = NULL;
	struct session_plan plan = {0};
	char heard[SESSION_LINE_SIZE];
	const char *port_text = NULL;
	uint64_t port = 0;
	const char *address = cli_value(cli, "address");

	TRY(enrolee_want(cli, "port", &port_text, why));
	TRY(number_option(cli, "port", 1, UINT16_MAX, &port, why));
	TRY(find_key(cli, &key, why));
	TRY(plan_of(cli, &key, &plan, why));
	TRY(session_connect(address ? address : "127.0.0.1", (uint16_t)port, &plan, &s, why));
	TRY(session_say(s, line_of(cli, "hello from the connecting side"), why));
	TRY(session_hear(s, heard, why));
	only_visible(heard);
	tell(cli, s, key.keyid, heard);
	return OK;
}

#define COMMON_OPTIONS \
	{"port", "PORT", "TCP port; for listen, 0 or none: any free one, told on standard error."}, \
	{"say", "LINE", "What to say."}, \
	{"target", "ID", "Enrolee B, as `enrolee keys` lists it: the other side, for which the key is derived from Ke."}, \
	{"timeout", "SECONDS", "How long to wait for the other side (default 60)."}, \
	{"out", "DIR", "Where the credentials are (same as --dir; default ./enrolee)."}, \
	{"tls12", NULL, "Use TLS 1.2 only."}

static const struct cli_option listen_options[] = {COMMON_OPTIONS, {NULL, NULL, NULL}};
static const struct cli_option connect_options[] = {
	COMMON_OPTIONS, {"address", "IPV4", "Where the other side listens (default 127.0.0.1)."}, {NULL, NULL, NULL}};

const struct command command_session_listen = {"session listen", "KEYID", 1, 1,
	"Wait for the entity that shares that key, and prove that both hold it.",
	"One TLS session by shared key on 127.0.0.1: the key's identifier is the psk_identity. Each side says one line.\n"
	"KEYID is that of a key which came by way of a MAF or which fetch-key stored; the enrolee itself names\n"
	"its KeId and --target.\n\n"
	"  enrolee session listen KEID --port 7000 --out cse1\n"
	"  enrolee session connect KEID --port 7000 --target cse1.example.com --out pump-17",
	listen_options, run_listen};
const struct command command_session_connect = {"session connect", "KEYID", 1, 1,
	"Connect to the entity that shares that key, and prove that both hold it.",
	"The other side of `enrolee session listen`, whose help has an example.", connect_options, run_connect};
