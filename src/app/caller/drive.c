#include "app/caller/drive.h"

#include "base/mem.h"
#include "net/log.h"

/* One socket of libcurl. */
struct watched {
	struct drive *drive;
	struct loop_watch *watch;
	int fd;
};

static void on_ready(void *arg, int ready)
{
	const struct watched *w = arg;

	fetch_many_ready(w->drive->many, w->fd,
		(ready & LOOP_READ ? FETCH_MANY_READ : 0) | (ready & LOOP_WRITE ? FETCH_MANY_WRITE : 0));
}

static void unwatch(struct watched *w)
{
	if (w)
		loop_watch_free(w->watch);
	mem_free(w);
}

static void *watch(void *arg, void *had, int fd, int interest)
{
	struct drive *d = arg;
	struct watched *w = had;
	struct why why = {0};
	int loop_interest = (interest & FETCH_MANY_READ ? LOOP_READ : 0) | (interest & FETCH_MANY_WRITE ? LOOP_WRITE : 0);

	if (!interest) {
		unwatch(w);
		return NULL;
	}
	if (w) {
		loop_watch_set(w->watch, loop_interest);
		return w;
	}
	w = mem_alloc(sizeof(*w));
	if (!w)
		return NULL; /* the transfer runs into its deadline */
	w->drive = d;
	w->fd = fd;
	if (loop_watch_new(d->loop, fd, loop_interest, on_ready, w, &w->watch, &why) != OK) {
		log_why(LOG_ERROR_, "socket not watched", &why);
		mem_free(w);
		return NULL;
	}
	return w;
}

static void timer(void *arg, int64_t after_ms)
{
	struct drive *d = arg;

	if (after_ms < 0)
		loop_timer_stop(d->timer);
	else
		loop_timer_set(d->timer, after_ms);
}

static void on_time(void *arg)
{
	fetch_many_time(((struct drive *)arg)->many);
}

enum err drive_open(struct drive *d, struct loop *l, struct fetch_many_config *config, struct why *why)
{
	d->loop = l;
	config->watch = watch;
	config->timer = timer;
	config->arg = d;
	TRY(loop_timer_new(l, on_time, d, &d->timer, why));
	return fetch_many_new(config, &d->many, why);
}

void drive_close(struct drive *d)
{
	fetch_many_free(d->many);
	loop_timer_free(d->timer);
	d->many = NULL;
	d->timer = NULL;
}
