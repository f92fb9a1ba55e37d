#pragma once
/* One call on its way to its reply: what the handlers of this folder share. */
#include "bind/route.h"
#include "wire/http.h"

enum {
	BIND_ARENA_MAX = 256 * 1024,    /* client, certificate and policy of one request */
	BIND_RETRY_S = 30,              /* a failure of ours: the operator needs some time */
	BIND_PENDING_RETRY_S = 300,     /* RFC 7030 4.2.3: a person has to approve */
};

struct turn {
	const struct bind_env *env;
	const struct call *call; /* NULL once bind_call has returned */
	bind_done done;
	void *arg;
	int64_t pending_retry_s; /* Retry-After of 202; 0: BIND_PENDING_RETRY_S */
};

/* Each runs done exactly once. */
void turn_reply(const struct turn *t, const struct reply *reply);
/* Text for people; status from the reason. Of our own faults only code and title leave the house. */
void turn_fail(const struct turn *t, const struct why *why);
/* The same, where a wrong method (405) is answered with those that are served: 1u << enum call_method of each. */
void turn_fail_method(const struct turn *t, unsigned int allow, const struct why *why);
/* 200 with base64 in the form that this User-Agent reads. */
void turn_est_body(const struct turn *t, const char *media_type, struct span der, struct span user_agent);
/* What belongs to the label of the call's path. */
const struct label_side *turn_side(const struct turn *t);
/* Who speaks: the peer of the call joined with the registry. The errors of client_find. */
MUST_CHECK enum err turn_client(const struct turn *t, int64_t now_s, struct arena *arena, struct client *out, struct why *why);
/* The same for a renewal: a certificate of ours may have ended expired_s ago. */
MUST_CHECK enum err turn_client_late(const struct turn *t, int64_t now_s, int64_t expired_s, struct arena *arena,
	struct client *out, struct why *why);
/*
 * A refusal that no core has seen: audited where the registry knows the client, told to env->stranger where not.
 * Then done runs with that reason, as enrol_done does. client as turn_client left it.
 */
void turn_refuse(const struct turn *t, const struct client *client, const struct why *why, enrol_done done, void *arg);

/* RFC 7030 operations below /.well-known/est. */
void bind_est(const struct turn *t);
/* Files that anybody may fetch, also without TLS: CRL, CA certificate, chain. */
void bind_crl(const struct turn *t);
void bind_ca_cert(const struct turn *t);
void bind_ca_chain(const struct turn *t);
/* oneM2M enrolment exchange below /enrolment, key retrieval below /fetchCredentials. */
void bind_exchange(const struct turn *t);
void bind_retrieval(const struct turn *t);
/* The MAF's resources below /maf/. */
void bind_maf(const struct turn *t);
