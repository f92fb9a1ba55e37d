#pragma once
/*
 * Orders to the signer and their results as bytes: what travels in the frames of channel_orders. Both
 * directions stand in msg.c. Reading trusts nothing: the registrar is the process that a network
 * attacker would reach first, and the signer holds the CA key.
 */
#include "base/buf.h"
#include "port/issuer.h"

enum {
	/* A CRL of that many revoked certificates, 16-octet serials and reasons, fills its frame. */
	MSG_CRL_ENTRIES_MAX = 150 * 1000,
};

void msg_order_write(struct buf *out, const struct issue_order *order);
/* Spans point into in. ERR_SYNTAX. */
MUST_CHECK enum err msg_order_parse(struct span in, struct issue_order *out, struct why *why);

void msg_issued_write(struct buf *out, const struct issue_result *result);
MUST_CHECK enum err msg_issued_parse(struct span in, struct issue_result *out, struct why *why);

void msg_crl_order_write(struct buf *out, const struct crl_order *order);
/* out->entries is *entries_out, which the caller frees with mem_free, also after a failure. ERR_SYNTAX, ERR_NOMEM. */
MUST_CHECK enum err msg_crl_order_parse(
	struct span in, struct crl_order *out, struct crl_entry **entries_out, struct why *why);

void msg_key_order_write(struct buf *out, const struct key_order *order);
MUST_CHECK enum err msg_key_order_parse(struct span in, struct key_order *out, struct why *why);
/* out holds keys: buf_fini_wipe. */
void msg_key_write(struct buf *out, const struct made_key *key);
MUST_CHECK enum err msg_key_parse(struct span in, struct made_key *out, struct why *why);

/* Why an order was refused. The kind follows from the code's row. */
void msg_refused_write(struct buf *out, const struct why *why);
/* ERR_SYNTAX when the message is malformed, with the reason in why; else OK and *refusal is set. */
MUST_CHECK enum err msg_refused_parse(struct span in, struct why *refusal, struct why *why);
