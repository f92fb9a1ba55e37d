#include "app/openmef/commands.h"

#include "adapt/sys/file.h"
#include "base/date.h"
#include "base/hex.h"
#include "base/text.h"
#include "core/registry/enrolee.h"
#include "core/registry/record.h"
#include "pki/cert.h"

#include <stdio.h>
#include <unistd.h>

enum { SHOW_ARENA_MAX = 256 * 1024, LIST_DEFAULT = 50 };

static const char *state_name(const struct issued *i, int64_t now_s)
{
	if (i->state != ISSUED_VALID)
		return "revoked";
	return i->not_after_s < now_s ? "expired" : "valid";
}

/* Who issued it, where that was not this MEF's own CA; and its own serial number there. */
static void issuer_json(const struct issued *i, struct json *j)
{
	OWNED_ARENA struct arena arena = ARENA(4 * 4096);
	char serial[2 * STORE_SERIAL_MAX + 1] = "";
	const char *name = "";
	struct why ignored = {0};
	struct cert cert = {0};

	if (!record_is_foreign(i->serial) || cert_parse(i->der, &cert, &ignored) != OK
		|| name_text(cert.issuer, &arena, &name, &ignored) != OK) {
		json_put_text(j, "issuer", NULL);
		json_put_text(j, "issuer_serial", NULL);
		return;
	}
	hex_text(cert.serial.p, cert.serial.n < STORE_SERIAL_MAX ? cert.serial.n : STORE_SERIAL_MAX, serial);
	json_put_text(j, "issuer", name);
	json_put_text(j, "issuer_serial", serial);
}

static struct json *issued_json(const struct issued *i, int64_t now_s)
{
	char serial[2 * STORE_SERIAL_MAX + 1];
	struct json *j = json_object_new();

	hex_text(i->serial.p, i->serial.n, serial);
	json_put_text(j, "serial", serial);
	issuer_json(i, j);
	json_put_text(j, "enrolee", i->enrolee_id);
	json_put_text(j, "state", state_name(i, now_s));
	json_put_text(j, "profile", i->profile);
	json_put_text(j, "label", i->est_label);
	json_put_date(j, "issued", i->issued_s);
	json_put_date(j, "not_before", i->not_before_s);
	json_put_date(j, "not_after", i->not_after_s);
	json_put_date(j, "revoked", i->revoked_s);
	json_put_text(j, "reason", i->state == ISSUED_VALID ? NULL : revoke_reason_name(i->reason));
	return j;
}

struct listing {
	const struct cli *cli;
	struct json *list;
	int64_t now_s;
	size_t n;
	char last[2 * STORE_SERIAL_MAX + 1];
};

static enum err list_one(void *arg, const struct issued *i, struct why *why)
{
	struct listing *l = arg;
	char until[DATE_TEXT_SIZE];

	hex_text(i->serial.p, i->serial.n, l->last);
	date_text(i->not_after_s, until);
	if (l->cli->json)
		json_add(l->list, issued_json(i, l->now_s));
	cli_say(l->cli, "%-40s %-24s %-8s %s%s\n", l->last, i->enrolee_id, state_name(i, l->now_s), until,
		record_is_foreign(i->serial) ? " another CA's" : "");
	l->n++;
	return OK;
}

static enum err make_filter(const struct cli *cli, uint8_t after[STORE_SERIAL_MAX], struct issued_filter *f,
	struct why *why)
{
	const char *within = cli_value(cli, "expires-within");
	uint64_t n = LIST_DEFAULT;
	int64_t seconds = 0;
	struct why cause = {0};

	TRY(cli_number(cli, "limit", 1, STORE_PAGE_MAX, &n, why));
	if (within && text_duration(span_text(within), "expires-within", &seconds, &cause) != OK)
		return WHY(why, CLI_USAGE, "", "--%s", cause.text);
	if (within) {
		f->expires_before_s = clock_unix_s(&cli->clock) + seconds;
	}
	if (cli_value(cli, "after"))
		TRY(cli_serial(cli_value(cli, "after"), after, &f->after, why));
	f->enrolee_id = cli_value(cli, "enrolee") ? cli_value(cli, "enrolee") : "";
	f->state = cli_flag(cli, "revoked") ? ISSUED_REVOKED : 0;
	f->limit = (size_t)n;
	return OK;
}

