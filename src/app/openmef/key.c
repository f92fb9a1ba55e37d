/* `openmef key`: symmetric keys of enrolees. */
#include "app/openmef/commands.h"
#include "app/openmef/psk.h"
#include "app/openmef/shown.h"

#include "base/date.h"
#include "base/text.h"

#include <stdio.h>
#include <unistd.h>

enum { LIST_DEFAULT = 50 };

/* ---- add */

struct adding {
	struct vault vault;
	const char *enrolee;
	const char *kpmid;
	const char *fqdn;
	const struct secret *key;
	int64_t expires_s;
	int64_t now_s;
};

static enum err do_add(struct store *store, void *arg, struct why *why)
{
	const struct adding *a = arg;

	return register_kpm(&a->vault, a->enrolee, a->kpmid, a->fqdn, a->key, a->expires_s, a->now_s, why);
}

static enum err take_source(const struct cli *cli, struct psk_ask *ask, struct why *why)
{
	ask->from = cli_value(cli, "from");
	ask->out = cli_value(cli, "out");
	TRY(psk_format(cli, "format", &ask->form, why));
	if (!ask->from == !cli_flag(cli, "make"))
		return WHY(why, CLI_USAGE, "", "want --from FILE, --from - or --make, one of them");
	if (ask->from && ask->out)
		return WHY(why, CLI_USAGE, "", "--out: want it with --make only");
	return OK;
}

static enum err take_expiry(const struct cli *cli, const char *option, int64_t now_s, int64_t *out, struct why *why)
{
	const char *text = cli_value(cli, option);
	struct why cause = {0};
	int64_t seconds = 0;

	*out = 0;
	if (text && (text_duration(span_text(text), option, &seconds, &cause) != OK || seconds <= 0))
		return WHY(why, CLI_USAGE, "", "--%s: want a duration such as 90d, have '%.20s'", option, text);
	if (text)
		*out = now_s + seconds;
	return OK;
}

static void tell_added(const struct cli *cli, const struct adding *a, const char *file)
{
	OWNED_JSON struct json *j = json_object_new();
	char until[DATE_TEXT_SIZE] = "";

	if (a->expires_s)
		date_text(a->expires_s, until);
	json_put_text(j, "id", a->kpmid);
	json_put_text(j, "kind", "kpm");
	json_put_text(j, "enrolee", a->enrolee);
	json_put_date(j, "expires", a->expires_s);
	json_put_text(j, "file", file[0] ? file : NULL);
	if (cli->json)
		cli_print_json(j);
	cli_say(cli, "Added key %s of %s%s%s.\n", a->kpmid, a->enrolee, until[0] ? ", good until " : "", until);
	if (file[0])
		cli_say(cli, "The key stands in %s: bring it to the device, then erase the file.\n", file);
}

static enum err run_add(struct cli *cli, struct why *why)
{
	OWNED_STORE struct store *store = NULL;
	OWNED_SECRET struct secret seal = {0};
	OWNED_SECRET struct secret key = {0};
	struct conf conf;
	struct psk_ask ask = {0};
	struct adding a = {.enrolee = cli->args[0], .key = &key, .now_s = clock_unix_s(&cli->clock)};
	char kpmid[M2M_KEYID_SIZE];
	char file[CONF_PATH_MAX] = "";

	if (!cli_value(cli, "id"))
		return WHY(why, CLI_USAGE, "", "want --id KPMID");
	TRY(take_source(cli, &ask, why));
	TRY(take_expiry(cli, "expires", a.now_s, &a.expires_s, why));
	TRY(cli_conf(cli, &conf, why));
	TRY(psk_name(cli_value(cli, "id"), &conf, kpmid, why));
	a.kpmid = kpmid;
	a.fqdn = conf.fqdn;
	TRY(cli_store(cli, &conf, &store, why));
	TRY(cli_vault(cli, &conf, store, &seal, &a.vault, why));
	TRY(psk_obtain(cli, &conf, &ask, kpmid, &key, file, why));
	enum err err = cli_change(store, do_add, &a, why);
	if (err != OK && file[0])
		unlink(file);
	TRY(err);
	tell_added(cli, &a, file);
	return OK;
}

static const struct cli_option add_options[] = {
	{"id", "KPMID", "KpmId, the psk_identity that the device shows; without '@' it gets @FQDN of this MEF."},
	{"from", "FILE|-", "Read the key from a file that only its owner can read, or from standard input."},
	{"format", "FORM", "hex, base64 or raw: the form of --from, where it cannot be told apart."},
	{"make", NULL, "Make a key of 32 octets."},
	{"out", "FILE", "Write the made key there (hex, mode 0600, a new file); else to DIR/secret/psk/KPMID."},
	{"expires", "DURATION", "It ends after 90d, 12h, ...; else it does not end."},
	{NULL, NULL, NULL},
};

const struct command command_key_add = {"key add", "ENROLEE", 1, 1, "Give an enrolee a pre-provisioned symmetric key (Kpm).",
	"The key is 16 to 64 octets: hexadecimal digits, padded base64, or the octets themselves. "
	"It is never taken from the command line and never printed.\n"
	"\n"
	"  openmef key add pump-17 --id pump-17 --make --out pump-17.key\n"
	"  openmef key add pump-17 --id pump-17@mef.example.com --from vendor.key --expires 2y\n"
	"  vendor-tool print-key | openmef key add pump-17 --id pump-17 --from -",
	add_options, run_add};

/* ---- list */

struct listing {
	const struct cli *cli;
	struct json *list;
	int64_t now_s;
	size_t left;
	char last[STORE_KEY_ID_MAX + 1];
};

static enum err list_one(void *arg, const struct symkey *k, struct why *why)
{
	struct listing *l = arg;
	char created[DATE_TEXT_SIZE];

