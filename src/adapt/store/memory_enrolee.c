#include "adapt/store/memory_ops.h"

#include "adapt/store/check.h"
#include "base/mem.h"

static enum err find(const struct memory *m, const char *id, struct row **out, struct why *why)
{
	*out = rows_find(&m->rows, ROWS_ENROLEE, span_text(id));
	if (!*out)
		return WHY(why, STORE_NO_ENROLEE, "", "enrolee '%s': want it registered, have none", store_text(id));
	return OK;
}

static struct row *enrolee_row(const struct enrolee *e)
{
	struct row *row = row_new(row_text_room(e->id) + row_text_room(e->entity_id) + row_text_room(e->label) +
				  row_text_room(e->profile));

	if (!row)
		return NULL;
	row->enrolee = *e;
	row->enrolee.id = row_text(row, e->id);
	row->enrolee.entity_id = row_text(row, e->entity_id);
	row->enrolee.label = row_text(row, e->label);
	row->enrolee.profile = row_text(row, e->profile);
	row->key = span_text(row->enrolee.id);
	return row;
}

enum err memory_enrolee_add(void *self, const struct enrolee *e, struct why *why)
{
	struct memory *m = self;

	TRY(memory_writable(m, why));
	TRY(store_check_enrolee(e, why));
	if (rows_find(&m->rows, ROWS_ENROLEE, span_text(e->id)))
		return WHY(why, STORE_ENROLEE_EXISTS, "", "enrolee '%s': want a new id", e->id);
	for (size_t i = 0; i < m->rows.tables[ROWS_ENROLEE].n; i++) {
		const struct enrolee *other = &m->rows.tables[ROWS_ENROLEE].at[i]->enrolee;
		if (other->entity_type == e->entity_type && strcmp(other->entity_id, e->entity_id) == 0)
			return WHY(why, STORE_ENTITY_EXISTS, "", "entity id '%.100s': want a new one, enrolee '%s' has it",
				e->entity_id, other->id);
	}
	struct row *row = enrolee_row(e);
	if (!row)
		return memory_no_room(why);
	return rows_change(&m->rows, ROWS_ENROLEE, NULL, row, why);
}

enum err memory_enrolee_set_state(void *self, const char *id, enum enrolee_state state,
	int64_t now_s, struct why *why)
{
	struct memory *m = self;
	struct row *old = NULL;

	TRY(memory_writable(m, why));
	TRY(store_check_state(state, why));
	TRY(find(m, id, &old, why));
	struct row *row = enrolee_row(&old->enrolee);
	if (!row)
		return memory_no_room(why);
	row->enrolee.state = state;
	row->enrolee.changed_s = now_s;
	return rows_change(&m->rows, ROWS_ENROLEE, old, row, why);
}

static const struct issued *unexpired_of(const struct memory *m, const char *id, int64_t now_s)
{
	for (size_t i = 0; i < m->rows.tables[ROWS_ISSUED].n; i++) {
		const struct issued *issued = &m->rows.tables[ROWS_ISSUED].at[i]->issued;
		if (issued->state == ISSUED_VALID && issued->not_after_s >= now_s &&
			strcmp(issued->enrolee_id, id) == 0)
			return issued;
	}
	return NULL;
}

enum err memory_enrolee_remove(void *self, const char *id, int64_t now_s, struct why *why)
{
	struct memory *m = self;
	struct row *enrolee = NULL;
	enum err err = OK;

	TRY(memory_writable(m, why));
	TRY(find(m, id, &enrolee, why));
	if (unexpired_of(m, id, now_s))
		return WHY(why, STORE_ENROLEE_IN_USE, "", "enrolee '%s': want no certificate that is valid", id);
	size_t log_n = m->rows.log_n;
	for (size_t i = m->rows.tables[ROWS_CREDENTIAL].n; err == OK && i-- > 0;) {
		struct row *c = m->rows.tables[ROWS_CREDENTIAL].at[i];
		if (strcmp(c->credential.enrolee_id, id) == 0)
			err = rows_change(&m->rows, ROWS_CREDENTIAL, c, NULL, why);
	}
	if (err == OK)
		err = memory_symkeys_clear(m, id, why);
	if (err == OK)
		err = memory_tokens_clear(m, id, why);
	if (err == OK)
		err = memory_requests_clear(m, id, why);
	if (err == OK)
		err = rows_change(&m->rows, ROWS_ENROLEE, enrolee, NULL, why);
	if (err != OK)
		rows_undo(&m->rows, log_n);
	return err;
}

enum err memory_enrolee_find(void *self, const char *id, struct arena *arena, struct enrolee *out,
	struct why *why)
{
	struct row *row = NULL;

	TRY(find(self, id, &row, why));
	struct enrolee e = row->enrolee;
	e.id = arena_text(arena, span_text(row->enrolee.id));
	e.entity_id = arena_text(arena, span_text(row->enrolee.entity_id));
	e.label = arena_text(arena, span_text(row->enrolee.label));
	e.profile = arena_text(arena, span_text(row->enrolee.profile));
	if (!e.id || !e.entity_id || !e.label || !e.profile)
		return memory_no_room(why);
	*out = e;
	return OK;
}

