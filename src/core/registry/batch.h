#pragma once
/*
 * Group commit. Requests of one turn share a transaction; each runs between enter and leave, so that
 * a failed one leaves no trace; nobody is answered before flush() has committed.
 */
#include "port/store.h"

struct batch;

/* err is OK after the commit reached the disk; otherwise nothing of the whole batch was kept. */
typedef void (*batch_done)(void *arg, enum err err, const struct why *why);

struct batch *batch_new(struct store *store); /* NULL without memory */
void batch_free(struct batch *b);             /* deferred calls run with ERR_STORE */
MUST_CHECK enum err batch_enter(struct batch *b, struct why *why);
/* keep: the request's writes stay in the batch; else they are undone. */
MUST_CHECK enum err batch_leave(struct batch *b, bool keep, struct why *why);
MUST_CHECK enum err batch_defer(struct batch *b, batch_done done, void *arg, struct why *why);
size_t batch_waiting(const struct batch *b);
/* Commits and runs every deferred call. Does nothing when nothing was written. */
void batch_flush(struct batch *b);
