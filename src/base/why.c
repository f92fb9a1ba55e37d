#include "base/why.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { WHY_PLACE_MAX = 200 };

static const struct code_page pages[] = {
#define CODE(symbol, number, kind, title, next) {CODE_##symbol, kind, #symbol, title, next},
#include "base/codes/all.def"
#undef CODE
};

const struct code_page *code_at(size_t index)
{
	return index < sizeof(pages) / sizeof(pages[0]) ? &pages[index] : NULL;
}

const struct code_page *code_find(int number)
{
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		if ((int)pages[i].code == number)
			return &pages[i];
	}
	return NULL;
}

static void make_printable(char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		size_t n = text_visible(span_of(text, left));
		if (n == 0) {
			*text = '?';
			n = 1;
		}
		text += n;
		left -= n;
	}
}

enum err why_set(struct why *why, enum code code, const char *clause, const char *file, int line,
	const char *fmt, ...)
{
	const struct code_page *page = code_find((int)code);
	enum err kind = page ? page->kind : ERR_BUG;

	if (why->kind != OK)
		return kind;
	why->kind = kind;
	why->code = code;
	why->file = file;
	why->line = line;
	snprintf(why->clause, sizeof(why->clause), "%s", clause ? clause : "");
	va_list args;
	va_start(args, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, args);
	va_end(args);
	make_printable(why->text);
	return kind;
}

enum err why_within(enum err err, const char *place, struct why *why)
{
	char text[WHY_TEXT_MAX];
	size_t n = place ? strlen(place) : 0;
	bool cut = n > WHY_PLACE_MAX;

	if (err == OK || n == 0 || strncmp(why->text, place, n) == 0)
		return err;
	memcpy(text, why->text, sizeof(text));
	/* The end of a path says more than its beginning, and the reason more than either. */
	int head = snprintf(why->text, sizeof(why->text), "%s%s: ", cut ? "..." : "", cut ? place + n - WHY_PLACE_MAX : place);
	if (head > 0 && head < WHY_TEXT_MAX)
		memcpy(why->text + head, text, sizeof(why->text) - (size_t)head);
	why->text[WHY_TEXT_MAX - 1] = '\0';
	make_printable(why->text);
	return err;
}

void why_clear(struct why *why)
{
	memset(why, 0, sizeof(*why));
}

const char *err_name(enum err kind)
{
	switch (kind) {
	case OK:
		return "OK";
	case ERR_SYNTAX:
		return "SYNTAX";
	case ERR_UNSUPPORTED:
		return "UNSUPPORTED";
	case ERR_UNAUTHENTICATED:
		return "UNAUTHENTICATED";
	case ERR_FORBIDDEN:
		return "FORBIDDEN";
	case ERR_NOT_FOUND:
		return "NOT_FOUND";
	case ERR_CONFLICT:
		return "CONFLICT";
	case ERR_LIMIT:
		return "LIMIT";
	case ERR_EXPIRED:
		return "EXPIRED";
	case ERR_PENDING:
		return "PENDING";
	case ERR_NOMEM:
		return "NOMEM";
	case ERR_SYSTEM:
		return "SYSTEM";
	case ERR_CRYPTO:
		return "CRYPTO";
	case ERR_STORE:
		return "STORE";
	case ERR_BUG:
		return "BUG";
	}
	return "UNKNOWN";
}

/* The text of a server that was asked ends with what to do next; two of those would contradict each other. */
static int print_relayed(const struct why *why, const char *title, char *out, size_t size)
{
	size_t n = strlen(why->text);

	while (n && (why->text[n - 1] == '.' || why->text[n - 1] == ' '))
		n--;
	return snprintf(out, size, "OMEF-%d: %s: %.*s.", (int)why->code, title, (int)n, why->text);
}

size_t why_print(const struct why *why, char *out, size_t size)
{
	const struct code_page *page = code_find((int)why->code);
	const char *title = page ? page->title : "Unknown failure";
	const char *open = why->clause[0] ? " (" : "";
	const char *shut = why->clause[0] ? ")" : "";
	const char *relayed = strstr(why->text, ". Next: ");
	size_t text_n = relayed ? (size_t)(relayed - why->text) : strlen(why->text);
	int n = 0;

	/* a next step that was cut off is none */
	if (relayed && strlen(why->text) < WHY_TEXT_MAX - 1)
		n = print_relayed(why, title, out, size);
	else
		n = snprintf(out, size, "OMEF-%d: %s: %.*s%s%s%s. Next: %s", (int)why->code, title, (int)text_n, why->text,
			open, why->clause, shut, page ? page->next : "Report it.");
	if (n < 0 || size == 0)
		return 0;
	return (size_t)n < size ? (size_t)n : size - 1;
}
