/* `openmef maf new`: the directory of a MAF under a MEF's CA. */
#include "app/openmef/maf.h"

#include "app/openmef/commands.h"
#include "app/openmef/init.h"

#include "adapt/store/sqlite.h"
#include "adapt/sys/file.h"
#include "adapt/sys/master.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/text.h"
#include "core/registry/audit.h"
#include "core/registry/enrolee.h"
#include "core/registry/form.h"
#include "pki/digest.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PEM_MAX = 1024 * 1024, CONF_TEXT_MAX = 128 * 1024, HEX_LINE_MAX = 256, HTTPS_PORT = 443, ROW_ARENA_MAX = 64 * 1024 };

#define OWNED_SECRET_BUF __attribute__((cleanup(buf_fini_wipe)))

static const char *const folders[] = {"secret", "tls", "anchors", "run"};

struct maf_making {
	const char *dir;
	struct conf mef, maf;
	char fqdn[FORM_SIZE];
	int64_t now_s;
	const struct random_source *random;
	struct secret master;
	struct authority issuer, tls;
};

static void making_end(struct maf_making *m)
{
	secret_wipe(&m->master);
	authority_fini(&m->issuer);
	authority_fini(&m->tls);
}

/* ---- the configuration */

static enum err take_https(struct maf_making *m, const char *text, struct why *why)
{
	OWNED_BUF struct buf ini = BUF(4096);
	OWNED_MEM struct conf *parsed = mem_alloc(sizeof(*parsed));
	struct why cause = {0};

	if (!text)
		return OK;
	if (!parsed)
		return WHY(why, NOMEM, "", "configuration: want %zu bytes", sizeof(*parsed));
	/* The configuration's own reader is the one that knows the form. */
	buf_put_fmt(&ini, "[serve]\nrole = maf\n[maf]\nfqdn = x\nhttps = %s\n", text);
	if (conf_parse("--https", buf_span(&ini), parsed, &cause) != OK)
		return WHY(why, CLI_USAGE, "", "--https: want ADDRESS:PORT, have '%.100s'", text);
	memcpy(m->maf.https, parsed->https, sizeof(m->maf.https));
	m->maf.https_n = parsed->https_n;
	return OK;
}

/* Where the MEF says that it is reached; its own port otherwise. */
static enum err take_mef(struct maf_making *m, const char *connect, struct why *why)
{
	struct conf_pair *p = &m->maf.mefs.items[0];
	unsigned int port = m->mef.https[0].port;
	char colon[16] = "";

	m->maf.mefs.n = 1;
	if (port && port != HTTPS_PORT)
		snprintf(colon, sizeof(colon), ":%u", port);
	snprintf(p->name, sizeof(p->name), "%s", m->mef.fqdn);
	snprintf(p->value, sizeof(p->value), "https://%.253s%s", m->mef.fqdn, colon);
	if (m->mef.public_https[0])
		snprintf(p->value, sizeof(p->value), "%s", m->mef.public_https);
	if (!connect)
		return OK;
	m->maf.connects.n = 1;
	snprintf(m->maf.connects.items[0].name, sizeof(m->maf.connects.items[0].name), "%s", m->mef.fqdn);
	if (!strchr(connect, ':') || !text_copy(m->maf.connects.items[0].value, sizeof(m->maf.connects.items[0].value), span_text(connect)))
		return WHY(why, CLI_USAGE, "", "--connect: want HOST:PORT, have '%.100s'", connect);
	return OK;
}

static enum err take_options(struct maf_making *m, const struct cli *cli, struct why *why)
{
	const char *mef_dir = cli_value(cli, "mef-dir");
	char path[CONF_PATH_MAX];
	const char *want = form_dns(span_text(cli->args[0]), m->fqdn);

