#include "adapt/issuer/away.h"

#include "adapt/issuer/away_msg.h"
#include "base/mem.h"
#include "base/text.h"
#include "core/ca/foreign.h"
#include "net/channels.h"
#include "net/log.h"
#include "pki/csr.h"

enum { SLOT_BITS = 10 /* low bits of a frame's id; the rest counts, so that a late answer finds nothing */, FRAME_MAX = 32 * 1024, LOOK_MS = 1000 };
_Static_assert(AWAY_ORDERS_MAX == 1 << SLOT_BITS, "a slot number fills its bits");

struct carrier {
	struct away *away;
	enum away_via via;
	struct ipc *channel;
	struct carrier *next;
};

struct ask {
	issue_done done;
	void *arg;
	const struct away_issuer *issuer;
	struct issue_order order; /* its spans point into bytes */
	uint8_t *bytes;
	uint32_t id;
	struct carrier *at;
	int64_t deadline_ms;
};

struct away {
	struct loop *loop;
	const struct clock *clock;
	struct away_issuer issuers[AWAY_ISSUERS_MAX];
	size_t issuers_n;
	struct carrier *carriers[AWAY_VIAS]; /* newest first */
	struct loop_timer *timer;            /* runs while anything is under way */
	struct ask *asks[AWAY_ORDERS_MAX];
	uint16_t spare[AWAY_ORDERS_MAX]; /* numbers of free slots */
	size_t spare_n;
	uint32_t count;
	bool ending;
};

static void ask_free(struct ask *k)
{
	mem_free(k->bytes);
	mem_free(k);
}

/* Frees the slot first: who is told may ask again. */
static void ask_end(struct away *a, struct ask *k, const struct issue_result *result, const struct why *why)
{
	size_t slot = k->id & (AWAY_ORDERS_MAX - 1);

	a->asks[slot] = NULL;
	a->spare[a->spare_n++] = (uint16_t)slot;
	if (a->spare_n == AWAY_ORDERS_MAX)
		loop_timer_stop(a->timer);
	k->done(k->arg, why->kind, result, why);
	ask_free(k);
}

static void ask_fail(struct away *a, struct ask *k, const char *text)
{
	struct why why = {0};

	(void)!WHY(&why, AWAY_UNAVAILABLE, "", "issuer '%s': %s", k->issuer->name, text);
	why.retry_s = AWAY_RETRY_S;
	ask_end(a, k, NULL, &why);
}

static void carrier_remove(struct carrier *c)
{
	struct carrier **at = &c->away->carriers[c->via];

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	ipc_free(c->channel);
	c->channel = NULL;
}

/* The CA may have issued meanwhile, so nothing is sent a second time: that is up to the client. */
static void carrier_lost(struct carrier *c, const struct why *why)
{
	struct away *a = c->away;

	log_why(why->code == CODE_IPC_CLOSED ? LOG_DEBUG_ : LOG_WARN_, "channel to other CAs closed", why);
	carrier_remove(c);
	for (size_t i = 0; i < AWAY_ORDERS_MAX; i++) {
		if (a->asks[i] && a->asks[i]->at == c)
			ask_fail(a, a->asks[i], "the process that asked it ended before the answer");
	}
	mem_free(c);
}

static void on_closed(void *arg, const struct why *why)
{
	carrier_lost(arg, why);
}

static void on_time(void *arg)
{
	struct away *a = arg;
	int64_t now_ms = clock_mono_ms(a->clock);

	for (size_t i = 0; i < AWAY_ORDERS_MAX; i++) {
		struct ask *k = a->asks[i];
		if (k && k->deadline_ms <= now_ms)
			ask_fail(a, k, "want an answer within its timeout, have none");
	}
	if (away_under_way(a))
		loop_timer_set(a->timer, LOOK_MS);
}

static void take_cert(struct away *a, struct ask *k, struct span der)
{
	struct issue_result result = {0};
	struct why why = {0};
	enum err err = foreign_check(&k->order, k->issuer->chain, der, clock_unix_s(a->clock), &result, &why);

	ask_end(a, k, err == OK ? &result : NULL, &why);
}

