#include "app/openmef/cli.h"

#include <stdio.h>

static const struct cli_option common_options[] = {
	{"dir", "DIR", "OpenMEF directory; else OPENMEF_DIR, else the current one when it holds openmef.conf, else /var/lib/openmef."},
	{"json", NULL, "Print JSON."},
	{"quiet", NULL, "Print only failures."},
	{NULL, NULL, NULL},
};

static const char exit_codes[] = "0 done, 1 failed, 2 usage, 3 not found, 4 denied, 5 unreachable, 6 nothing to do";

static void print_options(const struct cli_option *options)
{
	for (; options && options->name; options++) {
		char left[64];
		snprintf(left, sizeof(left), "--%s%s%s", options->name, options->arg ? " " : "",
			options->arg ? options->arg : "");
		printf("  %-24s %s\n", left, options->help);
	}
}

void cli_help(const struct command *c)
{
	printf("openmef %s: %s\n\nUsage: openmef %s%s%s%s\n", c->path, c->summary, c->path,
		c->args[0] ? " " : "", c->args, c->options ? " [options]" : "");
	if (c->detail)
		printf("\n%s\n", c->detail);
	printf("\nOptions:\n");
	print_options(c->options);
	print_options(common_options);
	printf("\nExit codes: %s.\n", exit_codes);
}

void cli_help_all(void)
{
	printf("OpenMEF gives identities and keys to fleets of devices (oneM2M enrolment, EST).\n\n"
	       "Usage: openmef COMMAND [options]\n\nCommands:\n");
	for (size_t i = 0; commands[i]; i++)
		printf("  %-18s %s\n", commands[i]->path, commands[i]->summary);
	printf("\n`openmef COMMAND --help` tells the options of each. First steps:\n"
	       "  openmef init --fqdn mef.example.com --dir /var/lib/openmef\n"
	       "  openmef serve --dir /var/lib/openmef\n");
}

/* roff: a backslash and a leading dot or quote have a meaning of their own. */
static void roff_text(const char *text)
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

static void roff_head(const char *name, int section, const char *summary)
{
	printf(".TH %s %d \"\" \"OpenMEF " OMEF_VERSION "\"\n.SH NAME\n%s \\- %s\n", name, section, name, summary);
}

void cli_manual(void)
{
	roff_head("openmef", 1, "gives identities and keys to fleets of devices");
	puts(".SH SYNOPSIS\n.B openmef\n.I command\n[options]\n.SH DESCRIPTION");
	roff_text("OpenMEF is an M2M Enrolment Function (oneM2M TS-0003): EST server, registration authority and certification authority in separate processes, with a registry of enrolees.");
	puts(".SH COMMANDS");
	for (size_t i = 0; commands[i]; i++) {
		const struct command *c = commands[i];
		printf(".SS \"openmef %s%s%s\"\n", c->path, c->args[0] ? " " : "", c->args);
		roff_text(c->summary);
		if (c->detail) {
			puts(".PP");
			roff_text(c->detail);
		}
		roff_options(c->options);
	}
	puts(".SH \"COMMON OPTIONS\"");
	roff_options(common_options);
	puts(".SH \"EXIT STATUS\"");
	roff_text(exit_codes);
	puts(".SH \"SEE ALSO\"\n.BR openmef.conf (5),\n.BR enrolee (1)");
}

void cli_manual_conf(void)
{
	struct conf_row row = {0};
	const char *section = "";

	roff_head("openmef.conf", 5, "configuration of OpenMEF");
	puts(".SH DESCRIPTION");
	roff_text("An INI file: [section], then key = value lines; # starts a comment. `openmef init` writes it with every key and its comment. Relative paths start where the file lies. [profile NAME] and [label NAME] may appear several times; [label default] is the EST path without a label.");
	for (size_t i = 0; conf_row_at(i, &row); i++) {
		if (strcmp(section, row.section) != 0)
			printf(".SH \"[%s]\"\n", row.section);
		section = row.section;
		printf(".TP\n\\fB%s\\fR", row.name);
		if (row.value)
			printf(" (default: %s)\n", row.value[0] ? row.value : "empty");
		else
			puts(" (must be given)");
		roff_text(row.comment);
	}
	puts(".SH \"SEE ALSO\"\n.BR openmef (1)");
}
