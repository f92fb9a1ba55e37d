/* The new CA of a rollover: keys, certificates, files. */
#include "app/openmef/init.h"
#include "app/openmef/rollover.h"

#include "adapt/sys/erase.h"
#include "adapt/sys/file.h"
#include "adapt/sys/master.h"
#include "base/hex.h"
#include "base/text.h"
#include "pki/chain.h"
#include "pki/oid.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWNED_SECRET_BUF __attribute__((cleanup(buf_fini_wipe)))

enum { TAG_SIZE = 4, HEX_LINE_MAX = 256, CONF_TEXT_MAX = 1024 * 1024 };

struct new_ca {
	struct authority old_root; /* with its key */
	struct buf old_chain;
	struct authority old_issuing; /* without key */
	struct authority root, issuing;
	struct authority old_with_new, new_with_old;
	struct secret root_pass;
	char name[ISSUER_NAME_MAX];
	char tag[2 * TAG_SIZE + 1];
};

static void new_ca_fini(struct new_ca *n)
{
	authority_fini(&n->old_root);
	authority_fini(&n->old_issuing);
	authority_fini(&n->root);
	authority_fini(&n->issuing);
	authority_fini(&n->old_with_new);
	authority_fini(&n->new_with_old);
	buf_fini(&n->old_chain);
	secret_wipe(&n->root_pass);
}

/* The last self-signed certificate of the chain. */
static enum err keep_root(void *arg, struct span der, struct why *why)
{
	struct authority *root = arg;
	bool self = false;

	TRY(chain_self_signed(der, &self, why));
	if (!self)
		return OK;
	buf_clear(&root->cert);
	buf_put_span(&root->cert, der);
	return buf_check(&root->cert, "root certificate", why);
}

static enum err load_certs(const struct rollover *r, struct new_ca *n, struct why *why)
{
	OWNED_BUF struct buf pem = BUF(ROLLOVER_PEM_MAX);
	const struct conf *conf = r->conf;

	if (!conf->ca_chain[0])
		return WHY(why, ROLLOVER_ROOT, "", "[ca] chain: want the root in it, it is empty");
	TRY(file_read(conf->ca_cert, &pem, why));
	TRY(why_within(cert_first_pem(buf_span(&pem), &n->old_issuing.cert, why), conf->ca_cert, why));
	TRY(cert_parse(buf_span(&n->old_issuing.cert), &n->old_issuing.view, why));
	TRY(file_read(conf->ca_chain, &n->old_chain, why));
	TRY(why_within(cert_each_pem(buf_span(&n->old_chain), keep_root, &n->old_root, why), conf->ca_chain, why));
	if (n->old_root.cert.n == 0)
		return WHY(why, ROLLOVER_ROOT, "", "%s: want a self-signed root in it, have none", conf->ca_chain);
	return cert_parse(buf_span(&n->old_root.cert), &n->old_root.view, why);
}

/* Where init, or the rollover that made the CA in force, put it. */
static enum err root_key_path(const struct rollover *r, const char *file, char out[CONF_PATH_MAX], struct why *why)
{
	char name[CONF_PATH_MAX];
	char first[CONF_PATH_MAX];

	snprintf(first, sizeof(first), "offline/%s/%s", r->conf->ca_name, file);
	TRY(cli_path(r->conf->dir, first, out, CONF_PATH_MAX, why));
	if (access(out, F_OK) == 0)
		return OK;
	snprintf(name, sizeof(name), "offline/%s", file);
	return cli_path(r->conf->dir, name, out, CONF_PATH_MAX, why);
}

static enum err root_paths(const struct rollover *r, char key[CONF_PATH_MAX], char pass[CONF_PATH_MAX], struct why *why)
{
	const char *key_file = cli_value(r->cli, "root-key");
	const char *pass_file = cli_value(r->cli, "root-pass");
	const char *slash = key_file ? strrchr(key_file, '/') : NULL;

