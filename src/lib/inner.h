#pragma once
/* Inside of one handle; private to lib/. */
#include "adapt/sys/fetch.h"
#include "agent/exchange.h"
#include "agent/machine.h"
#include "agent/pending.h"
#include "lib/enrolee.h"
#include "pki/key.h"

enum {
	LIB_TEXT_MAX = 4096,        /* with its NUL */
	LIB_PEM_MAX = 512 * 1024,   /* as the command's */
	LIB_TEXTS = ENROLEE_SRP_USER + 1,
	LIB_BLOBS = ENROLEE_SRP_PASSWORD + 1,
	LIB_NUMBERS = ENROLEE_CMC + 1,
	LIB_ITEMS = ENROLEE_ITEM_REQUEST + 1,
	LIB_ERROR_SIZE = 1024,
	LIB_SIG_MAX = 512,          /* RSA-4096 */
	LIB_RANDOM_SIZE = 48,       /* what OpenSSL's generator takes for a full seed */
};

struct enrolee_response {
	unsigned int status;
	char media_type[CALL_MEDIA_MAX];
	int64_t retry_after_s;
	struct buf body;
	struct buf ders;
	size_t ends[FETCH_CERTS_MAX];
	size_t certs_n;
	struct secret exported[FETCH_EXPORTS_MAX];
	uint8_t unique[FETCH_BINDING_MAX], exporter[FETCH_BINDING_MAX];
	size_t unique_n, exporter_n;
	char location[CALL_PATH_MAX];
	char reason[WHY_TEXT_MAX];
};

/* How the server of the first cacerts is authenticated (RFC 7030 3.6.2, 4.1.1). */
enum lib_bootstrap { BOOTSTRAP_NONE, BOOTSTRAP_IMPLICIT, BOOTSTRAP_FINGERPRINT, BOOTSTRAP_FAILED };

/* What a run authenticates with, and what it leaves. */
struct lib_run {
	bool under_way;
	enum enrolee_goal goal;
	enum lib_bootstrap bootstrap; /* the first anchors are still to be fetched */
	struct buf bootstrap_url;
	struct why failure;           /* of that */
	uint8_t root_sha256[32];
	struct buf origin;    /* of the anchors, for people */
	struct agent *est;    /* alone, or within the exchange */
	struct agent_x *exchange;
	struct fetch *fetch;
	int lock;             /* -1: none */
	struct agent_pending pending; /* the request under way; csr in kept, said in said */
	struct buf kept;
	char said[AGENT_PENDING_SAID_MAX];
	struct buf leaf;      /* of cert, DER: the machine borrows it */
	struct key *held;     /* for which the MEF encrypts the key that it makes */
	struct key *key;      /* of the request */
	struct buf key_pem;   /* the same; empty for a key that the caller holds */
	void *key_ref;
	struct buf anchors, cert, own_key, mef;
	char psk_identity[LIB_TEXT_MAX];
	struct secret psk;
	bool by_psk; /* as in agent_config: so with a password too */
	char srp_user[FETCH_SRP_USER_MAX + 1];
	char srp_password[FETCH_SRP_PASSWORD_MAX + 1];
	bool by_srp;
	struct agent_action est_action;
	struct agent_x_action x_action;
	struct enrolee_request request;
	struct enrolee_installation installation;
	struct buf cert_pem, json; /* of the installation */
};

struct enrolee {
	struct buf texts[LIB_TEXTS];
	struct buf blobs[LIB_BLOBS];
	int64_t numbers[LIB_NUMBERS];
	struct enrolee_clock given_clock; /* unix_s NULL: the system's */
	struct clock clock;
	enrolee_random random;
	void *random_arg;
	enrolee_wait wait;
	void *wait_arg;
	enrolee_progress progress;
	void *progress_arg;
	struct enrolee_transport transport; /* exchange NULL: built in */
	struct enrolee_keystore store;      /* read NULL: the directory */
	struct why why;
	char error[LIB_ERROR_SIZE];
	struct enrolee_response response;
	struct enrolee_action action;
	struct lib_run run;
	struct buf items[LIB_ITEMS];
};

/* handle.c: the call begins; it ends with that outcome. */
void lib_open(struct enrolee *e);
int lib_close(struct enrolee *e, enum err err);
const char *lib_text(struct enrolee *e, enum enrolee_text what); /* NULL when not set */
/* The text is the caller's, for people. */
MUST_CHECK enum err lib_caller_failed(const char *what, const char *text, struct why *why);

/* keystore.c: directory or the caller's store. */
MUST_CHECK enum err lib_read(struct enrolee *e, enum enrolee_item item, struct buf *out, struct why *why);
MUST_CHECK enum err lib_make_key(struct enrolee *e, enum key_spec spec, struct why *why);
MUST_CHECK enum err lib_take_key(struct enrolee *e, const struct enrolee_key *key, struct why *why);
MUST_CHECK enum err lib_install(struct enrolee *e, struct why *why);
/* The directory is made, and nobody else's until lib_run_end. */
MUST_CHECK enum err lib_lock(struct enrolee *e, bool make, struct why *why);

/* transport.c */
void lib_response_clear(struct enrolee_response *r);
void lib_response_fini(struct enrolee_response *r);
/* One exchange by the caller's means or libcurl. why holds the reason of LOST and REFUSED. */
enum enrolee_outcome lib_exchange(struct enrolee *e, struct why *why);
/* RFC 7030 3.6.1: the server is one of the anchors', and the URL's. certs: FETCH_CERTS_MAX. */
MUST_CHECK enum err lib_check_server(struct enrolee *e, struct span *certs, struct why *why);

/* begin.c */
MUST_CHECK enum err lib_run_begin(struct enrolee *e, enum enrolee_goal goal, struct why *why);
/* Certificate enrolment, alone or within an exchange. */
MUST_CHECK enum err lib_est_begin(struct enrolee *e, const char *uri, struct why *why);
/* The machine of the goal: at once, or when the anchors are there. */
MUST_CHECK enum err lib_machine_begin(struct enrolee *e, struct why *why);
void lib_run_end(struct enrolee *e); /* what it held is wiped; the action stays */

/* bootstrap.c: anchors that are given, or what is needed to fetch them. */
MUST_CHECK enum err lib_take_anchors(struct enrolee *e, struct why *why);
MUST_CHECK enum err lib_bootstrap_url(struct enrolee *e, struct why *why);
/* The answer holds the anchors; the machine begins. */
MUST_CHECK enum err lib_bootstrapped(struct enrolee *e, struct why *why);

/* pending.c: a request lives longer than a run. leaf: of the certificate that authenticates; empty: by shared key. */
void lib_pending_init(struct enrolee *e, const char *uri, struct span leaf);
void lib_pending_find(struct enrolee *e, struct buf *csr_out); /* of an earlier run of the same kind; appends nothing without */
MUST_CHECK enum err lib_pending_keep(struct enrolee *e, struct span csr, struct why *why);
MUST_CHECK enum err lib_pending_told(struct enrolee *e, struct why *why); /* 202 came */
MUST_CHECK enum err lib_pending_status(struct enrolee *e, struct enrolee_status *out, struct why *why);

/* symmetric.c: k is initialised. ERR_NOT_FOUND; ERR_EXPIRED. */
MUST_CHECK enum err lib_keys(struct enrolee *e, struct agent_keys *k, struct why *why);
