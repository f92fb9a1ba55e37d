/* Changing keys of a configuration file and nothing else in it; declared in conf.h. */
#include "app/conf/schema.h"

#include "base/text.h"

#include <stdio.h>

enum { SECTION_MAX = 128 };

struct editing {
	const struct conf_edit *edits;
	size_t n;
	bool done[CONF_EDITS_MAX];
	char section[SECTION_MAX];
	struct buf *out;
};

/* True for a line "[section]". */
static bool take_section(struct editing *e, struct span line)
{
	struct span s = span_trim(line);
	size_t end = span_find(s, ']');

	if (s.n == 0 || s.p[0] != '[' || end == s.n)
		return false;
	if (!text_copy(e->section, sizeof(e->section), span_from(span_first(s, end), 1)))
		e->section[0] = '\0';
	return true;
}

/* The edit that is about this line; NULL: none. */
static const struct conf_edit *edit_of(const struct editing *e, struct span line)
{
	size_t equals = span_find(line, '=');
	size_t colon = span_find(line, ':');
	struct span name = span_trim(span_first(line, equals < colon ? equals : colon));

	for (size_t i = 0; i < e->n; i++) {
		if (strcmp(e->edits[i].section, e->section) == 0 && span_is(name, e->edits[i].name))
			return &e->edits[i];
	}
	return NULL;
}

static struct span next_line(struct span *rest)
{
	struct span line = span_first(*rest, span_find(*rest, '\n'));

	*rest = span_from(*rest, line.n + 1);
	return line;
}

/* Which of the edits find a line of theirs. */
static void look(struct editing *e, struct span text)
{
	while (text.n) {
		struct span line = next_line(&text);
		const struct conf_edit *edit = take_section(e, line) ? NULL : edit_of(e, line);
		if (edit)
			e->done[edit - e->edits] = true;
	}
	e->section[0] = '\0';
}

static void put(struct editing *e, const struct conf_edit *edit)
{
	buf_put_fmt(e->out, "%s = %s\n", edit->name, edit->value);
}

/* Those without a line stand right behind the head of their section. */
static void put_missing(struct editing *e)
{
	for (size_t i = 0; i < e->n; i++) {
		if (e->done[i] || strcmp(e->edits[i].section, e->section) != 0)
			continue;
		put(e, &e->edits[i]);
		e->done[i] = true;
	}
}

enum err conf_edit(struct span text, const struct conf_edit *edits, size_t n, struct buf *out, struct why *why)
{
	struct editing e = {.edits = edits, .n = n, .out = out};

	if (n > CONF_EDITS_MAX)
		return WHY(why, BUG, "", "edits: want at most %d, have %zu", CONF_EDITS_MAX, n);
	look(&e, text);
	while (text.n) {
		struct span line = next_line(&text);
		bool head = take_section(&e, line);
		const struct conf_edit *edit = head ? NULL : edit_of(&e, line);
		if (edit)
			put(&e, edit);
		else
			buf_put_fmt(out, "%.*s\n", SPAN_FMT(line));
		if (head)
			put_missing(&e);
	}
	for (size_t i = 0; i < n; i++) {
		if (e.done[i])
			continue;
		buf_put_fmt(out, "\n[%s]\n", edits[i].section);
		snprintf(e.section, sizeof(e.section), "%s", edits[i].section);
		put_missing(&e);
	}
	return buf_check(out, "configuration", why);
}
