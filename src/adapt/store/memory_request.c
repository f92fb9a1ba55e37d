#include "adapt/store/memory_ops.h"

#include "adapt/store/check.h"

static struct row *request_row(const struct request *r)
{
	struct row *row = row_new(row_text_room(r->id) + row_text_room(r->enrolee_id) + row_text_room(r->est_label)
		+ row_text_room(r->decided_by) + row_text_room(r->reason) + r->csr.n + r->nonce.n + r->serial.n);

	if (!row)
		return NULL;
	row->request = *r;
	row->request.id = row_text(row, r->id);
	row->request.enrolee_id = row_text(row, r->enrolee_id);
	row->request.est_label = row_text(row, store_text(r->est_label));
	row->request.decided_by = row_text(row, store_text(r->decided_by));
	row->request.reason = row_text(row, store_text(r->reason));
	row->request.csr = row_bytes(row, r->csr);
	row->request.nonce = row_bytes(row, r->nonce);
	row->request.serial = row_bytes(row, r->serial);
	row->key = span_text(row->request.id);
	return row;
}

static bool same_csr(const struct request *a, const struct request *b)
{
	return a->kind == b->kind && memcmp(a->csr_sha256, b->csr_sha256, sizeof(a->csr_sha256)) == 0
		&& strcmp(a->enrolee_id, b->enrolee_id) == 0 && strcmp(a->est_label, store_text(b->est_label)) == 0;
}

static struct row *by_csr(const struct memory *m, const struct request *names)
{
	for (size_t i = 0; i < m->rows.tables[ROWS_REQUEST].n; i++) {
		if (same_csr(&m->rows.tables[ROWS_REQUEST].at[i]->request, names))
			return m->rows.tables[ROWS_REQUEST].at[i];
	}
	return NULL;
}

static enum err find(const struct memory *m, const char *id, struct row **out, struct why *why)
{
	*out = rows_find(&m->rows, ROWS_REQUEST, span_text(store_text(id)));
	return *out ? OK : store_no_request(id, why);
}

/* enrolee_id NULL: of all. */
static size_t waiting(const struct memory *m, const char *enrolee_id, int64_t now_s)
{
	size_t n = 0;

	for (size_t i = 0; i < m->rows.tables[ROWS_REQUEST].n; i++) {
		const struct request *r = &m->rows.tables[ROWS_REQUEST].at[i]->request;
		n += r->state == REQUEST_WAITING && r->expires_s > now_s
			&& (!enrolee_id || strcmp(r->enrolee_id, enrolee_id) == 0);
	}
	return n;
}

enum err memory_request_add(void *self, const struct request *r, struct why *why)
{
	struct memory *m = self;
	struct request fresh = *r;

	TRY(memory_writable(m, why));
	TRY(store_check_request(r, why));
	if (rows_find(&m->rows, ROWS_REQUEST, span_text(r->id)) || by_csr(m, r))
		return store_request_exists(r, why);
	TRY(store_check_waiting(r, waiting(m, r->enrolee_id, r->created_s), waiting(m, NULL, r->created_s), why));
	fresh.state = REQUEST_WAITING;
	fresh.decided_s = 0;
	fresh.decided_by = fresh.reason = "";
	fresh.serial = (struct span){0};
	struct row *row = request_row(&fresh);
	if (!row)
		return memory_no_room(why);
	return rows_change(&m->rows, ROWS_REQUEST, NULL, row, why);
}

static enum err copy(const struct row *row, struct arena *arena, struct request *out, struct why *why)
{
	struct request r = row->request;

	if (!store_copy_request(&r, arena))
		return memory_no_room(why);
	*out = r;
	return OK;
}

enum err memory_request_find(void *self, const char *id, struct arena *arena, struct request *out, struct why *why)
{
	struct row *row = NULL;

	TRY(find(self, id, &row, why));
	return copy(row, arena, out, why);
}

enum err memory_request_find_csr(void *self, const struct request *names, struct arena *arena, struct request *out,
	struct why *why)
{
	const struct row *row = by_csr(self, names);

	return row ? copy(row, arena, out, why) : store_no_request("of that CSR", why);
}