static enum err run_list(struct cli *cli, struct why *why)
{
	OWNED_STORE struct store *store = NULL;
	OWNED_JSON struct json *list = json_list_new();
	struct conf conf;
	uint8_t after[STORE_SERIAL_MAX];
	struct issued_filter filter = {0};
	struct listing l = {.cli = cli, .list = list, .now_s = clock_unix_s(&cli->clock)};

	TRY(make_filter(cli, after, &filter, why));
	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	cli_say(cli, "%-40s %-24s %-8s %s\n", "SERIAL", "ENROLEE", "STATE", "NOT AFTER");
	TRY(store->ops->issued_list(store->self, &filter, list_one, &l, why));
	if (l.n == filter.limit)
		cli_say(cli, "More: the same command with --after %s\n", l.last);
	if (cli->json)
		cli_print_json(list);
	return OK;
}

static const struct cli_option list_options[] = {
	{"enrolee", "ID", "Only certificates of this enrolee."},
	{"revoked", NULL, "Only revoked ones."},
	{"expires-within", "DURATION", "Only those that end within 30d, 12h, ..., and those that have ended."},
	{"after", "SERIAL", "Start behind this serial number."},
	{"limit", "N", "At most N rows (default 50)."},
	{NULL, NULL, NULL},
};

const struct command command_cert_list = {
	"cert list", "", 0, 0, "List issued certificates by serial number.",
	"A certificate of another CA ([issuer NAME]) stands under a number of record, since its serial number may be taken here; `openmef cert show` tells both.", list_options, run_list};

static enum err print_cert(const struct cli *cli, const struct issued *i, struct why *why)
{
	OWNED_BUF struct buf text = BUF(64 * 1024);

	if (cli->json) {
		OWNED_JSON struct json *j = issued_json(i, clock_unix_s(&cli->clock));
		OWNED_BUF struct buf pem = BUF(64 * 1024);
		TRY(cert_write_pem(i->der, &pem, why));
		json_put_text(j, "pem", buf_text(&pem));
		cli_print_json(j);
		return OK;
	}
	if (!cli_flag(cli, "pem"))
		TRY(cert_describe(i->der, &text, why));
	TRY(cert_write_pem(i->der, &text, why));
	if (record_is_foreign(i->serial) && !cli_flag(cli, "pem")) {
		char record[2 * STORE_SERIAL_MAX + 1];
		hex_text(i->serial.p, i->serial.n, record);
		cli_say(cli, "RECORD       %s, issued by another CA\n", record);
	}
	if (i->state == ISSUED_REVOKED && !cli_flag(cli, "pem")) {
		char when[DATE_TEXT_SIZE];
		date_text(i->revoked_s, when);
		cli_say(cli, "REVOKED      %s, %s\n", when, revoke_reason_name(i->reason));
	}
	cli_say(cli, "%s", buf_text(&text));
	return OK;
}

static enum err run_show(struct cli *cli, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(SHOW_ARENA_MAX);
	OWNED_STORE struct store *store = NULL;
	struct conf conf;
	uint8_t bytes[STORE_SERIAL_MAX];
	struct span serial = {0};
	struct issued issued = {0};

	TRY(cli_serial(cli->args[0], bytes, &serial, why));
	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	TRY(store->ops->issued_find(store->self, serial, &arena, &issued, why));
	return print_cert(cli, &issued, why);
}

static const struct cli_option show_options[] = {
	{"pem", NULL, "Print only the PEM text."},
	{NULL, NULL, NULL},
};

const struct command command_cert_show = {
	"cert show", "SERIAL", 1, 1, "Show one certificate.", "SERIAL as `openmef cert list` or openssl prints it.", show_options, run_show};

struct revocation {
	struct span serial;
	uint8_t reason;
	int64_t now_s;
};

static enum err do_revoke(struct store *store, void *arg, struct why *why)
{
	struct revocation *r = arg;

