/* `openmef enrolee add`. */
#include "app/openmef/commands.h"
#include "app/openmef/enrolee.h"

#include "adapt/sys/file.h"
#include "base/hex.h"
#include "base/text.h"
#include "core/ca/names.h"
#include "core/registry/enrolee.h"
#include "core/registry/form.h"
#include "pki/cert.h"
#include "pki/digest.h"
#include "pki/key.h"

#include <stdio.h>

enum { PEM_MAX = 1024 * 1024, ADD_ARENA_MAX = 256 * 1024, URI_MAX = 512, NOTES_MAX = 3 };

struct adding {
	struct cli *cli;
	const struct conf *conf;
	struct arena *arena;
	struct enrolee enrolee;
	struct credential creds[CLI_REPEAT_MAX];
	size_t creds_n;
	uint8_t anchor[32]; /* zero: any */
	const char *notes[NOTES_MAX]; /* what stands in the way of an enrolment, though not of this command */
	size_t notes_n;
};

static enum err read_cert(const char *path, struct buf *der, struct why *why)
{
	OWNED_BUF struct buf pem = BUF(PEM_MAX);

	TRY(file_read(path, &pem, why));
	return cert_first_pem(buf_span(&pem), der, why);
}

static enum err add_credential(struct adding *a, enum credential_kind kind, struct span value, struct why *why)
{
	if (a->creds_n == CLI_REPEAT_MAX)
		return WHY(why, CLI_USAGE, "", "want at most %d credentials", CLI_REPEAT_MAX);
	struct credential *c = &a->creds[a->creds_n++];
	c->kind = kind;
	c->value = arena_text(a->arena, value);
	if (!c->value)
		return WHY(why, NOMEM, "", "credential");
	memcpy(c->anchor, a->anchor, sizeof(c->anchor));
	return credential_check(c, a->arena, why);
}

/* "serial=4711" */
static enum err add_given(struct adding *a, const char *text, struct why *why)
{
	struct span all = span_text(text);
	size_t equals = span_find(all, '=');
	enum credential_kind kind = CREDENTIAL_CERT;

	if (equals == all.n || !credential_kind_parse(span_first(all, equals), &kind))
		return WHY(why, CLI_USAGE, "",
			"--credential: want serial=, device=, fqdn=, uri=, key= or cert= and a value, have '%.80s'", text);
	return add_credential(a, kind, span_from(all, equals + 1), why);
}

static enum err add_cert(struct adding *a, const char *path, bool key_only, struct why *why)
{
	OWNED_BUF struct buf der = BUF(CERT_DER_MAX);
	struct cert cert = {0};
	uint8_t digest[32];
	char text[KEY_NI_SIZE > 65 ? KEY_NI_SIZE : 65];

	TRY(read_cert(path, &der, why));
	TRY(cert_parse(buf_span(&der), &cert, why));
	if (key_only) {
		key_ni_text(cert.spki, text);
		return add_credential(a, CREDENTIAL_KEY, span_text(text), why);
	}
	cert_sha256(&cert, digest);
	hex_text(digest, sizeof(digest), text);
	return add_credential(a, CREDENTIAL_CERT, span_text(text), why);
}

static enum err gather(struct adding *a, struct why *why)
{
	const char *const *list = NULL;
	const char *anchor = cli_value(a->cli, "anchor");
	OWNED_BUF struct buf der = BUF(CERT_DER_MAX);

	if (anchor) {
		TRY(read_cert(anchor, &der, why));
		digest_sha256(buf_span(&der), a->anchor);
	}
	for (size_t i = 0, n = cli_values(a->cli, "credential", &list); i < n; i++)
		TRY(add_given(a, list[i], why));
	for (size_t i = 0, n = cli_values(a->cli, "cert", &list); i < n; i++)
		TRY(add_cert(a, list[i], false, why));
	for (size_t i = 0, n = cli_values(a->cli, "key-of", &list); i < n; i++)
		TRY(add_cert(a, list[i], true, why));
	if (a->creds_n == 0)
		return WHY(why, CLI_USAGE, "",
			"how does the device show who it is? Want at least one of --credential serial=..., --cert FILE, --key-of FILE");
	return OK;
}

