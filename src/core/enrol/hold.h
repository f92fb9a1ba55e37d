#pragma once
/*
 * Requests that a label holds for a person (RFC 7030 4.2.3). A request is known again by enrolee, label, kind and CSR;
 * the same bytes are answered by what became of it, other bytes are another request. What was checked when it came
 * and cannot be checked again, its challenge, counts for as long as it lives.
 */
#include "core/enrol/label.h"

bool hold_wanted(const struct est_label *label, enum request_kind kind);
/*
 * names: enrolee_id, est_label, kind, csr_sha256. out->state is 0 when none is known that still counts.
 * ERR_STORE, ERR_NOMEM.
 */
MUST_CHECK enum err hold_find(struct store *store, const struct request *names, int64_t now_s, struct arena *arena,
	struct request *out, struct why *why);
/*
 * Within a transaction: stores r, all but id and state set, in the place of one that is past its time, and audits it.
 * peer: its address. id_out: REQUEST_ID_SIZE. ERR_LIMIT when too many wait.
 */
MUST_CHECK enum err hold_add(
	struct store *store, const struct request *r, const char *peer, char *id_out, struct why *why);
/* ERR_PENDING that names the request, for one that waits; ERR_FORBIDDEN with the operator's reason for one denied; else OK. */
MUST_CHECK enum err hold_answer(const struct request *r, struct why *why);
