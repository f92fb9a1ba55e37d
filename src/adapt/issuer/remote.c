#include "adapt/issuer/remote.h"

#include "adapt/issuer/msg.h"
#include "base/mem.h"
#include "net/channels.h"
#include "net/log.h"

enum {
	SLOT_BITS = 12, /* low bits of a frame's id; the rest counts, so that a late answer finds nothing */
	ORDER_BYTES_MAX = 128 * 1024,
	CRL_BYTES_MAX = 8 * 1024 * 1024,
};
_Static_assert(ISSUER_REMOTE_ORDERS_MAX == 1 << SLOT_BITS, "a slot number fills its bits");

struct signer {
	struct issuer_remote *remote;
	struct ipc *channel;
	size_t under_way;
};

struct order {
	uint32_t id;
	uint16_t type; /* CH_ISSUE, CH_SIGN_CRL, CH_MAKE_KEY or CH_SIGN_CMC */
	struct buf bytes;
	union {
		issue_done issued;
		crl_done crl;
		key_done key;
		sign_done signed_;
	} done; /* by type */
	void *arg;
	int tries;
	struct signer *at;   /* NULL: waits for a signer */
	int64_t deadline_ms; /* while it waits */
	struct order *next;  /* in the queue of those that wait */
};

struct issuer_remote {
	struct issuer port;
	struct loop *loop;
	const struct clock *clock;
	struct loop_timer *timer;
	struct signer *signers[ISSUER_REMOTE_SIGNERS_MAX];
	size_t signers_n;
	size_t turn;
	struct order *slots[ISSUER_REMOTE_ORDERS_MAX];
	uint16_t spare[ISSUER_REMOTE_ORDERS_MAX]; /* numbers of empty slots */
	size_t spare_n;
	uint32_t count;
	struct order *wait_first;
	struct order **wait_last;
	bool ending;
};

static void order_free(struct order *o)
{
	buf_fini(&o->bytes);
	mem_free(o);
}

static struct order *order_find(const struct issuer_remote *r, uint32_t id)
{
	struct order *o = r->slots[id & (ISSUER_REMOTE_ORDERS_MAX - 1)];

	return o && o->id == id ? o : NULL;
}

/* Out of the table, so that its callback may place new orders. */
static void order_take(struct issuer_remote *r, struct order *o)
{
	size_t slot = o->id & (ISSUER_REMOTE_ORDERS_MAX - 1);

	r->slots[slot] = NULL;
	r->spare[r->spare_n++] = (uint16_t)slot;
	if (o->at)
		o->at->under_way--;
	o->at = NULL;
}

static void order_fail(struct issuer_remote *r, struct order *o, const struct why *why)
{
	order_take(r, o);
	if (o->type == CH_ISSUE)
		o->done.issued(o->arg, why->kind, NULL, why);
	else if (o->type == CH_MAKE_KEY)
		o->done.key(o->arg, why->kind, NULL, why);
	else if (o->type == CH_SIGN_CMC)
		o->done.signed_(o->arg, why->kind, (struct span){0}, why);
	else
		o->done.crl(o->arg, why->kind, (struct span){0}, why);
	order_free(o);
}

static void order_unavailable(struct issuer_remote *r, struct order *o, const char *text)
{
	struct why why = {0};

	(void)!WHY(&why, ISSUER_UNAVAILABLE, "", "%s", text);
	order_fail(r, o, &why);
}

static void wait_in_line(struct issuer_remote *r, struct order *o)
{
	o->deadline_ms = clock_mono_ms(r->clock) + ISSUER_REMOTE_WAIT_MS;
	o->next = NULL;
	if (!r->wait_first)
		loop_timer_set(r->timer, ISSUER_REMOTE_WAIT_MS);
	*r->wait_last = o;
	r->wait_last = &o->next;
}

static struct order *leave_line(struct issuer_remote *r)
{
	struct order *o = r->wait_first;

