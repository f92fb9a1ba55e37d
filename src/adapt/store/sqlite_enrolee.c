#include "adapt/store/sqlite_db.h"

#include "adapt/store/check.h"

static enum err registered(struct db *db, const char *id, struct db_enrolee *out, struct why *why)
{
	TRY(db_enrolee_find(db, id, out, why));
	if (out->state == 0)
		return WHY(why, STORE_NO_ENROLEE, "", "enrolee '%s': want it registered, have none", store_text(id));
	return OK;
}

static enum err entity_taken(struct db *db, const struct enrolee *e, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	TRY(db_statement(db, SQL_ENTITY_FIND, &s, why));
	db_bind_number(s, 1, e->entity_type);
	db_bind_text(s, 2, e->entity_id);
	if (db_row(db, s, &err, "look up an entity id", why))
		return WHY(why, STORE_ENTITY_EXISTS, "", "entity id '%.100s': want a new one, enrolee '%s' has it",
			e->entity_id, db_text(s, 0));
	TRY(err);
	return db_fail(db, SQLITE_CONSTRAINT, "add an enrolee", why);
}

static enum err enrolee_add(void *self, const struct enrolee *e, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	struct db_enrolee old = {0};
	int changed = 0;

	TRY(db_writable(db, why));
	TRY(store_check_enrolee(e, why));
	TRY(db_enrolee_find(db, e->id, &old, why));
	if (old.state)
		return WHY(why, STORE_ENROLEE_EXISTS, "", "enrolee '%s': want a new id", e->id);
	db_enrolee_seen(db, "", (struct db_enrolee){0});
	TRY(db_statement(db, SQL_ENROLEE_ADD, &s, why));
	db_bind_text(s, 1, e->id);
	db_bind_number(s, 2, e->entity_type);
	db_bind_text(s, 3, e->entity_id);
	db_bind_number(s, 4, e->state);
	db_bind_text(s, 5, e->label);
	db_bind_text(s, 6, e->profile);
	db_bind_number(s, 7, e->created_s);
	db_bind_number(s, 8, e->changed_s);
	TRY(db_run(db, s, &changed, "add an enrolee", why));
	if (changed < 0)
		return entity_taken(db, e, why);
	return db_totals_add(db, (struct db_totals){.enrolees = 1,
		.disabled = e->state == ENROLEE_DISABLED}, why);
}

static enum err enrolee_set_state(void *self, const char *id, enum enrolee_state state,
	int64_t now_s, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	struct db_enrolee old = {0};

	TRY(db_writable(db, why));
	TRY(store_check_state(state, why));
	TRY(registered(db, id, &old, why));
	db_enrolee_seen(db, "", (struct db_enrolee){0});
	TRY(db_statement(db, SQL_ENROLEE_SET_STATE, &s, why));
	db_bind_number(s, 1, old.number);
	db_bind_number(s, 2, state);
	db_bind_number(s, 3, now_s);
	TRY(db_run(db, s, NULL, "change an enrolee's state", why));
	struct db_totals delta = {
		.disabled = (state == ENROLEE_DISABLED) - (old.state == ENROLEE_DISABLED),
	};
	return delta.disabled ? db_totals_add(db, delta, why) : OK;
}

static enum err no_valid_cert(struct db *db, const char *id, int64_t number, int64_t now_s,
	struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	TRY(db_statement(db, SQL_ENROLEE_HAS_CERT, &s, why));
	db_bind_number(s, 1, number);
	db_bind_number(s, 2, now_s);
	if (db_row(db, s, &err, "look for valid certificates", why))
		return WHY(why, STORE_ENROLEE_IN_USE, "", "enrolee '%s': want no certificate that is valid", id);
	return err;
}

static enum err run_on(struct db *db, enum sql sql, int64_t number, int *changed_out, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;

	TRY(db_statement(db, sql, &s, why));
	db_bind_number(s, 1, number);
	return db_run(db, s, changed_out, "remove an enrolee", why);
}

