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

/* flow: what make was given. csr: DER PKCS#10 by the made key, copied. */
typedef void (*enrol_key_made)(void *flow, enum err err, struct span csr, const struct why *why);
/*
 * RFC 7030 4.4: a key that the MEF makes, once all checks are passed; its request is certified in place of the
 * client's, of whose key nothing counts. make runs at most once and then calls made exactly once.
 */
struct enrol_key_maker {
	enum key_spec spec; /* that it will make, for the policy */
	void (*make)(void *arg, const struct issue_order *order, enrol_key_made made, void *flow);
	void *arg;
};

struct enrol_ask {
	const struct client *client;  /* from client_find; like all here, borrowed until enrol_certificate returns */
	const struct enrol_key_maker *maker; /* copied; NULL: the key is the client's. Not for re-enrolment */
	const struct client *ra;      /* who asks on its behalf (behalf.h): no challenge is required then; NULL: nobody */
	const char *address;          /* of the peer, for the audit log */
	const struct est_label *label;
	bool reenrol;
	struct span csr;            /* DER */
	struct span nonce;          /* of the checked challenge; empty: none was echoed */
	bool linked;                /* the CSR carries a value of its TLS session, which was checked; or an RA vouches */
	enum err challenge_err;     /* OK (also when none was echoed), or what challenge_check said */
	const struct why *challenge_why; /* its reason; may be NULL when challenge_err is OK */
};

/*
 * cert: DER, borrowed, empty unless err is OK. why is never NULL and holds the reason of a failure.
 * A refusal has been audited; when that was impossible the store's failure is told instead.
 */
typedef void (*enrol_done)(void *arg, enum err err, struct span cert, const struct why *why);

/*
 * Copies what it needs from env and ask. done runs exactly once: in a batch_flush after the commit that holds
 * the row or the refusal's audit event, or at once when nothing could be written.
 */
void enrol_certificate(const struct enrol_env *env, const struct enrol_ask *ask, enrol_done done, void *arg);

/* A request refused before it became an ask: no client, unknown client, a wrong challenge at csrattrs. */
struct enrol_refusal {
	const char *enrolee_id; /* NULL or "" when unknown */
	const char *address;
	const struct why *why;  /* kind and code of the refusal; copied */
};
/* Audits, then runs done with that very reason, as enrol_certificate would. */
void enrol_refuse(const struct enrol_env *env, const struct enrol_refusal *refusal, enrol_done done, void *arg);
