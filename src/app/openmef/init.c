#include "app/openmef/commands.h"
#include "app/openmef/hierarchy.h"

#include "adapt/store/sqlite.h"
#include "adapt/sys/file.h"
#include "adapt/sys/master.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/text.h"
#include "core/registry/audit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PEM_MAX = 64 * 1024, CONF_TEXT_MAX = 128 * 1024 };

struct making {
	struct cli *cli;
	struct conf conf;
	struct hierarchy_ask ask;
	struct secret master;
	struct authority root, issuing, tls;
};

static void making_fini(struct making *m)
{
	secret_wipe(&m->master);
	authority_fini(&m->root);
	authority_fini(&m->issuing);
	authority_fini(&m->tls);
}

static enum err make_dir(const char *dir, const char *name, struct why *why)
{
	char path[CONF_PATH_MAX];

	TRY(cli_path(dir, name, path, sizeof(path), why));
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return WHY(why, SYSTEM, "", "mkdir %s: %s", path, strerror(errno));
	return OK;
}

static enum err put_file(const struct making *m, const char *name, struct span content, mode_t mode, struct why *why)
{
	char path[CONF_PATH_MAX];

	TRY(cli_path(m->cli->dir, name, path, sizeof(path), why));
	return file_write(path, content, mode, why);
}

static enum err put_cert(const struct making *m, const char *name, const struct authority *a,
	const struct authority *chain, struct why *why)
{
	OWNED_BUF struct buf pem = BUF(PEM_MAX);

	TRY(cert_write_pem(buf_span(&a->cert), &pem, why));
	if (chain)
		TRY(cert_write_pem(buf_span(&chain->cert), &pem, why));
	return put_file(m, name, buf_span(&pem), 0644, why);
}

/* label NULL: the passphrase is given (the root's own, kept beside it in offline/). */
static enum err put_key(const struct making *m, const char *name, const struct key *key, const char *label,
	struct span passphrase, struct why *why)
{
	__attribute__((cleanup(buf_fini_wipe))) struct buf pem = BUF(PEM_MAX);
	OWNED_SECRET struct secret derived = {0};

	if (label) {
		TRY(key_file_passphrase(&m->master, label, &derived, why));
		passphrase = secret_span(&derived);
	}
	TRY(key_write_pem(key, passphrase, &pem, why));
	return put_file(m, name, buf_span(&pem), 0600, why);
}

/* 64 hex digits and a newline; wiped by the caller. */
static enum err fresh_hex(const struct making *m, struct secret *raw, struct buf *text, struct why *why)
{
	raw->n = MASTER_SIZE;
	TRY(random_fill(&m->cli->random, raw->bytes, raw->n, why));
	hex_write(text, secret_span(raw));
	buf_put_u8(text, '\n');
	return buf_check(text, "key text", why);
}

static enum err make_master(struct making *m, struct why *why)
{
	__attribute__((cleanup(buf_fini_wipe))) struct buf text = BUF(256);

	TRY(fresh_hex(m, &m->master, &text, why));
	return put_file(m, "secret/master.key", buf_span(&text), 0600, why);
}

static enum err make_root(struct making *m, struct why *why)
{
	__attribute__((cleanup(buf_fini_wipe))) struct buf text = BUF(256);
	OWNED_SECRET struct secret pass = {0};

	TRY(hierarchy_ca(&m->ask, NULL, &m->root, why));
	TRY(fresh_hex(m, &pass, &text, why));
	TRY(put_file(m, "offline/root.pass", buf_span(&text), 0600, why));
	TRY(put_key(m, "offline/root.key.pem", m->root.key, NULL, span_first(buf_span(&text), text.n - 1), why));
	return put_cert(m, "ca/root.cert.pem", &m->root, NULL, why);
}

static enum err make_authorities(struct making *m, struct why *why)
{
	TRY(make_root(m, why));
	TRY(hierarchy_ca(&m->ask, &m->root, &m->issuing, why));
	TRY(put_key(m, "ca/issuing.key.pem", m->issuing.key, "ca-issuing", (struct span){0}, why));
	TRY(put_cert(m, "ca/issuing.cert.pem", &m->issuing, NULL, why));
	TRY(hierarchy_tls(&m->ask, &m->issuing, &m->tls, why));
	TRY(put_key(m, "ca/mef-tls.key.pem", m->tls.key, "mef-tls", (struct span){0}, why));
	return put_cert(m, "ca/mef-tls.cert.pem", &m->tls, &m->issuing, why);
}