	if (!key_file)
		TRY(root_key_path(r, "root.key.pem", key, why));
	else if (!text_copy(key, CONF_PATH_MAX, span_text(key_file)))
		return WHY(why, CLI_USAGE, "", "--root-key: want at most %d octets", CONF_PATH_MAX - 1);
	if (pass_file)
		return text_copy(pass, CONF_PATH_MAX, span_text(pass_file))
			? OK : WHY(why, CLI_USAGE, "", "--root-pass: want at most %d octets", CONF_PATH_MAX - 1);
	if (!key_file)
		return root_key_path(r, "root.pass", pass, why);
	int n = snprintf(pass, CONF_PATH_MAX, "%.*sroot.pass", slash ? (int)(slash - key_file) + 1 : 0, key_file);
	return n < CONF_PATH_MAX ? OK : WHY(why, CLI_USAGE, "", "--root-key: want at most %d octets", CONF_PATH_MAX - 16);
}

static enum err load_root_key(const struct rollover *r, struct new_ca *n, struct why *why)
{
	OWNED_SECRET_BUF struct buf pem = BUF(ROLLOVER_PEM_MAX);
	OWNED_SECRET_BUF struct buf pass = BUF(HEX_LINE_MAX);
	char key_path[CONF_PATH_MAX];
	char pass_path[CONF_PATH_MAX];
	struct why cause = {0};

	TRY(root_paths(r, key_path, pass_path, why));
	if (file_read_secret(key_path, &pem, &cause) != OK)
		return WHY(why, ROLLOVER_ROOT, "", "key of the root: %s", cause.text);
	/* a key without passphrase needs no such file */
	if (file_read_secret(pass_path, &pass, &cause) == ERR_NOT_FOUND && !cli_value(r->cli, "root-pass"))
		why_clear(&cause);
	if (cause.kind != OK)
		return WHY(why, ROLLOVER_ROOT, "", "passphrase of the root's key: %s", cause.text);
	struct span word = span_trim(span_first(buf_span(&pass), span_find(buf_span(&pass), '\n')));
	if (key_parse_pem(buf_span(&pem), word, &n->old_root.key, &cause) != OK)
		return WHY(why, ROLLOVER_ROOT, "", "%s: %s", key_path, cause.text);
	if (!key_matches_spki(n->old_root.key, n->old_root.view.spki))
		return WHY(why, ROLLOVER_ROOT, "", "%s: want the key of the root in %s, have another", key_path, r->conf->ca_chain);
	return OK;
}

static enum err key_kind(const struct rollover *r, const struct new_ca *n, enum key_spec *out, struct why *why)
{
	const char *word = cli_value(r->cli, "ca-key");

	*out = word ? key_spec_parse(span_text(word)) : key_spec_of_spki(n->old_issuing.view.spki);
	if (*out == KEY_NONE || *out == KEY_OTHER || *out == KEY_RSA2048)
		return WHY(why, CLI_USAGE, "", "--ca-key: want P-256, P-384, RSA-3072 or RSA-4096, have '%.40s'", word ? word : "another");
	return OK;
}

static enum err make_tag(const struct rollover *r, struct new_ca *n, struct why *why)
{
	uint8_t octets[TAG_SIZE];

	TRY(random_fill(&r->cli->random, octets, sizeof(octets), why));
	snprintf(n->tag, sizeof(n->tag), "%02x%02x%02x%02x", octets[0], octets[1], octets[2], octets[3]);
	snprintf(n->name, sizeof(n->name), "issuing-%s", n->tag);
	n->root_pass.n = MASTER_SIZE;
	return random_fill(&r->cli->random, n->root_pass.bytes, n->root_pass.n, why);
}

static enum err make_values(const struct rollover *r, struct new_ca *n, struct why *why)
{
	char issuing[32];
	struct hierarchy_ask ask = {
		.fqdn = r->conf->fqdn,
		.now_s = r->now_s,
		.random = &r->cli->random,
		/* RFC 4210 4.4: the CA keeps its name; only then is a certificate between the roots self-issued, which no path
		 * length counts (RFC 5280 6.1.4) */
		.subject = n->old_root.view.subject,
	};