static enum err enrolee_remove(void *self, const char *id, int64_t now_s, struct why *why)
{
	struct db *db = self;
	struct db_enrolee old = {0};
	int dropped = 0;

	TRY(db_writable(db, why));
	TRY(registered(db, id, &old, why));
	db_enrolee_seen(db, "", (struct db_enrolee){0});
	TRY(no_valid_cert(db, id, old.number, now_s, why));
	TRY(run_on(db, SQL_CREDENTIAL_CLEAR, old.number, NULL, why));
	TRY(db_symkeys_clear(db, id, why));
	TRY(db_tokens_clear(db, id, why));
	TRY(db_requests_clear(db, id, why));
	TRY(run_on(db, SQL_ENROLEE_DROP, old.number, &dropped, why));
	if (dropped != 1) /* its certificates still name it */
		TRY(run_on(db, SQL_ENROLEE_BURY, old.number, NULL, why));
	return db_totals_add(db, (struct db_totals){.enrolees = -1,
		.disabled = -(old.state == ENROLEE_DISABLED)}, why);
}

static struct enrolee enrolee_at(sqlite3_stmt *s)
{
	return (struct enrolee){
		.id = db_text(s, 0),
		.entity_type = (enum entity_type)sqlite3_column_int(s, 1),
		.entity_id = db_text(s, 2),
		.state = (enum enrolee_state)sqlite3_column_int(s, 3),
		.label = db_text(s, 4),
		.profile = db_text(s, 5),
		.created_s = sqlite3_column_int64(s, 6),
		.changed_s = sqlite3_column_int64(s, 7),
	};
}

static enum err enrolee_find(void *self, const char *id, struct arena *arena, struct enrolee *out,
	struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	TRY(db_statement(db, SQL_ENROLEE_FIND, &s, why));
	db_bind_text(s, 1, id);
	if (!db_row(db, s, &err, "find an enrolee", why))
		return err != OK ? err : WHY(why, STORE_NO_ENROLEE, "",
			"enrolee '%s': want it registered, have none", store_text(id));
	struct enrolee e = enrolee_at(s);
	db_enrolee_seen(db, e.id, (struct db_enrolee){sqlite3_column_int64(s, 8), (int)e.state});
	e.id = arena_text(arena, span_text(e.id));
	e.entity_id = arena_text(arena, span_text(e.entity_id));
	e.label = arena_text(arena, span_text(e.label));
	e.profile = arena_text(arena, span_text(e.profile));
	if (!e.id || !e.entity_id || !e.label || !e.profile)
		return WHY(why, NOMEM, "", "enrolee: want room in the caller's arena");
	*out = e;
	return OK;
}

static enum err enrolee_by_entity(void *self, enum entity_type type, const char *entity_id, struct arena *arena,
	struct enrolee *out, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	TRY(db_statement(db, SQL_ENTITY_FIND, &s, why));
	db_bind_number(s, 1, type);
	db_bind_text(s, 2, entity_id);
	if (!db_row(db, s, &err, "find an enrolee", why))
		return err != OK ? err : WHY(why, STORE_NO_ENROLEE, "",
			"entity id '%.100s': want it registered, have none", entity_id);
	return enrolee_find(self, db_text(s, 0), arena, out, why);
}

static enum err enrolee_list(void *self, const struct enrolee_filter *filter, enrolee_each each,
	void *arg, struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	TRY(store_check_search(filter, why));
	TRY(db_statement(db, SQL_ENROLEE_LIST, &s, why));
	db_bind_text(s, 1, filter->after_id);
	db_bind_number(s, 2, filter->state);
	db_bind_text(s, 3, filter->text);
	db_bind_number(s, 4, (int64_t)filter->limit);
	db->lists++;
	while (err == OK && db_row(db, s, &err, "list enrolees", why)) {
		struct enrolee e = enrolee_at(s);
		err = each(arg, &e, why);
	}
	db->lists--;
	return err;
}

