#include "app/openmef/place.h"

#include "adapt/store/sqlite.h"
#include "adapt/sys/file.h"
#include "base/text.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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
		cli->dir = "/var/lib/openmef";
}

enum err cli_conf(struct cli *cli, struct conf *out, struct why *why)
{
	char path[CONF_PATH_MAX];

	find_dir(cli);
	TRY(cli_path(cli->dir, "openmef.conf", path, sizeof(path), why));
	if (access(path, F_OK) != 0)
		return WHY(why, CLI_DIR, "", "%s: there is no such file", path);
	return conf_load(path, out, why);
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

int cli_server_pid(const struct cli *cli)
{
	char path[CONF_PATH_MAX];
	struct why why = {0};
	OWNED_BUF struct buf text = BUF(64);
	uint64_t pid = 0;

	if (cli_path(cli->dir, "run/serve.pid", path, sizeof(path), &why) != OK || file_read(path, &text, &why) != OK)
		return 0;
	struct span line = span_first(buf_span(&text), span_find(buf_span(&text), '\n'));
	if (text_number(line, 2, INT32_MAX, "pid", &pid, &why) != OK)
		return 0;
	return kill((pid_t)pid, 0) == 0 ? (int)pid : 0;
}

void cli_poke(const struct cli *cli)
{
	int pid = cli_server_pid(cli);

	if (pid)
		kill(pid, SIGUSR1);
}
