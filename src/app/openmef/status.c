#include "app/openmef/commands.h"

#include "adapt/sys/file.h"
#include "base/date.h"
#include "pki/cert.h"

#include <stdio.h>

enum { PEM_MAX = 1024 * 1024, CRL_ARENA_MAX = STORE_CRL_MAX + 4096, SOON_S = 30 * 86400, COMMAND_MAX = CONF_PATH_MAX + 64 };

/* What is told, line by line, and what of it needs the operator. */
struct report {
	struct cli *cli;
	struct json *j;
	struct json *findings;
	char first[WHY_TEXT_MAX];
	int64_t now_s;
};

static void find(struct report *r, const char *title, const char *text)
{
	char line[WHY_TEXT_MAX];

	snprintf(line, sizeof(line), "%s: %s", title, text);
	json_add_text(r->findings, line);
	if (!r->first[0])
		snprintf(r->first, sizeof(r->first), "%s", line);
}

/* A file that cannot be read is a finding, not a failure: the other lines are wanted too. */
static void report_cert(struct report *r, const char *title, const char *key, const char *path, const char *words)
{
	OWNED_BUF struct buf pem = BUF(PEM_MAX);
	OWNED_BUF struct buf der = BUF(CERT_DER_MAX);
	struct cert cert = {0};
	struct why why = {0};
	char until[DATE_TEXT_SIZE];
	char command[COMMAND_MAX] = "make a new hierarchy with openmef init";

	if (file_read(path, &pem, &why) != OK || cert_first_pem(buf_span(&pem), &der, &why) != OK
		|| cert_parse(buf_span(&der), &cert, &why) != OK) {
		json_put_text(r->j, key, NULL);
		cli_say(r->cli, "  %-15s UNREADABLE: %s\n", title, why.text);
		find(r, title, why.text);
		return;
	}
	if (words)
		cli_command(r->cli, words, command, sizeof(command));
	date_text(cert.not_after_s, until);
	json_put_date(r->j, key, cert.not_after_s);
	bool expired = cert.not_after_s < r->now_s;
	bool soon = !expired && cert.not_after_s - r->now_s < SOON_S;
	cli_say(r->cli, "  %-15s good until %s%s%s%s\n", title, until, expired ? "  EXPIRED: " : soon ? "  ends soon: " : "",
		expired || soon ? command : "", words && (expired || soon) ? ", then reload" : "");
	if (expired)
		find(r, title, "expired");
}

static void report_no_crl(struct report *r)
{
	json_put_text(r->j, "crl_number", NULL);
	json_put_text(r->j, "crl_next_update", NULL);
	cli_say(r->cli, "  %-15s none yet: the server publishes one when it starts\n", "CRL");
}

static enum err report_crl(struct report *r, struct store *store, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(CRL_ARENA_MAX);
	struct crl_row row = {0};
	struct why none = {0};
	char next[DATE_TEXT_SIZE];

	enum err err = store->ops->crl_get(store->self, &arena, &row, &none);
	if (err == ERR_NOT_FOUND) {
		report_no_crl(r);
		return OK;
	}
	if (err != OK) {
		*why = none;
		return err;
	}
	bool overdue = row.next_update_s < r->now_s;
	date_text(row.next_update_s, next);
	json_put_int(r->j, "crl_number", (int64_t)row.number);
	json_put_date(r->j, "crl_next_update", row.next_update_s);
	cli_say(r->cli, "  %-15s number %llu, next update %s%s\n", "CRL", (unsigned long long)row.number, next,
		overdue ? "  OVERDUE: a running server publishes one, else its log says why not" : "");
	if (overdue)
		find(r, "CRL", "overdue");
	return OK;
}

static enum err count_one(void *arg, struct span der, struct why *why)
{
	size_t *n = arg;

	(*n)++;
	return OK;
}

