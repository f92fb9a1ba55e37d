#pragma once
/* Inside of the registrar, shared by its files. */
#include "app/role.h"

#include "adapt/issuer/remote.h"
#include "adapt/issuer/router.h"
#include "adapt/mef/remote.h"
#include "bind/route.h"
#include "core/keys/psk.h"
#include "core/keys/srp.h"
#include "core/maf/maf.h"
#include "net/ipc.h"

enum { CONF_URI_SIZE = 8 + 256 + 6 }; /* "https://", FQDN or public_https, ":65535" */

struct registrar {
	struct loop *loop;
	struct role_control *control;
	struct clock clock;
	struct store *store;
	struct batch *batch;
	struct issuer_remote *issuer;
	struct away *away; /* to CAs of others; NULL: none is configured */
	struct issuer_router router;
	struct sides *sides; /* sides.c */
	struct secret challenge_key;
	struct secret seal_key; /* of the vault; the master key itself is not kept */
	struct vault vault;
	struct psk_decoy decoy;
	struct srp_decoy srp_decoy;
	struct mef_remote *mef; /* of a MAF, as the next two */
	struct maf *maf;
	const char *mef_fqdns[CONF_MEFS_MAX];
	char public_https[CONF_URI_SIZE];
	struct buf chain_cms, ca_der[BIND_CAS_MAX];
	struct bind_env env;
	struct links *links; /* links.c */
	struct crl_env crl[BIND_CAS_MAX]; /* as env.cas */
	size_t crl_n, crl_next;
	struct loop_timer *crl_timer; /* NULL in a MAF */
	bool crl_under_way, crl_again;
	int64_t crl_retry_ms;
	struct {
		char text[WHY_TEXT_MAX]; /* of the last one that was logged */
		int64_t at_ms;
		unsigned int dropped;    /* the same again since */
	} fault;
	struct loop_timer *keys_timer;
	struct {
		char last[128];
		unsigned int times;
		struct loop_timer *timer; /* runs while there is something to tell */
	} unknown; /* psk_identities */
	struct {
		struct loop_timer *timer;
		size_t seen;        /* answers at the last yield */
		unsigned int yields;
	} commit; /* of the batch */
	bool stopping;
	int64_t strangers_second; /* lines about strangers in it */
	unsigned int strangers;
};

/* open.c: store, keys, certificates; before the sandbox. */
MUST_CHECK enum err registrar_open(struct registrar *r, const struct role_start *start, struct why *why);
void registrar_close(struct registrar *r);

/* sides.c: what labels have of their own, from their files; before the sandbox. */
MUST_CHECK enum err sides_open(struct registrar *r, const struct conf *conf, struct why *why);
void sides_close(struct registrar *r);
void sides_show(const struct registrar *r, struct bind_env *env);
/* A channel to a (new) process that reaches other CAs. */
void registrar_add_away(struct registrar *r, enum away_via via, int fd);

/* links.c: the fronts and their calls. */
MUST_CHECK enum err links_new(struct registrar *r, struct why *why);
void links_free(struct registrar *r);
void links_add(struct registrar *r, int fd);
size_t links_calls(const struct registrar *r); /* under way */
void registrar_rest(struct registrar *r);      /* ends the loop when it is told to stop and nothing is under way */

/* crl.c: publication when it is due, and after every change. */
MUST_CHECK enum err crl_start(struct registrar *r, const struct conf *conf, struct why *why);
void crl_look(struct registrar *r);
void crl_due_now(void *registrar); /* at the next turn of the loop */

/* keys.c: symmetric keys whose time is over are erased, at the start and once a minute. */
MUST_CHECK enum err keys_start(struct registrar *r, struct why *why);
void keys_look(struct registrar *r);

/*
 * psk.c: the key of a psk_identity for a handshake, one that nobody holds when the identity is unknown or the
 * store is out of order. done runs once, possibly before this returns; key is borrowed.
 */
MUST_CHECK enum err registrar_psk_start(struct registrar *r, struct why *why);
void registrar_psk(struct registrar *r, struct span identity, void (*done)(void *arg, const struct secret *key), void *arg);

/* The same for an SRP user; the caller wipes out. */
void registrar_srp(struct registrar *r, struct span user, struct srp_record *out);

/* maf.c: what a MAF has besides, after registrar_open and before registrar_close. */
MUST_CHECK enum err registrar_open_maf(struct registrar *r, const struct conf *conf, struct why *why);
void registrar_close_maf(struct registrar *r);
void registrar_add_caller(struct registrar *r, int fd); /* a channel to a (new) caller */
