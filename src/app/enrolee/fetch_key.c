#include "app/enrolee/link.h"

#include "adapt/sys/generation.h"
#include "base/date.h"
#include "base/text.h"
#include "proto/m2m/retrieval.h"

enum { ANSWER_ARENA_MAX = 256 * 1024, URL_MAX = 1024 };

/* The command's question and what came of it. */
struct retrieving {
	const struct cli *cli;
	const char *dir;
	const char *origin;
	char own_id[M2M_ID_MAX + 1];
	struct span fqdn; /* of the MEF, inside of got.keyid */
	struct agent_shared got;
};

static void retrieving_fini(struct retrieving *r)
{
	agent_shared_wipe(&r->got);
}

/* seed 003 8.3.3.6 step 2: who asks; by default as whom this device enrolled. */
static enum err take_origin(struct cli *cli, struct retrieving *r, struct why *why)
{
	OWNED_AGENT_KEYS struct agent_keys own = {0};
	struct why none = {0};

	agent_keys_init(&own);
	if (!cli_flag(cli, "origin") && store_keys(r->dir, false, clock_unix_s(&cli->clock), &own, &none) == OK && own.enrolee_id[0])
		r->origin = text_copy(r->own_id, sizeof(r->own_id), span_text(own.enrolee_id)) ? r->own_id : NULL;
	return r->origin ? OK : enrolee_want(cli, "origin", &r->origin, why);
}

static enum err take_options(struct cli *cli, struct retrieving *r, struct why *why)
{
	uint8_t relative[M2M_RELATIVE_SIZE];

	TRY(enrolee_suid_option(cli, &r->got.suid, why));
	TRY(take_origin(cli, r, why));
	return m2m_keyid_parse(span_text(cli->args[0]), relative, r->got.keyid, &r->fqdn, why);
}

/* seed 003 8.3.3.6 step 1: by certificate, or by the Kre of the target's own enrolment */
static enum err connect_mef(struct retrieving *r, struct link *l, struct why *why)
{
	OWNED_AGENT_KEYS struct agent_keys own = {0};
	struct why none = {0};

	enum err err = link_by_certificate(r->cli, r->dir, l, &none);
	if (err != ERR_NOT_FOUND) {
		*why = none;
		return err;
	}
	agent_keys_init(&own);
	TRY(store_keys(r->dir, false, clock_unix_s(&r->cli->clock), &own, why));
	return link_by_key(r->cli, own.kreid, &own.kre, l, why);
}

/* Where nobody says: the MEF of the own enrolment if it is the one that the identifier names. */
static enum err write_url(const struct retrieving *r, struct buf *url, struct why *why)
{
	OWNED_BUF struct buf held = BUF(ENROLEE_URI_MAX);
	const char *mef = cli_value(r->cli, "mef");
	struct why ignored = {0};

	if (mef) {
		TRY(link_base(mef, r->fqdn, url, why));
	} else if (generation_read(r->dir, GENERATION_MEF, &held, &ignored) != OK
		|| link_base(buf_text(&held), r->fqdn, url, &ignored) != OK) {
		buf_clear(url);
		TRY(link_base(NULL, r->fqdn, url, why));
	}
	return retrieval_path_write(r->got.keyid, r->got.suid, url, why);
}

static enum err take_answer(struct retrieving *r, const struct fetch_reply *reply, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(ANSWER_ARENA_MAX);
	struct retrieval_answer a = {0};
	enum doc_form form = DOC_JSON;
	struct why unread = {0};
	const char *name = M2M_RETRIEVAL_PATH;

	enum err err = doc_form_of(span_text(reply->media_type), &form, &unread);
	if (err == OK)
		err = retrieval_answer_parse(form, buf_span(&reply->body), &arena, &a, &unread);
	if (err != OK && reply->status >= 400)
		return link_check(name, reply, why);
	if (err != OK) {
		*why = unread;
		return err;
	}
	/* seed 003 8.3.3.6 step 4: Status False with ErrorString, whatever the transport says */
	if (!a.status)
		return WHY(why, AGENT_REFUSED, "seed 003 8.3.3.6", "%s: %s", name, a.error ? a.error : "");
	err = link_check(name, reply, why);
	if (err == OK && a.credential.n != M2M_KEY_SIZE)
		err = WHY(why, AGENT_REPLY, "TS-0003 10.3.7", "Credential: want %d octets, have %zu", M2M_KEY_SIZE, a.credential.n);
	if (err == OK)
		err = agent_shared_check(&a.credential, a.lifetime_s, why);
	if (err == OK) {
		r->got.key = a.credential;
		r->got.expires_s = clock_unix_s(&r->cli->clock) + a.lifetime_s;
		if (!text_copy(r->got.peer, sizeof(r->got.peer), span_text(a.enrolee_id ? a.enrolee_id : "")))
			err = WHY(why, AGENT_REPLY, "", "EnroleeID: want at most %d octets", M2M_ID_MAX);
	}
	secret_wipe(&a.credential);
	return err;
}

