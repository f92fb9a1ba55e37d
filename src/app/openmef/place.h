#pragma once
/* Where an OpenMEF lives: its directory, configuration, store and running server. */
#include "app/cli/cli.h"
#include "app/conf/conf.h"
#include "port/store.h"

/* Joined with the directory unless absolute. ERR_LIMIT. */
MUST_CHECK enum err cli_path(const char *dir, const char *path, char *out, size_t size, struct why *why);
MUST_CHECK enum err cli_conf(struct cli *cli, struct conf *out, struct why *why);
MUST_CHECK enum err cli_store(struct cli *cli, const struct conf *conf, struct store **out, struct why *why);
void cli_store_cleanup(struct store **store);
#define OWNED_STORE __attribute__((cleanup(cli_store_cleanup)))
/* Runs change within begin and commit; rolls back when it fails. */
MUST_CHECK enum err cli_change(struct store *store, enum err (*change)(struct store *, void *arg, struct why *),
	void *arg, struct why *why);
/* Process id of the running server of this directory; 0: none. */
int cli_server_pid(const struct cli *cli);
/* Tells a running server that the store changed (SIGUSR1 to the parent). */
void cli_poke(const struct cli *cli);
