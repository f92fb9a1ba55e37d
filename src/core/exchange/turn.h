#pragma once
/* One message of an exchange: what start and report share. */
#include "core/exchange/flow.h"
#include "core/exchange/state.h"

/* The answer that ended an exchange may have been lost: so long its enrolee may show the spent token again. */
enum { TOKEN_AGAIN_S = 600 };

struct turn {
	struct flow flow; /* first: flow_run frees it */
	exchange_done done;
	void *arg;
	const struct exchange_ask *ask; /* until flow_run returns */
	char keid[M2M_KEYID_SIZE];
	struct symkey row;              /* the Ke, texts in the arena */
	struct state state;
	struct exchange_instruction out;
};

MUST_CHECK enum err turn_start(struct turn *t);
MUST_CHECK enum err turn_report(struct turn *t);

/*
 * Leaves the step under way for the next that is possible, from number t->state.at on; at the end the token is
 * spent and the end audited.
 */
MUST_CHECK enum err turn_advance(struct turn *t);
/* The instruction of that number becomes the answer. */
MUST_CHECK enum err turn_instruct(struct turn *t, size_t number);
/* t->row is this client's and its time is not over; t->state is read from it. ERR_FORBIDDEN, ERR_EXPIRED. */
MUST_CHECK enum err turn_check_row(struct turn *t);
MUST_CHECK enum err turn_write_state(struct turn *t, struct buf *out);
/* Is this spent token still good for the very enrolee that spent it? */
bool turn_token_again(const struct turn *t, const struct token *token);