	r->wait_first = o->next;
	if (!r->wait_first) {
		r->wait_last = &r->wait_first;
		loop_timer_stop(r->timer);
	}
	return o;
}

static bool send_to(struct signer *s, struct order *o)
{
	struct why why = {0};

	/* A full or closing channel is no failure of the order: another signer may take it. */
	if (ipc_send(s->channel, o->type, o->id, buf_span(&o->bytes), &why) != OK)
		return false;
	o->at = s;
	o->tries++;
	s->under_way++;
	return true;
}

static bool send_in_turn(struct issuer_remote *r, struct order *o)
{
	for (size_t i = 0; i < r->signers_n; i++) {
		if (send_to(r->signers[r->turn++ % r->signers_n], o))
			return true;
	}
	return false;
}

static void drain_line(struct issuer_remote *r)
{
	while (r->wait_first && send_in_turn(r, r->wait_first))
		leave_line(r);
}

static void on_time(void *arg)
{
	struct issuer_remote *r = arg;
	int64_t now_ms = clock_mono_ms(r->clock);

	while (r->wait_first && r->wait_first->deadline_ms <= now_ms)
		order_unavailable(r, leave_line(r), "signer: want one that takes the order within 5 s, have none");
	if (r->wait_first)
		loop_timer_set(r->timer, r->wait_first->deadline_ms - now_ms);
}

static void signer_remove(struct issuer_remote *r, struct signer *s)
{
	for (size_t i = 0; i < r->signers_n; i++) {
		if (r->signers[i] == s) {
			r->signers[i] = r->signers[--r->signers_n];
			break;
		}
	}
	ipc_free(s->channel);
}

/* Orders of a signer that is gone go to others. */
static void signer_lost(struct signer *s, const struct why *why)
{
	struct issuer_remote *r = s->remote;

	log_why(why->code == CODE_IPC_CLOSED ? LOG_DEBUG_ : LOG_WARN_, "signer channel closed", why);
	signer_remove(r, s);
	for (size_t i = 0; i < ISSUER_REMOTE_ORDERS_MAX && s->under_way; i++) {
		struct order *o = r->slots[i];
		if (!o || o->at != s)
			continue;
		o->at = NULL;
		s->under_way--;
		if (o->tries >= ISSUER_REMOTE_TRIES_MAX)
			order_unavailable(r, o, "order: every signer that had it ended before it answered");
		else
			wait_in_line(r, o);
	}
	mem_free(s);
	drain_line(r);
}

static void on_closed(void *arg, const struct why *why)
{
	signer_lost(arg, why);
}

static enum err issued_answer(struct issuer_remote *r, struct order *o, struct span payload, struct why *why)
{
	struct issue_result result;
	struct why none = {0};

	TRY(msg_issued_parse(payload, &result, why));
	order_take(r, o);
	o->done.issued(o->arg, OK, &result, &none);
	order_free(o);
	return OK;
}

static enum err crl_answer(struct issuer_remote *r, struct order *o, struct span payload, struct why *why)
{
	struct why none = {0};

	if (payload.n == 0)
		return WHY(why, ISSUER_MESSAGE, "", "CRL: want its DER, have nothing");
	order_take(r, o);
	o->done.crl(o->arg, OK, payload, &none);
	order_free(o);
	return OK;
}

static enum err key_answer(struct issuer_remote *r, struct order *o, struct span payload, struct why *why)
{
	struct made_key key = {0};
	struct why none = {0};

	TRY(msg_key_parse(payload, &key, why));
	order_take(r, o);
	o->done.key(o->arg, OK, &key, &none);
	order_free(o);
	return OK;
}

static enum err signed_answer(struct issuer_remote *r, struct order *o, struct span payload, struct why *why)
{
	struct why none = {0};

