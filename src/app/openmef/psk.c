#include "app/openmef/psk.h"

#include "adapt/sys/file.h"
#include "adapt/sys/master.h"
#include "base/hex.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWNED_SECRET_BUF __attribute__((cleanup(buf_fini_wipe)))

enum err cli_vault(const struct cli *cli, const struct conf *conf, struct store *store, struct secret *seal_key,
	struct vault *out, struct why *why)
{
	OWNED_SECRET struct secret master = {0};

	TRY(master_load(conf->master_key, &master, why));
	TRY(master_derive(&master, VAULT_PURPOSE, seal_key, why));
	*out = (struct vault){.store = store, .seal_key = seal_key, .random = cli->random};
	return OK;
}

enum err psk_name(const char *given, const struct conf *conf, char out[M2M_KEYID_SIZE], struct why *why)
{
	char whole[M2M_KEYID_SIZE + STORE_KEY_ID_MAX];
	struct why cause = {0};
	struct span fqdn = {0};

	int n = snprintf(whole, sizeof(whole), "%s%s%s", given, strchr(given, '@') ? "" : "@", strchr(given, '@') ? "" : conf->fqdn);
	if (n < 0 || (size_t)n >= sizeof(whole))
		return WHY(why, PSK_NAME, "", "KpmId: want at most %d characters", M2M_KEYID_SIZE - 1);
	if (m2m_named_parse(span_text(whole), false, out, &fqdn, &cause) != OK)
		return WHY(why, PSK_NAME, cause.clause, "KpmId: %s", cause.text);
	/* TS-0003 10.5: the part behind '@' is the M2M Enrolment Function that knows the key */
	if (!span_equal_nocase(fqdn, span_text(conf->fqdn)))
		return WHY(why, PSK_NAME, "TS-0003 10.5", "KpmId: want NAME@%s, have '%.100s'", conf->fqdn, whole);
	return OK;
}

enum err psk_format(const struct cli *cli, const char *option, enum key_form *out, struct why *why)
{
	const char *name = cli_value(cli, option);

	*out = KEY_FORM_TOLD_APART;
	if (name && !key_form_parse(span_text(name), out))
		return WHY(why, CLI_USAGE, "", "--%s: want hex, base64 or raw, have '%.20s'", option, name);
	return OK;
}

static enum err read_input(struct buf *out, struct why *why)
{
	for (;;) {
		uint8_t *room = buf_room(out, KEY_FILE_MAX);
		if (!room)
			return WHY(why, PSK_FORM, "", "standard input: want at most %d octets", KEY_FILE_MAX);
		ssize_t got = read(STDIN_FILENO, room, KEY_FILE_MAX);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return WHY(why, FILE_READ, "", "standard input: %s", strerror(errno));
		if (got == 0)
			return OK;
		buf_grew(out, (size_t)got);
	}
}

enum err psk_read(const char *path, enum key_form form, struct secret *out, struct why *why)
{
	OWNED_SECRET_BUF struct buf text = BUF(2 * KEY_FILE_MAX);

	TRY(psk_read_text(path, &text, why));
	return why_within(key_text_parse(buf_span(&text), form, out, why), strcmp(path, "-") ? path : "standard input", why);
}

enum err psk_read_text(const char *path, struct buf *out, struct why *why)
{
	return strcmp(path, "-") == 0 ? read_input(out, why) : file_read_secret(path, out, why);
}

enum err psk_make(const struct cli *cli, struct secret *out, struct why *why)
{
	out->n = KPM_NEW;
	return random_fill(&cli->random, out->bytes, out->n, why);
}

/* As it is for cli_put_file: what root makes below somebody else's directory belongs to the owner of that. */
static enum err give_to_owner(const char *dir, const char *path, struct why *why)
{
	struct stat st;

	if (geteuid() != 0)
		return OK;
	if (stat(dir, &st) != 0 || (st.st_uid != 0 && lchown(path, st.st_uid, st.st_gid) != 0))
		return WHY(why, FILE_WRITE, "", "%s: %s", path, strerror(errno));
	return OK;
}

enum err psk_usual_path(const struct conf *conf, const char *kpmid, char out[CONF_PATH_MAX], struct why *why)
{
	char folder[CONF_PATH_MAX];

	TRY(cli_path(conf->dir, "secret/psk", folder, sizeof(folder), why));
	if (mkdir(folder, 0700) == 0) {
		TRY(give_to_owner(conf->dir, folder, why));
		*strrchr(folder, '/') = '\0';
		TRY(file_sync_dir(folder, why));
		TRY(cli_path(conf->dir, "secret/psk", folder, sizeof(folder), why));
	} else if (errno != EEXIST) {
		return WHY(why, FILE_WRITE, "", "%s: %s", folder, strerror(errno));
	}
	if (strlen(kpmid) > NAME_MAX)
		return WHY(why, PSK_NAME, "", "KpmId: of %zu characters, which no file can be called by: name one by --psk-out or --out",
			strlen(kpmid));
	return cli_path(folder, kpmid, out, CONF_PATH_MAX, why);
}

static bool put(int fd, struct span text)
{
	while (text.n) {
		ssize_t n = write(fd, text.p, text.n);
		if (n < 0 && errno != EINTR)
			return false;
		text = span_from(text, n > 0 ? (size_t)n : 0);
	}
	return fchmod(fd, 0600) == 0;
}

static enum err sync_folder(const char *path, struct why *why)
{
	char folder[CONF_PATH_MAX];
	const char *slash = strrchr(path, '/');
	int n = slash ? slash == path ? 1 : (int)(slash - path) : 1;

	snprintf(folder, sizeof(folder), "%.*s", n, slash ? path : ".");
	return file_sync_dir(folder, why);
}

enum err psk_write(const char *path, const struct secret *key, bool durable, struct why *why)
{
	OWNED_SECRET_BUF struct buf text = BUF(2 * SECRET_MAX + 1);
	/* The mode from the first moment; no link is followed. */
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EEXIST)
		return WHY(why, PSK_OUT, "", "%s: want a new file", path);
	if (fd < 0)
		return WHY(why, FILE_WRITE, "", "%s: %s", path, strerror(errno));
	hex_write(&text, secret_span(key));
	buf_put_u8(&text, '\n');
	bool done = put(fd, buf_span(&text)) && (!durable || fsync(fd) == 0);
	int reason = errno;
	close(fd);
	enum err err = done ? OK : WHY(why, FILE_WRITE, "", "%s: %s", path, strerror(reason));
	if (err == OK && durable)
		err = sync_folder(path, why);
	if (err != OK)
		unlink(path);
	return err;
}

enum err psk_obtain(const struct cli *cli, const struct conf *conf, const struct psk_ask *ask, const char *kpmid,
	struct secret *out, char path_out[CONF_PATH_MAX], struct why *why)
{
	path_out[0] = '\0';
	if (ask->from)
		return psk_read(ask->from, ask->form, out, why);
	char path[CONF_PATH_MAX];
	if (!ask->out)
		TRY(psk_usual_path(conf, kpmid, path, why));
	else if (snprintf(path, sizeof(path), "%s", ask->out) >= (int)sizeof(path))
		return WHY(why, CLI_USAGE, "", "file for the key: want a path of at most %d octets", CONF_PATH_MAX - 1);
	TRY(psk_make(cli, out, why));
	TRY(psk_write(path, out, true, why));
	enum err err = ask->out ? OK : give_to_owner(conf->dir, path, why);
	if (err != OK)
		unlink(path);
	else
		snprintf(path_out, CONF_PATH_MAX, "%s", path);
	return err;
}
