#pragma once
/*
 * The audit log: each event is a JSON object, chained by hash = SHA-256(prev || seq || time || event),
 * seq and time as 64-bit big-endian. Written in the same transaction as what it tells of.
 */
#include "core/registry/batch.h"
#include "port/store.h"

/* Longer texts are cut and end in "..."; escaped sixfold all of them fit in STORE_EVENT_MAX. */
enum { AUDIT_DETAIL_MAX = 360, AUDIT_PEER_MAX = 64, AUDIT_WORD_MAX = 32 };

/*
 * Keys stand in this order, empty ones are left out: {"what","enrolee","peer","actor","serial","code","detail"}.
 */
struct audit_event {
	const char *what;       /* "certificate.issued", "enrol.refused", ... */
	const char *enrolee_id; /* NULL or "" when unknown */
	const char *peer;       /* address */
	const char *actor;      /* "mef", "operator" */
	const char *serial;     /* hex, or NULL */
	const char *detail;     /* text for people; no secrets */
	int code;               /* OMEF code of a refusal, 0 for none */
};

MUST_CHECK enum err audit_write(struct store *store, const struct audit_event *event, int64_t now_s, struct why *why);
/*
 * What did not work, in a turn of the batch of its own: the work's was rolled back. code is the cause's, and so is
 * detail, with its clause, where event has none.
 */
MUST_CHECK enum err audit_failure(struct store *store, struct batch *batch, struct audit_event event,
	const struct why *cause, int64_t now_s, struct why *why);
struct audit_report {
	uint64_t rows;
	uint64_t bad_seq; /* 0: the chain holds */
	uint8_t head[32]; /* hash of the last row; all zero when there is none */
};
/*
 * Walks the whole chain. OK also when a row is bad: then bad_seq names it and why says how. Finds any
 * change, gap or insertion. Rows cut off at the end, or a log rewritten as a whole, look good by
 * themselves: compare rows and head with a copy that is kept on another machine.
 */
MUST_CHECK enum err audit_verify(struct store *store, struct audit_report *out, struct why *why);
