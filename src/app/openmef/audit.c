#include "app/openmef/commands.h"

#include "base/date.h"
#include "base/hex.h"
#include "core/registry/audit.h"

#include <stdio.h>

enum { LIST_DEFAULT = 50 };

struct listing {
	const struct cli *cli;
	size_t n;
};

static enum err list_one(void *arg, const struct audit_row *row, struct why *why)
{
	struct listing *l = arg;
	const struct cli *cli = l->cli;
	char when[DATE_TEXT_SIZE];

	date_text(row->time_s, when);
	/* The event is JSON already, as it was hashed. */
	if (cli->json)
		printf("%s{\"seq\": %llu, \"time\": \"%s\", \"event\": %s}", l->n ? ",\n  " : "\n  ",
			(unsigned long long)row->seq, when, row->event);
	l->n++;
	cli_say(cli, "%6llu  %s  %s\n", (unsigned long long)row->seq, when, row->event);
	return OK;
}

static enum err run_list(struct cli *cli, struct why *why)
{
	OWNED_STORE struct store *store = NULL;
	struct conf conf;
	uint64_t limit = LIST_DEFAULT;
	uint64_t from = 0;
	uint64_t head = 0;
	uint8_t hash[32];
	struct listing l = {.cli = cli};

	TRY(cli_number(cli, "limit", 1, STORE_PAGE_MAX, &limit, why));
	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	TRY(store->ops->audit_head(store->self, &head, hash, why));
	from = head > limit ? head - limit + 1 : 1;
	TRY(cli_number(cli, "from", 1, INT64_MAX, &from, why));
	if (cli->json)
		putchar('[');
	enum err err = store->ops->audit_list(store->self, from, (size_t)limit, list_one, &l, why);
	if (cli->json)
		puts(l.n ? "\n]" : "]");
	if (err == OK && l.n == limit && from + l.n <= head)
		cli_say(cli, "More: the same command with --from %llu\n", (unsigned long long)(from + l.n));
	return err;
}

static const struct cli_option list_options[] = {
	{"from", "SEQ", "Start at this number; else the newest rows are shown."},
	{"limit", "N", "At most N rows (default 50)."},
	{NULL, NULL, NULL},
};

const struct command command_audit_list = {
	"audit list", "", 0, 0, "Show what happened: one JSON object an event.", NULL, list_options, run_list};

static enum err run_verify(struct cli *cli, struct why *why)
{
	OWNED_STORE struct store *store = NULL;
	OWNED_JSON struct json *j = json_object_new();
	struct conf conf;
	struct audit_report report = {0};
	char head[65];

	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	TRY(audit_verify(store, &report, why));
	hex_text(report.head, sizeof(report.head), head);
	json_put_int(j, "rows", (int64_t)report.rows);
	json_put_int(j, "bad_seq", (int64_t)report.bad_seq);
	json_put_text(j, "head", head);
	if (cli->json)
		cli_print_json(j);
	if (report.bad_seq)
		return why->kind;
	cli_say(cli, "The chain of %llu events holds.\n  head %s\nKeep the head elsewhere: only so can a cut tail be noticed.\n",
		(unsigned long long)report.rows, head);
	return OK;
}

const struct command command_audit_verify = {
	"audit verify", "", 0, 0, "Check the hash chain of the audit log.",
	"Exit code 1 and the number of the row when one was changed, taken out or put in. A tail that was cut off, or a log rewritten as a whole, shows only against a head that was kept on another machine.",
	NULL, run_verify};
