/* `openmef issuer`: what this MEF holds of upstream CAs. */
#include "app/openmef/commands.h"
#include "app/openmef/place.h"

#include "adapt/sys/file.h"
#include "adapt/sys/master.h"
#include "pki/key.h"

#define OWNED_SECRET_BUF __attribute__((cleanup(buf_fini_wipe)))

static enum err find(const struct conf *conf, const char *name, const struct conf_issuer **out, struct why *why)
{
	*out = conf_issuer_find(conf, name);
	if (!*out)
		return WHY(why, CLI_USAGE, "", "NAME: want that of a section [issuer NAME] of openmef.conf, have '%.60s'", name);
	if ((*out)->kind != ISSUER_EST)
		return WHY(why, CLI_USAGE, "", "[issuer %s]: want kind = est: a command has no key here", name);
	return OK;
}

/* Each issuer has a passphrase of its own: a file that two name would be lost to one of them. */
static enum err check_alone(const struct conf *conf, const struct conf_issuer *issuer, struct why *why)
{
	for (size_t i = 0; i < conf->issuers.n; i++) {
		const struct conf_issuer *other = &conf->issuers.items[i];
		if (other != issuer && strcmp(other->key, issuer->key) == 0)
			return WHY(why, CLI_USAGE, "", "[issuer %s]: want a key file of its own, have that of [issuer %s]: give it a copy",
				issuer->name, other->name);
	}
	return OK;
}

/* What is encrypted under this master key already is read and written once more. */
static enum err seal(const struct conf *conf, const struct conf_issuer *issuer, struct why *why)
{
	OWNED_SECRET_BUF struct buf plain = BUF(KEY_PEM_MAX);
	OWNED_SECRET_BUF struct buf sealed = BUF(KEY_PEM_MAX);
	OWNED_SECRET struct secret master = {0};
	OWNED_SECRET struct secret pass = {0};
	OWNED_KEY struct key *key = NULL;
	char label[CONF_ISSUER_LABEL_SIZE];

	conf_issuer_key_label(issuer, label);
	TRY(master_load(conf->master_key, &master, why));
	TRY(key_file_passphrase(&master, label, &pass, why));
	TRY(file_read_secret(issuer->key, &plain, why));
	TRY(why_within(key_parse_pem(buf_span(&plain), secret_span(&pass), &key, why), issuer->key, why));
	TRY(key_write_pem(key, secret_span(&pass), &sealed, why));
	return cli_put_file(issuer->key, buf_span(&sealed), 0600, why);
}

static enum err run_seal(struct cli *cli, struct why *why)
{
	OWNED_JSON struct json *j = json_object_new();
	const struct conf_issuer *issuer = NULL;
	struct conf conf;

	TRY(cli_conf(cli, &conf, why));
	TRY(find(&conf, cli->args[0], &issuer, why));
	TRY(check_alone(&conf, issuer, why));
	TRY(seal(&conf, issuer, why));
	json_put_text(j, "issuer", issuer->name);
	json_put_text(j, "key", issuer->key);
	if (cli->json)
		cli_print_json(j);
	cli_say(cli, "Encrypted the key of issuer %s under the master key:\n  %s\n", issuer->name, issuer->key);
	return OK;
}

const struct command command_issuer_seal = {"issuer seal", "NAME", 1, 1, "Encrypt this MEF's key towards an upstream CA.",
	"Replaces the plain PEM file that [issuer NAME] key names by the same key encrypted under the master key, as all other keys "
	"of the directory are. A running server goes on. Other copies of the plain file are yours to erase.\n"
	"\n"
	"  openmef issuer seal example-ca",
	NULL, run_seal};
