#include "adapt/store/sqlite_db.h"

#define ENROLEE "SELECT id, entity_type, entity_id, state, label, profile, created_s, changed_s, n FROM enrolee "
#define CREDENTIAL \
	"SELECT e.id, c.kind, c.value, a.value FROM credential c JOIN enrolee e ON e.n = c.enrolee " \
	"JOIN word a ON a.n = c.anchor "
#define ISSUED_COLUMNS \
	"SELECT i.serial, e.id, p.value, l.value, i.issued_s, i.not_before_s, i.not_after_s, i.der, " \
	"i.spki_sha256, i.csr_sha256, i.nonce, i.state, i.revoked_s, i.reason FROM issued i "
#define ISSUED_JOINS \
	"LEFT JOIN enrolee e ON e.n = i.enrolee JOIN word p ON p.n = i.profile " \
	"JOIN word l ON l.n = i.est_label "
#define SYMKEY "SELECT kind, id, owner, sealed, created_s, expires_s, info FROM symkey "
#define TOKEN "SELECT id, hash, enrolee, created_s, expires_s, claimed_s, claimed_by, spent_s FROM token "
#define REQUEST \
	"SELECT id, enrolee, est_label, kind, csr_sha256, csr, nonce, state, created_s, expires_s, decided_s, decided_by, " \
	"reason, serial FROM request "
/* In the words of the partial indices. */
#define TOKEN_OF "(enrolee = ?1 AND enrolee <> '') OR (claimed_by = ?1 AND claimed_by <> '')"
#define ISSUED_FILTER \
	"i.serial > ?1 AND (?2 = 0 OR i.state = ?2) AND (?3 = 0 OR i.not_after_s < ?3) "

