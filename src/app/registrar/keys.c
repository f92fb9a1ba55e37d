#include "app/registrar/registrar.h"

#include "core/keys/register.h"
#include "core/registry/request.h"

enum {
	KEYS_LOOK_MS = 60 * 1000, /* by the clock that never jumps: a wall clock that does is noticed within a minute */
	KEYS_AT_ONCE = 100,       /* calls are answered in between */
};

/* *erased_out: KEYS_AT_ONCE when there may be more of one of them. */
static enum err erase(struct registrar *r, size_t *erased_out, struct why *why)
{
	struct why left = {0};
	size_t requests = 0;
	int64_t now_s = clock_unix_s(&r->clock);

	TRY(batch_enter(r->batch, why));
	enum err err = keys_erase_due(r->store, now_s, KEYS_AT_ONCE, erased_out, why);
	if (err == OK)
		err = request_erase_due(r->store, now_s, KEYS_AT_ONCE, &requests, why);
	*erased_out = requests > *erased_out ? requests : *erased_out;
	if (err == OK)
		return batch_leave(r->batch, true, why);
	left = *why;
	(void)!batch_leave(r->batch, false, &left); /* the first reason is told */
	return err;
}

/* What was not kept is found again at the next look. */
static void on_committed(void *arg, enum err err, const struct why *why)
{
	struct registrar *r = arg;

	if (err != OK)
		r->env.fault(r->env.told_arg, why);
}

/* TS-0003 10.7, seed 003 8.3.2.1: what is past its Enrolment Expiry is erased. */
void keys_look(struct registrar *r)
{
	struct why why = {0};
	size_t erased = 0;

	if (r->stopping)
		return;
	enum err err = erase(r, &erased, &why);
	if (err == OK)
		err = batch_defer(r->batch, on_committed, r, &why);
	if (err != OK)
		r->env.fault(r->env.told_arg, &why);
	loop_timer_set(r->keys_timer, err == OK && erased == KEYS_AT_ONCE ? 0 : KEYS_LOOK_MS);
}

static void on_time(void *arg)
{
	keys_look(arg);
}

enum err keys_start(struct registrar *r, struct why *why)
{
	TRY(loop_timer_new(r->loop, on_time, r, &r->keys_timer, why));
	loop_timer_set(r->keys_timer, 0);
	return OK;
}
