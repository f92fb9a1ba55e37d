#pragma once
/*
 * A TLS session between two entities that share a key (TS-0003 8.2.2.3: psk_identity is the key's identifier, psk the
 * key as a whole), for lines of text. Blocking, one peer, IPv4.
 */
#include "base/secret.h"
#include "base/why.h"

enum { SESSION_LINE_SIZE = 1024, SESSION_HOST_SIZE = 64 };

struct session_plan {
	const char *identity;
	const struct secret *key; /* borrowed while the session opens */
	int64_t timeout_s;        /* of each step; 1 to 86400 */
	bool tls12_only;
};

struct session;

/* On 127.0.0.1; port 0: any, told in *port_out. ERR_SYSTEM. */
MUST_CHECK enum err session_listen(uint16_t port, int *fd_out, uint16_t *port_out, struct why *why);
/* The first peer that comes. AGENT_PSK (ERR_FORBIDDEN) when it does not hold the key; ERR_SYSTEM. */
MUST_CHECK enum err session_accept(int fd, const struct session_plan *plan, struct session **out, struct why *why);
MUST_CHECK enum err session_connect(const char *address, uint16_t port, const struct session_plan *plan, struct session **out, struct why *why);
void session_free(struct session *s);
void session_cleanup(struct session **s);
#define OWNED_SESSION __attribute__((cleanup(session_cleanup)))
/* A line of at most SESSION_LINE_SIZE - 2 octets. */
MUST_CHECK enum err session_say(struct session *s, const char *line, struct why *why);
MUST_CHECK enum err session_hear(struct session *s, char out[SESSION_LINE_SIZE], struct why *why);
const char *session_version(const struct session *s); /* "TLSv1.3" */
const char *session_suite(const struct session *s);
