#include "app/registrar/registrar.h"

#include "base/mem.h"
#include "net/log.h"

#include <unistd.h>

/*
 * A call outlives its front: what it asked for may be on its way to the disk. Its answer then has
 * nowhere to go, and the client asks again.
 */
struct front {
	struct registrar *registrar;
	struct ipc *channel;
	struct asked *first;
	struct front *next;
};

struct asked {
	struct registrar *registrar;
	struct front *front; /* NULL: gone */
	uint32_t id;
	struct asked *next, **at; /* in the list of its front */
};

struct links {
	struct front *fronts;
	size_t calls;
	struct buf reply; /* kept for its memory */
};

enum {
	REPLY_MAX = REPLY_BODY_MAX + 4096,
	KEEP_REPLY = 64 * 1024,
	QUEUE_SOFT = IPC_QUEUE_MAX / 4, /* above it the front gets small replies only */
	QUEUE_SMALL = 64 * 1024,
	BUSY_RETRY_S = 5,
};

static void asked_leave(struct asked *a)
{
	if (!a->front)
		return;
	*a->at = a->next;
	if (a->next)
		a->next->at = a->at;
}

static void front_free(struct front *f)
{
	struct front **at = &f->registrar->links->fronts;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	while (f->first) {
		struct asked *a = f->first;
		asked_leave(a);
		a->front = NULL;
	}
	ipc_free(f->channel);
	mem_free(f);
}

static void front_lost(struct front *f, const struct why *why)
{
	/* A front that is gone is told of by the parent, with its reason. */
	log_why(why->code == CODE_IPC_CLOSED ? LOG_DEBUG_ : LOG_WARN_, "front channel closed", why);
	front_free(f);
}

static void on_closed(void *arg, const struct why *why)
{
	front_lost(arg, why);
}

static struct asked *asked_new(struct front *f, uint32_t id)
{
	struct asked *a = mem_alloc(sizeof(*a));

	if (!a)
		return NULL;
	*a = (struct asked){.registrar = f->registrar, .front = f, .id = id, .next = f->first, .at = &f->first};
	if (a->next)
		a->next->at = &a->next;
	f->first = a;
	f->registrar->links->calls++;
	return a;
}

static void asked_free(struct asked *a)
{
	a->registrar->links->calls--;
	asked_leave(a);
	mem_free(a);
}

/* A dead channel says so itself; one that is full belongs to a front that hangs. */
static void front_told(struct front *f, enum err err, const struct why *why)
{
	if (err != OK && why->code != CODE_IPC_CLOSED)
		front_lost(f, why);
}

/*
 * Lists of some MiB, asked for faster than the front takes them, would fill its channel, and a full channel
 * means a front that hangs. RFC 9110 15.6.4: so they are asked for later.
 */
static void on_reply(void *arg, const struct reply *reply)
{
	static const struct reply busy = {.status = 503, .retry_after_s = BUSY_RETRY_S};
	struct asked *a = arg;
	struct registrar *r = a->registrar;
	struct front *f = a->front;
	struct buf *b = &r->links->reply;
	struct why why = {0};
	uint32_t id = a->id;

	asked_free(a);
	if (f) {
		if (reply->body.n > QUEUE_SMALL && ipc_queued(f->channel) > QUEUE_SOFT)
			reply = &busy;
		reply_write(b, reply);
		enum err err = buf_check(b, "reply", &why);
		if (err == OK)
			err = ipc_send(f->channel, CH_REPLY, id, buf_span(b), &why);
		front_told(f, err, &why);
		/* a retrieved key may stand in it */
		if (b->cap > KEEP_REPLY)
			buf_fini_wipe(b);
		mem_wipe(b->p, b->n);
		buf_clear(b);
	}
	registrar_rest(r);
}

static void on_psk_key(void *arg, const struct secret *key)
{
	struct asked *a = arg;
	struct registrar *r = a->registrar;
	struct front *f = a->front;
	struct why why = {0};
	uint32_t id = a->id;

	asked_free(a);
	if (f)
		front_told(f, ipc_send(f->channel, CH_PSK_KEY, id, secret_span(key), &why), &why);
	registrar_rest(r);
}

static enum err on_call(struct front *f, uint32_t id, struct span payload, struct why *why)
{
	struct call call;

	TRY(call_parse(payload, &call, why));
	struct asked *a = asked_new(f, id);
	if (!a)
		return WHY(why, NOMEM, "", "call: want %zu bytes", sizeof(*a));
	bind_call(&f->registrar->env, &call, on_reply, a);
	return OK;
}

/* Any bytes may be an identity: they come from a client, and only a key that nobody holds answers odd ones. */
static enum err on_psk(struct front *f, uint32_t id, struct span identity, struct why *why)
{
	struct asked *a = asked_new(f, id);

	if (!a)
		return WHY(why, NOMEM, "", "handshake: want %zu bytes", sizeof(*a));
	registrar_psk(f->registrar, identity, on_psk_key, a);
	return OK;
}

static enum err on_srp(struct front *f, uint32_t id, struct span user, struct why *why)
{
	struct srp_record record = {0};

	registrar_srp(f->registrar, user, &record);
	enum err err = ipc_send(f->channel, CH_SRP_VERIFIER, id, span_of(&record, sizeof(record)), why);
	mem_wipe(&record, sizeof(record));
	return err;
}

/* A front that speaks nonsense is hung up on: it is the process that strangers talk to. */
static void on_frame(void *arg, uint16_t type, uint32_t id, struct span payload, int fd)
{
	struct front *f = arg;
	struct why why = {0};
	enum err err = OK;

	if (type == CH_CALL)
		err = on_call(f, id, payload, &why);
	else if (type == CH_PSK)
		err = on_psk(f, id, payload, &why);
	else if (type == CH_SRP)
		err = on_srp(f, id, payload, &why);
	else
		err = WHY(&why, IPC_FRAME, "", "front-registrar: want a call or a psk_identity, have type %u", type);
	if (err != OK)
		front_lost(f, &why);
}

enum err links_new(struct registrar *r, struct why *why)
{
	r->links = mem_alloc(sizeof(*r->links));
	if (!r->links)
		return WHY(why, NOMEM, "", "links: want %zu bytes", sizeof(*r->links));
	r->links->reply = BUF(REPLY_MAX);
	return OK;
}

void links_free(struct registrar *r)
{
	if (!r->links)
		return;
	while (r->links->fronts)
		front_free(r->links->fronts);
	buf_fini(&r->links->reply);
	mem_free(r->links);
	r->links = NULL;
}

void links_add(struct registrar *r, int fd)
{
	struct front *f = mem_alloc(sizeof(*f));
	const struct ipc_handler h = {on_frame, on_closed, f};
	struct why why = {0};

	if (!f) {
		close(fd);
		log_event(LOG_ERROR_, "out of memory", NULL);
		return;
	}
	/* Takes the descriptor also when it fails. */
	if (ipc_new(r->loop, fd, &channel_calls, &h, &f->channel, &why) != OK) {
		log_why(LOG_ERROR_, "front channel refused", &why);
		mem_free(f);
		return;
	}
	f->registrar = r;
	f->next = r->links->fronts;
	r->links->fronts = f;
}

size_t links_calls(const struct registrar *r)
{
	return r->links ? r->links->calls : 0;
}
