/* `openmef maf renew`: another certificate for a MAF that exists. */
#include "app/openmef/commands.h"
#include "app/openmef/maf.h"

#include "adapt/store/sqlite.h"
#include "adapt/sys/file.h"
#include "adapt/sys/master.h"
#include "base/date.h"
#include "base/hex.h"
#include "core/registry/audit.h"
#include "pki/chain.h"

#include <stdio.h>

enum { PEM_MAX = 1024 * 1024, ROW_ARENA_MAX = 64 * 1024 };

#define OWNED_SECRET_BUF __attribute__((cleanup(buf_fini_wipe)))

struct renewal {
	struct conf maf, mef;
	const char *mef_dir;
	int64_t now_s;
	struct secret master; /* the MAF's */
	struct key *key;      /* in force */
	struct authority issuer, tls;
	char serial[2 * STORE_SERIAL_MAX + 1];
};

static void renewal_end(struct renewal *r)
{
	secret_wipe(&r->master);
	key_free(r->key);
	authority_fini(&r->issuer);
	authority_fini(&r->tls);
}

static enum err load_mef(struct renewal *r, const struct cli *cli, struct why *why)
{
	char path[CONF_PATH_MAX];

	r->mef_dir = cli_value(cli, "mef-dir");
	if (!r->mef_dir)
		return WHY(why, CLI_USAGE, "", "want --mef-dir DIR: the MEF whose CA made the certificate in force");
	TRY(cli_path(r->mef_dir, "openmef.conf", path, sizeof(path), why));
	TRY(conf_load(path, &r->mef, why));
	if (r->mef.role != CONF_ROLE_MEF)
		return WHY(why, CLI_USAGE, "", "--mef-dir: want the directory of a MEF, have a MAF's: %s", r->mef_dir);
	return OK;
}

static enum err load_maf(struct renewal *r, struct cli *cli, struct why *why)
{
	OWNED_SECRET_BUF struct buf pem = BUF(PEM_MAX);
	OWNED_SECRET struct secret pass = {0};

	TRY(cli_conf(cli, &r->maf, why));
	if (r->maf.role != CONF_ROLE_MAF)
		return WHY(why, CLI_USAGE, "", "--dir: want the directory of a MAF, have a MEF's: %s (its own is renewed by `openmef ca tls`)",
			cli->dir);
	TRY(master_load(r->maf.master_key, &r->master, why));
	TRY(key_file_passphrase(&r->master, "mef-tls", &pass, why));
	TRY(file_read_secret(r->maf.tls_key, &pem, why));
	return why_within(key_parse_pem(buf_span(&pem), secret_span(&pass), &r->key, why), r->maf.tls_key, why);
}

/* A certificate helps only a MAF that the MEF still knows and lets in. */
static enum err check_enrolee(const struct renewal *r, struct store *store, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(ROW_ARENA_MAX);
	struct enrolee row = {0};
	struct why missing = {0};
	enum err err = store->ops->enrolee_find(store->self, r->maf.fqdn, &arena, &row, &missing);

	if (err != OK && err != ERR_NOT_FOUND) {
		*why = missing;
		return err;
	}
	if (err != OK || row.entity_type != ENTITY_FQDN || strcmp(row.entity_id, r->maf.fqdn) != 0)
		return WHY(why, MAF_NO_ENROLEE, "", "%s: want the enrolee %s there, have none", r->mef_dir, r->maf.fqdn);
	if (row.state != ENROLEE_ENABLED)
		return WHY(why, MAF_DISABLED, "", "%s: the enrolee %s is disabled", r->mef_dir, r->maf.fqdn);
	return OK;
}

/* Clients and MEFs would refuse another one: an expired CA, a name outside its constraints. */
static enum err check_chain(const struct renewal *r, struct why *why)
{
	OWNED_ANCHORS struct anchors *anchors = NULL;
	OWNED_BUF struct buf pem = BUF(PEM_MAX);
	struct span intermediate = buf_span(&r->issuer.cert);
	uint8_t anchor[32];

	TRY(file_read(r->maf.mef_anchors, &pem, why));
	TRY(why_within(anchors_parse_pem(buf_span(&pem), &anchors, why), r->maf.mef_anchors, why));
	TRY(chain_check(anchors, buf_span(&r->tls.cert), &intermediate, 1, CHAIN_SERVER, r->now_s, anchor, why));
	return chain_check(anchors, buf_span(&r->tls.cert), &intermediate, 1, CHAIN_CLIENT, r->now_s, anchor, why);
}

