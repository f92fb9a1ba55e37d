#pragma once
/*
 * One call from question to answer: its work in the batch's transaction, a refusal audited instead, the answer
 * after the commit that holds either.
 */
#include "core/exchange/exchange.h"

enum { FLOW_ARENA_MAX = 1024 * 1024, FLOW_DETAIL_MAX = 512 };

struct flow {
	struct exchange_env env;
	struct arena arena;      /* the answer lives here */
	const char *refused;     /* name of the audit event for what is the peer's */
	const char *failed;      /* for what is ours */
	const struct client *client; /* like address until flow_run returns */
	const char *address;
	int64_t now_s;
	char detail[FLOW_DETAIL_MAX]; /* for the audit log where it may tell more than the peer hears; "" : why's text */
	enum err err;
	struct why why;
	/* err, why: of the commit, or those above. */
	void (*tell)(struct flow *f, enum err err, const struct why *why);
};

/* work writes to f->why. f, from mem_alloc and the first member of its block, is freed after tell. */
void flow_run(struct flow *f, enum err (*work)(struct flow *f));
/* An event of the work itself. */
MUST_CHECK enum err flow_audit(struct flow *f, const char *what, const char *enrolee_id, const char *detail);
