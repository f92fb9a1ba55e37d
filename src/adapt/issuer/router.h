#pragma once
/* port/issuer.h in front of several: an order goes to the CA that it names. CRLs, keys and CMC answers are this MEF's own. */
#include "adapt/issuer/away.h"

struct issuer_router {
	struct issuer port;       /* self points to this very struct, so do not copy it */
	const struct issuer *own; /* borrowed */
	struct away *away;        /* borrowed; NULL: there are no others */
};

void issuer_router_init(struct issuer_router *r, const struct issuer *own, struct away *away);