static enum err first_event(struct store *store, void *arg, struct why *why)
{
	const struct making *m = arg;
	uint8_t digest[32];
	char hex[65];

	cert_sha256(&m->root.view, digest);
	hex_text(digest, sizeof(digest), hex);
	struct audit_event event = {.what = "mef.created", .actor = "operator", .detail = hex};
	return audit_write(store, &event, m->ask.now_s, why);
}

static enum err make_store(struct making *m, struct why *why)
{
	OWNED_STORE struct store *store = NULL;
	char path[CONF_PATH_MAX];

	TRY(cli_path(m->cli->dir, "openmef.db", path, sizeof(path), why));
	TRY(store_sqlite_open(path, STORE_SQLITE_CREATE, &store, why));
	return cli_change(store, first_event, m, why);
}

static enum err make_conf(struct making *m, struct why *why)
{
	OWNED_BUF struct buf text = BUF(CONF_TEXT_MAX);

	conf_write(&m->conf, &text);
	TRY(buf_check(&text, "configuration", why));
	/* Last of all: a directory with this file is whole. */
	return put_file(m, "openmef.conf", buf_span(&text), 0640, why);
}

static enum err make_place(struct making *m, struct why *why)
{
	static const char *const dirs[] = {"secret", "ca", "offline", "anchors", "run"};

	if (mkdir(m->cli->dir, 0700) != 0 && errno != EEXIST)
		return WHY(why, SYSTEM, "", "mkdir %s: %s", m->cli->dir, strerror(errno));
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		TRY(make_dir(m->cli->dir, dirs[i], why));
	return put_file(m, "anchors/devices.pem", (struct span){0}, 0644, why);
}

static enum err set_listen(struct conf *c, const char *name, const char *text, struct why *why)
{
	/* The configuration's own reader is the one that knows the form. */
	OWNED_BUF struct buf ini = BUF(4096);
	struct conf *parsed = mem_alloc(sizeof(*parsed));
	struct why cause = {0};

	buf_put_fmt(&ini, "[mef]\nfqdn = x\n%s = %s\n[profile device]\n[label default]\n", name, text);
	enum err err = parsed ? conf_parse("--listen", buf_span(&ini), parsed, &cause) : ERR_NOMEM;
	if (err == OK && strcmp(name, "https") == 0) {
		memcpy(c->https, parsed->https, sizeof(c->https));
		c->https_n = parsed->https_n;
	} else if (err == OK) {
		memcpy(c->http, parsed->http, sizeof(c->http));
		c->http_n = parsed->http_n;
	}
	mem_free(parsed);
	if (err != OK)
		return WHY(why, CLI_USAGE, "", "--%s: %s", name, cause.text);
	return OK;
}

static enum err take_options(struct making *m, struct why *why)
{
	struct cli *cli = m->cli;
	const char *preset = cli_value(cli, "profile") ? cli_value(cli, "profile") : "iot";
	const char *key = cli_value(cli, "key");
	const char *fqdn = cli_value(cli, "fqdn");
	const char *public_http = cli_value(cli, "public-http");

	conf_defaults(&m->conf);
	TRY(conf_preset(&m->conf, preset, why));
	if (!fqdn && gethostname(m->conf.fqdn, sizeof(m->conf.fqdn) - 1) != 0)
		return WHY(why, CLI_USAGE, "", "want --fqdn NAME: this host does not know its own");
	if (fqdn && !text_copy(m->conf.fqdn, sizeof(m->conf.fqdn), span_text(fqdn)))
		return WHY(why, CLI_USAGE, "", "--fqdn: want at most %zu characters", sizeof(m->conf.fqdn) - 1);
	if (!text_is_name(span_text(m->conf.fqdn), ".-"))
		return WHY(why, CLI_USAGE, "", "--fqdn: want a domain name, have '%s'", m->conf.fqdn);
	if (public_http && !text_copy(m->conf.public_http, sizeof(m->conf.public_http), span_text(public_http)))
		return WHY(why, CLI_USAGE, "", "--public-http: want at most %zu characters",
			sizeof(m->conf.public_http) - 1);
	if (cli_value(cli, "https"))
		TRY(set_listen(&m->conf, "https", cli_value(cli, "https"), why));
	if (cli_value(cli, "http"))
		TRY(set_listen(&m->conf, "http", cli_value(cli, "http"), why));
	m->ask.key = key ? key_spec_parse(span_text(key)) : KEY_P256;
	if (m->ask.key == KEY_NONE || m->ask.key == KEY_OTHER || m->ask.key == KEY_RSA2048)
		return WHY(why, CLI_USAGE, "", "--key: want P-256, P-384, RSA-3072 or RSA-4096, have '%s'", key);
	return OK;
}

