#pragma once
/* Inside of the SQLite store, shared by its files and by its unit test. */
#include "port/store.h"

#include <sqlite3.h>

/* One prepared statement each, kept for the life of the connection; texts in sqlite_sql.c. */
enum sql {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_MARK,
	SQL_RELEASE,
	SQL_UNDO,
	SQL_WORD_FIND,
	SQL_WORD_ADD,
	SQL_TOTALS_ADD,
	SQL_REVISION,
	SQL_ENROLEE_NUMBER,
	SQL_ENROLEE_NAME,
	SQL_ENROLEE_ADD,
	SQL_ENTITY_FIND,
	SQL_ENROLEE_SET_STATE,
	SQL_ENROLEE_HAS_CERT,
	SQL_ENROLEE_DROP,
	SQL_ENROLEE_BURY,
	SQL_ENROLEE_FIND,
	SQL_ENROLEE_LIST,
	SQL_CREDENTIAL_ADD,
	SQL_CREDENTIAL_FIND,
	SQL_CREDENTIAL_CLEAR,
	SQL_CREDENTIAL_LIST,
	SQL_CREDENTIAL_MATCH,
	SQL_CREDENTIAL_MATCH_ANY,
	SQL_ISSUED_ADD,
	SQL_ISSUED_FIND,
	SQL_ISSUED_BY_NONCE,
	SQL_ISSUED_LIST,
	SQL_ISSUED_LIST_OF,
	SQL_ISSUED_REVOKE,
	SQL_REVOKED_LIST,
	SQL_SYMKEY_COUNT,
	SQL_SYMKEY_ADD,
	SQL_SYMKEY_SET,
	SQL_SYMKEY_REMOVE,
	SQL_SYMKEY_FIND,
	SQL_SYMKEY_LIST,
	SQL_SYMKEY_LIST_OF,
	SQL_SYMKEY_DUE,
	SQL_SYMKEY_CLEAR,
	SQL_PREFS_PUT,
	SQL_PREFS_GET,
	SQL_PREFS_REMOVE,
	SQL_TOKEN_ADD,
	SQL_TOKEN_FIND,
	SQL_TOKEN_CLAIM,
	SQL_TOKEN_SPEND,
	SQL_TOKEN_LIST,
	SQL_TOKEN_REMOVE,
	SQL_TOKEN_CLEAR,
	SQL_TOKEN_PREFS_CLEAR,
	SQL_REQUEST_ADD,
	SQL_REQUEST_COUNT,
	SQL_REQUEST_FIND,
	SQL_REQUEST_FIND_CSR,
	SQL_REQUEST_DECIDE,
	SQL_REQUEST_DONE,
	SQL_REQUEST_REMOVE,
	SQL_REQUEST_LIST,
	SQL_REQUEST_DUE,
	SQL_REQUEST_CLEAR,
	SQL_CRL_PUT,
	SQL_CRL_GET,
	SQL_SECRET_PUT,
	SQL_SECRET_GET,
	SQL_AUDIT_HEAD,
	SQL_AUDIT_ADD,
	SQL_AUDIT_LIST,
	SQL_COUNTS,
	SQL_N,
};

extern const char *const sqlite_sql[SQL_N];

/* Number and state of the enrolee; state 0: not registered (any more); number 0: never seen. */
struct db_enrolee {
	int64_t number;
	int state;
};

/* What this transaction has read or written and nobody else can change before its end. */
struct db_seen {
	bool audit;
	uint64_t audit_seq;
	uint8_t audit_hash[32];
	char enrolee_id[STORE_ID_MAX + 1]; /* "" for none */
	struct db_enrolee enrolee;
};

/* Words stay for good once they are committed, so their numbers are remembered until something is undone. */
enum { DB_WORDS = 8 };
struct db_word {
	int64_t number; /* 0: free */
	size_t n;
	uint8_t value[STORE_LABEL_MAX];
};

struct db {
	struct store store; /* what the caller holds; freed with this */
	struct store_ops ops;
	sqlite3 *handle;
	char *path;
	int busy_timeout_ms;
	int keep_log;
	bool may_be_empty; /* a file without anything in it is a new database, not one that was lost */
	bool impatient;    /* the lock was held too long already: nobody else waits for it */
	bool open;      /* between begin and commit */
	bool marked;
	bool failed;    /* this transaction was undone by a failure */
	unsigned lists; /* callbacks that are running */
	struct db_seen seen;
	struct db_word words[DB_WORDS];
	unsigned next_word; /* is replaced next */
	sqlite3_stmt *statements[SQL_N];
};

