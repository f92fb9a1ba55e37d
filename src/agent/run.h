#pragma once
/* Inside of one agent run; private to agent/. */
#include "agent/bootstrap.h"
#include "agent/machine.h"
#include "proto/est/attrs.h"
#include "proto/est/linking.h"

enum {
	RUN_ARENA_MAX = 4 * 1024 * 1024,
	RUN_PEM_MAX = 2 * 1024 * 1024, /* RUN_SET_MAX certificates of CERT_DER_MAX octets in base64 */
	RUN_CERTS_MAX = 32,        /* certificates of one answer: CMS_CERTS_MAX */
	RUN_SET_MAX = 64,
};

/* Different certificates, DER, borrowed. */
struct cert_set {
	struct span ders[RUN_SET_MAX];
	size_t n;
};

struct agent {
	struct agent_config config; /* its spans are copies in the arena */
	struct arena arena;
	int state;  /* enum agent_state of machine.c */
	int resume; /* state behind a wait */
	struct why failure;
	const char *base; /* URL without trailing slash */
	struct buf url;
	unsigned int waits;
	int64_t wait_s;
	char moved[CALL_PATH_MAX]; /* where this call was redirected to; "": as it was */
	bool posts;              /* the call is a POST */
	unsigned int moves;
	bool challenged_again; /* csrattrs was fetched a second time after a refusal */

	struct cert_set held;    /* anchors that the device had */
	struct cert_set anchors; /* anchors to be installed: roots of cacerts, maybe the old ones */
	struct cert_set inner;   /* other CA certificates of cacerts */
	size_t strangers;        /* roots of cacerts that nobody vouched for */
	struct buf anchors_pem;  /* anchors, to be installed */
	struct est_attrs attrs;  /* spans in the arena */
	struct buf linking;      /* text of the TLS session that csrattrs came over; empty: it has none */
	bool linked;             /* the CSR carries it */
	struct name_template given; /* what config.subject says; values in the arena */
	struct cert current;     /* view of config.client_cert */
	const struct key *key;
	struct key *made; /* by the MEF */
	struct buf csr;
	struct buf body;
	bool resumed;     /* csr was made by an earlier run */
	struct span sans; /* that the CSR carries */
	struct span issued;
	struct buf chain_pem;
};

/* trust.c: nothing happens when it is there already. ERR_LIMIT. */
MUST_CHECK enum err cert_set_add(struct cert_set *set, struct span der, struct why *why);
/* Does it bear name and key of one of them? */
bool cert_set_has_key_of(const struct cert_set *set, struct span der);
MUST_CHECK enum err run_make_anchors(const struct cert_set *set, struct anchors **out, struct why *why);
/* What of the pool may stand above the leaf, by names and key identifiers, nearest first. */
size_t run_gather_path(struct span leaf, const struct cert_set *pool, struct span path[CHAIN_MAX]);
/* adopt.c: leaves in a->anchors those roots of cacerts that the device may take. */
MUST_CHECK enum err run_adopt(struct agent *a, struct why *why);
/* trust.c: cacerts into roots and others; new anchors decided (seed 001 8.3.Z.2.2 step 1). */
MUST_CHECK enum err run_take_ca_certs(struct agent *a, const struct agent_reply *reply, struct why *why);
/* trust.c: the reply's certificate against key, names, EKUs, dates and anchors; chain_pem filled. */
MUST_CHECK enum err run_take_issued(struct agent *a, const struct agent_reply *reply, struct why *why);
/*
 * redirect.c: RFC 7030 3.2.1: a redirection to the same origin is followed, another never: who is there was not
 * configured. True: the call goes to a->moved.
 */
bool run_moves(struct agent *a, const struct agent_reply *reply);
/* trust.c: does that certificate, good now, lead to the anchors in force? */
MUST_CHECK enum err run_check_path(struct agent *a, struct span der, struct why *why);
/* server_key.c: what comes back for the request: a certificate, with server_key a key too. */
MUST_CHECK enum err run_take_enrolled(struct agent *a, const struct agent_reply *reply, struct why *why);
/* server_key.c: the request's attributes on how the key is to be encrypted; nothing where it is not. */
MUST_CHECK enum err run_put_decrypt(const struct agent *a, struct buf *out, struct why *why);
/* request.c: the CSR as csrattrs and the current certificate want it (steps 2, 3b). */
MUST_CHECK enum err run_take_attrs(struct agent *a, const struct agent_reply *reply, struct why *why);
MUST_CHECK enum err run_make_csr(struct agent *a, struct why *why);
/* subject.c: the Name of the CSR: the current certificate's, the template's filled in, or none. */
MUST_CHECK enum err run_put_subject(struct agent *a, struct buf *out, struct why *why);
/* resume.c: a CSR of a->key that was made before, instead. */
MUST_CHECK enum err run_take_csr(struct agent *a, struct span der, struct why *why);
/* resume.c: whether a refusal may be about what csrattrs gives anew: a challenge, a link to the TLS session. */
bool run_may_ask_anew(const struct agent *a, const struct agent_reply *reply);
/* request.c: the key that csrattrs, the caller or oneM2M want, in this order; KEY_NONE: the current one. */
enum key_spec run_wanted_key(const struct agent *a);
/* request.c: the signed message around a->csr into a->body (config.cmc_key). */
MUST_CHECK enum err run_wrap_cmc(struct agent *a, struct why *why);
/* trust.c: certificates of a PKIResponse that says success; also for the reason of one that does not. */
MUST_CHECK enum err run_cmc_certs(struct agent *a, const struct agent_reply *reply, struct span *certs, size_t *n, struct why *why);
