#include "app/enrolee/drive.h"

#include "adapt/sys/file.h"
#include "adapt/sys/generation.h"
#include "base/date.h"
#include "base/hex.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

enum { PEM_MAX = 512 * 1024 };

#define OWNED_SECRET_BUF __attribute__((cleanup(buf_fini_wipe)))

static const struct cli_program program;

static enum err want(const struct cli *cli, const char *name, const char **out, struct why *why)
{
	*out = cli_value(cli, name);
	if (!*out)
		return WHY(why, CLI_USAGE, "", "enrolee %s: want --%s (see: enrolee %s --help)", cli->command->path, name,
			cli->command->path);
	return OK;
}

static const char *dir_of(const struct cli *cli)
{
	return cli_value(cli, "out") ? cli_value(cli, "out") : cli->dir ? cli->dir : "enrolee";
}

static enum err key_option(const struct cli *cli, enum key_spec *out, struct why *why)
{
	const char *name = cli_value(cli, "key-type");

	*out = name ? key_spec_parse(span_text(name)) : KEY_NONE;
	if (name && (*out == KEY_NONE || *out == KEY_OTHER))
		return WHY(why, CLI_USAGE, "", "--key-type: want P-256, P-384, RSA-2048, RSA-3072 or RSA-4096, have '%s'",
			name);
	return OK;
}

static void tell(const struct cli *cli, const char *dir, const struct drive_result *result)
{
	OWNED_JSON struct json *j = json_object_new();

	json_put_text(j, "dir", dir);
	json_put_int(j, "generation", result->generation);
	if (cli->json)
		cli_print_json(j);
	cli_say(cli, "Installed generation %u in %s/current: key.pem, cert.pem, chain.pem, anchors.pem.\n",
		result->generation, dir);
}

struct given {
	struct buf anchors, cert, key;
};

static void given_fini(struct given *g)
{
	buf_fini(&g->anchors);
	buf_fini(&g->cert);
	buf_fini_wipe(&g->key);
}

static enum err load_given(const struct cli *cli, struct given *g, struct why *why)
{
	const char *anchors = NULL;
	const char *cert = NULL;
	const char *key = NULL;

	*g = (struct given){.anchors = BUF(PEM_MAX), .cert = BUF(PEM_MAX), .key = BUF(PEM_MAX)};
	TRY(want(cli, "anchors", &anchors, why));
	TRY(want(cli, "cert", &cert, why));
	TRY(want(cli, "key", &key, why));
	TRY(file_read(anchors, &g->anchors, why));
	TRY(file_read(cert, &g->cert, why));
	return file_read_secret(key, &g->key, why);
}

static enum err drive(const struct cli *cli, const struct drive_ask *ask, struct why *why)
{
	struct drive_result result = {0};

	TRY(drive_agent(cli, ask, &result, why));
	tell(cli, ask->dir, &result);
	return OK;
}

static enum err run_enrol(struct cli *cli, struct why *why)
{
	__attribute__((cleanup(given_fini))) struct given given = {0};
	OWNED_LOCK int lock = -1;
	struct drive_ask ask = {.goal = AGENT_ENROL, .dir = dir_of(cli), .connect = cli_value(cli, "connect"),
		.no_wait = cli_flag(cli, "no-wait"), .tls12_only = cli_flag(cli, "tls12")};

	TRY(want(cli, "mef", &ask.mef_uri, why));
	TRY(key_option(cli, &ask.key_wish, why));
	TRY(load_given(cli, &given, why));
	ask.anchors_pem = buf_span(&given.anchors);
	ask.cert_pem = buf_span(&given.cert);
	ask.key_pem = buf_span(&given.key);
	TRY(generation_dir(ask.dir, why));
	TRY(generation_lock(ask.dir, &lock, why));
	cli_say(cli, "Enrolling with %s\n", ask.mef_uri);
	return drive(cli, &ask, why);
}

static const struct cli_option enrol_options[] = {
	{"mef", "URI", "estBaseURI: https://FQDN[:PORT][/.well-known/est/LABEL]."},
	{"cert", "FILE", "Certificate that the device has: the factory's, then its intermediates, PEM."},
	{"key", "FILE", "Its private key, PEM, readable by the owner only."},
	{"anchors", "FILE", "Trust anchors for the MEF's certificate, PEM; no others are trusted."},
	{"out", "DIR", "Where to keep the credentials (same as --dir; default ./enrolee)."},
	{"key-type", "KIND", "New key where the MEF has no wish: P-256 (default), P-384, RSA-2048, RSA-3072, RSA-4096."},
	{"connect", "HOST:PORT", "Connect there instead of to the URI's host; its certificate must still name the host."},
	{"no-wait", NULL, "Do not sleep when the MEF says \"later\": keep the key and exit 1."},
	{"tls12", NULL, "Use TLS 1.2 only."},
	{NULL, NULL, NULL},
};

static const struct command command_enrol = {"enrol", "", 0, 0, "Get the first certificate from a MEF (EST).",
	"Fetches trust anchors and CSR attributes, makes a key, asks for a certificate, checks all of it, and installs it by one rename. Run again after a failure it goes on with the same key.",
	enrol_options, run_enrol};

