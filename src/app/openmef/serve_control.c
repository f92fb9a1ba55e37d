#include "app/role.h"

#include "base/mem.h"
#include "net/ipc.h"
#include "net/log.h"

#include <unistd.h>

struct role_control {
	struct ipc *channel;
	struct role_events events;
};

static void on_channel(struct role_control *c, struct span payload, int fd)
{
	if (c->events.channel && payload.n == 1)
		c->events.channel(c->events.arg, (enum role)payload.p[0], fd);
	else
		close(fd);
}

static void on_frame(void *arg, uint16_t type, uint32_t id, struct span payload, int fd)
{
	struct role_control *c = arg;

	if (type == CH_CHANNEL)
		on_channel(c, payload, fd);
	else if (type == CH_STOP && c->events.stop)
		c->events.stop(c->events.arg);
	else if (type == CH_POKE && c->events.poke)
		c->events.poke(c->events.arg);
}

/* What is durable is durable, what is not answered is not answered: nothing is gained by waiting. */
static void on_closed(void *arg, const struct why *why)
{
	log_event(LOG_WARN_, "parent gone", NULL);
	_exit(1);
}

enum err role_control_new(struct loop *l, const struct role_start *start, const struct role_events *events,
	struct role_control **out, struct why *why)
{
	struct role_control *c = mem_alloc(sizeof(*c));
	const struct ipc_handler h = {on_frame, on_closed, c};

	if (!c)
		return WHY(why, NOMEM, "", "control channel: want %zu bytes", sizeof(*c));
	c->events = *events;
	enum err err = ipc_new(l, start->control_fd, &channel_control, &h, &c->channel, why);
	if (err != OK) {
		mem_free(c);
		return err;
	}
	*out = c;
	return OK;
}

enum err role_control_ready(struct role_control *c, struct why *why)
{
	return ipc_send(c->channel, CH_READY, 0, (struct span){0}, why);
}

void role_control_free(struct role_control *c)
{
	if (!c)
		return;
	ipc_free(c->channel);
	mem_free(c);
}
