#pragma once
/*
 * A symmetric key that this device shares with one other entity, as its file: fetched from a MEF as Enrolment
 * Target (seed 003 8.3.3.6), or registered with or fetched from a MAF (TS-0003 8.8.2.7, 8.8.2.8).
 */
#include "base/buf.h"
#include "base/secret.h"
#include "proto/m2m/ids.h"

struct agent_shared {
	char keyid[M2M_KEYID_SIZE]; /* KeId, or RelativeKeyID@MAF-FQDN */
	unsigned int suid;
	struct secret key;
	char peer[M2M_ID_MAX + 1];  /* who has it too; "" when nobody said */
	int64_t expires_s;
};

enum { AGENT_SHARED_KEY_MIN = 16, /* octets: 128 bits */ AGENT_SHARED_FILE_MAX = 4096, AGENT_SHARED_NAME_SIZE = M2M_KEYID_SIZE + 8 };

void agent_shared_wipe(struct agent_shared *s);
#define OWNED_SHARED __attribute__((cleanup(agent_shared_wipe)))
/* JSON; out holds the key, wipe it. */
MUST_CHECK enum err agent_shared_write(const struct agent_shared *s, struct buf *out, struct why *why);
/* ERR_SYNTAX (AGENT_KEYS_FILE). */
MUST_CHECK enum err agent_shared_parse(struct span json, struct agent_shared *out, struct why *why);
/* Name of its file: "KEYID-SUID.json". */
void agent_shared_name(const char *keyid, unsigned int suid, char out[AGENT_SHARED_NAME_SIZE]);
/* What an answer says of a key. ERR_SYNTAX: want AGENT_SHARED_KEY_MIN octets or more, and 1 to PREFS_EXPIRY_MAX_S seconds. */
MUST_CHECK enum err agent_shared_check(const struct secret *key, int64_t lifetime_s, struct why *why);