	TRY(make_tag(r, n, why));
	TRY(key_kind(r, n, &ask.key, why));
	TRY(hierarchy_ca(&ask, NULL, &n->root, why));
	/* An issuing CA of another name: who reads its CRL cannot take it for that of the old one. */
	snprintf(issuing, sizeof(issuing), "Issuing CA %s", n->tag);
	ask.subject = (struct span){0};
	ask.issuing = issuing;
	ask.constraints = cert_extension(&n->old_issuing.view, OID_CE_NAME_CONSTRAINTS);
	TRY(hierarchy_ca(&ask, &n->root, &n->issuing, why));
	TRY(hierarchy_cross(&ask, &n->old_root, &n->root, &n->old_with_new, why));
	return hierarchy_cross(&ask, &n->root, &n->old_root, &n->new_with_old, why);
}

/* Does that issuing CA lead to that root by way of the certificate between the roots? */
static enum err check_path(const struct authority *root, const struct authority *issuing, const struct authority *cross,
	int64_t now_s, struct why *why)
{
	OWNED_ANCHORS struct anchors *anchors = NULL;
	OWNED_BUF struct buf pem = BUF(ROLLOVER_PEM_MAX);
	struct span between = buf_span(&cross->cert);
	uint8_t anchor[32];

	TRY(cert_write_pem(buf_span(&root->cert), &pem, why));
	TRY(anchors_parse_pem(buf_span(&pem), &anchors, why));
	return chain_check(anchors, buf_span(&issuing->cert), &between, 1, CHAIN_ANY, now_s, anchor, why);
}

static enum err put_cert(const char *folder, const char *name, const struct authority *a, struct why *why)
{
	OWNED_BUF struct buf pem = BUF(ROLLOVER_PEM_MAX);

	TRY(cert_write_pem(buf_span(&a->cert), &pem, why));
	return making_put_file(folder, name, buf_span(&pem), 0644, why);
}

static enum err put_key(const char *folder, const char *name, const struct key *key, struct span pass, struct why *why)
{
	OWNED_SECRET_BUF struct buf pem = BUF(ROLLOVER_PEM_MAX);

	TRY(key_write_pem(key, pass, &pem, why));
	return making_put_file(folder, name, buf_span(&pem), 0600, why);
}

/* As init does it for the first root: to open with openssl alone, elsewhere. */
static enum err write_root_key(const struct rollover *r, const struct new_ca *n, struct why *why)
{
	OWNED_SECRET_BUF struct buf text = BUF(HEX_LINE_MAX);
	char folder[CONF_PATH_MAX];
	char name[CONF_PATH_MAX];

	snprintf(name, sizeof(name), "offline/%s", n->name);
	TRY(making_folder(r->conf->dir, "offline", why));
	TRY(making_folder(r->conf->dir, name, why));
	TRY(cli_path(r->conf->dir, name, folder, sizeof(folder), why));
	hex_write(&text, secret_span(&n->root_pass));
	buf_put_u8(&text, '\n');
	TRY(buf_check(&text, "passphrase", why));
	TRY(making_put_file(folder, "root.pass", buf_span(&text), 0600, why));
	return put_key(folder, "root.key.pem", n->root.key, span_first(buf_span(&text), text.n - 1), why);
}

static enum err write_before(const struct rollover *r, const char *folder, struct why *why)
{
	OWNED_BUF struct buf text = BUF(CONF_TEXT_MAX);

	TRY(file_read(r->conf_path, &text, why));
	return making_put_file(folder, ROLLOVER_BEFORE, buf_span(&text), 0640, why);
}

static enum err write_ca(const struct rollover *r, const struct new_ca *n, struct why *why)
{
	OWNED_SECRET struct secret master = {0};
	OWNED_SECRET struct secret pass = {0};
	char folder[CONF_PATH_MAX];
	char name[CONF_PATH_MAX];

