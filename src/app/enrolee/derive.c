#include "app/enrolee/enrolee.h"

#include "base/hex.h"
#include "base/mem.h"
#include "pki/digest.h"
#include "proto/m2m/derive.h"

struct derived {
	struct secret key;
	char id[M2M_KEYID_SIZE]; /* KeId, where it is known */
	unsigned int suid;       /* 0: the key has no use of its own */
};

static void derived_wipe(struct derived *d)
{
	mem_wipe(d, sizeof(*d));
}

static enum err take_ke(const struct cli *cli, struct derived *d, struct secret *ke, struct why *why)
{
	OWNED_AGENT_KEYS struct agent_keys k = {0};
	const char *file = cli_value(cli, "ke-file");

	if (file)
		return store_read_key(file, M2M_KEY_SIZE, M2M_KEY_SIZE, d->id, ke, why);
	agent_keys_init(&k);
	TRY(store_keys(enrolee_dir(cli), false, clock_unix_s(&cli->clock), &k, why));
	memcpy(d->id, k.keid, sizeof(d->id));
	*ke = k.ke;
	return OK;
}

static enum err derive_km(const struct cli *cli, struct derived *d, struct why *why)
{
	OWNED_SECRET struct secret ke = {0};
	const char *maf = NULL;

	TRY(enrolee_want(cli, "maf-id", &maf, why));
	TRY(take_ke(cli, d, &ke, why));
	d->suid = SUID_RSPF_MAF;
	return m2m_derive_km(&ke, span_text(maf), &d->key, why);
}

static enum err derive_kpsa(const struct cli *cli, struct derived *d, struct why *why)
{
	OWNED_SECRET struct secret ke = {0};
	const char *b = NULL;

	TRY(enrolee_want(cli, "enrolee-b", &b, why));
	TRY(take_ke(cli, d, &ke, why));
	d->suid = SUID_RSPF_SAEF;
	return m2m_derive_kpsa(&ke, span_text(b), &d->key, why);
}

static enum err derive_usage(const struct cli *cli, struct derived *d, struct why *why)
{
	OWNED_SECRET struct secret ke = {0};
	const char *target = NULL;

	TRY(enrolee_suid_option(cli, &d->suid, why));
	TRY(enrolee_want(cli, "target", &target, why));
	TRY(take_ke(cli, d, &ke, why));
	return m2m_derive_constrained(&ke, d->suid, span_text(target), &d->key, why);
}

/* TS-0003 10.3.1: the 48 octets of a TLS exporter */
static enum err derive_split(const struct cli *cli, struct derived *d, struct why *why)
{
	OWNED_SECRET struct secret exported = {0};
	uint8_t relative[M2M_RELATIVE_SIZE];
	const char *file = NULL;
	const char *fqdn = NULL;

	TRY(enrolee_want(cli, "exporter-file", &file, why));
	TRY(enrolee_want(cli, "fqdn", &fqdn, why));
	TRY(store_read_key(file, M2M_EXPORT_SIZE, M2M_EXPORT_SIZE, d->id, &exported, why));
	TRY(m2m_split_export(secret_span(&exported), relative, &d->key, why));
	return m2m_keyid_write(relative, span_text(fqdn), d->id, why);
}

struct derivation {
	const char *name;
	const char *key;    /* what comes out */
	const char *clause;
	enum err (*run)(const struct cli *cli, struct derived *d, struct why *why);
};

static const struct derivation derivations[] = {
	{"km", "Km", "TS-0003 10.3.2", derive_km},
	{"kpsa", "Kpsa", "TS-0003 10.3.3", derive_kpsa},
	{"usage", "Usage-constrained key", "TS-0003 10.3.7", derive_usage},
	{"split", "Ke", "TS-0003 10.3.1", derive_split},
};

static const struct derivation *find(const char *name)
{
	for (size_t i = 0; i < sizeof(derivations) / sizeof(derivations[0]); i++) {
		if (strcmp(derivations[i].name, name) == 0)
			return &derivations[i];
	}
	return NULL;
}

