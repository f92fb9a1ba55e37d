#include "app/enrolee/link.h"

#include "adapt/sys/generation.h"
#include "base/date.h"
#include "base/hex.h"
#include "base/text.h"
#include "proto/m2m/derive.h"
#include "proto/m2m/maf.h"

enum { MAF_ARENA_MAX = 256 * 1024, URL_MAX = 1024, LIFETIME_DEFAULT_S = 30 * 86400 };

/* A client of a MAF at work. */
struct client {
	const struct cli *cli;
	const char *dir;
	int lock;
	struct agent_keys keys;
	bool has_keys;
	struct agent_maf *maf; /* of keys; NULL: nobody told us of it */
	const char *fqdn;      /* MAF-ID */
	struct link link;
	struct buf base, url, body;
	struct fetch_reply reply;
	struct arena arena; /* of the answer */
};

static void client_fini(struct client *c)
{
	generation_unlock(&c->lock);
	agent_keys_fini(&c->keys);
	link_fini(&c->link);
	buf_fini(&c->base);
	buf_fini(&c->url);
	buf_fini_wipe(&c->body);
	fetch_reply_fini(&c->reply);
	arena_fini(&c->arena);
}
#define OWNED_CLIENT __attribute__((cleanup(client_fini)))

/* TS-0003 8.8.2.3: KeId at the first contact, the KmId that the MAF assigned from then on; Km as key */
static enum err connect_maf(struct client *c, struct why *why)
{
	OWNED_SECRET struct secret km = {0};
	const char *rule = cli_value(c->cli, "km-rule");
	bool by_10_3_2 = rule && strcmp(rule, "10.3.2") == 0;

	if (rule && !by_10_3_2 && strcmp(rule, "10.3.7") != 0)
		return WHY(why, CLI_USAGE, "", "--km-rule: want 10.3.2 or 10.3.7, have '%s'", rule);
	if (cli_flag(c->cli, "cert") || (c->maf && c->maf->credential == MAF_BY_CERTIFICATE) || !c->has_keys)
		return link_by_certificate(c->cli, c->dir, &c->link, why);
	if (c->maf && !rule)
		km = c->maf->km;
	else
		TRY(agent_keys_km(&c->keys.ke, span_text(c->fqdn), by_10_3_2, &km, why));
	return link_by_key(c->cli, c->maf && c->maf->kmid[0] ? c->maf->kmid : c->keys.keid, &km, &c->link, why);
}

static enum err open_client(struct cli *cli, const char *fqdn, struct client *c, struct why *why)
{
	const char *uri = cli_value(cli, "uri");

	*c = (struct client){.cli = cli, .dir = enrolee_dir(cli), .lock = -1, .fqdn = fqdn, .base = BUF(URL_MAX),
		.url = BUF(URL_MAX), .body = BUF(DOC_BYTES_MAX), .arena = ARENA(MAF_ARENA_MAX)};
	agent_keys_init(&c->keys);
	TRY(generation_lock(c->dir, &c->lock, why));
	TRY(store_keys_if_any(cli, c->dir, true, &c->keys, &c->has_keys, why));
	c->maf = c->has_keys ? agent_keys_maf(&c->keys, span_text(fqdn)) : NULL;
	TRY(link_base(uri ? uri : c->maf ? c->maf->uri : NULL, span_text(fqdn), &c->base, why));
	return connect_maf(c, why);
}

/* adminFQDN is mandatory: who administers, by default the MEF that enrolled this device. */
static const char *admin_of(const struct client *c, struct span *mef)
{
	const char *given = cli_value(c->cli, "admin");
	const char *at = strchr(c->keys.keid, '@');

	*mef = span_text(given ? given : at ? at + 1 : c->fqdn);
	return (const char *)mef->p;
}

/* The handshake fails alike for every wrong key; what was asked for on the command line is the likeliest reason. */
static enum err explain_rule(const struct client *c, enum err err, struct why *why)
{
	const char *rule = cli_value(c->cli, "km-rule");

	if (err == OK || why->code != CODE_AGENT_PSK || !rule || strcmp(rule, "10.3.2") != 0)
		return err;
	return why_within(err, "--km-rule 10.3.2: a MEF gives a MAF the Km of 10.3.7, leave the option away", why);
}