/* Each file fills in its share of the operations. */
void db_enrolee_ops(struct store_ops *ops);
void db_issued_ops(struct store_ops *ops);
void db_record_ops(struct store_ops *ops);
void db_symkey_ops(struct store_ops *ops);
void db_request_ops(struct store_ops *ops);
void db_token_ops(struct store_ops *ops); /* and preferences */

/* What goes with an enrolee. */
MUST_CHECK enum err db_symkeys_clear(struct db *db, const char *enrolee_id, struct why *why);
MUST_CHECK enum err db_requests_clear(struct db *db, const char *enrolee_id, struct why *why);
MUST_CHECK enum err db_tokens_clear(struct db *db, const char *enrolee_id, struct why *why);

/* Names the failure and what to do; undoes the whole transaction that it hit, if any. */
enum err db_fail(struct db *db, int rc, const char *doing, struct why *why);
/* OK when a write is in order now. */
MUST_CHECK enum err db_writable(const struct db *db, struct why *why);

/*
 * A statement, unbound, borrowed until db_done (OWNED_STATEMENT does that). Binds count from 1,
 * columns from 0. ERR_BUG when a callback asks for the very list that runs it.
 */
MUST_CHECK enum err db_statement(struct db *db, enum sql sql, sqlite3_stmt **out, struct why *why);
void db_done(sqlite3_stmt **statement);
#define OWNED_STATEMENT __attribute__((cleanup(db_done)))

/* Bound values are borrowed until db_done. A bind cannot fail with the indexes and sizes that we use. */
void db_bind_text(sqlite3_stmt *s, int at, const char *text); /* NULL as "" */
void db_bind_bytes(sqlite3_stmt *s, int at, struct span bytes); /* SQL NULL when empty */
void db_bind_number(sqlite3_stmt *s, int at, int64_t number);
/* True: a row is there. False: *err is OK (no more rows) or the failure. */
bool db_row(struct db *db, sqlite3_stmt *s, enum err *err, const char *doing, struct why *why);
/* Runs what yields no row. *changed_out (may be NULL): rows written, -1 for a broken constraint. */
MUST_CHECK enum err db_run(struct db *db, sqlite3_stmt *s, int *changed_out, const char *doing,
	struct why *why);

const char *db_text(sqlite3_stmt *s, int at); /* until the next row; never NULL */
struct span db_bytes(sqlite3_stmt *s, int at);
void db_hash(sqlite3_stmt *s, int at, uint8_t out[32]);

/* Number of a text or hash that many rows repeat. */
MUST_CHECK enum err db_word(struct db *db, struct span value, int64_t *out, struct why *why);
/* Adds to the counters of what would be slow to count. */
struct db_totals {
	int64_t enrolees, disabled, revoked;
};
MUST_CHECK enum err db_totals_add(struct db *db, struct db_totals delta, struct why *why);
MUST_CHECK enum err db_enrolee_find(struct db *db, const char *id, struct db_enrolee *out,
	struct why *why);
MUST_CHECK enum err db_enrolee_name(struct db *db, const char *id, int64_t *number_out,
	struct why *why);
/* Remembers that for the rest of the transaction, if one is open; id "" forgets. */
void db_enrolee_seen(struct db *db, const char *id, struct db_enrolee enrolee);

/* sqlite_schema.c */
enum { DB_APPLICATION_ID = 0x4f4d4546, DB_VERSION = 5 }; /* "OMEF" */
/* Refuses what is not ours (STORE_FOREIGN) or too new (STORE_FUTURE), before anything is written. */
MUST_CHECK enum err db_inspect(struct db *db, struct why *why);
/* Brings the schema up to date, one transaction per step. */
MUST_CHECK enum err db_migrate(struct db *db, struct why *why);
/* Runs texts of our own that bind nothing. */
MUST_CHECK enum err db_exec(struct db *db, const char *sql, const char *doing, struct why *why);
