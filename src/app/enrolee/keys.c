#include "app/enrolee/enrolee.h"

#include "app/enrolee/exchange.h"
#include "base/date.h"
#include "base/hex.h"
#include "base/mem.h"

static void put_secret(struct json *j, const char *name, const struct secret *s, bool shown)
{
	char hex[2 * SECRET_MAX + 1];

	if (!shown || s->n == 0)
		return;
	hex_text(s->bytes, s->n, hex);
	json_put_text(j, name, hex);
	mem_wipe(hex, sizeof(hex));
}

static struct json *usages_json(const struct suid_list *l)
{
	struct json *list = json_list_new();

	for (size_t i = 0; i < l->n; i++) {
		struct json *one = json_object_new();
		json_put_int(one, "suid", l->items[i]);
		json_put_text(one, "use", suid_name(l->items[i]));
		json_add(list, one);
	}
	return list;
}

static struct json *mafs_json(const struct agent_keys *k, bool secrets)
{
	struct json *list = json_list_new();

	for (size_t i = 0; i < k->mafs_n; i++) {
		const struct agent_maf *m = &k->mafs[i];
		struct json *one = json_object_new();
		json_put_text(one, "fqdn", m->fqdn);
		json_put_text(one, "uri", m->uri);
		json_put_text(one, "credential", m->credential == MAF_BY_CERTIFICATE ? "certificate" : "symmetricKey");
		json_put_text(one, "kmid", m->kmid[0] ? m->kmid : NULL);
		put_secret(one, "km", &m->km, secrets);
		json_put(one, "usages", usages_json(&m->usages));
		json_add(list, one);
	}
	return list;
}

static struct json *pairs_json(const struct agent_keys *k)
{
	struct json *list = json_list_new();

	for (size_t i = 0; i < k->pairs_n; i++) {
		struct json *one = json_object_new();
		json_put_text(one, "enrolee_b", k->pairs[i].enrolee_b);
		json_put_int(one, "suid", k->pairs[i].suid);
		json_put_text(one, "use", suid_name(k->pairs[i].suid));
		json_add(list, one);
	}
	return list;
}

static void say_keys(const struct cli *cli, const struct agent_keys *k)
{
	char until[DATE_TEXT_SIZE];

	date_text(k->expires_s, until);
	cli_say(cli, "KeId   %s\nKreId  %s\nGood until %s\n", k->keid, k->kreid, until);
	if (k->enrolee_id[0])
		cli_say(cli, "Enrolee-ID %s\n", k->enrolee_id);
	for (size_t i = 0; i < k->mafs_n; i++)
		cli_say(cli, "MAF %s %s by %s%s%s\n", k->mafs[i].fqdn, k->mafs[i].uri,
			k->mafs[i].credential == MAF_BY_CERTIFICATE ? "certificate" : "symmetric key",
			k->mafs[i].kmid[0] ? ", KmId " : "", k->mafs[i].kmid);
	for (size_t i = 0; i < k->pairs_n; i++)
		cli_say(cli, "Authorised: %s for %u (%s)\n", k->pairs[i].enrolee_b, k->pairs[i].suid, suid_name(k->pairs[i].suid));
}

static void say_secret(const struct cli *cli, const char *name, const struct secret *s)
{
	char hex[2 * SECRET_MAX + 1];

	hex_text(s->bytes, s->n, hex);
	cli_say(cli, "%s %s\n", name, hex);
	mem_wipe(hex, sizeof(hex));
}

static void put_keys(struct json *j, const char *dir, const struct agent_keys *k, bool secrets)
{
	json_put_text(j, "dir", dir);
	json_put_text(j, "keid", k->keid);
	put_secret(j, "ke", &k->ke, secrets);
	json_put_text(j, "kreid", k->kreid);
	put_secret(j, "kre", &k->kre, secrets);
	json_put_date(j, "expires", k->expires_s);
	json_put_text(j, "enrolee_id", k->enrolee_id);
	json_put(j, "certificate_usages", usages_json(&k->certificate_usages));
	json_put(j, "mafs", mafs_json(k, secrets));
	json_put(j, "authorised_pairs", pairs_json(k));
}

