#pragma once
/*
 * The MEF's side of enrolment exchange, key generation and key retrieval (seed 003 8.3.3.1, 8.3.3.2, 8.3.3.4 to
 * 8.3.3.6; TS-0003 8.3.2.1). Each runs done once, after the commit that holds what it tells; refusals
 * are audited first. The state of an exchange is the info of its Ke row, so any registrar may go on with it.
 */
#include "core/enrol/client.h"
#include "core/keys/vault.h"
#include "core/registry/batch.h"
#include "port/clock.h"
#include "proto/m2m/exchange.h"
#include "proto/m2m/retrieval.h"

enum { EXCHANGE_KES_MAX = 4 }; /* Ke of one enrolee at a time; the oldest goes */

struct exchange_env {
	struct store *store;
	struct batch *batch;
	struct clock *clock;
	const struct vault *vault;
	const char *fqdn;        /* of this MEF */
	const char *public_https; /* "https://mef.example.com:8443": before /.well-known/est */
	bool token_required;     /* step 3: deny without a valid Enrolment-Token */
};

/* Of both: borrowed until the call returns. */
struct exchange_ask {
	const struct client *client;
	const char *address;
	struct span exported;  /* wire/call.h: 96 octets, or empty */
	bool start;            /* request, else report of the exchange `relative` */
	uint8_t relative[M2M_RELATIVE_SIZE];
	struct exchange_request request;
	struct exchange_report report;
};

/* m is NULL unless err is OK, borrowed; why is never NULL. */
typedef void (*exchange_done)(void *arg, enum err err, const struct exchange_instruction *m, const struct why *why);
/*
 * Start: Ke, KeId, Kre, KreId from exported (8.3.3.2), token claimed, preferences decide. Again in the same session:
 * the same answer. Report: of the instruction that is under way, or of the one before it (lost answer). Success of a
 * certificate enrolment is believed only when a valid certificate of that enrolee is on record.
 * ERR_FORBIDDEN: token, another enrolee's exchange, certificate required but not supported; ERR_CONFLICT: step out of
 * order; ERR_NOT_FOUND: no such exchange; ERR_EXPIRED; ERR_UNSUPPORTED: session without exporter values.
 */
void exchange_call(const struct exchange_env *env, const struct exchange_ask *ask, exchange_done done, void *arg);

struct retrieval_call {
	const struct client *client; /* the Enrolment Target, authenticated */
	const char *address;
	struct span origin;          /* X-M2M-Origin or From */
	struct retrieval_ask ask;
};

/*
 * a is never NULL: on a refusal status is false and error says why, the same for unknown, expired and not authorised.
 * err tells the kind for the transport. Ours (ERR_STORE, ...) come with a NULL a.
 */
typedef void (*retrieval_done)(void *arg, enum err err, const struct retrieval_answer *a, const struct why *why);
/* 8.3.3.6 steps 3 and 4. origin must be the client's own entity id; an absent one is refused. */
void retrieval_do(const struct exchange_env *env, const struct retrieval_call *call, retrieval_done done, void *arg);
