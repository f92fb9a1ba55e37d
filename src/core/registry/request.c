#include "core/registry/request.h"

#include "base/base32.h"
#include "base/text.h"
#include "core/registry/audit.h"
#include "pki/digest.h"

#include <stdio.h>

enum { ROW_ARENA_MAX = STORE_CSR_MAX + 8192, DUE_MAX = 100, NAME_OCTETS = 5 };

const char *request_state_name(enum request_state s)
{
	switch (s) {
	case REQUEST_WAITING:
		return "waiting";
	case REQUEST_APPROVED:
		return "approved";
	case REQUEST_DENIED:
		return "denied";
	case REQUEST_DONE:
		return "done";
	}
	return "unknown";
}

bool request_state_parse(struct span name, enum request_state *out)
{
	for (enum request_state s = REQUEST_WAITING; s <= REQUEST_DONE; s++) {
		if (span_is_nocase(name, request_state_name(s))) {
			*out = s;
			return true;
		}
	}
	return false;
}

const char *request_kind_name(enum request_kind k)
{
	switch (k) {
	case REQUEST_ENROL:
		return "enrol";
	case REQUEST_REENROL:
		return "reenrol";
	case REQUEST_KEYGEN:
		return "serverkeygen";
	case REQUEST_CMC:
		return "fullcmc";
	}
	return "unknown";
}

void request_name(const struct request *r, char out[REQUEST_ID_SIZE])
{
	struct buf text OWNED_BUF = BUF(REQUEST_ID_SIZE);
	uint8_t digest[SHA256_SIZE];
	uint8_t numbers[9] = {(uint8_t)r->kind};

	for (int i = 0; i < 8; i++)
		numbers[1 + i] = (uint8_t)((uint64_t)r->created_s >> (56 - 8 * i));
	/* The texts' NULs are hashed too, so that none runs into the next. */
	const struct span parts[] = {span_of(r->csr_sha256, sizeof(r->csr_sha256)), span_of(numbers, sizeof(numbers)),
		span_of(r->enrolee_id, strlen(r->enrolee_id) + 1), span_of(r->est_label, strlen(r->est_label) + 1)};
	digest_sha256_parts(parts, sizeof(parts) / sizeof(parts[0]), digest);
	base32_write(&text, span_of(digest, NAME_OCTETS));
	snprintf(out, REQUEST_ID_SIZE, "%s", buf_text(&text));
}

static enum err check_word(const struct request_word *word, struct why *why)
{
	struct span by = span_text(word->by);
	struct span reason = span_text(word->reason);

	if (by.n == 0 || by.n > STORE_NAME_MAX || !text_is_utf8(by))
		return WHY(why, REQUEST_WORD, "", "name: want 1 to %d bytes of UTF-8, have %zu bytes", STORE_NAME_MAX, by.n);
	if (reason.n > STORE_REASON_MAX || (reason.n && !text_is_utf8(reason)))
		return WHY(why, REQUEST_WORD, "", "reason: want at most %d bytes of UTF-8, have %zu bytes", STORE_REASON_MAX,
			reason.n);
	if (!word->approve && reason.n == 0)
		return WHY(why, REQUEST_WORD, "RFC 7030 4.2.3", "reason: want one, the device is told it");
	return OK;
}

static enum err audit(struct store *store, const char *what, const struct request *r, const struct request_word *word,
	int64_t now_s, struct why *why)
{
	char detail[AUDIT_DETAIL_MAX];

	snprintf(detail, sizeof(detail), "request %s (%s, label '%s')%s%s%s%s", r->id, request_kind_name(r->kind), r->est_label,
		word ? ", by " : "", word ? word->by : "", word && word->reason[0] ? ": " : "", word ? word->reason : "");
	const struct audit_event event = {
		.what = what, .enrolee_id = r->enrolee_id, .actor = word ? "operator" : "mef", .detail = detail};
	return audit_write(store, &event, now_s, why);
}

enum err request_decide(
	struct store *store, const char *id, const struct request_word *word, int64_t now_s, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(ROW_ARENA_MAX);
	struct request r = {0};
	struct request_decision d = {.state = word->approve ? REQUEST_APPROVED : REQUEST_DENIED,
		.by = word->by,
		.reason = word->reason,
		.now_s = now_s};

	TRY(check_word(word, why));
	TRY(store->ops->request_find(store->self, id, &arena, &r, why));
	d.expires_s = now_s + (r.expires_s - r.created_s);
	TRY(store->ops->request_decide(store->self, id, &d, why));
	return audit(store, word->approve ? "request.approved" : "request.denied", &r, word, now_s, why);
}

struct due {
	struct arena *arena;
	struct request rows[DUE_MAX];
	size_t n;
};

/* A callback may not write: ids and what the audit tells are kept for afterwards. */
static enum err keep_due(void *arg, const struct request *r, struct why *why)
{
	struct due *due = arg;
	struct request *row = &due->rows[due->n];

	*row = *r;
	row->id = arena_text(due->arena, span_text(r->id));
	row->enrolee_id = arena_text(due->arena, span_text(r->enrolee_id));
	row->est_label = arena_text(due->arena, span_text(r->est_label));
	if (!row->id || !row->enrolee_id || !row->est_label)
		return WHY(why, NOMEM, "", "requests past their time");
	due->n++;
	return OK;
}

enum err request_erase_due(struct store *store, int64_t now_s, size_t max, size_t *erased_out, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(DUE_MAX * 512);
	struct due due = {.arena = &arena};

	*erased_out = 0;
	TRY(store->ops->request_due(store->self, now_s, max < DUE_MAX ? max : DUE_MAX, keep_due, &due, why));
	for (size_t i = 0; i < due.n; i++) {
		const struct request *r = &due.rows[i];
		TRY(store->ops->request_remove(store->self, r->id, why));
		if (r->state == REQUEST_WAITING || r->state == REQUEST_APPROVED)
			TRY(audit(store, "request.expired", r, NULL, now_s, why));
	}
	*erased_out = due.n;
	return OK;
}
