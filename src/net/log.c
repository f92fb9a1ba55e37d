#include "net/log.h"

#include "base/date.h"
#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
	TAIL = 8, /* what closes a line that was cut: "...", quote, brace, newline */
	VALUE_LEAST = 32,
};

struct line {
	char p[LOG_LINE_MAX];
	size_t n;
	bool cut;
};

static struct {
	enum log_form form;
	enum log_level least;
	char role[32];
	unsigned long lost;
} state = {.form = LOG_TEXT, .least = LOG_INFO_};

void log_open(enum log_form form, enum log_level least, const char *role)
{
	state.form = form;
	state.least = least;
	snprintf(state.role, sizeof(state.role), "%s", role);
}

/* All of it or nothing: no half escape, no half character. */
static void put(struct line *l, const char *p, size_t n)
{
	if (l->cut || n > sizeof(l->p) - TAIL - l->n) {
		l->cut = true;
		return;
	}
	memcpy(l->p + l->n, p, n);
	l->n += n;
}

static void put_text(struct line *l, const char *text)
{
	put(l, text, strlen(text));
}

static size_t character(const char *p, size_t left)
{
	return (unsigned char)p[0] < 0x80 ? 1 : text_visible(span_of(p, left));
}

static void put_escaped(struct line *l, const char *text)
{
	size_t left = strlen(text);

	for (size_t n; left; text += n, left -= n) {
		unsigned char c = (unsigned char)*text;
		char code[8];
		n = character(text, left);
		if (c == '"' || c == '\\') {
			put(l, (char[]){'\\', (char)c}, 2);
		} else if (n == 0) {
			put_text(l, state.form == LOG_JSON ? "\\ufffd" : "\\xff");
			n = 1;
		} else if (c < 0x20 || c == 0x7f) {
			snprintf(code, sizeof(code), "\\u%04x", c);
			put_text(l, code);
		} else {
			put(l, text, n);
		}
	}
}

static bool is_plain(const char *text)
{
	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text <= 0x20 || *text == 0x7f || *text == '"' || *text == '\\' || *text == '=')
			return false;
	}
	return true;
}

/* Closed also where the value was cut, so that a line always reads as JSON. */
static void put_quoted(struct line *l, const char *text)
{
	put_text(l, "\"");
	if (l->cut)
		return;
	put_escaped(l, text);
	if (l->cut) {
		memcpy(l->p + l->n, "...", 3);
		l->n += 3;
	}
	l->p[l->n++] = '"';
}

static void put_value(struct line *l, const char *value)
{
	size_t before = l->n;

	if (state.form == LOG_TEXT && is_plain(value)) {
		put_text(l, value);
		if (!l->cut)
			return;
		l->n = before;
		l->cut = false;
	}
	put_quoted(l, value);
}

/* A field begins only where at least a short value still fits; later ones are left out then. */
static void put_field(struct line *l, const char *name, const char *value)
{
	size_t before = l->n;

	if (state.form == LOG_JSON) {
		put_text(l, l->n == 0 ? "{" : ",");
		put_quoted(l, name);
		put_text(l, ":");
	} else {
		put_text(l, " ");
		put_text(l, name);
		put_text(l, "=");
	}
	if (l->cut || l->n + VALUE_LEAST > sizeof(l->p) - TAIL) {
		l->n = before;
		l->cut = true;
		return;
	}
	put_value(l, value);
}

static const char *level_name(enum log_level level)
{
	switch (level) {
	case LOG_DEBUG_:
		return "debug";
	case LOG_INFO_:
		return "info";
	case LOG_WARN_:
		return "warn";
	case LOG_ERROR_:
		return "error";
	}
	return "unknown";
}

static void now_text(char out[DATE_TEXT_SIZE + 8])
{
	struct timespec now = {0};
	char date[DATE_TEXT_SIZE];

	clock_gettime(CLOCK_REALTIME, &now);
	date_text(now.tv_sec, date);
	date[strlen(date) - 1] = '\0'; /* its Z comes after the milliseconds */
	snprintf(out, DATE_TEXT_SIZE + 8, "%s.%03uZ", date, (unsigned int)(now.tv_nsec / 1000000) % 1000);
}

static void begin(struct line *l, enum log_level level, const char *event)
{
	char now[DATE_TEXT_SIZE + 8];

	l->n = 0;
	l->cut = false;
	now_text(now);
	if (state.form == LOG_JSON) {
		put_field(l, "time", now);
		put_field(l, "level", level_name(level));
		put_field(l, "role", state.role);
		put_field(l, "event", event);
		return;
	}
	put_text(l, now);
	put_text(l, " ");
	put_text(l, level_name(level));
	put_text(l, " ");
	put_text(l, state.role[0] ? state.role : "-");
	put_text(l, " ");
	put_escaped(l, event);
}

static void finish(struct line *l)
{
	if (state.form == LOG_JSON)
		l->p[l->n++] = '}';
	l->p[l->n++] = '\n';
	struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
	if (poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) &&
		write(STDERR_FILENO, l->p, l->n) == (ssize_t)l->n)
		return;
	state.lost++;
}

static void tell_lost(struct line *l)
{
	char count[24];

	if (!state.lost)
		return;
	snprintf(count, sizeof(count), "%lu", state.lost);
	put_field(l, "lines_lost", count);
	state.lost = 0;
}

void log_event(enum log_level level, const char *event, ...)
{
	struct line l;
	va_list args;
	int error = errno;

	if (level < state.least)
		return;
	begin(&l, level, event);
	tell_lost(&l);
	va_start(args, event);
	for (const char *name = va_arg(args, const char *); name; name = va_arg(args, const char *)) {
		const char *value = va_arg(args, const char *);
		put_field(&l, name, value ? value : "");
	}
	va_end(args);
	finish(&l);
	errno = error;
}

void log_why(enum log_level level, const char *event, const struct why *why)
{
	const struct code_page *page = code_find((int)why->code);
	char code[24];
	char place[96];

	snprintf(code, sizeof(code), "OMEF-%04d", (int)why->code);
	const char *file = why->file ? why->file : "";
	const char *base = strrchr(file, '/');
	snprintf(place, sizeof(place), "%s:%d", base ? base + 1 : file, why->line);
	log_event(level, event, "code", code, "kind", err_name(why->kind), "what", page ? page->title : "", "reason",
		why->text, "clause", why->clause, "next", page ? page->next : "", "place", place, NULL);
}