static enum err send(struct client *c, enum call_method method, const char *path, bool exports, struct why *why)
{
	struct fetch_ask ask = {.method = method, .accept = doc_media_type(DOC_JSON), .origin = cli_value(c->cli, "origin")};

	buf_put_fmt(&c->url, "%s" M2M_MAF_PATH "%s", buf_text(&c->base), path);
	TRY(buf_check(&c->url, "URL", why));
	ask.url = buf_text(&c->url);
	if (method == CALL_POST) {
		ask.media_type = doc_media_type(DOC_JSON);
		ask.body = buf_span(&c->body);
	}
	if (exports)
		ask.labels[ask.labels_n++] = M2M_LABEL_CONNECTION;
	TRY(explain_rule(c, fetch_send(c->link.fetch, &ask, &c->reply, why), why));
	return link_check(path, &c->reply, why);
}

static enum err read_form(const struct client *c, enum doc_form *out, struct why *why)
{
	return doc_form_of(span_text(c->reply.media_type), out, why);
}

/* ---- connect */

static enum err take_kmid(struct client *c, const char *kmid, struct why *why)
{
	char normal[M2M_KEYID_SIZE];
	struct span fqdn = {0};

	if (!kmid || !kmid[0] || !c->maf)
		return OK;
	/* TS-0003 10.6: MAF_RELATIVE_KmID@MAF-FQDN */
	TRY(m2m_named_parse(span_text(kmid), true, normal, &fqdn, why));
	if (!span_is_nocase(fqdn, c->fqdn))
		return WHY(why, AGENT_REPLY, "TS-0003 10.6", "assignedSymmKeyID: want one of %s, have %s", c->fqdn, normal);
	c->maf->kmid = arena_text(&c->keys.arena, span_text(normal));
	if (!c->maf->kmid)
		return WHY(why, NOMEM, "", "KmId");
	return store_keys_write(c->dir, &c->keys, why);
}

static void tell_client(const struct client *c, const struct maf_client *m)
{
	OWNED_JSON struct json *j = json_object_new();
	const char *kmid = c->maf && c->maf->kmid[0] ? c->maf->kmid : NULL;

	json_put_text(j, "maf", c->fqdn);
	json_put_text(j, "registration", m->id);
	json_put_text(j, "client_id", m->client_id);
	json_put_text(j, "kmid", kmid);
	json_put_date(j, "expires", m->expires_s);
	if (c->cli->json)
		cli_print_json(j);
	cli_say(c->cli, "Registered with %s as %s%s%s.\n", c->fqdn, m->client_id ? m->client_id : "", kmid ? ", KmId " : "",
		kmid ? kmid : "");
}

/* TS-0003 10.7: no longer than the key that it stands on; a certificate client's has a length of its own. */
static int64_t end_of_registration(const struct client *c)
{
	return c->has_keys ? c->keys.expires_s : clock_unix_s(&c->cli->clock) + LIFETIME_DEFAULT_S;
}

/* TS-0003 8.8.2.3 */
static enum err run_connect(struct cli *cli, struct why *why)
{
	OWNED_CLIENT struct client c = {.lock = -1};
	struct maf_client ask = {0};
	struct maf_client got = {0};
	enum doc_form form = DOC_JSON;
	struct span admin = {0};

	TRY(open_client(cli, cli->args[0], &c, why));
	ask.admin_fqdn = admin_of(&c, &admin);
	ask.expires_s = end_of_registration(&c);
	TRY(maf_client_write(&ask, DOC_JSON, &c.body, why));
	TRY(send(&c, CALL_POST, "clientReg", false, why));
	TRY(read_form(&c, &form, why));
	TRY(maf_client_parse(form, buf_span(&c.reply.body), &c.arena, &got, why));
	TRY(take_kmid(&c, got.key_id, why));
	tell_client(&c, &got);
	return OK;
}

/* ---- key registration and retrieval */

static void tell_key(const struct client *c, const struct agent_shared *s)
{
	OWNED_JSON struct json *j = json_object_new();
	char until[DATE_TEXT_SIZE];

	date_text(s->expires_s, until);
	json_put_text(j, "keyid", s->keyid);
	json_put_int(j, "suid", s->suid);
	json_put_text(j, "peer", s->peer);
	json_put_date(j, "expires", s->expires_s);
	if (c->cli->json)
		cli_print_json(j);
	cli_say(c->cli, "Key %s for %u (%s)%s%s stored in %s/" STORE_PAIRWISE ", good until %s\n", s->keyid, s->suid,
		suid_name(s->suid), s->peer[0] ? " with " : "", s->peer, c->dir, until);
}