enum err memory_enrolee_by_entity(void *self, enum entity_type type, const char *entity_id, struct arena *arena,
	struct enrolee *out, struct why *why)
{
	struct memory *m = self;

	for (size_t i = 0; i < m->rows.tables[ROWS_ENROLEE].n; i++) {
		const struct enrolee *e = &m->rows.tables[ROWS_ENROLEE].at[i]->enrolee;
		if (e->entity_type == type && strcmp(e->entity_id, entity_id) == 0)
			return memory_enrolee_find(self, e->id, arena, out, why);
	}
	return WHY(why, STORE_NO_ENROLEE, "", "entity id '%.100s': want it registered, have none", entity_id);
}

static bool contains(const char *text, struct span part)
{
	struct span s = span_text(text);

	for (; s.n >= part.n; s = span_from(s, 1)) {
		if (span_equal_nocase(span_first(s, part.n), part))
			return true;
		if (s.n == part.n)
			return false;
	}
	return false;
}

static bool passes(const struct enrolee *e, const struct enrolee_filter *filter)
{
	struct span part = span_text(filter->text);

	if (filter->state && (int)e->state != filter->state)
		return false;
	return part.n == 0 || contains(e->id, part) || contains(e->entity_id,
		part) || contains(e->label, part);
}

enum err memory_enrolee_list(void *self, const struct enrolee_filter *filter, enrolee_each each,
	void *arg, struct why *why)
{
	struct memory *m = self;
	size_t left = filter->limit;
	enum err err = OK;

	TRY(store_check_search(filter, why));
	m->lists++;
	for (size_t i = rows_after(&m->rows, ROWS_ENROLEE, span_text(filter->after_id));
		err == OK && left && i < m->rows.tables[ROWS_ENROLEE].n; i++) {
		const struct enrolee *e = &m->rows.tables[ROWS_ENROLEE].at[i]->enrolee;
		if (!passes(e, filter))
			continue;
		err = each(arg, e, why);
		left--;
	}
	m->lists--;
	return err;
}

static struct row *credential_row(const char *enrolee_id, const struct credential *c)
{
	uint8_t kind = (uint8_t)c->kind;
	size_t value_n = strlen(c->value) + 1;
	struct row *row = row_new(1 + value_n + sizeof(c->anchor) + row_text_room(enrolee_id));

	if (!row)
		return NULL;
	row->credential.c = *c;
	row_bytes(row, span_of(&kind, 1));
	row->credential.c.value = row_text(row, c->value);
	row_bytes(row, span_of(c->anchor, sizeof(c->anchor)));
	row->key = span_of(row->bytes, row->used);
	row->credential.enrolee_id = row_text(row, enrolee_id);
	return row;
}

enum err memory_credential_add(void *self, const char *enrolee_id, const struct credential *c,
	struct why *why)
{
	struct memory *m = self;
	struct row *enrolee = NULL;

	TRY(memory_writable(m, why));
	TRY(store_check_credential(c, why));
	TRY(find(m, enrolee_id, &enrolee, why));
	struct row *row = credential_row(enrolee_id, c);
	if (!row)
		return memory_no_room(why);
	const struct row *other = rows_find(&m->rows, ROWS_CREDENTIAL, row->key);
	if (other) {
		row_free(row);
		return WHY(why, STORE_CREDENTIAL_EXISTS, "", "credential '%.100s': want a new one, enrolee '%s' has it",
			c->value, other->credential.enrolee_id);
	}
	return rows_change(&m->rows, ROWS_CREDENTIAL, NULL, row, why);
}

static enum err credentials_each(struct memory *m, const char *enrolee_id, enum credential_kind kind,
	const char *value, credential_each each, void *arg, struct why *why)
{
	enum err err = OK;

	m->lists++;
	for (size_t i = 0; err == OK && i < m->rows.tables[ROWS_CREDENTIAL].n; i++) {
		const struct row *row = m->rows.tables[ROWS_CREDENTIAL].at[i];
		if (enrolee_id && strcmp(row->credential.enrolee_id, enrolee_id) != 0)
			continue;
		if (value && (row->credential.c.kind != kind || strcmp(row->credential.c.value, value) != 0))
			continue;
		err = each(arg, row->credential.enrolee_id, &row->credential.c, why);
	}
	m->lists--;
	return err;
}

enum err memory_credential_list(void *self, const char *enrolee_id, credential_each each,
	void *arg, struct why *why)
{
	return credentials_each(self, store_text(enrolee_id), 0, NULL, each, arg, why);
}

enum err memory_credential_match(void *self, enum credential_kind kind, const char *value,
	credential_each each, void *arg, struct why *why)
{
	return credentials_each(self, NULL, kind, store_text(value), each, arg, why);
}

enum err memory_credential_match_any(void *self, const struct credential_name *names, size_t n,
	credential_each each, void *arg, struct why *why)
{
	TRY(store_check_match(n, why));
	for (size_t i = 0; i < n; i++)
		TRY(memory_credential_match(self, names[i].kind, names[i].value, each, arg, why));
	return OK;
}