	if (payload.n == 0)
		return WHY(why, ISSUER_MESSAGE, "", "signed answer: want its DER, have nothing");
	order_take(r, o);
	o->done.signed_(o->arg, OK, payload, &none);
	order_free(o);
	return OK;
}

static enum err refused_answer(struct issuer_remote *r, struct order *o, struct span payload, struct why *why)
{
	struct why refusal = {0};

	TRY(msg_refused_parse(payload, &refusal, why));
	order_fail(r, o, &refusal);
	return OK;
}

static enum err answer(struct signer *s, uint16_t type, uint32_t id, struct span payload, struct why *why)
{
	struct order *o = order_find(s->remote, id);

	if (!o || o->at != s)
		return WHY(why, ISSUER_MESSAGE, "", "answer: want one to an order of this signer, have id %lu",
			(unsigned long)id);
	if (type == CH_REFUSED)
		return refused_answer(s->remote, o, payload, why);
	if (type == CH_ISSUED && o->type == CH_ISSUE)
		return issued_answer(s->remote, o, payload, why);
	if (type == CH_CRL && o->type == CH_SIGN_CRL)
		return crl_answer(s->remote, o, payload, why);
	if (type == CH_KEY && o->type == CH_MAKE_KEY)
		return key_answer(s->remote, o, payload, why);
	if (type == CH_SIGNED && o->type == CH_SIGN_CMC)
		return signed_answer(s->remote, o, payload, why);
	return WHY(why, ISSUER_MESSAGE, "", "answer: want the kind that was ordered (%u), have %u", o->type, type);
}

/* A signer that answers nonsense is treated as a dead one; closing its channel ends it. */
static void on_frame(void *arg, uint16_t type, uint32_t id, struct span payload, int fd)
{
	struct signer *s = arg;
	struct issuer_remote *r = s->remote;
	struct why why = {0};

	if (answer(s, type, id, payload, &why) != OK)
		signer_lost(s, &why);
	else
		drain_line(r);
}

enum err issuer_remote_add(struct issuer_remote *r, int fd, struct why *why)
{
	struct signer *s = mem_alloc(sizeof(*s));
	const struct ipc_handler h = {on_frame, on_closed, s};

	/* ipc_new takes the descriptor in every case; a surplus one is closed by ipc_free. */
	if (!s)
		return WHY(why, NOMEM, "", "signer: want %zu bytes", sizeof(*s));
	s->remote = r;
	enum err err = ipc_new(r->loop, fd, &channel_orders, &h, &s->channel, why);
	if (err == OK && r->signers_n == ISSUER_REMOTE_SIGNERS_MAX) {
		ipc_free(s->channel);
		err = WHY(why, ISSUER_BUSY, "", "signers: want at most %d", ISSUER_REMOTE_SIGNERS_MAX);
	}
	if (err != OK) {
		mem_free(s);
		return err;
	}
	r->signers[r->signers_n++] = s;
	drain_line(r);
	return OK;
}

/* Takes a place in the table; NULL and a reason when there is none. */
static struct order *order_new(struct issuer_remote *r, uint16_t type, size_t bytes_max, void *arg, struct why *why)
{
	if (r->ending || r->spare_n == 0) {
		(void)!WHY(why, ISSUER_BUSY, "", "orders: want at most %d under way", ISSUER_REMOTE_ORDERS_MAX);
		return NULL;
	}
	struct order *o = mem_alloc(sizeof(*o));
	if (!o) {
		(void)!WHY(why, NOMEM, "", "order: want %zu bytes", sizeof(*o));
		return NULL;
	}
	size_t slot = r->spare[--r->spare_n];
	o->id = r->count++ << SLOT_BITS | (uint32_t)slot;
	o->type = type;
	o->bytes = BUF(bytes_max);
	o->arg = arg;
	r->slots[slot] = o;
	return o;
}