/* TS-0003 10.3.1, 10.3.5: Kc and KcId of this session; the server must name the same */
static enum err take_connection_key(struct client *c, const struct maf_key *got, struct agent_shared *s, struct why *why)
{
	uint8_t relative[M2M_RELATIVE_SIZE];
	char hex[2 * M2M_RELATIVE_SIZE + 1];

	TRY(m2m_split_export(secret_span(&c->reply.exported[0]), relative, &s->key, why));
	hex_text(relative, sizeof(relative), hex);
	if (!got->relative_id || !span_is_nocase(span_text(got->relative_id), hex))
		return WHY(why, AGENT_EXPORT, "TS-0003 10.3.5", "relativeKeyID: want %s, have %s", hex,
			got->relative_id ? got->relative_id : "none");
	return m2m_keyid_write(relative, span_text(c->fqdn), s->keyid, why);
}

static enum err lifetime_option(const struct cli *cli, int64_t *out, struct why *why)
{
	const char *text = cli_value(cli, "lifetime");

	*out = LIFETIME_DEFAULT_S;
	if (text)
		TRY(text_duration(span_text(text), "--lifetime", out, why));
	if (*out < 1 || *out > PREFS_EXPIRY_MAX_S)
		return WHY(why, CLI_USAGE, "", "--lifetime: want 1s to %d days", PREFS_EXPIRY_MAX_S / 86400);
	return OK;
}

static enum err write_registration(struct client *c, struct agent_shared *s, struct why *why)
{
	const char *target = NULL;
	int64_t lifetime_s = 0;
	struct span admin = {0};
	struct maf_key ask = {.has_targets = true};

	TRY(enrolee_want(c->cli, "target", &target, why));
	TRY(enrolee_suid_option(c->cli, &s->suid, why));
	TRY(lifetime_option(c->cli, &lifetime_s, why));
	if (!text_copy(s->peer, sizeof(s->peer), span_text(target)))
		return WHY(why, CLI_USAGE, "", "--target: want at most %d octets", M2M_ID_MAX);
	ask.admin_fqdn = admin_of(c, &admin);
	ask.suid = s->suid;
	ask.expires_s = clock_unix_s(&c->cli->clock) + lifetime_s;
	ask.targets.items[ask.targets.n++] = target;
	s->expires_s = ask.expires_s;
	return maf_key_write(&ask, DOC_JSON, &c->body, why);
}

/* The MAF may grant less than was asked for, never more. */
static int64_t end_of(const struct maf_key *got, int64_t asked_s)
{
	return got->expires_s > 0 && got->expires_s < asked_s ? got->expires_s : asked_s;
}

static enum err run_register_key(struct cli *cli, struct why *why)
{
	OWNED_CLIENT struct client c = {.lock = -1};
	OWNED_SHARED struct agent_shared s = {0};
	struct maf_key got = {0};
	enum doc_form form = DOC_JSON;

	TRY(open_client(cli, cli->args[0], &c, why));
	TRY(write_registration(&c, &s, why));
	TRY(send(&c, CALL_POST, "symmKeyReg", true, why));
	TRY(read_form(&c, &form, why));
	enum err err = maf_key_parse(form, buf_span(&c.reply.body), &c.arena, &got, why);
	secret_wipe(&got.value);
	TRY(err);
	TRY(take_connection_key(&c, &got, &s, why));
	s.expires_s = end_of(&got, s.expires_s);
	TRY(store_shared_write(c.dir, STORE_PAIRWISE, &s, why));
	tell_key(&c, &s);
	return OK;
}

static enum err take_retrieved(const struct client *c, const struct maf_key *got, struct agent_shared *s, struct why *why)
{
	s->key = got->value;
	s->suid = got->suid;
	s->expires_s = got->expires_s;
	if (!suid_known(got->suid))
		return WHY(why, AGENT_REPLY, "TS-0003 8.8.2.8", "SUID: want a known one, have %u", got->suid);
	if (!text_copy(s->peer, sizeof(s->peer), span_text(got->source_id ? got->source_id : "")))
		return WHY(why, AGENT_REPLY, "", "sourceClientID: want at most %d octets", M2M_ID_MAX);
	return agent_shared_check(&s->key, s->expires_s - clock_unix_s(&c->cli->clock), why);
}

