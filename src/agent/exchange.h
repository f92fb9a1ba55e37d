#pragma once
/*
 * The device's side of the enrolment exchange (seed 003 8.3.3.1; TS-0003 8.3.2.1) as a table of (state, event) ->
 * step: pure, of the shape of agent/machine.h. Keys come from the TLS session of the request that starts
 * it (8.3.3.2). A message whose answer is lost is sent again; what the MEF says is checked before anything
 * is recorded, and nothing replaces older keys before the MEF has ended the exchange.
 */
#include "agent/keys.h"
#include "agent/machine.h"

enum {
	AGENT_X_REPEATS_MAX = 4,  /* of one message whose answer does not come */
	AGENT_X_RESTARTS_MAX = 2, /* from the first message on, when the MEF knows the exchange no more */
	AGENT_X_STEPS_MAX = PREFS_MAFS_MAX + 2, /* instructions: one certificate, each MAF, the end */
	AGENT_X_PAUSE_S = 1,      /* before the first repetition; doubled by each */
};

struct agent_x_config {
	const char *mef_uri; /* https://FQDN[:PORT]; a path is passed over */
	bool certificate;    /* certificateEnrolmentIndication */
	bool maf;            /* mafEnrolmentIndication */
	bool has_certificate; /* authenticates by certificate, or holds one that the MEF issued */
	bool km_by_10_3_2;   /* Km of TS-0003 10.3.2 instead of 10.3.7 with SUID 21 */
	const char *token;   /* Enrolment-Token; NULL: none */
	int64_t expiry_s;    /* Enrolment Expiry (9.2.2.1): keys end then at the latest; 0: when the MEF says */
	enum doc_form form;  /* of the messages */
	struct clock clock;
};

enum agent_x_kind {
	AGENT_X_CALL,  /* perform the HTTP exchange; feed the reply, or lost */
	AGENT_X_ENROL, /* certificate enrolment at est_uri (agent/machine.h); feed_enrolled or feed_not_enrolled */
	AGENT_X_KEEP,  /* make `keys` durable in place of older ones; feed_kept */
	AGENT_X_WAIT,  /* feed_waited after wait_s */
	AGENT_X_DONE,
	AGENT_X_FAILED,
};

struct agent_x_action {
	enum agent_x_kind kind;
	const char *step; /* for people */
	/* AGENT_X_CALL: all calls of a run may share one TLS connection */
	enum call_method method;
	const char *url;
	const char *media_type;
	struct span body; /* may hold the token */
	bool exports;     /* export M2M_LABEL_BOOTSTRAP and M2M_LABEL_REAUTH from the session of this call */
	/* AGENT_X_ENROL */
	const char *est_uri;
	const struct suid_list *usages;
	/* AGENT_X_KEEP and after */
	const struct agent_keys *keys;
	/* AGENT_X_WAIT */
	int64_t wait_s;
};

struct agent_x_reply {
	unsigned int status;
	struct span media_type;
	struct span body;
	int64_t retry_after_s;
	/* where asked for: M2M_EXPORT_SIZE octets each; wiped by the caller */
	struct span bootstrap;
	struct span reauth;
};

struct agent_x;

/* Copies what config points to. ERR_SYNTAX, ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK enum err agent_x_new(const struct agent_x_config *config, struct agent_x **out, struct why *why);
void agent_x_free(struct agent_x *x); /* wipes */
/* The action stays valid until the next call. The reason of AGENT_X_FAILED is in why. */
void agent_x_next(struct agent_x *x, struct agent_x_action *out, struct why *why);
void agent_x_feed(struct agent_x *x, const struct agent_x_reply *reply);
/* No answer came: the same again, at last AGENT_X_FAILED with that reason. */
void agent_x_feed_lost(struct agent_x *x, const struct why *why);
void agent_x_feed_enrolled(struct agent_x *x);
/* The MEF is told, then it ends in AGENT_X_FAILED with that reason. */
void agent_x_feed_not_enrolled(struct agent_x *x, const struct why *why);
void agent_x_feed_kept(struct agent_x *x);
void agent_x_feed_waited(struct agent_x *x);
/* The action cannot be carried out at all: AGENT_X_FAILED. */
void agent_x_feed_failure(struct agent_x *x, const struct why *why);
