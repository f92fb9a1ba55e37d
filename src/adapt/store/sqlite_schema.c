#include "adapt/store/sqlite_db.h"

#include <stdio.h>

/*
 * Step k brings a file from version k to k + 1. Steps that were released never change.
 * - word: profiles, labels and anchor hashes repeat in a million rows; a small number stands for each.
 * - enrolee.state 0: removed, or never registered, but named by certificates.
 * - issued has row numbers, so that certificates of 600 octets are appended; only the short index
 *   entries go to random places.
 * - request: few rows of some kilobytes, most of them gone within days.
 * - symkey and token lie in the order of what they are asked for: a handshake costs one descent. A MAF's
 *   owners are no enrolees, so owners are texts.
 */
static const char *const steps[DB_VERSION] = {
	"CREATE TABLE word (n INTEGER PRIMARY KEY, value BLOB NOT NULL UNIQUE) STRICT;"
	"CREATE TABLE totals (one INTEGER PRIMARY KEY CHECK (one = 1), enrolees INTEGER NOT NULL,"
	" disabled INTEGER NOT NULL, revoked INTEGER NOT NULL, revision INTEGER NOT NULL) STRICT;"
	"INSERT INTO totals VALUES (1, 0, 0, 0, 0);"

	"CREATE TABLE enrolee (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
	" state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2), entity_type INTEGER, entity_id TEXT,"
	" label TEXT, profile TEXT, created_s INTEGER, changed_s INTEGER,"
	" UNIQUE (entity_type, entity_id),"
	" CHECK (state = 0 OR (entity_type BETWEEN 1 AND 4 AND entity_id IS NOT NULL AND label IS NOT NULL"
	"  AND profile IS NOT NULL AND created_s IS NOT NULL AND changed_s IS NOT NULL))) STRICT;"
	"CREATE TABLE credential (kind INTEGER NOT NULL, value TEXT NOT NULL,"
	" anchor INTEGER NOT NULL REFERENCES word (n), enrolee INTEGER NOT NULL REFERENCES enrolee (n),"
	" PRIMARY KEY (kind, value, anchor)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX credential_enrolee ON credential (enrolee);"

	"CREATE TABLE issued (n INTEGER PRIMARY KEY, serial BLOB NOT NULL UNIQUE,"
	" enrolee INTEGER REFERENCES enrolee (n), profile INTEGER NOT NULL REFERENCES word (n),"
	" est_label INTEGER NOT NULL REFERENCES word (n), issued_s INTEGER NOT NULL,"
	" not_before_s INTEGER NOT NULL, not_after_s INTEGER NOT NULL,"
	" state INTEGER NOT NULL CHECK (state IN (1, 2)), revoked_s INTEGER, reason INTEGER,"
	" spki_sha256 BLOB NOT NULL, csr_sha256 BLOB NOT NULL, nonce BLOB, der BLOB NOT NULL) STRICT;"
	"CREATE UNIQUE INDEX issued_nonce ON issued (nonce) WHERE nonce IS NOT NULL;"
	"CREATE INDEX issued_enrolee ON issued (enrolee);"
	"CREATE INDEX issued_revoked ON issued (serial, not_after_s, revoked_s, reason) WHERE state = 2;"
	"CREATE TRIGGER issued_stays BEFORE DELETE ON issued"
	" BEGIN SELECT RAISE(ABORT, 'issued certificates stay'); END;"

	"CREATE TABLE crl (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL,"
	" this_update_s INTEGER NOT NULL, next_update_s INTEGER NOT NULL, revision INTEGER NOT NULL,"
	" der BLOB NOT NULL) STRICT;"
	"CREATE TABLE secret (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT, WITHOUT ROWID;"

	"CREATE TABLE audit (seq INTEGER PRIMARY KEY, time_s INTEGER NOT NULL, event TEXT NOT NULL,"
	" prev BLOB NOT NULL, hash BLOB NOT NULL) STRICT;"
	"CREATE TRIGGER audit_stays BEFORE DELETE ON audit"
	" BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;"
	"CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit"
	" BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;",

	"CREATE TABLE symkey (kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 7), id TEXT NOT NULL,"
	" owner TEXT NOT NULL, sealed BLOB, created_s INTEGER NOT NULL, expires_s INTEGER NOT NULL,"
	" info TEXT NOT NULL, PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX symkey_owner ON symkey (owner, kind, id);"
	"CREATE INDEX symkey_due ON symkey (expires_s, kind, id) WHERE expires_s <> 0;"
	"CREATE TABLE prefs (scope INTEGER NOT NULL CHECK (scope BETWEEN 1 AND 3), key TEXT NOT NULL,"
	" json BLOB NOT NULL, PRIMARY KEY (scope, key)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE token (hash BLOB PRIMARY KEY, id TEXT NOT NULL UNIQUE, enrolee TEXT NOT NULL,"
	" created_s INTEGER NOT NULL, expires_s INTEGER NOT NULL, claimed_s INTEGER NOT NULL,"
	" claimed_by TEXT NOT NULL, spent_s INTEGER NOT NULL,"
	" CHECK ((claimed_s = 0) = (claimed_by = '') AND (spent_s = 0 OR claimed_s <> 0))) STRICT, WITHOUT ROWID;"
	"CREATE INDEX token_enrolee ON token (enrolee) WHERE enrolee <> '';"
	"CREATE INDEX token_claimed ON token (claimed_by) WHERE claimed_by <> '';",

	/* One CRL for each CA; the one there was is that of the CA that `init` made. */
	"CREATE TABLE crl_of (ca TEXT PRIMARY KEY, number INTEGER NOT NULL, this_update_s INTEGER NOT NULL,"
	" next_update_s INTEGER NOT NULL, revision INTEGER NOT NULL, der BLOB NOT NULL) STRICT;"
	"INSERT INTO crl_of SELECT 'issuing', number, this_update_s, next_update_s, revision, der FROM crl;"
	"DROP TABLE crl;"
	"ALTER TABLE crl_of RENAME TO crl;",

	"CREATE TABLE request (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, enrolee TEXT NOT NULL,"
	" est_label TEXT NOT NULL, kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 4), csr_sha256 BLOB NOT NULL,"
	" csr BLOB NOT NULL, nonce BLOB, state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4),"
	" created_s INTEGER NOT NULL, expires_s INTEGER NOT NULL, decided_s INTEGER NOT NULL,"
	" decided_by TEXT NOT NULL, reason TEXT NOT NULL, serial BLOB,"
	" UNIQUE (enrolee, csr_sha256, kind, est_label), CHECK ((state = 4) = (serial IS NOT NULL))) STRICT;"
	"CREATE INDEX request_due ON request (expires_s, id);"
	"CREATE INDEX request_waiting ON request (enrolee, expires_s) WHERE state = 1;",

	/* SRP users are one more kind. */
	"CREATE TABLE symkey_wider (kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 8), id TEXT NOT NULL,"
	" owner TEXT NOT NULL, sealed BLOB, created_s INTEGER NOT NULL, expires_s INTEGER NOT NULL,"
	" info TEXT NOT NULL, PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID;"
	"INSERT INTO symkey_wider SELECT kind, id, owner, sealed, created_s, expires_s, info FROM symkey;"
	"DROP TABLE symkey;"
	"ALTER TABLE symkey_wider RENAME TO symkey;"
	"CREATE INDEX symkey_owner ON symkey (owner, kind, id);"
	"CREATE INDEX symkey_due ON symkey (expires_s, kind, id) WHERE expires_s <> 0;",
};

