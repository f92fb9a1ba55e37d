#pragma once
/*
 * From a call to a reply: a table of (path, method, handler). Knows no socket. Replies that depend on
 * a write come after its commit, so done may run long after bind_call returned.
 */
#include "base/secret.h"
#include "core/enrol/certificate.h"
#include "core/exchange/exchange.h"
#include "core/status/crl.h"
#include "port/random.h"
#include "wire/call.h"

struct maf; /* core/maf/maf.h */

/* A service is one or the other (docs/decisions/0014); a route of the other realm is not there. */
enum bind_realm { BIND_MEF = 1, BIND_MAF = 2 };

/* Whose CRL is at /crl/NAME.crl, and whose certificate at /ca/NAME.cer, for CDP and AIA. */
struct bind_ca {
	const char *name;
	struct span der;
};

enum { BIND_CAS_MAX = 2 };

/* What a label has of its own besides its rules, made at the start from its files. */
struct label_side {
	const uint8_t *anchors;  /* SHA-256 of each third-party anchor that counts under it, one after the other */
	size_t anchors_n;
	struct span cacerts_cms;      /* certs-only CMS for cacerts; empty: ca_chain_cms */
};

struct bind_env {
	enum bind_realm realm;
	struct enrol_env enrol;
	struct exchange_env exchange; /* BIND_MEF */
	struct maf *maf;              /* BIND_MAF */
	struct random_source random;
	const struct label_set *labels;
	const struct label_side *sides; /* of each of labels */
	struct label_side side;         /* of every path that is no label's; as [mef] device_anchors says */
	const struct secret *challenge_key;
	struct span ca_chain_cms;   /* certs-only CMS: issuing CA first, then up to the root */
	struct bind_ca cas[BIND_CAS_MAX]; /* the issuing CA, in a rollover also the other one */
	size_t cas_n;
	/* Told of each fault of ours (kinds above ERR_PENDING), whose text no client sees. NULL: nobody. */
	void (*fault)(void *arg, const struct why *why);
	/* Told of each enrolment refused to somebody whom the registry does not know. NULL: nobody. */
	void (*stranger)(void *arg, const char *address, const struct why *why);
	/* Told of each revocation that a client asked for, once it is on disk: a CRL is due. NULL: nobody. */
	void (*revoked)(void *arg);
	void *told_arg; /* of all of them */
};

typedef void (*bind_done)(void *arg, const struct reply *reply);
/* call's spans are borrowed until bind_call returns. done runs exactly once; reply is borrowed. */
void bind_call(const struct bind_env *env, const struct call *call, bind_done done, void *arg);