	return registry_revoke(store, r->serial, r->reason, r->now_s, why);
}

/* In a rollover both lists must be out. */
static bool crl_of(const struct conf *conf, struct store *store, uint64_t revision, struct arena *arena, struct crl_row *row)
{
	struct crl_row other = {.revision = revision};
	struct why ignored = {0};

	if (conf->ca_other_cert[0] && store->ops->crl_get(store->self, conf->ca_other_name, arena, &other, &ignored) != OK)
		return false;
	return store->ops->crl_get(store->self, conf->ca_name, arena, row, &ignored) == OK && row->revision >= revision
		&& other.revision >= revision;
}

/* A running server publishes at once; wait for it so that the operator knows. */
static bool wait_for_crl(const struct conf *conf, struct store *store, uint64_t *number_out)
{
	enum { TRIES = 100, STEP_US = 50 * 1000 };
	struct why why = {0};
	uint64_t revision = 0;

	if (store->ops->revocation_revision(store->self, &revision, &why) != OK)
		return false;
	for (int i = 0; i < TRIES; i++) {
		OWNED_ARENA struct arena arena = ARENA(8 * 1024 * 1024);
		struct crl_row row = {0};
		if (crl_of(conf, store, revision, &arena, &row)) {
			*number_out = row.number;
			return true;
		}
		usleep(STEP_US);
	}
	return false;
}

static void tell_revoked(const struct cli *cli, bool foreign, bool running, bool published, uint64_t number)
{
	OWNED_JSON struct json *j = json_object_new();

	json_put_text(j, "serial", cli->args[0]);
	json_put_bool(j, "published", published && !foreign);
	if (published && !foreign)
		json_put_int(j, "crl_number", (int64_t)number);
	else
		json_put_text(j, "crl_number", NULL);
	if (cli->json)
		cli_print_json(j);
	if (foreign)
		cli_say(cli, "Revoked %s here: it opens nothing at this MEF any more. It is another CA's, whose operator must revoke it for all others.\n",
			cli->args[0]);
	else if (published)
		cli_say(cli, "Revoked %s; CRL %llu lists it.\n", cli->args[0], (unsigned long long)number);
	else if (running)
		cli_say(cli, "Revoked %s. The server has not published a new CRL yet: see its log.\n", cli->args[0]);
	else
		cli_say(cli, "Revoked %s. No server runs; the CRL will list it when one starts.\n", cli->args[0]);
}

static enum err run_revoke(struct cli *cli, struct why *why)
{
	OWNED_STORE struct store *store = NULL;
	struct conf conf;
	uint8_t bytes[STORE_SERIAL_MAX];
	struct revocation r = {.now_s = clock_unix_s(&cli->clock)};
	const char *name = cli_value(cli, "reason") ? cli_value(cli, "reason") : "unspecified";
	int reason = revoke_reason_parse(span_text(name));
	uint64_t number = 0;

	if (reason < 0)
		return WHY(why, CLI_USAGE, "RFC 5280 5.3.1",
			"--reason: want keyCompromise, affiliationChanged, superseded, cessationOfOperation, privilegeWithdrawn or unspecified, have '%s'",
			name);
	r.reason = (uint8_t)reason;
	TRY(cli_serial(cli->args[0], bytes, &r.serial, why));
	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	TRY(cli_change(store, do_revoke, &r, why));
	cli_poke(&conf);
	bool running = cli_server_pid(&conf) != 0;
	bool published = running && wait_for_crl(&conf, store, &number);
	tell_revoked(cli, record_is_foreign(r.serial), running, published, number);
	return OK;
}

static const struct cli_option revoke_options[] = {
	{"reason", "REASON",
		"unspecified (default), keyCompromise, superseded, cessationOfOperation, affiliationChanged, privilegeWithdrawn."},
	{NULL, NULL, NULL},
};

const struct command command_cert_revoke = {"cert revoke", "SERIAL", 1, 1, "Revoke a certificate.",
	"The certificate loses its access to this server at once; a running server publishes a new CRL within a second. A certificate of another CA is revoked for this server alone: no CRL of this MEF lists it.",
	revoke_options, run_revoke};
