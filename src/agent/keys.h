#pragma once
/*
 * What an enrolment exchange leaves on the device (seed 003 8.3.3.2 step 4, 8.3.3.1 step 10): keys, identifiers,
 * MAFs, authorised pairs; and its file, keys.json.
 */
#include "base/arena.h"
#include "base/secret.h"
#include "proto/m2m/exchange.h"

struct agent_maf {
	const char *fqdn; /* MAF-ID */
	const char *uri;  /* "" when the MEF named none */
	enum maf_credential credential;
	struct suid_list usages;
	struct secret km; /* empty for MAF_BY_CERTIFICATE */
	const char *kmid; /* assigned by the MAF; "" until then KeId is shown */
};

struct agent_keys {
	struct arena arena; /* texts */
	char keid[M2M_KEYID_SIZE];
	char kreid[M2M_KEYID_SIZE];
	struct secret ke;
	struct secret kre;
	int64_t expires_s;
	const char *enrolee_id; /* CSE-ID or AE-ID assigned; "" */
	struct suid_list certificate_usages;
	struct agent_maf mafs[PREFS_MAFS_MAX];
	size_t mafs_n;
	struct exchange_pair pairs[EXCHANGE_PAIRS_MAX];
	size_t pairs_n;
};

enum { AGENT_KEYS_ARENA_MAX = 512 * 1024 };

void agent_keys_init(struct agent_keys *k);
void agent_keys_fini(struct agent_keys *k); /* wipes */
#define OWNED_AGENT_KEYS __attribute__((cleanup(agent_keys_fini)))
/* keys.json: JSON; out holds keys, wipe it. ERR_LIMIT. */
MUST_CHECK enum err agent_keys_write(const struct agent_keys *k, struct buf *out, struct why *why);
/* k: initialised. ERR_SYNTAX (AGENT_KEYS_FILE), ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK enum err agent_keys_parse(struct span json, struct agent_keys *k, struct why *why);
/* seed 003 9.2.2.1: Enrolment Expiry; from expires_s on nothing of it may be used */
bool agent_keys_expired(const struct agent_keys *k, int64_t now_s);
/* Is that Enrolment Target (MAF-ID; Enrolee B's CSE-ID or AE-ID) among what the MEF granted? Host in any case. */
bool agent_keys_granted(const struct agent_keys *k, struct span target);
struct agent_maf *agent_keys_maf(struct agent_keys *k, struct span fqdn); /* any case; NULL */
/* Km for that MAF: usage-constrained by SUID 21, or of TS-0003 10.3.2 (docs/decisions/0013). */
MUST_CHECK enum err agent_keys_km(const struct secret *ke, struct span maf_id, bool by_10_3_2, struct secret *out, struct why *why);
