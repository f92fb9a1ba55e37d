#pragma once
/*
 * One Full PKI Request from its octets to the signed answer (RFC 5272, RFC 7030 4.3; docs/decisions/0017): who signed it
 * must be who holds the TLS session; each certification request goes the way of simpleenroll or simplereenroll;
 * revocations are on disk before they are answered; one answer when all of it is done.
 */
#include "core/enrol/certificate.h"
#include "port/random.h"

struct cmc_env {
	struct enrol_env enrol;
	struct random_source random;
	/*
	 * One PKCS#10 request of an authenticated client, as if it had come by itself. What it needs of the request's
	 * transport it has; everything is borrowed for the call. done runs exactly once, possibly before it returns.
	 */
	void (*enrol_one)(void *arg, const struct client *client, bool reenrol, struct span csr, enrol_done done, void *done_arg);
	void *enrol_arg;
	void (*revoked)(void *arg); /* a revocation is on disk, so a CRL is due; NULL: nobody */
	void (*fault)(void *arg, const struct why *why); /* a fault of ours, whose text no client sees; NULL: nobody */
	void *told_arg;             /* of both */
};

struct cmc_ask {
	const struct client *client; /* of the TLS session; all of it is borrowed until cmc_run returns */
	const struct est_label *label;
	const char *address;
	int64_t now_s;
	struct span message; /* BER or DER ContentInfo */
};

/*
 * message: the signed Full PKI Response; empty when the request could not be read or the answer not be signed, then why
 * says it. err: OK when something was done, ERR_PENDING when something waits, else the kind of the first refusal.
 */
typedef void (*cmc_done)(void *arg, enum err err, struct span message, const struct why *why);

/* Copies env. enrol_arg must outlive the call alone. done runs exactly once. */
void cmc_run(const struct cmc_env *env, const struct cmc_ask *ask, cmc_done done, void *arg);
