#include "app/enrolee/store.h"

#include "adapt/sys/erase.h"
#include "adapt/sys/file.h"
#include "adapt/sys/generation.h"
#include "base/date.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096, PATH_SIZE = 1024 };

static enum err read_keys(const char *dir, struct agent_keys *out, struct why *why)
{
	OWNED_SECRET_BUF struct buf json = BUF(DOC_BYTES_MAX);
	char path[PATH_SIZE];

	struct why missing = {0};

	snprintf(path, sizeof(path), "%s/current/" GENERATION_KEYS, dir);
	enum err err = generation_read(dir, GENERATION_KEYS, &json, &missing);
	if (err == ERR_NOT_FOUND)
		return WHY(why, AGENT_NO_KEYS, "", "%s: want a file, have none", path);
	if (err != OK)
		*why = missing;
	TRY(err);
	return why_within(agent_keys_parse(buf_span(&json), out, why), path, why);
}

/* Under the lock: another command may have stored fresh keys meanwhile. */
static enum err erase_if_expired(const char *dir, bool locked, int64_t now_s, struct why *why)
{
	OWNED_LOCK int lock = -1;
	OWNED_AGENT_KEYS struct agent_keys again = {0};

	agent_keys_init(&again);
	if (!locked)
		TRY(generation_lock(dir, &lock, why));
	TRY(read_keys(dir, &again, why));
	return agent_keys_expired(&again, now_s) ? generation_erase_keys(dir, why) : OK;
}

static enum err expired(const char *what, int64_t expires_s, struct why *why)
{
	char when[DATE_TEXT_SIZE];

	date_text(expires_s, when);
	return WHY(why, AGENT_KEY_EXPIRED, "TS-0003 10.7", "%s: good until %s; it has been erased", what, when);
}

enum err store_keys(const char *dir, bool locked, int64_t now_s, struct agent_keys *out, struct why *why)
{
	TRY(read_keys(dir, out, why));
	if (!agent_keys_expired(out, now_s))
		return OK;
	TRY(erase_if_expired(dir, locked, now_s, why));
	return expired(out->keid, out->expires_s, why);
}

enum err store_keys_if_any(const struct cli *cli, const char *dir, bool locked, struct agent_keys *out, bool *found_out,
	struct why *why)
{
	struct why reason = {0};
	enum err err = store_keys(dir, locked, clock_unix_s(&cli->clock), out, &reason);

	*found_out = err == OK;
	if (err == OK || err == ERR_NOT_FOUND)
		return OK;
	if (err == ERR_EXPIRED) {
		cli_say(cli, "The symmetric keys have expired and are erased: %s\n", reason.text);
		return OK;
	}
	*why = reason;
	return err;
}

enum err store_keys_write(const char *dir, const struct agent_keys *k, struct why *why)
{
	OWNED_SECRET_BUF struct buf json = BUF(DOC_BYTES_MAX + 1);

	TRY(agent_keys_write(k, &json, why));
	return generation_write_keys(dir, buf_span(&json), why);
}

static enum err join(const char *dir, const char *folder, const char *name, char out[PATH_SIZE], struct why *why)
{
	int n = snprintf(out, PATH_SIZE, "%s/%s%s%s", dir, folder, name[0] ? "/" : "", name);

	return n > 0 && n < PATH_SIZE ? OK : WHY(why, BUF_LIMIT, "", "path: want at most %d bytes: %s", PATH_SIZE - 1, dir);
}

enum err store_shared_write(const char *dir, const char *folder, const struct agent_shared *s, struct why *why)
{
	OWNED_SECRET_BUF struct buf json = BUF(AGENT_SHARED_FILE_MAX);
	char name[AGENT_SHARED_NAME_SIZE];
	char path[PATH_SIZE];

	TRY(agent_shared_write(s, &json, why));
	TRY(generation_dir(dir, why));
	TRY(join(dir, folder, "", path, why));
	TRY(generation_dir(path, why));
	agent_shared_name(s->keyid, s->suid, name);
	TRY(join(dir, folder, name, path, why));
	return file_write(path, buf_span(&json), 0600, why);
}

static bool is_shared_name(const char *name)
{
	struct span s = span_text(name);

	return s.n > 5 && span_is(span_from(s, s.n - 5), ".json");
}

static enum err read_shared(const char *path, int64_t now_s, struct agent_shared *out, bool *good_out, struct why *why)
{
	OWNED_SECRET_BUF struct buf json = BUF(AGENT_SHARED_FILE_MAX);

	TRY(file_read_secret(path, &json, why));
	TRY(why_within(agent_shared_parse(buf_span(&json), out, why), path, why));
	*good_out = now_s < out->expires_s;
	return *good_out ? OK : erase_file(path, why);
}

static enum err visit(const char *path, int64_t now_s, store_shared_fn fn, void *arg, struct why *why)
{
	OWNED_SHARED struct agent_shared s = {0};
	bool good = false;

	TRY(read_shared(path, now_s, &s, &good, why));
	return good ? fn(arg, &s, why) : OK;
}

