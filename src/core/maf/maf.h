#pragma once
/*
 * The M2M Authentication Function (TS-0003 8.8; seed 003 8.3.3.4): Km of its clients, client
 * registrations, and keys that clients register for targets. Nothing is answered before it is durable.
 */
#include "core/keys/psk.h"
#include "core/registry/batch.h"
#include "port/clock.h"
#include "port/mef.h"
#include "proto/m2m/maf.h"

enum {
	MAF_FETCHES_MAX = 1000,      /* keys under way from MEFs; one more is told a decoy at once */
	MAF_KEYS_MAX = 32,           /* registered keys of one client */
	MAF_CLIENT_LIFETIME_MAX_S = 365 * 86400,
};

struct maf; /* the fetches under way */

struct maf_env {
	struct store *store;
	struct batch *batch;
	struct clock *clock;
	const struct vault *vault;
	const struct psk_decoy *decoy;
	const struct mef *mef;
	const char *fqdn; /* MAF-ID */
	/* Told of faults of ours on the way of a handshake, which only sees a decoy. NULL: nobody. */
	void (*fault)(void *arg, const struct why *why);
	void *fault_arg;
};

struct maf *maf_new(const struct maf_env *env); /* copies env; NULL without memory */
void maf_free(struct maf *m);                   /* those who wait are told a decoy */

/*
 * The key for a handshake. Known KmId or KeId: at once. A KeId that is not known: fetched from its MEF with
 * SUID 21, KmId assigned, both stored (8.8.2.3); several handshakes with one KeId share a fetch; refusals are remembered for
 * a minute. Always gives a key (psk.h).
 */
typedef void (*maf_psk_done)(void *arg, const struct secret *key);
void maf_psk(struct maf *m, struct span identity, maf_psk_done done, void *arg);

/* Who speaks, after its handshake. */
struct maf_peer {
	const char *id;        /* CSE-ID, AE-ID: of the Km's enrolee, or of its certificate, normal form */
	const char *key_id;    /* KmId; NULL for a certificate client */
	int64_t expires_s;     /* end of its Km; 0 for a certificate client */
	const char *address;
	struct span exported;  /* 48 octets of the Connection exporter, or empty */
};
/* Who holds that psk_identity: texts in the arena. ERR_FORBIDDEN, ERR_EXPIRED. */
MUST_CHECK enum err maf_peer_by_psk(struct maf *m, struct span identity, struct arena *arena, struct maf_peer *out, struct why *why);

typedef void (*maf_client_done)(void *arg, enum err err, const struct maf_client *c, const struct why *why);
typedef void (*maf_key_done)(void *arg, enum err err, const struct maf_key *k, const struct why *why);
/* Borrowed until the call returns. One registration per (client, adminFQDN): again gives the same. */
void maf_client_register(struct maf *m, const struct maf_peer *p, const struct maf_client *ask, maf_client_done done, void *arg);
void maf_client_update(struct maf *m, const struct maf_peer *p, const char *id, const struct maf_client *ask, maf_client_done done, void *arg);
void maf_client_remove(struct maf *m, const struct maf_peer *p, const char *id, maf_client_done done, void *arg); /* c is NULL */
/* update: the answer holds only what was sent, and key_id where the client has a new Km since (8.8.2.5, 8.8.2.8). */
/*
 * Key registration, with its value or, without one, Kc and KcId from the exporter (10.3.1, 10.3.5): once per
 * TLS session, the same again gives the same answer until it is removed. SUID 3x; targetIDs: one for SAEF and ESPrim,
 * one or more for ESData.
 */
void maf_key_register(struct maf *m, const struct maf_peer *p, const struct maf_key *ask, maf_key_done done, void *arg);
/* By a target that it names: k holds the value. ERR_NOT_FOUND for unknown, expired and somebody else's alike. */
void maf_key_retrieve(struct maf *m, const struct maf_peer *p, const char *relative, maf_key_done done, void *arg);
void maf_key_update(struct maf *m, const struct maf_peer *p, const char *relative, const struct maf_key *ask, maf_key_done done, void *arg);
void maf_key_remove(struct maf *m, const struct maf_peer *p, const char *relative, maf_key_done done, void *arg);
