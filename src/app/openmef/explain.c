#include "app/openmef/commands.h"

#include "base/text.h"

#include <stdio.h>

static enum err run_explain(struct cli *cli, struct why *why)
{
	struct span text = span_text(cli->args[0]);
	uint64_t number = 0;

	struct why cause = {0};

	if (span_equal_nocase(span_first(text, 5), span_text("OMEF-")))
		text = span_from(text, 5);
	if (text_number(text, 1, 9999, "code", &number, &cause) != OK)
		return WHY(why, CLI_USAGE, "", "want a code such as OMEF-1300, have '%.40s'", cli->args[0]);
	const struct code_page *page = code_find((int)number);
	if (!page)
		return WHY(why, CLI_NOT_FOUND, "", "OMEF-%llu: no such code", (unsigned long long)number);
	if (cli->json) {
		OWNED_JSON struct json *j = json_object_new();
		json_put_int(j, "code", (int64_t)number);
		json_put_text(j, "kind", err_name(page->kind));
		json_put_text(j, "title", page->title);
		json_put_text(j, "next", page->next);
		cli_print_json(j);
	}
	cli_say(cli, "OMEF-%d (%s)\n  %s.\n  Next: %s\n", (int)page->code, err_name(page->kind), page->title, page->next);
	return OK;
}

const struct command command_explain = {
	"explain", "CODE", 1, 1, "Say what an error code means and what to do.", NULL, NULL, run_explain};

static void print_rows_json(void)
{
	OWNED_JSON struct json *list = json_list_new();
	struct conf_row row = {0};

	for (size_t i = 0; conf_row_at(i, &row); i++) {
		struct json *j = json_object_new();
		json_put_text(j, "section", row.section);
		json_put_text(j, "key", row.name);
		json_put_text(j, "default", row.value);
		json_put_text(j, "comment", row.comment);
		json_add(list, j);
	}
	cli_print_json(list);
}

static enum err run_help_conf(struct cli *cli, struct why *why)
{
	struct conf_row row = {0};

	if (cli->json) {
		print_rows_json();
		return OK;
	}
	for (size_t i = 0; conf_row_at(i, &row); i++)
		printf("[%s] %s = %s\n    %s\n", row.section, row.name, row.value ? row.value : "(must be given)",
			row.comment);
	return OK;
}

const struct command command_help_conf = {
	"help conf", "", 0, 0, "List every configuration key.", NULL, NULL, run_help_conf};

static void manual_conf(void)
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

static enum err run_manual(struct cli *cli, struct why *why)
{
	const char *page = cli->args_n ? cli->args[0] : "openmef";

	if (strcmp(page, "openmef") == 0)
		cli_manual(openmef_program);
	else if (strcmp(page, "openmef.conf") == 0)
		manual_conf();
	else
		return WHY(why, CLI_USAGE, "", "manual: want openmef or openmef.conf, have '%.40s'", page);
	return OK;
}

const struct command command_manual = {
	"help manual", "[PAGE]", 0, 1, "Print the source of a manual page: openmef (default) or openmef.conf.", NULL, NULL, run_manual};
