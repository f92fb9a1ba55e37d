#include "adapt/store/sqlite_db.h"

#include "adapt/store/check.h"

static enum err prefs_put(void *self, enum prefs_scope scope, const char *key, struct span json,
	struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;

	TRY(db_writable(db, why));
	TRY(store_check_prefs(scope, key, json, why));
	TRY(db_statement(db, SQL_PREFS_PUT, &s, why));
	db_bind_number(s, 1, scope);
	db_bind_text(s, 2, key);
	db_bind_bytes(s, 3, json);
	return db_run(db, s, NULL, "store preferences", why);
}

static enum err no_prefs(const char *key, struct why *why)
{
	return WHY(why, STORE_NO_PREFS, "", "preferences '%.100s': want them stored, have none", store_text(key));
}

static enum err prefs_get(void *self, enum prefs_scope scope, const char *key, struct arena *arena,
	struct span *json, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	TRY(db_statement(db, SQL_PREFS_GET, &s, why));
	db_bind_number(s, 1, scope);
	db_bind_text(s, 2, key);
	if (!db_row(db, s, &err, "read preferences", why))
		return err != OK ? err : no_prefs(key, why);
	struct span copy = arena_copy(arena, db_bytes(s, 0));
	if (!copy.p)
		return WHY(why, NOMEM, "", "preferences: want room in the caller's arena");
	*json = copy;
	return OK;
}

static enum err prefs_remove(void *self, enum prefs_scope scope, const char *key, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	int changed = 0;

	TRY(db_writable(db, why));
	TRY(db_statement(db, SQL_PREFS_REMOVE, &s, why));
	db_bind_number(s, 1, scope);
	db_bind_text(s, 2, key);
	TRY(db_run(db, s, &changed, "remove preferences", why));
	return changed == 1 ? OK : no_prefs(key, why);
}

static enum err token_add(void *self, const struct token *t, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	int changed = 0;

	TRY(db_writable(db, why));
	TRY(store_check_token(t, why));
	TRY(db_statement(db, SQL_TOKEN_ADD, &s, why));
	db_bind_bytes(s, 1, span_of(t->hash, sizeof(t->hash)));
	db_bind_text(s, 2, t->id);
	db_bind_text(s, 3, t->enrolee_id);
	db_bind_number(s, 4, t->created_s);
	db_bind_number(s, 5, t->expires_s);
	TRY(db_run(db, s, &changed, "add a token", why));
	if (changed < 0)
		return WHY(why, STORE_TOKEN_EXISTS, "", "token '%s': want a new id and a new token", t->id);
	return OK;
}

static struct token token_at(sqlite3_stmt *s)
{
	struct token t = {
		.id = db_text(s, 0),
		.enrolee_id = db_text(s, 2),
		.created_s = sqlite3_column_int64(s, 3),
		.expires_s = sqlite3_column_int64(s, 4),
		.claimed_s = sqlite3_column_int64(s, 5),
		.claimed_by = db_text(s, 6),
		.spent_s = sqlite3_column_int64(s, 7),
	};

	db_hash(s, 1, t.hash);
	return t;
}

/* *out is borrowed from *s. */
static enum err find(struct db *db, const uint8_t hash[32], sqlite3_stmt **s, struct token *out,
	struct why *why)
{
	enum err err = OK;

	TRY(db_statement(db, SQL_TOKEN_FIND, s, why));
	db_bind_bytes(*s, 1, span_of(hash, 32));
	if (!db_row(db, *s, &err, "find a token", why))
		return err != OK ? err : WHY(why, STORE_NO_TOKEN, "", "token: want one that was made here");
	*out = token_at(*s);
	return OK;
}

static enum err token_find(void *self, const uint8_t hash[32], struct arena *arena, struct token *out,
	struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	struct token t = {0};

	TRY(find(self, hash, &s, &t, why));
	t.id = arena_text(arena, span_text(t.id));
	t.enrolee_id = arena_text(arena, span_text(t.enrolee_id));
	t.claimed_by = arena_text(arena, span_text(t.claimed_by));
	if (!t.id || !t.enrolee_id || !t.claimed_by)
		return WHY(why, NOMEM, "", "token: want room in the caller's arena");
	*out = t;
	return OK;
}

