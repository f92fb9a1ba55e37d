#include "adapt/store/sqlite.h"

#include "adapt/store/sqlite_db.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* What was remembered may have been undone. */
static void forget(struct db *db)
{
	db->seen = (struct db_seen){0};
	memset(db->words, 0, sizeof(db->words));
}

/* SQLite may have rolled back by itself already: full disk, failing disk, no memory. */
static void roll_back(struct db *db)
{
	if (db->handle && !sqlite3_get_autocommit(db->handle))
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
	db->marked = false;
	forget(db);
}

/* errno, where the operating system was at fault; else 0. */
static int reason_of(struct db *db, int rc)
{
	bool system = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN;

	return system ? sqlite3_system_errno(db->handle) : 0;
}

static enum code code_of(struct db *db, int rc)
{
	int reason = reason_of(db, rc);

	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		return CODE_NOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return CODE_STORE_BUSY;
	case SQLITE_FULL:
		return CODE_STORE_FULL;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return CODE_STORE_DAMAGED;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return CODE_STORE_READONLY;
	case SQLITE_CANTOPEN:
		return CODE_STORE_OPEN;
	case SQLITE_IOERR:
		return reason == ENOSPC || reason == EDQUOT ? CODE_STORE_FULL : CODE_STORE_IO;
	default:
		return CODE_STORE_FAILED;
	}
}

enum err db_fail(struct db *db, int rc, const char *doing, struct why *why)
{
	enum code code = code_of(db, rc);
	int reason = reason_of(db, rc);
	enum err err = OK;

	if (code == CODE_STORE_BUSY)
		err = WHY(why, STORE_BUSY, "", "%s: %s: want the write lock, another process has held it for %d ms or longer",
			db->path, doing, db->busy_timeout_ms);
	else
		err = why_set(why, code, "", __FILE__, __LINE__, "%s: %s: %s (%d)%s%s", db->path, doing,
			sqlite3_errstr(rc), rc, reason ? ": " : "", reason ? strerror(reason) : "");
	if (db->open) {
		roll_back(db);
		db->failed = true;
	}
	return err;
}

enum err db_writable(const struct db *db, struct why *why)
{
	if (!db->open)
		return WHY(why, STORE_USE, "", "store: want a write inside a transaction, have none open");
	if (db->lists)
		return WHY(why, STORE_USE, "", "store: want no write inside a list's callback");
	if (db->failed)
		return WHY(why, STORE_ROLLED_BACK, "", "%s: want a whole transaction, have one undone", db->path);
	return OK;
}

/* Runs one of the statements that neither bind nor yield anything. */
static enum err run_plain(struct db *db, enum sql sql, const char *doing, struct why *why)
{
	sqlite3_stmt *s OWNED_STATEMENT = NULL;

	TRY(db_statement(db, sql, &s, why));
	return db_run(db, s, NULL, doing, why);
}

/*
 * Whoever waits for the lock holds up everybody else in this process. So one waits for as long as is
 * allowed, and while the lock is still not to be had the others hear that at once.
 */
static void be_impatient(struct db *db, bool impatient)
{
	if (db->impatient != impatient)
		sqlite3_busy_timeout(db->handle, impatient ? 0 : db->busy_timeout_ms);
	db->impatient = impatient;
}

/* What is written into a file without a name is durable and lost. One stat() a transaction. */
static enum err check_place(struct db *db, struct why *why)
{
	int moved = 0;

	if (sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved)
		return WHY(why, STORE_MOVED, "", "%s: want the file that is open, have another one or none", db->path);
	return OK;
}

static enum err begin(void *self, struct why *why)
{
	struct db *db = self;

	if (db->open || db->lists)
		return WHY(why, STORE_USE, "", "begin: want no open transaction, have one");
	TRY(check_place(db, why));
	enum err err = run_plain(db, SQL_BEGIN, "begin", why);
	be_impatient(db, err != OK && why->code == CODE_STORE_BUSY);
	TRY(err);
	db->open = true;
	db->failed = false;
	return OK;
}

