#include "adapt/store/memory_ops.h"

#include "adapt/store/check.h"
#include "base/mem.h"

static struct row *prefs_row(enum prefs_scope scope, const char *key, struct span json)
{
	uint8_t octet = (uint8_t)scope;
	struct row *row = row_new(1 + row_text_room(key) + json.n);

	if (!row)
		return NULL;
	row_bytes(row, span_of(&octet, 1));
	row_bytes(row, span_text(key));
	row->key = span_of(row->bytes, row->used);
	row->prefs = row_bytes(row, json);
	return row;
}

enum err memory_prefs_put(void *self, enum prefs_scope scope, const char *key, struct span json,
	struct why *why)
{
	struct memory *m = self;

	TRY(memory_writable(m, why));
	TRY(store_check_prefs(scope, key, json, why));
	struct row *row = prefs_row(scope, key, json);
	if (!row)
		return memory_no_room(why);
	return rows_change(&m->rows, ROWS_PREFS, rows_find(&m->rows, ROWS_PREFS, row->key), row, why);
}

static enum err find_prefs(const struct memory *m, enum prefs_scope scope, const char *key, struct row **out,
	struct why *why)
{
	struct row *wanted = prefs_row(scope, key, (struct span){0});

	if (!wanted)
		return why_failed(memory_no_room(why));
	*out = rows_find(&m->rows, ROWS_PREFS, wanted->key);
	row_free(wanted);
	if (!*out)
		return WHY(why, STORE_NO_PREFS, "", "preferences '%.100s': want them stored, have none", store_text(key));
	return OK;
}

enum err memory_prefs_get(void *self, enum prefs_scope scope, const char *key, struct arena *arena,
	struct span *json, struct why *why)
{
	struct row *row = NULL;

	TRY(find_prefs(self, scope, key, &row, why));
	struct span copy = arena_copy(arena, row->prefs);
	if (!copy.p)
		return memory_no_room(why);
	*json = copy;
	return OK;
}

enum err memory_prefs_remove(void *self, enum prefs_scope scope, const char *key, struct why *why)
{
	struct memory *m = self;
	struct row *row = NULL;

	TRY(memory_writable(m, why));
	TRY(find_prefs(m, scope, key, &row, why));
	return rows_change(&m->rows, ROWS_PREFS, row, NULL, why);
}

static enum err clear_prefs(struct memory *m, enum prefs_scope scope, const char *key, struct why *why)
{
	struct why none = {0};
	struct row *row = NULL;

	if (find_prefs(m, scope, key, &row, &none) == ERR_NOT_FOUND)
		return OK;
	return row ? rows_change(&m->rows, ROWS_PREFS, row, NULL, why) : memory_no_room(why);
}

static struct row *token_row(const struct token *t)
{
	struct row *row =
		row_new(row_text_room(t->id) + row_text_room(t->enrolee_id) + row_text_room(t->claimed_by));

	if (!row)
		return NULL;
	row->token = *t;
	row->token.id = row_text(row, t->id);
	row->token.enrolee_id = row_text(row, t->enrolee_id);
	row->token.claimed_by = row_text(row, t->claimed_by);
	row->key = span_text(row->token.id);
	return row;
}

static struct row *by_hash(const struct memory *m, const uint8_t hash[32])
{
	for (size_t i = 0; i < m->rows.tables[ROWS_TOKEN].n; i++) {
		struct row *row = m->rows.tables[ROWS_TOKEN].at[i];
		if (memcmp(row->token.hash, hash, sizeof(row->token.hash)) == 0)
			return row;
	}
	return NULL;
}

static enum err find(const struct memory *m, const uint8_t hash[32], struct row **out, struct why *why)
{
	*out = by_hash(m, hash);
	if (!*out)
		return WHY(why, STORE_NO_TOKEN, "", "token: want one that was made here");
	return OK;
}

enum err memory_token_add(void *self, const struct token *t, struct why *why)
{
	struct memory *m = self;
	struct token fresh = *t;

