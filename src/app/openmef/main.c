#include "app/openmef/cli.h"

#include "adapt/sys/clock.h"
#include "adapt/sys/random.h"
#include "app/role.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* How many words of argv name this command; 0: another one. */
static int words_of(const struct command *c, int argc, char **argv)
{
	struct span rest = span_text(c->path);
	int n = 0;

	while (rest.n) {
		struct span word = span_first(rest, span_find(rest, ' '));
		if (n == argc || !span_is(word, argv[n]))
			return 0;
		n++;
		rest = span_from(rest, word.n + 1);
	}
	return n;
}

static bool asks_help(int argc, char **argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	}
	return false;
}

static int fail(const struct why *why, enum err err)
{
	char line[2 * WHY_TEXT_MAX + 256];

	why_print(why, line, sizeof(line));
	fprintf(stderr, "openmef: %s\n", line);
	return why->code == CODE_CLI_USAGE ? EXIT_USAGE : (int)cli_exit_code(err);
}

static int run(const struct command *c, int argc, char **argv)
{
	struct cli cli = {.command = c, .clock = clock_system(), .random = random_system()};
	struct why why = {0};

	enum err err = cli_parse(&cli, argc, argv, &why);
	if (err == OK)
		err = c->run(&cli, &why);
	if (fflush(stdout) != 0 && err == OK)
		err = WHY(&why, SYSTEM, "", "writing to standard output failed");
	return err == OK ? EXIT_DONE : fail(&why, err);
}

/* Commands whose first words match, for `openmef enrolee`. */
static int tell_unknown(int argc, char **argv)
{
	bool told = false;

	for (size_t i = 0; commands[i]; i++) {
		struct span path = span_text(commands[i]->path);
		if (argc && span_starts(path, argv[0]) && path.n > strlen(argv[0])) {
			fprintf(stderr, "  openmef %-22s %s\n", commands[i]->path, commands[i]->summary);
			told = true;
		}
	}
	if (!told)
		fprintf(stderr, "openmef: no command '%s'; see: openmef --help\n", argc ? argv[0] : "");
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	argc--;
	argv++;
	if (argc && strncmp(argv[0], "role-", 5) == 0)
		return cmd_role(argc, argv);
	if (argc == 0 || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
		cli_help_all();
		return argc ? EXIT_DONE : EXIT_USAGE;
	}
	if (strcmp(argv[0], "--version") == 0) {
		puts("openmef " OMEF_VERSION);
		return EXIT_DONE;
	}
	for (size_t i = 0; commands[i]; i++) {
		int n = words_of(commands[i], argc, argv);
		if (n && asks_help(argc - n, argv + n)) {
			cli_help(commands[i]);
			return EXIT_DONE;
		}
		/* serve parses for itself: its parts run before anything is allocated */
		if (n && !commands[i]->run)
			return cmd_serve(argc, argv);
		if (n)
			return run(commands[i], argc - n, argv + n);
	}
	return tell_unknown(argc, argv);
}
