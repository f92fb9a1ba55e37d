#include "core/registry/audit.h"

#include "base/json_text.h"
#include "base/text.h"
#include "pki/digest.h"

#include <stdio.h>

enum { PAGE_ROWS = 500 };

static void chain_hash(const uint8_t prev[32], uint64_t seq, int64_t time_s, const char *event, uint8_t out[32])
{
	uint8_t numbers[16];

	for (int i = 0; i < 8; i++) {
		numbers[i] = (uint8_t)(seq >> (56 - 8 * i));
		numbers[8 + i] = (uint8_t)((uint64_t)time_s >> (56 - 8 * i));
	}
	const struct span parts[] = {span_of(prev, 32), span_of(numbers, sizeof(numbers)), span_text(event)};
	digest_sha256_parts(parts, sizeof(parts) / sizeof(parts[0]), out);
}

/* Cut before a character's continuation bytes, so that no half character is left. */
static struct span cut(struct span text, size_t max)
{
	if (text.n <= max)
		return text;
	while (max > 0 && (text.p[max] & 0xc0) == 0x80)
		max--;
	return span_first(text, max);
}

static void put_field(struct buf *out, const char *key, const char *value, size_t max)
{
	char text[AUDIT_DETAIL_MAX + 4];

	if (!value || !value[0])
		return;
	struct span whole = span_text(value);
	struct span kept = cut(whole, max);
	memcpy(text, kept.p, kept.n);
	if (kept.n < whole.n)
		memcpy(text + kept.n, "...", 3);
	buf_put_fmt(out, "%s\"%s\":", out->n > 1 ? "," : "", key);
	json_text_write(out, span_of(text, kept.n + (kept.n < whole.n ? 3 : 0)));
}

static void put_event(struct buf *out, const struct audit_event *e)
{
	buf_put_u8(out, '{');
	put_field(out, "what", e->what, AUDIT_WORD_MAX);
	put_field(out, "enrolee", e->enrolee_id, STORE_ID_MAX);
	put_field(out, "peer", e->peer, AUDIT_PEER_MAX);
	put_field(out, "actor", e->actor, AUDIT_WORD_MAX);
	put_field(out, "serial", e->serial, 2 * STORE_SERIAL_MAX);
	if (e->code)
		buf_put_fmt(out, "%s\"code\":%d", out->n > 1 ? "," : "", e->code);
	put_field(out, "detail", e->detail, AUDIT_DETAIL_MAX);
	buf_put_u8(out, '}');
}

enum err audit_write(struct store *store, const struct audit_event *event, int64_t now_s, struct why *why)
{
	struct buf text OWNED_BUF = BUF(STORE_EVENT_MAX - 1);
	struct audit_row row = {.time_s = now_s};

	put_event(&text, event);
	if (text.bad)
		return WHY(why, AUDIT_EVENT, "", "event '%s': want less than %d bytes", event->what, STORE_EVENT_MAX);
	row.event = buf_text(&text);
	TRY(store->ops->audit_head(store->self, &row.seq, row.prev, why));
	row.seq++;
	chain_hash(row.prev, row.seq, row.time_s, row.event, row.hash);
	return store->ops->audit_add(store->self, &row, why);
}

enum err audit_failure(struct store *store, struct batch *batch, struct audit_event event, const struct why *cause,
	int64_t now_s, struct why *why)
{
	char text[WHY_TEXT_MAX + WHY_CLAUSE_MAX + 4];
	const char *open = cause->clause[0] ? " (" : "";
	const char *shut = cause->clause[0] ? ")" : "";

	snprintf(text, sizeof(text), "%s%s%s%s", cause->text, open, cause->clause, shut);
	event.code = (int)cause->code;
	if (!event.detail || !event.detail[0])
		event.detail = text;
	TRY(batch_enter(batch, why));
	enum err err = audit_write(store, &event, now_s, why);
	enum err left = batch_leave(batch, err == OK, why);
	return err != OK ? err : left;
}

struct walk {
	struct audit_report *report;
	struct why *why;
	size_t page;
	/* The store's head as it was before the walk: rows that came since stand behind it. */
	uint64_t head_seq;
	uint8_t head[32];
};

static enum err blame(struct walk *w, uint64_t seq, const char *how)
{
	w->report->bad_seq = seq;
	WHY(w->why, AUDIT_CHAIN, "", "row %llu: %s", (unsigned long long)seq, how);
	return OK;
}

static enum err walk_row(void *arg, const struct audit_row *row, struct why *why)
{
	struct walk *w = arg;
	uint64_t want = w->report->rows + 1;
	uint8_t hash[32];

	(void)why;
	w->page++;
	if (w->report->bad_seq)
		return OK;
	if (row->seq != want)
		return blame(w, want, row->seq > want ? "it is missing" : "it stands twice");
	if (memcmp(row->prev, w->report->head, 32) != 0)
		return blame(w, want, "it does not follow the row before it");
	chain_hash(row->prev, row->seq, row->time_s, row->event, hash);
	if (memcmp(hash, row->hash, 32) != 0)
		return blame(w, want, "its event, time or hash was changed");
	if (want == w->head_seq && memcmp(hash, w->head, 32) != 0)
		return blame(w, want, "the store's head is not this row");
	memcpy(w->report->head, hash, 32);
	w->report->rows = want;
	return OK;
}

enum err audit_verify(struct store *store, struct audit_report *out, struct why *why)
{
	struct walk w = {.report = out, .why = why};

	*out = (struct audit_report){0};
	TRY(store->ops->audit_head(store->self, &w.head_seq, w.head, why));
	do {
		struct why page_why = {0};
		w.page = 0;
		enum err err = store->ops->audit_list(store->self, out->rows + 1, PAGE_ROWS, walk_row, &w, &page_why);
		if (err != OK) {
			*why = page_why;
			return err;
		}
	} while (w.page == PAGE_ROWS && !out->bad_seq);
	if (!out->bad_seq && out->rows < w.head_seq)
		return blame(&w, out->rows + 1, "it is missing, though the store's head stands behind it");
	return OK;
}
