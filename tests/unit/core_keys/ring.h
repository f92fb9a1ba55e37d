#pragma once
/* A store with a vault, a clock that tests turn, random octets that are counted, and eyes on the store's port. */
#include "adapt/store/memory.h"
#include "adapt/store/sqlite.h"
#include "base/hex.h"
#include "base/mem.h"
#include "core/keys/psk.h"
#include "core/keys/register.h"
#include "core/registry/batch.h"
#include "core/registry/enrolee.h"
#include "port/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { RING_NOW_S = 1760000000, RING_DAY_S = 86400 };

#define RING_FQDN "mef.example.com"

/* What went through the port, and what is to fail there. */
static struct {
	const struct store_ops *real;
	unsigned int key_finds, enrolee_finds, commits;
	bool commit_fails, audit_fails;
} port;

static enum err port_symkey_find(void *self, enum symkey_kind kind, const char *id, struct arena *arena, struct symkey *out, struct why *why)
{
	port.key_finds++;
	return port.real->symkey_find(self, kind, id, arena, out, why);
}

static enum err port_enrolee_find(void *self, const char *id, struct arena *arena, struct enrolee *out, struct why *why)
{
	port.enrolee_finds++;
	return port.real->enrolee_find(self, id, arena, out, why);
}

static enum err port_commit(void *self, struct why *why)
{
	if (port.commit_fails)
		return WHY(why, STORE_FULL, "", "commit: injected");
	port.commits++;
	return port.real->commit(self, why);
}

static enum err port_audit_add(void *self, const struct audit_row *row, struct why *why)
{
	if (port.audit_fails)
		return WHY(why, STORE_IO, "", "audit: injected");
	return port.real->audit_add(self, row, why);
}

struct ring {
	struct store *real;
	struct store_ops ops;
	struct store store;
	struct batch *batch;
	struct clock clock;
	int64_t now_s;
	struct random_source random;
	uint32_t drawn;
	struct secret seal_key;
	struct vault vault;
	struct psk_decoy decoy;
	char dir[32];
};

static inline void good(enum err err, const struct why *why)
{
	if (err != OK)
		fail_msg("%s %d: %s", err_name(err), (int)why->code, why->text);
}

static inline enum err ring_fill(void *self, uint8_t *out, size_t n, struct why *why)
{
	struct ring *r = self;

	(void)why;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(r->drawn >> (8 * (i % 4)));
	r->drawn += 0x01000193;
	return OK;
}

static inline int64_t ring_unix_s(void *self)
{
	return ((struct ring *)self)->now_s;
}

static inline void ring_init(struct ring *r, struct store *real)
{
	struct why why = {0};

	r->real = real;
	port.real = real->ops;
	port.commit_fails = port.audit_fails = false;
	port.commits = 0;
	r->ops = *real->ops;
	r->ops.symkey_find = port_symkey_find;
	r->ops.enrolee_find = port_enrolee_find;
	r->ops.commit = port_commit;
	r->ops.audit_add = port_audit_add;
	r->store = (struct store){.self = real->self, .ops = &r->ops};
	r->batch = batch_new(&r->store);
	r->now_s = RING_NOW_S;
	r->clock = (struct clock){.self = r, .unix_s = ring_unix_s};
	r->drawn = 0x01020304;
	r->random = (struct random_source){.self = r, .fill = ring_fill};
	r->seal_key.n = 32;
	memset(r->seal_key.bytes, 0x42, 32);
	r->vault = (struct vault){.store = &r->store, .seal_key = &r->seal_key, .random = r->random};
	good(psk_decoy_init(&r->decoy, &r->vault, &why), &why);
}

