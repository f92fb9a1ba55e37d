#include "adapt/store/check.h"

#include "base/date.h"

enum err store_no_request(const char *id, struct why *why)
{
	return WHY(why, STORE_NO_REQUEST, "", "request '%.40s': want it stored, have none", store_text(id));
}

enum err store_request_exists(const struct request *r, struct why *why)
{
	return WHY(why, STORE_REQUEST_EXISTS, "", "request '%s' of '%s': want a new id and a new CSR", r->id, r->enrolee_id);
}

enum err store_check_waiting(const struct request *r, uint64_t of_enrolee, uint64_t in_all, struct why *why)
{
	if (of_enrolee >= STORE_REQUESTS_PER_ENROLEE)
		return WHY(why, STORE_REQUESTS_MANY, "RFC 7030 4.2.3", "enrolee '%s': want at most %d waiting requests, have as many",
			r->enrolee_id, STORE_REQUESTS_PER_ENROLEE);
	if (in_all >= STORE_REQUESTS_MAX)
		return WHY(why, STORE_REQUESTS_MANY, "RFC 7030 4.2.3", "MEF: want at most %d waiting requests, have as many",
			STORE_REQUESTS_MAX);
	return OK;
}

static const char *state_text(enum request_state state)
{
	switch (state) {
	case REQUEST_WAITING:
		return "waiting";
	case REQUEST_APPROVED:
		return "approved";
	case REQUEST_DENIED:
		return "denied";
	case REQUEST_DONE:
		return "answered with a certificate";
	}
	return "in no known state";
}

enum err store_check_decide(const struct request *r, int64_t now_s, struct why *why)
{
	char end[DATE_TEXT_SIZE];
	char at[DATE_TEXT_SIZE];

	if (r->state != REQUEST_WAITING) {
		date_text(r->decided_s, at);
		return WHY(why, STORE_REQUEST_DECIDED, "", "request %s: want one that waits, have one %s%s%.*s%s%s", r->id,
			state_text(r->state), r->decided_by[0] ? " by " : "", STORE_NAME_MAX, r->decided_by, r->decided_s ? " at " : "",
			r->decided_s ? at : "");
	}
	if (r->expires_s > now_s)
		return OK;
	date_text(r->expires_s, end);
	return WHY(why, STORE_REQUEST_OVER, "", "request %s: it waited until %s", r->id, end);
}

enum err store_check_done(const struct request *r, struct why *why)
{
	if (r->state != REQUEST_WAITING && r->state != REQUEST_APPROVED)
		return WHY(why, STORE_REQUEST_DECIDED, "", "request %s: want one that is approved, have one %s", r->id,
			state_text(r->state));
	return OK;
}

bool store_copy_request(struct request *r, struct arena *arena)
{
	struct request from = *r;

	r->id = arena_text(arena, span_text(from.id));
	r->enrolee_id = arena_text(arena, span_text(from.enrolee_id));
	r->est_label = arena_text(arena, span_text(from.est_label));
	r->decided_by = arena_text(arena, span_text(from.decided_by));
	r->reason = arena_text(arena, span_text(from.reason));
	r->csr = arena_copy(arena, from.csr);
	r->nonce = arena_copy(arena, from.nonce);
	r->serial = arena_copy(arena, from.serial);
	return r->id && r->enrolee_id && r->est_label && r->decided_by && r->reason && r->csr.n == from.csr.n
		&& r->nonce.n == from.nonce.n && r->serial.n == from.serial.n;
}
