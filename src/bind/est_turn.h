#pragma once
/* What one EST request is about, known before its operation runs; shared by the files of http_est*.c. */
#include "bind/turn.h"
#include "proto/est/challenge.h"
#include "proto/est/path.h"

struct est_turn {
	const struct turn *turn;
	struct est_path path;
	const struct est_label *label;
	int64_t now_s;
};

/* What outlives bind_call while an answer is being made: the turn without its call, and who reads the answer. */
struct est_waiting {
	struct turn turn;
	size_t agent_n;
	uint8_t agent[CALL_AGENT_MAX];
};
/* http_est.c. For mem_free; NULL: no memory. */
struct est_waiting *est_waiting_new(const struct turn *t);

/* What a CSR showed of csrattrs and of its TLS session. */
struct est_proof {
	struct span nonce; /* of the challenge that it echoes; empty: none */
	uint8_t nonce_octets[CHALLENGE_NONCE_SIZE];
	bool linked; /* it carries a value of this session (RFC 7030 3.5) */
};
/*
 * http_est_challenge.c, for every operation that takes a CSR of its own client: what stands in challengePassword
 * and estIdentityLinking is right or the request is refused (ERR_FORBIDDEN, ERR_EXPIRED). That nothing stands
 * there is for core/enrol to judge.
 */
MUST_CHECK enum err est_prove(const struct est_turn *e, const struct client *client, struct span der, struct est_proof *out,
	struct why *why);

/* What an authenticated client asks with one CSR; ask borrows from the rest, from the client and from the CSR. */
struct est_asked {
	struct client subject; /* whom an RA asks for */
	struct est_proof proof;
	struct why why;        /* of a challenge or linking that is refused */
	struct enrol_ask ask;
};
/*
 * est_ask.c. Whom the request is for (core/enrol/behalf.h), and what became of its challenge. What fails here is refused
 * in the client's name; what is wrong with the challenge is left to enrol_certificate.
 */
MUST_CHECK enum err est_ask(const struct est_turn *e, const struct client *client, bool reenrol, struct span csr,
	struct arena *arena, struct est_asked *out, struct why *why);

/* RFC 7030 4.4: http_est_keygen.c */
void est_serverkeygen(const struct est_turn *e);
/* RFC 7030 4.3: http_est_cmc.c */
void est_fullcmc(const struct est_turn *e);

/* A fresh challenge for that client. */
MUST_CHECK enum err est_make_challenge(
	const struct est_turn *e, const struct client *client, struct buf *text_out, struct why *why);
/* RFC 7030 4.5: http_est_attrs.c */
void est_csrattrs(const struct est_turn *e);