static void order_send(struct issuer_remote *r, struct order *o)
{
	struct why why = {0};

	if (buf_check(&o->bytes, "order", &why) != OK) {
		order_fail(r, o, &why);
		return;
	}
	/* Those that wait go first. */
	if (r->wait_first || !send_in_turn(r, o))
		wait_in_line(r, o);
}

static void issue(void *self, const struct issue_order *order, issue_done done, void *arg)
{
	struct issuer_remote *r = self;
	struct why why = {0};
	struct order *o = order_new(r, CH_ISSUE, ORDER_BYTES_MAX, arg, &why);

	if (!o) {
		done(arg, why.kind, NULL, &why);
		return;
	}
	o->done.issued = done;
	msg_order_write(&o->bytes, order);
	order_send(r, o);
}

static void sign_crl(void *self, const struct crl_order *order, crl_done done, void *arg)
{
	struct issuer_remote *r = self;
	struct why why = {0};
	struct order *o = order_new(r, CH_SIGN_CRL, CRL_BYTES_MAX, arg, &why);

	if (!o) {
		done(arg, why.kind, (struct span){0}, &why);
		return;
	}
	o->done.crl = done;
	msg_crl_order_write(&o->bytes, order);
	order_send(r, o);
}

static void make_key(void *self, const struct key_order *order, key_done done, void *arg)
{
	struct issuer_remote *r = self;
	struct why why = {0};
	struct order *o = order_new(r, CH_MAKE_KEY, ORDER_BYTES_MAX, arg, &why);

	if (!o) {
		done(arg, why.kind, NULL, &why);
		return;
	}
	o->done.key = done;
	msg_key_order_write(&o->bytes, order);
	order_send(r, o);
}

static void sign_cmc(void *self, struct span pki_response, sign_done done, void *arg)
{
	struct issuer_remote *r = self;
	struct why why = {0};
	struct order *o = order_new(r, CH_SIGN_CMC, ISSUER_RESPONSE_MAX, arg, &why);

	if (!o) {
		done(arg, why.kind, (struct span){0}, &why);
		return;
	}
	o->done.signed_ = done;
	buf_put_span(&o->bytes, pki_response);
	order_send(r, o);
}

enum err issuer_remote_new(
	struct loop *l, const struct clock *clock, struct issuer_remote **out, struct why *why)
{
	struct issuer_remote *r = mem_alloc(sizeof(*r));

	if (!r)
		return WHY(why, NOMEM, "", "issuer: want %zu bytes", sizeof(*r));
	r->port = (struct issuer){.self = r, .issue = issue, .sign_crl = sign_crl, .make_key = make_key, .sign_cmc = sign_cmc};
	r->loop = l;
	r->clock = clock;
	r->wait_last = &r->wait_first;
	for (size_t i = 0; i < ISSUER_REMOTE_ORDERS_MAX; i++)
		r->spare[r->spare_n++] = (uint16_t)(ISSUER_REMOTE_ORDERS_MAX - 1 - i);
	enum err err = loop_timer_new(l, on_time, r, &r->timer, why);
	if (err != OK) {
		mem_free(r);
		return err;
	}
	*out = r;
	return OK;
}

void issuer_remote_free(struct issuer_remote *r)
{
	if (!r)
		return;
	r->ending = true;
	for (size_t i = 0; i < ISSUER_REMOTE_ORDERS_MAX; i++) {
		if (r->slots[i])
			order_unavailable(r, r->slots[i], "signer: the registrar ends");
	}
	while (r->signers_n) {
		struct signer *s = r->signers[0];
		signer_remove(r, s);
		mem_free(s);
	}
	loop_timer_free(r->timer);
	mem_free(r);
}

struct issuer *issuer_remote_port(struct issuer_remote *r)
{
	return &r->port;
}

size_t issuer_remote_signers(const struct issuer_remote *r)
{
	return r->signers_n;
}

size_t issuer_remote_under_way(const struct issuer_remote *r)
{
	return ISSUER_REMOTE_ORDERS_MAX - r->spare_n;
}