struct held {
	struct buf anchors, cert, chain, key, mef, leaf;
	struct cert view;
};

static void held_fini(struct held *h)
{
	buf_fini(&h->anchors);
	buf_fini(&h->cert);
	buf_fini(&h->chain);
	buf_fini_wipe(&h->key);
	buf_fini(&h->mef);
	buf_fini(&h->leaf);
}
#define OWNED_HELD __attribute__((cleanup(held_fini)))

static enum err load_held(const char *dir, struct held *h, struct why *why)
{
	*h = (struct held){.anchors = BUF(PEM_MAX), .cert = BUF(PEM_MAX), .chain = BUF(PEM_MAX), .key = BUF(PEM_MAX),
		.mef = BUF(4096), .leaf = BUF(CERT_DER_MAX)};
	TRY(generation_read(dir, GENERATION_ANCHORS, &h->anchors, why));
	TRY(generation_read(dir, GENERATION_CERT, &h->cert, why));
	TRY(generation_read(dir, GENERATION_CHAIN, &h->chain, why));
	TRY(generation_read(dir, GENERATION_KEY, &h->key, why));
	TRY(generation_read(dir, GENERATION_MEF, &h->mef, why));
	TRY(cert_first_pem(buf_span(&h->cert), &h->leaf, why));
	return cert_parse(buf_span(&h->leaf), &h->view, why);
}

/* Two thirds of the lifetime: time for many tries before the end. */
static int64_t renew_from(const struct cert *c)
{
	return c->not_before_s + (c->not_after_s - c->not_before_s) / 3 * 2;
}

static enum err renew_held(struct cli *cli, struct held *h, struct why *why)
{
	const char *mef = cli_value(cli, "mef");
	struct drive_ask ask = {.goal = AGENT_RENEW, .dir = dir_of(cli), .connect = cli_value(cli, "connect"),
		.reuse_key = cli_flag(cli, "reuse-key"), .no_wait = cli_flag(cli, "no-wait"),
		.tls12_only = cli_flag(cli, "tls12")};

	TRY(key_option(cli, &ask.key_wish, why));
	if (ask.key_wish == KEY_NONE && key_spec_of_spki(h->view.spki) != KEY_OTHER)
		ask.key_wish = key_spec_of_spki(h->view.spki);
	buf_put_span(&h->cert, buf_span(&h->chain));
	ask.mef_uri = mef ? mef : buf_text(&h->mef);
	ask.anchors_pem = buf_span(&h->anchors);
	ask.cert_pem = buf_span(&h->cert);
	ask.key_pem = buf_span(&h->key);
	cli_say(cli, "Renewing with %s\n", ask.mef_uri);
	return drive(cli, &ask, why);
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
	OWNED_HELD struct held h = {0};
	OWNED_LOCK int lock = -1;

	TRY(generation_lock(dir_of(cli), &lock, why));
	TRY(load_held(dir_of(cli), &h, why));
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
	{"mef", "URI", "Another address of the MEF."},
	{"out", "DIR", "Where the credentials are (same as --dir)."},
	{"connect", "HOST:PORT", "Connect there instead of to the URI's host."},
	{"no-wait", NULL, "Do not sleep when the MEF says \"later\"."},
	{"quiet-noop", NULL, "Exit 0 instead of 6 when renewal is not due."},
	{"tls12", NULL, "Use TLS 1.2 only."},
	{NULL, NULL, NULL},
};

static const struct command command_renew = {"renew", "", 0, 0, "Renew the certificate in force.",
	"Authenticates with the certificate in force, repeats its subject and names, and replaces it only by one that passes every check.",
	renew_options, run_renew};

static const char *state_of(const struct cert *c, int64_t now_s)
{
	if (now_s > c->not_after_s)
		return "expired";
	if (now_s < c->not_before_s)
		return "not yet valid";
	return now_s >= renew_from(c) ? "renewal due" : "good";
}

static struct json *status_json(struct held *h, int64_t now_s)
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

static enum err run_status(struct cli *cli, struct why *why)
{
	OWNED_HELD struct held h = {0};
	OWNED_BUF struct buf text = BUF(64 * 1024);
	int64_t now_s = clock_unix_s(&cli->clock);
	char due[DATE_TEXT_SIZE];

	TRY(load_held(dir_of(cli), &h, why));
	if (cli->json) {
		OWNED_JSON struct json *j = status_json(&h, now_s);
		cli_print_json(j);
	}
	date_text(renew_from(&h.view), due);
	TRY(cert_describe(buf_span(&h.leaf), &text, why));
	cli_say(cli, "State %s, renewal from %s\nMEF %s\n%s", state_of(&h.view, now_s), due, buf_text(&h.mef),
		buf_text(&text));
	return check_dates(&h.view, now_s, why);
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

static const struct command *const commands[] = {&command_enrol, &command_renew, &command_status, &command_manual, NULL};

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
	umask(077);
	return cli_main(&program, argc - 1, argv + 1, no_other);
}
