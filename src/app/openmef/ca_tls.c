/* `openmef ca tls`: a new server certificate under the issuing CA. */
#include "app/openmef/commands.h"
#include "app/openmef/hierarchy.h"

#include "adapt/sys/file.h"
#include "adapt/sys/master.h"
#include "base/date.h"
#include "base/hex.h"
#include "core/registry/form.h"
#include "pki/chain.h"

#include <stdio.h>

enum { PEM_MAX = 256 * 1024, NAMES_ARENA_MAX = 64 * 1024 };

#define OWNED_SECRET_BUF __attribute__((cleanup(buf_fini_wipe)))

static enum err add_name(struct further *f, struct span name, struct why *why)
{
	if (f->n == SAN_MAX - 1)
		return WHY(why, CLI_USAGE, "", "--alt: want at most %d names", SAN_MAX - 1);
	const char *want = form_dns(name, f->names[f->n]);
	if (want)
		return WHY(why, CLI_USAGE, "", "--alt: %s, have '%.*s'", want, SPAN_FMT(span_first(name, 100)));
	f->list[f->n] = f->names[f->n];
	f->n++;
	return OK;
}

/* Without --alt the names stay those of the certificate in force. */
enum err hierarchy_names_in_force(const struct conf *conf, struct further *f, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(NAMES_ARENA_MAX);
	OWNED_BUF struct buf pem = BUF(PEM_MAX);
	OWNED_BUF struct buf der = BUF(CERT_DER_MAX);
	struct san_list sans = {0};
	struct cert cert = {0};

	TRY(file_read(conf->tls_cert, &pem, why));
	TRY(cert_first_pem(buf_span(&pem), &der, why));
	TRY(cert_parse(buf_span(&der), &cert, why));
	if (cert.san.n)
		TRY(san_parse(cert.san, &arena, &sans, why));
	for (size_t i = 0; i < sans.n; i++) {
		if (sans.items[i].kind == SAN_DNS && !span_equal_nocase(sans.items[i].value, span_text(conf->fqdn)))
			TRY(add_name(f, sans.items[i].value, why));
	}
	return OK;
}

static enum err gather(const struct cli *cli, const struct conf *conf, struct further *f, struct why *why)
{
	const char *const *given = NULL;
	size_t n = cli_values(cli, "alt", &given);
	struct why unreadable = {0};

	for (size_t i = 0; i < n; i++)
		TRY(add_name(f, span_text(given[i]), why));
	/* An old certificate that cannot be read is a reason for a new one, not against it. */
	if (n == 0 && hierarchy_names_in_force(conf, f, &unreadable) != OK)
		f->n = 0;
	return OK;
}

enum err hierarchy_load_issuer(const struct conf *conf, struct authority *out, struct why *why)
{
	OWNED_BUF struct buf cert_pem = BUF(PEM_MAX);
	OWNED_SECRET_BUF struct buf key_pem = BUF(PEM_MAX);
	OWNED_SECRET struct secret master = {0};
	OWNED_SECRET struct secret pass = {0};

	*out = (struct authority){.cert = BUF(CERT_DER_MAX)};
	TRY(master_load(conf->master_key, &master, why));
	TRY(key_file_passphrase(&master, "ca-issuing", &pass, why));
	TRY(file_read(conf->ca_cert, &cert_pem, why));
	TRY(file_read_secret(conf->ca_key, &key_pem, why));
	TRY(key_parse_pem(buf_span(&key_pem), secret_span(&pass), &out->key, why));
	TRY(cert_first_pem(buf_span(&cert_pem), &out->cert, why));
	return cert_parse(buf_span(&out->cert), &out->view, why);
}

/* What devices would refuse is not put in force: an expired CA, a name outside its constraints. */
static enum err check(const struct conf *conf, const struct authority *tls, const struct authority *issuer, int64_t now_s,
	struct why *why)
{
	OWNED_ANCHORS struct anchors *anchors = NULL;
	OWNED_BUF struct buf pem = BUF(PEM_MAX);
	struct span intermediate = buf_span(&issuer->cert);
	uint8_t anchor[32];

