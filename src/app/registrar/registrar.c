#include "app/registrar/registrar.h"

#include "net/log.h"
#include "net/sandbox.h"

#include <unistd.h>

enum { COMMIT_YIELDS_MAX = 4 };

void registrar_rest(struct registrar *r)
{
	if (r->stopping && links_calls(r) == 0 && !r->crl_under_way)
		loop_stop(r->loop);
}

static void on_channel(void *arg, enum role other, int fd)
{
	struct registrar *r = arg;
	struct why why = {0};

	if (other == ROLE_FRONT)
		links_add(r, fd);
	else if (other == ROLE_CALLER && r->mef)
		registrar_add_caller(r, fd);
	else if (other == ROLE_CALLER || other == ROLE_RUNNER)
		registrar_add_away(r, other == ROLE_CALLER ? AWAY_CALLER : AWAY_RUNNER, fd);
	else if (other != ROLE_SIGNER)
		close(fd);
	else if (issuer_remote_add(r->issuer, fd, &why) != OK)
		log_why(LOG_ERROR_, "signer channel refused", &why);
}

static void on_stop(void *arg)
{
	struct registrar *r = arg;

	r->stopping = true;
	if (r->crl_timer)
		loop_timer_stop(r->crl_timer);
	loop_timer_stop(r->keys_timer);
	registrar_rest(r);
}

/* The operator's commands write to the store themselves; a revocation makes a CRL due, a new end a key. */
static void on_poke(void *arg)
{
	crl_look(arg);
	keys_look(arg);
}

/* The loop turns once more. */
static void on_commit_due(void *arg)
{
}

/*
 * Group commit: everything that one turn brought shares one sync of the disk. Before it, those who bring more may run, as
 * long as more comes: another sync costs more than that. On an idle core nobody waits.
 */
static void on_turn_end(void *arg)
{
	struct registrar *r = arg;
	size_t waiting = batch_waiting(r->batch);

	if (waiting > r->commit.seen && r->commit.yields < COMMIT_YIELDS_MAX) {
		r->commit.seen = waiting;
		r->commit.yields++;
		loop_yield();
		loop_timer_set(r->commit.timer, 0);
		return;
	}
	r->commit.seen = 0;
	r->commit.yields = 0;
	batch_flush(r->batch);
}

static enum err registrar_init(struct registrar *r, const struct role_start *start, struct why *why)
{
	const struct role_events events = {.channel = on_channel, .stop = on_stop, .poke = on_poke, .arg = r};

	TRY(loop_new(&r->loop, why));
	TRY(registrar_open(r, start, why));
	TRY(links_new(r, why));
	if (start->conf->role == CONF_ROLE_MAF)
		TRY(registrar_open_maf(r, start->conf, why));
	else
		TRY(crl_start(r, start->conf, why));
	TRY(keys_start(r, why));
	TRY(registrar_psk_start(r, why));
	TRY(loop_timer_new(r->loop, on_commit_due, r, &r->commit.timer, why));
	TRY(loop_after_turn(r->loop, on_turn_end, r, why));
	TRY(role_control_new(r->loop, start, &events, &r->control, why));
	TRY(sandbox_enter(ROLE_REGISTRAR, why));
	return role_control_ready(r->control, why);
}

/* Calls and orders that are still under way are answered into nothing, so their owners go last. */
static void registrar_fini(struct registrar *r)
{
	role_control_free(r->control);
	loop_timer_free(r->crl_timer);
	loop_timer_free(r->keys_timer);
	loop_timer_free(r->unknown.timer);
	loop_timer_free(r->commit.timer);
	registrar_close_maf(r);
	registrar_close(r);
	links_free(r);
	loop_free(r->loop);
}

int registrar_main(const struct role_start *start)
{
	struct registrar r = {0};
	struct why why = {0};

	if (registrar_init(&r, start, &why) != OK) {
		log_why(LOG_ERROR_, "start failed", &why);
		registrar_fini(&r);
		return 1;
	}
	loop_run(r.loop);
	registrar_fini(&r);
	return 0;
}