/* ---- notes */

static void note(struct adding *a, const char *text)
{
	const char *kept = arena_text(a->arena, span_text(text));

	if (kept && a->notes_n < NOTES_MAX)
		a->notes[a->notes_n++] = kept;
}

struct anchor_search {
	const uint8_t *wanted;
	size_t n;
	bool found;
};

static enum err look_at_anchor(void *arg, struct span der, struct why *why)
{
	struct anchor_search *s = arg;
	uint8_t digest[32];

	digest_sha256(der, digest);
	s->n++;
	s->found = s->found || memcmp(digest, s->wanted, sizeof(digest)) == 0;
	return OK;
}

/* Only a raw key needs nobody to vouch for it. */
static bool needs_anchor(const struct adding *a)
{
	for (size_t i = 0; i < a->creds_n; i++) {
		if (a->creds[i].kind != CREDENTIAL_KEY)
			return true;
	}
	return false;
}

static void note_anchors(struct adding *a)
{
	static const uint8_t any[32];
	OWNED_BUF struct buf pem = BUF(PEM_MAX);
	struct anchor_search search = {.wanted = a->anchor};
	struct why why = {0};
	char text[2 * CONF_PATH_MAX];
	const char *path = a->conf->device_anchors;
	const char *reload = cli_server_pid(a->conf) ? ", then run openmef reload" : "";

	if (!needs_anchor(a) || (path[0] && file_read(path, &pem, &why) != OK))
		return;
	/* A file without any certificate is the first case below. */
	if (pem.n && cert_each_pem(buf_span(&pem), look_at_anchor, &search, &why) != OK && search.n)
		return;
	bool bound = memcmp(a->anchor, any, sizeof(any)) != 0;
	if (search.n == 0)
		snprintf(text, sizeof(text), "no CA of device makers is trusted yet: append its certificate to %s%s", path, reload);
	else if (bound && !search.found)
		snprintf(text, sizeof(text), "the --anchor is not among those trusted: append it to %s%s", path, reload);
	else
		return;
	note(a, text);
}

static enum err try_profile(const struct adding *a, const char *name, struct why *why)
{
	OWNED_BUF struct buf sans = BUF(4096);
	char entity[FORM_SIZE];
	const struct profile *profile = profile_find(&a->conf->profiles, name);
	bool uri = a->enrolee.entity_type == ENTITY_NODE || a->enrolee.entity_type == ENTITY_AE;
	struct span value = span_text(a->enrolee.entity_id);
	const char *want = uri ? form_uri(value, a->enrolee.entity_type == ENTITY_AE, entity) : form_dns(value, entity);

	if (want || !profile)
		return OK; /* told by registry_add */
	struct san_list list = {.items = {{.kind = uri ? SAN_URI : SAN_DNS, .value = span_text(entity)}}, .n = 1};
	TRY(san_write(&list, &sans, why));
	return names_check(profile, buf_span(&sans), why);
}

/* A profile may be changed before the device comes; but mostly this is a slip. */
static void note_profile(struct adding *a)
{
	struct why why = {0};
	char text[WHY_TEXT_MAX + 64];

	if (a->enrolee.profile[0]) {
		if (try_profile(a, a->enrolee.profile, &why) == OK)
			return;
	} else {
		for (size_t i = 0; i < a->conf->labels.n; i++) {
			why_clear(&why);
			if (try_profile(a, a->conf->labels.items[i].profile, &why) == OK)
				return;
		}
	}
	snprintf(text, sizeof(text), "the certificate profile will refuse this identity: %s", why.text);
	note(a, text);
}

