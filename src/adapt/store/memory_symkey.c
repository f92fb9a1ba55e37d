#include "adapt/store/memory_ops.h"

#include "adapt/store/check.h"
#include "base/mem.h"

/* Kind and id, as they stand in front of every row. NULL without memory. */
static struct row *key_row(enum symkey_kind kind, const char *id, size_t room)
{
	uint8_t octet = (uint8_t)kind;
	struct row *row = row_new(1 + row_text_room(id) + room);

	if (!row)
		return NULL;
	row_bytes(row, span_of(&octet, 1));
	row->symkey.id = row_text(row, store_text(id));
	row->key = span_of(row->bytes, row->used - 1);
	return row;
}

static struct row *symkey_row(const struct symkey *k)
{
	struct row *row = key_row(k->kind, k->id,
		row_text_room(k->owner) + k->sealed.n + row_text_room(k->info));

	if (!row)
		return NULL;
	const char *id = row->symkey.id;
	row->symkey = *k;
	row->symkey.id = id;
	row->symkey.owner = row_text(row, k->owner);
	row->symkey.sealed = row_bytes(row, k->sealed);
	row->symkey.info = row_text(row, k->info);
	return row;
}

static enum err find(const struct memory *m, enum symkey_kind kind, const char *id, struct row **out,
	struct why *why)
{
	struct row *key = key_row(kind, id, 0);

	if (!key)
		return why_failed(memory_no_room(why));
	*out = rows_find(&m->rows, ROWS_SYMKEY, key->key);
	row_free(key);
	if (!*out)
		return WHY(why, STORE_NO_KEY, "", "key '%.100s': want it stored, have none", store_text(id));
	return OK;
}

static size_t keys_of(const struct memory *m, const char *owner, struct store_kinds kinds)
{
	size_t n = 0;

	for (size_t i = 0; i < m->rows.tables[ROWS_SYMKEY].n; i++) {
		const struct symkey *k = &m->rows.tables[ROWS_SYMKEY].at[i]->symkey;
		n += k->kind >= kinds.first && k->kind <= kinds.last && strcmp(k->owner, owner) == 0;
	}
	return n;
}

enum err memory_symkey_add(void *self, const struct symkey *k, struct why *why)
{
	struct memory *m = self;

	TRY(memory_writable(m, why));
	TRY(store_check_symkey(k, why));
	struct row *row = symkey_row(k);
	if (!row)
		return memory_no_room(why);
	if (rows_find(&m->rows, ROWS_SYMKEY, row->key)) {
		row_free(row);
		return WHY(why, STORE_KEY_EXISTS, "", "key '%.100s': want a new id", k->id);
	}
	if (keys_of(m, k->owner, store_family(k->kind)) >= STORE_KEYS_PER_OWNER_MAX) {
		row_free(row);
		return WHY(why, STORE_KEYS_MANY, "", "owner '%.100s': want at most %d keys, have as many", k->owner,
			STORE_KEYS_PER_OWNER_MAX);
	}
	return rows_change(&m->rows, ROWS_SYMKEY, NULL, row, why);
}

enum err memory_symkey_set(void *self, const struct symkey *k, struct why *why)
{
	struct memory *m = self;
	struct row *old = NULL;

	TRY(memory_writable(m, why));
	TRY(store_check_symkey_values(k, why));
	TRY(find(m, k->kind, k->id, &old, why));
	struct symkey changed = old->symkey;
	changed.sealed = k->sealed;
	changed.expires_s = k->expires_s;
	changed.info = k->info;
	struct row *row = symkey_row(&changed);
	if (!row)
		return memory_no_room(why);
	return rows_change(&m->rows, ROWS_SYMKEY, old, row, why);
}

enum err memory_symkey_remove(void *self, enum symkey_kind kind, const char *id, struct why *why)
{
	struct memory *m = self;
	struct row *row = NULL;

	TRY(memory_writable(m, why));
	TRY(find(m, kind, id, &row, why));
	return rows_change(&m->rows, ROWS_SYMKEY, row, NULL, why);
}

enum err memory_symkey_find(void *self, enum symkey_kind kind, const char *id, struct arena *arena,
	struct symkey *out, struct why *why)
{
	struct row *row = NULL;

	TRY(find(self, kind, id, &row, why));
	struct symkey k = row->symkey;
	k.id = arena_text(arena, span_text(row->symkey.id));
	k.owner = arena_text(arena, span_text(row->symkey.owner));
	k.sealed = arena_copy(arena, row->symkey.sealed);
	k.info = arena_text(arena, span_text(row->symkey.info));
	if (!k.id || !k.owner || !k.info || (row->symkey.sealed.n && !k.sealed.p))
		return memory_no_room(why);
	*out = k;
	return OK;
}

static bool passes(const struct symkey *k, const struct symkey_filter *filter)
{
	const char *owner = store_text(filter->owner);

	if (filter->kind && (int)k->kind != filter->kind)
		return false;
	if (filter->kind && strcmp(k->id, store_text(filter->after_id)) <= 0)
		return false;
	return owner[0] == '\0' || strcmp(k->owner, owner) == 0;
}

enum err memory_symkey_list(void *self, const struct symkey_filter *filter, symkey_each each,
	void *arg, struct why *why)
{
	struct memory *m = self;
	size_t left = filter->limit;
	enum err err = OK;

	TRY(store_check_symkey_filter(filter, why));
	m->lists++;
	for (size_t i = 0; err == OK && left && i < m->rows.tables[ROWS_SYMKEY].n; i++) {
		const struct symkey *k = &m->rows.tables[ROWS_SYMKEY].at[i]->symkey;
		if (!passes(k, filter))
			continue;
		err = each(arg, k, why);
		left--;
	}
	m->lists--;
	return err;
}

/* The row that is due next after `last` (NULL: first of all); rows of one second go in order of their keys. */
static const struct row *due_after(const struct memory *m, const struct row *last, int64_t now_s)
{
	const struct row *next = NULL;
	bool passed = !last;

	for (size_t i = 0; i < m->rows.tables[ROWS_SYMKEY].n; i++) {
		const struct row *row = m->rows.tables[ROWS_SYMKEY].at[i];
		int64_t at_s = row->symkey.expires_s;
		bool later = !last || at_s > last->symkey.expires_s ||
			     (passed && at_s == last->symkey.expires_s);
		if (row == last)
			passed = true;
		if (at_s && at_s <= now_s && later && (!next || at_s < next->symkey.expires_s))
			next = row;
	}
	return next;
}

enum err memory_symkey_due(void *self, int64_t now_s, size_t limit, symkey_each each, void *arg,
	struct why *why)
{
	struct memory *m = self;
	enum err err = OK;

	TRY(store_check_limit(limit, why));
	m->lists++;
	for (const struct row *row = due_after(m, NULL, now_s); err == OK && row && limit; limit--) {
		err = each(arg, &row->symkey, why);
		row = due_after(m, row, now_s);
	}
	m->lists--;
	return err;
}

enum err memory_symkeys_clear(struct memory *m, const char *enrolee_id, struct why *why)
{
	for (size_t i = m->rows.tables[ROWS_SYMKEY].n; i-- > 0;) {
		struct row *row = m->rows.tables[ROWS_SYMKEY].at[i];
		const struct symkey *k = &row->symkey;
		bool of_enrolee = k->kind <= SYMKEY_KE || k->kind == SYMKEY_SRP;
		if (of_enrolee && strcmp(k->owner, enrolee_id) == 0)
			TRY(rows_change(&m->rows, ROWS_SYMKEY, row, NULL, why));
	}
	return OK;
}