	if (want)
		return WHY(why, CLI_USAGE, "", "FQDN: %s, have '%.100s'", want, cli->args[0]);
	if (!mef_dir)
		return WHY(why, CLI_USAGE, "", "want --mef-dir DIR: the MEF whose enrolees this MAF serves");
	TRY(cli_path(mef_dir, "openmef.conf", path, sizeof(path), why));
	TRY(conf_load(path, &m->mef, why));
	if (m->mef.role != CONF_ROLE_MEF)
		return WHY(why, CLI_USAGE, "", "--mef-dir: want the directory of a MEF, have a MAF's: %s", mef_dir);
	if (span_is_nocase(span_text(m->mef.fqdn), m->fqdn))
		return WHY(why, CLI_USAGE, "", "FQDN: want another one than the MEF's, whose certificate it names");
	conf_defaults_maf(&m->maf);
	text_copy(m->maf.fqdn, sizeof(m->maf.fqdn), span_text(m->fqdn));
	TRY(take_https(m, cli_value(cli, "https"), why));
	return take_mef(m, cli_value(cli, "connect"), why);
}

static enum err check_free(const char *dir, struct why *why)
{
	static const char *const kept[] = {"openmef.conf", "secret/master.key", "openmef.db"};
	char path[CONF_PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		TRY(cli_path(dir, kept[i], path, sizeof(path), why));
		if (lstat(path, &st) == 0)
			return WHY(why, INIT_EXISTS, "", "%s: there already", path);
	}
	return OK;
}

/* ---- the files */

static enum err make_folders(const struct maf_making *m, struct why *why)
{
	TRY(check_free(m->dir, why));
	if (mkdir(m->dir, 0700) != 0 && errno != EEXIST)
		return WHY(why, INIT_WRITE, "", "%s: %s", m->dir, strerror(errno));
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		TRY(making_folder(m->dir, folders[i], why));
	return OK;
}

/* TS-0003 10.1.3: an FQDN certificate is the only kind for a MAF; here it serves clients and calls MEFs. */
static enum err make_values(struct maf_making *m, struct why *why)
{
	const struct hierarchy_ask ask = {
		.fqdn = m->fqdn, .key = KEY_P256, .now_s = m->now_s, .random = m->random, .days = MAF_TLS_DAYS, .client_auth = true};

	m->master.n = MASTER_SIZE;
	TRY(random_fill(m->random, m->master.bytes, m->master.n, why));
	TRY(hierarchy_load_issuer(&m->mef, &m->issuer, why));
	return hierarchy_tls(&ask, &m->issuer, &m->tls, why);
}

static enum err write_keys(const struct maf_making *m, struct why *why)
{
	OWNED_SECRET_BUF struct buf text = BUF(HEX_LINE_MAX);
	OWNED_SECRET_BUF struct buf pem = BUF(KEY_PEM_MAX);
	OWNED_SECRET struct secret pass = {0};

	hex_write(&text, secret_span(&m->master));
	buf_put_u8(&text, '\n');
	TRY(making_put_file(m->dir, "secret/master.key", buf_span(&text), 0600, why));
	TRY(key_file_passphrase(&m->master, "mef-tls", &pass, why));
	TRY(key_write_pem(m->tls.key, secret_span(&pass), &pem, why));
	return making_put_file(m->dir, "tls/maf.key.pem", buf_span(&pem), 0600, why);
}

static enum err write_certs(const struct maf_making *m, struct why *why)
{
	OWNED_BUF struct buf chain = BUF(PEM_MAX);
	OWNED_BUF struct buf clients = BUF(PEM_MAX);
	OWNED_BUF struct buf mefs = BUF(PEM_MAX);

	TRY(cert_write_pem(buf_span(&m->tls.cert), &chain, why));
	TRY(cert_write_pem(buf_span(&m->issuer.cert), &chain, why));
	/* In a rollover clients of both CAs come, and those with either root must verify this MAF. */
	if (m->mef.ca_bridge[0])
		TRY(file_read(m->mef.ca_bridge, &chain, why));
	TRY(file_read(m->mef.ca_cert, &clients, why));
	if (m->mef.ca_other_cert[0])
		TRY(file_read(m->mef.ca_other_cert, &clients, why));
	TRY(file_read(m->mef.ca_chain[0] ? m->mef.ca_chain : m->mef.ca_cert, &mefs, why));
	if (m->mef.ca_chain[0])
		buf_put_span(&clients, buf_span(&mefs));
	TRY(buf_check(&clients, "trust anchors", why));
	TRY(making_put_file(m->dir, "tls/maf.cert.pem", buf_span(&chain), 0644, why));
	TRY(making_put_file(m->dir, "anchors/clients.pem", buf_span(&clients), 0644, why));
	return making_put_file(m->dir, "anchors/mef.pem", buf_span(&mefs), 0644, why);
}

