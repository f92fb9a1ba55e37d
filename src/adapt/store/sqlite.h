#pragma once
/*
 * The store in one SQLite file (write-ahead log, every commit synced). Several processes may have
 * it open; one writes at a time, the others wait for it up to busy_timeout_ms. Who has waited that long
 * in vain does not wait again before a begin() has succeeded. A file from an older version is brought
 * up to date on opening; one from a newer version is refused.
 *
 * What was removed or replaced is overwritten by zeros (secure_delete). In the file itself that happens when the
 * log is written back, after some 1,000 pages of writes or when the last process closes; until then, and
 * in the log until later writes cover the place, the sealed octets of an erased key can still be read by
 * whoever may read the files. An empty log (`PRAGMA wal_checkpoint(TRUNCATE)`, a clean stop) holds none.
 * Copies that a file system or a disk keeps of its own are out of reach; so keys are sealed before they get here.
 */
#include "port/store.h"

enum store_sqlite_mode {
	STORE_SQLITE_CREATE,   /* makes the file (mode 0600) when it is missing */
	STORE_SQLITE_EXISTING, /* ERR_NOT_FOUND when it is missing, STORE_DAMAGED when it is empty */
};

struct store_sqlite_options {
	int busy_timeout_ms; /* how long a writer waits for another one */
	/* For who may neither unlink nor open later: -wal and -shm stay after the last one out, the log empty, and
	 * the folder is synced on opening only. */
	bool keep_log;
};

#define STORE_SQLITE_OPTIONS ((struct store_sqlite_options){.busy_timeout_ms = 5000})

/*
 * Freed by (*out)->ops->free((*out)->self); the struct store goes with it. ERR_NOT_FOUND, ERR_STORE
 * (codes STORE_OPEN, _BUSY, _FULL, _DAMAGED, _READONLY, _IO, _FUTURE, _FOREIGN), ERR_NOMEM.
 * begin() of a file that was moved or removed meanwhile: STORE_MOVED.
 * After ERR_STORE inside a transaction all of it is undone; call rollback and begin anew.
 */
MUST_CHECK enum err store_sqlite_open(
	const char *path, enum store_sqlite_mode mode, struct store **out, struct why *why);
MUST_CHECK enum err store_sqlite_open_with(const char *path, enum store_sqlite_mode mode,
	const struct store_sqlite_options *options, struct store **out, struct why *why);
