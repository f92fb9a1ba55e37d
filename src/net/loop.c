#include "net/loop.h"

#include "base/mem.h"
#include "net/log.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include <errno.h>
#include <sched.h>
#include <string.h>

struct loop_signal {
	struct event event;
	loop_fn fn;
	void *arg;
	struct loop_signal *next;
};

struct loop {
	struct event_base *base;
	struct loop_signal *signals;
	loop_fn turn_fn;
	void *turn_arg;
	bool stopped;
	struct loop_task *first; /* armed tasks in the order of arming */
	struct loop_task **last;
};

struct loop_watch {
	struct event event;
	struct loop *loop;
	int fd;
	int interest;
	loop_fd_fn fn;
	void *arg;
};

struct loop_timer {
	struct event event;
	loop_fn fn;
	void *arg;
};

static void libevent_says(int severity, const char *text)
{
	log_event(severity >= EVENT_LOG_WARN ? LOG_WARN_ : LOG_DEBUG_, "event loop", "text", text, NULL);
}

enum err loop_new(struct loop **out, struct why *why)
{
	struct loop *l = mem_alloc(sizeof(*l));
	struct event_config *config = event_config_new();

	event_set_log_callback(libevent_says);
	/* No change list: a listening socket is shared with the parent and with other generations, so a
	 * registration must be gone before its descriptor is closed. */
	if (config) {
		event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
		event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
	}
	if (l && config)
		l->base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	if (!l || !l->base) {
		mem_free(l);
		return WHY(why, LOOP_SETUP, "", "event loop: want one, have none (%s)", strerror(errno));
	}
	l->last = &l->first;
	*out = l;
	return OK;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->signals) {
		struct loop_signal *s = l->signals;
		l->signals = s->next;
		event_del(&s->event);
		mem_free(s);
	}
	event_base_free(l->base);
	mem_free(l);
}

static void turn_end(struct loop *l)
{
	if (l->turn_fn)
		l->turn_fn(l->turn_arg);
}

/* Only what was armed before this turn's end runs now, or two tasks that arm each other never let go. */
static void run_turn_end(struct loop *l)
{
	size_t n = 0;

	turn_end(l);
	for (const struct loop_task *t = l->first; t; t = t->next)
		n++;
	if (n == 0)
		return;
	for (; n > 0 && l->first; n--) {
		struct loop_task *t = l->first;
		loop_task_disarm(l, t);
		t->fn(t->arg);
	}
	turn_end(l);
}

void loop_run(struct loop *l)
{
	while (!l->stopped) {
		if (event_base_loop(l->base, EVLOOP_ONCE | (l->first ? EVLOOP_NONBLOCK : 0)) < 0)
			return;
		run_turn_end(l);
		if (!l->first && event_base_get_num_events(l->base, EVENT_BASE_COUNT_ADDED) == 0)
			return; /* nothing can ever happen again */
	}
	l->stopped = false;
	if (l->first)
		run_turn_end(l); /* what the last turn queued still leaves */
}

void loop_stop(struct loop *l)
{
	l->stopped = true; /* every wait ends after one turn anyway */
}

static short events_of(int interest)
{
	return (short)((interest & LOOP_READ ? EV_READ : 0) | (interest & LOOP_WRITE ? EV_WRITE : 0));
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct loop_watch *w = arg;

	w->fn(w->arg, (what & EV_READ ? LOOP_READ : 0) | (what & EV_WRITE ? LOOP_WRITE : 0));
}

enum err loop_watch_new(
	struct loop *l, int fd, int interest, loop_fd_fn fn, void *arg, struct loop_watch **out, struct why *why)
{
	struct loop_watch *w = mem_alloc(sizeof(*w));

	if (!w)
		return WHY(why, NOMEM, "", "watch: want %zu bytes", sizeof(*w));
	*w = (struct loop_watch){.loop = l, .fd = fd, .fn = fn, .arg = arg};
	if (event_assign(&w->event, l->base, fd, (short)(events_of(interest) | EV_PERSIST), on_ready, w) != 0 ||
		(interest && event_add(&w->event, NULL) != 0)) {
		mem_free(w);
		return WHY(why, LOOP_SETUP, "", "watch: descriptor %d cannot be watched (%s)", fd, strerror(errno));
	}
	w->interest = interest;
	*out = w;
	return OK;
}

void loop_watch_set(struct loop_watch *w, int interest)
{
	if (interest == w->interest)
		return;
	if (w->interest)
		event_del(&w->event);
	w->interest = interest;
	if (!interest)
		return;
	event_assign(&w->event, w->loop->base, w->fd, (short)(events_of(interest) | EV_PERSIST), on_ready, w);
	/* The descriptor is registered already, so the kernel needs no new memory for it. */
	event_add(&w->event, NULL);
}

void loop_watch_free(struct loop_watch *w)
{
	if (!w)
		return;
	if (w->interest)
		event_del(&w->event);
	mem_free(w);
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *t = arg;

	t->fn(t->arg);
}

void loop_yield(void)
{
	(void)sched_yield();
}

enum err loop_timer_new(struct loop *l, loop_fn fn, void *arg, struct loop_timer **out, struct why *why)
{
	struct loop_timer *t = mem_alloc(sizeof(*t));

	if (!t)
		return WHY(why, NOMEM, "", "timer: want %zu bytes", sizeof(*t));
	t->fn = fn;
	t->arg = arg;
	evtimer_assign(&t->event, l->base, on_time, t);
	*out = t;
	return OK;
}

void loop_timer_set(struct loop_timer *t, int64_t after_ms)
{
	if (after_ms < 0)
		after_ms = 0;
	struct timeval tv = {.tv_sec = (time_t)(after_ms / 1000), .tv_usec = (suseconds_t)(after_ms % 1000 * 1000)};

	evtimer_add(&t->event, &tv);
}

void loop_timer_stop(struct loop_timer *t)
{
	evtimer_del(&t->event);
}

void loop_timer_free(struct loop_timer *t)
{
	if (!t)
		return;
	evtimer_del(&t->event);
	mem_free(t);
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct loop_signal *s = arg;

	s->fn(s->arg);
}

enum err loop_on_signal(struct loop *l, int signo, loop_fn fn, void *arg, struct why *why)
{
	struct loop_signal *s = mem_alloc(sizeof(*s));

	if (!s)
		return WHY(why, NOMEM, "", "signal: want %zu bytes", sizeof(*s));
	s->fn = fn;
	s->arg = arg;
	evsignal_assign(&s->event, l->base, signo, on_signal, s);
	if (evsignal_add(&s->event, NULL) != 0) {
		mem_free(s);
		return WHY(why, LOOP_SETUP, "", "signal %d: cannot be watched (%s)", signo, strerror(errno));
	}
	s->next = l->signals;
	l->signals = s;
	return OK;
}

enum err loop_after_turn(struct loop *l, loop_fn fn, void *arg, struct why *why)
{
	if (l->turn_fn)
		return WHY(why, BUG, "", "loop_after_turn: want one call per loop, have two");
	l->turn_fn = fn;
	l->turn_arg = arg;
	return OK;
}

void loop_task_arm(struct loop *l, struct loop_task *t)
{
	if (t->armed)
		return;
	t->armed = true;
	t->next = NULL;
	*l->last = t;
	l->last = &t->next;
}

void loop_task_disarm(struct loop *l, struct loop_task *t)
{
	if (!t->armed)
		return;
	struct loop_task **at = &l->first;
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	if (!t->next)
		l->last = at;
	t->armed = false;
	t->next = NULL;
}