/* ---- what the device needs */

/* The port in force: a server with port 0 in its configuration tells it in run/ports.json. */
static unsigned int https_port(const struct conf *conf)
{
	OWNED_BUF struct buf text = BUF(16 * 1024);
	char path[CONF_PATH_MAX];
	struct why ignored = {0};
	unsigned int port = conf->https_n ? conf->https[0].port : 0;

	if (port || cli_path(conf->dir, "run/ports.json", path, sizeof(path), &ignored) != OK
		|| file_read(path, &text, &ignored) != OK)
		return port;
	const char *found = strstr(buf_text(&text), "\"port\": ");
	return found && sscanf(found, "\"port\": %u", &port) == 1 ? port : 0;
}

static const char *est_uri(const struct conf *conf, const struct est_label *label, char *out, size_t size)
{
	unsigned int port = https_port(conf);
	char colon[16] = "";

	if (port != 443)
		snprintf(colon, sizeof(colon), port ? ":%u" : ":PORT", port);
	snprintf(out, size, "https://%s%s/.well-known/est%s%s", conf->fqdn, colon, label->name[0] ? "/" : "", label->name);
	return out;
}

/* oneM2M entities take the label that demands the challenge, plain hosts the one that does not. */
static const struct est_label *fit_label(const struct adding *a)
{
	enum challenge_mode want = a->enrolee.entity_type == ENTITY_FQDN ? CHALLENGE_ACCEPTED : CHALLENGE_REQUIRED;

	for (size_t i = 0; i < a->conf->labels.n; i++) {
		if (a->conf->labels.items[i].challenge == want)
			return &a->conf->labels.items[i];
	}
	return &a->conf->labels.items[0];
}

static void tell_json(const struct adding *a)
{
	OWNED_JSON struct json *j = enrolee_json(&a->enrolee);
	struct json *creds = json_list_new();
	struct json *notes = json_list_new();
	char uri[URI_MAX];

	for (size_t i = 0; i < a->creds_n; i++) {
		struct json *c = json_object_new();
		json_put_text(c, "kind", credential_kind_name(a->creds[i].kind));
		json_put_text(c, "value", a->creds[i].value);
		json_add(creds, c);
	}
	for (size_t i = 0; i < a->notes_n; i++)
		json_add_text(notes, a->notes[i]);
	json_put(j, "credentials", creds);
	json_put_text(j, "est", est_uri(a->conf, fit_label(a), uri, sizeof(uri)));
	json_put_text(j, "root", a->conf->ca_chain[0] ? a->conf->ca_chain : a->conf->ca_cert);
	json_put(j, "notes", notes);
	cli_print_json(j);
}

static void tell(const struct adding *a)
{
	const struct cli *cli = a->cli;
	char uri[URI_MAX];

	if (cli->json)
		tell_json(a);
	cli_say(cli, "Added %s as %s %s.\n", a->enrolee.id, entity_type_name(a->enrolee.entity_type), a->enrolee.entity_id);
	for (size_t i = 0; i < a->creds_n; i++)
		cli_say(cli, "  credential  %s=%s\n", credential_kind_name(a->creds[i].kind), a->creds[i].value);
	for (size_t i = 0; i < a->notes_n; i++)
		cli_say(cli, "Note: %s.\n", a->notes[i]);
	cli_say(cli, "\nOn the device:\n  enrolee enrol --mef %s \\\n    --cert FACTORY.pem --key FACTORY.key --anchors ROOT.pem --out DIR\n",
		est_uri(a->conf, fit_label(a), uri, sizeof(uri)));
	cli_say(cli, "ROOT.pem is a copy of %s\n", a->conf->ca_chain[0] ? a->conf->ca_chain : a->conf->ca_cert);
}

static enum err do_add(struct store *store, void *arg, struct why *why)
{
	struct adding *a = arg;