const char *const sqlite_sql[SQL_N] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_MARK] = "SAVEPOINT mark",
	[SQL_RELEASE] = "RELEASE mark",
	[SQL_UNDO] = "ROLLBACK TO mark",

	[SQL_WORD_FIND] = "SELECT n FROM word WHERE value = ?1",
	[SQL_WORD_ADD] = "INSERT INTO word (value) VALUES (?1)",
	[SQL_TOTALS_ADD] = "UPDATE totals SET enrolees = enrolees + ?1, disabled = disabled + ?2, "
			   "revoked = revoked + ?3, revision = revision + ?3",
	[SQL_REVISION] = "SELECT revision FROM totals",

	[SQL_ENROLEE_NUMBER] = "SELECT n, state FROM enrolee WHERE id = ?1",
	[SQL_ENROLEE_NAME] = "INSERT INTO enrolee (id, state) VALUES (?1, 0)",
	[SQL_ENROLEE_ADD] =
		"INSERT INTO enrolee (id, entity_type, entity_id, state, label, profile, created_s, changed_s) "
		"VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO UPDATE SET "
		"entity_type = ?2, entity_id = ?3, state = ?4, label = ?5, profile = ?6, created_s = ?7, changed_s = ?8",
	[SQL_ENTITY_FIND] = "SELECT id FROM enrolee WHERE entity_type = ?1 AND entity_id = ?2",
	[SQL_ENROLEE_SET_STATE] = "UPDATE enrolee SET state = ?2, changed_s = ?3 WHERE n = ?1",
	[SQL_ENROLEE_HAS_CERT] =
		"SELECT 1 FROM issued WHERE enrolee = ?1 AND state = 1 AND not_after_s >= ?2 LIMIT 1",
	[SQL_ENROLEE_DROP] =
		"DELETE FROM enrolee WHERE n = ?1 AND NOT EXISTS (SELECT 1 FROM issued WHERE enrolee = ?1)",
	[SQL_ENROLEE_BURY] = "UPDATE enrolee SET state = 0, entity_type = NULL, entity_id = NULL, label = NULL, "
			     "profile = NULL, created_s = NULL, changed_s = NULL WHERE n = ?1",
	[SQL_ENROLEE_FIND] = ENROLEE "WHERE id = ?1 AND state > 0",
	[SQL_ENROLEE_LIST] =
		ENROLEE "WHERE id > ?1 AND state > 0 AND (?2 = 0 OR state = ?2) AND (?3 = '' "
			"OR instr(lower(id), lower(?3)) OR instr(lower(entity_id), lower(?3)) "
			"OR instr(lower(label), lower(?3))) ORDER BY id LIMIT ?4",

	[SQL_CREDENTIAL_ADD] = "INSERT INTO credential (kind, value, anchor, enrolee) VALUES (?1, ?2, ?3, ?4)",
	[SQL_CREDENTIAL_FIND] = CREDENTIAL "WHERE c.kind = ?1 AND c.value = ?2 AND c.anchor = ?3",
	[SQL_CREDENTIAL_CLEAR] = "DELETE FROM credential WHERE enrolee = ?1",
	[SQL_CREDENTIAL_LIST] = CREDENTIAL
	"WHERE c.enrolee = (SELECT n FROM enrolee WHERE id = ?1) ORDER BY c.kind, c.value, a.value",
	[SQL_CREDENTIAL_MATCH] = CREDENTIAL "WHERE c.kind = ?1 AND c.value = ?2 ORDER BY a.value",
	/* STORE_MATCH_MAX names; what is not bound is NULL and matches nothing. */
	[SQL_CREDENTIAL_MATCH_ANY] =
		"WITH q (i, kind, value) AS (VALUES (1, ?1, ?2), (2, ?3, ?4), (3, ?5, ?6), (4, ?7, ?8), "
		"(5, ?9, ?10), (6, ?11, ?12), (7, ?13, ?14), (8, ?15, ?16)) "
		"SELECT e.id, c.kind, c.value, a.value FROM q CROSS JOIN credential c "
		"ON c.kind = q.kind AND c.value = q.value CROSS JOIN enrolee e ON e.n = c.enrolee "
		"CROSS JOIN word a ON a.n = c.anchor ORDER BY q.i, a.value",

	[SQL_ISSUED_ADD] =
		"INSERT INTO issued (serial, enrolee, profile, est_label, issued_s, not_before_s, not_after_s, "
		"spki_sha256, csr_sha256, nonce, state, der) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 1, ?11)",
	[SQL_ISSUED_FIND] = ISSUED_COLUMNS ISSUED_JOINS "WHERE i.serial = ?1",
	[SQL_ISSUED_BY_NONCE] = ISSUED_COLUMNS ISSUED_JOINS "WHERE i.nonce = ?1",
	[SQL_ISSUED_LIST] = ISSUED_COLUMNS ISSUED_JOINS "WHERE " ISSUED_FILTER "ORDER BY i.serial LIMIT ?4",
	[SQL_ISSUED_LIST_OF] = ISSUED_COLUMNS "INDEXED BY issued_enrolee " ISSUED_JOINS "WHERE " ISSUED_FILTER
		"AND i.enrolee = (SELECT n FROM enrolee WHERE id = ?5) ORDER BY i.serial LIMIT ?4",
	[SQL_ISSUED_REVOKE] =
		"UPDATE issued SET state = 2, revoked_s = ?2, reason = ?3 WHERE serial = ?1 AND state = 1",
	[SQL_REVOKED_LIST] = "SELECT serial, not_after_s, revoked_s, reason FROM issued "
			     "WHERE state = 2 AND not_after_s >= ?1 ORDER BY serial",

	[SQL_SYMKEY_COUNT] = "SELECT count(*) FROM symkey WHERE owner = ?1 AND kind BETWEEN ?2 AND ?3",
	[SQL_SYMKEY_ADD] = "INSERT INTO symkey (kind, id, owner, sealed, created_s, expires_s, info) "
			   "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[SQL_SYMKEY_SET] = "UPDATE symkey SET sealed = ?3, expires_s = ?4, info = ?5 WHERE kind = ?1 AND id = ?2",
	[SQL_SYMKEY_REMOVE] = "DELETE FROM symkey WHERE kind = ?1 AND id = ?2",
	[SQL_SYMKEY_FIND] = SYMKEY "WHERE kind = ?1 AND id = ?2",
	[SQL_SYMKEY_LIST] = SYMKEY "WHERE (kind, id) > (?1, ?2) AND kind <= ?3 ORDER BY kind, id LIMIT ?4",
	[SQL_SYMKEY_LIST_OF] = SYMKEY
	"WHERE owner = ?5 AND (kind, id) > (?1, ?2) AND kind <= ?3 ORDER BY kind, id LIMIT ?4",
	[SQL_SYMKEY_DUE] = SYMKEY
	"WHERE expires_s <> 0 AND expires_s <= ?1 ORDER BY expires_s, kind, id LIMIT ?2",
	[SQL_SYMKEY_CLEAR] = "DELETE FROM symkey WHERE owner = ?1 AND kind BETWEEN ?2 AND ?3",

	[SQL_PREFS_PUT] = "INSERT INTO prefs (scope, key, json) VALUES (?1, ?2, ?3) "
			  "ON CONFLICT (scope, key) DO UPDATE SET json = ?3",
	[SQL_PREFS_GET] = "SELECT json FROM prefs WHERE scope = ?1 AND key = ?2",
	[SQL_PREFS_REMOVE] = "DELETE FROM prefs WHERE scope = ?1 AND key = ?2",

	[SQL_TOKEN_ADD] = "INSERT INTO token (hash, id, enrolee, created_s, expires_s, claimed_s, claimed_by, "
			  "spent_s) VALUES (?1, ?2, ?3, ?4, ?5, 0, '', 0)",
	[SQL_TOKEN_FIND] = TOKEN "WHERE hash = ?1",
	[SQL_TOKEN_CLAIM] = "UPDATE token SET claimed_s = ?2, claimed_by = ?3 WHERE hash = ?1",
	[SQL_TOKEN_SPEND] = "UPDATE token SET spent_s = ?2 WHERE hash = ?1",
	[SQL_TOKEN_LIST] = TOKEN "WHERE id > ?1 ORDER BY id LIMIT ?2",
	[SQL_TOKEN_REMOVE] = "DELETE FROM token WHERE id = ?1",
	[SQL_TOKEN_CLEAR] = "DELETE FROM token WHERE " TOKEN_OF,
	[SQL_TOKEN_PREFS_CLEAR] = "DELETE FROM prefs WHERE scope = ?2 AND key IN (SELECT id FROM token WHERE " TOKEN_OF ")",

	[SQL_REQUEST_ADD] = "INSERT INTO request (id, enrolee, csr_sha256, kind, est_label, csr, nonce, created_s, expires_s, state, "
			    "decided_s, decided_by, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, 0, '', '')",
	[SQL_REQUEST_COUNT] = "SELECT (SELECT count(*) FROM request WHERE state = 1 AND enrolee = ?1 AND expires_s > ?2), "
			      "(SELECT count(*) FROM request WHERE state = 1 AND expires_s > ?2)",
	[SQL_REQUEST_FIND] = REQUEST "WHERE id = ?1",
	[SQL_REQUEST_FIND_CSR] = REQUEST "WHERE enrolee = ?1 AND csr_sha256 = ?2 AND kind = ?3 AND est_label = ?4",
	[SQL_REQUEST_DECIDE] = "UPDATE request SET state = ?2, decided_s = ?3, decided_by = ?4, reason = ?5, expires_s = ?6 "
			       "WHERE id = ?1 AND state = 1",
	[SQL_REQUEST_DONE] = "UPDATE request SET state = 4, serial = ?2 WHERE id = ?1 AND state IN (1, 2)",
	[SQL_REQUEST_REMOVE] = "DELETE FROM request WHERE id = ?1",
	[SQL_REQUEST_LIST] = REQUEST "WHERE id > ?1 AND (?2 = 0 OR state = ?2) AND (?3 = '' OR enrolee = ?3) ORDER BY id LIMIT ?4",
	[SQL_REQUEST_DUE] = REQUEST "WHERE expires_s <= ?1 ORDER BY expires_s, id LIMIT ?2",
	[SQL_REQUEST_CLEAR] = "DELETE FROM request WHERE enrolee = ?1",

	[SQL_CRL_PUT] =
		"INSERT INTO crl (ca, number, this_update_s, next_update_s, revision, der) "
		"VALUES (?6, ?1, ?2, ?3, ?4, ?5) ON CONFLICT (ca) DO UPDATE SET number = ?1, this_update_s = ?2, "
		"next_update_s = ?3, revision = ?4, der = ?5 WHERE crl.number < ?1",
	[SQL_CRL_GET] = "SELECT number, this_update_s, next_update_s, revision, der FROM crl WHERE ca = ?1",
	[SQL_SECRET_PUT] = "INSERT INTO secret (name, sealed) VALUES (?1, ?2) "
			   "ON CONFLICT (name) DO UPDATE SET sealed = ?2",
	[SQL_SECRET_GET] = "SELECT sealed FROM secret WHERE name = ?1",

	[SQL_AUDIT_HEAD] = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1",
	[SQL_AUDIT_ADD] = "INSERT INTO audit (seq, time_s, event, prev, hash) VALUES (?1, ?2, ?3, ?4, ?5)",
	[SQL_AUDIT_LIST] = "SELECT seq, time_s, event, prev, hash FROM audit WHERE seq >= ?1 ORDER BY seq LIMIT ?2",
	/* Neither issued nor audit rows are ever deleted (the schema forbids it): the highest number counts them. */
	[SQL_COUNTS] = "SELECT enrolees, disabled, (SELECT coalesce(max(n), 0) FROM issued), revoked, "
		       "(SELECT coalesce(max(seq), 0) FROM audit), (SELECT count(*) FROM request WHERE state = 1) FROM totals",
};
