#include "app/enrolee/srp.h"

#include "adapt/sys/file.h"
#include "adapt/sys/generation.h"
#include "app/enrolee/bootstrap.h"

enum err srp_check_options(const struct cli *cli, struct why *why)
{
	static const char *const others[] = {"cert", "key", "implicit-anchors", "root-fingerprint", "psk", "psk-id", "exchange", "again",
		"token-file", "target", "expiry", "no-certificate", "no-maf", "server-key-cipher", "cmc", NULL};

	if (!cli_flag(cli, "srp-user") || !cli_flag(cli, "srp-password"))
		return WHY(why, CLI_USAGE, "", "want --srp-user USER and --srp-password FILE together");
	for (size_t i = 0; others[i]; i++) {
		if (cli_flag(cli, others[i]))
			return WHY(why, CLI_USAGE, "RFC 7030 3.3.3", "--%s: not with --srp-user, which authenticates both sides and gets a certificate alone",
				others[i]);
	}
	return OK;
}

static enum err open_session(const struct cli *cli, struct fetch **out, struct why *why)
{
	OWNED_SECRET_BUF struct buf password = BUF(2 * FETCH_SRP_PASSWORD_MAX);
	struct fetch_config config = {.srp_user = cli_value(cli, "srp-user"), .clock = cli->clock,
		.connect = cli_value(cli, "connect"), .tls12_only = true};

	TRY(store_read_password(cli_value(cli, "srp-password"), &password, why));
	config.srp_password = buf_span(&password);
	return fetch_new(&config, out, why);
}

/* They stay beside those of cacerts, for a MEF whose TLS certificate comes from another CA. */
static enum err take_anchors(const struct cli *cli, const char *mef_uri, struct buf *pem, struct buf *origin, struct why *why)
{
	const char *file = cli_value(cli, "anchors");

	buf_put_fmt(origin, "anchors.pem: explicit trust anchors (RFC 7030 3.6.1); they alone authenticate the MEF.\n"
		"First of them: cacerts of %s; the password of its user %s authenticated the server (RFC 7030 3.3.3).\n", mef_uri,
		cli_value(cli, "srp-user"));
	if (!file)
		return buf_check(origin, "origin of the anchors", why);
	buf_put_fmt(origin, "Beside them: %s, given to enrolee enrol.\n", file);
	TRY(buf_check(origin, "origin of the anchors", why));
	return file_read(file, pem, why);
}

enum err srp_enrol(struct cli *cli, struct why *why)
{
	OWNED_FETCH struct fetch *fetch = NULL;
	OWNED_BUF struct buf anchors = BUF(ENROLEE_PEM_MAX);
	OWNED_BUF struct buf origin = BUF(ORIGIN_MAX);
	OWNED_LOCK int lock = -1;
	struct drive_ask ask = {.goal = AGENT_ENROL, .by_psk = true, .dir = enrolee_dir(cli), .no_wait = cli_flag(cli, "no-wait"),
		.link_session = cli_flag(cli, "link-session"), .subject = cli_value(cli, "subject"), .server_key = cli_flag(cli, "server-key")};

	TRY(enrolee_want(cli, "mef", &ask.mef_uri, why));
	TRY(enrolee_key_option(cli, &ask.key_wish, why));
	TRY(take_anchors(cli, ask.mef_uri, &anchors, &origin, why));
	TRY(open_session(cli, &fetch, why));
	ask.fetch = fetch;
	ask.anchors_pem = buf_span(&anchors);
	ask.anchors_origin = buf_text(&origin);
	TRY(generation_dir(ask.dir, why));
	TRY(generation_lock(ask.dir, &lock, why));
	cli_say(cli, "Enrolling with %s\n", ask.mef_uri);
	return enrolee_drive(cli, &ask, why);
}
