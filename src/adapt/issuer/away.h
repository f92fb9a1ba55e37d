#pragma once
/*
 * port/issuer.h for CAs that are not this MEF's own, over channels to the process that reaches them: the caller for an
 * upstream EST CA, the runner for the operator's program. Proof of possession is checked before an order leaves, what comes
 * back by foreign_check: neither process is trusted for more than to carry. An order whose process dies fails, as the CA
 * may have issued already: its client asks again.
 */
#include "net/loop.h"
#include "pki/chain.h"
#include "port/clock.h"
#include "port/issuer.h"

enum {
	AWAY_ORDERS_MAX = 1024, /* under way; one more fails with ISSUER_BUSY */
	AWAY_ISSUERS_MAX = 8,
	AWAY_VIAS = 2,
	AWAY_GRACE_MS = 5 * 1000, /* a process gives up by itself; one that does not, hangs */
	AWAY_RETRY_S = 10,        /* told where the process is missing: it is started again at once */
};

/* Who reaches it. */
enum away_via { AWAY_CALLER = 0, AWAY_RUNNER = 1 };

struct away_issuer {
	const char *name; /* borrowed */
	enum away_via via;
	int64_t timeout_s;
	struct anchors *chain; /* borrowed: its CA certificates */
};

struct away;

/* clock is borrowed, issuers are copied. */
MUST_CHECK enum err away_new(struct loop *l, const struct clock *clock, const struct away_issuer *issuers, size_t n,
	struct away **out, struct why *why);
/* Orders under way fail. */
void away_free(struct away *a);
/* Takes the descriptor of a channel to a (new) process; the newest one gets the orders. */
MUST_CHECK enum err away_add(struct away *a, enum away_via via, int fd, struct why *why);
/* The contract of port/issuer.h: order->issuer is one of them. */
void away_issue(struct away *a, const struct issue_order *order, issue_done done, void *arg);
size_t away_under_way(const struct away *a);
