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

/* RFC 7030 4.4: http_est_keygen.c */
void est_serverkeygen(const struct est_turn *e);
/* RFC 7030 4.3: http_est_cmc.c */
void est_fullcmc(const struct est_turn *e);