/* seed 003 8.3.1.2: what goes into <ServiceSubscribedAppRule> (notes 1 and 2) */
static enum err tell(const struct retrieving *r, struct why *why)
{
	OWNED_JSON struct json *j = json_object_new();
	char credential[M2M_CREDENTIAL_ID_SIZE];
	char until[DATE_TEXT_SIZE];
	const struct agent_shared *s = &r->got;

	TRY(m2m_credential_id_write(s->suid, span_text(s->keyid), credential, why));
	date_text(s->expires_s, until);
	json_put_text(j, "keid", s->keyid);
	json_put_int(j, "suid", s->suid);
	json_put_text(j, "enrolee_id", s->peer);
	json_put_date(j, "expires", s->expires_s);
	json_put_text(j, "credential_id", credential);
	json_put_text(j, "applicableCredIDs", credential);
	json_put_text(j, "allowedAEs", s->peer[0] ? s->peer : NULL);
	if (r->cli->json)
		cli_print_json(j);
	cli_say(r->cli, "Key %s for %u (%s) stored in %s/" STORE_FETCHED ", good until %s\nCredential-ID %s\n"
		"A CSE that hosts <ServiceSubscribedAppRule> adds:\n  applicableCredIDs: %s\n", s->keyid, s->suid,
		suid_name(s->suid), r->dir, until, credential, credential);
	if (s->peer[0])
		cli_say(r->cli, "  allowedAEs: %s\n", s->peer);
	return OK;
}

static enum err sweep_one(void *arg, const struct agent_shared *s, struct why *why)
{
	return OK;
}

static enum err run_fetch_key(struct cli *cli, struct why *why)
{
	OWNED_LINK struct link l = {0};
	OWNED_REPLY struct fetch_reply reply = {0};
	OWNED_BUF struct buf url = BUF(URL_MAX);
	__attribute__((cleanup(retrieving_fini))) struct retrieving r = {.cli = cli, .dir = enrolee_dir(cli)};

	TRY(take_options(cli, &r, why));
	TRY(store_shared_each(r.dir, STORE_FETCHED, clock_unix_s(&cli->clock), sweep_one, NULL, why));
	TRY(write_url(&r, &url, why));
	TRY(connect_mef(&r, &l, why));
	const struct fetch_ask ask = {
		.method = CALL_GET, .url = buf_text(&url), .accept = doc_media_type(DOC_JSON), .origin = r.origin};
	TRY(fetch_send(l.fetch, &ask, &reply, why));
	TRY(take_answer(&r, &reply, why));
	TRY(store_shared_write(r.dir, STORE_FETCHED, &r.got, why));
	return tell(&r, why);
}

static const struct cli_option fetch_key_options[] = {
	{"suid", "N", "Security usage identifier, as 22, or maf, saef, esprim, esdata, esdata-sign."},
	{"origin", "ID", "Own CSE-ID, AE-ID or MAF-ID, as the MEF knows it (X-M2M-Origin); default: the Enrolee-ID of the own enrolment."},
	{"mef", "URI", "The MEF; default: that of the own enrolment, or the domain name in KEID."},
	{"cert", "FILE", "Certificate to authenticate with, PEM; default: the one in force, or else Kre."},
	{"key", "FILE", "Its private key, PEM, readable by the owner only."},
	{"anchors", "FILE", "Trust anchors for the MEF's certificate, PEM."},
	{"out", "DIR", "Where to keep the keys (same as --dir; default ./enrolee)."},
	{"connect", "HOST:PORT", "Connect there instead of to the URI's host."},
	{"tls12", NULL, "Use TLS 1.2 only."},
	{NULL, NULL, NULL},
};

const struct command command_fetch_key = {"fetch-key", "KEID", 1, 1,
	"As Enrolment Target: fetch the key that belongs to an enrolee's KeId.",
	"MEF Key Retrieval: the key is stored in DIR/fetched with its lifetime and erased when that is over.\n\n"
	"  enrolee fetch-key 0123456789ABCDEF0123456789ABCDEF@mef.example.com --suid saef --out cse1",
	fetch_key_options, run_fetch_key};
