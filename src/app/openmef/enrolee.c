#include "app/openmef/commands.h"

#include "adapt/sys/file.h"
#include "base/date.h"
#include "base/hex.h"
#include "base/text.h"
#include "core/registry/enrolee.h"
#include "pki/cert.h"
#include "pki/digest.h"
#include "pki/key.h"

#include <stdio.h>

enum { PEM_MAX = 64 * 1024, ADD_ARENA_MAX = 256 * 1024, LIST_DEFAULT = 50 };

struct adding {
	struct enrolee enrolee;
	struct credential creds[CLI_REPEAT_MAX];
	size_t creds_n;
	uint8_t anchor[32];
	int64_t now_s;
};

static enum err read_cert(const char *path, struct buf *der, struct why *why)
{
	OWNED_BUF struct buf pem = BUF(PEM_MAX);

	TRY(file_read(path, &pem, why));
	return cert_first_pem(buf_span(&pem), der, why);
}

static enum err add_credential(struct adding *a, enum credential_kind kind, struct span value,
	struct arena *arena, struct why *why)
{
	if (a->creds_n == CLI_REPEAT_MAX)
		return WHY(why, CLI_USAGE, "", "want at most %d credentials", CLI_REPEAT_MAX);
	struct credential *c = &a->creds[a->creds_n++];
	c->kind = kind;
	c->value = arena_text(arena, value);
	if (!c->value)
		return WHY(why, NOMEM, "", "credential");
	memcpy(c->anchor, a->anchor, sizeof(c->anchor));
	return credential_check(c, arena, why);
}

/* "serial=4711" */
static enum err add_given(struct adding *a, const char *text, struct arena *arena, struct why *why)
{
	struct span all = span_text(text);
	size_t equals = span_find(all, '=');
	enum credential_kind kind = CREDENTIAL_CERT;

	if (equals == all.n || !credential_kind_parse(span_first(all, equals), &kind))
		return WHY(why, CLI_USAGE, "", "--credential: want device=, serial=, fqdn=, uri=, key= or cert=, have '%s'",
			text);
	return add_credential(a, kind, span_from(all, equals + 1), arena, why);
}

static enum err add_cert(struct adding *a, const char *path, bool key_only, struct arena *arena, struct why *why)
{
	OWNED_BUF struct buf der = BUF(CERT_DER_MAX);
	struct cert cert = {0};
	uint8_t digest[32];
	char text[KEY_NI_SIZE > 65 ? KEY_NI_SIZE : 65];

	TRY(read_cert(path, &der, why));
	TRY(cert_parse(buf_span(&der), &cert, why));
	if (key_only) {
		key_ni_text(cert.spki, text);
		return add_credential(a, CREDENTIAL_KEY, span_text(text), arena, why);
	}
	cert_sha256(&cert, digest);
	hex_text(digest, sizeof(digest), text);
	return add_credential(a, CREDENTIAL_CERT, span_text(text), arena, why);
}

static enum err gather(const struct cli *cli, struct adding *a, struct arena *arena, struct why *why)
{
	const char *const *list = NULL;
	const char *anchor = cli_value(cli, "anchor");
	OWNED_BUF struct buf der = BUF(CERT_DER_MAX);

	if (anchor) {
		TRY(read_cert(anchor, &der, why));
		digest_sha256(buf_span(&der), a->anchor);
	}
	for (size_t i = 0, n = cli_values(cli, "credential", &list); i < n; i++)
		TRY(add_given(a, list[i], arena, why));
	for (size_t i = 0, n = cli_values(cli, "cert", &list); i < n; i++)
		TRY(add_cert(a, list[i], false, arena, why));
	for (size_t i = 0, n = cli_values(cli, "key-of", &list); i < n; i++)
		TRY(add_cert(a, list[i], true, arena, why));
	if (a->creds_n == 0)
		return WHY(why, CLI_USAGE, "", "want at least one of --cert, --key-of, --credential: how the device shows who it is");
	return OK;
}

static enum err do_add(struct store *store, void *arg, struct why *why)
{
	struct adding *a = arg;

	return registry_add(store, &a->enrolee, a->creds, a->creds_n, a->now_s, why);
}

