#include "app/front/front.h"

#include "base/mem.h"
#include "net/log.h"

#include <string.h>
#include <unistd.h>

enum { SLOTS_FIRST = 64, CALL_FRAME_MAX = CALL_BODY_MAX + CALL_LEAF_MAX + 16 * 1024 };

/* An exchange that waits for its reply; the id of its call is generation << 16 | slot, so a late reply of
 * an earlier use of the slot finds nobody. */
struct slot {
	struct http_exchange *exchange; /* NULL: free */
	uint16_t generation;
	struct link *link;
	uint32_t next_free;
};

/* One registrar. Only the newest takes calls; an older one may still answer. */
struct link {
	struct flight *flight;
	struct ipc *channel;
	struct link *next;
};

/* A call held while no registrar is connected, written as it will be sent. */
struct held {
	struct http_exchange *exchange;
	struct buf frame;
	struct held *next;
};

struct flight {
	struct loop *loop;
	struct link *links; /* newest first */
	struct slot *slots;
	uint32_t slots_n, free_first, used;
	struct held *held_first, **held_last;
	size_t held_n;
	struct loop_timer *patience;
	struct loop_timer *alone; /* runs while there is no registrar after there was one */
	struct buf frame; /* kept for its memory */
};

enum { NO_SLOT = UINT32_MAX };

/* RFC 9110 15.6.4: the client comes back in a moment; nothing was lost. */
static void answer_later(struct http_exchange *x)
{
	struct why why = {0};
	char text[512];

	(void)WHY(&why, FRONT_NO_REGISTRAR, "", "a part of the server is being started again");
	size_t n = why_print(&why, text, sizeof(text));
	struct reply reply = {.status = 503, .retry_after_s = FRONT_RETRY_S, .media_type = "text/plain; charset=utf-8",
		.body = span_of(text, n)};
	http_exchange_reply(x, &reply);
}

static bool grow_slots(struct flight *f)
{
	uint32_t n = f->slots_n ? f->slots_n * 2 : SLOTS_FIRST;

	if (f->slots_n >= FRONT_FLIGHT_MAX)
		return false;
	struct slot *slots = mem_resize(f->slots, n * sizeof(*slots));
	if (!slots)
		return false;
	f->slots = slots;
	for (uint32_t i = f->slots_n; i < n; i++)
		f->slots[i] = (struct slot){.next_free = i + 1 < n ? i + 1 : f->free_first};
	f->free_first = f->slots_n;
	f->slots_n = n;
	return true;
}

static uint32_t take_slot(struct flight *f, struct http_exchange *x, struct link *link)
{
	if (f->free_first == NO_SLOT && !grow_slots(f))
		return NO_SLOT;
	uint32_t i = f->free_first;
	struct slot *s = &f->slots[i];
	f->free_first = s->next_free;
	s->exchange = x;
	s->link = link;
	s->generation++;
	f->used++;
	return i;
}

static struct http_exchange *leave_slot(struct flight *f, uint32_t i)
{
	struct slot *s = &f->slots[i];
	struct http_exchange *x = s->exchange;

	s->exchange = NULL;
	s->link = NULL;
	s->next_free = f->free_first;
	f->free_first = i;
	f->used--;
	return x;
}

static void send_frame(struct flight *f, struct http_exchange *x, struct span frame)
{
	struct why why = {0};
	uint32_t i = take_slot(f, x, f->links);

	if (i == NO_SLOT) {
		answer_later(x);
		return;
	}
	uint32_t id = (uint32_t)f->slots[i].generation << 16 | i;
	if (ipc_send(f->links->channel, CH_CALL, id, frame, &why) != OK) {
		log_why(LOG_WARN_, "call not sent", &why);
		answer_later(leave_slot(f, i));
	}
}

static void hold(struct flight *f, struct http_exchange *x, struct buf *frame)
{
	struct held *h = f->held_n < FRONT_WAITING_MAX ? mem_alloc(sizeof(*h)) : NULL;

	if (!h) {
		answer_later(x);
		return;
	}
	h->exchange = x;
	h->frame = *frame;
	*frame = BUF(CALL_FRAME_MAX);
	*f->held_last = h;
	f->held_last = &h->next;
	if (f->held_n++ == 0)
		loop_timer_set(f->patience, FRONT_WAIT_MS);
}

