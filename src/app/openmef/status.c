#include "app/openmef/status.h"

#include "app/openmef/commands.h"

#include "adapt/sys/file.h"
#include "pki/cert.h"

#include <stdio.h>

enum { PEM_MAX = 1024 * 1024, CRL_ARENA_MAX = STORE_CRL_MAX + 4096, SOON_S = 30 * 86400, COMMAND_MAX = CONF_PATH_MAX + 64 };

void status_find(struct report *r, const char *title, const char *text)
{
	char line[WHY_TEXT_MAX];

	snprintf(line, sizeof(line), "%s: %s", title, text);
	json_add_text(r->findings, line);
	if (!r->first[0])
		snprintf(r->first, sizeof(r->first), "%s", line);
}

/* A file that cannot be read is a finding, not a failure: the other lines are wanted too. */
void status_report_cert(struct report *r, const struct status_cert *c)
{
	OWNED_BUF struct buf pem = BUF(PEM_MAX);
	OWNED_BUF struct buf der = BUF(CERT_DER_MAX);
	struct cert cert = {0};
	struct why why = {0};
	char until[DATE_TEXT_SIZE];
	char command[COMMAND_MAX] = "";

	if (file_read(c->path, &pem, &why) != OK || cert_first_pem(buf_span(&pem), &der, &why) != OK
		|| cert_parse(buf_span(&der), &cert, &why) != OK) {
		json_put_text(r->j, c->key, NULL);
		cli_say(r->cli, "  %-15s UNREADABLE: %s\n", c->title, why.text);
		status_find(r, c->title, why.text);
		return;
	}
	if (c->words)
		cli_command(r->cli, c->words, command, sizeof(command));
	else
		snprintf(command, sizeof(command), "%s", c->advice ? c->advice : "make a new hierarchy with openmef init");
	date_text(cert.not_after_s, until);
	json_put_date(r->j, c->key, cert.not_after_s);
	bool expired = cert.not_after_s < r->now_s;
	bool soon = !expired && cert.not_after_s - r->now_s < SOON_S;
	cli_say(r->cli, "  %-15s good until %s%s%s%s\n", c->title, until, expired ? "  EXPIRED: " : soon ? "  ends soon: " : "",
		expired || soon ? command : "", c->words && (expired || soon) ? ", then reload" : "");
	if (expired)
		status_find(r, c->title, "expired");
}

/* In JSON crl_number and crl_next_update; of the other CA of a rollover other_crl_number and so on. */
struct crl_title {
	const char *title, *number, *next_update;
};

static void report_no_crl(struct report *r, const struct crl_title *t)
{
	json_put_text(r->j, t->number, NULL);
	json_put_text(r->j, t->next_update, NULL);
	cli_say(r->cli, "  %-15s none yet: the server publishes one when it starts\n", t->title);
}

static enum err report_crl(struct report *r, struct store *store, const char *ca, const struct crl_title *t, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(CRL_ARENA_MAX);
	struct crl_row row = {0};
	struct why none = {0};
	char next[DATE_TEXT_SIZE];

	enum err err = store->ops->crl_get(store->self, ca, &arena, &row, &none);
	if (err == ERR_NOT_FOUND) {
		report_no_crl(r, t);
		return OK;
	}
	if (err != OK) {
		*why = none;
		return err;
	}
	bool overdue = row.next_update_s < r->now_s;
	date_text(row.next_update_s, next);
	json_put_int(r->j, t->number, (int64_t)row.number);
	json_put_date(r->j, t->next_update, row.next_update_s);
	cli_say(r->cli, "  %-15s number %llu, next update %s%s\n", t->title, (unsigned long long)row.number, next,
		overdue ? "  OVERDUE: a running server publishes one, else its log says why not" : "");
	if (overdue)
		status_find(r, t->title, "overdue");
	return OK;
}

static enum err report_crls(struct report *r, struct store *store, const struct conf *conf, struct why *why)
{
	static const struct crl_title own = {"CRL", "crl_number", "crl_next_update"};
	static const struct crl_title other = {"other CA's CRL", "other_crl_number", "other_crl_next_update"};
	char command[COMMAND_MAX];

	TRY(report_crl(r, store, conf->ca_name, &own, why));
	if (conf->ca_other_cert[0])
		TRY(report_crl(r, store, conf->ca_other_name, &other, why));
	if (conf->ca_rollover[0])
		cli_say(r->cli, "  %-15s under way: %s\n", "CA rollover", cli_command(r->cli, "ca rollover", command, sizeof(command)));
	return OK;
}

