#pragma once
/* Inside of core/maf, shared by its files. */
#include "core/maf/maf.h"

#include "core/registry/form.h"

enum {
	MAF_ARENA_MAX = 256 * 1024,  /* one answer: a registration with all its labels and targets, some rows */
	MAF_REFUSED_MAX = 1000,      /* KeIds remembered as refused; the oldest is forgotten first */
	MAF_REFUSED_MS = 60 * 1000,
	MAF_WAITERS_MAX = 100,       /* handshakes that share one fetch; one more is told a decoy at once */
	MAF_KMS_MAX = 4,             /* Km of one client: as many as a MEF keeps Ke; the oldest goes */
	MAF_CLIENTS_MAX = 8,         /* registrations of one client, each for another stakeholder */
	MAF_USED_MAX = 16,           /* removed keys of sessions that one client's rows remember; the oldest is forgotten first */
	MAF_KM_LIFETIME_MAX_S = 10 * 365 * 86400, /* what an operator of a MEF may configure (proto/m2m/prefs.h) */
};
_Static_assert(2 * MAF_KMS_MAX + MAF_KEYS_MAX + MAF_USED_MAX + MAF_CLIENTS_MAX <= STORE_KEYS_PER_OWNER_MAX, "all rows of one client fit");

struct refused {
	char keid[M2M_KEYID_SIZE];
	int64_t until_ms;
};

struct maf {
	struct maf_env env;
	char fqdn[M2M_FQDN_MAX + 1]; /* lower case */
	struct fetch *fetches;       /* psk.c */
	size_t fetches_n;
	struct refused refused[MAF_REFUSED_MAX];
	size_t refused_at;           /* where the next one goes */
};

/*
 * CSE-ID, AE-ID, Node-ID in a form that compares octet by octet: host names, and hosts of URIs and of absolute
 * identifiers, in lower case. ERR_SYNTAX.
 */
MUST_CHECK enum err maf_id_normal(struct span id, char out[FORM_SIZE], struct why *why);

/* ---- answer.c: one operation of a client, from its work to its answer behind the commit */

struct answer {
	struct maf *m;
	maf_client_done client_done; /* one of the two */
	maf_key_done key_done;
	void *arg;
	struct arena arena;
	struct maf_client client;
	struct maf_key key;
	bool gives; /* client or key is what is told */
	struct why why;
};

struct operation {
	const struct maf_peer *peer;
	const char *id; /* what it is about; NULL for a registration */
	const struct maf_client *client;
	const struct maf_key *key;
	const char *event; /* audit: what was done, where it was */
	enum err (*work)(struct maf *m, const struct operation *op, int64_t now_s, struct answer *a, struct why *why);
};

void maf_operate(struct maf *m, const struct operation *op, maf_client_done client_done, maf_key_done key_done, void *arg);

/* ---- record.c: the JSON beside a row */

struct maf_record {
	const char *admin_fqdn;
	unsigned int suid;
	struct maf_texts labels, targets;
	const char *other_id; /* Km by KmId: its KeId; Km by KeId: its KmId; a client: the KmId that it was told */
	bool of_session;      /* a registered key: from the exporter */
};

MUST_CHECK enum err record_write(const struct maf_record *r, struct buf *out, struct why *why);
MUST_CHECK enum err record_parse(const char *info, struct arena *arena, struct maf_record *out, struct why *why);
/* Copies of both, so that what was asked outlives the asking. */
MUST_CHECK enum err texts_copy(const struct maf_texts *from, struct arena *arena, struct maf_texts *out, struct why *why);

/* ---- rules of TS-0003 8.8.2 that clients and keys share */

/* Not in the past, not behind the end of the peer's Km, at most MAF_CLIENT_LIFETIME_MAX_S. ERR_SYNTAX. */
MUST_CHECK enum err expiry_decide(const struct maf_peer *p, int64_t asked_s, int64_t now_s, int64_t *out, struct why *why);
/* Lower case, in the arena. ERR_SYNTAX. */
MUST_CHECK enum err admin_decide(const char *asked, struct arena *arena, const char **out, struct why *why);