enum err db_exec(struct db *db, const char *sql, const char *doing, struct why *why)
{
	int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? OK : db_fail(db, rc, doing, why);
}

static enum err number(struct db *db, const char *sql, int64_t *out, struct why *why)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db->handle, sql, -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return rc == SQLITE_ROW ? OK : db_fail(db, rc, "look at the schema", why);
}

static enum err version(struct db *db, int64_t *out, struct why *why)
{
	TRY(number(db, "PRAGMA user_version", out, why));
	if (*out > DB_VERSION)
		return WHY(why, STORE_FUTURE, "", "%s: want schema version %d or less, have %lld", db->path,
			DB_VERSION, (long long)*out);
	return OK;
}

enum err db_inspect(struct db *db, struct why *why)
{
	int64_t application = 0;
	int64_t things = 0;
	int64_t have = 0;

	TRY(number(db, "PRAGMA application_id", &application, why));
	TRY(number(db, "SELECT count(*) FROM sqlite_schema", &things, why));
	if (application != DB_APPLICATION_ID && (application != 0 || things != 0))
		return WHY(why, STORE_FOREIGN, "", "%s: want application id %x, have %llx", db->path,
			(unsigned)DB_APPLICATION_ID, (unsigned long long)application);
	/* What a crash of the file system or a slip of the hand leaves behind must not come up as a fresh store. */
	if (application == 0 && !db->may_be_empty)
		return WHY(why, STORE_DAMAGED, "", "%s: want an OpenMEF database, have an empty one", db->path);
	return version(db, &have, why);
}

/* Looks again under the lock: another process may have done this step meanwhile. */
static enum err step(struct db *db, struct why *why)
{
	char pragmas[96];
	int64_t from = 0;

	TRY(version(db, &from, why));
	if (from < 0 || from == DB_VERSION)
		return from < 0 ? WHY(why, STORE_FOREIGN, "", "%s: schema version %lld", db->path, (long long)from)
				: OK;
	TRY(db_exec(db, steps[from], "bring the schema up to date", why));
	snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id = %d; PRAGMA user_version = %d",
		DB_APPLICATION_ID, (int)from + 1);
	return db_exec(db, pragmas, "number the schema", why);
}

enum err db_migrate(struct db *db, struct why *why)
{
	int64_t have = 0;

	TRY(version(db, &have, why));
	while (have != DB_VERSION) {
		TRY(db_exec(db, "BEGIN IMMEDIATE", "begin a migration", why));
		db->open = true;
		enum err err = step(db, why);
		if (err == OK)
			err = db_exec(db, "COMMIT", "commit a migration", why);
		if (err != OK)
			db->ops.rollback(db);
		db->open = false;
		TRY(err);
		TRY(version(db, &have, why));
	}
	return OK;
}
