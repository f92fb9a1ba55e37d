#pragma once
/* What the tests of every store share: one fixture, short calls, sample rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "port/store.h"

#include <stdio.h>

struct store_fixture {
	struct store *store;
	struct arena arena;
	struct why why;
	char dir[64]; /* "" when nothing lies on disk */
};

/* f->store->ops->op(self, ..., why) */
#define CALL0(f, op) ((f)->store->ops->op((f)->store->self, &(f)->why))
#define CALL(f, op, ...) ((f)->store->ops->op((f)->store->self, __VA_ARGS__, &(f)->why))
#define WORKS(f, call) want_code((f), (call), CODE_NONE, __FILE__, __LINE__)
#define FAILS(f, code, call) want_code((f), (call), CODE_##code, __FILE__, __LINE__)

static inline void want_code(struct store_fixture *f, enum err err, enum code code, const char *file, int line)
{
	const struct code_page *page = code_find((int)code);
	enum err kind = page ? page->kind : OK;

	if (err != kind || f->why.code != code)
		print_error("want %s %d, have %s %d: %s\n", err_name(kind), (int)code, err_name(err),
			(int)f->why.code, f->why.text);
	_assert_int_equal((unsigned)err, (unsigned)kind, file, line);
	_assert_int_equal((unsigned)f->why.code, (unsigned)code, file, line);
	why_clear(&f->why);
}

static inline struct enrolee sample_enrolee(const char *id, const char *entity_id)
{
	return (struct enrolee){.id = id, .entity_type = ENTITY_NODE, .entity_id = entity_id,
		.state = ENROLEE_ENABLED, .label = "", .profile = "", .created_s = 1000, .changed_s = 1000};
}

static inline struct credential sample_credential(enum credential_kind kind, const char *value, uint8_t anchor)
{
	struct credential c = {.kind = kind, .value = value};

	memset(c.anchor, anchor, sizeof(c.anchor));
	return c;
}

/* Serial and nonce follow from the number; both stay in `room`. */
struct sample_room {
	uint8_t serial[16];
	uint8_t nonce[STORE_NONCE_SIZE];
	uint8_t der[600];
};

static inline struct issued sample_issued(uint32_t number, const char *enrolee_id, struct sample_room *room)
{
	*room = (struct sample_room){.serial = {0x40}};
	for (int i = 0; i < 4; i++) {
		room->serial[12 + i] = (uint8_t)(number >> (24 - 8 * i));
		room->nonce[12 + i] = room->serial[12 + i];
	}
	memset(room->der, (int)(number & 0xff), sizeof(room->der));
	struct issued i = {.serial = span_of(room->serial, sizeof(room->serial)), .enrolee_id = enrolee_id,
		.profile = "device", .est_label = "onem2m", .issued_s = 5000 + number, .not_before_s = 4000,
		.not_after_s = 9000, .der = span_of(room->der, sizeof(room->der)),
		.nonce = span_of(room->nonce, sizeof(room->nonce)), .state = ISSUED_VALID};
	memset(i.spki_sha256, 0xa5, sizeof(i.spki_sha256));
	memset(i.csr_sha256, 0x5a, sizeof(i.csr_sha256));
	return i;
}

static inline struct audit_row sample_audit(uint64_t seq, const char *event)
{
	struct audit_row row = {.seq = seq, .time_s = 7000, .event = event};

	memset(row.prev, (int)(seq - 1), sizeof(row.prev));
	memset(row.hash, (int)seq, sizeof(row.hash));
	return row;
}

static inline void add_enrolee(struct store_fixture *f, const char *id, const char *entity_id)
{
	struct enrolee e = sample_enrolee(id, entity_id);

	WORKS(f, CALL(f, enrolee_add, &e));
}

static inline void add_issued(struct store_fixture *f, uint32_t number, const char *enrolee_id)
{
	struct sample_room room;
	struct issued i = sample_issued(number, enrolee_id, &room);

	WORKS(f, CALL(f, issued_add, &i));
}

/* Serials and ids that a list gave, in order: "a b c". */
struct seen {
	size_t n;
	char text[4096];
	struct store_fixture *f;
};

static inline void seen_add(struct seen *seen, const char *text)
{
	size_t n = strlen(seen->text);

	snprintf(seen->text + n, sizeof(seen->text) - n, "%s%s", n ? " " : "", text);
	seen->n++;
}

static inline enum err see_enrolee(void *arg, const struct enrolee *e, struct why *why)
{
	seen_add(arg, e->id);
	return OK;
}

static inline enum err see_credential(void *arg, const char *enrolee_id, const struct credential *c, struct why *why)
{
	char text[700];

	snprintf(text, sizeof(text), "%s/%d/%s/%d", enrolee_id, (int)c->kind, c->value, c->anchor[31]);
	seen_add(arg, text);
	return OK;
}

static inline enum err see_issued(void *arg, const struct issued *i, struct why *why)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", i->serial.n ? i->serial.p[i->serial.n - 1] : -1);
	seen_add(arg, text);
	return OK;
}

static inline enum err see_audit(void *arg, const struct audit_row *row, struct why *why)
{
	seen_add(arg, row->event);
	return OK;
}

struct store_tests {
	const char *name;
	const struct CMUnitTest *tests;
	size_t n;
};

extern const struct store_tests store_enrolee_suite;
extern const struct store_tests store_issued_suite;
extern const struct store_tests store_record_suite;
extern const struct store_tests store_request_suite;
extern const struct store_tests store_symkey_suite;
extern const struct store_tests store_token_suite;
extern const struct store_tests store_transaction_suite;
