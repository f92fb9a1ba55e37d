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

/*
 * Reads a request only as far as its challenge; everything else is the business of core/enrol. nonce_out stays empty
 * where none was echoed. What challenge_check says.
 */
MUST_CHECK enum err est_read_challenge(const struct est_turn *e, const struct client *client, struct span csr,
	uint8_t nonce[CHALLENGE_NONCE_SIZE], struct span *nonce_out, struct why *why);

/* What an authenticated client asks with one CSR; ask borrows from the rest, from the client and from the CSR. */
struct est_asked {
	struct client subject; /* whom an RA asks for */
	uint8_t nonce[CHALLENGE_NONCE_SIZE];
	struct why why;        /* of a challenge that is refused */
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