static enum err run_add(struct cli *cli, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(ADD_ARENA_MAX);
	OWNED_STORE struct store *store = NULL;
	struct conf conf;
	const char *type = cli_value(cli, "type");
	const char *entity = cli_value(cli, "entity");
	struct adding a = {.now_s = clock_unix_s(&cli->clock)};

	if (!type || !entity_type_parse(span_text(type), &a.enrolee.entity_type) || !entity)
		return WHY(why, CLI_USAGE, "", "want --type node, cse, ae or fqdn, and --entity");
	TRY(cli_conf(cli, &conf, why));
	a.enrolee.id = cli->args[0];
	a.enrolee.entity_id = entity;
	a.enrolee.state = ENROLEE_ENABLED;
	a.enrolee.label = cli_value(cli, "label") ? cli_value(cli, "label") : "";
	a.enrolee.profile = cli_value(cli, "profile") ? cli_value(cli, "profile") : "";
	a.enrolee.created_s = a.now_s;
	a.enrolee.changed_s = a.now_s;
	if (a.enrolee.profile[0] && !profile_find(&conf.profiles, a.enrolee.profile))
		return WHY(why, CLI_NOT_FOUND, "", "profile '%s': the configuration has none of that name", a.enrolee.profile);
	TRY(gather(cli, &a, &arena, why));
	TRY(cli_store(cli, &conf, &store, why));
	TRY(cli_change(store, do_add, &a, why));
	cli_say(cli, "Added %s as %s %s.\n", a.enrolee.id, type, entity);
	return OK;
}

static const struct cli_option add_options[] = {
	{"type", "TYPE", "node, cse, ae or fqdn: the identifier type that its certificate will carry."},
	{"entity", "ENTITY-ID", "M2M-Node-ID (urn:...), CSE domain name, AE-ID URI, or host name."},
	{"label", "TEXT", "What people call it."},
	{"profile", "NAME", "Certificate profile; else the one of the EST label."},
	{"cert", "FILE", "Its factory certificate: this very one will be accepted."},
	{"key-of", "FILE", "A certificate whose public key will be accepted as a raw public key."},
	{"credential", "KIND=VALUE", "device=, serial=, fqdn=, uri=, key=sha-256;..., cert=HEX; may be repeated."},
	{"anchor", "FILE", "The one trust anchor that may vouch for the credentials."},
	{NULL, NULL, NULL},
};

const struct command command_enrolee_add = {"enrolee add", "ID", 1, 1, "Register a device or application.",
	"An enrolee may enrol once it is registered: nothing unknown gets a certificate.", add_options, run_add};

static const char *state_name(enum enrolee_state s)
{
	return s == ENROLEE_ENABLED ? "enabled" : "disabled";
}

static struct json *enrolee_json(const struct enrolee *e)
{
	struct json *j = json_object_new();

	json_put_text(j, "id", e->id);
	json_put_text(j, "state", state_name(e->state));
	json_put_text(j, "type", entity_type_name(e->entity_type));
	json_put_text(j, "entity", e->entity_id);
	json_put_text(j, "label", e->label);
	json_put_text(j, "profile", e->profile);
	json_put_date(j, "created", e->created_s);
	json_put_date(j, "changed", e->changed_s);
	return j;
}

struct listing {
	const struct cli *cli;
	struct json *list;
	size_t n;
	char last[STORE_ID_MAX + 1];
};

static enum err list_one(void *arg, const struct enrolee *e, struct why *why)
{
	struct listing *l = arg;

	if (l->cli->json)
		json_add(l->list, enrolee_json(e));
	cli_say(l->cli, "%-24s %-9s %-5s %-40s %s\n", e->id, state_name(e->state), entity_type_name(e->entity_type),
		e->entity_id, e->label);
	l->n++;
	snprintf(l->last, sizeof(l->last), "%s", e->id);
	return OK;
}

static enum err run_list(struct cli *cli, struct why *why)
{
	OWNED_STORE struct store *store = NULL;
	OWNED_JSON struct json *list = json_list_new();
	struct conf conf;
	uint64_t limit = LIST_DEFAULT;
	struct listing l = {.cli = cli, .list = list};

	if (cli_value(cli, "limit"))
		TRY(text_number(span_text(cli_value(cli, "limit")), 1, STORE_PAGE_MAX, "--limit", &limit, why));
	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	struct enrolee_filter filter = {
		.after_id = cli_value(cli, "after") ? cli_value(cli, "after") : "",
		.text = cli_value(cli, "find") ? cli_value(cli, "find") : "",
		.limit = (size_t)limit,
	};
	cli_say(cli, "%-24s %-9s %-5s %-40s %s\n", "ID", "STATE", "TYPE", "ENTITY", "LABEL");
	TRY(store->ops->enrolee_list(store->self, &filter, list_one, &l, why));
	if (l.n == limit)
		cli_say(cli, "More: openmef enrolee list --after %s\n", l.last);
	if (cli->json)
		cli_print_json(list);
	return OK;
}

static const struct cli_option list_options[] = {
	{"find", "TEXT", "Only those with this in id, entity or label."},
	{"after", "ID", "Start behind this id."},
	{"limit", "N", "At most N rows (default 50)."},
	{NULL, NULL, NULL},
};

const struct command command_enrolee_list = {
	"enrolee list", "", 0, 0, "List enrolees by id.", NULL, list_options, run_list};

static enum err show_credential(void *arg, const char *enrolee_id, const struct credential *c, struct why *why)
{
	struct listing *l = arg;
	char anchor[65];
	static const uint8_t any[32];