/* The other folders: keys fetched and shared. */
struct listing {
	const struct cli *cli;
	const char *folder;
	bool secrets;
	struct json *list; /* NULL: as text */
};

static enum err list_one(void *arg, const struct agent_shared *s, struct why *why)
{
	struct listing *l = arg;
	char until[DATE_TEXT_SIZE];
	struct json *one = l->list ? json_object_new() : NULL;

	date_text(s->expires_s, until);
	cli_say(l->cli, "%s %s for %u (%s)%s%s until %s\n", l->folder, s->keyid, s->suid, suid_name(s->suid),
		s->peer[0] ? " with " : "", s->peer, until);
	if (l->secrets && !l->list)
		say_secret(l->cli, " ", &s->key);
	if (!one)
		return OK;
	json_put_text(one, "keyid", s->keyid);
	json_put_int(one, "suid", s->suid);
	json_put_text(one, "peer", s->peer);
	json_put_date(one, "expires", s->expires_s);
	put_secret(one, "key", &s->key, l->secrets);
	json_add(l->list, one);
	return OK;
}

static enum err list_folder(const struct cli *cli, const char *dir, const char *folder, bool secrets, struct json *j,
	struct why *why)
{
	struct listing l = {.cli = cli, .folder = folder, .secrets = secrets, .list = j ? json_list_new() : NULL};
	enum err err = store_shared_each(dir, folder, clock_unix_s(&cli->clock), list_one, &l, why);

	if (j)
		json_put(j, folder, l.list);
	return err;
}

static enum err tell(const struct cli *cli, const char *dir, const struct agent_keys *k, bool secrets, struct why *why)
{
	OWNED_JSON struct json *j = cli->json ? json_object_new() : NULL;

	if (k && j)
		put_keys(j, dir, k, secrets);
	if (k)
		say_keys(cli, k);
	if (k && secrets) {
		say_secret(cli, "Ke ", &k->ke);
		say_secret(cli, "Kre", &k->kre);
	}
	TRY(list_folder(cli, dir, STORE_FETCHED, secrets, j, why));
	TRY(list_folder(cli, dir, STORE_PAIRWISE, secrets, j, why));
	if (j)
		cli_print_json(j);
	return OK;
}

enum err keys_tell(const struct cli *cli, const char *dir, const struct agent_keys *k, bool secrets, struct why *why)
{
	return tell(cli, dir, k, secrets, why);
}

static enum err run_keys(struct cli *cli, struct why *why)
{
	OWNED_AGENT_KEYS struct agent_keys k = {0};
	const char *dir = enrolee_dir(cli);
	bool secrets = cli_flag(cli, "show-secrets");
	struct why reason = {0};

	agent_keys_init(&k);
	enum err err = store_keys(dir, false, clock_unix_s(&cli->clock), &k, &reason);
	/* an Enrolment Target may hold keys of others and none of its own, or none any more */
	if (err != OK && err != ERR_NOT_FOUND && err != ERR_EXPIRED) {
		*why = reason;
		return err;
	}
	if (err == ERR_NOT_FOUND)
		cli_say(cli, "No Enrolment Key of its own in %s.\n", dir);
	TRY(tell(cli, dir, err == OK ? &k : NULL, secrets, why));
	if (err != ERR_EXPIRED)
		return OK;
	*why = reason;
	return err;
}

static const struct cli_option keys_options[] = {
	{"out", "DIR", "Where the credentials are (same as --dir)."},
	{"show-secrets", NULL, "Print the keys themselves too."},
	{NULL, NULL, NULL},
};

const struct command command_keys = {"keys", "", 0, 0, "Show symmetric keys: identifiers, lifetimes, MAFs, authorised pairs.",
	"Keys that have expired are erased where they are met.", keys_options, run_keys};
