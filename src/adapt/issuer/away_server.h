#pragma once
/* The other end of away.h: orders of registrars, answered later. For the caller and the runner of a MEF. */
#include "adapt/issuer/away_msg.h"
#include "net/loop.h"

struct away_server;
struct away_job;

/* Answer each job once by away_done or away_refuse, also after its registrar has gone. order is borrowed until take returns. */
struct away_events {
	void (*take)(void *arg, struct away_job *job, const struct away_order *order);
	void (*alone)(void *arg); /* for AWAY_ALONE_MS there has been no registrar */
	void *arg;
};

enum { AWAY_ALONE_MS = 30 * 1000 };

MUST_CHECK enum err away_server_new(struct loop *l, const struct away_events *events, struct away_server **out, struct why *why);
/* Every job has been answered. */
void away_server_free(struct away_server *s);
/* Takes the descriptor of a channel to a registrar; two for a moment while one replaces the other. */
MUST_CHECK enum err away_server_add(struct away_server *s, int fd, struct why *why);
/* No answer goes out any more. */
void away_server_hang_up(struct away_server *s);
void away_done(struct away_job *job, struct span der);
void away_refuse(struct away_job *job, const struct why *why);
