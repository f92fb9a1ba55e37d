#pragma once
/*
 * What registrar and caller of a MAF say to each other, as bytes: the frames of channel_fetches. Both directions
 * stand in msg.c. Reading trusts nothing: the caller talks to the network.
 */
#include "base/buf.h"
#include "port/mef.h"

enum { MEF_KEYID_SIZE = 321, MEF_ENROLEE_SIZE = 513 };

struct mef_ask {
	unsigned int suid;
	char keid[MEF_KEYID_SIZE];
};

void mef_ask_write(struct buf *out, const char *keid, unsigned int suid);
MUST_CHECK enum err mef_ask_parse(struct span in, struct mef_ask *out, struct why *why);

/* The buffer holds a key: buf_fini_wipe. */
void mef_key_write(struct buf *out, const struct mef_key *key);
/* enrolee_id points into text. Wipe the key. ERR_SYNTAX. */
MUST_CHECK enum err mef_key_parse(struct span in, char text[MEF_ENROLEE_SIZE], struct mef_key *out, struct why *why);

/* Why there is none. The kind follows from the code's row. */
void mef_refusal_write(struct buf *out, const struct why *why);
/* ERR_SYNTAX when it is malformed; else OK and *refusal is set. */
MUST_CHECK enum err mef_refusal_parse(struct span in, struct why *refusal, struct why *why);
