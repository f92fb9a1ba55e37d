#pragma once
/* port/issuer.h without a process in between: core/ca called at once, for tests and for `init`. */
#include "core/ca/message.h"
#include "port/clock.h"

enum {
	ISSUER_LOCAL_CRL_MAX = 64 * 1024 * 1024, /* a million revoked certificates */
};

struct issuer_local {
	const struct ca *ca;       /* borrowed, as is the clock */
	const struct clock *clock;
	const struct message *message; /* borrowed; NULL: no message key */
	struct issuer issuer;      /* the port; self points to this very struct, so do not copy it */
};

/* Fills s->issuer, without a message key. done runs before the calls return. */
void issuer_local_init(struct issuer_local *s, const struct ca *ca, const struct clock *clock);
