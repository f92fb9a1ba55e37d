/* The files of `openmef init`; declared in init.h. */
#include "app/openmef/init.h"

#include "adapt/store/sqlite.h"
#include "adapt/sys/master.h"
#include "base/hex.h"
#include "core/registry/audit.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PEM_MAX = 64 * 1024, CONF_TEXT_MAX = 128 * 1024, HEX_LINE_MAX = 256 };

#define OWNED_SECRET_BUF __attribute__((cleanup(buf_fini_wipe)))

static const char mark[] = ".init-unfinished";
static const char *const folders[] = {"secret", "ca", "offline", "anchors", "run"};
static const char *const store_files[] = {"openmef.db", "openmef.db-wal", "openmef.db-shm"};

void making_fini(struct making *m)
{
	secret_wipe(&m->master);
	authority_fini(&m->root);
	authority_fini(&m->issuing);
	authority_fini(&m->tls);
	authority_fini(&m->message);
}

static bool stands(const char *dir, const char *name)
{
	char path[CONF_PATH_MAX];
	struct why ignored = {0};
	struct stat st;

	return cli_path(dir, name, path, sizeof(path), &ignored) == OK && lstat(path, &st) == 0;
}

static enum err refuse(const char *path, struct why *why)
{
	return WHY(why, INIT_WRITE, "", "%s: %s", path, strerror(errno));
}

/* Root makes an OpenMEF for the user whom the directory belongs to. */
enum err making_give(const char *dir, const char *path, struct why *why)
{
	struct stat st;

	if (geteuid() != 0)
		return OK;
	if (stat(dir, &st) != 0 || (st.st_uid != 0 && lchown(path, st.st_uid, st.st_gid) != 0))
		return refuse(path, why);
	return OK;
}

enum err making_put_file(const char *dir, const char *name, struct span content, mode_t mode, struct why *why)
{
	char path[CONF_PATH_MAX];
	struct why cause = {0};

	TRY(cli_path(dir, name, path, sizeof(path), why));
	if (cli_put_file(path, content, mode, &cause) != OK)
		return WHY(why, INIT_WRITE, "", "%s", cause.text);
	return OK;
}

enum err making_folder(const char *dir, const char *name, struct why *why)
{
	char path[CONF_PATH_MAX];

	TRY(cli_path(dir, name, path, sizeof(path), why));
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return refuse(path, why);
	return making_give(dir, path, why);
}

/* openmef.conf is written last: without it the rest is whole only where nothing began it anew. */
static enum err check_free(const char *dir, struct why *why)
{
	static const char *const kept[] = {"secret/master.key", "ca/issuing.key.pem", "offline/root.key.pem", "openmef.db"};

	if (stands(dir, "openmef.conf"))
		return WHY(why, INIT_EXISTS, "", "%s/openmef.conf: there already", dir);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]) && !stands(dir, mark); i++) {
		if (stands(dir, kept[i]))
			return WHY(why, INIT_EXISTS, "",
				"%s/%s: there already, only openmef.conf is missing; restore that from a backup", dir, kept[i]);
	}
	return OK;
}

enum err making_begin(const char *dir, struct why *why)
{
	TRY(check_free(dir, why));
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return refuse(dir, why);
	TRY(making_put_file(dir, mark, (struct span){0}, 0600, why));
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		TRY(making_folder(dir, folders[i], why));
	return OK;
}

enum err making_values(struct making *m, struct why *why)
{
	m->master.n = MASTER_SIZE;
	TRY(random_fill(m->ask.random, m->master.bytes, m->master.n, why));
	TRY(hierarchy_ca(&m->ask, NULL, &m->root, why));
	TRY(hierarchy_ca(&m->ask, &m->root, &m->issuing, why));
	TRY(hierarchy_message(&m->ask, &m->issuing, &m->message, why));
	return hierarchy_tls(&m->ask, &m->issuing, &m->tls, why);
}

static enum err put_cert(const struct making *m, const char *name, const struct authority *a,
	const struct authority *chain, struct why *why)
{
	OWNED_BUF struct buf pem = BUF(PEM_MAX);

	TRY(cert_write_pem(buf_span(&a->cert), &pem, why));
	if (chain)
		TRY(cert_write_pem(buf_span(&chain->cert), &pem, why));
	return making_put_file(m->dir, name, buf_span(&pem), 0644, why);
}

