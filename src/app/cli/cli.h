#pragma once
/*
 * The frame of every subcommand: one table row each, from which parsing, --help and the manual page
 * come. Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 denied, 5 unreachable, 6 nothing to do,
 * 7 asked to come back later.
 */
#include "port/clock.h"
#include "port/random.h"
#include "wire/json.h"

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_FOUND = 3,
	EXIT_DENIED = 4,
	EXIT_UNREACHABLE = 5,
	EXIT_NOTHING = 6,
	EXIT_LATER = 7,
};

enum { CLI_REPEAT_MAX = 16, CLI_ARGS_MAX = 8, CLI_OPTIONS_MAX = 40 };

struct cli_option {
	const char *name; /* "fqdn", given as --fqdn */
	const char *arg;  /* "NAME"; NULL: a switch */
	const char *help;
};

struct cli {
	const char *dir; /* from --dir; NULL: the program decides */
	bool json;
	bool quiet;
	bool exit_nothing; /* set by run: all is well, there was nothing to do */
	const char *values[CLI_OPTIONS_MAX][CLI_REPEAT_MAX]; /* by option index of the row */
	size_t counts[CLI_OPTIONS_MAX];
	const char *args[CLI_ARGS_MAX];
	size_t args_n;
	const struct cli_program *program;
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

struct cli_program {
	const char *name;    /* "openmef" */
	const char *summary; /* what it is for, one line */
	const char *intro;   /* first steps, for the overview; may be NULL */
	const char *dir_help;
	const char *see_also; /* roff line for the manual page */
	const char *manual;   /* roff sections before EXIT STATUS, may be NULL */
	const struct command *const *commands; /* NULL-terminated */
};

/*
 * Runs the command that argv (without the program's name) names; returns the exit code. A command without
 * run is left to `other`, which gets all of argv.
 */
int cli_main(const struct cli_program *program, int argc, char **argv, int (*other)(int argc, char **argv));

/* First value of an option of this command, or NULL. The name must be in its table. */
const char *cli_value(const struct cli *cli, const char *name);
bool cli_flag(const struct cli *cli, const char *name);
/* All values of a repeatable option. */
size_t cli_values(const struct cli *cli, const char *name, const char *const **values_out);

/* Fills cli from what follows the command's words; ERR_SYNTAX: usage was told on stderr. */
MUST_CHECK enum err cli_parse(struct cli *cli, int argc, char **argv, struct why *why);
void cli_help(const struct cli_program *p, const struct command *c); /* one command, to stdout */
void cli_help_all(const struct cli_program *p);                      /* the overview */
void cli_manual(const struct cli_program *p);                        /* roff source of its page in section 1 */
void roff_head(const char *name, int section, const char *summary);
void roff_text(const char *text);
enum exit_code cli_exit_code(enum err err);

void cli_print_json(const struct json *j);
/* Lines for people, unless --json or --quiet. */
void cli_say(const struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