	date_text(k->created_s, created);
	if (l->cli->json)
		json_add(l->list, key_json(k));
	char ends[KEY_ENDS_SIZE];
	cli_say(l->cli, "%-4s %-48s %-24s %-20s %s\n", key_word(k->kind), k->id, k->owner, created,
		key_ends(k, l->now_s, ends));
	l->left--;
	snprintf(l->last, sizeof(l->last), "%s", k->id);
	return OK;
}

static enum err list_kind(struct store *store, struct listing *l, enum symkey_kind kind, const char *owner, const char *after,
	struct why *why)
{
	struct symkey_filter filter = {.kind = (int)kind, .owner = owner, .after_id = after, .limit = l->left};

	TRY(store->ops->symkey_list(store->self, &filter, list_one, l, why));
	if (l->left == 0)
		cli_say(l->cli, "More: the same command with --kind %s --after %s\n", key_word(kind), l->last);
	return OK;
}

static enum err run_list(struct cli *cli, struct why *why)
{
	OWNED_STORE struct store *store = NULL;
	OWNED_JSON struct json *list = json_list_new();
	struct conf conf;
	uint64_t limit = LIST_DEFAULT;
	enum symkey_kind only = 0;
	const char *after = cli_value(cli, "after") ? cli_value(cli, "after") : "";
	const char *owner = cli->args_n ? cli->args[0] : "";
	struct listing l = {.cli = cli, .list = list, .now_s = clock_unix_s(&cli->clock)};

	TRY(key_kind_option(cli, &only, why));
	TRY(cli_number(cli, "limit", 1, STORE_PAGE_MAX, &limit, why));
	if (after[0] && !only)
		return WHY(why, CLI_USAGE, "", "--after: want --kind too");
	l.left = (size_t)limit;
	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	cli_say(cli, "%-4s %-48s %-24s %-20s %s\n", "KIND", "ID", "OWNER", "CREATED", "EXPIRES");
	for (enum symkey_kind kind = SYMKEY_KPM; kind <= SYMKEY_SRP && l.left; kind++) {
		if ((!only || kind == only) && key_word(kind))
			TRY(list_kind(store, &l, kind, owner, after, why));
	}
	if (cli->json)
		cli_print_json(list);
	return OK;
}

static const struct cli_option list_options[] = {
	{"kind", "KIND", "Only kpm (pre-provisioned), kre (re-authentication) or ke (enrolment) keys, or srp users; of a MAF: km, kc."},
	{"after", "ID", "Start behind this id; wants --kind."},
	{"limit", "N", "At most N rows (default 50)."},
	{NULL, NULL, NULL},
};

const struct command command_key_list = {"key list", "[ENROLEE]", 0, 1, "List symmetric keys by kind and id, never the keys themselves.",
	"  openmef key list pump-17\n"
	"  openmef key list --kind ke --limit 1000 --json",
	list_options, run_list};

/* ---- remove */

struct removing {
	enum symkey_kind kind;
	const char *id;
	int64_t now_s;
};

static enum err do_remove(struct store *store, void *arg, struct why *why)
{
	const struct removing *r = arg;

	return register_key_remove(store, r->kind, r->id, r->now_s, why);
}

/* The one kind that has this id. */
static enum err find_kind(struct store *store, const char *id, enum symkey_kind *out, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(64 * 1024);

	for (enum symkey_kind kind = SYMKEY_KPM; kind <= SYMKEY_KE; kind++) {
		struct symkey row = {0};
		struct why none = {0};
		enum err err = store->ops->symkey_find(store->self, kind, id, &arena, &row, &none);
		if (err == ERR_NOT_FOUND)
			continue;
		if (err != OK) {
			*why = none;
			return err;
		}
		if (*out)
			return WHY(why, CLI_USAGE, "", "%s: two kinds have this id; want --kind %s or --kind %s", id,
				key_word(*out), key_word(kind));
		*out = kind;
	}
	return *out ? OK : WHY(why, CLI_NOT_FOUND, "", "key %.200s: want an id that `openmef key list` shows", id);
}

static enum err run_remove(struct cli *cli, struct why *why)
{
	OWNED_STORE struct store *store = NULL;
	OWNED_JSON struct json *j = json_object_new();
	struct conf conf;
	char id[M2M_KEYID_SIZE];
	struct why cause = {0};
	struct removing r = {.id = id, .now_s = clock_unix_s(&cli->clock)};

	TRY(key_kind_option(cli, &r.kind, why));
	if (r.kind == SYMKEY_SRP)
		r.id = cli->args[0];
	else if (m2m_psk_identity_parse(span_text(cli->args[0]), id, &cause) != OK)
		return WHY(why, CLI_USAGE, "", "id: %s", cause.text);
	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	if (!r.kind)
		TRY(find_kind(store, id, &r.kind, why));
	TRY(cli_change(store, do_remove, &r, why));
	json_put_text(j, "id", r.id);
	json_put_text(j, "kind", key_word(r.kind));
	json_put_text(j, "state", "removed");
	if (cli->json)
		cli_print_json(j);
	cli_say(cli, "Removed key %s.\n", r.id);
	return OK;
}

static const struct cli_option remove_options[] = {
	{"kind", "KIND", "kpm, kre or ke, where one id names two keys; srp for an SRP user."},
	{NULL, NULL, NULL},
};

const struct command command_key_remove = {"key remove", "ID", 1, 1, "Erase a symmetric key.",
	"It is overwritten in the database. A device that holds it connects with it no more; what has been derived from it "
	"lives on until it expires.\n"
	"\n"
	"  openmef key remove pump-17@mef.example.com",
	remove_options, run_remove};
