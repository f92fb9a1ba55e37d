#pragma once
/*
 * The caller of a MEF (docs/decisions/0021): HTTPS to the upstream EST CAs of the sections [issuer NAME], to which this
 * MEF is a registration authority. It holds the client keys for them, no store and no CA key. Names are resolved at the
 * start, as in caller.h.
 */
#include "adapt/issuer/away_server.h"
#include "adapt/issuer/breaker.h"
#include "app/caller/drive.h"
#include "app/role.h"

enum {
	RA_TRIES_MAX = 4,
	RA_BACKOFF_MS = 500,            /* before the second try; doubles */
	RA_RETRY_S = 30,                /* told where the upstream named no time */
	RA_WAIT_S = 300,                /* the same for a request that waits for a person there */
	RA_RETRY_MAX_S = 24 * 3600,     /* an upstream's word is believed up to a day */
	RA_BODY_MAX = 256 * 1024,       /* cacerts of a CA with many roots */
	RA_LOOK_MS = 6 * 3600 * 1000,   /* between two looks at cacerts */
	RA_LOOK_SOON_MS = 10 * 60 * 1000, /* after one that failed */
	RA_RESOLVED_MS = 60 * 1000,     /* addresses are trusted at least that long */
	RA_TOLD_PER_S = 20,             /* lines about orders that failed */
	RA_CHAIN_MAX = 32,
};

struct attempt;

struct upstream {
	struct ra *ra;
	const struct conf_issuer *conf;
	struct drive drive;
	struct breaker breaker;
	char path[256]; /* of the URI: "/.well-known/est/LABEL" */
	uint8_t chain[RA_CHAIN_MAX][32]; /* digests of its CA certificates as configured */
	size_t chain_n;
	struct loop_timer *look;
};

struct ra {
	struct loop *loop;
	struct role_control *control;
	const struct conf *conf;
	struct clock clock;
	struct away_server *server;
	struct upstream upstreams[ISSUERS_MAX];
	size_t n;
	struct attempt *attempts;
	int64_t resolved_ms;
	bool stale; /* one was not reached */
	int64_t told_second;
	unsigned int told;
};

/* ra_open.c: before the sandbox. */
MUST_CHECK enum err ra_open(struct ra *ra, struct why *why);
void ra_close(struct ra *ra); /* fails what is under way; again: nothing */
/* ra_order.c */
void ra_take(void *arg, struct away_job *job, const struct away_order *order);
void ra_drop_attempts(struct ra *ra);
/* A line, unless there were too many of late. */
void ra_tell(struct ra *ra, enum err err, const char *event, const struct why *why);