	hex_text(c->anchor, sizeof(c->anchor), anchor);
	bool bound = memcmp(c->anchor, any, sizeof(any)) != 0;
	if (l->cli->json) {
		struct json *j = json_object_new();
		json_put_text(j, "kind", credential_kind_name(c->kind));
		json_put_text(j, "value", c->value);
		json_put_text(j, "anchor_sha256", bound ? anchor : NULL);
		json_add(l->list, j);
	}
	cli_say(l->cli, "  credential  %s=%s%s%s\n", credential_kind_name(c->kind), c->value,
		bound ? " vouched for by " : "", bound ? anchor : "");
	return OK;
}

static enum err show_issued(void *arg, const struct issued *i, struct why *why)
{
	struct listing *l = arg;
	char serial[2 * STORE_SERIAL_MAX + 1];
	char until[DATE_TEXT_SIZE];

	hex_text(i->serial.p, i->serial.n, serial);
	date_text(i->not_after_s, until);
	if (l->cli->json) {
		struct json *j = json_object_new();
		json_put_text(j, "serial", serial);
		json_put_text(j, "state", i->state == ISSUED_VALID ? "valid" : "revoked");
		json_put_date(j, "not_before", i->not_before_s);
		json_put_date(j, "not_after", i->not_after_s);
		json_add(l->list, j);
	}
	cli_say(l->cli, "  certificate %s until %s%s\n", serial, until, i->state == ISSUED_VALID ? "" : " (revoked)");
	return OK;
}

static enum err run_show(struct cli *cli, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(ADD_ARENA_MAX);
	OWNED_STORE struct store *store = NULL;
	struct conf conf;
	struct enrolee e = {0};
	char created[DATE_TEXT_SIZE];

	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	TRY(store->ops->enrolee_find(store->self, cli->args[0], &arena, &e, why));
	OWNED_JSON struct json *j = enrolee_json(&e);
	struct listing creds = {.cli = cli, .list = json_list_new()};
	struct listing certs = {.cli = cli, .list = json_list_new()};
	date_text(e.created_s, created);
	cli_say(cli, "%s\n  state       %s\n  identity    %s %s\n  label       %s\n  profile     %s\n  added       %s\n",
		e.id, state_name(e.state), entity_type_name(e.entity_type), e.entity_id, e.label,
		e.profile[0] ? e.profile : "(of the EST label)", created);
	enum err err = store->ops->credential_list(store->self, e.id, show_credential, &creds, why);
	struct issued_filter filter = {.enrolee_id = e.id, .limit = STORE_PAGE_MAX};
	if (err == OK)
		err = store->ops->issued_list(store->self, &filter, show_issued, &certs, why);
	json_put(j, "credentials", creds.list);
	json_put(j, "certificates", certs.list);
	if (err == OK && cli->json)
		cli_print_json(j);
	return err;
}

const struct command command_enrolee_show = {
	"enrolee show", "ID", 1, 1, "Show one enrolee with credentials and certificates.", NULL, NULL, run_show};

struct state_change {
	const char *id;
	enum enrolee_state state;
	int64_t now_s;
};

static enum err do_set_state(struct store *store, void *arg, struct why *why)
{
	struct state_change *c = arg;

	return registry_set_state(store, c->id, c->state, c->now_s, why);
}

static enum err do_remove(struct store *store, void *arg, struct why *why)
{
	struct state_change *c = arg;

	return registry_remove(store, c->id, c->now_s, why);
}

static enum err change_one(struct cli *cli, enum enrolee_state state,
	enum err (*change)(struct store *, void *, struct why *), const char *said, struct why *why)
{
	OWNED_STORE struct store *store = NULL;
	struct conf conf;
	struct state_change c = {cli->args[0], state, clock_unix_s(&cli->clock)};

	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	TRY(cli_change(store, change, &c, why));
	cli_say(cli, "%s %s.\n", said, c.id);
	return OK;
}

static enum err run_disable(struct cli *cli, struct why *why)
{
	return change_one(cli, ENROLEE_DISABLED, do_set_state, "Disabled", why);
}

static enum err run_enable(struct cli *cli, struct why *why)
{
	return change_one(cli, ENROLEE_ENABLED, do_set_state, "Enabled", why);
}

static enum err run_remove(struct cli *cli, struct why *why)
{
	return change_one(cli, ENROLEE_ENABLED, do_remove, "Removed", why);
}

const struct command command_enrolee_disable = {"enrolee disable", "ID", 1, 1,
	"Stop an enrolee from enrolling and renewing; its certificates stay valid until revoked.", NULL, NULL, run_disable};
const struct command command_enrolee_enable = {
	"enrolee enable", "ID", 1, 1, "Let a disabled enrolee enrol again.", NULL, NULL, run_enable};
const struct command command_enrolee_remove = {"enrolee remove", "ID", 1, 1,
	"Forget an enrolee; refused while it holds certificates that are valid.", NULL, NULL, run_remove};
