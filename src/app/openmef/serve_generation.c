#include "app/openmef/serve.h"

#include "base/mem.h"
#include "net/log.h"

#include <string.h>
#include <unistd.h>

/* Who must be ready before whom; stopped in the other direction, so that nobody loses whom it asks. */
static const enum role order[] = {ROLE_SIGNER, ROLE_CALLER, ROLE_RUNNER, ROLE_REGISTRAR, ROLE_FRONT};
enum { STAGES = sizeof(order) / sizeof(order[0]) };

/* After a stop, before the kill. A front drains ROLE_DRAIN_MS. */
static int64_t stop_limit_ms(enum role role)
{
	return role == ROLE_FRONT ? ROLE_DRAIN_MS + 5000 : 10000;
}

static void on_limit(void *arg)
{
	struct generation *g = arg;

	log_event(LOG_WARN_, "role does not stop", "of", role_name(g->stop_stage), NULL);
	for (size_t i = 0; i < g->n; i++) {
		if (g->members[i].role == g->stop_stage)
			member_kill(&g->members[i]);
	}
}

static void generation_free(struct generation *g)
{
	for (size_t i = 0; i < g->n; i++)
		member_fini(&g->members[i]);
	loop_timer_free(g->limit);
	close(g->conf_fd);
	mem_free(g->members);
	mem_free(g->conf_path);
	mem_free(g->conf);
	mem_free(g);
}

static enum err add_members(struct generation *g, enum role role, unsigned int n, struct why *why)
{
	for (unsigned int i = 0; i < n; i++) {
		TRY(member_init(&g->members[g->n], g, role, i, why));
		g->n++;
	}
	return OK;
}

static unsigned int has_issuer(const struct conf *conf, enum issuer_kind kind)
{
	for (size_t i = 0; i < conf->issuers.n; i++) {
		if (conf->issuers.items[i].kind == kind)
			return 1;
	}
	return 0;
}

static enum err fill(struct generation *g, const char *path, struct why *why)
{
	bool maf = g->conf->role == CONF_ROLE_MAF;
	unsigned int signers = maf ? 0 : conf_signers(g->conf);
	unsigned int callers = maf ? 1 : has_issuer(g->conf, ISSUER_EST);
	unsigned int runners = maf ? 0 : has_issuer(g->conf, ISSUER_COMMAND);
	unsigned int fronts = conf_fronts(g->conf);
	unsigned int n = signers + callers + runners + 1 + fronts;

	g->conf_path = mem_text(path);
	g->members = mem_array(n, sizeof(*g->members));
	if (!g->conf_path || !g->members)
		return WHY(why, NOMEM, "", "roles: want room for %u", n);
	TRY(loop_timer_new(g->supervisor->loop, on_limit, g, &g->limit, why));
	TRY(add_members(g, ROLE_SIGNER, signers, why));
	TRY(add_members(g, ROLE_CALLER, callers, why));
	TRY(add_members(g, ROLE_RUNNER, runners, why));
	TRY(add_members(g, ROLE_REGISTRAR, 1, why));
	return add_members(g, ROLE_FRONT, fronts, why);
}

enum err generation_new(struct supervisor *s, struct conf *conf, const char *path, int conf_fd,
	struct generation **out, struct why *why)
{
	struct generation *g = mem_alloc(sizeof(*g));

	if (!g) {
		mem_free(conf);
		close(conf_fd);
		return WHY(why, NOMEM, "", "generation: want %zu bytes", sizeof(*g));
	}
	*g = (struct generation){.supervisor = s, .number = ++s->count, .conf = conf, .conf_fd = conf_fd};
	enum err err = fill(g, path, why);
	if (err != OK) {
		generation_free(g);
		return err;
	}
	g->next = s->generations;
	s->generations = g;
	*out = g;
	return OK;
}

static bool start_stage(struct generation *g, enum role role, bool *ready, struct why *why)
{
	*ready = true;
	for (size_t i = 0; i < g->n; i++) {
		struct member *m = &g->members[i];
		if (m->role != role)
			continue;
		if (!m->pid && member_start(m, why) != OK)
			return false;
		*ready = *ready && m->ready;
	}
	return true;
}

void generation_step(struct generation *g)
{
	struct why why = {0};

	if (g->serving || g->stopping)
		return;
	for (size_t i = 0; i < STAGES; i++) {
		bool ready = false;
		if (!start_stage(g, order[i], &ready, &why)) {
			log_why(LOG_ERROR_, "role not started", &why);
			supervisor_failed(g, NULL);
			return;
		}
		if (!ready)
			return;
	}
	g->serving = true;
	supervisor_serving(g);
}

static size_t stop_role(struct generation *g, enum role role)
{
	size_t live = 0;

	for (size_t i = 0; i < g->n; i++) {
		struct member *m = &g->members[i];
		if (m->role != role || !m->pid)
			continue;
		member_stop(m);
		live++;
	}
	return live;
}

static void stop_step(struct generation *g)
{
	for (size_t i = STAGES; i-- > 0;) {
		if (stop_role(g, order[i]) == 0)
			continue;
		if (g->stop_stage != order[i]) {
			g->stop_stage = order[i];
			loop_timer_set(g->limit, stop_limit_ms(order[i]));
		}
		return;
	}
	struct supervisor *s = g->supervisor;
	struct generation **at = &s->generations;
	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	supervisor_gone(g);
	generation_free(g);
}

void generation_stop(struct generation *g)
{
	if (g->stopping)
		return;
	g->stopping = true;
	for (size_t i = 0; i < g->n; i++) {
		if (!g->members[i].pid)
			loop_timer_stop(g->members[i].timer); /* no restart any more */
	}
	stop_step(g);
}

void generation_kill(struct generation *g)
{
	for (size_t i = 0; i < g->n; i++)
		member_kill(&g->members[i]);
}

void generation_ended(struct member *m)
{
	struct generation *g = m->generation;

	if (g->stopping)
		stop_step(g);
	else if (g->serving)
		member_start_later(m);
	else
		supervisor_failed(g, m);
}

struct member *generation_find(struct generation *g, pid_t pid)
{
	for (size_t i = 0; i < g->n; i++) {
		if (g->members[i].pid == pid)
			return &g->members[i];
	}
	return NULL;
}