static void end(struct db *db)
{
	db->seen = (struct db_seen){0};
	db->open = false;
	db->failed = false;
	db->marked = false;
}

static void rollback(void *self)
{
	roll_back(self);
	end(self);
}

static enum err commit(void *self, struct why *why)
{
	struct db *db = self;

	if (db->lists || !db->open)
		return db_writable(db, why);
	enum err err = db_writable(db, why);
	if (err == OK)
		err = run_plain(db, SQL_COMMIT, "commit", why);
	if (err != OK)
		roll_back(db);
	end(db);
	return err;
}

static enum err mark(void *self, struct why *why)
{
	struct db *db = self;

	TRY(db_writable(db, why));
	if (db->marked)
		return WHY(why, STORE_USE, "", "mark: want no mark inside a mark");
	TRY(run_plain(db, SQL_MARK, "mark", why));
	db->marked = true;
	return OK;
}

static enum err release(void *self, struct why *why)
{
	struct db *db = self;

	TRY(db_writable(db, why));
	if (!db->marked)
		return WHY(why, STORE_USE, "", "release: want a mark, have none");
	TRY(run_plain(db, SQL_RELEASE, "release", why));
	db->marked = false;
	return OK;
}

/* ROLLBACK TO keeps the savepoint, so it is released after. When either fails, db_fail undoes the batch. */
static void undo(void *self)
{
	struct db *db = self;
	struct why ignored = {0};

	if (db->marked && run_plain(db, SQL_UNDO, "undo", &ignored) == OK)
		run_plain(db, SQL_RELEASE, "undo", &ignored);
	db->marked = false;
	forget(db);
}

static void db_free(void *self)
{
	struct db *db = self;

	if (!db)
		return;
	roll_back(db);
	for (size_t i = 0; i < SQL_N; i++)
		sqlite3_finalize(db->statements[i]);
	sqlite3_close(db->handle);
	mem_free(db->path);
	mem_free(db);
}

/* SQLite takes "file:" and ":memory:" for more than names; a path with a slash in front is only a path. */
static char *plain_path(const char *path)
{
	size_t n = strlen(path) + sizeof("./");
	char *out = mem_alloc(n);

	if (out)
		snprintf(out, n, "%s%s", path[0] == '/' ? "" : "./", path);
	return out;
}

/* The file gets its mode when it is born; -wal and -shm inherit it. */
static enum err make_file(const char *path, enum store_sqlite_mode mode, struct why *why)
{
	struct stat st;

	if (stat(path, &st) == 0)
		return OK;
	if (errno == ENOENT && mode == STORE_SQLITE_EXISTING)
		return WHY(why, STORE_MISSING, "", "%s: want a database, have no file", path);
	if (errno != ENOENT)
		return WHY(why, STORE_OPEN, "", "%s: %s", path, strerror(errno));
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST ? OK : WHY(why, STORE_OPEN, "", "%s: %s", path, strerror(errno));
	close(fd);
	return OK;
}

static enum err sync_folder(const char *path, struct why *why)
{
	const char *slash = strrchr(path, '/');
	size_t n = (size_t)(slash - path) + 1;
	char *folder OWNED_MEM = mem_alloc(n + 1);

	if (!folder)
		return WHY(why, NOMEM, "", "database path");
	memcpy(folder, path, n);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : fsync(fd);
	int reason = errno;
	if (fd >= 0)
		close(fd);
	return rc == 0 ? OK : WHY(why, STORE_OPEN, "", "%s: fsync: %s", folder, strerror(reason));
}

static int no_folder(const char *path, int *fd)
{
	*fd = -1;
	return SQLITE_CANTOPEN;
}

/*
 * With the first commit that reaches the disk SQLite opens and syncs the folder of its log, once. Who keeps
 * the log has synced the folder on opening instead, and may open nothing later; SQLite takes a folder that
 * cannot be opened for one that needs no sync. For the whole process: it has one store.
 */
static void open_no_folder_later(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	vfs->xSetSystemCall(vfs, "openDirectory", (sqlite3_syscall_ptr)no_folder);
}

