#pragma once
/* A folder of its own for each test, and short ways to open, look inside and close. */
#include "contract/suite/store.h"

#include "adapt/store/sqlite.h"
#include "adapt/store/sqlite_db.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
	char dir[64];
	char path[96];
	struct store_fixture f;
};

static struct place place;

static inline int place_setup(void **state)
{
	place = (struct place){.dir = "/tmp/omef-sqlite-XXXXXX", .f.arena = ARENA(1 << 20)};
	if (!mkdtemp(place.dir))
		return -1;
	snprintf(place.path, sizeof(place.path), "%s/db", place.dir);
	*state = &place.f;
	return 0;
}

static inline void place_close(struct store_fixture *f)
{
	if (f->store)
		f->store->ops->free(f->store->self);
	f->store = NULL;
	arena_fini(&f->arena);
}

static inline int place_teardown(void **state)
{
	static const char *const names[] = {"", "-wal", "-shm", "-journal"};
	char path[128];

	place_close(&place.f);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", place.path, names[i]);
		unlink(path);
	}
	return rmdir(place.dir);
}

static inline enum err place_open(struct store_fixture *f, enum store_sqlite_mode mode)
{
	f->arena.max = 1 << 20;
	return store_sqlite_open_with(
		place.path, mode, &(struct store_sqlite_options){.busy_timeout_ms = 50}, &f->store, &f->why);
}

static inline sqlite3 *place_handle(struct store_fixture *f)
{
	return ((struct db *)f->store->self)->handle;
}

static inline int64_t place_number(sqlite3 *handle, const char *sql)
{
	sqlite3_stmt *s = NULL;
	int64_t number = -1;

	assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &s, NULL), SQLITE_OK);
	if (sqlite3_step(s) == SQLITE_ROW)
		number = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return number;
}

static inline void place_run(sqlite3 *handle, const char *sql)
{
	assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* One more enrolee, certificate and audit event, as an enrolment makes them. */
static inline enum err place_enrol(struct store_fixture *f, uint32_t n)
{
	struct sample_room room;
	char id[16] = "";
	struct enrolee e = sample_enrolee(id, id);
	struct issued issued = sample_issued(n, id, &room);
	struct audit_row audit = sample_audit(n, "{\"event\":\"issued\"}");

	snprintf(id, sizeof(id), "d%u", (unsigned)n);
	TRY(CALL(f, enrolee_add, &e));
	TRY(CALL(f, issued_add, &issued));
	return CALL(f, audit_add, &audit);
}

static inline void place_fill(struct store_fixture *f, uint32_t from, uint32_t to)
{
	WORKS(f, CALL0(f, begin));
	for (uint32_t n = from; n <= to; n++)
		WORKS(f, place_enrol(f, n));
	WORKS(f, CALL0(f, commit));
}

static inline struct store_counts place_counts(struct store_fixture *f)
{
	struct store_counts counts = {0};

	WORKS(f, CALL(f, counts, &counts));
	return counts;
}