	if (conf->ca_chain[0])
		TRY(file_read(conf->ca_chain, &pem, why));
	else
		TRY(cert_write_pem(intermediate, &pem, why));
	TRY(anchors_parse_pem(buf_span(&pem), &anchors, why));
	return chain_check(anchors, buf_span(&tls->cert), &intermediate, 1, CHAIN_SERVER, now_s, anchor, why);
}

static enum err write(const struct conf *conf, const struct authority *tls, const struct authority *issuer, struct why *why)
{
	OWNED_BUF struct buf cert_pem = BUF(PEM_MAX);
	OWNED_SECRET_BUF struct buf key_pem = BUF(PEM_MAX);
	OWNED_SECRET struct secret master = {0};
	OWNED_SECRET struct secret pass = {0};

	TRY(master_load(conf->master_key, &master, why));
	TRY(key_file_passphrase(&master, "mef-tls", &pass, why));
	TRY(key_write_pem(tls->key, secret_span(&pass), &key_pem, why));
	TRY(cert_write_pem(buf_span(&tls->cert), &cert_pem, why));
	TRY(cert_write_pem(buf_span(&issuer->cert), &cert_pem, why));
	/* Two files cannot change in one step: a server that starts in between says that they differ. */
	TRY(cli_put_file(conf->tls_key, buf_span(&key_pem), 0600, why));
	return cli_put_file(conf->tls_cert, buf_span(&cert_pem), 0644, why);
}

static void tell(const struct cli *cli, const struct conf *conf, const struct authority *tls, const struct further *f)
{
	OWNED_JSON struct json *j = json_object_new();
	struct json *names = json_list_new();
	char command[CONF_PATH_MAX + 64];
	char until[DATE_TEXT_SIZE];
	uint8_t digest[32];
	char hex[65];

	cert_sha256(&tls->view, digest);
	hex_text(digest, sizeof(digest), hex);
	date_text(tls->view.not_after_s, until);
	json_add_text(names, conf->fqdn);
	for (size_t i = 0; i < f->n; i++)
		json_add_text(names, f->list[i]);
	json_put(j, "names", names);
	json_put_text(j, "sha256", hex);
	json_put_date(j, "not_after", tls->view.not_after_s);
	if (cli->json)
		cli_print_json(j);
	cli_say(cli, "Made a new server certificate, good until %s, for\n  %s\n", until, conf->fqdn);
	for (size_t i = 0; i < f->n; i++)
		cli_say(cli, "  %s\n", f->list[i]);
	cli_say(cli, "Next: %s\n", cli_command(cli, cli_server_pid(conf) ? "reload" : "serve", command, sizeof(command)));
}

static enum err run_tls(struct cli *cli, struct why *why)
{
	OWNED_AUTHORITY struct authority issuer = {0};
	OWNED_AUTHORITY struct authority tls = {0};
	struct further further = {0};
	struct conf conf;

	TRY(cli_conf(cli, &conf, why));
	TRY(gather(cli, &conf, &further, why));
	TRY(hierarchy_load_issuer(&conf, &issuer, why));
	struct hierarchy_ask ask = {
		.fqdn = conf.fqdn,
		.key = key_spec_of(issuer.key),
		.now_s = clock_unix_s(&cli->clock),
		.random = &cli->random,
		.alt = further.list,
		.alt_n = further.n,
	};
	TRY(hierarchy_tls(&ask, &issuer, &tls, why));
	TRY(check(&conf, &tls, &issuer, ask.now_s, why));
	TRY(write(&conf, &tls, &issuer, why));
	tell(cli, &conf, &tls, &further);
	return OK;
}

static const struct cli_option tls_options[] = {
	{"alt", "NAME", "Further DNS name; may be repeated. Without it the further names stay as they are."},
	{NULL, NULL, NULL},
};

const struct command command_ca_tls = {"ca tls", "", 0, 0, "Make a new TLS key and server certificate.",
	"For the fqdn of the configuration. The running server goes on with the old one until `openmef reload`. Where the master key is a systemd credential, this command needs it too: run it under systemd-run with the LoadCredentialEncrypted= of the service.",
	tls_options, run_tls};
