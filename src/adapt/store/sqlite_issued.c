#include "adapt/store/sqlite_db.h"

#include "adapt/store/check.h"
#include "base/hex.h"

static enum err no_cert(struct span serial, struct why *why)
{
	char text[STORE_SERIAL_MAX * 2 + 1];

	serial = span_first(serial, STORE_SERIAL_MAX);
	hex_text(serial.p, serial.n, text);
	return WHY(why, STORE_NO_CERT, "", "serial %s: want a certificate that was issued here", text);
}

/* The borrowed row of that serial or nonce in *s; false when there is none or *err is set. */
static bool seek(struct db *db, enum sql sql, struct span key, sqlite3_stmt **s, enum err *err,
	struct why *why)
{
	*err = db_statement(db, sql, s, why);
	if (*err != OK)
		return false;
	db_bind_bytes(*s, 1, key);
	return db_row(db, *s, err, "find a certificate", why);
}

static enum err taken(struct db *db, struct span serial, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	if (seek(db, SQL_ISSUED_FIND, serial, &s, &err, why))
		return WHY(why, STORE_SERIAL_EXISTS, "RFC 5280 4.1.2.2", "serial: want a new one");
	TRY(err);
	return WHY(why, STORE_NONCE_EXISTS, "", "challenge nonce: want a new one");
}

static enum err issued_add(void *self, const struct issued *i, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	int64_t enrolee = 0;
	int64_t profile = 0;
	int64_t label = 0;
	int changed = 0;

	TRY(db_writable(db, why));
	TRY(store_check_issued(i, why));
	if (store_text(i->enrolee_id)[0])
		TRY(db_enrolee_name(db, i->enrolee_id, &enrolee, why));
	TRY(db_word(db, span_text(i->profile), &profile, why));
	TRY(db_word(db, span_text(i->est_label), &label, why));
	TRY(db_statement(db, SQL_ISSUED_ADD, &s, why));
	db_bind_bytes(s, 1, store_serial(i->serial));
	if (enrolee)
		db_bind_number(s, 2, enrolee);
	db_bind_number(s, 3, profile);
	db_bind_number(s, 4, label);
	db_bind_number(s, 5, i->issued_s);
	db_bind_number(s, 6, i->not_before_s);
	db_bind_number(s, 7, i->not_after_s);
	db_bind_bytes(s, 8, span_of(i->spki_sha256, sizeof(i->spki_sha256)));
	db_bind_bytes(s, 9, span_of(i->csr_sha256, sizeof(i->csr_sha256)));
	db_bind_bytes(s, 10, i->nonce);
	db_bind_bytes(s, 11, i->der);
	TRY(db_run(db, s, &changed, "add a certificate", why));
	return changed < 0 ? taken(db, store_serial(i->serial), why) : OK;
}

static struct issued issued_at(sqlite3_stmt *s)
{
	struct issued i = {
		.serial = db_bytes(s, 0),
		.enrolee_id = db_text(s, 1),
		.profile = db_text(s, 2),
		.est_label = db_text(s, 3),
		.issued_s = sqlite3_column_int64(s, 4),
		.not_before_s = sqlite3_column_int64(s, 5),
		.not_after_s = sqlite3_column_int64(s, 6),
		.der = db_bytes(s, 7),
		.nonce = db_bytes(s, 10),
		.state = (enum issued_state)sqlite3_column_int(s, 11),
		.revoked_s = sqlite3_column_int64(s, 12),
		.reason = (uint8_t)sqlite3_column_int(s, 13),
	};

	db_hash(s, 8, i.spki_sha256);
	db_hash(s, 9, i.csr_sha256);
	return i;
}

static enum err copy_out(struct issued i, struct arena *arena, struct issued *out, struct why *why)
{
	i.serial = arena_copy(arena, i.serial);
	i.der = arena_copy(arena, i.der);
	i.nonce = arena_copy(arena, i.nonce);
	i.enrolee_id = arena_text(arena, span_text(i.enrolee_id));
	i.profile = arena_text(arena, span_text(i.profile));
	i.est_label = arena_text(arena, span_text(i.est_label));
	if (!i.serial.p || !i.der.p || !i.nonce.p || !i.enrolee_id || !i.profile || !i.est_label)
		return WHY(why, NOMEM, "", "certificate: want room in the caller's arena");
	*out = i;
	return OK;
}