static enum err answer(struct carrier *c, uint16_t type, uint32_t id, struct span payload, struct why *why)
{
	struct away *a = c->away;
	struct ask *k = a->asks[id & (AWAY_ORDERS_MAX - 1)];
	struct why refusal = {0};

	if (type != CH_AWAY_CERT && type != CH_AWAY_REFUSED)
		return WHY(why, AWAY_MESSAGE, "", "frame: want an answer, have type %u", type);
	if (type == CH_AWAY_REFUSED)
		TRY(away_refusal_parse(payload, &refusal, why));
	if (!k || k->id != id || k->at != c) /* it came too late */
		return OK;
	if (type == CH_AWAY_CERT)
		take_cert(a, k, payload);
	else
		ask_end(a, k, NULL, &refusal);
	return OK;
}

/* One that speaks nonsense is treated as a dead one; closing its channel ends it. */
static void on_frame(void *arg, uint16_t type, uint32_t id, struct span payload, int fd)
{
	struct carrier *c = arg;
	struct why why = {0};

	if (answer(c, type, id, payload, &why) != OK)
		carrier_lost(c, &why);
}

enum err away_add(struct away *a, enum away_via via, int fd, struct why *why)
{
	struct carrier *c = mem_alloc(sizeof(*c));
	const struct ipc_handler h = {on_frame, on_closed, c};

	if (!c)
		return WHY(why, NOMEM, "", "carrier: want %zu bytes", sizeof(*c));
	*c = (struct carrier){.away = a, .via = via, .next = a->carriers[via]};
	enum err err = ipc_new(a->loop, fd, &channel_away, &h, &c->channel, why);
	if (err != OK) {
		mem_free(c);
		return err;
	}
	a->carriers[via] = c;
	return OK;
}

static const struct away_issuer *issuer_find(const struct away *a, const char *name)
{
	for (size_t i = 0; i < a->issuers_n; i++) {
		if (strcmp(a->issuers[i].name, name) == 0)
			return &a->issuers[i];
	}
	return NULL;
}

/* The answer is compared with the order, so its bytes are kept. */
static enum err keep(struct ask *k, const struct issue_order *order, struct why *why)
{
	size_t n = order->csr.n + order->subject.n + order->sans.n;
	struct span *const parts[] = {&k->order.csr, &k->order.subject, &k->order.sans};

	k->order = *order;
	k->order.enrolee_id = k->order.label = NULL;
	k->bytes = mem_alloc(n ? n : 1);
	if (!k->bytes)
		return WHY(why, NOMEM, "", "order: want %zu bytes", n);
	uint8_t *to = k->bytes;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i]->n)
			memcpy(to, parts[i]->p, parts[i]->n);
		parts[i]->p = to;
		to += parts[i]->n;
	}
	return OK;
}

static enum err write_order(const struct issue_order *order, struct buf *out, struct why *why)
{
	struct away_order away = {.csr = order->csr};

	memcpy(away.issuer, order->issuer, sizeof(away.issuer));
	memcpy(away.profile, order->profile, sizeof(away.profile));
	if (!text_copy(away.label, sizeof(away.label), span_text(order->label ? order->label : ""))
		|| !text_copy(away.enrolee, sizeof(away.enrolee), span_text(order->enrolee_id ? order->enrolee_id : "")))
		return WHY(why, BUG, "", "order: label or enrolee too long");
	away_order_write(out, &away);
	return buf_check(out, "order", why);
}

/* RFC 7030 3.4, RFC 2986 4.2: who asks holds the key; the other CA has only our word for who that is */
static enum err check_possession(struct span der, struct why *why)
{
	struct csr csr = {0};

	TRY(csr_parse(der, &csr, why));
	return csr_verify(&csr, why);
}

