#include "adapt/issuer/away_server.h"

#include "base/mem.h"
#include "net/channels.h"
#include "net/log.h"

struct link {
	struct away_server *server;
	struct ipc *channel;
	struct away_job *jobs;
	struct link *next;
};

/* Outlives its registrar: somebody works on it. */
struct away_job {
	struct link *link; /* NULL: gone */
	uint32_t id;
	struct away_job *next, **at; /* in the list of its link */
};

struct away_server {
	struct loop *loop;
	struct away_events events;
	struct link *links;
	struct loop_timer *alone;
};

static void job_leave(struct away_job *j)
{
	if (!j->link)
		return;
	*j->at = j->next;
	if (j->next)
		j->next->at = j->at;
	j->link = NULL;
}

static void link_free(struct link *l)
{
	struct link **at = &l->server->links;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	while (l->jobs)
		job_leave(l->jobs);
	ipc_free(l->channel);
	mem_free(l);
}

static void link_lost(struct link *l, const struct why *why)
{
	struct away_server *s = l->server;

	log_why(why->code == CODE_IPC_CLOSED ? LOG_DEBUG_ : LOG_WARN_, "registrar channel closed", why);
	link_free(l);
	if (!s->links)
		loop_timer_set(s->alone, AWAY_ALONE_MS);
}

static void on_closed(void *arg, const struct why *why)
{
	link_lost(arg, why);
}

static enum err take(struct link *l, uint32_t id, struct span payload, struct why *why)
{
	struct away_order order;

	TRY(away_order_parse(payload, &order, why));
	struct away_job *j = mem_alloc(sizeof(*j));
	if (!j)
		return WHY(why, NOMEM, "", "order: want %zu bytes", sizeof(*j));
	*j = (struct away_job){.link = l, .id = id, .next = l->jobs, .at = &l->jobs};
	if (j->next)
		j->next->at = &j->next;
	l->jobs = j;
	l->server->events.take(l->server->events.arg, j, &order);
	return OK;
}

/* A registrar that speaks nonsense is hung up on, whatever made it do so. */
static void on_frame(void *arg, uint16_t type, uint32_t id, struct span payload, int fd)
{
	struct link *l = arg;
	struct why why = {0};
	enum err err = OK;

	if (type == CH_AWAY)
		err = take(l, id, payload, &why);
	else
		err = WHY(&why, AWAY_MESSAGE, "", "frame: want an order, have type %u", type);
	if (err != OK)
		link_lost(l, &why);
}

static void answer(struct away_job *j, uint16_t type, struct span payload)
{
	struct link *l = j->link;
	struct why why = {0};

	job_leave(j);
	if (l && ipc_send(l->channel, type, j->id, payload, &why) != OK)
		log_why(LOG_WARN_, "answer not sent", &why);
	mem_free(j);
}

void away_done(struct away_job *job, struct span der)
{
	answer(job, CH_AWAY_CERT, der);
}

void away_refuse(struct away_job *job, const struct why *why)
{
	struct buf b OWNED_BUF = BUF(1024);

	away_refusal_write(&b, why);
	answer(job, CH_AWAY_REFUSED, buf_span(&b));
}

enum err away_server_add(struct away_server *s, int fd, struct why *why)
{
	struct link *l = mem_alloc(sizeof(*l));
	const struct ipc_handler h = {on_frame, on_closed, l};

	if (!l)
		return WHY(why, NOMEM, "", "link: want %zu bytes", sizeof(*l));
	*l = (struct link){.server = s};
	enum err err = ipc_new(s->loop, fd, &channel_away, &h, &l->channel, why);
	if (err != OK) {
		mem_free(l);
		return err;
	}
	l->next = s->links;
	s->links = l;
	loop_timer_stop(s->alone);
	return OK;
}

static void on_alone(void *arg)
{
	struct away_server *s = arg;

	s->events.alone(s->events.arg);
}

enum err away_server_new(struct loop *l, const struct away_events *events, struct away_server **out, struct why *why)
{
	struct away_server *s = mem_alloc(sizeof(*s));

	if (!s)
		return WHY(why, NOMEM, "", "server of orders: want %zu bytes", sizeof(*s));
	s->loop = l;
	s->events = *events;
	enum err err = loop_timer_new(l, on_alone, s, &s->alone, why);
	if (err != OK) {
		mem_free(s);
		return err;
	}
	*out = s;
	return OK;
}

void away_server_hang_up(struct away_server *s)
{
	while (s && s->links)
		link_free(s->links);
}

void away_server_free(struct away_server *s)
{
	if (!s)
		return;
	away_server_hang_up(s);
	loop_timer_free(s->alone);
	mem_free(s);
}
