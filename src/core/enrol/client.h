#pragma once
/* Who is at the other end: the authenticated peer joined with the registry. Deny by default. */
#include "core/enrol/label.h"
#include "pki/cert.h"

/* The values of wire/call.h's enum peer_trust, which core may not see; bind asserts that both agree. */
enum client_trust {
	CLIENT_ANONYMOUS = 0,
	CLIENT_OWN = 1,
	CLIENT_THIRD_PARTY = 2,
	CLIENT_RAW_KEY = 3,
	CLIENT_PSK = 4,
	CLIENT_SRP = 5,
};

/* What the connection proved; a copy of wire/call.h's peer without transport detail. */
struct client_facts {
	int trust; /* enum client_trust */
	struct span leaf;
	const uint8_t *anchor; /* 32 octets; all zero without a verified chain */
	struct span identity;  /* psk_identity or SRP user as shown; empty unless CLIENT_PSK, CLIENT_SRP */
	int64_t expired_s;     /* a MEF-provisioned certificate may have ended so long ago; for its renewal only */
};

struct client {
	struct enrolee enrolee;
	struct cert leaf;     /* spans point into facts.leaf; all empty for CLIENT_PSK */
	const char *key_id;   /* CLIENT_PSK: KpmId or KreId in normal form; CLIENT_SRP: the user; else NULL */
	bool by_srp;
	bool self_named;      /* a raw key: nobody vouches for the names in its leaf */
	bool provisioned;     /* by its current MEF-provisioned certificate, not by a bootstrap credential */
	struct issued current; /* the issued row of that certificate, when provisioned */
	int64_t late_s;       /* since the end of that certificate; 0: it is valid */
	uint8_t identity[32]; /* SHA-256 of the authenticated identity: enrolee id and leaf, or key id */
};

/*
 * MEF-provisioned certificates are found by serial and must be the very one on record, not revoked.
 * Third-party certificates are looked up by all that they show: otherNames, serialNumber, URIs,
 * dNSNames, their own digest and their key's; raw keys by digest only. A credential counts when it is
 * pinned to no anchor or to the one that vouched. All of them must lead to one enrolee.
 *
 * A PSK is found by its identity among the registered Kpm and the Kre, and must not have expired
 * (ERR_EXPIRED): the handshake may be older than the key's end.
 *
 * ERR_UNAUTHENTICATED: no certificate, no PSK; ERR_FORBIDDEN: unknown, ambiguous, disabled, revoked;
 * ERR_EXPIRED: leaf out of its dates at now_s; ERR_SYNTAX, ERR_LIMIT: leaf unreadable.
 */
MUST_CHECK enum err client_find(struct store *store, const struct client_facts *facts, int64_t now_s,
	struct arena *arena, struct client *out, struct why *why);
/* By what a client was let in. */
struct standing {
	const char *enrolee_id;
	struct span serial; /* number of record of its MEF-provisioned certificate; empty: bootstrap */
	const char *key_id; /* of its PSK, or its SRP user, or NULL */
	bool by_srp;
};
struct standing client_standing(const struct client *client); /* borrowed from the client */
/*
 * Asked again when something is about to be recorded, for time has passed: the enrolee is still there and
 * enabled, its certificate not revoked, its PSK neither removed nor over. ERR_FORBIDDEN, ERR_EXPIRED.
 */
MUST_CHECK enum err client_check_standing(struct store *store, const struct standing *s, int64_t now_s, struct why *why);
