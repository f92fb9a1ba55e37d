/* `openmef key srp`: users of TLS-SRP. */
#include "app/openmef/commands.h"
#include "app/openmef/psk.h"

#include "base/date.h"
#include "base/text.h"
#include "core/keys/srp.h"

#include <stdio.h>

#define OWNED_SECRET_BUF __attribute__((cleanup(buf_fini_wipe)))

struct adding {
	struct vault vault;
	struct symkey plan;
	struct span password;
};

static enum err do_add(struct store *store, void *arg, struct why *why)
{
	const struct adding *a = arg;

	return srp_register(&a->vault, &a->plan, a->password, why);
}

/* A line's end is an editor's, no part of a password. */
static struct span line_of(struct span text)
{
	while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
		text.n--;
	return text;
}

static enum err take_expiry(const struct cli *cli, int64_t now_s, int64_t *out, struct why *why)
{
	const char *text = cli_value(cli, "expires");
	struct why cause = {0};
	int64_t seconds = 0;

	if (text && (text_duration(span_text(text), "expires", &seconds, &cause) != OK || seconds <= 0))
		return WHY(why, CLI_USAGE, "", "--expires: want a duration such as 90d, have '%.20s'", text);
	*out = text ? now_s + seconds : 0;
	return OK;
}

static void tell_added(const struct cli *cli, const struct symkey *k, bool offered)
{
	OWNED_JSON struct json *j = json_object_new();

	json_put_text(j, "id", k->id);
	json_put_text(j, "kind", "srp");
	json_put_text(j, "enrolee", k->owner);
	json_put_date(j, "expires", k->expires_s);
	if (cli->json)
		cli_print_json(j);
	cli_say(cli, "Added SRP user %s of %s.\n", k->id, k->owner);
	if (!offered)
		cli_say(cli, "No client can use it yet: openmef.conf says [mef] srp = no.\n");
}

static enum err run_srp(struct cli *cli, struct why *why)
{
	OWNED_STORE struct store *store = NULL;
	OWNED_SECRET struct secret seal = {0};
	OWNED_SECRET_BUF struct buf password = BUF(2 * SRP_PASSWORD_MAX);
	struct conf conf;
	int64_t now_s = clock_unix_s(&cli->clock);
	struct adding a = {.plan = {.kind = SYMKEY_SRP, .id = cli_value(cli, "user"), .owner = cli->args[0],
				   .created_s = now_s, .info = ""}};

	if (!a.plan.id || !cli_value(cli, "from"))
		return WHY(why, CLI_USAGE, "", "want --user USER and --from FILE");
	TRY(take_expiry(cli, now_s, &a.plan.expires_s, why));
	TRY(cli_conf(cli, &conf, why));
	TRY(psk_read_text(cli_value(cli, "from"), &password, why));
	a.password = line_of(buf_span(&password));
	TRY(cli_store(cli, &conf, &store, why));
	TRY(cli_vault(cli, &conf, store, &seal, &a.vault, why));
	TRY(cli_change(store, do_add, &a, why));
	tell_added(cli, &a.plan, conf.srp);
	return OK;
}

static const struct cli_option options[] = {
	{"user", "USER", "Name that the device shows: letters, digits and . _ - @."},
	{"from", "FILE|-", "Read the password, 12 to 256 octets, from a file that only its owner can read, or from standard input."},
	{"expires", "DURATION", "It ends after 90d, 12h, ...; else it does not end."},
	{NULL, NULL, NULL},
};

const struct command command_key_srp = {"key srp", "ENROLEE", 1, 1, "Give an enrolee a user and password for TLS-SRP (RFC 5054).",
	"The password itself is not kept, only its verifier. It is for devices that enrol by EST and have neither certificate nor "
	"pre-shared key; [mef] srp must say yes. For another password: `openmef key remove USER --kind srp`, then this again.\n"
	"\n"
	"  openmef key srp pump-17 --user pump-17 --from pump-17.password\n"
	"  pwgen 24 1 | tee /dev/tty | openmef key srp pump-17 --user pump-17 --from -",
	options, run_srp};
