#include "adapt/store/memory.h"

#include "adapt/store/check.h"
#include "adapt/store/memory_ops.h"
#include "base/mem.h"

enum err memory_writable(const struct memory *m, struct why *why)
{
	if (!m->open)
		return WHY(why, STORE_USE, "", "store: want a write inside a transaction, have none open");
	if (m->lists)
		return WHY(why, STORE_USE, "", "store: want no write inside a list's callback");
	return OK;
}

enum err memory_no_room(struct why *why)
{
	return WHY(why, NOMEM, "", "store: no memory for a row, or the caller's arena is full");
}

static enum err begin(void *self, struct why *why)
{
	struct memory *m = self;

	if (m->open || m->lists)
		return WHY(why, STORE_USE, "", "begin: want no open transaction, have one");
	m->open = true;
	return OK;
}

static enum err commit(void *self, struct why *why)
{
	struct memory *m = self;

	TRY(memory_writable(m, why));
	rows_keep(&m->rows);
	m->open = false;
	m->marked = false;
	return OK;
}

static void rollback(void *self)
{
	struct memory *m = self;

	rows_undo(&m->rows, 0);
	m->open = false;
	m->marked = false;
}

static enum err mark(void *self, struct why *why)
{
	struct memory *m = self;

	TRY(memory_writable(m, why));
	if (m->marked)
		return WHY(why, STORE_USE, "", "mark: want no mark inside a mark");
	m->marked = true;
	m->mark = m->rows.log_n;
	return OK;
}

static enum err release(void *self, struct why *why)
{
	struct memory *m = self;

	TRY(memory_writable(m, why));
	if (!m->marked)
		return WHY(why, STORE_USE, "", "release: want a mark, have none");
	m->marked = false;
	return OK;
}

static void undo(void *self)
{
	struct memory *m = self;

	if (m->marked)
		rows_undo(&m->rows, m->mark);
	m->marked = false;
}

static enum err crl_put(void *self, const struct crl_row *crl, struct why *why)
{
	struct memory *m = self;
	TRY(memory_writable(m, why));
	TRY(store_check_crl(crl, why));
	struct row *old = rows_find(&m->rows, ROWS_CRL, span_text(crl->ca));
	if (old && crl->number <= old->crl.number)
		return WHY(why, STORE_CRL_NUMBER, "RFC 5280 5.2.3", "CRL number: want above %llu, have %llu",
			(unsigned long long)old->crl.number, (unsigned long long)crl->number);
	struct row *row = row_new(crl->der.n + strlen(crl->ca));
	if (!row)
		return memory_no_room(why);
	row->key = row_bytes(row, span_text(crl->ca));
	row->crl = *crl;
	row->crl.der = row_bytes(row, crl->der);
	return rows_change(&m->rows, ROWS_CRL, old, row, why);
}

static enum err crl_get(void *self, const char *ca, struct arena *arena, struct crl_row *out, struct why *why)
{
	const struct memory *m = self;
	const struct row *row = rows_find(&m->rows, ROWS_CRL, span_text(ca));

	if (!row)
		return WHY(why, STORE_NO_CRL, "", "CRL: want one stored, have none");
	struct span der = arena_copy(arena, row->crl.der);
	if (!der.p)
		return memory_no_room(why);
	*out = row->crl;
	out->der = der;
	return OK;
}

static enum err secret_put(void *self, const char *name, struct span sealed, struct why *why)
{
	struct memory *m = self;

	TRY(memory_writable(m, why));
	TRY(store_check_secret(name, sealed, why));
	struct row *row = row_new(strlen(name) + sealed.n);
	if (!row)
		return memory_no_room(why);
	row->key = row_bytes(row, span_text(name));
	row->secret = row_bytes(row, sealed);
	return rows_change(&m->rows, ROWS_SECRET, rows_find(&m->rows, ROWS_SECRET, row->key), row, why);
}

static enum err secret_get(void *self, const char *name, struct arena *arena, struct span *out,
	struct why *why)
{
	const struct memory *m = self;
	const struct row *row = rows_find(&m->rows, ROWS_SECRET, span_text(name));

	if (!row)
		return WHY(why, STORE_NO_SECRET, "", "secret '%s': want it stored, have none", store_text(name));
	struct span sealed = arena_copy(arena, row->secret);
	if (!sealed.p)
		return memory_no_room(why);
	*out = sealed;
	return OK;
}

static enum err audit_head(void *self, uint64_t *seq, uint8_t hash[32], struct why *why)
{
	const struct memory *m = self;
	size_t n = m->rows.tables[ROWS_AUDIT].n;

	*seq = n;
	memset(hash, 0, 32);
	if (n)
		memcpy(hash, m->rows.tables[ROWS_AUDIT].at[n - 1]->audit.hash, 32);
	return OK;
}

static void seq_key(uint64_t seq, uint8_t key[8])
{
	for (int i = 7; i >= 0; i--, seq >>= 8)
		key[i] = (uint8_t)seq;
}

