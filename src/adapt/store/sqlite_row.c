#include "adapt/store/sqlite_db.h"

#include "adapt/store/check.h"

enum err db_statement(struct db *db, enum sql sql, sqlite3_stmt **out, struct why *why)
{
	sqlite3_stmt **s = &db->statements[sql];

	if (!*s) {
		int rc = sqlite3_prepare_v3(db->handle, sqlite_sql[sql], -1, SQLITE_PREPARE_PERSISTENT, s, NULL);
		if (rc != SQLITE_OK)
			return db_fail(db, rc, "prepare a statement", why);
	}
	if (sqlite3_stmt_busy(*s))
		return WHY(why, STORE_USE, "", "store: want another list in a list's callback, have the same");
	*out = *s;
	return OK;
}

void db_done(sqlite3_stmt **statement)
{
	if (!*statement)
		return;
	sqlite3_reset(*statement);
	sqlite3_clear_bindings(*statement);
	*statement = NULL;
}

void db_bind_text(sqlite3_stmt *s, int at, const char *text)
{
	sqlite3_bind_text(s, at, store_text(text), -1, SQLITE_STATIC);
}

void db_bind_bytes(sqlite3_stmt *s, int at, struct span bytes)
{
	if (bytes.n)
		sqlite3_bind_blob64(s, at, bytes.p, bytes.n, SQLITE_STATIC);
	else
		sqlite3_bind_null(s, at);
}

void db_bind_number(sqlite3_stmt *s, int at, int64_t number)
{
	sqlite3_bind_int64(s, at, number);
}

bool db_row(struct db *db, sqlite3_stmt *s, enum err *err, const char *doing, struct why *why)
{
	int rc = sqlite3_step(s);

	*err = rc == SQLITE_ROW || rc == SQLITE_DONE ? OK : db_fail(db, rc, doing, why);
	return rc == SQLITE_ROW;
}

enum err db_run(struct db *db, sqlite3_stmt *s, int *changed_out, const char *doing, struct why *why)
{
	int rc = sqlite3_step(s);

	if (changed_out && (rc & 0xff) == SQLITE_CONSTRAINT) {
		*changed_out = -1;
		return OK;
	}
	if (rc != SQLITE_DONE)
		return db_fail(db, rc, doing, why);
	if (changed_out)
		*changed_out = sqlite3_changes(db->handle);
	return OK;
}

const char *db_text(sqlite3_stmt *s, int at)
{
	return store_text((const char *)sqlite3_column_text(s, at));
}

struct span db_bytes(sqlite3_stmt *s, int at)
{
	const void *p = sqlite3_column_blob(s, at);

	return span_of(p, p ? (size_t)sqlite3_column_bytes(s, at) : 0);
}

void db_hash(sqlite3_stmt *s, int at, uint8_t out[32])
{
	struct span bytes = span_first(db_bytes(s, at), 32);

	memset(out, 0, 32);
	if (bytes.n)
		memcpy(out, bytes.p, bytes.n);
}

/* An empty value is stored as an empty blob: a word is never NULL. */
static void bind_word(sqlite3_stmt *s, struct span value)
{
	if (value.n)
		db_bind_bytes(s, 1, value);
	else
		sqlite3_bind_zeroblob(s, 1, 0);
}

static int64_t known_word(const struct db *db, struct span value)
{
	for (size_t i = 0; i < DB_WORDS; i++) {
		const struct db_word *w = &db->words[i];
		if (w->number && span_equal(span_of(w->value, w->n), value))
			return w->number;
	}
	return 0;
}

static void remember_word(struct db *db, struct span value, int64_t number)
{
	struct db_word *w = &db->words[db->next_word];

	if (value.n > sizeof(w->value))
		return;
	if (value.n)
		memcpy(w->value, value.p, value.n);
	w->n = value.n;
	w->number = number;
	db->next_word = (db->next_word + 1) % DB_WORDS;
}

static enum err find_or_add_word(struct db *db, struct span value, int64_t *out, struct why *why)
{
	sqlite3_stmt *find OWNED_STATEMENT = NULL;
	sqlite3_stmt *add OWNED_STATEMENT = NULL;
	enum err err = OK;

	TRY(db_statement(db, SQL_WORD_FIND, &find, why));
	bind_word(find, value);
	if (db_row(db, find, &err, "look up a word", why)) {
		*out = sqlite3_column_int64(find, 0);
		return OK;
	}
	TRY(err);
	TRY(db_statement(db, SQL_WORD_ADD, &add, why));
	bind_word(add, value);
	TRY(db_run(db, add, NULL, "add a word", why));
	*out = sqlite3_last_insert_rowid(db->handle);
	return OK;
}

enum err db_word(struct db *db, struct span value, int64_t *out, struct why *why)
{
	*out = known_word(db, value);
	if (*out)
		return OK;
	TRY(find_or_add_word(db, value, out, why));
	remember_word(db, value, *out);
	return OK;
}

enum err db_totals_add(struct db *db, struct db_totals delta, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;

	TRY(db_statement(db, SQL_TOTALS_ADD, &s, why));
	db_bind_number(s, 1, delta.enrolees);
	db_bind_number(s, 2, delta.disabled);
	db_bind_number(s, 3, delta.revoked);
	return db_run(db, s, NULL, "count", why);
}

enum err db_enrolee_find(struct db *db, const char *id, struct db_enrolee *out, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	if (db->seen.enrolee_id[0] && strcmp(db->seen.enrolee_id, store_text(id)) == 0) {
		*out = db->seen.enrolee;
		return OK;
	}
	*out = (struct db_enrolee){0};
	TRY(db_statement(db, SQL_ENROLEE_NUMBER, &s, why));
	db_bind_text(s, 1, id);
	if (db_row(db, s, &err, "look up an enrolee", why))
		*out = (struct db_enrolee){sqlite3_column_int64(s, 0), sqlite3_column_int(s, 1)};
	return err;
}

void db_enrolee_seen(struct db *db, const char *id, struct db_enrolee enrolee)
{
	size_t n = strlen(id) + 1;

	if (!db->open || db->failed || n > sizeof(db->seen.enrolee_id))
		return;
	memcpy(db->seen.enrolee_id, id, n);
	db->seen.enrolee = enrolee;
}

enum err db_enrolee_name(struct db *db, const char *id, int64_t *number_out, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	struct db_enrolee enrolee = {0};

	TRY(db_enrolee_find(db, id, &enrolee, why));
	if (enrolee.number) {
		*number_out = enrolee.number;
		return OK;
	}
	TRY(db_statement(db, SQL_ENROLEE_NAME, &s, why));
	db_bind_text(s, 1, id);
	TRY(db_run(db, s, NULL, "name an enrolee", why));
	*number_out = sqlite3_last_insert_rowid(db->handle);
	return OK;
}
