#include "app/openmef/init.h"
#include "app/openmef/commands.h"

#include "base/hex.h"
#include "base/mem.h"
#include "base/text.h"
#include "core/registry/form.h"
#include "wire/uri.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONSTRAINTS_MAX = 8192 };

/* Values of the command line that became constraints of the issuing CA. */
struct names {
	char fqdn[FORM_SIZE];
	char alt[CLI_REPEAT_MAX][FORM_SIZE];
	const char *alt_list[CLI_REPEAT_MAX];
	const char *permit[2 * CLI_REPEAT_MAX + 1];
};

static enum err set_listen(struct conf *c, const char *name, const char *text, struct why *why)
{
	/* The configuration's own reader is the one that knows the form. */
	OWNED_BUF struct buf ini = BUF(4096);
	OWNED_MEM struct conf *parsed = mem_alloc(sizeof(*parsed));
	struct why cause = {0};

	if (!parsed)
		return WHY(why, NOMEM, "", "configuration: want %zu bytes", sizeof(*parsed));
	buf_put_fmt(&ini, "[mef]\nfqdn = x\n%s = %s\n[profile device]\n[label default]\n", name, text);
	if (conf_parse("--listen", buf_span(&ini), parsed, &cause) != OK)
		return WHY(why, CLI_USAGE, "", "--%s: want ADDRESS:PORT, have '%s'", name, text);
	if (strcmp(name, "https") == 0) {
		memcpy(c->https, parsed->https, sizeof(c->https));
		c->https_n = parsed->https_n;
	} else {
		memcpy(c->http, parsed->http, sizeof(c->http));
		c->http_n = parsed->http_n;
	}
	return OK;
}

static enum err take_listeners(struct making *m, const struct cli *cli, struct why *why)
{
	if (cli_value(cli, "https"))
		TRY(set_listen(&m->conf, "https", cli_value(cli, "https"), why));
	if (cli_value(cli, "http"))
		TRY(set_listen(&m->conf, "http", cli_value(cli, "http"), why));
	return OK;
}

static enum err take_fqdn(struct making *m, const struct cli *cli, struct names *names, struct why *why)
{
	const char *given = cli_value(cli, "fqdn");
	char host[256] = "";

	if (!given && gethostname(host, sizeof(host) - 1) != 0)
		return WHY(why, CLI_USAGE, "", "want --fqdn NAME: this host does not know its own");
	const char *want = form_dns(span_text(given ? given : host), names->fqdn);
	if (want)
		return WHY(why, CLI_USAGE, "", "--fqdn: %s, have '%.100s'%s", want, given ? given : host,
			given ? "" : ", this host's name");
	if (!text_copy(m->conf.fqdn, sizeof(m->conf.fqdn), span_text(names->fqdn)))
		return WHY(why, BUG, "", "fqdn of %zu octets", strlen(names->fqdn));
	m->ask.fqdn = m->conf.fqdn;
	return OK;
}

static enum err take_alt(struct making *m, const struct cli *cli, struct names *names, struct why *why)
{
	const char *const *given = NULL;

	m->ask.alt_n = cli_values(cli, "alt", &given);
	m->ask.alt = names->alt_list;
	if (m->ask.alt_n > SAN_MAX - 1)
		return WHY(why, CLI_USAGE, "", "--alt: want at most %d names", SAN_MAX - 1);
	for (size_t i = 0; i < m->ask.alt_n; i++) {
		const char *want = form_dns(span_text(given[i]), names->alt[i]);
		if (want)
			return WHY(why, CLI_USAGE, "", "--alt: %s, have '%.100s'", want, given[i]);
		names->alt_list[i] = names->alt[i];
	}
	return OK;
}

static bool is_under(const char *name, const char *suffix)
{
	size_t n = strlen(name);
	size_t k = strlen(suffix);

	return n >= k && span_equal_nocase(span_text(name + n - k), span_text(suffix)) && (n == k || name[n - k - 1] == '.');
}

/* A CA that is confined must still be able to name its own server. */
static void permit_also(struct making *m, struct names *names, const char *name)
{
	for (size_t i = 0; i < m->ask.permit_n; i++) {
		if (is_under(name, names->permit[i]))
			return;
	}
	names->permit[m->ask.permit_n++] = name;
}

