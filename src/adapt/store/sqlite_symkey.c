#include "adapt/store/sqlite_db.h"

#include "adapt/store/check.h"

static void bind_key(sqlite3_stmt *s, enum symkey_kind kind, const char *id)
{
	db_bind_number(s, 1, kind);
	db_bind_text(s, 2, id);
}

/* The borrowed row in *s; false when there is none or *err is set. */
static bool seek(struct db *db, enum symkey_kind kind, const char *id, sqlite3_stmt **s, enum err *err,
	struct why *why)
{
	*err = db_statement(db, SQL_SYMKEY_FIND, s, why);
	if (*err != OK)
		return false;
	bind_key(*s, kind, id);
	return db_row(db, *s, err, "find a key", why);
}

static enum err no_key(const char *id, struct why *why)
{
	return WHY(why, STORE_NO_KEY, "", "key '%.100s': want it stored, have none", store_text(id));
}

static enum err exists(const struct symkey *k, struct why *why)
{
	return WHY(why, STORE_KEY_EXISTS, "", "key '%.100s': want a new id", k->id);
}

static enum err full(struct db *db, const struct symkey *k, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	if (seek(db, k->kind, k->id, &s, &err, why))
		return exists(k, why);
	TRY(err);
	return WHY(why, STORE_KEYS_MANY, "", "owner '%.100s': want at most %d keys, have as many", k->owner,
		STORE_KEYS_PER_OWNER_MAX);
}

static enum err count_of(struct db *db, const struct symkey *k, int64_t *out, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	struct store_kinds kinds = store_family(k->kind);
	enum err err = OK;

	TRY(db_statement(db, SQL_SYMKEY_COUNT, &s, why));
	db_bind_text(s, 1, k->owner);
	db_bind_number(s, 2, kinds.first);
	db_bind_number(s, 3, kinds.last);
	if (db_row(db, s, &err, "count an owner's keys", why))
		*out = sqlite3_column_int64(s, 0);
	return err;
}

static enum err symkey_add(void *self, const struct symkey *k, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	int64_t count = 0;
	int changed = 0;

	TRY(db_writable(db, why));
	TRY(store_check_symkey(k, why));
	TRY(count_of(db, k, &count, why));
	if (count >= STORE_KEYS_PER_OWNER_MAX)
		return full(db, k, why);
	TRY(db_statement(db, SQL_SYMKEY_ADD, &s, why));
	bind_key(s, k->kind, k->id);
	db_bind_text(s, 3, k->owner);
	db_bind_bytes(s, 4, k->sealed);
	db_bind_number(s, 5, k->created_s);
	db_bind_number(s, 6, k->expires_s);
	db_bind_text(s, 7, k->info);
	TRY(db_run(db, s, &changed, "add a key", why));
	return changed == 1 ? OK : exists(k, why);
}

static enum err symkey_set(void *self, const struct symkey *k, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	int changed = 0;

	TRY(db_writable(db, why));
	TRY(store_check_symkey_values(k, why));
	TRY(db_statement(db, SQL_SYMKEY_SET, &s, why));
	bind_key(s, k->kind, k->id);
	db_bind_bytes(s, 3, k->sealed);
	db_bind_number(s, 4, k->expires_s);
	db_bind_text(s, 5, k->info);
	TRY(db_run(db, s, &changed, "change a key", why));
	return changed == 1 ? OK : no_key(k->id, why);
}

static enum err symkey_remove(void *self, enum symkey_kind kind, const char *id, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	int changed = 0;

	TRY(db_writable(db, why));
	TRY(db_statement(db, SQL_SYMKEY_REMOVE, &s, why));
	bind_key(s, kind, id);
	TRY(db_run(db, s, &changed, "remove a key", why));
	return changed == 1 ? OK : no_key(id, why);
}

static struct symkey symkey_at(sqlite3_stmt *s)
{
	return (struct symkey){
		.kind = (enum symkey_kind)sqlite3_column_int(s, 0),
		.id = db_text(s, 1),
		.owner = db_text(s, 2),
		.sealed = db_bytes(s, 3),
		.created_s = sqlite3_column_int64(s, 4),
		.expires_s = sqlite3_column_int64(s, 5),
		.info = db_text(s, 6),
	};
}

static enum err symkey_find(void *self, enum symkey_kind kind, const char *id, struct arena *arena,
	struct symkey *out, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	if (!seek(self, kind, id, &s, &err, why))
		return err != OK ? err : no_key(id, why);
	struct symkey k = symkey_at(s);
	size_t sealed_n = k.sealed.n;
	k.id = arena_text(arena, span_text(k.id));
	k.owner = arena_text(arena, span_text(k.owner));
	k.sealed = arena_copy(arena, k.sealed);
	k.info = arena_text(arena, span_text(k.info));
	if (!k.id || !k.owner || !k.info || (sealed_n && !k.sealed.p))
		return WHY(why, NOMEM, "", "key: want room in the caller's arena");
	*out = k;
	return OK;
}

static enum err symkeys_each(struct db *db, sqlite3_stmt *s, symkey_each each, void *arg, struct why *why)
{
	enum err err = OK;

	db->lists++;
	while (err == OK && db_row(db, s, &err, "list keys", why)) {
		struct symkey k = symkey_at(s);
		err = each(arg, &k, why);
	}
	db->lists--;
	return err;
}

static enum err symkey_list(void *self, const struct symkey_filter *filter, symkey_each each, void *arg,
	struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	bool of_one = store_text(filter->owner)[0];

	TRY(store_check_symkey_filter(filter, why));
	TRY(db_statement(db, of_one ? SQL_SYMKEY_LIST_OF : SQL_SYMKEY_LIST, &s, why));
	bind_key(s, (enum symkey_kind)filter->kind, filter->after_id);
	db_bind_number(s, 3, filter->kind ? filter->kind : SYMKEY_SRP);
	db_bind_number(s, 4, (int64_t)filter->limit);
	if (of_one)
		db_bind_text(s, 5, filter->owner);
	return symkeys_each(db, s, each, arg, why);
}

static enum err symkey_due(void *self, int64_t now_s, size_t limit, symkey_each each, void *arg,
	struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;

	TRY(store_check_limit(limit, why));
	TRY(db_statement(self, SQL_SYMKEY_DUE, &s, why));
	db_bind_number(s, 1, now_s);
	db_bind_number(s, 2, (int64_t)limit);
	return symkeys_each(self, s, each, arg, why);
}

static enum err clear_family(struct db *db, const char *enrolee_id, struct store_kinds kinds, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;

	TRY(db_statement(db, SQL_SYMKEY_CLEAR, &s, why));
	db_bind_text(s, 1, enrolee_id);
	db_bind_number(s, 2, kinds.first);
	db_bind_number(s, 3, kinds.last);
	return db_run(db, s, NULL, "remove an enrolee's keys", why);
}

enum err db_symkeys_clear(struct db *db, const char *enrolee_id, struct why *why)
{
	TRY(clear_family(db, enrolee_id, store_family(SYMKEY_KE), why));
	return clear_family(db, enrolee_id, store_family(SYMKEY_SRP), why);
}

void db_symkey_ops(struct store_ops *ops)
{
	ops->symkey_add = symkey_add;
	ops->symkey_set = symkey_set;
	ops->symkey_remove = symkey_remove;
	ops->symkey_find = symkey_find;
	ops->symkey_list = symkey_list;
	ops->symkey_due = symkey_due;
}
