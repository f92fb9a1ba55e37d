#pragma once
/* Requests that wait for a person (RFC 7030 4.2.3), from the operator's side. Inside a transaction of the store. */
#include "port/store.h"

const char *request_state_name(enum request_state s); /* "waiting" */
bool request_state_parse(struct span name, enum request_state *out);
const char *request_kind_name(enum request_kind k); /* "enrol" */

struct request_word {
	bool approve;
	const char *by;     /* the operator's name */
	const char *reason; /* "" for none; a refusal needs one, which its device is told */
};

enum { REQUEST_ID_SIZE = 9 }; /* 8 characters of base32 */
/* Handle of a request, for people: from what names it and the time, so that a later one of the same CSR has another. */
void request_name(const struct request *r, char out[REQUEST_ID_SIZE]);
/*
 * The decision, and its audit event. It counts for as long as the request would have waited, from now. ERR_NOT_FOUND,
 * ERR_CONFLICT when it was decided already, ERR_EXPIRED, ERR_SYNTAX for a reason or a name that has no place.
 */
MUST_CHECK enum err request_decide(
	struct store *store, const char *id, const struct request_word *word, int64_t now_s, struct why *why);
/* Removes at most max that are past their time; what waited unanswered is audited. */
MUST_CHECK enum err request_erase_due(struct store *store, int64_t now_s, size_t max, size_t *erased_out, struct why *why);
