#include "app/caller/caller.h"

#include "adapt/mef/msg.h"
#include "base/mem.h"
#include "net/ipc.h"
#include "net/log.h"
#include "net/sandbox.h"

#include <unistd.h>

enum { ANSWER_MAX = 1024 };

#define OWNED_SECRET_BUF __attribute__((cleanup(buf_fini_wipe)))

/* One registrar; two for a moment while one replaces the other. */
struct link {
	struct caller *caller;
	struct ipc *channel;
	struct order *orders;
	struct link *next;
};

/* An order outlives its registrar: libcurl has it. */
struct order {
	struct caller *caller;
	struct link *link; /* NULL: gone */
	uint32_t id;
	struct order *next, **at; /* in the list of its link */
};

static void order_leave(struct order *o)
{
	if (!o->link)
		return;
	*o->at = o->next;
	if (o->next)
		o->next->at = o->at;
	o->link = NULL;
}

static void link_free(struct link *l)
{
	struct link **at = &l->caller->links;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	while (l->orders)
		order_leave(l->orders);
	ipc_free(l->channel);
	mem_free(l);
}

static void link_lost(struct link *l, const struct why *why)
{
	struct caller *c = l->caller;

	log_why(why->code == CODE_IPC_CLOSED ? LOG_DEBUG_ : LOG_WARN_, "registrar channel closed", why);
	link_free(l);
	if (!c->links)
		loop_timer_set(c->alone, CALLER_ALONE_MS);
}

static void on_closed(void *arg, const struct why *why)
{
	link_lost(arg, why);
}

/* Where addresses may have changed, the next caller looks; nobody waits for this one. */
static void end_when_stale(struct caller *c)
{
	if (!c->stale || fetch_many_under_way(c->drive.many) || clock_mono_ms(&c->clock) - c->resolved_ms < CALLER_RESOLVED_MS)
		return;
	log_event(LOG_INFO_, "names of MEFs are resolved anew", NULL);
	loop_stop(c->loop);
}

static void on_key(void *arg, enum err err, const struct mef_key *key, const struct why *why)
{
	OWNED_SECRET_BUF struct buf b = BUF(ANSWER_MAX);
	struct order *o = arg;
	struct caller *c = o->caller;
	struct link *l = o->link;
	struct why unsent = {0};

	if (err == OK)
		mef_key_write(&b, key);
	else
		mef_refusal_write(&b, why);
	order_leave(o);
	if (l && (buf_check(&b, "answer", &unsent) != OK
		|| ipc_send(l->channel, err == OK ? CH_FETCHED : CH_FETCH_REFUSED, o->id, buf_span(&b), &unsent) != OK))
		log_why(LOG_WARN_, "answer not sent", &unsent);
	mem_free(o);
	end_when_stale(c);
}

static enum err on_fetch(struct link *l, uint32_t id, struct span payload, struct why *why)
{
	struct mef_ask ask;

	TRY(mef_ask_parse(payload, &ask, why));
	struct order *o = mem_alloc(sizeof(*o));
	if (!o)
		return WHY(why, NOMEM, "", "order: want %zu bytes", sizeof(*o));
	*o = (struct order){.caller = l->caller, .link = l, .id = id, .next = l->orders, .at = &l->orders};
	if (o->next)
		o->next->at = &o->next;
	l->orders = o;
	caller_ask(l->caller, ask.keid, ask.suid, on_key, o);
	return OK;
}

/* A registrar that speaks nonsense is hung up on, whatever made it do so. */
static void on_frame(void *arg, uint16_t type, uint32_t id, struct span payload, int fd)
{
	struct link *l = arg;
	struct why why = {0};
	enum err err = OK;

	if (type == CH_FETCH)
		err = on_fetch(l, id, payload, &why);
	else
		err = WHY(&why, MAF_MESSAGE, "", "frame: want an order to fetch, have type %u", type);
	if (err != OK)
		link_lost(l, &why);
}

static void on_channel(void *arg, enum role other, int fd)
{
	struct caller *c = arg;
	struct link *l = mem_alloc(sizeof(*l));
	const struct ipc_handler h = {on_frame, on_closed, l};
	struct why why = {0};

	if (!l) {
		close(fd);
		log_event(LOG_ERROR_, "out of memory", NULL);
		loop_stop(c->loop);
		return;
	}
	l->caller = c;
	if (ipc_new(c->loop, fd, &channel_fetches, &h, &l->channel, &why) != OK) {
		log_why(LOG_ERROR_, "registrar channel", &why);
		mem_free(l);
		return;
	}
	l->next = c->links;
	c->links = l;
	loop_timer_stop(c->alone);
}

static void on_stop(void *arg)
{
	loop_stop(((struct caller *)arg)->loop);
}

static void on_alone(void *arg)
{
	log_event(LOG_WARN_, "no registrar any more", NULL);
	on_stop(arg);
}

static enum err caller_init(struct caller *c, const struct role_start *start, struct why *why)
{
	const struct role_events events = {.channel = on_channel, .stop = on_stop, .arg = c};

	TRY(loop_new(&c->loop, why));
	TRY(caller_open(c, start->conf, why));
	TRY(loop_timer_new(c->loop, on_alone, c, &c->alone, why));
	TRY(role_control_new(c->loop, start, &events, &c->control, why));
	TRY(sandbox_enter(ROLE_CALLER, why));
	return role_control_ready(c->control, why);
}

/* What is under way is answered into nothing, so links go first. */
static void caller_fini(struct caller *c)
{
	while (c->links)
		link_free(c->links);
	role_control_free(c->control);
	loop_timer_free(c->alone);
	caller_close(c);
	loop_free(c->loop);
}

int caller_main(const struct role_start *start)
{
	struct caller c = {0};
	struct why why = {0};

	if (start->conf->role == CONF_ROLE_MEF)
		return ra_main(start);

	if (caller_init(&c, start, &why) != OK) {
		log_why(LOG_ERROR_, "start failed", &why);
		caller_fini(&c);
		return 1;
	}
	loop_run(c.loop);
	caller_fini(&c);
	return 0;
}
