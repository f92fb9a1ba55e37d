#include "app/enrolee/enrolee.h"

#include "adapt/sys/generation.h"
#include "app/enrolee/under_way.h"
#include "base/date.h"
#include "base/hex.h"
#include "wire/heap.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

static const struct cli_program program;

/* Two thirds of the lifetime: time for many tries before the end. */
static int64_t renew_from(const struct cert *c)
{
	return c->not_before_s + (c->not_after_s - c->not_before_s) / 3 * 2;
}

static enum err renew_held(struct cli *cli, struct enrolee_held *h, struct why *why)
{
	const char *mef = cli_value(cli, "mef");
	struct drive_ask ask = {.goal = AGENT_RENEW, .dir = enrolee_dir(cli), .connect = cli_value(cli, "connect"),
		.reuse_key = cli_flag(cli, "reuse-key"), .cmc = cli_flag(cli, "cmc"), .no_wait = cli_flag(cli, "no-wait"),
		.tls12_only = cli_flag(cli, "tls12"), .link_session = cli_flag(cli, "link-session")};

	TRY(enrolee_key_option(cli, &ask.key_wish, why));
	if (ask.key_wish == KEY_NONE && key_spec_of_spki(h->view.spki) != KEY_OTHER)
		ask.key_wish = key_spec_of_spki(h->view.spki);
	buf_put_span(&h->cert, buf_span(&h->chain));
	ask.mef_uri = mef ? mef : buf_text(&h->mef);
	ask.anchors_pem = buf_span(&h->anchors);
	ask.cert_pem = buf_span(&h->cert);
	ask.key_pem = buf_span(&h->key);
	cli_say(cli, "Renewing with %s\n", ask.mef_uri);
	return enrolee_drive(cli, &ask, why);
}

static void tell_not_due(struct cli *cli, int64_t due_s)
{
	OWNED_JSON struct json *j = json_object_new();
	char when[DATE_TEXT_SIZE];

	date_text(due_s, when);
	json_put_bool(j, "renewed", false);
	json_put_date(j, "renew_from", due_s);
	if (cli->json)
		cli_print_json(j);
	cli_say(cli, "Nothing to do: renewal is due from %s (--force renews now).\n", when);
	cli->exit_nothing = !cli_flag(cli, "quiet-noop");
}

static enum err run_renew(struct cli *cli, struct why *why)
{
	OWNED_HELD struct enrolee_held h = {0};
	OWNED_LOCK int lock = -1;

	TRY(generation_lock(enrolee_dir(cli), &lock, why));
	TRY(enrolee_held(enrolee_dir(cli), &h, why));
	int64_t due_s = renew_from(&h.view);
	if (!cli_flag(cli, "force") && clock_unix_s(&cli->clock) < due_s) {
		tell_not_due(cli, due_s);
		return OK;
	}
	return renew_held(cli, &h, why);
}

static const struct cli_option renew_options[] = {
	{"force", NULL, "Renew now; else from two thirds of the lifetime on."},
	{"reuse-key", NULL, "Keep the key, where the MEF admits it."},
	{"key-type", "KIND", "New key where the MEF has no wish; else of the same kind as now."},
	{"cmc", NULL, "Ask by a message that the certificate signs (full CMC), where the MEF's label offers it."},
	{"mef", "URI", "Another address of the MEF."},
	{"out", "DIR", "Where the credentials are (same as --dir)."},
	{"connect", "HOST:PORT", "Connect there instead of to the URI's host."},
	{"link-session", NULL, "Link the request to the TLS session (RFC 7030 3.5) also where the MEF does not ask for it."},
	{"no-wait", NULL, "Do not sleep when the MEF says \"later\": keep key and request, and exit 7."},
	{"quiet-noop", NULL, "Exit 0 instead of 6 when renewal is not due."},
	{"tls12", NULL, "Use TLS 1.2 only."},
	{NULL, NULL, NULL},
};

static const struct command command_renew = {"renew", "", 0, 0, "Renew the certificate in force.",
	"Authenticates with the certificate in force, repeats its subject and names, and replaces it only by one that passes every check. One that has expired is tried too: whether it still counts is the MEF's decision.",
	renew_options, run_renew};

static const char *state_of(const struct cert *c, int64_t now_s)
{
	if (now_s > c->not_after_s)
		return "expired";
	if (now_s < c->not_before_s)
		return "not yet valid";
	return now_s >= renew_from(c) ? "renewal due" : "good";
}

static struct json *status_json(struct enrolee_held *h, int64_t now_s)
{
	struct json *j = json_object_new();
	char serial[2 * 20 + 1];

	hex_text(h->view.serial.p, h->view.serial.n, serial);
	json_put_text(j, "state", state_of(&h->view, now_s));
	json_put_text(j, "serial", serial);
	json_put_date(j, "not_before", h->view.not_before_s);
	json_put_date(j, "not_after", h->view.not_after_s);
	json_put_date(j, "renew_from", renew_from(&h->view));
	json_put_date(j, "now", now_s);
	json_put_text(j, "mef", buf_text(&h->mef));
	return j;
}

static enum err check_dates(const struct cert *c, int64_t now_s, struct why *why)
{
	char from[DATE_TEXT_SIZE];
	char until[DATE_TEXT_SIZE];
	char now[DATE_TEXT_SIZE];

	if (now_s >= c->not_before_s && now_s <= c->not_after_s)
		return OK;
	date_text(c->not_before_s, from);
	date_text(c->not_after_s, until);
	date_text(now_s, now);
	return WHY(why, CERT_DATES, "RFC 5280 4.1.2.5", "good from %s until %s, this device's clock says %s", from, until, now);
}