static enum err put_credential(const struct derived *d, struct json *j, char out[M2M_CREDENTIAL_ID_SIZE], struct why *why)
{
	out[0] = '\0';
	if (d->suid && d->id[0])
		TRY(m2m_credential_id_write(d->suid, span_text(d->id), out, why));
	if (out[0])
		json_put_text(j, "credential_id", out);
	return OK;
}

/* The key itself only where it was asked for; else what two people may compare over the telephone. */
static enum err tell(const struct cli *cli, const struct derivation *how, const struct derived *d, struct why *why)
{
	OWNED_JSON struct json *j = json_object_new();
	char hex[2 * SECRET_MAX + 1];
	char print[2 * SHA256_SIZE + 1];
	char credential[M2M_CREDENTIAL_ID_SIZE];
	uint8_t digest[SHA256_SIZE];
	bool shown = cli_flag(cli, "show-secrets");

	digest_sha256(secret_span(&d->key), digest);
	hex_text(digest, sizeof(digest), print);
	hex_text(d->key.bytes, d->key.n, hex);
	json_put_text(j, "derivation", how->name);
	json_put_text(j, "clause", how->clause);
	json_put_text(j, "keid", d->id[0] ? d->id : NULL);
	json_put_text(j, "sha256", print);
	enum err err = put_credential(d, j, credential, why);
	if (shown)
		json_put_text(j, "key", hex);
	if (err == OK && cli->json)
		cli_print_json(j);
	cli_say(cli, "%s (%s)%s%s\n%s %s\n", how->key, how->clause, d->id[0] ? ", KeId " : "", d->id,
		shown ? "Key" : "SHA-256 of the key", shown ? hex : print);
	if (err == OK && credential[0])
		cli_say(cli, "Credential-ID %s\n", credential);
	mem_wipe(hex, sizeof(hex));
	return err;
}

static enum err run_derive(struct cli *cli, struct why *why)
{
	__attribute__((cleanup(derived_wipe))) struct derived d = {0};
	const struct derivation *how = find(cli->args[0]);
	const char *to = cli_value(cli, "to");

	if (!how)
		return WHY(why, CLI_USAGE, "", "derive: want km, kpsa, usage or split, have '%s'", cli->args[0]);
	TRY(how->run(cli, &d, why));
	if (to)
		TRY(store_write_key(to, &d.key, why));
	return tell(cli, how, &d, why);
}

static const struct cli_option derive_options[] = {
	{"ke-file", "FILE", "Ke: hexadecimal digits, or KEID:DIGITS; - is standard input. Default: that of --out."},
	{"out", "DIR", "Where the credentials are (same as --dir)."},
	{"maf-id", "FQDN", "km: the MAF."},
	{"enrolee-b", "ID", "kpsa: CSE-ID or AE-ID of the other side, as it is configured."},
	{"suid", "N", "usage: security usage identifier, as 22, or maf, saef, esprim, esdata, esdata-sign."},
	{"target", "ID", "usage: the Enrolment Target: MAF-FQDN, or CSE-ID or AE-ID in FQDN form."},
	{"exporter-file", "FILE", "split: 48 octets of the TLS exporter as hexadecimal digits; - is standard input."},
	{"fqdn", "MEF-FQDN", "split: for the KeId."},
	{"to", "FILE", "Write the key there, hexadecimal, mode 0600."},
	{"show-secrets", NULL, "Print the key; else its SHA-256."},
	{NULL, NULL, NULL},
};

const struct command command_derive = {"derive", "km|kpsa|usage|split", 1, 1, "Compute a key from the Enrolment Key.",
	"For support: km is TS-0003 10.3.2, kpsa 10.3.3, usage 10.3.7, split 10.3.1 (KeId and Ke from the exporter's octets).\n\n"
	"  enrolee derive usage --suid saef --target cse1.example.com --out pump-17\n"
	"  enrolee derive km --maf-id maf.example.com --ke-file ke.txt --show-secrets",
	derive_options, run_derive};