/* TS-0003 8.8.2.8 */
static enum err run_fetch(struct cli *cli, struct why *why)
{
	OWNED_CLIENT struct client c = {.lock = -1};
	OWNED_SHARED struct agent_shared s = {0};
	uint8_t relative[M2M_RELATIVE_SIZE];
	char fqdn[M2M_FQDN_MAX + 1];
	char path[64] = "symmKeyReg/";
	struct span host = {0};
	struct maf_key got = {0};
	enum doc_form form = DOC_JSON;

	TRY(m2m_keyid_parse(span_text(cli->args[0]), relative, s.keyid, &host, why));
	if (!text_copy(fqdn, sizeof(fqdn), host))
		return WHY(why, CLI_USAGE, "", "KEYID: want RELATIVE@MAF-FQDN");
	hex_text(relative, sizeof(relative), path + strlen(path));
	TRY(open_client(cli, fqdn, &c, why));
	TRY(send(&c, CALL_GET, path, false, why));
	TRY(read_form(&c, &form, why));
	enum err err = maf_key_parse(form, buf_span(&c.reply.body), &c.arena, &got, why);
	if (err == OK)
		err = take_retrieved(&c, &got, &s, why);
	secret_wipe(&got.value);
	TRY(err);
	TRY(store_shared_write(c.dir, STORE_PAIRWISE, &s, why));
	tell_key(&c, &s);
	return OK;
}

#define COMMON_OPTIONS \
	{"uri", "URI", "The MAF's address; default: what the MEF told, or https://MAF-FQDN."}, \
	{"out", "DIR", "Where the credentials are (same as --dir; default ./enrolee)."}, \
	{"connect", "HOST:PORT", "Connect there instead of to the URI's host."}, \
	{"admin", "FQDN", "Administrating stakeholder; default: the MEF's domain name."}, \
	{"origin", "ID", "Own CSE-ID or AE-ID (X-M2M-Origin)."}, \
	{"km-rule", "CLAUSE", "Which Km: 10.3.7 with usage 21 (default), which a MAF fetches from a MEF, or 10.3.2 of another maker's MAF."}, \
	{"cert", "FILE", "Certificate to authenticate with instead of Km, PEM."}, \
	{"key", "FILE", "Its private key, PEM."}, \
	{"anchors", "FILE", "Trust anchors for the MAF's certificate, PEM."}, \
	{"tls12", NULL, "Use TLS 1.2 only."}

static const struct cli_option connect_options[] = {COMMON_OPTIONS, {NULL, NULL, NULL}};
static const struct cli_option register_options[] = {COMMON_OPTIONS,
	{"target", "ID", "CSE-ID or AE-ID of the entity that shall get the key."},
	{"suid", "N", "Security usage identifier, as 32."},
	{"lifetime", "DURATION", "As 12h or 30d (default 30d)."},
	{NULL, NULL, NULL}};

const struct command command_maf_connect = {"maf connect", "MAF-FQDN", 1, 1, "Register as a client of a MAF.",
	"The TLS handshake shows KeId at the first contact and the KmId that the MAF assigned afterwards; Km is the key.",
	connect_options, run_connect};
const struct command command_maf_register_key = {"maf register-key", "MAF-FQDN", 1, 1,
	"Share a key with another client of the MAF.",
	"Kc and KcId come from the TLS session (TS-0003 10.3.1); the key is stored in DIR/pairwise.\n\n"
	"  enrolee maf register-key maf.example.com --target https://bob.example.com/Cbob --suid 32 --out alice", register_options,
	run_register_key};
const struct command command_maf_fetch_key = {"maf fetch-key", "KEYID", 1, 1, "Fetch a key that another client shares with this one.",
	"The other client's `enrolee maf register-key` tells KEYID; the key is stored in DIR/pairwise.\n\n"
	"  enrolee maf fetch-key 0123456789ABCDEF0123456789ABCDEF@maf.example.com --out bob", connect_options, run_fetch};
