#include "app/enrolee/bootstrap.h"

#include "adapt/sys/file.h"
#include "adapt/sys/generation.h"
#include "agent/bootstrap.h"
#include "base/hex.h"
#include "wire/call.h"

#include <unistd.h>

#define EXPLICIT "anchors.pem: explicit trust anchors (RFC 7030 3.6.1); they alone authenticate the MEF.\nFirst of them: "

static enum err fetch_anchors(const struct cli *cli, const char *mef_uri, const struct fetch_config *config,
	const uint8_t *root_sha256, struct buf *out, struct why *why)
{
	OWNED_BUF struct buf url = BUF(2 * CALL_PATH_MAX);
	OWNED_FETCH struct fetch *fetch = NULL;
	OWNED_REPLY struct fetch_reply reply = {0};

	TRY(agent_base_write(mef_uri, &url, why));
	buf_put_text(&url, "/cacerts");
	TRY(buf_check(&url, "URL", why));
	cli_say(cli, "  fetching the first trust anchors\n");
	TRY(fetch_new(config, &fetch, why));
	TRY(fetch_call(fetch, CALL_GET, buf_text(&url), NULL, "application/pkcs7-mime", (struct span){0}, &reply, why));
	if (reply.status != 200)
		return WHY(why, AGENT_REPLY, "RFC 7030 4.1.3", "cacerts: want status 200, have %u", reply.status);
	return agent_bootstrap(span_text(reply.media_type), buf_span(&reply.body), root_sha256, out, why);
}

/* Where systems keep what their administrators trust. */
static const char *system_file(void)
{
	static const char *const files[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (access(files[i], R_OK) == 0)
			return files[i];
	}
	return NULL;
}

static struct fetch_config config_of(const struct cli *cli)
{
	return (struct fetch_config){.clock = cli->clock, .connect = cli_value(cli, "connect"), .tls12_only = cli_flag(cli, "tls12")};
}

/* RFC 7030 3.6.2: the implicit database is for when there is no explicit one */
static enum err check_no_explicit(const char *dir, struct why *why)
{
	OWNED_BUF struct buf held = BUF(ENROLEE_PEM_MAX);
	struct why none = {0};

	if (generation_read(dir, GENERATION_ANCHORS, &held, &none) == ERR_NOT_FOUND)
		return OK;
	return WHY(why, AGENT_EXPLICIT, "RFC 7030 3.6.2", "--implicit-anchors: %s/current/" GENERATION_ANCHORS " is there", dir);
}

static enum err by_implicit(const struct cli *cli, const char *mef_uri, const char *dir, struct buf *out, struct buf *origin,
	struct why *why)
{
	OWNED_BUF struct buf pem = BUF(4 * ENROLEE_PEM_MAX);
	struct fetch_config config = config_of(cli);
	const char *given = cli_value(cli, "implicit-anchors");
	const char *path = strcmp(given, "system") == 0 ? system_file() : given;

	TRY(check_no_explicit(dir, why));
	if (!path)
		return WHY(why, CLI_USAGE, "", "--implicit-anchors system: want a file that this program knows of, have none; name it");
	TRY(file_read(path, &pem, why));
	config.anchors_pem = buf_span(&pem);
	buf_put_fmt(origin, EXPLICIT "cacerts of %s; its server was authenticated by the implicit anchors of %s, which count no more.\n",
		mef_uri, path);
	return fetch_anchors(cli, mef_uri, &config, NULL, out, why);
}

static enum err by_fingerprint(const struct cli *cli, const char *mef_uri, struct buf *out, struct buf *origin, struct why *why)
{
	const char *given = cli_value(cli, "root-fingerprint");
	struct fetch_config config = config_of(cli);
	struct why cause = {0};
	uint8_t digest[32];
	char hex[2 * sizeof(digest) + 1];
	size_t n = 0;

	if (hex_parse(span_text(given), digest, sizeof(digest), &n, &cause) != OK || n != sizeof(digest))
		return WHY(why, CLI_USAGE, "", "--root-fingerprint: want 64 hexadecimal digits (SHA-256), have '%.100s'", given);
	hex_text(digest, sizeof(digest), hex);
	config.provisional = true;
	buf_put_fmt(origin, EXPLICIT "cacerts of %s; a person gave its fingerprint %s (RFC 7030 4.1.1).\n", mef_uri, hex);
	return fetch_anchors(cli, mef_uri, &config, digest, out, why);
}

enum err bootstrap_given(const struct cli *cli, const char *mef_uri, const char *dir, struct enrolee_given *g,
	struct buf *origin_out, struct why *why)
{
	const char *file = cli_value(cli, "anchors");
	int ways = (file != NULL) + cli_flag(cli, "implicit-anchors") + cli_flag(cli, "root-fingerprint");

	if (!cli_flag(cli, "cert") && !cli_flag(cli, "key"))
		return WHY(why, CLI_USAGE, "", "enrolee %s: want --cert and --key, or --psk, or --srp-user and --srp-password", cli->command->path);
	TRY(enrolee_given_pair(cli, g, why));
	if (ways > 1)
		return WHY(why, CLI_USAGE, "", "want one of --anchors, --implicit-anchors and --root-fingerprint, have %d", ways);
	if (cli_flag(cli, "implicit-anchors"))
		TRY(by_implicit(cli, mef_uri, dir, &g->anchors, origin_out, why));
	else if (cli_flag(cli, "root-fingerprint"))
		TRY(by_fingerprint(cli, mef_uri, &g->anchors, origin_out, why));
	else if (!file)
		return WHY(why, CLI_USAGE, "RFC 7030 3.6", "enrolee %s: want one of --anchors, --implicit-anchors and --root-fingerprint", cli->command->path);
	if (file) {
		TRY(file_read(file, &g->anchors, why));
		buf_put_fmt(origin_out, EXPLICIT "%s, given to enrolee enrol.\n", file);
	}
	return buf_check(origin_out, "origin of the anchors", why);
}
