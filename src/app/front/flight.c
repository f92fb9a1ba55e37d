#include "app/front/front.h"

#include "base/mem.h"
#include "net/log.h"

#include <string.h>
#include <unistd.h>

enum { SLOTS_FIRST = 64, CALL_FRAME_MAX = CALL_BODY_MAX + CALL_LEAF_MAX + 16 * 1024 };

/* Who waits for an answer: a call for its reply, or a handshake for its key. */
struct waiter {
	struct http_exchange *exchange;
	struct http_psk *ask;
	bool srp; /* of the ask */
};

/* The id of what was sent is generation << 16 | slot, so a late answer of an earlier use of the slot
 * finds nobody. */
struct slot {
	struct waiter waiter; /* neither: free */
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

/* What is held while no registrar is connected, written as it will be sent. */
struct held {
	struct waiter waiter;
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

static void give_up(struct waiter w)
{
	if (w.exchange)
		answer_later(w.exchange);
	if (w.ask && w.srp)
		http_srp_reply(w.ask, span_of(NULL, 0));
	else if (w.ask)
		http_psk_reply(w.ask, NULL);
}

static bool is_taken(const struct slot *s)
{
	return s->waiter.exchange || s->waiter.ask;
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

static uint32_t take_slot(struct flight *f, struct waiter w, struct link *link)
{
	if (f->free_first == NO_SLOT && !grow_slots(f))
		return NO_SLOT;
	uint32_t i = f->free_first;
	struct slot *s = &f->slots[i];
	f->free_first = s->next_free;
	s->waiter = w;
	s->link = link;
	s->generation++;
	f->used++;
	return i;
}

static struct waiter leave_slot(struct flight *f, uint32_t i)
{
	struct slot *s = &f->slots[i];
	struct waiter w = s->waiter;

	s->waiter = (struct waiter){0};
	s->link = NULL;
	s->next_free = f->free_first;
	f->free_first = i;
	f->used--;
	return w;
}

static void send_frame(struct flight *f, struct waiter w, struct span frame)
{
	struct why why = {0};
	uint32_t i = take_slot(f, w, f->links);

	if (i == NO_SLOT) {
		give_up(w);
		return;
	}
	uint32_t id = (uint32_t)f->slots[i].generation << 16 | i;
	uint16_t type = w.srp ? CH_SRP : w.ask ? CH_PSK : CH_CALL;
	if (ipc_send(f->links->channel, type, id, frame, &why) != OK) {
		log_why(LOG_WARN_, "call not sent", &why);
		give_up(leave_slot(f, i));
	}
}

static void hold(struct flight *f, struct waiter w, struct buf *frame)
{
	struct held *h = f->held_n < FRONT_WAITING_MAX ? mem_alloc(sizeof(*h)) : NULL;

	if (!h) {
		give_up(w);
		return;
	}
	h->waiter = w;
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
			send_frame(f, h->waiter, buf_span(&h->frame));
		else
			give_up(h->waiter);
		buf_fini_wipe(&h->frame);
		mem_free(h);
		h = next;
	}
}

static void on_impatient(void *arg)
{
	release_held(arg, false);
}

/* The frame may hold keys and stays no longer than it takes to send it. */
static void pass_on(struct flight *f, struct waiter w)
{
	if (f->links)
		send_frame(f, w, buf_span(&f->frame));
	else
		hold(f, w, &f->frame);
	mem_wipe(f->frame.p, f->frame.n);
	buf_clear(&f->frame);
}

void flight_call(void *arg, struct http_exchange *x, const struct call *call)
{
	struct flight *f = arg;
	struct why why = {0};

	buf_clear(&f->frame);
	call_write(&f->frame, call);
	if (buf_check(&f->frame, "call", &why) == OK) {
		pass_on(f, (struct waiter){.exchange = x});
		return;
	}
	log_why(LOG_WARN_, "call too large", &why);
	answer_later(x);
}

static void ask_key(struct flight *f, struct waiter w, struct span identity)
{
	struct why why = {0};

	buf_clear(&f->frame);
	buf_put_span(&f->frame, identity);
	if (buf_check(&f->frame, "psk_identity", &why) == OK)
		pass_on(f, w);
	else
		give_up(w);
}

void flight_psk(void *arg, struct http_psk *ask, struct span identity)
{
	ask_key(arg, (struct waiter){.ask = ask}, identity);
}

void flight_srp(void *arg, struct http_psk *ask, struct span user)
{
	ask_key(arg, (struct waiter){.ask = ask, .srp = true}, user);
}

static void drop_link(struct link *l)
{
	struct flight *f = l->flight;
	struct link **at = &f->links;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	for (uint32_t i = 0; i < f->slots_n && f->used; i++) {
		if (is_taken(&f->slots[i]) && f->slots[i].link == l)
			give_up(leave_slot(f, i));
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

/* NULL when nobody waits for it any more. */
static const struct waiter *waiter_find(const struct link *l, uint32_t id)
{
	const struct flight *f = l->flight;
	uint32_t i = id & 0xffff;
	const struct slot *s = i < f->slots_n ? &f->slots[i] : NULL;

	return s && is_taken(s) && s->link == l && s->generation == (uint16_t)(id >> 16) ? &s->waiter : NULL;
}

static enum err on_reply(struct link *l, uint32_t id, struct span payload, struct why *why)
{
	const struct waiter *w = waiter_find(l, id);
	struct reply reply;

	TRY(reply_parse(payload, &reply, why));
	if (w && !w->exchange)
		return WHY(why, IPC_FRAME, "", "answer: want a key for a handshake, have a reply");
	if (w)
		http_exchange_reply(leave_slot(l->flight, id & 0xffff).exchange, &reply);
	return OK;
}

static enum err on_key(struct link *l, uint32_t id, struct span payload, struct why *why)
{
	const struct waiter *w = waiter_find(l, id);
	OWNED_SECRET struct secret key = {0};

	if (payload.n == 0 || !secret_set(&key, payload) || (w && (!w->ask || w->srp)))
		return WHY(why, IPC_FRAME, "", "answer: want a reply to a call or 1 to %d octets of a key, have %zu",
			SECRET_MAX, payload.n);
	if (w)
		http_psk_reply(leave_slot(l->flight, id & 0xffff).ask, &key);
	return OK;
}

static enum err on_verifier(struct link *l, uint32_t id, struct span payload, struct why *why)
{
	const struct waiter *w = waiter_find(l, id);

	if (payload.n != TLS_SRP_SALT + TLS_SRP_VERIFIER || (w && !w->srp))
		return WHY(why, IPC_FRAME, "", "answer: want a reply to a call or %d octets for an SRP user, have %zu",
			TLS_SRP_SALT + TLS_SRP_VERIFIER, payload.n);
	if (w)
		http_srp_reply(leave_slot(l->flight, id & 0xffff).ask, payload);
	return OK;
}

static void on_frame(void *arg, uint16_t type, uint32_t id, struct span payload, int fd)
{
	struct link *l = arg;
	struct why why = {0};
	enum err e;

	if (fd >= 0)
		close(fd);
	if (type == CH_REPLY)
		e = on_reply(l, id, payload, &why);
	else if (type == CH_PSK_KEY)
		e = on_key(l, id, payload, &why);
	else if (type == CH_SRP_VERIFIER)
		e = on_verifier(l, id, payload, &why);
	else
		e = WHY(&why, IPC_FRAME, "", "answer: want a reply or a key, have type %u", type);
	if (e == OK)
		return;
	log_why(LOG_ERROR_, "reply not understood", &why);
	drop_link(l);
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

/* The server is gone by now; its exchanges and handshakes are answered into nothing, which frees them. */
void flight_free(struct flight *f)
{
	if (!f)
		return;
	for (uint32_t i = 0; i < f->slots_n && f->used; i++) {
		if (is_taken(&f->slots[i]))
			give_up(leave_slot(f, i));
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
	buf_fini_wipe(&f->frame);
	mem_free(f->slots);
	mem_free(f);
}
