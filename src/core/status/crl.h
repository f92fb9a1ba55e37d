#pragma once
/* When a CRL is due, what is on it, and its publication. */
#include "port/clock.h"
#include "port/issuer.h"
#include "port/store.h"

struct crl_rules {
	int64_t lifetime_s; /* nextUpdate - thisUpdate */
	int64_t overlap_s;  /* republish this long before nextUpdate */
};

/* Seconds until the next publication is due at the latest; 0: now (none yet, a revocation, a jump). */
MUST_CHECK enum err crl_due(struct store *store, const struct crl_rules *rules, int64_t now_s, int64_t *wait_s_out, struct why *why);

typedef void (*crl_published)(void *arg, enum err err, uint64_t number, const struct why *why);
/* Collects revoked rows, has the issuer sign, stores row and audit event in a transaction of its own. */
void crl_publish(struct store *store, struct issuer *issuer, const struct crl_rules *rules, int64_t now_s,
	crl_published done, void *arg);