static enum err take_permit(struct making *m, const struct cli *cli, struct names *names, struct why *why)
{
	OWNED_BUF struct buf probe = BUF(CONSTRAINTS_MAX);
	struct profile *p = &m->conf.profiles.items[0];
	struct why cause = {0};
	const char *const *given = NULL;
	size_t n = cli_values(cli, "permit", &given);

	if (n > PROFILE_SUFFIXES_MAX)
		return WHY(why, CLI_USAGE, "", "--permit: want at most %d domains", PROFILE_SUFFIXES_MAX);
	for (size_t i = 0; i < n; i++) {
		if (!text_copy(p->suffixes[i], sizeof(p->suffixes[i]), span_text(given[i])))
			return WHY(why, CLI_USAGE, "", "--permit: want a domain such as example.com, have '%.60s...'", given[i]);
		names->permit[i] = p->suffixes[i];
	}
	p->suffixes_n = n;
	m->ask.permit = names->permit;
	m->ask.permit_n = n;
	if (n == 0)
		return OK;
	permit_also(m, names, m->ask.fqdn);
	for (size_t i = 0; i < m->ask.alt_n; i++)
		permit_also(m, names, m->ask.alt[i]);
	if (name_constraints_write(m->ask.permit, m->ask.permit_n, &probe, &cause) != OK)
		return WHY(why, CLI_USAGE, "", "--permit: want domains such as example.com (or urn:...): %s", cause.text);
	return OK;
}

/* Devices find the CRL under the server's own name unless the operator knows better. */
static enum err take_public_http(struct making *m, const struct cli *cli, struct why *why)
{
	const char *given = cli_value(cli, "public-http");
	struct conf *c = &m->conf;
	struct why cause = {0};
	struct uri uri = {0};

	if (!given && c->http_n && c->http[0].port) {
		char port[8] = "";
		if (c->http[0].port != 80)
			snprintf(port, sizeof(port), ":%u", (unsigned int)c->http[0].port);
		if (snprintf(c->public_http, sizeof(c->public_http), "http://%s%s", c->fqdn, port) < (int)sizeof(c->public_http))
			return OK;
		c->public_http[0] = '\0'; /* a name of 253 octets: certificates go without */
	}
	if (!given || !given[0])
		return OK;
	/* RFC 5280 8: a CRL behind TLS could need itself to be fetched */
	if (uri_parse(span_text(given), &uri, &cause) != OK || !span_is(uri.scheme, "http") || uri.query.n
		|| (uri.path.n && uri.path.p[uri.path.n - 1] == '/') || !text_copy(c->public_http, sizeof(c->public_http), span_text(given)))
		return WHY(why, CLI_USAGE, "", "--public-http: want http://HOST[:PORT][/PATH] without a final '/', have '%.100s'",
			given);
	return OK;
}

static enum err take_key(struct making *m, const struct cli *cli, struct why *why)
{
	const char *key = cli_value(cli, "key");

	m->ask.key = key ? key_spec_parse(span_text(key)) : KEY_P256;
	if (m->ask.key == KEY_NONE || m->ask.key == KEY_OTHER || m->ask.key == KEY_RSA2048)
		return WHY(why, CLI_USAGE, "", "--key: want P-256, P-384, RSA-3072 or RSA-4096, have '%.40s'", key);
	return OK;
}

static enum err take_options(struct making *m, const struct cli *cli, struct names *names, struct why *why)
{
	const char *preset = cli_value(cli, "profile") ? cli_value(cli, "profile") : "iot";

	conf_defaults(&m->conf);
	if (strcmp(preset, "iot") != 0 && strcmp(preset, "it") != 0)
		return WHY(why, CLI_USAGE, "", "--profile: want iot or it, have '%.40s'", preset);
	TRY(conf_preset(&m->conf, preset, why));
	TRY(take_key(m, cli, why));
	TRY(take_fqdn(m, cli, names, why));
	TRY(take_alt(m, cli, names, why));
	TRY(take_permit(m, cli, names, why));
	TRY(take_listeners(m, cli, why));
	return take_public_http(m, cli, why);
}

