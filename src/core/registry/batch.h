#pragma once
/*
 * Group commit. Requests of one turn share a transaction; each runs between enter and leave, so that
 * a failed one leaves no trace; nobody is answered before flush() has committed.
 */
#include "port/store.h"

enum { BATCH_WAITING_MAX = 1024 }; /* answers of one commit: as many as one turn of a busy loop makes */

struct batch;

/* err is OK after the commit reached the disk; otherwise nothing of the whole batch was kept. why is
 * never NULL. It may enter, defer and flush again: that is the next batch. */
typedef void (*batch_done)(void *arg, enum err err, const struct why *why);

struct batch *batch_new(struct store *store); /* NULL without memory */
void batch_free(struct batch *b);             /* rolls back; deferred calls run with ERR_STORE. NULL is fine */
/*
 * Opens the shared transaction when none is open and sets a mark. When BATCH_WAITING_MAX answers
 * wait it flushes first. Makes room for one batch_defer, which then cannot fail.
 */
MUST_CHECK enum err batch_enter(struct batch *b, struct why *why);
/*
 * keep: the request's writes stay in the batch; else they are undone. why is the request's own: when
 * it holds ERR_STORE the store has lost the whole transaction (port/store.h), so that everybody who
 * waits gets that reason at the next flush.
 */
MUST_CHECK enum err batch_leave(struct batch *b, bool keep, struct why *why);
/* Registers an answer, after leave. Without any write it may stand alone. ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK enum err batch_defer(struct batch *b, batch_done done, void *arg, struct why *why);
size_t batch_waiting(const struct batch *b);
/*
 * Commits and runs every deferred call. Does nothing when nothing was written or deferred. From
 * within a deferred call it commits at once and leaves the new answers to the flush that is running.
 * Never between enter and leave.
 */
void batch_flush(struct batch *b);
