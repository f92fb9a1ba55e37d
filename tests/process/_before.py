"""
A directory as the release before certificates of other CAs, held requests and rollovers left it: its configuration text, its
schema of version 2 as SQL, and no message key. Made from a fresh directory, whose rows of the tables of that time are kept.
"""

import contextlib
import sqlite3

SCHEMA = 2
APPLICATION = 0x4F4D4546

# Keys of a configuration of that time, section by section; whatever else stands in today's file is taken out.
KEYS = {
	"serve": "role",
	"mef": "fqdn https http public_http tls_cert tls_key device_anchors fronts signers connections connections_per_source "
		"handshake_timeout request_timeout idle_timeout body_max psk ems_required token_required public_https",
	"ca": "cert key chain crl_lifetime crl_overlap",
	"keys": "master",
	"store": "database",
	"log": "json level",
	"profile": "validity backdate keys key_usage ekus sans san_required suffixes suid_ekus suid_arc",
	"label": "profile challenge bind_tls challenge_ttl reuse_key ask_key ask_ekus",
}

SQL = """
CREATE TABLE word (n INTEGER PRIMARY KEY, value BLOB NOT NULL UNIQUE) STRICT;
CREATE TABLE totals (one INTEGER PRIMARY KEY CHECK (one = 1), enrolees INTEGER NOT NULL,
 disabled INTEGER NOT NULL, revoked INTEGER NOT NULL, revision INTEGER NOT NULL) STRICT;
CREATE TABLE enrolee (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
 state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2), entity_type INTEGER, entity_id TEXT,
 label TEXT, profile TEXT, created_s INTEGER, changed_s INTEGER,
 UNIQUE (entity_type, entity_id),
 CHECK (state = 0 OR (entity_type BETWEEN 1 AND 4 AND entity_id IS NOT NULL AND label IS NOT NULL
  AND profile IS NOT NULL AND created_s IS NOT NULL AND changed_s IS NOT NULL))) STRICT;
CREATE TABLE credential (kind INTEGER NOT NULL, value TEXT NOT NULL,
 anchor INTEGER NOT NULL REFERENCES word (n), enrolee INTEGER NOT NULL REFERENCES enrolee (n),
 PRIMARY KEY (kind, value, anchor)) STRICT, WITHOUT ROWID;
CREATE INDEX credential_enrolee ON credential (enrolee);
CREATE TABLE issued (n INTEGER PRIMARY KEY, serial BLOB NOT NULL UNIQUE,
 enrolee INTEGER REFERENCES enrolee (n), profile INTEGER NOT NULL REFERENCES word (n),
 est_label INTEGER NOT NULL REFERENCES word (n), issued_s INTEGER NOT NULL,
 not_before_s INTEGER NOT NULL, not_after_s INTEGER NOT NULL,
 state INTEGER NOT NULL CHECK (state IN (1, 2)), revoked_s INTEGER, reason INTEGER,
 spki_sha256 BLOB NOT NULL, csr_sha256 BLOB NOT NULL, nonce BLOB, der BLOB NOT NULL) STRICT;
CREATE UNIQUE INDEX issued_nonce ON issued (nonce) WHERE nonce IS NOT NULL;
CREATE INDEX issued_enrolee ON issued (enrolee);
CREATE INDEX issued_revoked ON issued (serial, not_after_s, revoked_s, reason) WHERE state = 2;
CREATE TRIGGER issued_stays BEFORE DELETE ON issued
 BEGIN SELECT RAISE(ABORT, 'issued certificates stay'); END;
CREATE TABLE crl (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL,
 this_update_s INTEGER NOT NULL, next_update_s INTEGER NOT NULL, revision INTEGER NOT NULL,
 der BLOB NOT NULL) STRICT;
CREATE TABLE secret (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE audit (seq INTEGER PRIMARY KEY, time_s INTEGER NOT NULL, event TEXT NOT NULL,
 prev BLOB NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
 BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit
 BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TABLE symkey (kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 7), id TEXT NOT NULL,
 owner TEXT NOT NULL, sealed BLOB, created_s INTEGER NOT NULL, expires_s INTEGER NOT NULL,
 info TEXT NOT NULL, PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID;
CREATE INDEX symkey_owner ON symkey (owner, kind, id);
CREATE INDEX symkey_due ON symkey (expires_s, kind, id) WHERE expires_s <> 0;
CREATE TABLE prefs (scope INTEGER NOT NULL CHECK (scope BETWEEN 1 AND 3), key TEXT NOT NULL,
 json BLOB NOT NULL, PRIMARY KEY (scope, key)) STRICT, WITHOUT ROWID;
CREATE TABLE token (hash BLOB PRIMARY KEY, id TEXT NOT NULL UNIQUE, enrolee TEXT NOT NULL,
 created_s INTEGER NOT NULL, expires_s INTEGER NOT NULL, claimed_s INTEGER NOT NULL,
 claimed_by TEXT NOT NULL, spent_s INTEGER NOT NULL,
 CHECK ((claimed_s = 0) = (claimed_by = '') AND (spent_s = 0 OR claimed_s <> 0))) STRICT, WITHOUT ROWID;
CREATE INDEX token_enrolee ON token (enrolee) WHERE enrolee <> '';
CREATE INDEX token_claimed ON token (claimed_by) WHERE claimed_by <> '';
"""

TABLES = ("word", "totals", "enrolee", "credential", "issued", "secret", "audit", "symkey", "prefs", "token")


def configuration(text):
	out, keys = [], ""
	for line in text.split("\n"):
		if line.startswith("["):
			keys = KEYS.get(line.strip("[]").split()[0])
		name = line.split("=")[0].strip()
		if keys is not None and not line.startswith("#") and (line.startswith("[") or not name or name in keys.split()):
			out.append(line)
	return "\n".join(out)


def database(path):
	new = path.with_suffix(".old")
	with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as db:
		db.execute("PRAGMA journal_mode = WAL")
		db.executescript(SQL)
		db.execute("ATTACH ? AS now", (str(path),))
		db.execute("BEGIN")
		for table in TABLES:
			db.execute(f"INSERT INTO {table} SELECT * FROM now.{table}")
		db.execute("INSERT INTO crl SELECT 1, number, this_update_s, next_update_s, revision, der FROM now.crl WHERE ca = 'issuing'")
		db.execute("COMMIT")
		db.execute(f"PRAGMA application_id = {APPLICATION}")
		db.execute(f"PRAGMA user_version = {SCHEMA}")
	for name in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
		name.unlink(missing_ok=True)
	new.rename(path)
	path.chmod(0o600)


def turn_back(directory):
	"""The stopped service's directory, as the program of that time would have left it."""
	conf = directory / "openmef.conf"
	conf.write_text(configuration(conf.read_text()))
	database(directory / "openmef.db")
	for name in ("message.cert.pem", "message.key.pem"):
		(directory / "ca" / name).unlink()


def version(directory):
	with contextlib.closing(sqlite3.connect(directory / "openmef.db")) as db:
		return db.execute("PRAGMA user_version").fetchone()[0]
