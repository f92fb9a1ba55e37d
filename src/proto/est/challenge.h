#pragma once
/*
 * The challengePassword that the MEF makes for one client (TS-0003 8.3.6.2, seed 001 8.3.Z.2.2 step 2b):
 * a sealed value, so nothing is stored until it is spent. Text is standard base64, PrintableString,
 * at most 255 characters. It binds: who (identity digest), where (label), which TLS session (binding,
 * where the label says so) and until when; its nonce makes it one-time at the store.
 */
#include "base/buf.h"

enum { CHALLENGE_NONCE_SIZE = 16, CHALLENGE_KEY_SIZE = 32, CHALLENGE_TEXT_MAX = 255 };

struct challenge_facts {
	struct span identity; /* authenticated identity, any stable octets */
	struct span label;
	struct span binding;  /* tls-exporter octets; empty: not bound to the session */
	int64_t ttl_s;        /* how long the label lets one live; 0: not looked at when checking */
};

/* random: 12 octets of IV then 16 of nonce, fresh. Appends the text. */
MUST_CHECK enum err challenge_write(struct span key, const uint8_t random[28], const struct challenge_facts *facts,
	int64_t expires_s, struct buf *text_out, struct why *why);
/*
 * Says precisely what differs: not ours (ERR_FORBIDDEN), expired (ERR_EXPIRED), other client, other
 * label, other TLS session (ERR_FORBIDDEN). One made more than ttl_s from now counts as expired: the
 * clock was set back since, and it would live for as long as that was.
 */
MUST_CHECK enum err challenge_check(struct span key, struct span text, const struct challenge_facts *facts,
	int64_t now_s, uint8_t nonce_out[CHALLENGE_NONCE_SIZE], struct why *why);