enum err store_shared_each(const char *dir, const char *folder, int64_t now_s, store_shared_fn fn, void *arg, struct why *why)
{
	char path[PATH_SIZE];
	enum err err = OK;

	TRY(join(dir, folder, "", path, why));
	DIR *d = opendir(path);
	if (!d)
		return errno == ENOENT ? OK : WHY(why, SYSTEM, "", "%s: %s", path, strerror(errno));
	for (struct dirent *e = readdir(d); e && err == OK; e = readdir(d)) {
		if (!is_shared_name(e->d_name))
			continue;
		err = join(dir, folder, e->d_name, path, why);
		if (err == OK)
			err = visit(path, now_s, fn, arg, why);
	}
	closedir(d);
	return err;
}

/* keyid_suffix: "-" then the usage follows the identifier in a file's name. */
static bool is_of_key(const char *name, const char *keyid)
{
	size_t n = strlen(keyid);

	return strncmp(name, keyid, n) == 0 && name[n] == '-' && is_shared_name(name);
}

/* Of several usages the lowest, which is that of sessions (SAEF: 22, 32). */
static bool find_file(const char *folder, const char *keyid, char *name_out, size_t size)
{
	DIR *d = opendir(folder);
	bool found = false;

	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
		if (is_of_key(e->d_name, keyid) && (!found || strcmp(e->d_name, name_out) < 0))
			found = text_copy(name_out, size, span_text(e->d_name));
	}
	if (d)
		closedir(d);
	return found;
}

enum err store_shared_find(const char *dir, const char *folder, const char *keyid, int64_t now_s, struct agent_shared *out,
	struct why *why)
{
	char name[AGENT_SHARED_NAME_SIZE];
	char path[PATH_SIZE];
	bool good = false;

	TRY(join(dir, folder, "", path, why));
	if (!find_file(path, keyid, name, sizeof(name)))
		return WHY(why, AGENT_FILES, "", "%s: want the key %s, have none", path, keyid);
	TRY(join(dir, folder, name, path, why));
	TRY(read_shared(path, now_s, out, &good, why));
	return good ? OK : expired(keyid, out->expires_s, why);
}

static enum err read_input(const char *path, struct buf *out, struct why *why)
{
	if (strcmp(path, "-") != 0)
		return file_read_secret(path, out, why);
	for (;;) {
		uint8_t chunk[1024];
		ssize_t n = read(STDIN_FILENO, chunk, sizeof(chunk));
		if (n < 0)
			return WHY(why, FILE_READ, "", "standard input: %s", strerror(errno));
		buf_put(out, chunk, (size_t)n);
		mem_wipe(chunk, sizeof(chunk));
		if (n == 0)
			return buf_check(out, "standard input", why);
	}
}

enum err store_read_line(const char *path, const char *what, struct buf *out, struct why *why)
{
	TRY(read_input(path, out, why));
	while (out->n && strchr("\r\n\t ", out->p[out->n - 1]))
		out->n--;
	if (out->n == 0 || span_find(buf_span(out), '\n') < out->n)
		return WHY(why, AGENT_KEY_INPUT, "", "%s: want one line", what);
	return OK;
}

enum err store_read_password(const char *path, struct buf *out, struct why *why)
{
	TRY(read_input(path, out, why));
	while (out->n && (out->p[out->n - 1] == '\n' || out->p[out->n - 1] == '\r'))
		out->n--;
	return OK;
}

enum err store_read_key(const char *path, size_t min, size_t max, char identity_out[M2M_KEYID_SIZE], struct secret *out,
	struct why *why)
{
	OWNED_SECRET_BUF struct buf text = BUF(LINE_MAX_BYTES);
	uint8_t octets[SECRET_MAX];
	size_t n = 0;
	struct why ignored = {0};

	identity_out[0] = '\0';
	TRY(store_read_line(path, "key", &text, why));
	struct span hex = buf_span(&text);
	size_t at = span_find(hex, '@');
	size_t colon = at + span_find(span_from(hex, at), ':');
	if (at < hex.n && colon < hex.n) {
		if (!text_copy(identity_out, M2M_KEYID_SIZE, span_first(hex, colon)))
			return WHY(why, AGENT_KEY_INPUT, "", "%s: identifier: want at most %d octets", path, M2M_KEYID_SIZE - 1);
		hex = span_from(hex, colon + 1);
	}
	/* the reason of the failure would quote the key */
	enum err err = hex_parse(hex, octets, sizeof(octets), &n, &ignored);
	bool good = err == OK && n >= min && n <= max && secret_set(out, span_of(octets, n));
	mem_wipe(octets, sizeof(octets));
	return good ? OK
		: WHY(why, AGENT_KEY_INPUT, "", "%s: key: want %zu to %zu hexadecimal digits, or IDENTIFIER:DIGITS", path, 2 * min, 2 * max);
}

enum err store_write_key(const char *path, const struct secret *key, struct why *why)
{
	OWNED_SECRET_BUF struct buf text = BUF(2 * SECRET_MAX + 2);

	hex_write(&text, secret_span(key));
	buf_put_text(&text, "\n");
	TRY(buf_check(&text, "key", why));
	return file_write(path, buf_span(&text), 0600, why);
}
