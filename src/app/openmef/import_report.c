#include "app/openmef/import.h"

#include "base/text.h"

#include <stdio.h>

static const char *const words[IMPORT_RESULTS_N] = {
	[IMPORT_ADDED] = "added", [IMPORT_EXISTS] = "exists", [IMPORT_WAS_REFUSED] = "refused"};

enum { JSON_LINE_MAX = 256 * 1024 };

/* JSON Lines: what the writer breaks and indents, on one line. Within texts a line end is written \n. */
static void put_line(struct buf *out, const struct json *j)
{
	OWNED_BUF struct buf wide = BUF(JSON_LINE_MAX);
	struct why why = {0};
	bool at_start = false;

	if (json_write(j, &wide, &why) != OK) {
		out->bad = true;
		return;
	}
	for (size_t i = 0; i < wide.n; i++) {
		bool blank = wide.p[i] == '\n' || (at_start && wide.p[i] == ' ');
		if (!blank)
			buf_put_u8(out, wide.p[i]);
		at_start = blank;
	}
	buf_put_u8(out, '\n');
}

static void report_json(struct import_report *r, const struct row *row, enum import_result result, const struct why *why,
	const char *code)
{
	OWNED_JSON struct json *j = json_object_new();

	json_put_int(j, "line", (int64_t)row->line);
	json_put_text(j, "id", row->texts[ROW_ID]);
	json_put_text(j, "result", words[result]);
	if (result == IMPORT_WAS_REFUSED) {
		json_put_text(j, "code", code);
		json_put_text(j, "reason", why->text);
	}
	put_line(&r->lines, j);
}

/* A refused id is anything at all; it must not steer the reader's screen. */
static void put_visible(struct buf *out, const char *text)
{
	struct span rest = span_first(span_text(text), STORE_ID_MAX);

	while (rest.n) {
		size_t n = text_visible(rest);
		if (n)
			buf_put_span(out, span_first(rest, n));
		else
			buf_put_u8(out, '?');
		rest = span_from(rest, n ? n : 1);
	}
}

void import_report_row(struct import_report *r, const struct row *row, enum import_result result, const struct why *why)
{
	char code[16] = "";

	r->ahead[result]++;
	if (result == IMPORT_WAS_REFUSED)
		snprintf(code, sizeof(code), "OMEF-%d", (int)why->code);
	if (r->cli->json) {
		report_json(r, row, result, why, code);
		return;
	}
	if (r->cli->quiet && result != IMPORT_WAS_REFUSED)
		return;
	buf_put_fmt(&r->lines, "line %llu ", (unsigned long long)row->line);
	put_visible(&r->lines, row->texts[ROW_ID]);
	buf_put_fmt(&r->lines, "%s%s", row->texts[ROW_ID][0] ? " " : "", words[result]);
	if (result == IMPORT_WAS_REFUSED)
		buf_put_fmt(&r->lines, " %s: %s", code, why->text);
	buf_put_u8(&r->lines, '\n');
}

enum err import_report_flush(struct import_report *r, struct why *why)
{
	TRY(buf_check(&r->lines, "results", why));
	fwrite(r->lines.p, 1, r->lines.n, stdout);
	/* Who reads the results sees them before the next rows are taken. */
	if (fflush(stdout) != 0)
		return WHY(why, SYSTEM, "", "writing to standard output failed");
	buf_clear(&r->lines);
	for (size_t i = 0; i < IMPORT_RESULTS_N; i++) {
		r->counts[i] += r->ahead[i];
		r->ahead[i] = 0;
	}
	return OK;
}

void import_report_summary(struct import_report *r, bool dry_run)
{
	OWNED_JSON struct json *j = json_object_new();
	uint64_t rows = 0;

	for (size_t i = 0; i < IMPORT_RESULTS_N; i++)
		rows += r->counts[i];
	json_put_text(j, "result", "summary");
	json_put_int(j, "rows", (int64_t)rows);
	for (size_t i = 0; i < IMPORT_RESULTS_N; i++)
		json_put_int(j, words[i], (int64_t)r->counts[i]);
	json_put_bool(j, "dry_run", dry_run);
	if (r->cli->json) {
		buf_clear(&r->lines);
		put_line(&r->lines, j);
		fwrite(r->lines.p, 1, r->lines.n, stdout);
	}
	cli_say(r->cli, "%llu rows: %llu added, %llu there already, %llu refused.%s\n", (unsigned long long)rows,
		(unsigned long long)r->counts[IMPORT_ADDED], (unsigned long long)r->counts[IMPORT_EXISTS],
		(unsigned long long)r->counts[IMPORT_WAS_REFUSED], dry_run ? " Nothing was stored." : "");
}
