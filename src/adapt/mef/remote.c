#include "adapt/mef/remote.h"

#include "adapt/mef/msg.h"
#include "base/mem.h"
#include "net/channels.h"
#include "net/log.h"

enum {
	SLOT_BITS = 10, /* low bits of a frame's id; the rest counts, so that a late answer finds nothing */
	ASK_MAX = 512,
};
_Static_assert(MEF_REMOTE_FETCHES_MAX == 1 << SLOT_BITS, "a slot number fills its bits");

struct caller {
	struct mef_remote *remote;
	struct ipc *channel;
	struct caller *next;
};

struct ask {
	mef_done done; /* NULL: free */
	void *arg;
	uint32_t id;
	struct caller *at;
	int64_t deadline_ms;
};

struct mef_remote {
	struct mef port;
	struct loop *loop;
	const struct clock *clock;
	const char *const *fqdns;
	size_t fqdns_n;
	struct loop_timer *timer; /* runs while anything is under way */
	struct caller *callers;   /* newest first; only that one is asked */
	struct ask asks[MEF_REMOTE_FETCHES_MAX];
	uint16_t spare[MEF_REMOTE_FETCHES_MAX]; /* numbers of free slots */
	size_t spare_n;
	uint32_t count;
};

/* Frees the slot first: who is told may ask again. */
static void ask_end(struct mef_remote *r, struct ask *a, const struct mef_key *key, const struct why *why)
{
	struct ask ended = *a;

	a->done = NULL;
	r->spare[r->spare_n++] = (uint16_t)(a - r->asks);
	if (r->spare_n == MEF_REMOTE_FETCHES_MAX)
		loop_timer_stop(r->timer);
	ended.done(ended.arg, why->kind, key, why);
}

static void ask_fail(struct mef_remote *r, struct ask *a, const char *text)
{
	struct why why = {0};

	(void)!WHY(&why, MAF_CALL, "", "%s", text);
	ask_end(r, a, NULL, &why);
}

static void caller_remove(struct caller *c)
{
	struct caller **at = &c->remote->callers;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	ipc_free(c->channel);
	c->channel = NULL;
}

static void caller_lost(struct caller *c, const struct why *why)
{
	struct mef_remote *r = c->remote;

	log_why(why->code == CODE_IPC_CLOSED ? LOG_DEBUG_ : LOG_WARN_, "caller channel closed", why);
	caller_remove(c);
	for (size_t i = 0; i < MEF_REMOTE_FETCHES_MAX; i++) {
		if (r->asks[i].done && r->asks[i].at == c)
			ask_fail(r, &r->asks[i], "caller: it ended before it answered");
	}
	mem_free(c);
}

static void on_closed(void *arg, const struct why *why)
{
	caller_lost(arg, why);
}

static void on_time(void *arg)
{
	struct mef_remote *r = arg;
	int64_t now_ms = clock_mono_ms(r->clock);
	int64_t next_ms = INT64_MAX;

	for (size_t i = 0; i < MEF_REMOTE_FETCHES_MAX; i++) {
		struct ask *a = &r->asks[i];
		if (a->done && a->deadline_ms <= now_ms)
			ask_fail(r, a, "caller: want an answer within 15 s, have none");
		else if (a->done && a->deadline_ms < next_ms)
			next_ms = a->deadline_ms;
	}
	if (next_ms != INT64_MAX)
		loop_timer_set(r->timer, next_ms - now_ms);
}

static enum err take_key(struct mef_remote *r, struct ask *a, struct span payload, struct why *why)
{
	char enrolee_id[MEF_ENROLEE_SIZE];
	struct mef_key key = {0};
	struct why none = {0};

	enum err err = mef_key_parse(payload, enrolee_id, &key, why);
	if (err == OK)
		ask_end(r, a, &key, &none);
	secret_wipe(&key.key);
	return err;
}

static enum err answer(struct caller *c, uint16_t type, uint32_t id, struct span payload, struct why *why)
{
	struct mef_remote *r = c->remote;
	struct ask *a = &r->asks[id & (MEF_REMOTE_FETCHES_MAX - 1)];
	struct why refusal = {0};

	if (!a->done || a->id != id || a->at != c) /* it came too late */
		return OK;
	if (type == CH_FETCHED)
		return take_key(r, a, payload, why);
	if (type != CH_FETCH_REFUSED)
		return WHY(why, MAF_MESSAGE, "", "frame: want an answer, have type %u", type);
	TRY(mef_refusal_parse(payload, &refusal, why));
	ask_end(r, a, NULL, &refusal);
	return OK;
}

