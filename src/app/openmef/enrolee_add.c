/* `openmef enrolee add`. */
#include "app/openmef/commands.h"
#include "app/import/targets.h"
#include "app/openmef/enrolee.h"
#include "app/openmef/enrolee_put.h"

#include "adapt/sys/file.h"
#include "base/hex.h"
#include "base/text.h"
#include "core/ca/names.h"
#include "core/registry/form.h"
#include "pki/cert.h"
#include "pki/digest.h"
#include "pki/key.h"

#include <stdio.h>
#include <unistd.h>

enum { PEM_MAX = 1024 * 1024, ADD_ARENA_MAX = 256 * 1024, URI_MAX = 512, NOTES_MAX = 3 };

struct adding {
	struct cli *cli;
	const struct conf *conf;
	struct arena *arena;
	struct registration reg;
	struct vault vault;
	char kpmid[M2M_KEYID_SIZE];
	char file[CONF_PATH_MAX]; /* of a key that was made */
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

static enum err add_credential(struct adding *a, const char *kind, const char *value, struct why *why)
{
	char text[KEY_NI_SIZE + 65 + 8];

	snprintf(text, sizeof(text), "%s=%s", kind, value);
	return registration_credential(&a->reg, span_text(text), a->anchor, a->arena, why);
}

/* "serial=4711" */
static enum err add_given(struct adding *a, const char *text, struct why *why)
{
	struct why cause = {0};