static enum err audit_add(void *self, const struct audit_row *event, struct why *why)
{
	struct memory *m = self;
	uint64_t want = m->rows.tables[ROWS_AUDIT].n + 1;
	uint8_t key[8];

	TRY(memory_writable(m, why));
	TRY(store_check_audit(event, why));
	if (event->seq != want)
		return WHY(why, STORE_AUDIT_ORDER, "", "audit seq: want %llu, have %llu",
			(unsigned long long)want, (unsigned long long)event->seq);
	struct row *row = row_new(sizeof(key) + row_text_room(event->event));
	if (!row)
		return memory_no_room(why);
	seq_key(event->seq, key);
	row->key = row_bytes(row, span_of(key, sizeof(key)));
	row->audit = *event;
	row->audit.event = row_text(row, event->event);
	return rows_change(&m->rows, ROWS_AUDIT, NULL, row, why);
}

static enum err audit_list(void *self, uint64_t from_seq, size_t limit, audit_each each,
	void *arg, struct why *why)
{
	struct memory *m = self;
	uint8_t key[8];
	enum err err = OK;

	TRY(store_check_limit(limit, why));
	seq_key(from_seq, key);
	size_t i = rows_seek(&m->rows, ROWS_AUDIT, span_of(key, sizeof(key)));
	m->lists++;
	for (; err == OK && i < m->rows.tables[ROWS_AUDIT].n && limit; i++, limit--)
		err = each(arg, &m->rows.tables[ROWS_AUDIT].at[i]->audit, why);
	m->lists--;
	return err;
}

static enum err counts(void *self, struct store_counts *out, struct why *why)
{
	const struct memory *m = self;

	*out = (struct store_counts){
		.enrolees = m->rows.tables[ROWS_ENROLEE].n,
		.issued = m->rows.tables[ROWS_ISSUED].n,
		.audit = m->rows.tables[ROWS_AUDIT].n,
		.waiting = memory_requests_waiting(m),
	};
	for (size_t i = 0; i < out->enrolees; i++) {
		if (m->rows.tables[ROWS_ENROLEE].at[i]->enrolee.state == ENROLEE_DISABLED)
			out->enrolees_disabled++;
	}
	for (size_t i = 0; i < out->issued; i++) {
		if (m->rows.tables[ROWS_ISSUED].at[i]->issued.state == ISSUED_REVOKED)
			out->revoked++;
	}
	return OK;
}

static void memory_free(void *self)
{
	struct memory *m = self;

	if (!m)
		return;
	rows_fini(&m->rows);
	mem_free(m);
}

static const struct store_ops ops = {
	.begin = begin,
	.commit = commit,
	.rollback = rollback,
	.mark = mark,
	.release = release,
	.undo = undo,
	.enrolee_add = memory_enrolee_add,
	.enrolee_set_state = memory_enrolee_set_state,
	.enrolee_remove = memory_enrolee_remove,
	.enrolee_find = memory_enrolee_find,
	.enrolee_by_entity = memory_enrolee_by_entity,
	.enrolee_list = memory_enrolee_list,
	.credential_add = memory_credential_add,
	.credential_list = memory_credential_list,
	.credential_match = memory_credential_match,
	.credential_match_any = memory_credential_match_any,
	.issued_add = memory_issued_add,
	.issued_find = memory_issued_find,
	.issued_by_nonce = memory_issued_by_nonce,
	.issued_list = memory_issued_list,
	.issued_revoke = memory_issued_revoke,
	.revoked_list = memory_revoked_list,
	.revocation_revision = memory_revocation_revision,
	.symkey_add = memory_symkey_add,
	.symkey_set = memory_symkey_set,
	.symkey_remove = memory_symkey_remove,
	.symkey_find = memory_symkey_find,
	.symkey_list = memory_symkey_list,
	.symkey_due = memory_symkey_due,
	.prefs_put = memory_prefs_put,
	.prefs_get = memory_prefs_get,
	.prefs_remove = memory_prefs_remove,
	.token_add = memory_token_add,
	.token_find = memory_token_find,
	.token_claim = memory_token_claim,
	.token_spend = memory_token_spend,
	.token_list = memory_token_list,
	.token_remove = memory_token_remove,
	.request_add = memory_request_add,
	.request_find = memory_request_find,
	.request_find_csr = memory_request_find_csr,
	.request_decide = memory_request_decide,
	.request_done = memory_request_done,
	.request_remove = memory_request_remove,
	.request_list = memory_request_list,
	.request_due = memory_request_due,
	.crl_put = crl_put,
	.crl_get = crl_get,
	.secret_put = secret_put,
	.secret_get = secret_get,
	.audit_head = audit_head,
	.audit_add = audit_add,
	.audit_list = audit_list,
	.counts = counts,
	.free = memory_free,
};

struct store *store_memory_new(void)
{
	struct memory *m = mem_alloc(sizeof(*m));

	if (!m)
		return NULL;
	m->store = (struct store){.self = m, .ops = &ops};
	return &m->store;
}
