/* `openmef ca message`: the key that signs CMC answers and the keys that serverkeygen makes. */
#include "app/openmef/commands.h"
#include "app/openmef/hierarchy.h"

#include "adapt/sys/master.h"
#include "base/date.h"
#include "base/hex.h"

enum { PEM_MAX = 64 * 1024 };

#define OWNED_SECRET_BUF __attribute__((cleanup(buf_fini_wipe)))

static enum err write(const struct conf *conf, const struct authority *made, struct why *why)
{
	OWNED_BUF struct buf cert_pem = BUF(PEM_MAX);
	OWNED_SECRET_BUF struct buf key_pem = BUF(PEM_MAX);
	OWNED_SECRET struct secret master = {0};
	OWNED_SECRET struct secret pass = {0};

	TRY(master_load(conf->master_key, &master, why));
	TRY(key_file_passphrase(&master, HIERARCHY_MESSAGE_LABEL, &pass, why));
	TRY(key_write_pem(made->key, secret_span(&pass), &key_pem, why));
	TRY(cert_write_pem(buf_span(&made->cert), &cert_pem, why));
	TRY(cli_put_file(conf->message_key, buf_span(&key_pem), 0600, why));
	return cli_put_file(conf->message_cert, buf_span(&cert_pem), 0644, why);
}

static void tell(const struct cli *cli, const struct conf *conf, const struct authority *made)
{
	OWNED_JSON struct json *j = json_object_new();
	char command[CONF_PATH_MAX + 64];
	char until[DATE_TEXT_SIZE];
	uint8_t digest[32];
	char hex[65];

	cert_sha256(&made->view, digest);
	hex_text(digest, sizeof(digest), hex);
	date_text(made->view.not_after_s, until);
	json_put_text(j, "sha256", hex);
	json_put_date(j, "not_after", made->view.not_after_s);
	if (cli->json)
		cli_print_json(j);
	cli_say(cli, "Made a new message key, good until %s\n  %s\n", until, conf->message_cert);
	cli_say(cli, "Next: %s\n", cli_command(cli, cli_server_pid(conf) ? "reload" : "serve", command, sizeof(command)));
}

static enum err run_message(struct cli *cli, struct why *why)
{
	OWNED_AUTHORITY struct authority issuer = {0};
	OWNED_AUTHORITY struct authority made = {0};
	struct conf conf;

	TRY(cli_conf(cli, &conf, why));
	if (!conf.message_cert[0] || !conf.message_key[0])
		return WHY(why, CONF_MISSING, "", "[ca] message_cert and message_key: want the names of files");
	TRY(hierarchy_load_issuer(&conf, &issuer, why));
	struct hierarchy_ask ask = {
		.fqdn = conf.fqdn,
		.key = key_spec_of(issuer.key),
		.now_s = clock_unix_s(&cli->clock),
		.random = &cli->random,
	};
	TRY(hierarchy_message(&ask, &issuer, &made, why));
	TRY(write(&conf, &made, why));
	tell(cli, &conf, &made);
	return OK;
}

static const struct cli_option message_options[] = {{NULL, NULL, NULL}};

const struct command command_ca_message = {"ca message", "", 0, 0, "Make a new message key and its certificate.",
	"The key signs CMC answers (fullcmc) and the keys that serverkeygen makes; labels that offer either need it. `openmef init` makes one. The running server goes on with the old one until `openmef reload`. Where the master key is a systemd credential, this command needs it too: run it under systemd-run with the LoadCredentialEncrypted= of the service.",
	message_options, run_message};