	snprintf(name, sizeof(name), "ca/%s", n->name);
	TRY(making_folder(r->conf->dir, "ca", why));
	TRY(making_folder(r->conf->dir, name, why));
	TRY(cli_path(r->conf->dir, name, folder, sizeof(folder), why));
	TRY(master_load(r->conf->master_key, &master, why));
	TRY(key_file_passphrase(&master, "ca-issuing", &pass, why));
	TRY(put_key(folder, ROLLOVER_KEY, n->issuing.key, secret_span(&pass), why));
	TRY(put_cert(folder, ROLLOVER_CERT, &n->issuing, why));
	TRY(put_cert(folder, ROLLOVER_ROOT_CERT, &n->root, why));
	TRY(put_cert(folder, ROLLOVER_OLD_WITH_NEW, &n->old_with_new, why));
	TRY(put_cert(folder, ROLLOVER_NEW_WITH_OLD, &n->new_with_old, why));
	TRY(write_before(r, folder, why));
	TRY(cli_path(r->conf->dir, "ca", folder, sizeof(folder), why));
	return file_sync_dir(folder, why);
}

enum err rollover_make(const struct rollover *r, char name_out[ISSUER_NAME_MAX], struct why *why)
{
	__attribute__((cleanup(new_ca_fini))) struct new_ca n = {.old_root.cert = BUF(CERT_DER_MAX),
		.old_issuing.cert = BUF(CERT_DER_MAX), .old_chain = BUF(ROLLOVER_PEM_MAX)};

	umask(077);
	TRY(load_certs(r, &n, why));
	TRY(load_root_key(r, &n, why));
	TRY(make_values(r, &n, why));
	/* RFC 4210 4.4: each of them must lead to both CAs */
	TRY(check_path(&n.root, &n.old_issuing, &n.old_with_new, r->now_s, why));
	TRY(check_path(&n.old_root, &n.issuing, &n.new_with_old, r->now_s, why));
	/* From here on a crash leaves keys behind, which the next command finds by this. */
	TRY(making_put_file(r->conf->dir, ROLLOVER_MAKING, span_text(n.name), 0600, why));
	TRY(write_root_key(r, &n, why));
	TRY(write_ca(r, &n, why));
	memcpy(name_out, n.name, sizeof(n.name));
	return OK;
}

/* ---- removal */

static bool is_secret(const char *name)
{
	size_t n = strlen(name);

	return strcmp(name, "root.pass") == 0 || (n > 8 && strcmp(name + n - 8, ".key.pem") == 0);
}

static enum err remove_file(const char *folder, const char *name, bool secrets, struct why *why)
{
	char path[CONF_PATH_MAX];

	TRY(cli_path(folder, name, path, sizeof(path), why));
	if (is_secret(name))
		return secrets ? erase_file(path, why) : OK;
	if (!secrets && unlink(path) != 0 && errno != ENOENT)
		return WHY(why, FILE_WRITE, "", "%s: %s", path, strerror(errno));
	return OK;
}

static enum err remove_files(const char *folder, bool secrets, struct why *why)
{
	enum err err = OK;
	DIR *d = opendir(folder);

	if (!d)
		return errno == ENOENT ? OK : WHY(why, FILE_WRITE, "", "%s: %s", folder, strerror(errno));
	for (struct dirent *e = readdir(d); e && err == OK; e = readdir(d)) {
		if (e->d_name[0] != '.')
			err = remove_file(folder, e->d_name, secrets, why);
	}
	closedir(d);
	return err;
}

enum err rollover_remove(const struct conf *conf, const char *folder, const char *name, struct why *why)
{
	char offline[CONF_PATH_MAX];
	char relative[CONF_PATH_MAX];
	const char *folders[] = {folder, offline};

	snprintf(relative, sizeof(relative), "offline/%s", name);
	TRY(cli_path(conf->dir, relative, offline, sizeof(offline), why));
	/* The old root has certified the new one: these keys go first. */
	for (int secrets = 1; secrets >= 0; secrets--) {
		for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
			TRY(remove_files(folders[i], secrets != 0, why));
	}
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		rmdir(folders[i]);
	return OK;
}
