#include "app/runner/runner.h"

#include "adapt/sys/clock.h"
#include "net/log.h"
#include "net/sandbox.h"

#include <unistd.h>

static void on_channel(void *arg, enum role other, int fd)
{
	struct runner *r = arg;
	struct why why = {0};

	if (other != ROLE_REGISTRAR)
		close(fd);
	else if (away_server_add(r->server, fd, &why) != OK)
		log_why(LOG_ERROR_, "registrar channel", &why);
}

static void on_stop(void *arg)
{
	loop_stop(((struct runner *)arg)->loop);
}

static void on_alone(void *arg)
{
	log_event(LOG_WARN_, "no registrar any more", NULL);
	on_stop(arg);
}

/* Told once, at the start, where a person looks. */
static void tell_missing(const struct conf *conf)
{
	for (size_t i = 0; i < conf->issuers.n; i++) {
		const struct conf_issuer *issuer = &conf->issuers.items[i];
		char path[CONF_PATH_MAX];
		size_t n = strcspn(issuer->command, " \t");
		memcpy(path, issuer->command, n);
		path[n] = '\0';
		if (issuer->kind == ISSUER_COMMAND && access(path, X_OK) != 0)
			log_event(LOG_ERROR_, "program of an issuer cannot be run", "issuer", issuer->name, "program", path, NULL);
	}
}

static enum err runner_init(struct runner *r, const struct role_start *start, struct why *why)
{
	const struct role_events events = {.channel = on_channel, .stop = on_stop, .arg = r};
	const struct away_events away = {.take = runner_take, .alone = on_alone, .arg = r};

	r->conf = start->conf;
	r->clock = clock_system();
	r->waiting_last = &r->waiting;
	tell_missing(start->conf);
	TRY(loop_new(&r->loop, why));
	r->next = (struct loop_task){.fn = runner_next, .arg = r};
	TRY(loop_timer_new(r->loop, runner_sweep, r, &r->sweep, why));
	TRY(child_prepare(why));
	TRY(away_server_new(r->loop, &away, &r->server, why));
	TRY(role_control_new(r->loop, start, &events, &r->control, why));
	TRY(sandbox_enter(ROLE_RUNNER, why));
	return role_control_ready(r->control, why);
}

static void runner_fini(struct runner *r)
{
	away_server_hang_up(r->server);
	role_control_free(r->control);
	runner_drop(r);
	if (r->loop)
		loop_task_disarm(r->loop, &r->next);
	loop_timer_free(r->sweep);
	away_server_free(r->server);
	loop_free(r->loop);
}

int runner_main(const struct role_start *start)
{
	struct runner r = {0};
	struct why why = {0};
	int status = 1;

	if (runner_init(&r, start, &why) != OK) {
		log_why(LOG_ERROR_, "start failed", &why);
	} else {
		loop_run(r.loop);
		status = 0;
	}
	runner_fini(&r);
	return status;
}