static enum err change(struct memory *m, struct row *old, const struct request *r, struct why *why)
{
	struct row *row = request_row(r);

	if (!row)
		return memory_no_room(why);
	return rows_change(&m->rows, ROWS_REQUEST, old, row, why);
}

enum err memory_request_decide(void *self, const char *id, const struct request_decision *d, struct why *why)
{
	struct memory *m = self;
	struct row *old = NULL;

	TRY(memory_writable(m, why));
	TRY(store_check_decision(d, why));
	TRY(find(m, id, &old, why));
	TRY(store_check_decide(&old->request, d->now_s, why));
	struct request r = old->request;
	r.state = d->state;
	r.decided_s = d->now_s;
	r.expires_s = d->expires_s;
	r.decided_by = d->by;
	r.reason = d->reason;
	return change(m, old, &r, why);
}

enum err memory_request_done(void *self, const char *id, struct span serial, struct why *why)
{
	struct memory *m = self;
	struct row *old = NULL;

	TRY(memory_writable(m, why));
	TRY(store_check_serial(serial, why));
	TRY(find(m, id, &old, why));
	TRY(store_check_done(&old->request, why));
	struct request r = old->request;
	r.state = REQUEST_DONE;
	r.serial = store_serial(serial);
	return change(m, old, &r, why);
}

enum err memory_request_remove(void *self, const char *id, struct why *why)
{
	struct memory *m = self;
	struct row *row = NULL;

	TRY(memory_writable(m, why));
	TRY(find(m, id, &row, why));
	return rows_change(&m->rows, ROWS_REQUEST, row, NULL, why);
}

enum err memory_request_list(void *self, const struct request_filter *filter, request_each each, void *arg,
	struct why *why)
{
	struct memory *m = self;
	size_t left = filter->limit;
	const char *whose = store_text(filter->enrolee_id);
	enum err err = OK;

	TRY(store_check_limit(filter->limit, why));
	m->lists++;
	for (size_t i = rows_after(&m->rows, ROWS_REQUEST, span_text(store_text(filter->after_id)));
		err == OK && left && i < m->rows.tables[ROWS_REQUEST].n; i++) {
		const struct request *r = &m->rows.tables[ROWS_REQUEST].at[i]->request;
		if ((filter->state && (int)r->state != filter->state) || (whose[0] && strcmp(r->enrolee_id, whose) != 0))
			continue;
		err = each(arg, r, why);
		left--;
	}
	m->lists--;
	return err;
}

/* The row that is due next after `last` (NULL: first of all); rows of one second go in order of their ids. */
static const struct row *due_after(const struct memory *m, const struct row *last, int64_t now_s)
{
	const struct row *next = NULL;
	bool passed = !last;

	for (size_t i = 0; i < m->rows.tables[ROWS_REQUEST].n; i++) {
		const struct row *row = m->rows.tables[ROWS_REQUEST].at[i];
		int64_t at_s = row->request.expires_s;
		bool later = !last || at_s > last->request.expires_s || (passed && at_s == last->request.expires_s);
		if (row == last)
			passed = true;
		else if (at_s <= now_s && later && (!next || at_s < next->request.expires_s))
			next = row;
	}
	return next;
}

enum err memory_request_due(void *self, int64_t now_s, size_t limit, request_each each, void *arg, struct why *why)
{
	struct memory *m = self;
	enum err err = OK;

	TRY(store_check_limit(limit, why));
	m->lists++;
	for (const struct row *row = due_after(m, NULL, now_s); err == OK && row && limit; limit--) {
		err = each(arg, &row->request, why);
		row = due_after(m, row, now_s);
	}
	m->lists--;
	return err;
}

enum err memory_requests_clear(struct memory *m, const char *enrolee_id, struct why *why)
{
	for (size_t i = m->rows.tables[ROWS_REQUEST].n; i-- > 0;) {
		struct row *row = m->rows.tables[ROWS_REQUEST].at[i];
		if (strcmp(row->request.enrolee_id, enrolee_id) == 0)
			TRY(rows_change(&m->rows, ROWS_REQUEST, row, NULL, why));
	}
	return OK;
}

uint64_t memory_requests_waiting(const struct memory *m)
{
	return waiting(m, NULL, INT64_MIN);
}
