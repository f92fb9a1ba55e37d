#include "app/caller/ra.h"

#include "app/caller/caller.h"
#include "net/log.h"
#include "net/sandbox.h"

#include <unistd.h>

static void on_channel(void *arg, enum role other, int fd)
{
	struct ra *ra = arg;
	struct why why = {0};

	if (other != ROLE_REGISTRAR)
		close(fd);
	else if (away_server_add(ra->server, fd, &why) != OK)
		log_why(LOG_ERROR_, "registrar channel", &why);
}

static void on_stop(void *arg)
{
	loop_stop(((struct ra *)arg)->loop);
}

static void on_alone(void *arg)
{
	log_event(LOG_WARN_, "no registrar any more", NULL);
	on_stop(arg);
}

static enum err ra_init(struct ra *ra, const struct role_start *start, struct why *why)
{
	const struct role_events events = {.channel = on_channel, .stop = on_stop, .arg = ra};
	const struct away_events away = {.take = ra_take, .alone = on_alone, .arg = ra};

	ra->conf = start->conf;
	TRY(loop_new(&ra->loop, why));
	TRY(ra_open(ra, why));
	TRY(away_server_new(ra->loop, &away, &ra->server, why));
	TRY(role_control_new(ra->loop, start, &events, &ra->control, why));
	TRY(sandbox_enter(ROLE_CALLER, why));
	return role_control_ready(ra->control, why);
}

/* What is under way is answered into nothing, so links go first. */
static void ra_fini(struct ra *ra)
{
	away_server_hang_up(ra->server);
	role_control_free(ra->control);
	ra_close(ra);
	ra_drop_attempts(ra);
	away_server_free(ra->server);
	loop_free(ra->loop);
}

int ra_main(const struct role_start *start)
{
	struct ra ra = {0};
	struct why why = {0};
	int status = 1;

	if (ra_init(&ra, start, &why) != OK) {
		log_why(LOG_ERROR_, "start failed", &why);
	} else {
		loop_run(ra.loop);
		status = 0;
	}
	ra_fini(&ra);
	return status;
}