	enum err err = registration_credential(&a->reg, span_text(text), a->anchor, a->arena, &cause);
	if (cause.code == CODE_CREDENTIAL_WANTED)
		return WHY(why, CLI_USAGE, "", "--credential: %s", cause.text);
	*why = cause;
	return err;
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
		return add_credential(a, "key", text, why);
	}
	cert_sha256(&cert, digest);
	hex_text(digest, sizeof(digest), text);
	return add_credential(a, "cert", text, why);
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
	if (a->reg.creds_n == 0 && !cli_value(a->cli, "psk"))
		return WHY(why, CLI_USAGE, "",
			"how does the device show who it is? Want at least one of --credential serial=..., --cert FILE, --key-of FILE, --psk KPMID");
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
	for (size_t i = 0; i < a->reg.creds_n; i++) {
		if (a->reg.creds[i].kind != CREDENTIAL_KEY)
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
	bool uri = a->reg.enrolee.entity_type == ENTITY_NODE || a->reg.enrolee.entity_type == ENTITY_AE;
	struct span value = span_text(a->reg.enrolee.entity_id);
	const char *want = uri ? form_uri(value, a->reg.enrolee.entity_type == ENTITY_AE, entity) : form_dns(value, entity);

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

	if (a->reg.enrolee.profile[0]) {
		if (try_profile(a, a->reg.enrolee.profile, &why) == OK)
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

static void mef_uri(const struct conf *conf, char *out, size_t size)
{
	unsigned int port = https_port(conf);
	char colon[16] = "";

	if (port != 443)
		snprintf(colon, sizeof(colon), port ? ":%u" : ":PORT", port);
	if (conf->public_https[0])
		snprintf(out, size, "%s", conf->public_https);
	else
		snprintf(out, size, "https://%s%s", conf->fqdn, colon);
}

static const char *est_uri(const struct conf *conf, const struct est_label *label, char *out, size_t size)
{
	mef_uri(conf, out, size);
	size_t n = strlen(out);
	snprintf(out + n, size - n, "/.well-known/est%s%s", label->name[0] ? "/" : "", label->name);
	return out;
}

/* oneM2M entities take the label that demands the challenge, plain hosts the one that does not. */
static const struct est_label *fit_label(const struct adding *a)
{
	enum challenge_mode want = a->reg.enrolee.entity_type == ENTITY_FQDN ? CHALLENGE_ACCEPTED : CHALLENGE_REQUIRED;

	for (size_t i = 0; i < a->conf->labels.n; i++) {
		if (a->conf->labels.items[i].challenge == want)
			return &a->conf->labels.items[i];
	}
	return &a->conf->labels.items[0];
}

static void tell_json(const struct adding *a)
{
	OWNED_JSON struct json *j = enrolee_json(&a->reg.enrolee);
	struct json *creds = json_list_new();
	struct json *notes = json_list_new();
	char uri[URI_MAX];

	for (size_t i = 0; i < a->reg.creds_n; i++) {
		struct json *c = json_object_new();
		json_put_text(c, "kind", credential_kind_name(a->reg.creds[i].kind));
		json_put_text(c, "value", a->reg.creds[i].value);
		json_add(creds, c);
	}
	for (size_t i = 0; i < a->notes_n; i++)
		json_add_text(notes, a->notes[i]);
	json_put(j, "credentials", creds);
	if (a->reg.kpmid)
		json_put_text(j, "psk", a->kpmid);
	if (a->file[0])
		json_put_text(j, "psk_file", a->file);
	mef_uri(a->conf, uri, sizeof(uri));
	json_put_text(j, "mef", uri);
	json_put_text(j, "est", est_uri(a->conf, fit_label(a), uri, sizeof(uri)));
	json_put_text(j, "root", a->conf->ca_chain[0] ? a->conf->ca_chain : a->conf->ca_cert);
	json_put(j, "notes", notes);
	cli_print_json(j);
}

static void tell_psk(const struct adding *a)
{
	char uri[URI_MAX];

	mef_uri(a->conf, uri, sizeof(uri));
	if (a->file[0])
		cli_say(a->cli, "The key stands in %s: bring it to the device, then erase the file.\n", a->file);
	cli_say(a->cli, "\nOn the device:\n  enrolee enrol --mef %s \\\n    --psk FILE --psk-id %s --out DIR\n", uri, a->kpmid);
}

static void tell_cert(const struct adding *a)
{
	char uri[URI_MAX];

	cli_say(a->cli, "\nOn the device:\n  enrolee enrol --mef %s \\\n    --cert FACTORY.pem --key FACTORY.key --anchors ROOT.pem --out DIR\n",
		est_uri(a->conf, fit_label(a), uri, sizeof(uri)));
	cli_say(a->cli, "ROOT.pem is a copy of %s\n", a->conf->ca_chain[0] ? a->conf->ca_chain : a->conf->ca_cert);
}

static void tell(const struct adding *a)
{
	const struct cli *cli = a->cli;

	if (cli->json)
		tell_json(a);
	cli_say(cli, "Added %s as %s %s.\n", a->reg.enrolee.id, entity_type_name(a->reg.enrolee.entity_type), a->reg.enrolee.entity_id);
	for (size_t i = 0; i < a->reg.creds_n; i++)
		cli_say(cli, "  credential  %s=%s\n", credential_kind_name(a->reg.creds[i].kind), a->reg.creds[i].value);
	for (size_t i = 0; i < a->notes_n; i++)
		cli_say(cli, "Note: %s.\n", a->notes[i]);
	if (a->reg.kpmid)
		cli_say(cli, "  psk         %s\n", a->kpmid);
	if (a->reg.kpmid)
		tell_psk(a);
	if (a->reg.creds_n)
		tell_cert(a);
}

static enum err do_add(struct store *store, void *arg, struct why *why)
{
	struct adding *a = arg;

	return registration_put(store, &a->reg, &a->vault, a->conf->fqdn, why);
}

static enum err take_identity(struct adding *a, struct why *why)
{
	const char *type = cli_value(a->cli, "type");
	struct enrolee *e = &a->reg.enrolee;

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

/* ---- tables 9.2.2.3-1 and 9.2.2.3-2 */

/* A fault in what was typed, told as one of its option. */
static enum err typed(enum err err, const char *option, const struct why *cause, struct why *why)
{
	if (err == ERR_SYNTAX || err == ERR_LIMIT)
		return WHY(why, CLI_USAGE, cause->clause, "--%s: %s", option, cause->text);
	if (err != OK)
		*why = *cause;
	return err;
}

static enum err take_targets(struct adding *a, const char *option,
	enum err (*add)(struct prefs *, struct span, struct arena *, struct why *), struct why *why)
{
	const char *const *list = NULL;
	size_t n = cli_values(a->cli, option, &list);

	for (size_t i = 0; i < n; i++) {
		struct why cause = {0};
		TRY(typed(add(&a->reg.prefs, span_text(list[i]), a->arena, &cause), option, &cause, why));
		a->reg.has_prefs = true;
	}
	return OK;
}

static enum err take_prefs(struct adding *a, struct why *why)
{
	const char *expiry = cli_value(a->cli, "expiry");
	const char *certificate = cli_value(a->cli, "certificate");
	struct why cause = {0};

	prefs_defaults(&a->reg.prefs);
	TRY(take_targets(a, "target", target_add, why));
	TRY(take_targets(a, "maf", maf_add, why));
	if (expiry)
		TRY(typed(registration_expiry(&a->reg, span_text(expiry), &cause), "expiry", &cause, why));
	if (certificate && !prefs_certificate_parse(span_text(certificate), &a->reg.prefs.certificate))
		return WHY(why, CLI_USAGE, "", "--certificate: want never, offer or require, have '%.20s'", certificate);
	a->reg.has_prefs = a->reg.has_prefs || certificate;
	return OK;
}

static enum err check_psk_options(const struct cli *cli, struct why *why)
{
	static const char *const of_psk[] = {"psk-from", "psk-format", "psk-out"};

	for (size_t i = 0; i < sizeof(of_psk) / sizeof(of_psk[0]); i++) {
		if (cli_value(cli, of_psk[i]) && !cli_value(cli, "psk"))
			return WHY(why, CLI_USAGE, "", "--%s: want --psk KPMID too", of_psk[i]);
	}
	if (cli_value(cli, "psk-from") && cli_value(cli, "psk-out"))
		return WHY(why, CLI_USAGE, "", "--psk-out: want it without --psk-from: only a key that is made is written");
	if (cli_value(cli, "psk-format") && !cli_value(cli, "psk-from"))
		return WHY(why, CLI_USAGE, "", "--psk-format: want --psk-from too");
	return OK;
}

static enum err take_psk(struct adding *a, struct store *store, struct secret *seal_key, struct why *why)
{
	struct psk_ask ask = {.from = cli_value(a->cli, "psk-from"), .out = cli_value(a->cli, "psk-out")};

	if (!cli_value(a->cli, "psk"))
		return OK;
	TRY(psk_format(a->cli, "psk-format", &ask.form, why));
	TRY(psk_name(cli_value(a->cli, "psk"), a->conf, a->kpmid, why));
	a->reg.kpmid = a->kpmid;
	TRY(cli_vault(a->cli, a->conf, store, seal_key, &a->vault, why));
	return psk_obtain(a->cli, a->conf, &ask, a->kpmid, &a->reg.kpm, a->file, why);
}

static enum err put_all(struct adding *a, struct store *store, struct why *why)
{
	OWNED_SECRET struct secret seal_key = {0};

	TRY(take_psk(a, store, &seal_key, why));
	enum err err = cli_change(store, do_add, a, why);
	if (err != OK && a->file[0])
		unlink(a->file);
	return err;
}

static enum err add(struct adding *a, struct conf *conf, struct why *why)
{
	OWNED_STORE struct store *store = NULL;

	TRY(take_identity(a, why));
	TRY(check_psk_options(a->cli, why));
	TRY(gather(a, why));
	TRY(take_prefs(a, why));
	TRY(cli_conf(a->cli, conf, why));
	a->conf = conf;
	if (a->reg.enrolee.profile[0] && !profile_find(&conf->profiles, a->reg.enrolee.profile))
		return WHY(why, CLI_NOT_FOUND, "", "[profile %.32s]: the configuration has no such section", a->reg.enrolee.profile);
	TRY(cli_store(a->cli, conf, &store, why));
	TRY(put_all(a, store, why));
	note_anchors(a);
	note_profile(a);
	tell(a);
	return OK;
}

static enum err run_add(struct cli *cli, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(ADD_ARENA_MAX);
	struct conf conf;
	struct adding a = {.cli = cli, .arena = &arena};

	enum err err = add(&a, &conf, why);
	registration_fini(&a.reg);
	return err;
}

static const struct cli_option add_options[] = {
	{"type", "TYPE", "node, cse, ae or fqdn: the identifier type that its certificate will carry."},
	{"entity", "ENTITY-ID", "Enrolee-ID: M2M-Node-ID (a URI), the CSE's domain name, AE-ID as a URI with a host, or host name."},
	{"label", "TEXT", "What people call it."},
	{"profile", "NAME", "Certificate profile; else the one of the EST label."},
	{"credential", "KIND=VALUE", "How the device shows who it is, see above; may be repeated."},
	{"cert", "FILE", "Its factory certificate: this very one will be accepted; may be repeated."},
	{"key-of", "FILE", "A certificate whose public key will be accepted as a raw public key; may be repeated."},
	{"anchor", "FILE", "The one trust anchor that may vouch for the credentials; else any."},
	{"psk", "KPMID", "Pre-provisioned symmetric key (Kpm) by its KpmId; without '@' it gets @FQDN of this MEF."},
	{"psk-from", "FILE|-", "Read that key from a file that only its owner can read, or from standard input; else one is made."},
	{"psk-format", "FORM", "hex, base64 or raw: the form of --psk-from, where it cannot be told apart."},
	{"psk-out", "FILE", "Write the made key there (hex, mode 0600, a new file); else to DIR/secret/psk/KPMID."},
	{"target", "ID=USAGE[,USAGE]", "Enrolment Target Identity: Enrolee B's CSE-ID or AE-ID and what a key with it is for: saef, esprim, "
		"esdata, esdata-sign; may be repeated."},
	{"maf", "FQDN[=URI]", "Enrolment Target Identity: a MAF-ID, and where its clients connect (else https://FQDN); may be repeated."},
	{"expiry", "DURATION", "Enrolment Expiry: how long the enrolment key (Ke) lives, such as 90d."},
	{"certificate", "WHEN", "never, offer or require a certificate in the enrolment exchange (default offer)."},
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
	"  key=sha-256;BASE64URL       SHA-256 of the public key (or --key-of FILE); needs no anchor\n"
	"\n"
	"With --psk the device and the MEF share a key (TS-0003 8.3.2.1). It never stands on the command line and is never "
	"printed: it is made here and written to a file, or read by --psk-from as hexadecimal digits, padded base64 or octets.\n"
	"\n"
	"  openmef enrolee add pump-17 --type node --entity urn:example:pump:17 --psk pump-17 \\\n"
	"    --psk-out pump-17.key\n"
	"  openmef enrolee add pump-18 --type node --entity urn:example:pump:18 --psk pump-18 \\\n"
	"    --psk-from vendor.key --maf maf.example.com=https://maf.example.com:8444 \\\n"
	"    --target cse1.example.com=saef,esprim --expiry 90d\n"
	"\n"
	"--target, --maf, --expiry and --certificate become the preferences of this enrolee; openmef prefs changes them.",
	add_options, run_add};
