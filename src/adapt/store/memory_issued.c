#include "adapt/store/memory_ops.h"

#include "adapt/store/check.h"
#include "base/hex.h"

static enum err find(const struct memory *m, struct span serial, struct row **out, struct why *why)
{
	char text[STORE_SERIAL_MAX * 2 + 1];

	serial = store_serial(serial);
	*out = rows_find(&m->rows, ROWS_ISSUED, serial);
	if (*out)
		return OK;
	serial = span_first(serial, STORE_SERIAL_MAX);
	hex_text(serial.p, serial.n, text);
	return WHY(why, STORE_NO_CERT, "", "serial %s: want a certificate that was issued here", text);
}

static struct row *find_nonce(const struct memory *m, struct span nonce)
{
	for (size_t i = 0; nonce.n && i < m->rows.tables[ROWS_ISSUED].n; i++) {
		struct row *row = m->rows.tables[ROWS_ISSUED].at[i];
		if (span_equal(row->issued.nonce, nonce))
			return row;
	}
	return NULL;
}

static struct row *issued_row(const struct issued *i)
{
	struct span serial = store_serial(i->serial);
	struct row *row = row_new(serial.n + i->der.n + i->nonce.n + row_text_room(i->enrolee_id) +
				  row_text_room(i->profile) + row_text_room(i->est_label));

	if (!row)
		return NULL;
	row->issued = *i;
	row->issued.serial = row_bytes(row, serial);
	row->issued.der = row_bytes(row, i->der);
	row->issued.nonce = row_bytes(row, i->nonce);
	row->issued.enrolee_id = row_text(row, i->enrolee_id);
	row->issued.profile = row_text(row, i->profile);
	row->issued.est_label = row_text(row, i->est_label);
	row->key = row->issued.serial;
	return row;
}

enum err memory_issued_add(void *self, const struct issued *i, struct why *why)
{
	struct memory *m = self;

	TRY(memory_writable(m, why));
	TRY(store_check_issued(i, why));
	if (rows_find(&m->rows, ROWS_ISSUED, store_serial(i->serial)))
		return WHY(why, STORE_SERIAL_EXISTS, "RFC 5280 4.1.2.2", "serial: want a new one");
	if (find_nonce(m, i->nonce))
		return WHY(why, STORE_NONCE_EXISTS, "", "challenge nonce: want a new one");
	struct row *row = issued_row(i);
	if (!row)
		return memory_no_room(why);
	row->issued.state = ISSUED_VALID;
	row->issued.revoked_s = 0;
	row->issued.reason = 0;
	return rows_change(&m->rows, ROWS_ISSUED, NULL, row, why);
}

static enum err copy_out(const struct issued *i, struct arena *arena, struct issued *out,
	struct why *why)
{
	struct issued copy = *i;

	copy.serial = arena_copy(arena, i->serial);
	copy.der = arena_copy(arena, i->der);
	copy.nonce = arena_copy(arena, i->nonce);
	copy.enrolee_id = arena_text(arena, span_text(i->enrolee_id));
	copy.profile = arena_text(arena, span_text(i->profile));
	copy.est_label = arena_text(arena, span_text(i->est_label));
	if (!copy.serial.p || !copy.der.p || !copy.nonce.p || !copy.enrolee_id || !copy.profile || !copy.est_label)
		return memory_no_room(why);
	*out = copy;
	return OK;
}

enum err memory_issued_find(void *self, struct span serial, struct arena *arena,
	struct issued *out, struct why *why)
{
	struct row *row = NULL;

	TRY(find(self, serial, &row, why));
	return copy_out(&row->issued, arena, out, why);
}

enum err memory_issued_by_nonce(void *self, struct span nonce, struct arena *arena,
	struct issued *out, struct why *why)
{
	const struct row *row = find_nonce(self, nonce);

	if (!row)
		return WHY(why, STORE_NO_CERT, "", "challenge nonce: want a certificate issued for it");
	return copy_out(&row->issued, arena, out, why);
}

static bool passes(const struct issued *i, const struct issued_filter *filter)
{
	const char *id = store_text(filter->enrolee_id);

	if (filter->state && (int)i->state != filter->state)
		return false;
	if (filter->expires_before_s && i->not_after_s >= filter->expires_before_s)
		return false;
	return id[0] == '\0' || strcmp(i->enrolee_id, id) == 0;
}

enum err memory_issued_list(void *self, const struct issued_filter *filter, issued_each each,
	void *arg, struct why *why)
{
	struct memory *m = self;
	size_t left = filter->limit;
	enum err err = OK;

	TRY(store_check_limit(filter->limit, why));
	m->lists++;
	for (size_t i = rows_after(&m->rows, ROWS_ISSUED, store_serial(filter->after));
		err == OK && left && i < m->rows.tables[ROWS_ISSUED].n; i++) {
		const struct issued *issued = &m->rows.tables[ROWS_ISSUED].at[i]->issued;
		if (!passes(issued, filter))
			continue;
		err = each(arg, issued, why);
		left--;
	}
	m->lists--;
	return err;
}

static const struct span only_key = {(const uint8_t *)"1", 1};

enum err memory_revocation_revision(void *self, uint64_t *out, struct why *why)
{
	const struct memory *m = self;
	const struct row *row = rows_find(&m->rows, ROWS_REVISION, only_key);

	*out = row ? row->revision : 0;
	return OK;
}

static enum err bump_revision(struct memory *m, struct why *why)
{
	struct row *old = rows_find(&m->rows, ROWS_REVISION, only_key);
	struct row *row = row_new(0);

	if (!row)
		return memory_no_room(why);
	row->key = only_key;
	row->revision = (old ? old->revision : 0) + 1;
	return rows_change(&m->rows, ROWS_REVISION, old, row, why);
}

enum err memory_issued_revoke(void *self, struct span serial, uint8_t reason, int64_t now_s,
	struct why *why)
{
	struct memory *m = self;
	struct row *old = NULL;
	size_t log_n = m->rows.log_n;

	TRY(memory_writable(m, why));
	TRY(find(m, serial, &old, why));
	if (old->issued.state == ISSUED_REVOKED)
		return WHY(why, STORE_REVOKED, "", "certificate: want a valid one, have one revoked before");
	struct row *row = issued_row(&old->issued);
	if (!row)
		return memory_no_room(why);
	row->issued.state = ISSUED_REVOKED;
	row->issued.revoked_s = now_s;
	row->issued.reason = reason;
	TRY(rows_change(&m->rows, ROWS_ISSUED, old, row, why));
	enum err err = bump_revision(m, why);
	if (err != OK)
		rows_undo(&m->rows, log_n);
	return err;
}

enum err memory_revoked_list(void *self, int64_t now_s, issued_each each, void *arg, struct why *why)
{
	struct memory *m = self;
	enum err err = OK;

	m->lists++;
	for (size_t i = 0; err == OK && i < m->rows.tables[ROWS_ISSUED].n; i++) {
		const struct issued *row = &m->rows.tables[ROWS_ISSUED].at[i]->issued;
		if (row->state != ISSUED_REVOKED || row->not_after_s < now_s)
			continue;
		struct issued issued = {.serial = row->serial, .enrolee_id = "", .profile = "", .est_label = "",
			.not_after_s = row->not_after_s, .state = ISSUED_REVOKED, .revoked_s = row->revoked_s,
			.reason = row->reason};
		err = each(arg, &issued, why);
	}
	m->lists--;
	return err;
}