static enum err first_event(struct store *store, void *arg, struct why *why)
{
	const struct maf_making *m = arg;
	const struct audit_event event = {.what = "maf.created", .actor = "operator", .detail = m->fqdn};

	return audit_write(store, &event, m->now_s, why);
}

static enum err make_store(struct maf_making *m, const char *path, struct why *why)
{
	OWNED_STORE struct store *store = NULL;

	TRY(store_sqlite_open(path, STORE_SQLITE_CREATE, &store, why));
	return cli_change(store, first_event, m, why);
}

static enum err write_files(struct maf_making *m, struct why *why)
{
	char path[CONF_PATH_MAX];

	TRY(write_keys(m, why));
	TRY(write_certs(m, why));
	TRY(cli_path(m->dir, "openmef.db", path, sizeof(path), why));
	TRY(make_store(m, path, why));
	return making_give(m->dir, path, why);
}

static enum err write_conf(const struct maf_making *m, struct why *why)
{
	OWNED_BUF struct buf text = BUF(CONF_TEXT_MAX);

	conf_write(&m->maf, &text);
	TRY(buf_check(&text, "configuration", why));
	return making_put_file(m->dir, "openmef.conf", buf_span(&text), 0640, why);
}

/* ---- what the MEF records */

/* As for any enrolee: a certificate of the MEF's CA counts only where it is on record (docs/decisions/0014). */
static enum err add_enrolee(struct store *store, const struct maf_making *m, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(ROW_ARENA_MAX);
	const struct enrolee row = {.id = m->fqdn, .entity_type = ENTITY_FQDN, .entity_id = m->fqdn, .state = ENROLEE_ENABLED, .label = "MAF"};
	struct enrolee had = {0};
	struct why missing = {0};
	uint8_t digest[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];

	enum err err = store->ops->enrolee_find(store->self, m->fqdn, &arena, &had, &missing);
	if (err == OK && had.entity_type == ENTITY_FQDN && strcmp(had.entity_id, m->fqdn) == 0)
		return OK; /* made before, in another directory */
	cert_sha256(&m->tls.view, digest);
	hex_text(digest, sizeof(digest), hex);
	const struct credential cert = {.kind = CREDENTIAL_CERT, .value = hex};
	return registry_add(store, &row, &cert, 1, m->now_s, why);
}

enum err maf_record_issued(struct store *store, const char *fqdn, const struct authority *tls, int64_t now_s, struct why *why)
{
	const struct cert *c = &tls->view;
	char serial[2 * STORE_SERIAL_MAX + 1];
	struct issued row = {
		.serial = c->serial,
		.enrolee_id = fqdn,
		.profile = "maf",
		.est_label = "",
		.issued_s = now_s,
		.not_before_s = c->not_before_s,
		.not_after_s = c->not_after_s,
		.der = buf_span(&tls->cert),
		.state = ISSUED_VALID,
	};

	digest_sha256(c->spki, row.spki_sha256);
	TRY(store->ops->issued_add(store->self, &row, why));
	hex_text(c->serial.p, c->serial.n <= STORE_SERIAL_MAX ? c->serial.n : STORE_SERIAL_MAX, serial);
	const struct audit_event event = {.what = "certificate.issued", .enrolee_id = fqdn, .actor = "operator", .serial = serial,
		.detail = "certificate of a MAF"};
	return audit_write(store, &event, now_s, why);
}

static enum err record(struct store *store, void *arg, struct why *why)
{
	const struct maf_making *m = arg;

