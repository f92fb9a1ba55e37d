#include "app/registrar/registrar.h"

#include "net/log.h"

#include <stdio.h>

enum {
	LOOK_MAX_MS = 3600 * 1000,   /* a clock that jumped is noticed within an hour */
	AFTER_MS = 1000,             /* between a publication and the next look, whatever is due then */
	RETRY_MIN_MS = 10 * 1000,
	RETRY_MAX_MS = 600 * 1000,
};

static void look_again_after_failure(struct registrar *r)
{
	r->crl_retry_ms = r->crl_retry_ms ? r->crl_retry_ms * 2 : RETRY_MIN_MS;
	if (r->crl_retry_ms > RETRY_MAX_MS)
		r->crl_retry_ms = RETRY_MAX_MS;
	loop_timer_set(r->crl_timer, r->crl_retry_ms);
}

static void on_published(void *arg, enum err err, uint64_t number, const struct why *why)
{
	struct registrar *r = arg;
	char text[24];

	r->crl_under_way = false;
	if (err == OK) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
		log_event(LOG_INFO_, "CRL published", "number", text, NULL);
	}
	/* The registrar of another generation or host was quicker: its list is as good. */
	if (err == OK || err == ERR_CONFLICT) {
		r->crl_retry_ms = 0;
		loop_timer_set(r->crl_timer, AFTER_MS);
	} else {
		log_why(LOG_ERROR_, "CRL not published", why);
		look_again_after_failure(r);
	}
	/* This runs inside a commit, where no second list may begin. */
	if (r->crl_again)
		loop_timer_set(r->crl_timer, 0);
	r->crl_again = false;
	registrar_rest(r);
}

/*
 * The list that is due, else the shortest wait. One that could not be made must not keep back the other: each look
 * begins behind the list of the last one.
 */
static enum err find_due(struct registrar *r, int64_t now_s, const struct crl_env **out, int64_t *wait_out, struct why *why)
{
	*wait_out = LOOK_MAX_MS / 1000;
	for (size_t i = 0; i < r->crl_n; i++) {
		size_t at = (r->crl_next + i) % r->crl_n;
		const struct crl_env *env = &r->crl[at];
		int64_t wait_s = 0;
		TRY(crl_due(r->store, env->ca, &env->rules, now_s, &wait_s, why));
		*wait_out = wait_s < *wait_out ? wait_s : *wait_out;
		if (wait_s > 0)
			continue;
		r->crl_next = at + 1;
		*out = env;
		return OK;
	}
	return OK;
}

void crl_look(struct registrar *r)
{
	const struct crl_env *due = NULL;
	struct why why = {0};
	int64_t wait_s = 0;

	if (r->crl_under_way) {
		r->crl_again = true;
		return;
	}
	if (r->stopping || !r->crl_timer)
		return;
	int64_t now_s = clock_unix_s(&r->clock);
	if (find_due(r, now_s, &due, &wait_s, &why) != OK) {
		log_why(LOG_ERROR_, "CRL", &why);
		look_again_after_failure(r);
		return;
	}
	if (!due) {
		loop_timer_set(r->crl_timer, wait_s < LOOK_MAX_MS / 1000 ? wait_s * 1000 : LOOK_MAX_MS);
		return;
	}
	r->crl_under_way = true;
	crl_publish(due, now_s, on_published, r);
}

void crl_due_now(void *arg)
{
	struct registrar *r = arg;

	/* told within a commit, where no list may begin */
	if (r->crl_timer && !r->stopping)
		loop_timer_set(r->crl_timer, 0);
}

static void on_time(void *arg)
{
	crl_look(arg);
}

enum err crl_start(struct registrar *r, const struct conf *conf, struct why *why)
{
	r->crl_n = r->env.cas_n;
	for (size_t i = 0; i < r->crl_n; i++) {
		r->crl[i] = (struct crl_env){
			.store = r->store,
			.batch = r->batch,
			.issuer = issuer_remote_port(r->issuer),
			.rules = {.lifetime_s = conf->crl_lifetime_s, .overlap_s = conf->crl_overlap_s},
		};
		snprintf(r->crl[i].ca, sizeof(r->crl[i].ca), "%s", r->env.cas[i].name);
	}
	TRY(loop_timer_new(r->loop, on_time, r, &r->crl_timer, why));
	loop_timer_set(r->crl_timer, 0);
	return OK;
}
