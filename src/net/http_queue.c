#include "net/http_conn.h"

#include <time.h>

int64_t http_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void arm(struct http_server *s, int64_t at_ms, int64_t now_ms)
{
	/* A timer that fires too early only looks and arms itself again, so it is seldom moved. */
	if (s->armed_ms && s->armed_ms <= at_ms)
		return;
	s->armed_ms = at_ms;
	loop_timer_set(s->timer, at_ms > now_ms ? at_ms - now_ms : 0);
}

void http_queue_wake(struct http_server *s, int64_t after_ms)
{
	int64_t now = http_now_ms();

	arm(s, now + after_ms, now);
}

/* All of a queue have the same limit, so the order of arrival is the order of expiry. */
void http_queue_add(struct http_conn *c, enum conn_state state)
{
	struct http_server *s = c->server;
	struct conn_queue *q = &s->queues[state];

	c->state = state;
	c->next = NULL;
	c->prev = q->last;
	if (q->last)
		q->last->next = c;
	else
		q->first = c;
	q->last = c;
	if (!q->limit_ms)
		return;
	int64_t now = http_now_ms();
	c->deadline_ms = now + q->limit_ms;
	arm(s, c->deadline_ms, now);
}

void http_queue_remove(struct http_conn *c)
{
	struct conn_queue *q = &c->server->queues[c->state];

	if (c->prev)
		c->prev->next = c->next;
	else
		q->first = c->next;
	if (c->next)
		c->next->prev = c->prev;
	else
		q->last = c->prev;
}

void http_queue_enter(struct http_conn *c, enum conn_state state)
{
	http_queue_remove(c);
	http_queue_add(c, state);
}

void http_queue_expire(void *server)
{
	struct http_server *s = server;
	int64_t now = http_now_ms(), soonest = 0;

	s->armed_ms = 0;
	if (s->paused)
		http_server_resume(s);
	for (size_t i = 0; i < CONN_STATES; i++) {
		struct conn_queue *q = &s->queues[i];
		while (q->limit_ms && q->first && q->first->deadline_ms <= now)
			http_conn_expire(q->first);
	}
	for (size_t i = 0; i < CONN_STATES; i++) {
		const struct conn_queue *q = &s->queues[i];
		if (q->limit_ms && q->first && (!soonest || q->first->deadline_ms < soonest))
			soonest = q->first->deadline_ms;
	}
	if (soonest)
		arm(s, soonest, now);
}