	TRY(add_enrolee(store, m, why));
	return maf_record_issued(store, m->fqdn, &m->tls, m->now_s, why);
}

static enum err record_all(struct cli *cli, struct maf_making *m, struct why *why)
{
	OWNED_STORE struct store *store = NULL;

	TRY(cli_store(cli, &m->mef, &store, why));
	return cli_change(store, record, m, why);
}

/* As it stands in a URI: no number where it is the usual one, a word where the system chooses it. */
static const char *colon_port(unsigned int port, char out[16])
{
	out[0] = '\0';
	if (port == 0)
		snprintf(out, 16, ":PORT");
	else if (port != HTTPS_PORT)
		snprintf(out, 16, ":%u", port);
	return out;
}

static void tell(const struct cli *cli, const struct maf_making *m)
{
	unsigned int port = m->maf.https[0].port;
	char colon[16];
	OWNED_JSON struct json *j = json_object_new();
	char command[CONF_PATH_MAX + 64];

	json_put_text(j, "dir", m->dir);
	json_put_text(j, "fqdn", m->fqdn);
	json_put_text(j, "mef", m->mef.fqdn);
	json_put_date(j, "not_after", m->tls.view.not_after_s);
	if (cli->json)
		cli_print_json(j);
	cli_say(cli, "Made an M2M Authentication Function for %s in %s\n\n", m->fqdn, m->dir);
	cli_say(cli, "  Its MEF              %s  (where it is the enrolee %s)\n", m->maf.mefs.items[0].value, m->fqdn);
	cli_say(cli, "  Configuration        %s/openmef.conf\n", m->dir);
	cli_say(cli, "  Master key           %s/secret/master.key  (back it up; without it no key can be read)\n", m->dir);
	cli_say(cli, "\nNext, in the MEF's directory: name it in the preferences of its enrolees (`openmef prefs set`, or `enrolee add --maf`):\n");
	cli_say(cli, "  {\"mafs\": [{\"fqdn\": \"%s\", \"uri\": \"https://%s%s\", \"credential\": \"symmetricKey\", \"usages\": [32]}]}\n", m->fqdn,
		m->fqdn, colon_port(port, colon));
	if (port == 0)
		cli_say(cli, "  (PORT: what %s/run/ports.json tells while it serves)\n", m->dir);
	cli_say(cli, "  %s\n", cli_command(cli, "serve", command, sizeof(command)));
}

static enum err run_new(struct cli *cli, struct why *why)
{
	__attribute__((cleanup(making_end))) struct maf_making m = {0};

	umask(077);
	if (!cli->dir)
		cli->dir = "maf";
	m.dir = cli->dir;
	m.now_s = clock_unix_s(&cli->clock);
	m.random = &cli->random;
	TRY(take_options(&m, cli, why));
	TRY(make_folders(&m, why));
	TRY(make_values(&m, why));
	TRY(write_files(&m, why));
	TRY(record_all(cli, &m, why));
	TRY(write_conf(&m, why));
	cli_poke(&m.mef);
	tell(cli, &m);
	return OK;
}

static const struct cli_option new_options[] = {
	{"mef-dir", "DIR", "Directory of the MEF whose enrolees this MAF serves; its CA makes the MAF's certificate."},
	{"https", "ADDRESS:PORT", "Where to listen for clients (default 0.0.0.0:8444)."},
	{"connect", "HOST:PORT", "Where to connect for the MEF instead of its public address."},
	{NULL, NULL, NULL},
};

const struct command command_maf_new = {"maf new", "FQDN", 1, 1, "Make the directory of an M2M Authentication Function.",
	"Makes DIR (default ./maf): a certificate of the MEF's CA for FQDN, good for 397 days, its key, a master key, trust anchors, an empty database and a commented configuration with role = maf. In the MEF's directory the MAF becomes an enrolee, so that its certificate may fetch keys. A directory that holds an OpenMEF is never touched. `openmef serve --dir DIR` runs it.",
	new_options, run_new};
