#include "app/cli/cli.h"

#include "adapt/sys/clock.h"
#include "adapt/sys/random.h"

#include <stdio.h>

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

static int fail(const struct cli_program *p, const struct why *why, enum err err)
{
	char line[2 * WHY_TEXT_MAX + 256];

	why_print(why, line, sizeof(line));
	fprintf(stderr, "%s: %s\n", p->name, line);
	if (why->code == CODE_CLI_USAGE)
		return EXIT_USAGE;
	if (why->code == CODE_AGENT_CONNECT || why->code == CODE_SERVER_DOWN)
		return EXIT_UNREACHABLE;
	return (int)cli_exit_code(err);
}

static int run(const struct cli_program *p, const struct command *c, int argc, char **argv)
{
	struct cli cli = {.program = p, .command = c, .clock = clock_system(), .random = random_system()};
	struct why why = {0};

	enum err err = cli_parse(&cli, argc, argv, &why);
	if (err == OK)
		err = c->run(&cli, &why);
	if ((fflush(stdout) != 0 || ferror(stdout)) && err == OK)
		err = WHY(&why, SYSTEM, "", "writing to standard output failed");
	if (err != OK)
		return fail(p, &why, err);
	return cli.exit_nothing ? EXIT_NOTHING : EXIT_DONE;
}

/* "enrolee" alone, or with a second word that is none of its commands. */
static bool tell_group(const struct cli_program *p, const char *word, FILE *out)
{
	bool told = false;

	for (size_t i = 0; p->commands[i]; i++) {
		struct span path = span_text(p->commands[i]->path);
		if (span_is(span_first(path, span_find(path, ' ')), word)) {
			fprintf(out, "  %s %-18s %s\n", p->name, p->commands[i]->path, p->commands[i]->summary);
			told = true;
		}
	}
	return told;
}

static int tell_unknown(const struct cli_program *p, int argc, char **argv)
{
	bool more = argc > 1 && argv[1][0] != '-';

	if (asks_help(argc - 1, argv + 1) && tell_group(p, argv[0], stdout))
		return EXIT_DONE;
	fprintf(stderr, "%s: no command '%s%s%s'; there are\n", p->name, argv[0], more ? " " : "", more ? argv[1] : "");
	if (!tell_group(p, argv[0], stderr))
		fprintf(stderr, "  those that `%s --help` lists\n", p->name);
	return EXIT_USAGE;
}

/* "help enrolee add" is "enrolee add --help". */
static int help_on(const struct cli_program *p, int argc, char **argv)
{
	for (size_t i = 0; p->commands[i]; i++) {
		if (words_of(p->commands[i], argc, argv)) {
			cli_help(p, p->commands[i]);
			return EXIT_DONE;
		}
	}
	if (argc && tell_group(p, argv[0], stdout))
		return EXIT_DONE;
	if (argc)
		return tell_unknown(p, argc, argv);
	cli_help_all(p);
	return EXIT_DONE;
}

int cli_main(const struct cli_program *p, int argc, char **argv, int (*other)(int argc, char **argv))
{
	if (argc == 0 || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
		cli_help_all(p);
		return argc ? EXIT_DONE : EXIT_USAGE;
	}
	if (strcmp(argv[0], "--version") == 0) {
		printf("%s " OMEF_VERSION "\n", p->name);
		return EXIT_DONE;
	}
	for (size_t i = 0; p->commands[i]; i++) {
		const struct command *c = p->commands[i];
		int n = words_of(c, argc, argv);
		if (n && asks_help(argc - n, argv + n)) {
			cli_help(p, c);
			return EXIT_DONE;
		}
		if (n && !c->run)
			return other(argc, argv);
		if (n)
			return run(p, c, argc - n, argv + n);
	}
	if (strcmp(argv[0], "help") == 0)
		return help_on(p, argc - 1, argv + 1);
	return tell_unknown(p, argc, argv);
}