/* A caller that speaks nonsense is treated as a dead one; closing its channel ends it. */
static void on_frame(void *arg, uint16_t type, uint32_t id, struct span payload, int fd)
{
	struct caller *c = arg;
	struct why why = {0};

	if (answer(c, type, id, payload, &why) != OK)
		caller_lost(c, &why);
}

enum err mef_remote_add(struct mef_remote *r, int fd, struct why *why)
{
	struct caller *c = mem_alloc(sizeof(*c));
	const struct ipc_handler h = {on_frame, on_closed, c};

	if (!c)
		return WHY(why, NOMEM, "", "caller: want %zu bytes", sizeof(*c));
	c->remote = r;
	enum err err = ipc_new(r->loop, fd, &channel_fetches, &h, &c->channel, why);
	if (err != OK) {
		mem_free(c);
		return err;
	}
	c->next = r->callers;
	r->callers = c;
	return OK;
}

static bool is_configured(const struct mef_remote *r, const char *keid)
{
	struct span id = span_text(keid);
	struct span fqdn = span_from(id, span_find(id, '@') + 1);

	for (size_t i = 0; i < r->fqdns_n; i++) {
		if (span_equal_nocase(fqdn, span_text(r->fqdns[i])))
			return true;
	}
	return false;
}

static enum err send(struct mef_remote *r, const char *keid, unsigned int suid, mef_done done, void *arg, struct why *why)
{
	struct buf frame OWNED_BUF = BUF(ASK_MAX);
	struct why unsent = {0};

	if (!is_configured(r, keid))
		return WHY(why, MAF_MEF, "TS-0003 8.8.2.3", "KeId: want one of a MEF that is configured, have '%.100s'", keid);
	if (r->spare_n == 0)
		return WHY(why, MAF_BUSY, "", "fetches: want at most %d under way", MEF_REMOTE_FETCHES_MAX);
	mef_ask_write(&frame, keid, suid);
	TRY(buf_check(&frame, "order to fetch", why));
	uint16_t slot = r->spare[r->spare_n - 1];
	uint32_t id = r->count++ << SLOT_BITS | slot;
	if (!r->callers || ipc_send(r->callers->channel, CH_FETCH, id, buf_span(&frame), &unsent) != OK)
		return WHY(why, MAF_CALL, "", "caller: want one that takes the order, have none");
	if (r->spare_n-- == MEF_REMOTE_FETCHES_MAX)
		loop_timer_set(r->timer, MEF_REMOTE_WAIT_MS);
	r->asks[slot] = (struct ask){done, arg, id, r->callers, clock_mono_ms(r->clock) + MEF_REMOTE_WAIT_MS};
	return OK;
}

static void fetch(void *self, const char *keid, unsigned int suid, mef_done done, void *arg)
{
	struct why why = {0};
	enum err err = send(self, keid, suid, done, arg, &why);

	if (err != OK)
		done(arg, err, NULL, &why);
}

enum err mef_remote_new(struct loop *l, const struct clock *clock, const char *const *fqdns, size_t fqdns_n,
	struct mef_remote **out, struct why *why)
{
	struct mef_remote *r = mem_alloc(sizeof(*r));

	if (!r)
		return WHY(why, NOMEM, "", "MEF port: want %zu bytes", sizeof(*r));
	r->port = (struct mef){.self = r, .fetch = fetch};
	r->loop = l;
	r->clock = clock;
	r->fqdns = fqdns;
	r->fqdns_n = fqdns_n;
	for (size_t i = 0; i < MEF_REMOTE_FETCHES_MAX; i++)
		r->spare[r->spare_n++] = (uint16_t)(MEF_REMOTE_FETCHES_MAX - 1 - i);
	enum err err = loop_timer_new(l, on_time, r, &r->timer, why);
	if (err != OK) {
		mem_free(r);
		return err;
	}
	*out = r;
	return OK;
}

void mef_remote_free(struct mef_remote *r)
{
	if (!r)
		return;
	while (r->callers) {
		struct caller *c = r->callers;
		caller_remove(c);
		mem_free(c);
	}
	/* Without a caller nobody can ask anew from within. */
	for (size_t i = 0; i < MEF_REMOTE_FETCHES_MAX; i++) {
		if (r->asks[i].done)
			ask_fail(r, &r->asks[i], "caller: the registrar ends");
	}
	loop_timer_free(r->timer);
	mem_free(r);
}

const struct mef *mef_remote_port(struct mef_remote *r)
{
	return &r->port;
}

size_t mef_remote_under_way(const struct mef_remote *r)
{
	return MEF_REMOTE_FETCHES_MAX - r->spare_n;
}
