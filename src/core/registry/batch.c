#include "core/registry/batch.h"

#include "base/mem.h"

#include <assert.h>

enum { WAVE_FIRST = 16 };

struct waiter {
	batch_done done;
	void *arg;
};

/* Those who share one commit, and what became of it. */
struct wave {
	struct wave *next;
	struct waiter *items;
	size_t n, cap;
	enum err err;
	struct why why;
};

struct batch {
	struct store *store;
	struct wave *open;             /* waits for the next commit */
	struct wave *first, **last;    /* decided, not yet told */
	struct wave *spare;
	bool begun, entered, draining, closed;
};

static void wave_free(struct wave *w)
{
	if (w)
		mem_free(w->items);
	mem_free(w);
}

struct batch *batch_new(struct store *store)
{
	struct batch *b = mem_alloc(sizeof(*b));

	if (b) {
		b->store = store;
		b->last = &b->first;
	}
	return b;
}

/* A place for one more answer, so that a kept write can always be answered. */
static enum err make_room(struct batch *b, struct why *why)
{
	if (!b->open) {
		b->open = b->spare ? b->spare : mem_alloc(sizeof(*b->open));
		b->spare = NULL;
	}
	if (!b->open)
		return WHY(why, NOMEM, "", "answers waiting for a commit");
	struct wave *w = b->open;
	if (w->n < w->cap)
		return OK;
	if (w->n >= BATCH_WAITING_MAX)
		return WHY(why, BATCH_FULL, "", "waiting answers: want at most %d", BATCH_WAITING_MAX);
	size_t cap = w->cap ? w->cap * 2 : WAVE_FIRST;
	struct waiter *items = mem_resize(w->items, cap * sizeof(*items));
	if (!items)
		return WHY(why, NOMEM, "", "answers waiting for a commit");
	w->items = items;
	w->cap = cap;
	return OK;
}

/* Moves the open wave, if anybody waits in it, to those that can be told. */
static void decide(struct batch *b, enum err err, const struct why *why)
{
	struct wave *w = b->open;

	b->begun = false;
	if (!w || w->n == 0)
		return;
	w->err = err;
	w->why = *why;
	w->next = NULL;
	*b->last = w;
	b->last = &w->next;
	b->open = NULL;
}

static void lose(struct batch *b, enum err err, const struct why *why)
{
	b->store->ops->rollback(b->store->self);
	decide(b, err, why);
}

static void recycle(struct batch *b, struct wave *w)
{
	if (b->spare) {
		wave_free(w);
		return;
	}
	w->n = 0;
	w->err = OK;
	why_clear(&w->why);
	b->spare = w;
}

static void tell(struct batch *b)
{
	if (b->draining)
		return;
	b->draining = true;
	while (b->first) {
		struct wave *w = b->first;
		b->first = w->next;
		if (!b->first)
			b->last = &b->first;
		for (size_t i = 0; i < w->n; i++)
			w->items[i].done(w->items[i].arg, w->err, &w->why);
		recycle(b, w);
	}
	b->draining = false;
}

void batch_flush(struct batch *b)
{
	struct why why = {0};
	enum err err = OK;

	assert(!b->entered);
	if (b->begun)
		err = b->store->ops->commit(b->store->self, &why);
	if (err != OK)
		lose(b, err, &why);
	else
		decide(b, OK, &why);
	tell(b);
}

void batch_free(struct batch *b)
{
	struct why why = {0};

	if (!b)
		return;
	assert(!b->draining);
	b->closed = true;
	b->entered = false;
	enum err err = WHY(&why, BATCH_CLOSED, "", "the answer was waiting for a commit that never came");
	if (b->begun)
		lose(b, err, &why);
	else
		decide(b, err, &why);
	tell(b);
	wave_free(b->open);
	wave_free(b->spare);
	mem_free(b);
}

enum err batch_enter(struct batch *b, struct why *why)
{
	const struct store_ops *ops = b->store->ops;

	if (b->closed)
		return WHY(why, BATCH_CLOSED, "", "no new transaction");
	if (b->entered)
		return WHY(why, BUG, "", "batch: enter within enter");
	if (b->open && b->open->n >= BATCH_WAITING_MAX)
		batch_flush(b);
	TRY(make_room(b, why));
	if (!b->begun)
		TRY(ops->begin(b->store->self, why));
	b->begun = true;
	enum err err = ops->mark(b->store->self, why);
	if (err != OK)
		lose(b, err, why);
	b->entered = err == OK;
	return err;
}

enum err batch_leave(struct batch *b, bool keep, struct why *why)
{
	const struct store_ops *ops = b->store->ops;
	enum err err = OK;

	if (!b->entered)
		return WHY(why, BUG, "", "batch: leave without enter");
	b->entered = false;
	if (keep)
		err = ops->release(b->store->self, why);
	if (err != OK || (!keep && why->kind == ERR_STORE))
		lose(b, err != OK ? err : why->kind, why);
	else if (!keep)
		ops->undo(b->store->self);
	return err;
}

enum err batch_defer(struct batch *b, batch_done done, void *arg, struct why *why)
{
	if (b->closed)
		return WHY(why, BATCH_CLOSED, "", "no new answers");
	if (!b->entered && b->open && b->open->n >= BATCH_WAITING_MAX)
		batch_flush(b);
	TRY(make_room(b, why));
	b->open->items[b->open->n++] = (struct waiter){done, arg};
	return OK;
}

size_t batch_waiting(const struct batch *b)
{
	size_t n = b->open ? b->open->n : 0;

	for (const struct wave *w = b->first; w; w = w->next)
		n += w->n;
	return n;
}
