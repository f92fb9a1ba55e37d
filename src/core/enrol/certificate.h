#pragma once
/*
 * One certificate for one client, from CSR to durable row: checks, order to the issuer, store row and
 * audit event in one transaction, answer after the commit. A repeated CSR on a spent challenge gets
 * the certificate that it got before; a different CSR gets ERR_CONFLICT.
 */
#include "core/enrol/policy.h"
#include "core/registry/batch.h"
#include "port/clock.h"

struct enrol_env {
	struct store *store;
	struct batch *batch;
	struct issuer *issuer;
	struct clock *clock;
};

struct enrol_ask {
	struct client_facts facts;
	const struct est_label *label;
	bool reenrol;
	struct span csr;            /* DER */
	struct span nonce;          /* of the checked challenge; empty: none was echoed */
	enum err challenge_err;     /* OK, or what challenge_check said */
	const struct why *challenge_why;
};

/* cert: DER, borrowed. On failure why holds the reason; a refusal has been audited. */
typedef void (*enrol_done)(void *arg, enum err err, struct span cert, const struct why *why);

/* Copies what it needs from ask. done runs exactly once, after the commit or at a refusal's commit. */
void enrol_certificate(const struct enrol_env *env, const struct enrol_ask *ask, enrol_done done, void *arg);
