#pragma once
/*
 * A request under way, beside its key on disk: the MEF knows it again by its very bytes (RFC 7030 4.2.3), so a device
 * that was switched off while a person decides goes on with them. JSON.
 */
#include "base/arena.h"
#include "base/buf.h"

enum {
	AGENT_PENDING_MAX = 64 * 1024, /* a CSR in base64, an address and what the MEF said */
	AGENT_PENDING_CSR_MAX = 12 * 1024, /* in base64 as long as a text of a document may be; real ones have less than 2 KiB */
	AGENT_PENDING_SAID_MAX = 320,
};

struct agent_pending {
	const char *uri;   /* of the MEF */
	bool renew;
	uint8_t client[32]; /* SHA-256 of the certificate that authenticates it; all zero: by shared key */
	struct span csr;   /* DER, at most AGENT_PENDING_CSR_MAX */
	int64_t since_s;
	int64_t again_s;   /* when the MEF wants it again; 0: it said nothing yet */
	const char *said;  /* by the MEF, for people; "" */
};

MUST_CHECK enum err agent_pending_write(const struct agent_pending *p, struct buf *out, struct why *why);
/* Texts and spans lie in the arena. ERR_SYNTAX, ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK enum err agent_pending_parse(struct span json, struct arena *arena, struct agent_pending *out, struct why *why);
/* True when p is a request of the same kind, to the same MEF, by the same client. */
bool agent_pending_fits(const struct agent_pending *p, const struct agent_pending *asked);
/* What the MEF said without its "Next: ...": what this device does next is told by its own reason. At most max octets. */
struct span agent_pending_reason(const char *said, size_t max);
