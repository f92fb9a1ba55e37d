#include "app/openmef/commands.h"

#include "adapt/sys/file.h"
#include "base/date.h"
#include "pki/cert.h"

#include <signal.h>
#include <stdio.h>

enum { PEM_MAX = 256 * 1024, CRL_ARENA_MAX = 16 * 1024 * 1024, SOON_S = 30 * 86400 };

/* A line for one certificate file; a file that cannot be read is a finding, not a failure. */
static void report_cert(struct cli *cli, struct json *j, const char *name, const char *path, const char *renew)
{
	OWNED_BUF struct buf pem = BUF(PEM_MAX);
	OWNED_BUF struct buf der = BUF(CERT_DER_MAX);
	struct cert cert = {0};
	struct why why = {0};
	char until[DATE_TEXT_SIZE];
	int64_t now_s = clock_unix_s(&cli->clock);

	if (file_read(path, &pem, &why) != OK || cert_first_pem(buf_span(&pem), &der, &why) != OK
		|| cert_parse(buf_span(&der), &cert, &why) != OK) {
		json_put_text(j, name, NULL);
		cli_say(cli, "  %-14s unreadable: %s\n", name, why.text);
		return;
	}
	json_put_date(j, name, cert.not_after_s);
	date_text(cert.not_after_s, until);
	const char *mark = cert.not_after_s < now_s ? "  EXPIRED" : cert.not_after_s - now_s < SOON_S ? "  ends soon" : "";
	cli_say(cli, "  %-14s good until %s%s%s%s\n", name, until, mark, mark[0] ? ": " : "", mark[0] ? renew : "");
}

static enum err report_crl(struct cli *cli, struct json *j, struct store *store, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(CRL_ARENA_MAX);
	struct crl_row row = {0};
	struct why none = {0};
	char next[DATE_TEXT_SIZE];

	enum err err = store->ops->crl_get(store->self, &arena, &row, &none);
	if (err == ERR_NOT_FOUND) {
		json_put_text(j, "crl_next_update", NULL);
		cli_say(cli, "  %-14s none yet: the server publishes one when it starts\n", "CRL");
		return OK;
	}
	if (err != OK) {
		*why = none;
		return err;
	}
	date_text(row.next_update_s, next);
	json_put_int(j, "crl_number", (int64_t)row.number);
	json_put_date(j, "crl_next_update", row.next_update_s);
	cli_say(cli, "  %-14s number %llu, next update %s%s\n", "CRL", (unsigned long long)row.number, next,
		row.next_update_s < clock_unix_s(&cli->clock) ? "  OVERDUE: is the server running?" : "");
	return OK;
}

static enum err run_status(struct cli *cli, struct why *why)
{
	OWNED_STORE struct store *store = NULL;
	OWNED_JSON struct json *j = json_object_new();
	struct conf conf;
	struct store_counts counts = {0};

	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	TRY(store->ops->counts(store->self, &counts, why));
	int pid = cli_server_pid(cli);
	json_put_text(j, "fqdn", conf.fqdn);
	json_put_bool(j, "running", pid != 0);
	json_put_int(j, "pid", pid);
	json_put_int(j, "enrolees", (int64_t)counts.enrolees);
	json_put_int(j, "enrolees_disabled", (int64_t)counts.enrolees_disabled);
	json_put_int(j, "issued", (int64_t)counts.issued);
	json_put_int(j, "revoked", (int64_t)counts.revoked);
	json_put_int(j, "audit", (int64_t)counts.audit);
	if (pid)
		cli_say(cli, "%s: serving, process %d\n", conf.fqdn, pid);
	else
		cli_say(cli, "%s: not running (start it: openmef serve --dir %s)\n", conf.fqdn, cli->dir);
	cli_say(cli, "  %-14s %llu, %llu disabled\n", "enrolees", (unsigned long long)counts.enrolees,
		(unsigned long long)counts.enrolees_disabled);
	cli_say(cli, "  %-14s %llu issued, %llu revoked\n", "certificates", (unsigned long long)counts.issued,
		(unsigned long long)counts.revoked);
	cli_say(cli, "  %-14s %llu events\n", "audit log", (unsigned long long)counts.audit);
	report_cert(cli, j, "issuing CA", conf.ca_cert, "make a new hierarchy");
	report_cert(cli, j, "server TLS", conf.tls_cert, "openmef ca tls && openmef reload");
	TRY(report_crl(cli, j, store, why));
	if (cli->json)
		cli_print_json(j);
	return OK;
}

const struct command command_status = {
	"status", "", 0, 0, "Show whether the server runs and how the fleet is.", NULL, NULL, run_status};

static enum err run_reload(struct cli *cli, struct why *why)
{
	struct conf conf;

	/* A file that the server would refuse is told here, where a person looks. */
	TRY(cli_conf(cli, &conf, why));
	int pid = cli_server_pid(cli);
	if (!pid)
		return WHY(why, CLI_NOT_FOUND, "", "no server runs in %s", cli->dir);
	if (kill(pid, SIGHUP) != 0)
		return WHY(why, SYSTEM, "", "no right to signal process %d: run this as the server's user", pid);
	cli_say(cli, "Told process %d to read its configuration again.\n", pid);
	return OK;
}

const struct command command_reload = {"reload", "", 0, 0,
	"Check the configuration and let the running server take it.", NULL, NULL, run_reload};

static const struct cli_option serve_options[] = {
	{"conf", "FILE", "Configuration file, instead of DIR/openmef.conf."},
	{NULL, NULL, NULL},
};

const struct command command_serve = {"serve", "", 0, 0, "Run the server in the foreground.",
	"Starts front, registrar and signer processes and watches over them. SIGHUP reloads, SIGTERM stops after the requests in flight are answered. systemd's notification socket is served.",
	serve_options, NULL};