	return registry_add(store, &a->enrolee, a->creds, a->creds_n, a->enrolee.created_s, why);
}

static enum err take_identity(struct adding *a, struct why *why)
{
	const char *type = cli_value(a->cli, "type");
	struct enrolee *e = &a->enrolee;

	if (!type || !entity_type_parse(span_text(type), &e->entity_type))
		return WHY(why, CLI_USAGE, "", "want --type node, cse, ae or fqdn, have '%.20s'", type ? type : "");
	e->entity_id = cli_value(a->cli, "entity");
	if (!e->entity_id)
		return WHY(why, CLI_USAGE, "", "want --entity %s", e->entity_type == ENTITY_NODE ? "urn:example:pump:17"
			: e->entity_type == ENTITY_AE ? "m2m://sp.example.com/cse1/Cae7" : "gw7.example.com");
	e->id = a->cli->args[0];
	e->state = ENROLEE_ENABLED;
	e->label = cli_value(a->cli, "label") ? cli_value(a->cli, "label") : "";
	e->profile = cli_value(a->cli, "profile") ? cli_value(a->cli, "profile") : "";
	e->created_s = e->changed_s = clock_unix_s(&a->cli->clock);
	return OK;
}

static enum err run_add(struct cli *cli, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(ADD_ARENA_MAX);
	OWNED_STORE struct store *store = NULL;
	struct conf conf;
	struct adding a = {.cli = cli, .conf = &conf, .arena = &arena};

	TRY(take_identity(&a, why));
	TRY(gather(&a, why));
	TRY(cli_conf(cli, &conf, why));
	if (a.enrolee.profile[0] && !profile_find(&conf.profiles, a.enrolee.profile))
		return WHY(why, CLI_NOT_FOUND, "", "[profile %.32s]: the configuration has no such section", a.enrolee.profile);
	TRY(cli_store(cli, &conf, &store, why));
	TRY(cli_change(store, do_add, &a, why));
	note_anchors(&a);
	note_profile(&a);
	tell(&a);
	return OK;
}

static const struct cli_option add_options[] = {
	{"type", "TYPE", "node, cse, ae or fqdn: the identifier type that its certificate will carry."},
	{"entity", "ENTITY-ID", "M2M-Node-ID (a URI), the CSE's domain name, AE-ID as a URI with a host, or host name."},
	{"label", "TEXT", "What people call it."},
	{"profile", "NAME", "Certificate profile; else the one of the EST label."},
	{"credential", "KIND=VALUE", "How the device shows who it is, see above; may be repeated."},
	{"cert", "FILE", "Its factory certificate: this very one will be accepted; may be repeated."},
	{"key-of", "FILE", "A certificate whose public key will be accepted as a raw public key; may be repeated."},
	{"anchor", "FILE", "The one trust anchor that may vouch for the credentials; else any."},
	{NULL, NULL, NULL},
};

const struct command command_enrolee_add = {"enrolee add", "ID", 1, 1, "Register a device or application.",
	"Nothing unknown gets a certificate: register it first. ID is your own name for it.\n"
	"\n"
	"  --type node --entity urn:example:pump:17\n"
	"  --type cse --entity gw7.example.com\n"
	"  --type ae --entity m2m://sp.example.com/cse1/Cae7\n"
	"  --type fqdn --entity laptop-7.example.com\n"
	"\n"
	"A credential is what the device's own certificate shows, checked against the device anchors:\n"
	"\n"
	"  serial=SN-0017              serialNumber of the subject\n"
	"  fqdn=gw7.example.com        dNSName\n"
	"  uri=urn:example:pump:17     uniformResourceIdentifier\n"
	"  device=OID;VALUE            hardware id in an otherName\n"
	"  cert=HEX                    SHA-256 of the certificate (or --cert FILE)\n"
	"  key=sha-256;BASE64URL       SHA-256 of the public key (or --key-of FILE); needs no anchor",
	add_options, run_add};