static void tell_json(const struct cli *cli, const struct making *m, const char *hex)
{
	OWNED_JSON struct json *j = json_object_new();

	json_put_text(j, "dir", m->dir);
	json_put_text(j, "fqdn", m->conf.fqdn);
	json_put_text(j, "root_sha256", hex);
	json_put_text(j, "est", "/.well-known/est/onem2m");
	json_put_text(j, "public_http", m->conf.public_http[0] ? m->conf.public_http : NULL);
	cli_print_json(j);
}

static void tell(const struct cli *cli, const struct making *m)
{
	uint8_t digest[32];
	char hex[65];
	char next[CONF_PATH_MAX + 128];

	cert_sha256(&m->root.view, digest);
	hex_text(digest, sizeof(digest), hex);
	if (cli->json)
		tell_json(cli, m, hex);
	cli_say(cli, "Made an M2M Enrolment Function for %s in %s\n\n", m->conf.fqdn, m->dir);
	cli_say(cli, "  Root fingerprint (SHA-256)\n    %s\n", hex);
	cli_say(cli, "  Root certificate     %s/ca/root.cert.pem  (what devices trust)\n", m->dir);
	cli_say(cli, "  Configuration        %s/openmef.conf\n", m->dir);
	cli_say(cli, "  Root CA key          %s/offline/  (move this folder to a place without network)\n", m->dir);
	cli_say(cli, "  Master key           %s/secret/master.key  (back it up; without it no key can be read)\n", m->dir);
	cli_say(cli, "  Device trust anchors %s/anchors/devices.pem  (append your device makers' CAs)\n", m->dir);
	if (m->conf.public_http[0])
		cli_say(cli, "  CRL address          %s/crl/issuing.crl  (written into certificates)\n", m->conf.public_http);
	cli_say(cli, "\nNext:\n  cat MAKER-CA.pem >>%s/anchors/devices.pem\n", m->dir);
	cli_say(cli, "  %s\n", cli_command(cli, "enrolee add ID --type TYPE --entity ENTITY-ID --credential serial=NUMBER", next, sizeof(next)));
	cli_say(cli, "  %s\n", cli_command(cli, "serve", next, sizeof(next)));
}

static enum err run_init(struct cli *cli, struct why *why)
{
	__attribute__((cleanup(making_fini))) struct making m = {0};
	struct names names = {0};
	const char *env = getenv("OPENMEF_DIR");

	umask(077);
	if (!cli->dir)
		cli->dir = env && env[0] ? env : "openmef";
	m.dir = cli->dir;
	m.ask.now_s = clock_unix_s(&cli->clock);
	m.ask.random = &cli->random;
	TRY(take_options(&m, cli, &names, why));
	TRY(making_begin(m.dir, why));
	TRY(making_values(&m, why));
	TRY(making_write(&m, why));
	tell(cli, &m);
	return OK;
}

static const struct cli_option init_options[] = {
	{"fqdn", "NAME", "Domain name of this MEF, as devices reach it (default: the host's name)."},
	{"profile", "iot|it", "iot: P-256, 90 days (default); it: also RSA and P-384, 397 days."},
	{"key", "KIND", "Keys of the CAs and the server: P-256 (default), P-384, RSA-3072, RSA-4096."},
	{"https", "ADDRESS:PORT", "Where to listen for EST (default 0.0.0.0:8443)."},
	{"http", "ADDRESS:PORT", "Where to serve CRLs (default 0.0.0.0:8080)."},
	{"public-http", "URI", "Base of the CRL and CA addresses in certificates (default http://FQDN:PORT; '' for none)."},
	{"permit", "SUFFIX", "Domain that device names must be under (name constraints of the issuing CA); may be repeated."},
	{"alt", "NAME", "Further DNS name of the server certificate; may be repeated."},
	{NULL, NULL, NULL},
};

const struct command command_init = {"init", "", 0, 0,
	"Make the CA hierarchy, keys, database and configuration.",
	"Makes DIR (default ./openmef): a root CA whose key can be taken offline, an issuing CA, the TLS server certificate, an empty database and a commented configuration. Private keys are encrypted under keys derived from secret/master.key; the root's under offline/root.pass. A directory that holds an OpenMEF is never touched. After an interruption, run it again.",
	init_options, run_init};