static enum err credential_taken(struct db *db, const struct credential *c, int64_t anchor,
	struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	enum err err = OK;

	TRY(db_statement(db, SQL_CREDENTIAL_FIND, &s, why));
	db_bind_number(s, 1, c->kind);
	db_bind_text(s, 2, c->value);
	db_bind_number(s, 3, anchor);
	if (db_row(db, s, &err, "look up a credential", why))
		return WHY(why, STORE_CREDENTIAL_EXISTS, "", "credential '%.100s': want a new one, enrolee '%s' has it",
			c->value, db_text(s, 0));
	TRY(err);
	return db_fail(db, SQLITE_CONSTRAINT, "add a credential", why);
}

static enum err credential_add(void *self, const char *enrolee_id, const struct credential *c,
	struct why *why)
{
	struct db *db = self;
	sqlite3_stmt *s OWNED_STATEMENT = NULL;
	struct db_enrolee enrolee = {0};
	int64_t anchor = 0;
	int changed = 0;

	TRY(db_writable(db, why));
	TRY(store_check_credential(c, why));
	TRY(registered(db, enrolee_id, &enrolee, why));
	TRY(db_word(db, span_of(c->anchor, sizeof(c->anchor)), &anchor, why));
	TRY(db_statement(db, SQL_CREDENTIAL_ADD, &s, why));
	db_bind_number(s, 1, c->kind);
	db_bind_text(s, 2, c->value);
	db_bind_number(s, 3, anchor);
	db_bind_number(s, 4, enrolee.number);
	TRY(db_run(db, s, &changed, "add a credential", why));
	return changed < 0 ? credential_taken(db, c, anchor, why) : OK;
}

static enum err credentials_each(struct db *db, sqlite3_stmt *s, credential_each each, void *arg,
	struct why *why)
{
	enum err err = OK;

	db->lists++;
	while (err == OK && db_row(db, s, &err, "list credentials", why)) {
		struct credential c = {
			.kind = (enum credential_kind)sqlite3_column_int(s, 1),
			.value = db_text(s, 2),
		};
		db_hash(s, 3, c.anchor);
		err = each(arg, db_text(s, 0), &c, why);
	}
	db->lists--;
	return err;
}

static enum err credential_list(void *self, const char *enrolee_id, credential_each each,
	void *arg, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;

	TRY(db_statement(self, SQL_CREDENTIAL_LIST, &s, why));
	db_bind_text(s, 1, enrolee_id);
	return credentials_each(self, s, each, arg, why);
}

static enum err credential_match(void *self, enum credential_kind kind, const char *value,
	credential_each each, void *arg, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;

	TRY(db_statement(self, SQL_CREDENTIAL_MATCH, &s, why));
	db_bind_number(s, 1, kind);
	db_bind_text(s, 2, value);
	return credentials_each(self, s, each, arg, why);
}

static enum err credential_match_any(void *self, const struct credential_name *names, size_t n,
	credential_each each, void *arg, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;

	TRY(store_check_match(n, why));
	TRY(db_statement(self, SQL_CREDENTIAL_MATCH_ANY, &s, why));
	for (size_t i = 0; i < n; i++) {
		db_bind_number(s, (int)(2 * i + 1), names[i].kind);
		db_bind_text(s, (int)(2 * i + 2), names[i].value);
	}
	return credentials_each(self, s, each, arg, why);
}

void db_enrolee_ops(struct store_ops *ops)
{
	ops->enrolee_add = enrolee_add;
	ops->enrolee_set_state = enrolee_set_state;
	ops->enrolee_remove = enrolee_remove;
	ops->enrolee_find = enrolee_find;
	ops->enrolee_by_entity = enrolee_by_entity;
	ops->enrolee_list = enrolee_list;
	ops->credential_add = credential_add;
	ops->credential_list = credential_list;
	ops->credential_match = credential_match;
	ops->credential_match_any = credential_match_any;
}
