#pragma once
/*
 * Client certificates whose chain was verified lately. A device opens
 * several connections to enrol; only the first pays for the signatures of its chain. The key names the
 * whole chain as sent, so the verdict is the one that a new verification would give, except for time,
 * which is looked at again. The proof of possession in the handshake is never skipped.
 */
#include "wire/call.h"

enum {
	TLS_KNOWN_SETS = 2048, /* power of two; 4096 chains, 88 octets each, in pages that are used */
	TLS_KNOWN_WAYS = 2,
	TLS_KNOWN_KEY = 32,
};

struct tls_known_chain {
	uint8_t key[TLS_KNOWN_KEY];
	uint8_t anchor[32];
	int64_t from_s, to_s; /* while every certificate of the chain is valid */
	enum peer_trust trust;
};

struct tls_known;

struct tls_known *tls_known_new(void); /* NULL without memory */
void tls_known_free(struct tls_known *k);
/* NULL when it is not known or not valid at that time. Borrowed until the next add. */
const struct tls_known_chain *tls_known_find(const struct tls_known *k, const uint8_t key[TLS_KNOWN_KEY], int64_t now_s);
/* Takes the place of the older one of its set. */
void tls_known_add(struct tls_known *k, const struct tls_known_chain *chain);
