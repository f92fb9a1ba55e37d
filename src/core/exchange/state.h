#pragma once
/*
 * An exchange as it stands in the info of its Ke: what was asked, what was decided, how far it went. JSON, written
 * by this MEF alone; rights of Enrolment Targets are read from it.
 */
#include "proto/m2m/exchange.h"

enum { STATE_STEPS_MAX = 1 + PREFS_MAFS_MAX, STATE_TOKEN_SIZE = 32 };

enum step_outcome { STEP_OPEN = 0, STEP_DONE = 1, STEP_FAILED = 2, STEP_SKIPPED = 3 };

/* An instruction; the end, which follows the last, is none of them. Numbers count from 1. */
struct step {
	enum exchange_kind kind; /* EXCHANGE_CERTIFICATE, EXCHANGE_MAF */
	enum step_outcome outcome;
	const char *est_uri;       /* EXCHANGE_CERTIFICATE */
	struct suid_list usages;
	struct prefs_maf maf;      /* EXCHANGE_MAF */
};

struct state {
	bool certificate, maf;             /* as the enrolee said */
	bool required;                     /* the certificate is */
	bool has_token;
	uint8_t token[STATE_TOKEN_SIZE];   /* its hash */
	const char *kreid;
	size_t at;                         /* number of the step under way; steps_n + 1 at the end */
	size_t told;                       /* number of the step that was reported last; 0: none */
	struct step steps[STATE_STEPS_MAX];
	size_t steps_n;
	struct prefs_target targets[PREFS_TARGETS_MAX];
	size_t targets_n;
};

static inline bool state_ended(const struct state *s)
{
	return s->at > s->steps_n;
}

/* ERR_LIMIT when it is longer than STORE_KEY_INFO_MAX. */
MUST_CHECK enum err state_write(const struct state *s, struct arena *arena, struct buf *out, struct why *why);
/* Texts in the arena. ERR_SYSTEM when it is none. */
MUST_CHECK enum err state_parse(const char *info, struct arena *arena, struct state *out, struct why *why);
/*
 * What the exchange granted so far, in the form that prefs_allow asks: a MAF from its instruction on
 * unless the enrolee gave it up, targets from the end on.
 */
void state_granted(const struct state *s, struct prefs *out);
