#include "app/cli/cli.h"

#include "base/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static size_t option_index(const struct command *c, struct span name)
{
	size_t i = 0;

	while (c->options && c->options[i].name && !span_is(name, c->options[i].name))
		i++;
	if (!c->options || !c->options[i].name)
		return CLI_OPTIONS_MAX;
	assert(i < CLI_OPTIONS_MAX); /* else a command has more options than its values have room for */
	return i;
}

size_t cli_values(const struct cli *cli, const char *name, const char *const **values_out)
{
	size_t i = option_index(cli->command, span_text(name));

	if (i == CLI_OPTIONS_MAX)
		return 0;
	*values_out = cli->values[i];
	return cli->counts[i];
}

const char *cli_value(const struct cli *cli, const char *name)
{
	const char *const *values = NULL;

	return cli_values(cli, name, &values) ? values[0] : NULL;
}

bool cli_flag(const struct cli *cli, const char *name)
{
	return cli_value(cli, name) != NULL;
}

static enum err usage(const struct cli *cli, const char *text, const char *what, struct why *why)
{
	return WHY(why, CLI_USAGE, "", "%s %s: %s%s%s (see: %s %s --help)", cli->program->name, cli->command->path,
		text, what[0] ? " " : "", what, cli->program->name, cli->command->path);
}

static enum err keep(struct cli *cli, size_t index, const char *value, struct why *why)
{
	if (cli->counts[index] == CLI_REPEAT_MAX)
		return usage(cli, "too many times", cli->command->options[index].name, why);
	cli->values[index][cli->counts[index]++] = value;
	return OK;
}

/* One option at argv[*i]; moves *i past a value that stands apart. */
static enum err parse_option(struct cli *cli, int argc, char **argv, int *i, struct why *why)
{
	struct span word = span_from(span_text(argv[*i]), 2);
	size_t equals = span_find(word, '=');
	struct span name = span_first(word, equals);
	const char *value = equals < word.n ? (const char *)word.p + equals + 1 : NULL;
	bool is_dir = span_is(name, "dir");
	size_t index = option_index(cli->command, name);

	bool is_common = span_is(name, "json") || span_is(name, "quiet");
	if (is_common && value)
		return usage(cli, "no value wanted for", argv[*i], why);
	if (is_common) {
		*(span_is(name, "json") ? &cli->json : &cli->quiet) = true;
		return OK;
	}
	if (!is_dir && index == CLI_OPTIONS_MAX)
		return usage(cli, "unknown option", argv[*i], why);
	if (!is_dir && !cli->command->options[index].arg)
		return value ? usage(cli, "no value wanted for", argv[*i], why) : keep(cli, index, "", why);
	if (!value && ++*i < argc)
		value = argv[*i];
	if (!value)
		return usage(cli, "want a value for", argv[*i - 1], why);
	if (!is_dir)
		return keep(cli, index, value, why);
	cli->dir = value;
	return OK;
}

enum err cli_parse(struct cli *cli, int argc, char **argv, struct why *why)
{
	bool only_args = false;

	for (int i = 0; i < argc; i++) {
		struct span word = span_text(argv[i]);
		if (!only_args && span_is(word, "--")) {
			only_args = true;
		} else if (!only_args && span_starts(word, "--")) {
			TRY(parse_option(cli, argc, argv, &i, why));
		} else if (cli->args_n == cli->command->args_max) {
			return usage(cli, "one argument too many:", argv[i], why);
		} else {
			cli->args[cli->args_n++] = argv[i];
		}
	}
	if (cli->args_n < cli->command->args_min)
		return usage(cli, "want", cli->command->args, why);
	return OK;
}

enum exit_code cli_exit_code(enum err err)
{
	switch (err) {
	case OK:
		return EXIT_DONE;
	case ERR_NOT_FOUND:
		return EXIT_NOT_FOUND;
	case ERR_UNAUTHENTICATED:
	case ERR_FORBIDDEN:
	case ERR_EXPIRED:
		return EXIT_DENIED;
	case ERR_PENDING:
		return EXIT_LATER;
	case ERR_CONFLICT:
	case ERR_SYNTAX:
	case ERR_UNSUPPORTED:
	case ERR_LIMIT:
	case ERR_NOMEM:
	case ERR_SYSTEM:
	case ERR_CRYPTO:
	case ERR_STORE:
	case ERR_BUG:
		return EXIT_FAILED;
	}
	return EXIT_FAILED;
}

void cli_say(const struct cli *cli, const char *fmt, ...)
{
	va_list args;

	if (cli->json || cli->quiet)
		return;
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
}

void cli_print_json(const struct json *j)
{
	OWNED_BUF struct buf out = BUF(64 * 1024 * 1024);
	struct why why = {0};

	if (json_write(j, &out, &why) != OK) {
		fprintf(stderr, "%s\n", why.text);
		return;
	}
	fwrite(out.p, 1, out.n, stdout);
}
