#include "adapt/store/sqlite_db.h"

#include "adapt/store/check.h"

#include <stdio.h>

static enum err crl_put(void *self, const struct crl_row *row, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	int changed = 0;

	TRY(db_writable(db, why));
	TRY(store_check_crl(row, why));
	TRY(db_statement(db, SQL_CRL_PUT, &s, why));
	db_bind_number(s, 1, (int64_t)row->number);
	db_bind_number(s, 2, row->this_update_s);
	db_bind_number(s, 3, row->next_update_s);
	db_bind_number(s, 4, (int64_t)row->revision);
	db_bind_bytes(s, 5, row->der);
	db_bind_text(s, 6, row->ca);
	TRY(db_run(db, s, &changed, "store a CRL", why));
	if (changed != 1)
		return WHY(why, STORE_CRL_NUMBER, "RFC 5280 5.2.3", "CRL number: want above the stored one, have %llu",
			(unsigned long long)row->number);
	return OK;
}

static enum err crl_get(void *self, const char *ca, struct arena *arena, struct crl_row *out, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	TRY(db_statement(db, SQL_CRL_GET, &s, why));
	db_bind_text(s, 1, ca);
	if (!db_row(db, s, &err, "read the CRL", why))
		return err != OK ? err : WHY(why, STORE_NO_CRL, "", "CRL: want one stored, have none");
	struct span der = arena_copy(arena, db_bytes(s, 4));
	if (!der.p)
		return WHY(why, NOMEM, "", "CRL: want room in the caller's arena");
	*out = (struct crl_row){
		.number = (uint64_t)sqlite3_column_int64(s, 0),
		.this_update_s = sqlite3_column_int64(s, 1),
		.next_update_s = sqlite3_column_int64(s, 2),
		.revision = (uint64_t)sqlite3_column_int64(s, 3),
		.der = der,
	};
	/* no longer name can have been stored */
	snprintf(out->ca, sizeof(out->ca), "%s", ca);
	return OK;
}

static enum err secret_put(void *self, const char *name, struct span sealed, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;

	TRY(db_writable(db, why));
	TRY(store_check_secret(name, sealed, why));
	TRY(db_statement(db, SQL_SECRET_PUT, &s, why));
	db_bind_text(s, 1, name);
	db_bind_bytes(s, 2, sealed);
	return db_run(db, s, NULL, "store a secret", why);
}

static enum err secret_get(void *self, const char *name, struct arena *arena, struct span *out,
	struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	TRY(db_statement(db, SQL_SECRET_GET, &s, why));
	db_bind_text(s, 1, name);
	if (!db_row(db, s, &err, "read a secret", why))
		return err != OK ? err : WHY(why, STORE_NO_SECRET, "",
			"secret '%s': want it stored, have none", store_text(name));
	struct span sealed = arena_copy(arena, db_bytes(s, 0));
	if (!sealed.p)
		return WHY(why, NOMEM, "", "secret: want room in the caller's arena");
	*out = sealed;
	return OK;
}

static void head_seen(struct db *db, uint64_t seq, const uint8_t hash[32])
{
	if (!db->open || db->failed)
		return;
	db->seen.audit = true;
	db->seen.audit_seq = seq;
	memcpy(db->seen.audit_hash, hash, sizeof(db->seen.audit_hash));
}

static enum err audit_head(void *self, uint64_t *seq, uint8_t hash[32], struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	*seq = db->seen.audit_seq;
	memcpy(hash, db->seen.audit_hash, sizeof(db->seen.audit_hash));
	if (db->seen.audit)
		return OK;
	TRY(db_statement(db, SQL_AUDIT_HEAD, &s, why));
	if (db_row(db, s, &err, "read the head of the audit log", why)) {
		*seq = (uint64_t)sqlite3_column_int64(s, 0);
		db_hash(s, 1, hash);
	}
	if (err == OK)
		head_seen(db, *seq, hash);
	return err;
}

static enum err audit_add(void *self, const struct audit_row *row, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	uint8_t hash[32];
	uint64_t head = 0;

	TRY(db_writable(db, why));
	TRY(store_check_audit(row, why));
	TRY(audit_head(db, &head, hash, why));
	if (row->seq != head + 1)
		return WHY(why, STORE_AUDIT_ORDER, "", "audit seq: want %llu, have %llu",
			(unsigned long long)head + 1, (unsigned long long)row->seq);
	TRY(db_statement(db, SQL_AUDIT_ADD, &s, why));
	db_bind_number(s, 1, (int64_t)row->seq);
	db_bind_number(s, 2, row->time_s);
	db_bind_text(s, 3, row->event);
	db_bind_bytes(s, 4, span_of(row->prev, sizeof(row->prev)));
	db_bind_bytes(s, 5, span_of(row->hash, sizeof(row->hash)));
	TRY(db_run(db, s, NULL, "add an audit event", why));
	head_seen(db, row->seq, row->hash);
	return OK;
}

static enum err audit_list(void *self, uint64_t from_seq, size_t limit, audit_each each,
	void *arg, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	TRY(store_check_limit(limit, why));
	TRY(db_statement(db, SQL_AUDIT_LIST, &s, why));
	db_bind_number(s, 1, from_seq > INT64_MAX ? INT64_MAX : (int64_t)from_seq);
	db_bind_number(s, 2, (int64_t)limit);
	db->lists++;
	while (err == OK && db_row(db, s, &err, "list the audit log", why)) {
		struct audit_row row = {
			.seq = (uint64_t)sqlite3_column_int64(s, 0),
			.time_s = sqlite3_column_int64(s, 1),
			.event = db_text(s, 2),
		};
		db_hash(s, 3, row.prev);
		db_hash(s, 4, row.hash);
		err = each(arg, &row, why);
	}
	db->lists--;
	return err;
}

static enum err counts(void *self, struct store_counts *out, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	TRY(db_statement(db, SQL_COUNTS, &s, why));
	if (!db_row(db, s, &err, "count", why))
		return err != OK ? err : db_fail(db, SQLITE_CORRUPT, "count", why);
	*out = (struct store_counts){
		.enrolees = (uint64_t)sqlite3_column_int64(s, 0),
		.enrolees_disabled = (uint64_t)sqlite3_column_int64(s, 1),
		.issued = (uint64_t)sqlite3_column_int64(s, 2),
		.revoked = (uint64_t)sqlite3_column_int64(s, 3),
		.audit = (uint64_t)sqlite3_column_int64(s, 4),
		.waiting = (uint64_t)sqlite3_column_int64(s, 5),
	};
	return OK;
}

void db_record_ops(struct store_ops *ops)
{
	ops->crl_put = crl_put;
	ops->crl_get = crl_get;
	ops->secret_put = secret_put;
	ops->secret_get = secret_get;
	ops->audit_head = audit_head;
	ops->audit_add = audit_add;
	ops->audit_list = audit_list;
	ops->counts = counts;
}