static void report_anchors(struct report *r, const struct conf *conf)
{
	OWNED_BUF struct buf pem = BUF(PEM_MAX);
	struct why why = {0};
	size_t n = 0;

	enum err err = conf->device_anchors[0] ? file_read(conf->device_anchors, &pem, &why) : OK;
	if (err == OK && pem.n)
		err = cert_each_pem(buf_span(&pem), count_one, &n, &why);
	if (err == ERR_NOT_FOUND && pem.n) /* comments only */
		err = OK;
	if (err != OK) {
		json_put_text(r->j, "device_anchors", NULL);
		cli_say(r->cli, "  %-15s UNREADABLE: %s\n", "device anchors", why.text);
		find(r, "device anchors", why.text);
		return;
	}
	json_put_int(r->j, "device_anchors", (int64_t)n);
	if (n)
		cli_say(r->cli, "  %-15s %zu\n", "device anchors", n);
	else
		cli_say(r->cli, "  %-15s none: append the device makers' CAs to %s\n", "device anchors", conf->device_anchors);
}

static void report_server(struct report *r, const struct conf *conf, int pid)
{
	char command[COMMAND_MAX];

	json_put_text(r->j, "fqdn", conf->fqdn);
	json_put_bool(r->j, "running", pid != 0);
	if (pid)
		json_put_int(r->j, "pid", pid);
	else
		json_put_text(r->j, "pid", NULL);
	if (pid)
		cli_say(r->cli, "%s: serving, process %d\n", conf->fqdn, pid);
	else
		cli_say(r->cli, "%s: not running; start it: %s\n", conf->fqdn,
			cli_command(r->cli, "serve", command, sizeof(command)));
}

static void report_counts(struct report *r, const struct store_counts *c)
{
	json_put_int(r->j, "enrolees", (int64_t)c->enrolees);
	json_put_int(r->j, "enrolees_disabled", (int64_t)c->enrolees_disabled);
	json_put_int(r->j, "issued", (int64_t)c->issued);
	json_put_int(r->j, "revoked", (int64_t)c->revoked);
	json_put_int(r->j, "audit", (int64_t)c->audit);
	cli_say(r->cli, "  %-15s %llu, %llu disabled\n", "enrolees", (unsigned long long)c->enrolees,
		(unsigned long long)c->enrolees_disabled);
	cli_say(r->cli, "  %-15s %llu issued, %llu revoked\n", "certificates", (unsigned long long)c->issued,
		(unsigned long long)c->revoked);
	cli_say(r->cli, "  %-15s %llu events\n", "audit log", (unsigned long long)c->audit);
}

static enum err judge(const struct report *r, const struct conf *conf, int pid, struct why *why)
{
	if (!cli_flag(r->cli, "check"))
		return OK;
	if (!pid)
		return WHY(why, SERVER_DOWN, "", "%s: no process holds run/serve.pid", conf->dir);
	return r->first[0] ? WHY(why, STATUS_FINDING, "", "%s", r->first) : OK;
}

static enum err run_status(struct cli *cli, struct why *why)
{
	OWNED_STORE struct store *store = NULL;
	OWNED_JSON struct json *j = json_object_new();
	OWNED_JSON struct json *findings = json_list_new();
	struct report r = {.cli = cli, .j = j, .findings = findings, .now_s = clock_unix_s(&cli->clock)};
	struct conf conf;
	struct store_counts counts = {0};

	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	TRY(store->ops->counts(store->self, &counts, why));
	int pid = cli_server_pid(&conf);
	report_server(&r, &conf, pid);
	report_counts(&r, &counts);
	if (conf.ca_chain[0])
		report_cert(&r, "root CA", "root_ca_not_after", conf.ca_chain, NULL);
	report_cert(&r, "issuing CA", "issuing_ca_not_after", conf.ca_cert, NULL);
	report_cert(&r, "server TLS", "server_tls_not_after", conf.tls_cert, "ca tls");
	TRY(report_crl(&r, store, why));
	report_anchors(&r, &conf);
	json_put(j, "findings", findings);
	findings = NULL;
	if (cli->json)
		cli_print_json(j);
	return judge(&r, &conf, pid, why);
}

static const struct cli_option status_options[] = {
	{"check", NULL, "For monitoring: exit 5 when no server runs, 1 when something is expired, overdue or unreadable."},
	{NULL, NULL, NULL},
};

const struct command command_status = {"status", "", 0, 0, "Show whether the server runs and how the fleet is.",
	"Exit code 0 once the state could be read, whatever it is; --check makes it count.", status_options, run_status};