static void tell(const struct making *m)
{
	uint8_t digest[32];
	char hex[65];
	OWNED_JSON struct json *j = json_object_new();
	const struct cli *cli = m->cli;

	cert_sha256(&m->root.view, digest);
	hex_text(digest, sizeof(digest), hex);
	json_put_text(j, "dir", cli->dir);
	json_put_text(j, "fqdn", m->conf.fqdn);
	json_put_text(j, "root_sha256", hex);
	json_put_text(j, "est", "/.well-known/est/onem2m");
	if (cli->json)
		cli_print_json(j);
	cli_say(cli, "Made an M2M Enrolment Function for %s in %s\n\n", m->conf.fqdn, cli->dir);
	cli_say(cli, "  Root fingerprint (SHA-256)\n    %s\n", hex);
	cli_say(cli, "  Configuration        %s/openmef.conf\n", cli->dir);
	cli_say(cli, "  Root CA key          %s/offline/  (move this folder to a place without network)\n", cli->dir);
	cli_say(cli, "  Master key           %s/secret/master.key  (back it up; without it no key can be read)\n",
		cli->dir);
	cli_say(cli, "  Device trust anchors %s/anchors/devices.pem  (append your device makers' CAs)\n\n", cli->dir);
	cli_say(cli, "Next: openmef serve --dir %s\n", cli->dir);
}

static enum err make_all(struct making *m, struct why *why)
{
	const char *const *list = NULL;

	m->ask.fqdn = m->conf.fqdn;
	m->ask.now_s = clock_unix_s(&m->cli->clock);
	m->ask.random = &m->cli->random;
	m->ask.permit_n = cli_values(m->cli, "permit", &m->ask.permit);
	m->ask.alt_n = cli_values(m->cli, "alt", &list);
	m->ask.alt = list;
	for (size_t i = 0; i < m->ask.permit_n && i < PROFILE_SUFFIXES_MAX; i++) {
		struct profile *p = &m->conf.profiles.items[0];
		if (text_copy(p->suffixes[i], sizeof(p->suffixes[i]), span_text(m->ask.permit[i])))
			p->suffixes_n = i + 1;
	}
	TRY(make_place(m, why));
	TRY(make_master(m, why));
	TRY(make_authorities(m, why));
	TRY(make_store(m, why));
	return make_conf(m, why);
}

static enum err run_init(struct cli *cli, struct why *why)
{
	__attribute__((cleanup(making_fini))) struct making m = {.cli = cli};
	char conf_path[CONF_PATH_MAX];

	umask(077);
	if (!cli->dir)
		cli->dir = getenv("OPENMEF_DIR") ? getenv("OPENMEF_DIR") : "openmef";
	TRY(cli_path(cli->dir, "openmef.conf", conf_path, sizeof(conf_path), why));
	if (access(conf_path, F_OK) == 0)
		return WHY(why, INIT_EXISTS, "", "%s: there already", conf_path);
	TRY(take_options(&m, why));
	TRY(make_all(&m, why));
	tell(&m);
	return OK;
}

static const struct cli_option init_options[] = {
	{"fqdn", "NAME", "Domain name of this MEF (default: the host's name)."},
	{"profile", "iot|it", "iot: P-256, 90 days (default); it: also RSA and P-384, 397 days."},
	{"key", "KIND", "Keys of the CAs and the server: P-256 (default), P-384, RSA-3072, RSA-4096."},
	{"https", "ADDRESS:PORT", "Where to listen for EST (default 0.0.0.0:8443)."},
	{"http", "ADDRESS:PORT", "Where to serve CRLs (default 0.0.0.0:8080)."},
	{"public-http", "URI", "Base of CRL and CA addresses written into certificates: http://mef.example.com:8080."},
	{"permit", "SUFFIX", "Domain the issuing CA is confined to (name constraints); may be repeated."},
	{"alt", "NAME", "Further DNS name of the server certificate; may be repeated."},
	{NULL, NULL, NULL},
};

const struct command command_init = {"init", "", 0, 0,
	"Make the CA hierarchy, keys, database and configuration.",
	"Makes DIR (default ./openmef): a root CA whose key can be taken offline, an issuing CA, the TLS server certificate, an empty database and a commented configuration. Private keys are encrypted under keys derived from secret/master.key.",
	init_options, run_init};
