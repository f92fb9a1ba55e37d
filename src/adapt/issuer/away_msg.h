#pragma once
/*
 * What the registrar and whoever reaches another CA say to each other, as bytes: the frames of channel_away. Both
 * directions stand in away_msg.c. Reading trusts nothing: the other side talks to the network or runs the operator's program.
 */
#include "base/buf.h"
#include "port/issuer.h"
#include "port/store.h"

enum {
	AWAY_LABEL_SIZE = 64,
	AWAY_RETRY_MAX_S = 24 * 3600, /* believed of a process that may have been taken over; as RA_RETRY_MAX_S, RUNNER_WAIT_MAX_S */
};

struct away_order {
	char issuer[ISSUER_NAME_MAX];
	char profile[ISSUER_PROFILE_MAX];
	char label[AWAY_LABEL_SIZE];
	char enrolee[STORE_ID_MAX + 1];
	struct span csr; /* DER */
};

void away_order_write(struct buf *out, const struct away_order *order);
/* csr points into in. ERR_SYNTAX. */
MUST_CHECK enum err away_order_parse(struct span in, struct away_order *out, struct why *why);

/* Why there is none, and when to ask again. The kind follows from the code's row. */
void away_refusal_write(struct buf *out, const struct why *why);
/* ERR_SYNTAX when it is malformed; else OK and *refusal is set. */
MUST_CHECK enum err away_refusal_parse(struct span in, struct why *refusal, struct why *why);