static enum err make(struct renewal *r, const struct cli *cli, struct why *why)
{
	struct hierarchy_ask ask = {.fqdn = r->maf.fqdn, .key = key_spec_of(r->key), .now_s = r->now_s, .random = &cli->random,
		.days = MAF_TLS_DAYS, .client_auth = true};

	if (!cli_flag(cli, "new-key"))
		ask.reuse = &r->key;
	TRY(hierarchy_load_issuer(&r->mef, &r->issuer, why));
	TRY(hierarchy_tls(&ask, &r->issuer, &r->tls, why));
	hex_text(r->tls.view.serial.p, r->tls.view.serial.n, r->serial);
	return check_chain(r, why);
}

static enum err record(struct store *store, void *arg, struct why *why)
{
	const struct renewal *r = arg;

	return maf_record_issued(store, r->maf.fqdn, &r->tls, r->now_s, why);
}

static enum err note(struct store *store, void *arg, struct why *why)
{
	const struct renewal *r = arg;
	const struct audit_event event = {.what = "maf.renewed", .actor = "operator", .serial = r->serial, .detail = r->maf.fqdn};

	return audit_write(store, &event, r->now_s, why);
}

static enum err install(const struct renewal *r, struct why *why)
{
	OWNED_SECRET_BUF struct buf key = BUF(KEY_PEM_MAX);
	OWNED_SECRET struct secret pass = {0};
	OWNED_BUF struct buf cert = BUF(PEM_MAX);

	TRY(key_file_passphrase(&r->master, "mef-tls", &pass, why));
	TRY(key_write_pem(r->tls.key, secret_span(&pass), &key, why));
	TRY(cert_write_pem(buf_span(&r->tls.cert), &cert, why));
	TRY(cert_write_pem(buf_span(&r->issuer.cert), &cert, why));
	if (r->mef.ca_bridge[0]) /* a CA rollover: clients with either root must verify this MAF */
		TRY(file_read(r->mef.ca_bridge, &cert, why));
	const struct maf_pair pair = {.key_pem = buf_span(&key), .cert_pem = buf_span(&cert), .name = r->serial};
	return maf_pair_install(&r->maf, &pair, why);
}

/* On record first: a MEF takes only certificates that are. */
static enum err put_in_force(struct renewal *r, struct cli *cli, struct why *why)
{
	OWNED_STORE struct store *mef = NULL;
	OWNED_STORE struct store *maf = NULL;

	TRY(cli_store(cli, &r->mef, &mef, why));
	TRY(cli_store(cli, &r->maf, &maf, why));
	TRY(check_enrolee(r, mef, why));
	TRY(make(r, cli, why));
	TRY(cli_change(mef, record, r, why));
	TRY(install(r, why));
	cli_poke(&r->mef);
	return cli_change(maf, note, r, why);
}

static void tell(const struct cli *cli, const struct renewal *r)
{
	OWNED_JSON struct json *j = json_object_new();
	char command[CONF_PATH_MAX + 64];
	char until[DATE_TEXT_SIZE];

	date_text(r->tls.view.not_after_s, until);
	json_put_text(j, "fqdn", r->maf.fqdn);
	json_put_text(j, "serial", r->serial);
	json_put_bool(j, "new_key", cli_flag(cli, "new-key"));
	json_put_date(j, "not_after", r->tls.view.not_after_s);
	if (cli->json)
		cli_print_json(j);
	cli_say(cli, "Made a new certificate for %s, serial number %s, good until %s%s\n", r->maf.fqdn, r->serial, until,
		cli_flag(cli, "new-key") ? ", with a new key" : "");
	cli_say(cli, "Next: %s\n", cli_command(cli, cli_server_pid(&r->maf) ? "reload" : "serve", command, sizeof(command)));
}

static enum err run_renew(struct cli *cli, struct why *why)
{
	__attribute__((cleanup(renewal_end))) struct renewal r = {.now_s = clock_unix_s(&cli->clock)};

	TRY(load_mef(&r, cli, why));
	TRY(load_maf(&r, cli, why));
	TRY(put_in_force(&r, cli, why));
	tell(cli, &r);
	return OK;
}

static const struct cli_option renew_options[] = {
	{"mef-dir", "DIR", "Directory of the MEF whose CA made the certificate in force."},
	{"new-key", NULL, "Make a new key too."},
	{NULL, NULL, NULL},
};

const struct command command_maf_renew = {"maf renew", "", 0, 0, "Make a new certificate for a MAF that exists.",
	"Another certificate of the MEF's CA for the MAF's FQDN, good for 397 days, recorded in the MEF's store. Key and certificate change in one step. The running MAF goes on with the old ones until `openmef reload`; the old certificate counts until it ends or `openmef cert revoke` ends it in the MEF's directory.",
	renew_options, run_renew};
