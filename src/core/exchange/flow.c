#include "core/exchange/flow.h"

#include "base/mem.h"
#include "core/registry/audit.h"

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

enum err flow_audit(struct flow *f, const char *what, const char *enrolee_id, const char *detail)
{
	const struct audit_event event = {.what = what,
		.enrolee_id = enrolee_id,
		.peer = f->address,
		.actor = "mef",
		.detail = detail};

	return audit_write(f->env.store, &event, f->now_s, &f->why);
}

static enum err write_failure(struct flow *f, struct why *why)
{
	const struct audit_event event = {.what = f->err <= ERR_PENDING ? f->refused : f->failed,
		.enrolee_id = f->client->enrolee.id,
		.peer = f->address,
		.actor = "mef",
		.detail = f->detail};

	return audit_failure(f->env.store, f->env.batch, event, &f->why, f->now_s, why);
}

static void fail(struct flow *f, enum err err)
{
	struct why why = {0};

	f->err = err;
	if (err == ERR_STORE || err == ERR_NOMEM) { /* then an audit row would fail as well */
		end(f, err, &f->why);
		return;
	}
	err = write_failure(f, &why);
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
