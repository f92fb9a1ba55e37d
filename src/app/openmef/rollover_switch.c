/* What is written before each stage of a rollover is put in force. */
#include "app/openmef/init.h"
#include "app/openmef/rollover.h"

#include "adapt/sys/file.h"
#include "adapt/sys/master.h"
#include "base/text.h"
#include "pki/chain.h"

#include <stdio.h>

#define OWNED_SECRET_BUF __attribute__((cleanup(buf_fini_wipe)))

enum { CONF_TEXT_MAX = 1024 * 1024 };

enum err rollover_path(const struct rollover *r, const char *name, char out[CONF_PATH_MAX], struct why *why)
{
	return cli_path(r->conf->ca_rollover, name, out, CONF_PATH_MAX, why);
}

static enum err read_named(const struct rollover *r, const char *name, struct buf *out, struct why *why)
{
	char path[CONF_PATH_MAX];

	TRY(rollover_path(r, name, path, why));
	return file_read(path, out, why);
}

static enum err load_cert(const char *path, struct authority *out, struct why *why)
{
	OWNED_BUF struct buf pem = BUF(ROLLOVER_PEM_MAX);

	*out = (struct authority){.cert = BUF(CERT_DER_MAX)};
	TRY(file_read(path, &pem, why));
	TRY(why_within(cert_first_pem(buf_span(&pem), &out->cert, why), path, why));
	return why_within(cert_parse(buf_span(&out->cert), &out->view, why), path, why);
}

static enum err load_new(const struct rollover *r, struct authority *out, struct why *why)
{
	OWNED_SECRET_BUF struct buf pem = BUF(ROLLOVER_PEM_MAX);
	OWNED_SECRET struct secret master = {0};
	OWNED_SECRET struct secret pass = {0};
	char path[CONF_PATH_MAX];

	TRY(rollover_path(r, ROLLOVER_CERT, path, why));
	TRY(load_cert(path, out, why));
	TRY(rollover_path(r, ROLLOVER_KEY, path, why));
	TRY(master_load(r->conf->master_key, &master, why));
	TRY(key_file_passphrase(&master, "ca-issuing", &pass, why));
	TRY(file_read_secret(path, &pem, why));
	TRY(why_within(key_parse_pem(buf_span(&pem), secret_span(&pass), &out->key, why), path, why));
	if (!key_matches_spki(out->key, out->view.spki))
		return WHY(why, ROLLOVER_FILES, "", "%s: want the key of %s, have another", path, ROLLOVER_CERT);
	return OK;
}

enum err rollover_check(const struct rollover *r, struct why *why)
{
	static const char *const certs[] = {ROLLOVER_ROOT_CERT, ROLLOVER_OLD_WITH_NEW, ROLLOVER_NEW_WITH_OLD};
	OWNED_AUTHORITY struct authority ca = {0};
	struct why cause = {0};
	enum err err = load_new(r, &ca, &cause);

	for (size_t i = 0; err == OK && i < sizeof(certs) / sizeof(certs[0]); i++) {
		OWNED_AUTHORITY struct authority cert = {0};
		char path[CONF_PATH_MAX];
		err = rollover_path(r, certs[i], path, &cause);
		if (err == OK)
			err = load_cert(path, &cert, &cause);
	}
	return err == OK ? OK : WHY(why, ROLLOVER_FILES, "", "%s", cause.text);
}

/* ---- lists of certificates */

/* Of an earlier rollover: what still leads from a root that devices may hold. */
struct carrying {
	struct buf *out;
	int64_t now_s;
	size_t n;
};

static enum err carry(void *arg, struct span der, struct why *why)
{
	struct carrying *c = arg;
	struct cert cert = {0};
	bool root = false;

	TRY(cert_parse(der, &cert, why));
	TRY(chain_self_signed(der, &root, why));
	if (root || cert.not_after_s < c->now_s || c->n == ROLLOVER_CARRIED_MAX)
		return OK;
	c->n++;
	return cert_write_pem(der, c->out, why);
}