static enum err issued_find(void *self, struct span serial, struct arena *arena,
	struct issued *out, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	serial = store_serial(serial);
	if (seek(self, SQL_ISSUED_FIND, serial, &s, &err, why))
		return copy_out(issued_at(s), arena, out, why);
	return err != OK ? err : no_cert(serial, why);
}

static enum err issued_by_nonce(void *self, struct span nonce, struct arena *arena,
	struct issued *out, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	if (seek(self, SQL_ISSUED_BY_NONCE, nonce, &s, &err, why))
		return copy_out(issued_at(s), arena, out, why);
	return err != OK ? err : WHY(why, STORE_NO_CERT, "", "challenge nonce: want a certificate issued for it");
}

static enum err issued_list(void *self, const struct issued_filter *filter, issued_each each,
	void *arg, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	struct span after = store_serial(filter->after);
	bool of_one = store_text(filter->enrolee_id)[0];
	enum err err = OK;

	TRY(store_check_limit(filter->limit, why));
	TRY(db_statement(db, of_one ? SQL_ISSUED_LIST_OF : SQL_ISSUED_LIST, &s, why));
	if (after.n)
		db_bind_bytes(s, 1, after);
	else
		sqlite3_bind_zeroblob(s, 1, 0); /* below every serial, where NULL would compare to none */
	db_bind_number(s, 2, filter->state);
	db_bind_number(s, 3, filter->expires_before_s);
	db_bind_number(s, 4, (int64_t)filter->limit);
	if (of_one)
		db_bind_text(s, 5, filter->enrolee_id);
	db->lists++;
	while (err == OK && db_row(db, s, &err, "list certificates", why)) {
		struct issued i = issued_at(s);
		err = each(arg, &i, why);
	}
	db->lists--;
	return err;
}

static enum err issued_revoke(void *self, struct span serial, uint8_t reason, int64_t now_s,
	struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	sqlite3_stmt *found OWNED_STATEMENT = NULL;
	enum err err = OK;
	int changed = 0;

	serial = store_serial(serial);
	TRY(db_writable(db, why));
	TRY(db_statement(db, SQL_ISSUED_REVOKE, &s, why));
	db_bind_bytes(s, 1, serial);
	db_bind_number(s, 2, now_s);
	db_bind_number(s, 3, reason);
	TRY(db_run(db, s, &changed, "revoke a certificate", why));
	if (changed == 1)
		return db_totals_add(db, (struct db_totals){.revoked = 1}, why);
	if (seek(db, SQL_ISSUED_FIND, serial, &found, &err, why))
		return WHY(why, STORE_REVOKED, "", "certificate: want a valid one, have one revoked before");
	return err != OK ? err : no_cert(serial, why);
}

static enum err revoked_list(void *self, int64_t now_s, issued_each each, void *arg, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	TRY(db_statement(db, SQL_REVOKED_LIST, &s, why));
	db_bind_number(s, 1, now_s);
	db->lists++;
	while (err == OK && db_row(db, s, &err, "list revoked certificates", why)) {
		struct issued i = {
			.serial = db_bytes(s, 0),
			.enrolee_id = "",
			.profile = "",
			.est_label = "",
			.not_after_s = sqlite3_column_int64(s, 1),
			.state = ISSUED_REVOKED,
			.revoked_s = sqlite3_column_int64(s, 2),
			.reason = (uint8_t)sqlite3_column_int(s, 3),
		};
		err = each(arg, &i, why);
	}
	db->lists--;
	return err;
}

static enum err revocation_revision(void *self, uint64_t *out, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	TRY(db_statement(self, SQL_REVISION, &s, why));
	if (db_row(self, s, &err, "read the revocation revision", why))
		*out = (uint64_t)sqlite3_column_int64(s, 0);
	else if (err == OK)
		err = db_fail(self, SQLITE_CORRUPT, "read the revocation revision", why);
	return err;
}

void db_issued_ops(struct store_ops *ops)
{
	ops->issued_add = issued_add;
	ops->issued_find = issued_find;
	ops->issued_by_nonce = issued_by_nonce;
	ops->issued_list = issued_list;
	ops->issued_revoke = issued_revoke;
	ops->revoked_list = revoked_list;
	ops->revocation_revision = revocation_revision;
}
