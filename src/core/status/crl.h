#pragma once
/* When a CRL is due, what is on it, and its publication. */
#include "core/registry/batch.h"
#include "port/issuer.h"

enum {
	/* as many as fit in one 4 MiB reply (wire/call.h REPLY_BODY_MAX); beyond it the CA must be split */
	CRL_ENTRIES_MAX = 100000,
};

struct crl_rules {
	int64_t lifetime_s; /* nextUpdate - thisUpdate */
	int64_t overlap_s;  /* republish this long before nextUpdate; counts for at most half the lifetime */
};

struct crl_env {
	char ca[ISSUER_NAME_MAX]; /* whose list */
	struct store *store;
	struct batch *batch;
	struct issuer *issuer;
	struct crl_rules rules;
};

/* Seconds until the next publication is due at the latest; 0: now (none yet, a revocation, a jump). */
MUST_CHECK enum err crl_due(struct store *store, const char *ca, const struct crl_rules *rules, int64_t now_s, int64_t *wait_s_out, struct why *why);

/* number: that of the new CRL, 0 on failure. why is never NULL. */
typedef void (*crl_published)(void *arg, enum err err, uint64_t number, const struct why *why);
/*
 * Collects revoked rows, has the issuer sign, writes row and audit event "crl.published" through the
 * batch (the signature may come while a batch is open); done runs once, in the flush that committed
 * them. Flushes the batch first, so that only revocations on disk are listed; never call it between
 * batch_enter and batch_leave. Copies env. A loser of two publications at once gets ERR_CONFLICT.
 */
void crl_publish(const struct crl_env *env, int64_t now_s, crl_published done, void *arg);
