#include "core/maf/inner.h"

#include "base/mem.h"
#include "core/registry/audit.h"

#include <assert.h>

static void answer_tell(struct answer *a, enum err err, const struct why *why)
{
	bool gives = err == OK && a->gives;

	if (a->client_done)
		a->client_done(a->arg, err, gives ? &a->client : NULL, why);
	else
		a->key_done(a->arg, err, gives ? &a->key : NULL, why);
	secret_wipe(&a->key.value);
	arena_fini(&a->arena);
	mem_free(a);
}

static void on_durable(void *arg, enum err err, const struct why *why)
{
	struct answer *a = arg;

	if (err != OK)
		answer_tell(a, err, why);
	else
		answer_tell(a, a->why.kind, &a->why);
}

static enum err audit(struct maf *m, const struct operation *op, const struct answer *a, int64_t now_s, struct why *why)
{
	const struct audit_event event = {
		.what = op->event,
		.enrolee_id = op->peer->id,
		.peer = op->peer->address,
		.actor = "maf",
		.detail = op->id ? op->id : a->client_done ? a->client.id : a->key.relative_id,
	};

	return audit_write(m->env.store, &event, now_s, why);
}

/* The work and its event, or neither. */
static enum err perform(struct maf *m, const struct operation *op, int64_t now_s, struct answer *a, struct why *why)
{
	TRY(batch_enter(m->env.batch, why));
	enum err err = op->work(m, op, now_s, a, why);
	if (err == OK)
		err = audit(m, op, a, now_s, why);
	enum err left = batch_leave(m->env.batch, err == OK, why);
	return err != OK ? err : left;
}

/* Who is refused is known: its handshake proved it. */
static enum err record_refusal(struct maf *m, const struct operation *op, const struct why *refusal, int64_t now_s, struct why *why)
{
	const struct audit_event event = {
		.what = "maf.refused",
		.enrolee_id = op->peer->id,
		.peer = op->peer->address,
		.actor = "maf",
	};

	return audit_failure(m->env.store, m->env.batch, event, refusal, now_s, why);
}

static enum err settle(struct maf *m, const struct operation *op, struct answer *a, struct why *why)
{
	int64_t now_s = clock_unix_s(m->env.clock);
	enum err err = perform(m, op, now_s, a, &a->why);

	if (err > ERR_PENDING) {
		*why = a->why;
		return err;
	}
	if (err != OK)
		TRY(record_refusal(m, op, &a->why, now_s, why));
	return batch_defer(m->env.batch, on_durable, a, why);
}

void maf_operate(struct maf *m, const struct operation *op, maf_client_done client_done, maf_key_done key_done, void *arg)
{
	struct answer *a = mem_alloc(sizeof(*a));
	struct why why = {0};

	assert(!client_done != !key_done);
	if (!a) {
		enum err err = WHY(&why, NOMEM, "", "answer: want %zu bytes", sizeof(*a));
		if (client_done)
			client_done(arg, err, NULL, &why);
		else
			key_done(arg, err, NULL, &why);
		return;
	}
	*a = (struct answer){.m = m, .client_done = client_done, .key_done = key_done, .arg = arg, .arena = ARENA(MAF_ARENA_MAX)};
	enum err err = settle(m, op, a, &why);
	if (err != OK)
		answer_tell(a, err, &why);
}
