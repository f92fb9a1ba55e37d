#include "adapt/store/sqlite_db.h"

#include "adapt/store/check.h"

static void bind_names(sqlite3_stmt *s, int at, const struct request *r)
{
	db_bind_text(s, at, r->enrolee_id);
	db_bind_bytes(s, at + 1, span_of(r->csr_sha256, sizeof(r->csr_sha256)));
	db_bind_number(s, at + 2, r->kind);
	db_bind_text(s, at + 3, r->est_label);
}

static enum err check_room(struct db *db, const struct request *r, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	TRY(db_statement(db, SQL_REQUEST_COUNT, &s, why));
	db_bind_text(s, 1, r->enrolee_id);
	db_bind_number(s, 2, r->created_s);
	if (!db_row(db, s, &err, "count waiting requests", why))
		return err != OK ? err : db_fail(db, SQLITE_CORRUPT, "count waiting requests", why);
	return store_check_waiting(r, (uint64_t)sqlite3_column_int64(s, 0), (uint64_t)sqlite3_column_int64(s, 1), why);
}

/* The borrowed row of that id or, with an empty id, of that CSR in *s; false when there is none or *err is set. */
static bool seek(struct db *db, const struct request *names, sqlite3_stmt **s, enum err *err, struct why *why)
{
	bool by_id = store_text(names->id)[0];

	*err = db_statement(db, by_id ? SQL_REQUEST_FIND : SQL_REQUEST_FIND_CSR, s, why);
	if (*err != OK)
		return false;
	if (by_id)
		db_bind_text(*s, 1, names->id);
	else
		bind_names(*s, 1, names);
	return db_row(db, *s, err, "find a request", why);
}

static struct request request_at(sqlite3_stmt *s)
{
	struct request r = {
		.id = db_text(s, 0),
		.enrolee_id = db_text(s, 1),
		.est_label = db_text(s, 2),
		.kind = (enum request_kind)sqlite3_column_int(s, 3),
		.csr = db_bytes(s, 5),
		.nonce = db_bytes(s, 6),
		.state = (enum request_state)sqlite3_column_int(s, 7),
		.created_s = sqlite3_column_int64(s, 8),
		.expires_s = sqlite3_column_int64(s, 9),
		.decided_s = sqlite3_column_int64(s, 10),
		.decided_by = db_text(s, 11),
		.reason = db_text(s, 12),
		.serial = db_bytes(s, 13),
	};

	db_hash(s, 4, r.csr_sha256);
	return r;
}

static enum err exists(struct db *db, const struct request *r, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	sqlite3_stmt *t OWNED_STATEMENT = NULL;
	struct request names = *r;
	enum err err = OK;

	if (seek(db, r, &s, &err, why))
		return store_request_exists(r, why);
	TRY(err);
	names.id = "";
	if (seek(db, &names, &t, &err, why))
		return store_request_exists(r, why);
	return err;
}

static enum err request_add(void *self, const struct request *r, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	int changed = 0;

	TRY(db_writable(db, why));
	TRY(store_check_request(r, why));
	TRY(exists(db, r, why));
	TRY(check_room(db, r, why));
	TRY(db_statement(db, SQL_REQUEST_ADD, &s, why));
	db_bind_text(s, 1, r->id);
	bind_names(s, 2, r);
	db_bind_bytes(s, 6, r->csr);
	db_bind_bytes(s, 7, r->nonce);
	db_bind_number(s, 8, r->created_s);
	db_bind_number(s, 9, r->expires_s);
	TRY(db_run(db, s, &changed, "add a request", why));
	return changed == 1 ? OK : store_request_exists(r, why);
}

static enum err find(struct db *db, const struct request *names, struct arena *arena, struct request *out, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	if (!seek(db, names, &s, &err, why))
		return err != OK ? err : store_no_request(store_text(names->id)[0] ? names->id : "of that CSR", why);
	struct request r = request_at(s);
	if (!store_copy_request(&r, arena))
		return WHY(why, NOMEM, "", "request: want room in the caller's arena");
	*out = r;
	return OK;
}

static enum err request_find(void *self, const char *id, struct arena *arena, struct request *out, struct why *why)
{
	const struct request names = {.id = id};

