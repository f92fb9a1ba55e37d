#include "app/openmef/enrolee.h"
#include "app/openmef/commands.h"
#include "app/openmef/shown.h"

#include "base/date.h"
#include "base/hex.h"
#include "core/registry/enrolee.h"

#include <stdio.h>

enum { SHOW_ARENA_MAX = 256 * 1024, LIST_DEFAULT = 50 };

static const char *state_name(enum enrolee_state s)
{
	return s == ENROLEE_ENABLED ? "enabled" : "disabled";
}

struct json *enrolee_json(const struct enrolee *e)
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
	int64_t now_s;
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

	TRY(cli_number(cli, "limit", 1, STORE_PAGE_MAX, &limit, why));
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
		cli_say(cli, "More: the same command with --after %s\n", l.last);
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
	const char *state = i->state != ISSUED_VALID ? "revoked" : i->not_after_s < l->now_s ? "expired" : "valid";

	hex_text(i->serial.p, i->serial.n, serial);
	date_text(i->not_after_s, until);
	if (l->cli->json) {
		struct json *j = json_object_new();
		json_put_text(j, "serial", serial);
		json_put_text(j, "state", state);
		json_put_date(j, "not_before", i->not_before_s);
		json_put_date(j, "not_after", i->not_after_s);
		json_add(l->list, j);
	}
	cli_say(l->cli, "  certificate %s %s until %s\n", serial, state, until);
	return OK;
}

static enum err show_key(void *arg, const struct symkey *k, struct why *why)
{
	struct listing *l = arg;
	char ends[KEY_ENDS_SIZE];

	/* Up to SYMKEY_KE the owner is an enrolee (port/store.h); a MAF's client may bear the same name. */
	if (k->kind > SYMKEY_KE)
		return OK;
	if (l->cli->json)
		json_add(l->list, key_json(k));
	cli_say(l->cli, "  key         %s %s, expires %s\n", key_word(k->kind), k->id, key_ends(k, l->now_s, ends));
	return OK;
}

static enum err show_prefs(struct store *store, const char *id, struct json *j, const struct cli *cli, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(SHOW_ARENA_MAX);
	struct span text = {0};
	struct why none = {0};

	enum err err = store->ops->prefs_get(store->self, PREFS_ENROLEE, id, &arena, &text, &none);
	if (err != OK && err != ERR_NOT_FOUND) {
		*why = none;
		return err;
	}
	char *copy = err == OK ? arena_text(&arena, text) : NULL;
	json_put_text(j, "preferences", copy);
	cli_say(cli, "  preferences %s\n", copy ? copy : "(the default's, or those of its token)");
	return OK;
}

/* The lists of one enrolee, each where it ends up in JSON. */
static enum err show_lists(struct store *store, const char *id, struct json *j, const struct cli *cli, struct why *why)
{
	int64_t now_s = clock_unix_s(&cli->clock);
	OWNED_JSON struct json *creds = json_list_new();
	OWNED_JSON struct json *keys = json_list_new();
	OWNED_JSON struct json *certs = json_list_new();
	struct listing l = {.cli = cli, .list = creds, .now_s = now_s};
	struct issued_filter issued = {.enrolee_id = id, .limit = STORE_PAGE_MAX};
	struct symkey_filter symkeys = {.owner = id, .after_id = "", .limit = STORE_PAGE_MAX};

	TRY(store->ops->credential_list(store->self, id, show_credential, &l, why));
	l.list = keys;
	TRY(store->ops->symkey_list(store->self, &symkeys, show_key, &l, why));
	l.list = certs;
	TRY(store->ops->issued_list(store->self, &issued, show_issued, &l, why));
	json_put(j, "credentials", creds);
	json_put(j, "keys", keys);
	json_put(j, "certificates", certs);
	creds = keys = certs = NULL;
	return show_prefs(store, id, j, cli, why);
}

static enum err run_show(struct cli *cli, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(SHOW_ARENA_MAX);
	OWNED_STORE struct store *store = NULL;
	struct conf conf;
	struct enrolee e = {0};
	char created[DATE_TEXT_SIZE];

	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	TRY(store->ops->enrolee_find(store->self, cli->args[0], &arena, &e, why));
	OWNED_JSON struct json *j = enrolee_json(&e);
	date_text(e.created_s, created);
	cli_say(cli, "%s\n  state       %s\n  identity    %s %s\n  label       %s\n  profile     %s\n  added       %s\n",
		e.id, state_name(e.state), entity_type_name(e.entity_type), e.entity_id, e.label,
		e.profile[0] ? e.profile : "(of the EST label)", created);
	TRY(show_lists(store, e.id, j, cli, why));
	if (cli->json)
		cli_print_json(j);
	return OK;
}

const struct command command_enrolee_show = {
	"enrolee show", "ID", 1, 1, "Show one enrolee with credentials, keys by id, certificates and preferences.",
	"Keys are told by kind, id and end, never themselves.", NULL, run_show};

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
	enum err (*change)(struct store *, void *, struct why *), const char *said, const char *word, struct why *why)
{
	OWNED_JSON struct json *j = json_object_new();
	OWNED_STORE struct store *store = NULL;
	struct conf conf;
	struct state_change c = {cli->args[0], state, clock_unix_s(&cli->clock)};

	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	TRY(cli_change(store, change, &c, why));
	json_put_text(j, "id", c.id);
	json_put_text(j, "state", word);
	if (cli->json)
		cli_print_json(j);
	cli_say(cli, "%s %s.\n", said, c.id);
	return OK;
}

static enum err run_disable(struct cli *cli, struct why *why)
{
	return change_one(cli, ENROLEE_DISABLED, do_set_state, "Disabled", "disabled", why);
}

static enum err run_enable(struct cli *cli, struct why *why)
{
	return change_one(cli, ENROLEE_ENABLED, do_set_state, "Enabled", "enabled", why);
}

static enum err run_remove(struct cli *cli, struct why *why)
{
	return change_one(cli, ENROLEE_ENABLED, do_remove, "Removed", "removed", why);
}

const struct command command_enrolee_disable = {"enrolee disable", "ID", 1, 1,
	"Stop an enrolee from enrolling and renewing.", "Its keys (Kpm, Kre) open no session from now on, and nobody fetches a key that belongs to it. Its\ncertificates stay valid until `openmef cert revoke`, and what a MAF or another target has fetched\nalready until that expires.", NULL, run_disable};
const struct command command_enrolee_enable = {
	"enrolee enable", "ID", 1, 1, "Let a disabled enrolee enrol again.", NULL, NULL, run_enable};
const struct command command_enrolee_remove = {"enrolee remove", "ID", 1, 1,
	"Forget an enrolee.", "Refused while it holds valid certificates: revoke them first, or wait until they expire. Its keys, preferences and "
	"tokens go with it.", NULL,
	run_remove};
