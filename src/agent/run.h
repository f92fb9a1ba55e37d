#pragma once
/* Inside of one agent run; private to agent/. */
#include "agent/machine.h"
#include "proto/est/attrs.h"

enum {
	RUN_ARENA_MAX = 4 * 1024 * 1024,
	RUN_PEM_MAX = 512 * 1024,
	RUN_CERTS_MAX = 32,
};

/* What cacerts brought, parted. */
struct ca_certs {
	struct span roots[RUN_CERTS_MAX];
	size_t roots_n;
	struct span others[RUN_CERTS_MAX];
	size_t others_n;
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
	bool challenged_again; /* csrattrs was fetched a second time after a refusal */

	struct ca_certs ca;
	struct buf anchors_pem; /* to be installed */
	struct est_attrs attrs; /* spans in the arena */
	struct cert current;    /* view of config.client_cert */
	const struct key *key;
	struct buf csr;
	struct buf body;
	struct span sans; /* that the CSR carries */
	struct span issued;
	struct buf chain_pem;
};

/* trust.c: cacerts into roots and others; new anchors decided (seed 001 8.3.Z.2.2 step 1). */
MUST_CHECK enum err run_take_ca_certs(struct agent *a, const struct agent_reply *reply, struct why *why);
/* trust.c: the reply's certificate against key, names, EKUs, dates and anchors; chain_pem filled. */
MUST_CHECK enum err run_take_issued(struct agent *a, const struct agent_reply *reply, struct why *why);
/* request.c: the CSR as csrattrs and the current certificate want it (steps 2, 3b). */
MUST_CHECK enum err run_take_attrs(struct agent *a, const struct agent_reply *reply, struct why *why);
MUST_CHECK enum err run_make_csr(struct agent *a, struct why *why);