static enum err count_one(void *arg, struct span der, struct why *why)
{
	size_t *n = arg;

	(*n)++;
	return OK;
}

void status_report_anchors(struct report *r, const struct status_anchors *a)
{
	OWNED_BUF struct buf pem = BUF(PEM_MAX);
	struct why why = {0};
	size_t n = 0;

	enum err err = a->path[0] ? file_read(a->path, &pem, &why) : OK;
	if (err == OK && pem.n)
		err = cert_each_pem(buf_span(&pem), count_one, &n, &why);
	if (err == ERR_NOT_FOUND && pem.n) /* comments only */
		err = OK;
	if (err != OK) {
		json_put_text(r->j, a->key, NULL);
		cli_say(r->cli, "  %-15s UNREADABLE: %s\n", a->title, why.text);
		status_find(r, a->title, why.text);
		return;
	}
	json_put_int(r->j, a->key, (int64_t)n);
	if (n)
		cli_say(r->cli, "  %-15s %zu\n", a->title, n);
	else
		cli_say(r->cli, "  %-15s %s%s\n", a->title, a->none ? a->none : "NONE in ", a->path);
	if (!n && !a->none)
		status_find(r, a->title, "none");
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
	json_put_int(r->j, "requests_waiting", (int64_t)c->waiting);
	json_put_int(r->j, "audit", (int64_t)c->audit);
	cli_say(r->cli, "  %-15s %llu, %llu disabled\n", "enrolees", (unsigned long long)c->enrolees,
		(unsigned long long)c->enrolees_disabled);
	cli_say(r->cli, "  %-15s %llu issued, %llu revoked\n", "certificates", (unsigned long long)c->issued,
		(unsigned long long)c->revoked);
	cli_say(r->cli, "  %-15s %llu waiting%s\n", "requests", (unsigned long long)c->waiting,
		c->waiting ? ": openmef request list" : "");
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

/* By what an upstream CA knows this MEF. */
static void report_issuer(struct report *r, const struct conf_issuer *issuer)
{
	char title[ISSUER_NAME_MAX + 16], key[ISSUER_NAME_MAX + 32];
	const struct status_cert cert = {title, key, issuer->cert, NULL, "have the upstream CA renew it, then reload"};

	if (issuer->kind != ISSUER_EST)
		return;
	snprintf(title, sizeof(title), "issuer %s", issuer->name);
	snprintf(key, sizeof(key), "issuer_%s_not_after", issuer->name);
	status_report_cert(r, &cert);
}

static enum err report_mef(struct report *r, struct store *store, const struct conf *conf, struct why *why)
{
	const struct status_cert certs[] = {
		{"root CA", "root_ca_not_after", conf->ca_chain, NULL, NULL},
		{"issuing CA", "issuing_ca_not_after", conf->ca_cert, NULL, NULL},
		{"server TLS", "server_tls_not_after", conf->tls_cert, "ca tls", NULL},
		{"message key", "message_not_after", conf_has_message(conf) ? conf->message_cert : "", "ca message", NULL},
	};
	const struct status_anchors devices = {
		"device anchors", "device_anchors", conf->device_anchors, "none: append the device makers' CAs to "};
	struct store_counts counts = {0};

	TRY(store->ops->counts(store->self, &counts, why));
	report_counts(r, &counts);
	for (size_t i = 0; i < sizeof(certs) / sizeof(certs[0]); i++) {
		if (certs[i].path[0])
			status_report_cert(r, &certs[i]);
	}
	for (size_t i = 0; i < conf->issuers.n; i++)
		report_issuer(r, &conf->issuers.items[i]);
	TRY(report_crls(r, store, conf, why));
	status_report_anchors(r, &devices);
	return OK;
}

static enum err run_status(struct cli *cli, struct why *why)
{
	OWNED_STORE struct store *store = NULL;
	OWNED_JSON struct json *j = json_object_new();
	OWNED_JSON struct json *findings = json_list_new();
	struct report r = {.cli = cli, .j = j, .findings = findings, .now_s = clock_unix_s(&cli->clock)};
	struct conf conf;

	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	int pid = cli_server_pid(&conf);
	report_server(&r, &conf, pid);
	if (conf.role == CONF_ROLE_MAF)
		TRY(status_report_maf(&r, store, &conf, pid, why));
	else
		TRY(report_mef(&r, store, &conf, why));
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
