#pragma once
/* One HTTPS client (adapt/sys/fetch_many.h) on the event loop. */
#include "adapt/sys/fetch_many.h"
#include "net/loop.h"

struct drive {
	struct loop *loop;
	struct fetch_many *many;
	struct loop_timer *timer;
};

/* Fills in config what belongs to the loop. d stays where it is until drive_close. The errors of fetch_many_new. */
MUST_CHECK enum err drive_open(struct drive *d, struct loop *l, struct fetch_many_config *config, struct why *why);
void drive_close(struct drive *d); /* what is under way fails; again, or never opened: nothing */
