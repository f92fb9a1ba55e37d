#include "app/caller/caller.h"

#include "base/mem.h"
#include "net/ipc.h"
#include "net/log.h"
#include "net/sandbox.h"

#include <unistd.h>

static void on_channel(void *arg, enum role other, int fd)
{
	close(fd);
}

static void on_stop(void *arg)
{
	loop_stop(((struct caller *)arg)->loop);
}

static enum err caller_init(struct caller *c, const struct role_start *start, struct why *why)
{
	const struct role_events events = {.channel = on_channel, .stop = on_stop, .arg = c};

	TRY(loop_new(&c->loop, why));
	TRY(role_control_new(c->loop, start, &events, &c->control, why));
	TRY(sandbox_enter(ROLE_CALLER, why));
	return role_control_ready(c->control, why);
}

static void caller_fini(struct caller *c)
{
	role_control_free(c->control);
	loop_free(c->loop);
}

int caller_main(const struct role_start *start)
{
	struct caller c = {0};
	struct why why = {0};

	if (caller_init(&c, start, &why) != OK) {
		log_why(LOG_ERROR_, "start failed", &why);
		caller_fini(&c);
		return 1;
	}
	loop_run(c.loop);
	caller_fini(&c);
	return 0;
}
