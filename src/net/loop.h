#pragma once
/* One event loop per process, on libevent's core. No idle wake-ups. */
#include "base/why.h"

#include <stdbool.h>

struct loop;
struct loop_watch;
struct loop_timer;

enum loop_ready { LOOP_READ = 1, LOOP_WRITE = 2 };

typedef void (*loop_fd_fn)(void *arg, int ready);
typedef void (*loop_fn)(void *arg);

MUST_CHECK enum err loop_new(struct loop **out, struct why *why);
void loop_free(struct loop *l);
void loop_run(struct loop *l); /* until loop_stop */
void loop_stop(struct loop *l);
/* interest: LOOP_READ | LOOP_WRITE, level-triggered. */
MUST_CHECK enum err loop_watch_new(
	struct loop *l, int fd, int interest, loop_fd_fn fn, void *arg, struct loop_watch **out, struct why *why);
void loop_watch_set(struct loop_watch *w, int interest);
void loop_watch_free(struct loop_watch *w);
/* Lets processes that are ready on this core run first; returns at once when there are none. */
void loop_yield(void);
MUST_CHECK enum err loop_timer_new(struct loop *l, loop_fn fn, void *arg, struct loop_timer **out, struct why *why);
void loop_timer_set(struct loop_timer *t, int64_t after_ms);
void loop_timer_stop(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t);
MUST_CHECK enum err loop_on_signal(struct loop *l, int signo, loop_fn fn, void *arg, struct why *why);
/*
 * Runs fn at the end of every turn, after every event that was ready has been handled: the place of
 * group commit. One per loop. A busy loop cannot starve it: a turn is what one wait for events brought;
 * an idle loop has no turns.
 */
MUST_CHECK enum err loop_after_turn(struct loop *l, loop_fn fn, void *arg, struct why *why);

/* Work for the end of this turn, after the function above (which runs once more after the tasks): queues
 * that leave in one write. The caller owns the storage; a task armed by a task runs in the next turn. */
struct loop_task {
	loop_fn fn;
	void *arg;
	struct loop_task *next;
	bool armed;
};
void loop_task_arm(struct loop *l, struct loop_task *t);
void loop_task_disarm(struct loop *l, struct loop_task *t);
