#pragma once
/*
 * The frame of every subcommand: one table row each, from which parsing, --help and the manual page
 * come. Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 denied, 5 unreachable, 6 nothing to do.
 */
#include "app/conf/conf.h"
#include "base/secret.h"
#include "port/clock.h"
#include "port/random.h"
#include "port/store.h"
#include "wire/json.h"

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_FOUND = 3,
	EXIT_DENIED = 4,
	EXIT_UNREACHABLE = 5,
	EXIT_NOTHING = 6,
};

enum { CLI_REPEAT_MAX = 16, CLI_ARGS_MAX = 8, CLI_OPTIONS_MAX = 16 };

struct cli_option {
	const char *name; /* "fqdn", given as --fqdn */
	const char *arg;  /* "NAME"; NULL: a switch */
	const char *help;
};

struct cli {
	const char *dir; /* from --dir, OPENMEF_DIR, or found */
	bool json;
	bool quiet;
	const char *values[CLI_OPTIONS_MAX][CLI_REPEAT_MAX]; /* by option index of the row */
	size_t counts[CLI_OPTIONS_MAX];
	const char *args[CLI_ARGS_MAX];
	size_t args_n;
	const struct command *command;
	struct clock clock;
	struct random_source random;
};

struct command {
	const char *path;    /* "enrolee add" */
	const char *args;    /* "ID" or "" */
	size_t args_min, args_max;
	const char *summary; /* one line */
	const char *detail;  /* paragraph for --help and the manual, may be NULL */
	const struct cli_option *options; /* ends with a NULL name; NULL: none */
	enum err (*run)(struct cli *cli, struct why *why);
};

extern const struct command *const commands[]; /* NULL-terminated */

/* First value of an option of this command, or NULL. The name must be in its table. */
const char *cli_value(const struct cli *cli, const char *name);
bool cli_flag(const struct cli *cli, const char *name);
/* All values of a repeatable option. */
size_t cli_values(const struct cli *cli, const char *name, const char *const **values_out);

/* Fills cli from what follows the command's words; ERR_SYNTAX: usage was told on stderr. */
MUST_CHECK enum err cli_parse(struct cli *cli, int argc, char **argv, struct why *why);
void cli_help(const struct command *c);   /* one command, to stdout */
void cli_help_all(void);                  /* the overview */
void cli_manual(void);                    /* roff source of openmef(1) */
void cli_manual_conf(void);               /* roff source of openmef.conf(5) */
enum exit_code cli_exit_code(enum err err);

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
void cli_print_json(const struct json *j);
/* Lines for people, unless --json or --quiet. */
void cli_say(const struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
