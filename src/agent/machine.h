#pragma once
/*
 * The device's enrolment as a table of (state, event) -> step: pure. begin, next, feed. An action is a
 * value that the caller carries out (HTTP by libcurl, keys and files by adapt/sys); the agent checks
 * everything that comes back. Seed 001 8.3.Z.2.2 steps 1-3, 8.3.Z.2.3; seed 000 steps 1-13.
 */
#include "base/arena.h"
#include "pki/chain.h"
#include "pki/csr.h"
#include "port/clock.h"
#include "wire/call.h"

enum {
	AGENT_WAITS_MAX = 100,       /* 202 and 503 answers of one run */
	AGENT_WAIT_DEFAULT_S = 60,   /* where the MEF names no Retry-After */
	AGENT_WAIT_MAX_S = 86400,
	AGENT_CMC_RANDOM = 32,
	AGENT_REPLY_MAX = 1024 * 1024,
	AGENT_MOVES_MAX = 3,         /* redirections of one run, to the same origin */
	/* A certificate that begins so far ahead of the device's clock is still installed: a MEF that does not
	 * backdate and a clock that nobody set for some days differ by less. */
	AGENT_SLOW_CLOCK_S = 600,
};

enum agent_goal { AGENT_ENROL, AGENT_RENEW };

struct agent_config {
	enum agent_goal goal;
	const char *base_uri;       /* estBaseURI: https://FQDN[:port]/.well-known/est[/LABEL] */
	struct span anchors_pem;    /* explicit anchors that the device holds now */
	struct span client_cert;    /* DER of the certificate it authenticates with */
	bool by_psk;                /* RFC 7030 3.3.3: both authenticate by a shared key instead; the two above may be empty */
	enum key_spec key_wish;     /* used when csrattrs names none; KEY_NONE: P-256 */
	bool reuse_key;             /* renewal with the same key */
	bool link_session;          /* RFC 7030 3.5: link the CSR to the TLS session also where csrattrs does not ask */
	const char *subject;        /* values for what a template leaves open: "CN=gw7, OU=plant 3"; may be NULL */
	bool server_key;            /* RFC 7030 4.4: for AGENT_ENROL the MEF makes the key; the one made here only signs the request */
	/* The MEF encrypts it: for a shared key by its identifier (4.4.1.1), or for a certificate's key (4.4.1.2). Borrowed. */
	const char *decrypt_id;
	const struct secret *decrypt_secret;
	const struct key *decrypt_key;
	struct span decrypt_cert;   /* DER */
	const struct key *cmc_key;  /* of client_cert: full CMC (RFC 7030 4.3), signed by it; NULL: simple messages. Borrowed */
	uint8_t cmc_random[AGENT_CMC_RANDOM]; /* fresh, with cmc_key */
	struct clock clock;         /* asked anew after each wait */
};

enum agent_action_kind {
	AGENT_CALL,     /* perform the HTTP exchange; feed the reply */
	AGENT_MAKE_KEY, /* make and keep a key of `key`, or take the current one for KEY_NONE; agent_feed_key */
	AGENT_INSTALL,  /* store atomically: certificate, chain, anchors; agent_feed_installed */
	AGENT_WAIT,     /* 202 or 503: call agent_feed_waited after wait_s */
	AGENT_DONE,
	AGENT_FAILED,
};

struct agent_action {
	enum agent_action_kind kind;
	const char *step;   /* "8.3.Z.2.2 step 1: obtain trust anchors", for people */
	/* AGENT_CALL: all calls of one run share one TLS connection */
	enum call_method method;
	const char *url;
	const char *media_type; /* of the body; NULL for GET */
	const char *accept;
	struct span body;
	struct span csr; /* DER of what is asked for; make it durable before the call: it may have to be sent again. Empty: none */
	/* AGENT_MAKE_KEY */
	enum key_spec key;
	/* AGENT_INSTALL */
	struct span certificate; /* DER */
	struct span chain_pem;   /* intermediates */
	struct span anchors_pem; /* new explicit anchors (cacerts) */
	const struct key *made_key; /* that the MEF made, to be stored in place of the one fed; NULL: it made none */
	/* AGENT_WAIT */
	int64_t wait_s;
};

struct agent_reply {
	unsigned int status;
	struct span media_type;
	struct span body;
	int64_t retry_after_s; /* 0: none */
	const char *location;  /* of a redirection, as absolute URI; NULL or "": none */
	const struct span *server_certs; /* DER that the MEF showed in the TLS handshake, leaf first */
	size_t server_certs_n;
	/* Of the TLS session that this call went over; empty where it has none, or where the caller cannot tell */
	struct span tls_unique;   /* RFC 5929: on TLS 1.2 */
	struct span tls_exporter; /* RFC 9266 */
};

struct agent;

/* Copies what config points to. ERR_SYNTAX, ERR_LIMIT; ERR_NOT_FOUND without an anchor. */
MUST_CHECK enum err agent_new(const struct agent_config *config, struct agent **out, struct why *why);
void agent_free(struct agent *a);
/* The action stays valid until the next call. The reason of AGENT_FAILED is in why. */
void agent_next(struct agent *a, struct agent_action *out, struct why *why);
/* Each feed answers the action that agent_next told; one out of turn ends in AGENT_FAILED, ERR_BUG. */
void agent_feed(struct agent *a, const struct agent_reply *reply);
void agent_feed_key(struct agent *a, const struct key *key); /* not NULL; borrowed until agent_free or the next key */
/*
 * Instead, where an earlier run of the same kind left a request under way: its key and its CSR go on. What is no CSR of
 * that key is passed over.
 */
void agent_feed_pending(struct agent *a, const struct key *key, struct span csr);
void agent_feed_installed(struct agent *a);
void agent_feed_waited(struct agent *a);
/* The action could not be carried out (no connection, disk full): ends in AGENT_FAILED. */
void agent_feed_failure(struct agent *a, const struct why *why);