static enum err use_wal(struct db *db, struct why *why)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db->handle, "PRAGMA journal_mode = WAL", -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	bool wal = rc == SQLITE_ROW && strcmp(db_text(s, 0), "wal") == 0;
	sqlite3_finalize(s);
	if (rc != SQLITE_ROW)
		return db_fail(db, rc, "switch to the write-ahead log", why);
	if (!wal)
		return WHY(why, STORE_OPEN, "", "%s: want a local disk that allows a write-ahead log", db->path);
	return OK;
}

/*
 * - page_size 8192 (before the first table): 11 rows of a certificate in a page instead of 5 in 4096.
 * - cache 2 MB and no mmap: memory stays flat however many rows there are.
 * - temp_store in memory: a sort opens no file in /tmp.
 * - secure_delete: zeros take the place of keys that were erased.
 */
static enum err configure(struct db *db, struct why *why)
{
	sqlite3_busy_timeout(db->handle, db->busy_timeout_ms);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	TRY(db_inspect(db, why));
	if (sqlite3_db_readonly(db->handle, "main") == 1)
		return WHY(why, STORE_READONLY, "", "%s: want to write, may only read", db->path);
	TRY(db_exec(db, "PRAGMA page_size = 8192", "configure", why));
	TRY(use_wal(db, why));
	sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_PERSIST_WAL, &db->keep_log);
	return db_exec(db,
		"PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON; PRAGMA cache_size = -2000;"
		"PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 16777216;"
		"PRAGMA secure_delete = ON;",
		"configure", why);
}

static enum err open_file(struct db *db, enum store_sqlite_mode mode, struct why *why)
{
	uint8_t seed = 0;

	/* SQLite opens /dev/urandom at its first need, which a sandbox would stop later. */
	sqlite3_randomness(sizeof(seed), &seed);
	TRY(make_file(db->path, mode, why));
	int rc = sqlite3_open_v2(db->path, &db->handle,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	if (rc != SQLITE_OK)
		return db_fail(db, rc, "open", why);
	TRY(configure(db, why));
	TRY(db_migrate(db, why));
	if (mode == STORE_SQLITE_CREATE || db->keep_log)
		TRY(sync_folder(db->path, why));
	if (db->keep_log)
		open_no_folder_later();
	return OK;
}

/*
 * For the whole process: the store has one caller, so SQLite needs no locks among threads, and nobody asks how
 * much memory it has. Refused once SQLite is in use, harmlessly.
 */
static void spare_locks(void)
{
	sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

enum err store_sqlite_open_with(const char *path, enum store_sqlite_mode mode,
	const struct store_sqlite_options *options, struct store **out, struct why *why)
{
	struct db *db = mem_alloc(sizeof(*db));

	if (!db)
		return WHY(why, NOMEM, "", "database");
	spare_locks();
	db->ops = (struct store_ops){
		.begin = begin,
		.commit = commit,
		.rollback = rollback,
		.mark = mark,
		.release = release,
		.undo = undo,
		.free = db_free,
	};
	db_enrolee_ops(&db->ops);
	db_issued_ops(&db->ops);
	db_record_ops(&db->ops);
	db_symkey_ops(&db->ops);
	db_token_ops(&db->ops);
	db_request_ops(&db->ops);
	db->store = (struct store){.self = db, .ops = &db->ops};
	db->busy_timeout_ms = options->busy_timeout_ms;
	db->keep_log = options->keep_log;
	db->may_be_empty = mode == STORE_SQLITE_CREATE;
	db->path = plain_path(path);
	enum err err = db->path ? open_file(db, mode, why) : WHY(why, NOMEM, "", "database path");
	if (err != OK) {
		db_free(db);
		return err;
	}
	*out = &db->store;
	return OK;
}

enum err store_sqlite_open(const char *path, enum store_sqlite_mode mode, struct store **out,
	struct why *why)
{
	return store_sqlite_open_with(path, mode, &STORE_SQLITE_OPTIONS, out, why);
}
