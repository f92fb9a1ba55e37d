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

static enum err run_enrol(struct cli *cli, struct why *why)
{
	OWNED_BUF struct buf anchors = BUF(PEM_MAX);
	OWNED_BUF struct buf cert = BUF(PEM_MAX);
	OWNED_SECRET_BUF struct buf key = BUF(PEM_MAX);
	struct drive_ask ask = {.goal = AGENT_ENROL, .dir = dir_of(cli), .connect = cli_value(cli, "connect"),
		.no_wait = cli_flag(cli, "no-wait"), .tls12_only = cli_flag(cli, "tls12")};
	struct drive_result result = {0};
	const char *paths[3];

	TRY(want(cli, "mef", &ask.mef_uri, why));
	TRY(want(cli, "anchors", &paths[0], why));
	TRY(want(cli, "cert", &paths[1], why));
	TRY(want(cli, "key", &paths[2], why));
	TRY(key_option(cli, &ask.key_wish, why));
	TRY(file_read(paths[0], &anchors, why));
	TRY(file_read(paths[1], &cert, why));
	TRY(file_read_secret(paths[2], &key, why));
	ask.anchors_pem = buf_span(&anchors);
	ask.cert_pem = buf_span(&cert);
	ask.key_pem = buf_span(&key);
	cli_say(cli, "Enrolling with %s\n", ask.mef_uri);
	enum err err = drive_agent(cli, &ask, &result, why);
	if (err == OK)
		tell(cli, ask.dir, &result);
	buf_fini(&result.cert_pem);
	return err;
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

static enum err first_cert(void *arg, struct span der, struct why *why)
{
	struct buf *out = arg;

	if (out->n == 0)
		buf_put_span(out, der);
	return buf_check(out, "certificate", why);
}

static enum err load_held(const char *dir, struct held *h, struct why *why)
{
	*h = (struct held){.anchors = BUF(PEM_MAX), .cert = BUF(PEM_MAX), .chain = BUF(PEM_MAX), .key = BUF(PEM_MAX),
		.mef = BUF(4096), .leaf = BUF(CERT_DER_MAX)};
	TRY(generation_read(dir, GENERATION_ANCHORS, &h->anchors, why));
	TRY(generation_read(dir, GENERATION_CERT, &h->cert, why));
	TRY(generation_read(dir, GENERATION_CHAIN, &h->chain, why));
	TRY(generation_read(dir, GENERATION_KEY, &h->key, why));
	TRY(generation_read(dir, GENERATION_MEF, &h->mef, why));
	TRY(cert_each_pem(buf_span(&h->cert), first_cert, &h->leaf, why));
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
		.tls12_only = cli_flag(cli, "tls12"), .key_wish = KEY_NONE};
	struct drive_result result = {0};

	TRY(key_option(cli, &ask.key_wish, why));
	if (ask.key_wish == KEY_NONE)
		ask.key_wish = key_spec_of_spki(h->view.spki);
	buf_put_span(&h->cert, buf_span(&h->chain));
	ask.mef_uri = mef ? mef : buf_text(&h->mef);
	ask.anchors_pem = buf_span(&h->anchors);
	ask.cert_pem = buf_span(&h->cert);
	ask.key_pem = buf_span(&h->key);
	cli_say(cli, "Renewing with %s\n", ask.mef_uri);
	enum err err = drive_agent(cli, &ask, &result, why);
	if (err == OK)
		tell(cli, ask.dir, &result);
	buf_fini(&result.cert_pem);
	return err;
}

static enum err run_renew(struct cli *cli, struct why *why)
{
	OWNED_HELD struct held h;
	char when[DATE_TEXT_SIZE];

	TRY(load_held(dir_of(cli), &h, why));
	int64_t due_s = renew_from(&h.view);
	if (!cli_flag(cli, "force") && clock_unix_s(&cli->clock) < due_s) {
		date_text(due_s, when);
		cli_say(cli, "Nothing to do: renewal is due from %s (--force renews now).\n", when);
		cli->exit_nothing = !cli_flag(cli, "quiet-noop");
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

static enum err run_status(struct cli *cli, struct why *why)
{
	OWNED_HELD struct held h;
	OWNED_BUF struct buf text = BUF(64 * 1024);
	OWNED_JSON struct json *j = json_object_new();
	char due[DATE_TEXT_SIZE];
	char serial[2 * 20 + 1];

	TRY(load_held(dir_of(cli), &h, why));
	int64_t now_s = clock_unix_s(&cli->clock);
	const char *state = now_s > h.view.not_after_s ? "expired"
		: now_s < h.view.not_before_s	       ? "not yet valid"
		: now_s >= renew_from(&h.view)	       ? "renewal due"
						       : "good";
	date_text(renew_from(&h.view), due);
	hex_text(h.view.serial.p, h.view.serial.n, serial);
	json_put_text(j, "state", state);
	json_put_text(j, "serial", serial);
	json_put_date(j, "not_before", h.view.not_before_s);
	json_put_date(j, "not_after", h.view.not_after_s);
	json_put_date(j, "renew_from", renew_from(&h.view));
	json_put_text(j, "mef", buf_text(&h.mef));
	if (cli->json)
		cli_print_json(j);
	TRY(cert_describe(buf_span(&h.leaf), &text, why));
	cli_say(cli, "State %s, renewal from %s\nMEF %s\n%s", state, due, buf_text(&h.mef), buf_text(&text));
	if (now_s > h.view.not_after_s || now_s < h.view.not_before_s)
		return WHY(why, CERT_DATES, "RFC 5280 4.1.2.5", "the certificate in force is %s by this device's clock", state);
	return OK;
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