	TRY(memory_writable(m, why));
	TRY(store_check_token(t, why));
	if (rows_find(&m->rows, ROWS_TOKEN, span_text(t->id)) || by_hash(m, t->hash))
		return WHY(why, STORE_TOKEN_EXISTS, "", "token '%s': want a new id and a new token", t->id);
	fresh.claimed_s = fresh.spent_s = 0;
	fresh.claimed_by = "";
	struct row *row = token_row(&fresh);
	if (!row)
		return memory_no_room(why);
	return rows_change(&m->rows, ROWS_TOKEN, NULL, row, why);
}

enum err memory_token_find(void *self, const uint8_t hash[32], struct arena *arena,
	struct token *out, struct why *why)
{
	struct row *row = NULL;

	TRY(find(self, hash, &row, why));
	struct token t = row->token;
	t.id = arena_text(arena, span_text(row->token.id));
	t.enrolee_id = arena_text(arena, span_text(row->token.enrolee_id));
	t.claimed_by = arena_text(arena, span_text(row->token.claimed_by));
	if (!t.id || !t.enrolee_id || !t.claimed_by)
		return memory_no_room(why);
	*out = t;
	return OK;
}

static enum err change(struct memory *m, struct row *old, const struct token *t, struct why *why)
{
	struct row *row = token_row(t);

	if (!row)
		return memory_no_room(why);
	return rows_change(&m->rows, ROWS_TOKEN, old, row, why);
}

enum err memory_token_claim(void *self, const uint8_t hash[32], const char *enrolee_id,
	int64_t now_s, struct why *why)
{
	struct memory *m = self;
	struct row *old = NULL;

	TRY(memory_writable(m, why));
	TRY(find(m, hash, &old, why));
	TRY(store_check_claim(&old->token, enrolee_id, now_s, why));
	if (old->token.claimed_s)
		return OK;
	struct token t = old->token;
	t.claimed_s = now_s;
	t.claimed_by = enrolee_id;
	return change(m, old, &t, why);
}

enum err memory_token_spend(void *self, const uint8_t hash[32], int64_t now_s, struct why *why)
{
	struct memory *m = self;
	struct row *old = NULL;

	TRY(memory_writable(m, why));
	TRY(find(m, hash, &old, why));
	TRY(store_check_spend(&old->token, now_s, why));
	struct token t = old->token;
	t.spent_s = now_s;
	return change(m, old, &t, why);
}

enum err memory_token_list(void *self, const char *after_id, size_t limit, token_each each,
	void *arg, struct why *why)
{
	struct memory *m = self;
	enum err err = OK;

	TRY(store_check_limit(limit, why));
	size_t i = rows_after(&m->rows, ROWS_TOKEN, span_text(after_id));
	m->lists++;
	for (; err == OK && limit && i < m->rows.tables[ROWS_TOKEN].n; i++, limit--)
		err = each(arg, &m->rows.tables[ROWS_TOKEN].at[i]->token, why);
	m->lists--;
	return err;
}

/* With its preferences; all or nothing. */
static enum err drop(struct memory *m, struct row *row, struct why *why)
{
	size_t log_n = m->rows.log_n;
	enum err err = clear_prefs(m, PREFS_TOKEN, row->token.id, why);

	if (err == OK)
		err = rows_change(&m->rows, ROWS_TOKEN, row, NULL, why);
	if (err != OK)
		rows_undo(&m->rows, log_n);
	return err;
}

enum err memory_token_remove(void *self, const char *id, struct why *why)
{
	struct memory *m = self;

	TRY(memory_writable(m, why));
	struct row *row = rows_find(&m->rows, ROWS_TOKEN, span_text(id));
	if (!row)
		return WHY(why, STORE_NO_TOKEN, "", "token '%.100s': want it stored, have none", store_text(id));
	return drop(m, row, why);
}

enum err memory_tokens_clear(struct memory *m, const char *enrolee_id, struct why *why)
{
	for (size_t i = m->rows.tables[ROWS_TOKEN].n; i-- > 0;) {
		struct row *row = m->rows.tables[ROWS_TOKEN].at[i];
		if (strcmp(row->token.enrolee_id, enrolee_id) == 0 || strcmp(row->token.claimed_by, enrolee_id) == 0)
			TRY(drop(m, row, why));
	}
	return clear_prefs(m, PREFS_ENROLEE, enrolee_id, why);
}
