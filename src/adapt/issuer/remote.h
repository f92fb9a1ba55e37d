#pragma once
/*
 * port/issuer.h over channels to signer processes: pipelined, in turn over all that live. An order that
 * was on its way to a signer that died goes to another one, because nothing was recorded yet: the
 * certificate that the dead one may have signed was seen by nobody. An order that no signer takes within
 * ISSUER_REMOTE_WAIT_MS fails with ISSUER_UNAVAILABLE; so does one that outlived several signers.
 */
#include "net/loop.h"
#include "port/clock.h"
#include "port/issuer.h"

enum {
	ISSUER_REMOTE_SIGNERS_MAX = 64,
	ISSUER_REMOTE_ORDERS_MAX = 4096, /* under way; one more fails with ISSUER_BUSY */
	ISSUER_REMOTE_TRIES_MAX = 3,     /* an order that kills signers must not kill them all for ever */
	ISSUER_REMOTE_WAIT_MS = 5000,
};

struct issuer_remote;

/* clock is borrowed. */
MUST_CHECK enum err issuer_remote_new(
	struct loop *l, const struct clock *clock, struct issuer_remote **out, struct why *why);
/* Orders under way end with ISSUER_UNAVAILABLE. */
void issuer_remote_free(struct issuer_remote *r);
/* Takes the descriptor of a channel to one more signer. */
MUST_CHECK enum err issuer_remote_add(struct issuer_remote *r, int fd, struct why *why);
struct issuer *issuer_remote_port(struct issuer_remote *r);
size_t issuer_remote_signers(const struct issuer_remote *r);
size_t issuer_remote_under_way(const struct issuer_remote *r);
