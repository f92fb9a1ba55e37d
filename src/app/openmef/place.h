#pragma once
/* Where an OpenMEF lives: its directory, configuration, store and running server. */
#include "app/cli/cli.h"
#include "app/conf/conf.h"
#include "port/store.h"

#include <sys/types.h>

/* Joined with the directory unless absolute. ERR_LIMIT. */
MUST_CHECK enum err cli_path(const char *dir, const char *path, char *out, size_t size, struct why *why);
/* Finds the directory (sets cli->dir) and reads its openmef.conf. Links are followed, as serve does. */
MUST_CHECK enum err cli_conf(struct cli *cli, struct conf *out, struct why *why);
MUST_CHECK enum err cli_store(struct cli *cli, const struct conf *conf, struct store **out, struct why *why);
void cli_store_cleanup(struct store **store);
#define OWNED_STORE __attribute__((cleanup(cli_store_cleanup)))
/* Runs change within begin and commit; rolls back when it fails. */
MUST_CHECK enum err cli_change(struct store *store, enum err (*change)(struct store *, void *arg, struct why *),
	void *arg, struct why *why);

/* Option as a whole number, *out where it is not given. ERR_SYNTAX: usage. */
MUST_CHECK enum err cli_number(const struct cli *cli, const char *name, uint64_t min, uint64_t max, uint64_t *out,
	struct why *why);
/* "0A1B..." or "0a:1b:..." as openssl prints them; out has room for STORE_SERIAL_MAX. ERR_SYNTAX: usage. */
MUST_CHECK enum err cli_serial(const char *text, uint8_t *out, struct span *span_out, struct why *why);
/* "openmef WORDS --dir DIR", the last part only where the command would not find DIR by itself. */
const char *cli_command(const struct cli *cli, const char *words, char *out, size_t size);
/* file_write; what root writes below somebody else's directory belongs to the owner of that. */
MUST_CHECK enum err cli_put_file(const char *path, struct span content, mode_t mode, struct why *why);

/* Process id of the server that runs in the configuration's directory, told by its lock; 0: none. */
int cli_server_pid(const struct conf *conf);
/* Signals that server and never a process that merely bears its number. ERR_SYSTEM: SERVER_DOWN, SYSTEM. */
MUST_CHECK enum err cli_signal(const struct conf *conf, int number, struct why *why);
/* Tells a running server that the store changed; without one there is nobody to tell. */
void cli_poke(const struct conf *conf);
