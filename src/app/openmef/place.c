#include "app/openmef/place.h"

#include "adapt/store/sqlite.h"
#include "adapt/sys/file.h"
#include "base/hex.h"
#include "base/text.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usual_dir[] = "/var/lib/openmef";

enum err cli_path(const char *dir, const char *path, char *out, size_t size, struct why *why)
{
	bool absolute = path[0] == '/';
	int n = snprintf(out, size, "%s%s%s", absolute ? "" : dir, absolute ? "" : "/", path);

	if (n < 0 || (size_t)n >= size)
		return WHY(why, BUF_LIMIT, "", "path: want at most %zu bytes: %s", size - 1, path);
	return OK;
}

static void find_dir(struct cli *cli)
{
	const char *env = getenv("OPENMEF_DIR");

	if (cli->dir)
		return;
	if (env && env[0])
		cli->dir = env;
	else if (access("openmef.conf", F_OK) == 0)
		cli->dir = ".";
	else
		cli->dir = usual_dir;
}

enum err cli_conf(struct cli *cli, struct conf *out, struct why *why)
{
	char path[CONF_PATH_MAX];
	char real[PATH_MAX];

	find_dir(cli);
	TRY(cli_path(cli->dir, "openmef.conf", path, sizeof(path), why));
	if (!realpath(path, real) && errno == ENOENT)
		return WHY(why, CLI_DIR, "", "%s: there is no such file", path);
	if (!realpath(path, real))
		return WHY(why, CONF_FILE, "", "%s: %s", path, strerror(errno));
	return conf_load(real, out, why);
}

enum err cli_store(struct cli *cli, const struct conf *conf, struct store **out, struct why *why)
{
	if (strncmp(conf->store, "sqlite:", 7) != 0)
		return WHY(why, CONF_VALUE, "", "[store] database: %s cannot be opened from outside the server",
			conf->store);
	return store_sqlite_open(conf->store + 7, STORE_SQLITE_EXISTING, out, why);
}

void cli_store_cleanup(struct store **store)
{
	if (*store)
		(*store)->ops->free((*store)->self);
	*store = NULL;
}

enum err cli_change(struct store *store, enum err (*change)(struct store *, void *arg, struct why *),
	void *arg, struct why *why)
{
	TRY(store->ops->begin(store->self, why));
	enum err err = change(store, arg, why);
	if (err == OK)
		err = store->ops->commit(store->self, why);
	if (err != OK)
		store->ops->rollback(store->self);
	return err;
}

enum err cli_number(const struct cli *cli, const char *name, uint64_t min, uint64_t max, uint64_t *out,
	struct why *why)
{
	const char *text = cli_value(cli, name);
	struct why cause = {0};

	if (text && text_number(span_text(text), min, max, name, out, &cause) != OK)
		return WHY(why, CLI_USAGE, "", "--%s", cause.text);
	return OK;
}

static size_t count_of(const char *text, char c)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == c;
	return n;
}

enum err cli_serial(const char *text, uint8_t *out, struct span *span_out, struct why *why)
{
	char digits[2 * STORE_SERIAL_MAX + 1];
	struct why cause = {0};
	size_t n = 0;
	size_t octets = 0;

	/* Numbers are often copied without their leading zero. */
	if ((strlen(text) - count_of(text, ':')) % 2)
		digits[n++] = '0';
	for (const char *p = text; *p && n < sizeof(digits); p++) {
		if (*p != ':')
			digits[n++] = *p;
	}
	if (n == 0 || n == sizeof(digits) || hex_parse(span_of(digits, n), out, STORE_SERIAL_MAX, &octets, &cause) != OK)
		return WHY(why, CLI_USAGE, "", "serial number: want 1 to %d hexadecimal digits as `openmef cert list` shows them, have '%.60s'",
			2 * STORE_SERIAL_MAX, text);
	*span_out = span_of(out, octets);
	return OK;
}

/* Whether a command without --dir would come to the same directory. */
static bool is_found(const char *dir)
{
	const char *env = getenv("OPENMEF_DIR");

	if (env && env[0])
		return strcmp(dir, env) == 0;
	return strcmp(dir, ".") == 0 || strcmp(dir, usual_dir) == 0;
}

const char *cli_command(const struct cli *cli, const char *words, char *out, size_t size)
{
	const char *quote = text_is_name(span_text(cli->dir), "/._-+@:,~") ? "" : "'";

	if (is_found(cli->dir))
		snprintf(out, size, "openmef %s", words);
	else
		snprintf(out, size, "openmef %s --dir %s%s%s", words, quote, cli->dir, quote);
	return out;
}

enum err cli_put_file(const char *path, struct span content, mode_t mode, struct why *why)
{
	char folder[CONF_PATH_MAX];
	const char *slash = strrchr(path, '/');
	struct stat st;

	TRY(file_write(path, content, mode, why));
	if (geteuid() != 0)
		return OK;
	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	/* A server that does not run as root could not read what root leaves behind. */
	if (stat(folder, &st) != 0 || (st.st_uid != 0 && lchown(path, st.st_uid, st.st_gid) != 0))
		return WHY(why, FILE_WRITE, "", "%s: %s", path, strerror(errno));
	return OK;
}