/* Between the look and the write nobody else writes: the transaction has held the lock since begin. */
static enum err token_claim(void *self, const uint8_t hash[32], const char *enrolee_id, int64_t now_s,
	struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *found OWNED_STATEMENT = NULL;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	struct token t = {0};

	TRY(db_writable(db, why));
	TRY(find(db, hash, &found, &t, why));
	TRY(store_check_claim(&t, enrolee_id, now_s, why));
	if (t.claimed_s)
		return OK;
	TRY(db_statement(db, SQL_TOKEN_CLAIM, &s, why));
	db_bind_bytes(s, 1, span_of(hash, 32));
	db_bind_number(s, 2, now_s);
	db_bind_text(s, 3, enrolee_id);
	return db_run(db, s, NULL, "claim a token", why);
}

static enum err token_spend(void *self, const uint8_t hash[32], int64_t now_s, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *found OWNED_STATEMENT = NULL;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	struct token t = {0};

	TRY(db_writable(db, why));
	TRY(find(db, hash, &found, &t, why));
	TRY(store_check_spend(&t, now_s, why));
	TRY(db_statement(db, SQL_TOKEN_SPEND, &s, why));
	db_bind_bytes(s, 1, span_of(hash, 32));
	db_bind_number(s, 2, now_s);
	return db_run(db, s, NULL, "spend a token", why);
}

static enum err token_list(void *self, const char *after_id, size_t limit, token_each each, void *arg,
	struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	TRY(store_check_limit(limit, why));
	TRY(db_statement(db, SQL_TOKEN_LIST, &s, why));
	db_bind_text(s, 1, after_id);
	db_bind_number(s, 2, (int64_t)limit);
	db->lists++;
	while (err == OK && db_row(db, s, &err, "list tokens", why)) {
		struct token t = token_at(s);
		err = each(arg, &t, why);
	}
	db->lists--;
	return err;
}

static enum err token_remove(void *self, const char *id, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	sqlite3_stmt *prefs OWNED_STATEMENT = NULL;
	int changed = 0;

	TRY(db_writable(db, why));
	TRY(db_statement(db, SQL_TOKEN_REMOVE, &s, why));
	db_bind_text(s, 1, id);
	TRY(db_run(db, s, &changed, "remove a token", why));
	if (changed != 1)
		return WHY(why, STORE_NO_TOKEN, "", "token '%.100s': want it stored, have none", store_text(id));
	TRY(db_statement(db, SQL_PREFS_REMOVE, &prefs, why));
	db_bind_number(prefs, 1, PREFS_TOKEN);
	db_bind_text(prefs, 2, id);
	return db_run(db, prefs, NULL, "remove a token's preferences", why);
}

enum err db_tokens_clear(struct db *db, const char *enrolee_id, struct why *why)
{
	sqlite3_stmt *own OWNED_STATEMENT = NULL;
	sqlite3_stmt *prefs OWNED_STATEMENT = NULL;
	sqlite3_stmt *tokens OWNED_STATEMENT = NULL;

	TRY(db_statement(db, SQL_PREFS_REMOVE, &own, why));
	db_bind_number(own, 1, PREFS_ENROLEE);
	db_bind_text(own, 2, enrolee_id);
	TRY(db_run(db, own, NULL, "remove an enrolee's preferences", why));
	TRY(db_statement(db, SQL_TOKEN_PREFS_CLEAR, &prefs, why));
	db_bind_text(prefs, 1, enrolee_id);
	db_bind_number(prefs, 2, PREFS_TOKEN);
	TRY(db_run(db, prefs, NULL, "remove an enrolee's tokens", why));
	TRY(db_statement(db, SQL_TOKEN_CLEAR, &tokens, why));
	db_bind_text(tokens, 1, enrolee_id);
	return db_run(db, tokens, NULL, "remove an enrolee's tokens", why);
}

void db_token_ops(struct store_ops *ops)
{
	ops->prefs_put = prefs_put;
	ops->prefs_get = prefs_get;
	ops->prefs_remove = prefs_remove;
	ops->token_add = token_add;
	ops->token_find = token_find;
	ops->token_claim = token_claim;
	ops->token_spend = token_spend;
	ops->token_list = token_list;
	ops->token_remove = token_remove;
}
