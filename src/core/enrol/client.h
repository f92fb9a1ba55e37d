#pragma once
/* Who is at the other end: the authenticated peer joined with the registry. Deny by default. */
#include "core/enrol/label.h"
#include "pki/cert.h"

/* What the connection proved; a copy of wire/call.h's peer without transport detail. */
struct client_facts {
	int trust; /* enum peer_trust */
	struct span leaf;
	const uint8_t *anchor; /* 32 octets */
	struct span binding;   /* tls-exporter octets */
	const char *address;
};

struct client {
	struct enrolee enrolee;
	struct cert leaf;
	bool provisioned;     /* by its current MEF-provisioned certificate, not by a bootstrap credential */
	struct issued current; /* the issued row of that certificate, when provisioned */
	uint8_t identity[32]; /* SHA-256 of the authenticated identity: enrolee id and leaf */
};

/*
 * ERR_UNAUTHENTICATED: no certificate; ERR_FORBIDDEN: unknown, ambiguous, disabled, revoked;
 * ERR_EXPIRED: leaf out of its dates at now_s.
 */
MUST_CHECK enum err client_find(struct store *store, const struct client_facts *facts, int64_t now_s,
	struct arena *arena, struct client *out, struct why *why);
