#pragma once
/* Inside of fetch: the handshake by user and password (TLS-SRP, RFC 5054; RFC 7030 3.3.3). */
#include "adapt/sys/fetch_server.h"

enum { FETCH_SRP_GROUP_BITS = 2048 }; /* of RFC 5054 appendix A; smaller ones have less strength than what they protect */

struct fetch_srp {
	char user[FETCH_SRP_USER_MAX + 1];
	char password[FETCH_SRP_PASSWORD_MAX + 1];
};

/* ERR_SYNTAX (AGENT_SRP_USE): lengths, or a NUL within. */
MUST_CHECK enum err fetch_srp_take(struct fetch_srp *srp, const char *user, struct span password, struct why *why);
void fetch_srp_wipe(struct fetch_srp *srp);
/* Makes the connections of this SSL_CTX ones by that password alone. ERR_UNSUPPORTED where OpenSSL has no SRP. */
MUST_CHECK enum err fetch_srp_arm(void *ssl_ctx, struct fetch_server *s, struct why *why);
/* Why the handshake ended, by libcurl's text: AGENT_SRP, AGENT_SRP_SERVER (ERR_FORBIDDEN); OK: for another reason. */
MUST_CHECK enum err fetch_srp_explain(const struct fetch_server *s, const char *error, struct why *why);
