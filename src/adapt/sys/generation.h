#pragma once
/*
 * The device's credentials on disk: DIR/gen-N holds key, certificate, chain, anchors, the MEF's address and the
 * symmetric keys of one enrolment, any of both kinds; DIR/current is a link to the one in force, switched by one
 * rename. DIR/pending.pem keeps the key of a request under way, so that a lost answer or a reboot does not
 * lose it, DIR/pending.json the request itself. Symmetric keys are never kept in an older generation.
 */
#include "base/buf.h"

#define GENERATION_KEY "key.pem"
#define GENERATION_CERT "cert.pem"
#define GENERATION_CHAIN "chain.pem"
#define GENERATION_ANCHORS "anchors.pem"
#define GENERATION_MEF "mef.uri"
#define GENERATION_ORIGIN "anchors.txt" /* for people: where the explicit anchors came from */
#define GENERATION_KEYS "keys.json" /* agent/keys.h; mode 0600 */

struct generation {
	struct span key_pem;
	struct span cert_pem;
	struct span chain_pem;
	struct span anchors_pem;
	const char *mef_uri;
	struct span keys_json; /* empty: those in force, if any, stay */
	const char *anchors_origin; /* NULL or "": the text in force stays */
};

/* Makes DIR (0700) when missing. ERR_SYSTEM. */
MUST_CHECK enum err generation_dir(const char *dir, struct why *why);
/* Until unlocked, or the process ends, nobody else gets DIR/lock. ERR_CONFLICT when held; ERR_NOT_FOUND without DIR. */
MUST_CHECK enum err generation_lock(const char *dir, int *fd_out, struct why *why);
void generation_unlock(int *fd); /* -1: nothing */
#define OWNED_LOCK __attribute__((cleanup(generation_unlock)))
/* A file of the generation in force; ERR_NOT_FOUND when there is none. */
MUST_CHECK enum err generation_read(const char *dir, const char *name, struct buf *out, struct why *why);
/* Another content of GENERATION_KEYS in the generation in force. Under generation_lock. */
MUST_CHECK enum err generation_write_keys(const char *dir, struct span json, struct why *why);
/* Overwrites and removes it; nothing when there is none. Under generation_lock. ERR_SYSTEM. */
MUST_CHECK enum err generation_erase_keys(const char *dir, struct why *why);
/*
 * Without cert_pem the certificate in force, if any, stays, with its key, chain, anchors and mef_uri.
 * Writes DIR/gen-N+1 whole and synced, then switches. A crash at any point leaves the old or the new one in
 * force. Keeps the one that was in force before, removes all others and what is pending. One installs at a
 * time: under generation_lock. number_out: N+1.
 */
MUST_CHECK enum err generation_install(
	const char *dir, const struct generation *g, unsigned int *number_out, struct why *why);
/* The key of a request: written before it is used. */
MUST_CHECK enum err generation_keep_pending(const char *dir, struct span key_pem, struct why *why);
/* Beside it: what the request is, JSON. */
MUST_CHECK enum err generation_keep_request(const char *dir, struct span json, struct why *why);
/* ERR_NOT_FOUND. */
MUST_CHECK enum err generation_request(const char *dir, struct buf *out, struct why *why);
/* out: empty, a secret. ERR_NOT_FOUND when there is none, or when it is the key in force. */
MUST_CHECK enum err generation_pending(const char *dir, struct buf *out, struct why *why);