static enum err put_carried(const struct rollover *r, const char *path, struct buf *out, struct why *why)
{
	OWNED_BUF struct buf pem = BUF(ROLLOVER_PEM_MAX);
	struct carrying c = {out, r->now_s, 0};

	if (!path[0])
		return OK;
	TRY(file_read(path, &pem, why));
	return why_within(cert_each_pem(buf_span(&pem), carry, &c, why), path, why);
}

/* The configuration that prepare found. */
static enum err load_before(const struct rollover *r, struct conf *out, struct why *why)
{
	OWNED_BUF struct buf text = BUF(CONF_TEXT_MAX);

	TRY(read_named(r, ROLLOVER_BEFORE, &text, why));
	return conf_parse(r->conf_path, buf_span(&text), out, why);
}

enum err rollover_before(const struct rollover *r, struct conf *out, struct why *why)
{
	struct why cause = {0};

	if (load_before(r, out, &cause) != OK)
		return WHY(why, ROLLOVER_FILES, "", "%s/%s: %s", r->conf->ca_rollover, ROLLOVER_BEFORE, cause.text);
	return OK;
}

/* names: of the folder's files, in this order; then the carried ones of `path`. */
static enum err write_list(const struct rollover *r, const char *to, const char *root_path, const char *const *names,
	const char *carried, struct why *why)
{
	OWNED_BUF struct buf pem = BUF(4 * ROLLOVER_PEM_MAX);

	if (root_path)
		TRY(file_read(root_path, &pem, why));
	for (; *names; names++)
		TRY(read_named(r, *names, &pem, why));
	TRY(put_carried(r, carried, &pem, why));
	return making_put_file(r->conf->ca_rollover, to, buf_span(&pem), 0644, why);
}

enum err rollover_write_published(const struct rollover *r, struct why *why)
{
	static const char *const extra[] = {ROLLOVER_ROOT_CERT, ROLLOVER_OLD_WITH_NEW, ROLLOVER_NEW_WITH_OLD, NULL};
	static const char *const bridge[] = {ROLLOVER_OLD_WITH_NEW, NULL};
	struct conf before;

	TRY(rollover_before(r, &before, why));
	TRY(write_list(r, ROLLOVER_EXTRA_PUBLISHED, NULL, extra, before.ca_extra, why));
	return write_list(r, ROLLOVER_BRIDGE_PUBLISHED, NULL, bridge, before.ca_bridge, why);
}

enum err rollover_write_finished(const struct rollover *r, struct why *why)
{
	static const char *const extra[] = {ROLLOVER_NEW_WITH_OLD, NULL};
	struct conf before;

	TRY(rollover_before(r, &before, why));
	return write_list(r, ROLLOVER_EXTRA_FINISHED, NULL, extra, before.ca_extra, why);
}

/* ---- the server certificate */

static enum err check_against(struct span root_pem, struct span leaf, const struct span *above, size_t n, int64_t now_s,
	struct why *why)
{
	OWNED_ANCHORS struct anchors *anchors = NULL;
	uint8_t anchor[32];

	TRY(anchors_parse_pem(root_pem, &anchors, why));
	return chain_check(anchors, leaf, above, n, CHAIN_SERVER, now_s, anchor, why);
}

/* What devices would refuse is not put in force: those that hold the new root, and those that hold the old one. */
static enum err check_tls(const struct rollover *r, const struct conf *before, const struct authority *tls,
	const struct authority *ca, struct why *why)
{
	OWNED_AUTHORITY struct authority cross = {0};
	OWNED_BUF struct buf root = BUF(ROLLOVER_PEM_MAX);
	OWNED_BUF struct buf old_root = BUF(ROLLOVER_PEM_MAX);
	char path[CONF_PATH_MAX];

	TRY(rollover_path(r, ROLLOVER_NEW_WITH_OLD, path, why));
	TRY(load_cert(path, &cross, why));
	const struct span above[] = {buf_span(&ca->cert), buf_span(&cross.cert)};
	TRY(read_named(r, ROLLOVER_ROOT_CERT, &root, why));
	TRY(file_read(before->ca_chain, &old_root, why));
	TRY(check_against(buf_span(&root), buf_span(&tls->cert), above, 1, r->now_s, why));
	return check_against(buf_span(&old_root), buf_span(&tls->cert), above, 2, r->now_s, why);
}

