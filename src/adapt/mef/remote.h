#pragma once
/*
 * port/mef.h over a channel to the caller process: pipelined. A fetch that is on its way to a caller that dies
 * fails, and so does one that comes while there is none: its client tries again.
 */
#include "net/loop.h"
#include "port/clock.h"
#include "port/mef.h"

enum {
	MEF_REMOTE_FETCHES_MAX = 1024, /* under way; more than core/maf asks at once */
	MEF_REMOTE_WAIT_MS = 15 * 1000, /* a caller gives up after 10 s; one that does not, hangs */
};

struct mef_remote;

/* fqdns: the MEFs that are configured; borrowed, as clock is. */
MUST_CHECK enum err mef_remote_new(struct loop *l, const struct clock *clock, const char *const *fqdns, size_t fqdns_n,
	struct mef_remote **out, struct why *why);
/* Fetches under way fail. */
void mef_remote_free(struct mef_remote *r);
/* Takes the descriptor of a channel to a (new) caller. */
MUST_CHECK enum err mef_remote_add(struct mef_remote *r, int fd, struct why *why);
const struct mef *mef_remote_port(struct mef_remote *r);
size_t mef_remote_under_way(const struct mef_remote *r);
