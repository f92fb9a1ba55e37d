#include "app/enrolee/enrolee.h"

#include "adapt/sys/generation.h"
#include "agent/cmc.h"
#include "app/enrolee/link.h"

/* RFC 5280 5.3.1: what a device may say of its own certificate */
static const struct {
	const char *name;
	uint8_t code;
} reasons[] = {
	{"unspecified", 0},
	{"keyCompromise", 1},
	{"affiliationChanged", 3},
	{"superseded", 4},
	{"cessationOfOperation", 5},
	{"privilegeWithdrawn", 9},
};

static enum err take_reason(const struct cli *cli, uint8_t *out, struct why *why)
{
	const char *name = cli_value(cli, "reason");

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (!name || span_is_nocase(span_text(name), reasons[i].name)) {
			*out = reasons[i].code;
			return OK;
		}
	}
	return WHY(why, CLI_USAGE, "RFC 5280 5.3.1",
		"--reason: want keyCompromise, affiliationChanged, superseded, cessationOfOperation, privilegeWithdrawn or unspecified, have '%.40s'",
		name);
}

static enum err check(const struct agent_cmc *ask, const struct agent_reply *reply, struct span anchors_pem, int64_t now_s,
	struct why *why)
{
	OWNED_ANCHORS struct anchors *anchors = NULL;
	struct arena arena OWNED_ARENA = ARENA(AGENT_REPLY_MAX);
	struct agent_cmc_answer answer = {.arena = &arena, .now_s = now_s};
	struct span said = span_first(reply->body, 200);

	if (reply->status != 200 && !agent_cmc_is_answer(reply))
		return WHY(why, AGENT_REFUSED, "", "fullcmc: status %u: %.*s", reply->status, SPAN_FMT(said));
	TRY(anchors_parse_pem(anchors_pem, &anchors, why));
	answer.anchors = anchors;
	return agent_cmc_read(ask, reply, &answer, why);
}

static enum err ask_mef(struct cli *cli, struct link *l, const struct agent_cmc *ask, struct why *why)
{
	OWNED_REPLY struct fetch_reply got = {0};
	OWNED_BUF struct buf url = BUF(ENROLEE_URI_MAX);
	OWNED_BUF struct buf body = BUF(AGENT_REPLY_MAX);
	const char *mef = cli_value(cli, "mef") ? cli_value(cli, "mef") : buf_text(&l->held.mef);

	TRY(agent_cmc_url(mef, &url, why));
	TRY(agent_cmc_write(ask, &body, why));
	TRY(fetch_call(l->fetch, CALL_POST, buf_text(&url), CMC_MEDIA_REQUEST, "application/pkcs7-mime", buf_span(&body), &got, why));
	if (got.status == 404)
		return WHY(why, AGENT_REPLY, "RFC 7030 4.3", "%s: want a label that offers full CMC, have status 404; name one with --mef", mef);
	const struct agent_reply reply = {.status = got.status, .media_type = span_text(got.media_type), .body = buf_span(&got.body)};
	return check(ask, &reply, buf_span(&l->held.anchors), clock_unix_s(&cli->clock), why);
}

static enum err run_revoke(struct cli *cli, struct why *why)
{
	OWNED_LINK struct link l = {0};
	OWNED_LOCK int lock = -1;
	OWNED_KEY struct key *key = NULL;
	uint8_t random[AGENT_CMC_RANDOM];
	struct cmc_revoke revoke = {.part = 1};

	TRY(take_reason(cli, &revoke.reason, why));
	TRY(generation_lock(enrolee_dir(cli), &lock, why));
	TRY(link_by_certificate(cli, enrolee_dir(cli), &l, why));
	TRY(key_parse_pem(buf_span(&l.held.key), (struct span){NULL, 0}, &key, why));
	TRY(random_fill(&cli->random, random, sizeof(random), why));
	revoke.issuer = l.held.view.issuer;
	revoke.serial = l.held.view.serial;
	const struct agent_cmc ask = {.key = key, .cert = buf_span(&l.held.leaf), .revoke = &revoke, .random = random};
	TRY(ask_mef(cli, &l, &ask, why));
	OWNED_JSON struct json *j = json_object_new();
	json_put_bool(j, "revoked", true);
	if (cli->json)
		cli_print_json(j);
	cli_say(cli, "Revoked. The MEF accepts this certificate no longer; `enrolee enrol` gets another one.\n");
	return OK;
}

static const struct cli_option revoke_options[] = {
	{"reason", "REASON",
		"unspecified (default), keyCompromise, superseded, cessationOfOperation, affiliationChanged, privilegeWithdrawn."},
	{"mef", "URI", "Another address of the MEF; its label must offer full CMC."},
	{"out", "DIR", "Where the credentials are (same as --dir)."},
	{"connect", "HOST:PORT", "Connect there instead of to the URI's host."},
	{"tls12", NULL, "Use TLS 1.2 only."},
	{NULL, NULL, NULL},
};

const struct command command_revoke = {"revoke", "", 0, 0, "Have the certificate in force revoked.",
	"Asks the MEF by a message that the certificate itself signs (full CMC). The credentials stay where they are, and are good for nothing.",
	revoke_options, run_revoke};