/* Sends what waited, or gives up on it. */
static void release_held(struct flight *f, bool send)
{
	struct held *h = f->held_first;

	f->held_first = NULL;
	f->held_last = &f->held_first;
	f->held_n = 0;
	loop_timer_stop(f->patience);
	while (h) {
		struct held *next = h->next;
		if (send)
			send_frame(f, h->exchange, buf_span(&h->frame));
		else
			answer_later(h->exchange);
		buf_fini(&h->frame);
		mem_free(h);
		h = next;
	}
}

static void on_impatient(void *arg)
{
	release_held(arg, false);
}

void flight_call(void *arg, struct http_exchange *x, const struct call *call)
{
	struct flight *f = arg;
	struct why why = {0};

	buf_clear(&f->frame);
	call_write(&f->frame, call);
	if (buf_check(&f->frame, "call", &why) != OK) {
		log_why(LOG_WARN_, "call too large", &why);
		answer_later(x);
	} else if (f->links) {
		send_frame(f, x, buf_span(&f->frame));
	} else {
		hold(f, x, &f->frame);
	}
}

static void drop_link(struct link *l)
{
	struct flight *f = l->flight;
	struct link **at = &f->links;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	for (uint32_t i = 0; i < f->slots_n && f->used; i++) {
		if (f->slots[i].exchange && f->slots[i].link == l)
			answer_later(leave_slot(f, i));
	}
	ipc_free(l->channel);
	mem_free(l);
	if (!f->links)
		loop_timer_set(f->alone, FRONT_ALONE_MS);
}

static void on_alone(void *arg)
{
	log_event(LOG_WARN_, "no registrar any more", NULL);
	loop_stop(((struct flight *)arg)->loop);
}

static void on_closed(void *arg, const struct why *why)
{
	log_why(why->code == CODE_IPC_CLOSED ? LOG_INFO_ : LOG_WARN_, "registrar channel closed", why);
	drop_link(arg);
}

static void on_frame(void *arg, uint16_t type, uint32_t id, struct span payload, int fd)
{
	struct link *l = arg;
	struct flight *f = l->flight;
	struct reply reply;
	struct why why = {0};
	uint32_t i = id & 0xffff;

	if (fd >= 0)
		close(fd);
	if (type != CH_REPLY || i >= f->slots_n || reply_parse(payload, &reply, &why) != OK) {
		log_why(LOG_ERROR_, "reply not understood", &why);
		drop_link(l);
	} else if (f->slots[i].exchange && f->slots[i].link == l && f->slots[i].generation == (uint16_t)(id >> 16)) {
		http_exchange_reply(leave_slot(f, i), &reply);
	}
}

void flight_connect(struct flight *f, int fd)
{
	struct link *l = mem_alloc(sizeof(*l));
	struct why why = {0};

	if (!l) {
		close(fd);
		return;
	}
	struct ipc_handler handler = {.frame = on_frame, .closed = on_closed, .arg = l};
	l->flight = f;
	if (ipc_new(f->loop, fd, &channel_calls, &handler, &l->channel, &why) != OK) {
		log_why(LOG_ERROR_, "registrar channel not opened", &why);
		mem_free(l);
		return;
	}
	l->next = f->links;
	f->links = l;
	loop_timer_stop(f->alone);
	release_held(f, true);
}

enum err flight_new(struct loop *l, struct flight **out, struct why *why)
{
	struct flight *f = mem_alloc(sizeof(*f));

	if (!f)
		return WHY(why, NOMEM, "", "calls in flight");
	f->loop = l;
	f->free_first = NO_SLOT;
	f->held_last = &f->held_first;
	f->frame = BUF(CALL_FRAME_MAX);
	enum err err = loop_timer_new(l, on_impatient, f, &f->patience, why);
	if (err == OK)
		err = loop_timer_new(l, on_alone, f, &f->alone, why);
	if (err != OK)
		flight_free(f);
	else
		*out = f;
	return err;
}

/* The server is gone by now, and its exchanges are answered into nothing, which frees them. */
void flight_free(struct flight *f)
{
	if (!f)
		return;
	for (uint32_t i = 0; i < f->slots_n && f->used; i++) {
		if (f->slots[i].exchange)
			answer_later(leave_slot(f, i));
	}
	if (f->held_n)
		release_held(f, false);
	while (f->links) {
		struct link *l = f->links;
		f->links = l->next;
		ipc_free(l->channel);
		mem_free(l);
	}
	loop_timer_free(f->patience);
	loop_timer_free(f->alone);
	buf_fini(&f->frame);
	mem_free(f->slots);
	mem_free(f);
}