static inline void ring_init_sqlite(struct ring *r)
{
	struct store *store = NULL;
	struct why why = {0};
	char path[64];

	snprintf(r->dir, sizeof(r->dir), "/tmp/omef-ring-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(path, sizeof(path), "%s/db", r->dir);
	good(store_sqlite_open(path, STORE_SQLITE_CREATE, &store, &why), &why);
	ring_init(r, store);
}

static inline void ring_fini(struct ring *r)
{
	static const char *const names[] = {"", "-wal", "-shm", "-journal"};
	char path[64];

	batch_free(r->batch);
	psk_decoy_wipe(&r->decoy);
	r->real->ops->free(r->real->self);
	for (size_t i = 0; r->dir[0] && i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/db%s", r->dir, names[i]);
		unlink(path);
	}
	if (r->dir[0])
		rmdir(r->dir);
}

static inline int ring_setup(void **state)
{
	struct ring *r = mem_alloc(sizeof(*r));

	ring_init(r, store_memory_new());
	*state = r;
	return 0;
}

static inline int ring_teardown(void **state)
{
	ring_fini(*state);
	mem_free(*state);
	return 0;
}

#define RING_TEST(name) cmocka_unit_test_setup_teardown(name, ring_setup, ring_teardown)

/* A write of an operator: within a transaction of its own. */
#define RING_WRITE(r, call) \
	do { \
		struct why why_ = {0}; \
		good(batch_enter((r)->batch, &why_), &why_); \
		good((call), &why_); \
		good(batch_leave((r)->batch, true, &why_), &why_); \
		batch_flush((r)->batch); \
	} while (0)

/* A write that must fail; leaves no trace. */
#define RING_REFUSED(r, code_, call) \
	do { \
		struct why why_ = {0}; \
		struct why left_ = {0}; \
		good(batch_enter((r)->batch, &left_), &left_); \
		assert_int_not_equal((call), OK); \
		assert_int_equal(why_.code, CODE_##code_); \
		good(batch_leave((r)->batch, false, &left_), &left_); \
		batch_flush((r)->batch); \
	} while (0)

static inline void ring_enrolee(struct ring *r, const char *id, enum entity_type type, const char *entity_id)
{
	const struct enrolee e = {.id = id, .entity_type = type, .entity_id = entity_id, .state = ENROLEE_ENABLED};

	RING_WRITE(r, registry_add(&r->store, &e, NULL, 0, r->now_s, &why_));
}

static inline void ring_set_state(struct ring *r, const char *id, enum enrolee_state state)
{
	RING_WRITE(r, registry_set_state(&r->store, id, state, r->now_s, &why_));
}

static inline struct secret ring_key(uint8_t fill, size_t n)
{
	struct secret s = {.n = n};

	memset(s.bytes, fill, n);
	return s;
}

static inline void ring_kpm(struct ring *r, const char *id, const char *kpmid, uint8_t fill, int64_t expires_s)
{
	const struct secret key = ring_key(fill, 32);

	RING_WRITE(r, register_kpm(&r->vault, id, kpmid, RING_FQDN, &key, expires_s, r->now_s, &why_));
}

struct ring_events {
	const char *what;
	char last[STORE_EVENT_MAX];
	size_t n;
};

static inline enum err on_ring_event(void *arg, const struct audit_row *row, struct why *why)
{
	struct ring_events *e = arg;

	(void)why;
	if (!strstr(row->event, e->what))
		return OK;
	snprintf(e->last, sizeof(e->last), "%s", row->event);
	e->n++;
	return OK;
}

/* How many events hold that text; the last of them is at ring_event. */
static struct ring_events ring_seen;

static inline size_t ring_count(struct ring *r, const char *what)
{
	struct why why = {0};

	ring_seen = (struct ring_events){.what = what};
	good(r->store.ops->audit_list(r->store.self, 1, STORE_PAGE_MAX, on_ring_event, &ring_seen, &why), &why);
	return ring_seen.n;
}

static inline const char *ring_event(struct ring *r, const char *what)
{
	ring_count(r, what);
	return ring_seen.last;
}

static inline bool ring_has(struct ring *r, enum symkey_kind kind, const char *id)
{
	struct arena arena OWNED_ARENA = ARENA(256 * 1024);
	struct symkey row = {0};
	struct why why = {0};

	return r->store.ops->symkey_find(r->store.self, kind, id, &arena, &row, &why) == OK;
}