static enum err send(struct away *a, struct ask *k, struct why *why)
{
	struct buf frame OWNED_BUF = BUF(FRAME_MAX);
	struct carrier *c = a->carriers[k->issuer->via];
	struct why unsent = {0};

	TRY(write_order(&k->order, &frame, why));
	uint16_t slot = a->spare[a->spare_n - 1];
	k->id = a->count++ << SLOT_BITS | slot;
	k->at = c;
	k->deadline_ms = clock_mono_ms(a->clock) + k->issuer->timeout_s * 1000 + AWAY_GRACE_MS;
	if (!c || ipc_send(c->channel, CH_AWAY, k->id, buf_span(&frame), &unsent) != OK) {
		enum err err = WHY(why, AWAY_UNAVAILABLE, "", "issuer '%s': want a process that asks it, have none", k->issuer->name);
		why->retry_s = AWAY_RETRY_S;
		return err;
	}
	if (a->spare_n-- == AWAY_ORDERS_MAX)
		loop_timer_set(a->timer, LOOK_MS);
	a->asks[slot] = k;
	return OK;
}

static enum err start(struct away *a, struct ask *k, const struct issue_order *order, struct why *why)
{
	k->issuer = issuer_find(a, order->issuer);
	if (!k->issuer)
		return WHY(why, AWAY_NONE, "", "issuer: want one that is configured, have '%.31s'", order->issuer);
	if (a->ending || a->spare_n == 0)
		return WHY(why, ISSUER_BUSY, "", "orders to other CAs: want at most %d under way", AWAY_ORDERS_MAX);
	TRY(check_possession(order->csr, why));
	TRY(keep(k, order, why));
	k->order.enrolee_id = order->enrolee_id;
	k->order.label = order->label;
	enum err err = send(a, k, why);
	k->order.enrolee_id = k->order.label = NULL;
	return err;
}

void away_issue(struct away *a, const struct issue_order *order, issue_done done, void *arg)
{
	struct ask *k = mem_alloc(sizeof(*k));
	struct why why = {0};
	enum err err = OK;

	if (!k) {
		err = WHY(&why, NOMEM, "", "order: want %zu bytes", sizeof(*k));
		done(arg, err, NULL, &why);
		return;
	}
	*k = (struct ask){.done = done, .arg = arg};
	err = start(a, k, order, &why);
	if (err == OK)
		return;
	ask_free(k);
	done(arg, err, NULL, &why);
}

enum err away_new(struct loop *l, const struct clock *clock, const struct away_issuer *issuers, size_t n, struct away **out,
	struct why *why)
{
	struct away *a = mem_alloc(sizeof(*a));

	if (!a || n > AWAY_ISSUERS_MAX) {
		mem_free(a);
		return WHY(why, NOMEM, "", "issuers: want room for %zu", n);
	}
	a->loop = l;
	a->clock = clock;
	a->issuers_n = n;
	for (size_t i = 0; i < n; i++)
		a->issuers[i] = issuers[i];
	for (size_t i = 0; i < AWAY_ORDERS_MAX; i++)
		a->spare[a->spare_n++] = (uint16_t)(AWAY_ORDERS_MAX - 1 - i);
	enum err err = loop_timer_new(l, on_time, a, &a->timer, why);
	if (err != OK) {
		mem_free(a);
		return err;
	}
	*out = a;
	return OK;
}

void away_free(struct away *a)
{
	if (!a)
		return;
	a->ending = true;
	for (size_t via = 0; via < AWAY_VIAS; via++) {
		while (a->carriers[via]) {
			struct carrier *c = a->carriers[via];
			carrier_remove(c);
			mem_free(c);
		}
	}
	for (size_t i = 0; i < AWAY_ORDERS_MAX; i++) {
		if (a->asks[i])
			ask_fail(a, a->asks[i], "the registrar ends");
	}
	loop_timer_free(a->timer);
	mem_free(a);
}

size_t away_under_way(const struct away *a)
{
	return AWAY_ORDERS_MAX - a->spare_n;
}