static enum err put_key(const struct rollover *r, const char *name, const struct key *key, const char *label, struct why *why)
{
	OWNED_SECRET_BUF struct buf pem = BUF(ROLLOVER_PEM_MAX);
	OWNED_SECRET struct secret master = {0};
	OWNED_SECRET struct secret pass = {0};

	TRY(master_load(r->conf->master_key, &master, why));
	TRY(key_file_passphrase(&master, label, &pass, why));
	TRY(key_write_pem(key, secret_span(&pass), &pem, why));
	return making_put_file(r->conf->ca_rollover, name, buf_span(&pem), 0600, why);
}

static enum err write_tls(const struct rollover *r, const struct authority *tls, const struct authority *ca, struct why *why)
{
	OWNED_BUF struct buf pem = BUF(ROLLOVER_PEM_MAX);

	TRY(cert_write_pem(buf_span(&tls->cert), &pem, why));
	TRY(cert_write_pem(buf_span(&ca->cert), &pem, why));
	TRY(put_key(r, ROLLOVER_TLS_KEY, tls->key, "mef-tls", why));
	return making_put_file(r->conf->ca_rollover, ROLLOVER_TLS_CERT, buf_span(&pem), 0644, why);
}

static enum err make_message(const struct rollover *r, const struct hierarchy_ask *ask, const struct authority *ca, struct why *why)
{
	OWNED_AUTHORITY struct authority made = {0};
	OWNED_BUF struct buf pem = BUF(ROLLOVER_PEM_MAX);

	if (!conf_has_message(r->conf))
		return OK;
	TRY(hierarchy_message(ask, ca, &made, why));
	TRY(cert_write_pem(buf_span(&made.cert), &pem, why));
	TRY(put_key(r, ROLLOVER_MESSAGE_KEY, made.key, HIERARCHY_MESSAGE_LABEL, why));
	return making_put_file(r->conf->ca_rollover, ROLLOVER_MESSAGE_CERT, buf_span(&pem), 0644, why);
}

/* Server certificate, and the message key where there is one. */
static enum err make_ends(const struct rollover *r, const struct conf *before, struct why *why)
{
	OWNED_AUTHORITY struct authority ca = {0};
	OWNED_AUTHORITY struct authority tls = {0};
	struct further names = {0};

	TRY(load_new(r, &ca, why));
	TRY(hierarchy_names_in_force(r->conf, &names, why));
	struct hierarchy_ask ask = {
		.fqdn = r->conf->fqdn,
		.key = key_spec_of(ca.key),
		.now_s = r->now_s,
		.random = &r->cli->random,
		.alt = names.list,
		.alt_n = names.n,
	};
	TRY(hierarchy_tls(&ask, &ca, &tls, why));
	TRY(check_tls(r, before, &tls, &ca, why));
	TRY(make_message(r, &ask, &ca, why));
	return write_tls(r, &tls, &ca, why);
}

enum err rollover_write_switched(const struct rollover *r, struct why *why)
{
	static const char *const extra[] = {ROLLOVER_OLD_WITH_NEW, ROLLOVER_NEW_WITH_OLD, NULL};
	static const char *const bridge[] = {ROLLOVER_NEW_WITH_OLD, NULL};
	struct conf before;

	TRY(rollover_before(r, &before, why));
	TRY(make_ends(r, &before, why));
	TRY(write_list(r, ROLLOVER_EXTRA_SWITCHED, before.ca_chain, extra, before.ca_extra, why));
	return write_list(r, ROLLOVER_BRIDGE_SWITCHED, NULL, bridge, before.ca_bridge, why);
}
