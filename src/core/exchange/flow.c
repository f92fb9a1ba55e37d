#include "core/exchange/flow.h"

#include "base/mem.h"
#include "core/registry/audit.h"

#include <stdio.h>

static void end(struct flow *f, enum err err, const struct why *why)
{
	f->tell(f, err, why);
	arena_fini(&f->arena);
	mem_free(f);
}

static void on_commit(void *arg, enum err err, const struct why *why)
{
	struct flow *f = arg;

	if (err != OK) /* nothing of the batch is on disk, the refusal's audit event neither */
		end(f, err, why);
	else
		end(f, f->err, &f->why);
}

static void answer(struct flow *f)
{
	struct why why = {0};
	enum err err = batch_defer(f->env.batch, on_commit, f, &why);

	if (err != OK)
		end(f, err, &why);
}

static enum err audit(struct flow *f, const struct audit_event *event, struct why *why)
{
	return audit_write(f->env.store, event, f->now_s, why);
}

enum err flow_audit(struct flow *f, const char *what, const char *enrolee_id, const char *detail)
{
	const struct audit_event event = {.what = what,
		.enrolee_id = enrolee_id,
		.peer = f->address,
		.actor = "mef",
		.detail = detail};

	return audit(f, &event, &f->why);
}

static enum err audit_failure(struct flow *f, struct why *why)
{
	char text[WHY_TEXT_MAX + WHY_CLAUSE_MAX + 4];
	const char *open = f->why.clause[0] ? " (" : "";
	const char *shut = f->why.clause[0] ? ")" : "";

	snprintf(text, sizeof(text), "%s%s%s%s", f->why.text, open, f->why.clause, shut);
	const struct audit_event event = {.what = f->err <= ERR_PENDING ? f->refused : f->failed,
		.enrolee_id = f->client->enrolee.id,
		.peer = f->address,
		.actor = "mef",
		.code = (int)f->why.code,
		.detail = f->detail[0] ? f->detail : text};
	TRY(batch_enter(f->env.batch, why));
	enum err err = audit(f, &event, why);
	enum err left = batch_leave(f->env.batch, err == OK, why);
	return err != OK ? err : left;
}

static void fail(struct flow *f, enum err err)
{
	struct why why = {0};

	f->err = err;
	if (err == ERR_STORE || err == ERR_NOMEM) { /* then an audit row would fail as well */
		end(f, err, &f->why);
		return;
	}
	err = audit_failure(f, &why);
	if (err != OK)
		end(f, err, &why);
	else
		answer(f);
}

static enum err run(struct flow *f, enum err (*work)(struct flow *f))
{
	TRY(batch_enter(f->env.batch, &f->why));
	enum err err = work(f);
	enum err left = batch_leave(f->env.batch, err == OK, &f->why);
	return err != OK ? err : left;
}

void flow_run(struct flow *f, enum err (*work)(struct flow *f))
{
	f->arena = ARENA(FLOW_ARENA_MAX);
	f->now_s = clock_unix_s(f->env.clock);
	enum err err = run(f, work);
	if (err != OK)
		fail(f, err);
	else
		answer(f);
}
