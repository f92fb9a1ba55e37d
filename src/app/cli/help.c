#include "app/cli/cli.h"

#include <stdio.h>

/* Options of every command; the meaning of --dir is the program's own. */
static void print_common(const struct cli_program *p, void (*print)(const struct cli_option *))
{
	const struct cli_option options[] = {{"dir", "DIR", p->dir_help}, {"json", NULL, "Print JSON."},
		{"quiet", NULL, "Print only failures."}, {NULL, NULL, NULL}};

	print(options);
}

static const char exit_codes[] = "0 done, 1 failed, 2 usage, 3 not found, 4 denied, 5 unreachable, 6 nothing to do, 7 asked to come back later";

/* One line of text, broken at blanks; what follows the first part stands under it. */
static void print_wrapped(struct span line, size_t column)
{
	enum { WIDTH = 100 };
	size_t room = WIDTH - column;

	while (line.n > room) {
		size_t n = room;
		while (n && line.p[n] != ' ')
			n--;
		if (n == 0)
			break;
		printf("%.*s\n%*s", SPAN_FMT(span_first(line, n)), (int)column, "");
		line = span_from(line, n + 1);
	}
	printf("%.*s\n", SPAN_FMT(line));
}

static void print_text(const char *text)
{
	struct span rest = span_text(text);

	while (rest.n) {
		struct span line = span_first(rest, span_find(rest, '\n'));
		print_wrapped(line, 0);
		rest = span_from(rest, line.n + 1);
	}
}

static void print_options(const struct cli_option *options)
{
	enum { LEFT = 25 };

	for (; options && options->name; options++) {
		char left[64];
		int n = snprintf(left, sizeof(left), "--%s%s%s", options->name, options->arg ? " " : "",
			options->arg ? options->arg : "");
		printf("  %-*s ", LEFT - 1, left);
		if (n >= LEFT)
			printf("\n%*s", LEFT + 2, "");
		print_wrapped(span_text(options->help), LEFT + 2);
	}
}

void cli_help(const struct cli_program *p, const struct command *c)
{
	printf("%s %s: %s\n\nUsage: %s %s%s%s%s\n", p->name, c->path, c->summary, p->name, c->path,
		c->args[0] ? " " : "", c->args, c->options ? " [options]" : "");
	if (c->detail) {
		putchar('\n');
		print_text(c->detail);
	}
	printf("\nOptions:\n");
	print_options(c->options);
	print_common(p, print_options);
	char codes[sizeof(exit_codes) + 16];
	snprintf(codes, sizeof(codes), "Exit codes: %s.", exit_codes);
	putchar('\n');
	print_wrapped(span_text(codes), 0);
}

void cli_help_all(const struct cli_program *p)
{
	printf("%s %s.\n\nUsage: %s COMMAND [options]\n\nCommands:\n", p->name, p->summary, p->name);
	for (size_t i = 0; p->commands[i]; i++)
		printf("  %-18s %s\n", p->commands[i]->path, p->commands[i]->summary);
	printf("\n`%s COMMAND --help` tells the options of each. %s", p->name, p->intro ? p->intro : "\n");
}

/* roff: a backslash and a leading dot or quote have a meaning of their own. */
void roff_text(const char *text)
{
	bool line_start = true;

	for (; *text; text++) {
		if (line_start && (*text == '.' || *text == '\''))
			fputs("\\&", stdout);
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
		line_start = *text == '\n';
	}
	putchar('\n');
}

static void roff_options(const struct cli_option *options)
{
	for (; options && options->name; options++) {
		printf(".TP\n\\fB\\-\\-%s\\fR", options->name);
		if (options->arg)
			printf(" \\fI%s\\fR", options->arg);
		putchar('\n');
		roff_text(options->help);
	}
}

void roff_head(const char *name, int section, const char *summary)
{
	printf(".TH %s %d \"\" \"OpenMEF " OMEF_VERSION "\"\n.SH NAME\n%s \\- %s\n", name, section, name, summary);
}

void cli_manual(const struct cli_program *p)
{
	roff_head(p->name, 1, p->summary);
	printf(".SH SYNOPSIS\n.B %s\n.I command\n[options]\n.SH COMMANDS\n", p->name);
	for (size_t i = 0; p->commands[i]; i++) {
		const struct command *c = p->commands[i];
		printf(".SS \"%s %s%s%s\"\n", p->name, c->path, c->args[0] ? " " : "", c->args);
		roff_text(c->summary);
		if (c->detail) {
			puts(".PP");
			roff_text(c->detail);
		}
		roff_options(c->options);
	}
	puts(".SH \"COMMON OPTIONS\"");
	print_common(p, roff_options);
	if (p->manual)
		fputs(p->manual, stdout);
	puts(".SH \"EXIT STATUS\"");
	roff_text(exit_codes);
	printf(".SH \"SEE ALSO\"\n%s\n", p->see_also);
}
