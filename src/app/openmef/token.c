/* `openmef token`: Enrolment-Tokens, shown once and known by their hash afterwards. */
#include "app/openmef/commands.h"

#include "base/date.h"
#include "base/text.h"
#include "core/keys/register.h"

#include <stdio.h>

enum { LIST_DEFAULT = 50, TTL_DEFAULT_S = 7 * 86400, TTL_MAX_S = 10 * 365 * 86400, HANDLE_SIZE = 17 };

/* ---- add */

struct adding {
	const struct random_source *random;
	const char *enrolee;
	int64_t expires_s;
	int64_t now_s;
	char token[TOKEN_TEXT_SIZE];
	char id[HANDLE_SIZE];
};

static enum err do_add(struct store *store, void *arg, struct why *why)
{
	struct adding *a = arg;

	return register_token(store, a->random, a->enrolee, a->expires_s, a->now_s, a->token, a->id, why);
}

static void tell_added(const struct cli *cli, const struct adding *a)
{
	OWNED_JSON struct json *j = json_object_new();
	char until[DATE_TEXT_SIZE];

	date_text(a->expires_s, until);
	json_put_text(j, "id", a->id);
	json_put_text(j, "token", a->token);
	json_put_text(j, "enrolee", a->enrolee[0] ? a->enrolee : NULL);
	json_put_date(j, "expires", a->expires_s);
	if (cli->json)
		cli_print_json(j);
	else if (cli->quiet)
		printf("%s\n", a->token); /* asked for nothing else */
	cli_say(cli, "%s\n\nThis is shown once; it can be used once, %s%s, until %s.\nIts id is %s: openmef token remove %s takes it back.\n",
		a->token, a->enrolee[0] ? "by " : "by whichever enrolee shows it first", a->enrolee, until, a->id, a->id);
}

static enum err take_ttl(const struct cli *cli, int64_t *out, struct why *why)
{
	const char *text = cli_value(cli, "ttl");
	struct why cause = {0};

	*out = TTL_DEFAULT_S;
	if (text && (text_duration(span_text(text), "ttl", out, &cause) != OK || *out <= 0 || *out > TTL_MAX_S))
		return WHY(why, CLI_USAGE, "", "--ttl: want a duration up to 10y such as 7d, have '%.20s'", text);
	return OK;
}

static enum err run_add(struct cli *cli, struct why *why)
{
	OWNED_STORE struct store *store = NULL;
	struct conf conf;
	int64_t ttl_s = 0;
	struct adding a = {.random = &cli->random, .enrolee = cli->args_n ? cli->args[0] : "", .now_s = clock_unix_s(&cli->clock)};

	TRY(take_ttl(cli, &ttl_s, why));
	a.expires_s = a.now_s + ttl_s;
	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	TRY(cli_change(store, do_add, &a, why));
	tell_added(cli, &a);
	return OK;
}

static const struct cli_option add_options[] = {
	{"ttl", "DURATION", "It can be used for 7d (the default), 12h, ..."},
	{NULL, NULL, NULL},
};

const struct command command_token_add = {"token add", "[ENROLEE]", 0, 1, "Make an Enrolment-Token and print it, once.",
	"The enrolee shows it in the enrolment exchange; it is good for one exchange. Without ENROLEE it belongs to whichever "
	"registered enrolee shows it first. The store keeps only its hash. With --quiet nothing but the token is printed.\n"
	"\n"
	"  openmef token add pump-17\n"
	"  openmef token add --ttl 12h --json",
	add_options, run_add};

/* ---- list */

struct listing {
	const struct cli *cli;
	struct json *list;
	int64_t now_s;
	size_t n;
	char last[STORE_ID_MAX + 1];
};

static const char *state_of(const struct token *t, int64_t now_s)
{
	if (t->spent_s)
		return "used";
	if (t->expires_s <= now_s)
		return "expired";
	return t->claimed_s ? "in use" : "unused";
}

static enum err list_one(void *arg, const struct token *t, struct why *why)
{
	struct listing *l = arg;
	const char *whose = t->enrolee_id[0] ? t->enrolee_id : t->claimed_by;
	char until[DATE_TEXT_SIZE];

	date_text(t->expires_s, until);
	if (l->cli->json) {
		struct json *j = json_object_new();
		json_put_text(j, "id", t->id);
		json_put_text(j, "state", state_of(t, l->now_s));
		json_put_text(j, "enrolee", t->enrolee_id[0] ? t->enrolee_id : NULL);
		json_put_text(j, "claimed_by", t->claimed_by[0] ? t->claimed_by : NULL);
		json_put_date(j, "created", t->created_s);
		json_put_date(j, "expires", t->expires_s);
		json_put_date(j, "claimed", t->claimed_s);
		json_put_date(j, "used", t->spent_s);
		json_add(l->list, j);
	}
	cli_say(l->cli, "%-18s %-8s %-24s %s\n", t->id, state_of(t, l->now_s), whose[0] ? whose : "(anybody)", until);
	l->n++;
	snprintf(l->last, sizeof(l->last), "%s", t->id);
	return OK;
}

static enum err run_list(struct cli *cli, struct why *why)
{
	OWNED_STORE struct store *store = NULL;
	OWNED_JSON struct json *list = json_list_new();
	struct conf conf;
	uint64_t limit = LIST_DEFAULT;
	const char *after = cli_value(cli, "after") ? cli_value(cli, "after") : "";
	struct listing l = {.cli = cli, .list = list, .now_s = clock_unix_s(&cli->clock)};

	TRY(cli_number(cli, "limit", 1, STORE_PAGE_MAX, &limit, why));
	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	cli_say(cli, "%-18s %-8s %-24s %s\n", "ID", "STATE", "ENROLEE", "EXPIRES");
	TRY(store->ops->token_list(store->self, after, (size_t)limit, list_one, &l, why));
	if (l.n == limit)
		cli_say(cli, "More: the same command with --after %s\n", l.last);
	if (cli->json)
		cli_print_json(list);
	return OK;
}

static const struct cli_option list_options[] = {
	{"after", "ID", "Start behind this id."},
	{"limit", "N", "At most N rows (default 50)."},
	{NULL, NULL, NULL},
};

const struct command command_token_list = {"token list", "", 0, 0, "List Enrolment-Tokens by id, never the tokens themselves.",
	"  openmef token list --limit 1000 --json", list_options, run_list};

/* ---- remove */

struct removing {
	const char *id;
	int64_t now_s;
};

static enum err do_remove(struct store *store, void *arg, struct why *why)
{
	const struct removing *r = arg;

	return register_token_remove(store, r->id, r->now_s, why);
}

static enum err run_remove(struct cli *cli, struct why *why)
{
	OWNED_JSON struct json *j = json_object_new();
	OWNED_STORE struct store *store = NULL;
	struct conf conf;
	struct removing r = {cli->args[0], clock_unix_s(&cli->clock)};

	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	TRY(cli_change(store, do_remove, &r, why));
	json_put_text(j, "id", r.id);
	json_put_text(j, "state", "removed");
	if (cli->json)
		cli_print_json(j);
	cli_say(cli, "Removed token %s.\n", r.id);
	return OK;
}

const struct command command_token_remove = {"token remove", "ID", 1, 1, "Take an Enrolment-Token back.",
	"Its preferences go with it. ID is what `openmef token list` shows, not the token.\n"
	"\n"
	"  openmef token remove 1F0A22C4D5E6B798",
	NULL, run_remove};
