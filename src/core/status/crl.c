#include "core/status/crl.h"

#include "base/date.h"
#include "base/mem.h"
#include "core/registry/audit.h"
#include "core/registry/record.h"

#include <stdio.h>

enum { CRL_ARENA_MAX = STORE_CRL_MAX + 4096 };

/* One publication from order to commit. */
struct publication {
	struct crl_env env;
	crl_published done;
	void *arg;
	struct crl_entry *entries;
	size_t cap;
	struct crl_order order;
	uint64_t revision;
	int64_t now_s;
};

static void publication_free(struct publication *p)
{
	mem_free(p->entries);
	mem_free(p);
}

/* The newest CRL's numbers; number 0 when there is none. */
static enum err newest(struct store *store, const char *ca, struct crl_row *out, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(CRL_ARENA_MAX);
	enum err err = store->ops->crl_get(store->self, ca, &arena, out, why);

	out->der = (struct span){0};
	if (err != ERR_NOT_FOUND)
		return err;
	*out = (struct crl_row){0};
	why_clear(why);
	return OK;
}

enum err crl_due(struct store *store, const char *ca, const struct crl_rules *rules, int64_t now_s, int64_t *wait_s_out, struct why *why)
{
	struct crl_row row = {0};
	uint64_t revision = 0;
	/* An overlap near the lifetime would make each CRL due as soon as it is out. */
	int64_t half = rules->lifetime_s / 2;
	int64_t overlap = rules->overlap_s < half ? rules->overlap_s : half;

	TRY(newest(store, ca, &row, why));
	TRY(store->ops->revocation_revision(store->self, &revision, why));
	int64_t due = row.next_update_s - overlap;
	/* RFC 5280 5.1.2.4: thisUpdate is when it was issued; one from the future means that the clock went back. */
	bool now = row.number == 0 || now_s < row.this_update_s || revision != row.revision || now_s >= due;
	*wait_s_out = now ? 0 : due - now_s;
	return OK;
}

static enum err grow(struct publication *p, struct why *why)
{
	size_t cap = p->cap ? p->cap * 2 : 64;
	struct crl_entry *entries = cap <= SIZE_MAX / sizeof(*entries) ? mem_resize(p->entries, cap * sizeof(*entries)) : NULL;

	if (!entries)
		return WHY(why, NOMEM, "", "CRL entries");
	p->entries = entries;
	p->cap = cap;
	return OK;
}

static enum err add_entry(void *arg, const struct issued *row, struct why *why)
{
	struct publication *p = arg;

	/* RFC 5280 5: a CRL lists what its issuer issued; what another CA issued is revoked here for this MEF alone */
	if (record_is_foreign(row->serial))
		return OK;
	if (p->order.entries_n >= CRL_ENTRIES_MAX)
		return WHY(why, CRL_TOO_LONG, "", "revoked certificates: want at most %d", CRL_ENTRIES_MAX);
	if (row->serial.n == 0 || row->serial.n > ISSUER_SERIAL_MAX)
		return WHY(why, BUG, "", "revoked serial of %zu octets", row->serial.n);
	if (p->order.entries_n == p->cap)
		TRY(grow(p, why));
	struct crl_entry *e = &p->entries[p->order.entries_n++];
	*e = (struct crl_entry){.serial_n = row->serial.n, .revoked_s = row->revoked_s, .reason = row->reason};
	memcpy(e->serial, row->serial.p, row->serial.n);
	return OK;
}

static enum err collect(struct publication *p, struct why *why)
{
	struct store *store = p->env.store;
	struct crl_row last = {0};

	TRY(newest(store, p->env.ca, &last, why));
	/* The revision first: what is revoked in between makes the next CRL due, never the reverse. */
	TRY(store->ops->revocation_revision(store->self, &p->revision, why));
	TRY(store->ops->revoked_list(store->self, p->now_s, add_entry, p, why));
	p->order.number = last.number + 1; /* RFC 5280 5.2.3: monotonically increasing */
	p->order.this_update_s = p->now_s;
	p->order.next_update_s = p->now_s + p->env.rules.lifetime_s;
	p->order.entries = p->entries;
	memcpy(p->order.ca, p->env.ca, sizeof(p->order.ca));
	return OK;
}

static void finish(struct publication *p, enum err err, const struct why *why)
{
	p->done(p->arg, err, err == OK ? p->order.number : 0, why);
	publication_free(p);
}

static void on_committed(void *arg, enum err err, const struct why *why)
{
	finish(arg, err, why);
}

static enum err write_rows(struct publication *p, struct span der, struct why *why)
{
	struct store *store = p->env.store;
	char until[DATE_TEXT_SIZE];
	char detail[WHY_TEXT_MAX];
	struct crl_row row = {
		.number = p->order.number,
		.this_update_s = p->order.this_update_s,
		.next_update_s = p->order.next_update_s,
		.revision = p->revision,
		.der = der,
	};

	snprintf(row.ca, sizeof(row.ca), "%s", p->env.ca);
	TRY(store->ops->crl_put(store->self, &row, why));
	date_text(row.next_update_s, until);
	snprintf(detail, sizeof(detail), "%s%snumber %llu, %zu entries, next update %s", row.ca, row.ca[0] ? ", " : "", (unsigned long long)row.number,
		p->order.entries_n, until);
	const struct audit_event event = {.what = "crl.published", .actor = "mef", .detail = detail};
	return audit_write(store, &event, p->now_s, why);
}

static void on_signed(void *arg, enum err err, struct span der, const struct why *issuer_why)
{
	struct publication *p = arg;
	struct batch *batch = p->env.batch;
	struct why why = {0};

	if (err != OK) {
		finish(p, err, issuer_why);
		return;
	}
	err = batch_enter(batch, &why);
	if (err == OK) {
		err = write_rows(p, der, &why);
		enum err left = batch_leave(batch, err == OK, &why);
		err = err != OK ? err : left;
	}
	if (err == OK)
		err = batch_defer(batch, on_committed, p, &why);
	if (err != OK)
		finish(p, err, &why);
}

void crl_publish(const struct crl_env *env, int64_t now_s, crl_published done, void *arg)
{
	struct publication *p = mem_alloc(sizeof(*p));
	struct why why = {0};

	if (!p) {
		done(arg, WHY(&why, NOMEM, "", "CRL"), 0, &why);
		return;
	}
	*p = (struct publication){.env = *env, .done = done, .arg = arg, .now_s = now_s};
	batch_flush(env->batch);
	enum err err = collect(p, &why);
	if (err != OK) {
		finish(p, err, &why);
		return;
	}
	env->issuer->sign_crl(env->issuer->self, &p->order, on_signed, p);
}
