#pragma once
/* Inside of proto/cmc: body parts and their controls. */
#include "pki/der.h"
#include "pki/der_nest.h"
#include "proto/cmc/cmc.h"

/* RFC 5272 appendix A: the last octet of id-cmc. */
enum control {
	CONTROL_STATUS_INFO = 1,
	CONTROL_IDENTIFICATION = 2,
	CONTROL_DATA_RETURN = 4,
	CONTROL_TRANSACTION_ID = 5,
	CONTROL_SENDER_NONCE = 6,
	CONTROL_RECIPIENT_NONCE = 7,
	CONTROL_LRA_POP_WITNESS = 11,
	CONTROL_REVOKE_REQUEST = 17,
	CONTROL_REG_INFO = 18,
	CONTROL_QUERY_PENDING = 21,
	CONTROL_STATUS_INFO_V2 = 25,
	CONTROL_BATCH_REQUESTS = 28,
	CONTROL_OTHER = 0,
};

enum { CMC_ENUMERATED = 0x0a };

/* Of one message, to see that none stands twice. */
struct parts {
	uint32_t ids[CMC_BODY_PARTS_MAX];
	size_t n;
};

MUST_CHECK enum err cmc_bad(const char *clause, const char *what, struct why *why);
/* INTEGER (0..4294967295); the reader is bad for others. */
uint32_t cmc_take_id(struct der *d);
/* A body part's identifier: not 0, not taken. */
MUST_CHECK enum err cmc_take_part(struct der *d, struct parts *parts, uint32_t *out, struct why *why);

struct tagged {
	uint32_t part;
	enum control control;
	struct span oid;
	struct der values; /* contents of the SET */
};
/* TaggedAttribute, consumed exactly but for its values. */
MUST_CHECK enum err cmc_take_control(struct der *list, struct parts *parts, struct tagged *out, struct why *why);
/* The one value of a control: an OCTET STRING of at most max octets, the INTEGER of a transaction. */
MUST_CHECK enum err cmc_take_octets(struct tagged *t, const char *what, size_t max, struct span *out, struct why *why);
MUST_CHECK enum err cmc_take_transaction(struct tagged *t, struct span *out, struct why *why);

/* Writes up to the value; cmc_close_control takes what it returned. */
struct opened {
	size_t outer, values;
};
struct opened cmc_open_control(struct buf *out, uint32_t part, enum control control);
void cmc_close_control(struct buf *out, struct opened at);
void cmc_put_octets(struct buf *out, uint32_t part, enum control control, struct span octets);
/* The encoded INTEGER. */
void cmc_put_transaction(struct buf *out, uint32_t part, struct span transaction);
void cmc_put_generalized_time(struct buf *out, int64_t unix_s);