	if (!store_text(id)[0])
		return store_no_request(id, why);
	return find(self, &names, arena, out, why);
}

static enum err request_find_csr(void *self, const struct request *given, struct arena *arena, struct request *out,
	struct why *why)
{
	struct request names = *given;

	names.id = "";
	return find(self, &names, arena, out, why);
}

static enum err check_stored(struct db *db, const char *id, int64_t now_s, bool decide, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	const struct request names = {.id = id};
	enum err err = OK;

	if (!store_text(id)[0] || !seek(db, &names, &s, &err, why))
		return err != OK ? err : store_no_request(id, why);
	const struct request r = request_at(s);
	return decide ? store_check_decide(&r, now_s, why) : store_check_done(&r, why);
}

/* Between the look and the write nobody else writes: the transaction has held the lock since begin. */
static enum err request_decide(void *self, const char *id, const struct request_decision *d, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;

	TRY(db_writable(db, why));
	TRY(store_check_decision(d, why));
	TRY(check_stored(db, id, d->now_s, true, why));
	TRY(db_statement(db, SQL_REQUEST_DECIDE, &s, why));
	db_bind_text(s, 1, id);
	db_bind_number(s, 2, d->state);
	db_bind_number(s, 3, d->now_s);
	db_bind_text(s, 4, d->by);
	db_bind_text(s, 5, d->reason);
	db_bind_number(s, 6, d->expires_s);
	return db_run(db, s, NULL, "decide a request", why);
}

static enum err request_done(void *self, const char *id, struct span serial, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;

	TRY(db_writable(db, why));
	TRY(store_check_serial(serial, why));
	TRY(check_stored(db, id, 0, false, why));
	TRY(db_statement(db, SQL_REQUEST_DONE, &s, why));
	db_bind_text(s, 1, id);
	db_bind_bytes(s, 2, store_serial(serial));
	return db_run(db, s, NULL, "answer a request", why);
}

static enum err request_remove(void *self, const char *id, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	int changed = 0;

	TRY(db_writable(db, why));
	TRY(db_statement(db, SQL_REQUEST_REMOVE, &s, why));
	db_bind_text(s, 1, id);
	TRY(db_run(db, s, &changed, "remove a request", why));
	return changed == 1 ? OK : store_no_request(id, why);
}

static enum err requests_each(struct db *db, sqlite3_stmt *s, request_each each, void *arg, struct why *why)
{
	enum err err = OK;

	db->lists++;
	while (err == OK && db_row(db, s, &err, "list requests", why)) {
		const struct request r = request_at(s);
		err = each(arg, &r, why);
	}
	db->lists--;
	return err;
}

static enum err request_list(void *self, const struct request_filter *filter, request_each each, void *arg, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;

	TRY(store_check_limit(filter->limit, why));
	TRY(db_statement(self, SQL_REQUEST_LIST, &s, why));
	db_bind_text(s, 1, filter->after_id);
	db_bind_number(s, 2, filter->state);
	db_bind_text(s, 3, filter->enrolee_id);
	db_bind_number(s, 4, (int64_t)filter->limit);
	return requests_each(self, s, each, arg, why);
}

static enum err request_due(void *self, int64_t now_s, size_t limit, request_each each, void *arg, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;

	TRY(store_check_limit(limit, why));
	TRY(db_statement(self, SQL_REQUEST_DUE, &s, why));
	db_bind_number(s, 1, now_s);
	db_bind_number(s, 2, (int64_t)limit);
	return requests_each(self, s, each, arg, why);
}

enum err db_requests_clear(struct db *db, const char *enrolee_id, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;

	TRY(db_statement(db, SQL_REQUEST_CLEAR, &s, why));
	db_bind_text(s, 1, enrolee_id);
	return db_run(db, s, NULL, "remove an enrolee's requests", why);
}

void db_request_ops(struct store_ops *ops)
{
	ops->request_add = request_add;
	ops->request_find = request_find;
	ops->request_find_csr = request_find_csr;
	ops->request_decide = request_decide;
	ops->request_done = request_done;
	ops->request_remove = request_remove;
	ops->request_list = request_list;
	ops->request_due = request_due;
}