static enum err put_key(
	const struct making *m, const char *name, const struct key *key, struct span passphrase, struct why *why)
{
	OWNED_SECRET_BUF struct buf pem = BUF(PEM_MAX);

	TRY(key_write_pem(key, passphrase, &pem, why));
	return making_put_file(m->dir, name, buf_span(&pem), 0600, why);
}

/* Encrypted under what the master key gives for that label. */
static enum err put_online_key(
	const struct making *m, const char *name, const struct key *key, const char *label, struct why *why)
{
	OWNED_SECRET struct secret passphrase = {0};

	TRY(key_file_passphrase(&m->master, label, &passphrase, why));
	return put_key(m, name, key, secret_span(&passphrase), why);
}

static enum err put_hex(const struct making *m, const char *name, const struct secret *raw, struct buf *text, struct why *why)
{
	hex_write(text, secret_span(raw));
	buf_put_u8(text, '\n');
	TRY(buf_check(text, name, why));
	return making_put_file(m->dir, name, buf_span(text), 0600, why);
}

/* The root's key does not hang on the master key: it is to lie elsewhere, and to open with openssl alone. */
static enum err write_root(struct making *m, struct why *why)
{
	OWNED_SECRET_BUF struct buf text = BUF(HEX_LINE_MAX);
	OWNED_SECRET struct secret raw = {.n = MASTER_SIZE};

	TRY(random_fill(m->ask.random, raw.bytes, raw.n, why));
	TRY(put_hex(m, "offline/root.pass", &raw, &text, why));
	TRY(put_key(m, "offline/root.key.pem", m->root.key, span_first(buf_span(&text), text.n - 1), why));
	return put_cert(m, "ca/root.cert.pem", &m->root, NULL, why);
}

static enum err write_keys(struct making *m, struct why *why)
{
	OWNED_SECRET_BUF struct buf text = BUF(HEX_LINE_MAX);

	TRY(put_hex(m, "secret/master.key", &m->master, &text, why));
	TRY(write_root(m, why));
	TRY(put_online_key(m, "ca/issuing.key.pem", m->issuing.key, "ca-issuing", why));
	TRY(put_cert(m, "ca/issuing.cert.pem", &m->issuing, NULL, why));
	TRY(put_online_key(m, "ca/message.key.pem", m->message.key, HIERARCHY_MESSAGE_LABEL, why));
	TRY(put_cert(m, "ca/message.cert.pem", &m->message, NULL, why));
	TRY(put_online_key(m, "ca/mef-tls.key.pem", m->tls.key, "mef-tls", why));
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

static enum err fill_store(struct making *m, const char *path, struct why *why)
{
	OWNED_STORE struct store *store = NULL;

	TRY(store_sqlite_open(path, STORE_SQLITE_CREATE, &store, why));
	return cli_change(store, first_event, m, why);
}

static enum err write_store(struct making *m, struct why *why)
{
	char path[CONF_PATH_MAX];

	for (size_t i = 0; i < sizeof(store_files) / sizeof(store_files[0]); i++) {
		TRY(cli_path(m->dir, store_files[i], path, sizeof(path), why));
		if (unlink(path) != 0 && errno != ENOENT)
			return refuse(path, why);
	}
	TRY(cli_path(m->dir, store_files[0], path, sizeof(path), why));
	TRY(fill_store(m, path, why));
	return making_give(m->dir, path, why);
}

static enum err write_conf(struct making *m, struct why *why)
{
	OWNED_BUF struct buf text = BUF(CONF_TEXT_MAX);

	conf_write(&m->conf, &text);
	TRY(buf_check(&text, "configuration", why));
	return making_put_file(m->dir, "openmef.conf", buf_span(&text), 0640, why);
}

enum err making_write(struct making *m, struct why *why)
{
	char path[CONF_PATH_MAX];

	TRY(write_keys(m, why));
	TRY(write_store(m, why));
	/* An operator may have put the makers' CAs there before. */
	if (!stands(m->dir, "anchors/devices.pem"))
		TRY(making_put_file(m->dir, "anchors/devices.pem", (struct span){0}, 0644, why));
	TRY(write_conf(m, why));
	TRY(cli_path(m->dir, mark, path, sizeof(path), why));
	unlink(path); /* next to a configuration it means nothing */
	return OK;
}