/* The request under way, beside what is in force. */
struct waiting {
	bool any;
	bool told; /* to come back later */
	struct json *j; /* until it was put into the answer */
	struct buf text;
};

static void waiting_fini(struct waiting *w)
{
	json_free(w->j);
	buf_fini(&w->text);
}

static void put_waiting(struct json *j, struct waiting *w)
{
	if (!w->any) {
		json_put_text(j, "pending", NULL);
		return;
	}
	json_put(j, "pending", w->j);
	w->j = NULL;
}

/* A device that has nothing yet but a request. */
static void tell_request_only(const struct cli *cli, struct waiting *w)
{
	OWNED_JSON struct json *j = json_object_new();

	json_put_text(j, "state", w->told ? "waiting" : "no certificate");
	put_waiting(j, w);
	if (cli->json)
		cli_print_json(j);
	cli_say(cli, "State %s\n%s", w->told ? "waiting" : "no certificate", buf_text(&w->text));
}

/* A device that got symmetric keys alone. */
static void tell_keys_only(const struct cli *cli, const struct agent_keys *k, struct waiting *w)
{
	OWNED_JSON struct json *j = json_object_new();
	char until[DATE_TEXT_SIZE];

	date_text(k->expires_s, until);
	json_put_text(j, "state", "no certificate");
	json_put_text(j, "keid", k->keid);
	json_put_date(j, "keys_expire", k->expires_s);
	put_waiting(j, w);
	if (cli->json)
		cli_print_json(j);
	cli_say(cli, "State no certificate\nKeId %s, good until %s (see: enrolee keys)\n%s", k->keid, until, buf_text(&w->text));
}

static void tell_certificate(const struct cli *cli, struct enrolee_held *h, const struct agent_keys *k, struct waiting *w,
	struct buf *text)
{
	OWNED_JSON struct json *j = status_json(h, clock_unix_s(&cli->clock));
	char due[DATE_TEXT_SIZE];

	json_put_text(j, "keid", k ? k->keid : NULL);
	json_put_date(j, "keys_expire", k ? k->expires_s : 0);
	put_waiting(j, w);
	if (cli->json)
		cli_print_json(j);
	date_text(renew_from(&h->view), due);
	cli_say(cli, "State %s, renewal from %s\nMEF %s\n%s", state_of(&h->view, clock_unix_s(&cli->clock)), due,
		buf_text(&h->mef), buf_text(text));
	if (k)
		cli_say(cli, "KeId %s (see: enrolee keys)\n", k->keid);
	cli_say(cli, "%s", buf_text(&w->text));
}

static enum err run_status(struct cli *cli, struct why *why)
{
	OWNED_HELD struct enrolee_held h = {0};
	OWNED_AGENT_KEYS struct agent_keys k = {0};
	OWNED_BUF struct buf text = BUF(64 * 1024);
	__attribute__((cleanup(waiting_fini))) struct waiting w = {.j = json_object_new(), .text = BUF(16 * 1024)};
	struct why none = {0};
	bool has_keys = false;

	w.any = under_way_show(cli, enrolee_dir(cli), w.j, &w.text, &w.told);
	agent_keys_init(&k);
	TRY(store_keys_if_any(cli, enrolee_dir(cli), false, &k, &has_keys, why));
	enum err err = enrolee_held(enrolee_dir(cli), &h, &none);
	if (err == ERR_NOT_FOUND && has_keys) {
		tell_keys_only(cli, &k, &w);
		return OK;
	}
	if (err == ERR_NOT_FOUND && w.any) {
		tell_request_only(cli, &w);
		return OK;
	}
	if (err != OK) {
		*why = none;
		return err;
	}
	TRY(cert_describe(buf_span(&h.leaf), &text, why));
	tell_certificate(cli, &h, has_keys ? &k : NULL, &w, &text);
	return check_dates(&h.view, clock_unix_s(&cli->clock), why);
}

static const struct cli_option status_options[] = {
	{"out", "DIR", "Where the credentials are (same as --dir)."},
	{NULL, NULL, NULL},
};

static const struct command command_status = {"status", "", 0, 0, "Show the certificate in force and when it renews.",
	NULL, status_options, run_status};

static enum err run_manual(struct cli *cli, struct why *why)
{
	cli_manual(&program);
	return OK;
}

static const struct command command_manual = {
	"help manual", "", 0, 0, "Print the source of the manual page.", NULL, NULL, run_manual};

static const struct command *const commands[] = {&command_enrol, &command_renew, &command_revoke, &command_status,
	&command_keys, &command_derive, &command_fetch_key,
	&command_maf_connect, &command_maf_register_key, &command_maf_fetch_key,
	&command_session_listen, &command_session_connect, &command_manual, NULL};

static const struct cli_program program = {
	.name = "enrolee",
	.summary = "enrols a device with an M2M Enrolment Function and renews its certificate",
	.intro = "First step:\n  enrolee enrol --mef https://mef.example.com:8443/.well-known/est/onem2m \\\n"
		 "    --cert factory.pem --key factory.key --anchors mef-root.pem --out /var/lib/enrolee\n",
	.dir_help = "Where the device's credentials are kept (default ./enrolee).",
	.see_also = ".BR openmef (1)",
	.commands = commands,
};

static int no_other(int argc, char **argv)
{
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	heap_wipe_freed();
	umask(077);
	return cli_main(&program, argc - 1, argv + 1, no_other);
}
