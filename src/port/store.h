#pragma once
/*
 * Everything that outlives a process: enrolees, their credentials, issued certificates, sealed
 * secrets, CRLs and the audit log. Synchronous, one caller; writes only between begin and commit.
 * After commit() returned OK the writes survive power loss. Texts and spans in results live in the
 * arena that the caller passes, or, for `each` callbacks, until the callback returns.
 * One contract suite (tests/contract/test_store.c) runs on every implementation.
 */
#include "base/arena.h"
#include "base/why.h"

enum {
	STORE_ID_MAX = 128,     /* enrolee id: letters, digits, . _ - : @ */
	STORE_VALUE_MAX = 512,  /* identity and credential values */
	STORE_LABEL_MAX = 128,
	STORE_PROFILE_MAX = 32,
	STORE_SERIAL_MAX = 20,
	STORE_NONCE_SIZE = 16,
	STORE_PAGE_MAX = 1000,
	STORE_EVENT_MAX = 4096,
	STORE_DER_MAX = 65536,    /* one certificate */
	STORE_SECRET_MAX = 65536, /* one sealed secret */
	STORE_CA_MAX = 32,
	STORE_CRL_MAX = 64 << 20, /* 100 octets a row: some 600,000 revoked certificates */
	STORE_KEY_ID_MAX = 320,     /* HEX32@FQDN */
	STORE_KEY_SEALED_MAX = 512, /* salt and verifier of an SRP user: 400 octets */
	STORE_KEY_INFO_MAX = 16384, /* JSON */
	STORE_PREFS_MAX = 16384,    /* JSON */
	STORE_KEYS_PER_OWNER_MAX = 64,
	STORE_REQUEST_ID_MAX = 16,
	STORE_CSR_MAX = 16384,
	STORE_REASON_MAX = 160,      /* of a decision; its refusal's text has room for it */
	STORE_NAME_MAX = 64,         /* of who decided */
	STORE_REQUESTS_PER_ENROLEE = 4, /* waiting at once: a device has one request, an operator's hand can look through few */
	STORE_REQUESTS_MAX = 10000,  /* waiting at once in all: at 16 KiB each no more than 160 MiB */
	STORE_MATCH_MAX = 8, /* the names and digests of most certificates in one look-up */
};

/* The identifier type that the MEF associates with a client (TS-0003 10.1.4, 8.3.6.2). */
enum entity_type {
	ENTITY_NODE = 1, /* M2M-Node-ID, a URI such as urn:gsma:imei:... */
	ENTITY_CSE = 2,  /* CSE-ID as the CSE's public domain name */
	ENTITY_AE = 3,   /* AE-ID as a URI */
	ENTITY_FQDN = 4, /* a host name: gateways, plain IT devices */
};

enum enrolee_state {
	ENROLEE_ENABLED = 1,
	ENROLEE_DISABLED = 2,
};

struct enrolee {
	const char *id; /* operator's handle, unique */
	enum entity_type entity_type;
	const char *entity_id; /* goes into the certificate; unique per type */
	enum enrolee_state state;
	const char *label;   /* free text for people */
	const char *profile; /* certificate profile; "" takes the label's */
	int64_t created_s;
	int64_t changed_s;
};

/* How a client shows who it is. Values are unique per kind and anchor. */
enum credential_kind {
	CREDENTIAL_DEVICE = 1,  /* device certificate: hardware id in an otherName (san_text form) */
	CREDENTIAL_SERIAL = 2,  /* device certificate: subject serialNumber (802.1AR) */
	CREDENTIAL_FQDN = 3,    /* dNSName; also CSE-ID certificates */
	CREDENTIAL_URI = 4,     /* URI: AE-ID and Node-ID certificates */
	CREDENTIAL_KEY = 5,     /* raw public key: "sha-256;<base64url>" of the SPKI (RFC 6920) */
	CREDENTIAL_CERT = 6,    /* this very certificate: SHA-256 of its DER, hex */
};

struct credential {
	enum credential_kind kind;
	const char *value;
	uint8_t anchor[32]; /* SHA-256 of the one anchor that may vouch; all zero: any explicit anchor */
};

/* What a certificate shows. */
struct credential_name {
	enum credential_kind kind;
	const char *value;
};

enum issued_state {
	ISSUED_VALID = 1,
	ISSUED_REVOKED = 2,
};

struct issued {
	struct span serial; /* big-endian, unique; leading zero octets are dropped */
	const char *enrolee_id;
	const char *profile;
	const char *est_label;
	int64_t issued_s;
	int64_t not_before_s;
	int64_t not_after_s;
	struct span der;
	uint8_t spki_sha256[32];
	uint8_t csr_sha256[32];
	struct span nonce; /* challenge nonce, STORE_NONCE_SIZE octets, unique; empty: none was used */
	enum issued_state state;
	int64_t revoked_s;
	uint8_t reason;
};

struct crl_row {
	char ca[STORE_CA_MAX]; /* which CA's: the name of its configuration */
	uint64_t number;
	int64_t this_update_s;
	int64_t next_update_s;
	uint64_t revision; /* store revision of revocations that it covers */
	struct span der;
};

struct audit_row {
	uint64_t seq; /* from 1, without gaps */
	int64_t time_s;
	const char *event; /* one JSON object, canonical text; what is hashed */
	uint8_t prev[32];
	uint8_t hash[32];
};

/* Symmetric keys: what each proves or protects. */
enum symkey_kind {
	SYMKEY_KPM = 1,    /* pre-provisioned enrolee key, by KpmId (TS-0003 8.3.2.1) */
	SYMKEY_KRE = 2,    /* enrolment re-authentication key, by KreId */
	SYMKEY_KE = 3,     /* enrolment key, by KeId; info: the exchange */
	SYMKEY_KM = 4,     /* a MAF's: master credential, by KmId */
	SYMKEY_KM_KEID = 5, /* the same key under the KeId that it was fetched by */
	SYMKEY_KC = 6,     /* a MAF's: registered key, by its RelativeKeyID in hex; info: the registration */
	SYMKEY_CLIENT = 7, /* a MAF's client registration, by its id; holds no key */
	SYMKEY_SRP = 8,    /* an enrolee's SRP user: salt and verifier, by the user's name (RFC 5054) */
};

struct symkey {
	enum symkey_kind kind;
	const char *id;    /* normal form; unique per kind */
	const char *owner; /* enrolee id up to SYMKEY_KE and of SYMKEY_SRP; of a MAF: its client's entity id */
	struct span sealed; /* at most STORE_KEY_SEALED_MAX; empty where there is no key */
	int64_t created_s;
	int64_t expires_s; /* 0: never */
	const char *info;  /* JSON, "" for none */
};

struct symkey_filter {
	int kind;             /* 0 for all */
	const char *owner;    /* "" for all */
	const char *after_id; /* keyset page within one kind; "" from the start. Needs a kind */
	size_t limit;
};

/* Preferences for provisioning, JSON (proto/m2m/prefs.h). */
enum prefs_scope { PREFS_DEFAULT = 1, PREFS_TOKEN = 2, PREFS_ENROLEE = 3 };

/* Enrolment-Token: single use, known by its hash only. */
struct token {
	const char *id;         /* handle for people, unique */
	uint8_t hash[32];       /* SHA-256 of the token, unique */
	const char *enrolee_id; /* whose it is; "": of whoever shows it first */
	int64_t created_s;
	int64_t expires_s;
	int64_t claimed_s;      /* first shown; 0: not yet */
	const char *claimed_by; /* enrolee id */
	int64_t spent_s;        /* its exchange came to its end; 0: not yet */
};

/* What a request that waits for a person asks for. */
enum request_kind {
	REQUEST_ENROL = 1,
	REQUEST_REENROL = 2,
	REQUEST_KEYGEN = 3,
	REQUEST_CMC = 4,
};

enum request_state {
	REQUEST_WAITING = 1,
	REQUEST_APPROVED = 2, /* its certificate is issued when the client asks next */
	REQUEST_DENIED = 3,
	REQUEST_DONE = 4,
};

/* RFC 7030 4.2.3: one certificate request that was not answered at once. It is known by enrolee, label, kind and CSR. */
struct request {
	const char *id; /* handle for people, unique */
	const char *enrolee_id;
	const char *est_label;
	enum request_kind kind;
	uint8_t csr_sha256[32];
	struct span csr;   /* DER */
	struct span nonce; /* of its challenge, which was good when it came; empty: it had none */
	enum request_state state;
	int64_t created_s;
	int64_t expires_s; /* it counts for nothing from then on */
	int64_t decided_s; /* 0: not yet */
	const char *decided_by; /* "" */
	const char *reason;     /* of the decision; "" */
	struct span serial; /* of the certificate when done */
};

/* A person's word, and how long it counts. */
struct request_decision {
	enum request_state state; /* REQUEST_APPROVED, REQUEST_DENIED */
	const char *by;
	const char *reason;
	int64_t now_s;
	int64_t expires_s;
};

struct request_filter {
	const char *after_id;   /* keyset page; "" from the start */
	const char *enrolee_id; /* "" for all */
	int state;              /* 0 for all */
	size_t limit;
};

struct store_counts {
	uint64_t enrolees, enrolees_disabled, issued, revoked, audit;
	uint64_t waiting; /* requests, those that are past their time too */
};

struct enrolee_filter {
	const char *after_id; /* keyset page: ids above this; "" from the start */
	const char *text;     /* part of id, entity id or label, ASCII letters without case; "" for all */
	int state;            /* 0 for all */
	size_t limit;         /* 1..STORE_PAGE_MAX */
};

struct issued_filter {
	struct span after;      /* keyset page: serials above; empty from the start */
	const char *enrolee_id; /* "" for all */
	int state;              /* 0 for all */
	int64_t expires_before_s; /* 0 for all */
	size_t limit;
};

/* A callback may find and list something else, but not write. Its failure ends the list and is returned. */
typedef enum err (*enrolee_each)(void *arg, const struct enrolee *e, struct why *why);
typedef enum err (*credential_each)(void *arg, const char *enrolee_id, const struct credential *c, struct why *why);
typedef enum err (*issued_each)(void *arg, const struct issued *i, struct why *why);
typedef enum err (*audit_each)(void *arg, const struct audit_row *row, struct why *why);
typedef enum err (*symkey_each)(void *arg, const struct symkey *k, struct why *why);
typedef enum err (*request_each)(void *arg, const struct request *r, struct why *why);
typedef enum err (*token_each)(void *arg, const struct token *t, struct why *why);

struct store_ops {
	/* Transactions. mark/undo nest one level inside: a failed request leaves no trace in the batch.
	 * undo goes back to the mark and ends it; release keeps the writes and ends it. A call out of
	 * order (a write outside, a second begin or mark) is ERR_BUG; rollback and undo then do nothing.
	 * After ERR_STORE the whole transaction is undone: later writes and commit fail, and
	 * begin works again after rollback or commit, whatever commit returned. */
	enum err (*begin)(void *self, struct why *why);
	enum err (*commit)(void *self, struct why *why);
	void (*rollback)(void *self);
	enum err (*mark)(void *self, struct why *why);
	enum err (*release)(void *self, struct why *why);
	void (*undo)(void *self);

	/* Enrolees. add: ERR_CONFLICT when id or (entity type, entity id) is taken. remove deletes the
	 * credentials too and fails with ERR_CONFLICT while unexpired, unrevoked certificates exist. */
	enum err (*enrolee_add)(void *self, const struct enrolee *e, struct why *why);
	enum err (*enrolee_set_state)(void *self, const char *id, enum enrolee_state state, int64_t now_s, struct why *why);
	enum err (*enrolee_remove)(void *self, const char *id, int64_t now_s, struct why *why);
	enum err (*enrolee_find)(void *self, const char *id, struct arena *arena, struct enrolee *out, struct why *why);
	/* The one with this entity id (normal form). ERR_NOT_FOUND. */
	enum err (*enrolee_by_entity)(void *self, enum entity_type type, const char *entity_id, struct arena *arena, struct enrolee *out, struct why *why);
	enum err (*enrolee_list)(void *self, const struct enrolee_filter *filter, enrolee_each each, void *arg, struct why *why);
	enum err (*credential_add)(void *self, const char *enrolee_id, const struct credential *c, struct why *why);
	enum err (*credential_list)(void *self, const char *enrolee_id, credential_each each, void *arg, struct why *why);
	/* Calls each for every credential of that kind and value, whatever its anchor. */
	enum err (*credential_match)(void *self, enum credential_kind kind, const char *value, credential_each each, void *arg, struct why *why);
	/* The same for n names (0..STORE_MATCH_MAX, else ERR_LIMIT) at the cost of about one: all of the first name's,
	 * then the second's, each in order of the anchors; a name that stands twice counts twice. */
	enum err (*credential_match_any)(void *self, const struct credential_name *names, size_t n, credential_each each, void *arg, struct why *why);

	/* Certificates. add: ERR_CONFLICT when the serial or the nonce exists; it is valid then,
	 * and its enrolee need not be registered. revoke: ERR_NOT_FOUND,
	 * ERR_CONFLICT when revoked already; bumps the revocation revision. */
	enum err (*issued_add)(void *self, const struct issued *i, struct why *why);
	enum err (*issued_find)(void *self, struct span serial, struct arena *arena, struct issued *out, struct why *why);
	enum err (*issued_by_nonce)(void *self, struct span nonce, struct arena *arena, struct issued *out, struct why *why);
	enum err (*issued_list)(void *self, const struct issued_filter *filter, issued_each each, void *arg, struct why *why);
	enum err (*issued_revoke)(void *self, struct span serial, uint8_t reason, int64_t now_s, struct why *why);
	/* Revoked and not_after_s >= now_s, in serial order; only serial, not_after_s, state, revoked_s
	 * and reason are set. */
	enum err (*revoked_list)(void *self, int64_t now_s, issued_each each, void *arg, struct why *why);
	enum err (*revocation_revision)(void *self, uint64_t *out, struct why *why);

	/* Symmetric keys. add: ERR_CONFLICT when (kind, id) exists, ERR_LIMIT when that owner has
	 * STORE_KEYS_PER_OWNER_MAX (an enrolee and a MAF's client of the same name are two owners). set: changes
	 * sealed, expires_s and info of an existing one. find, remove, set: ERR_NOT_FOUND. list: in order of kind
	 * and id. due: expires_s not 0 and <= now_s, oldest first. What is removed or replaced is overwritten
	 * on disk (adapt/store/sqlite.h tells when).
	 * enrolee_remove takes the keys, preferences and tokens (made for it or claimed by it) of that enrolee with it. */
	enum err (*symkey_add)(void *self, const struct symkey *k, struct why *why);
	enum err (*symkey_set)(void *self, const struct symkey *k, struct why *why);
	enum err (*symkey_remove)(void *self, enum symkey_kind kind, const char *id, struct why *why);
	enum err (*symkey_find)(void *self, enum symkey_kind kind, const char *id, struct arena *arena, struct symkey *out, struct why *why);
	enum err (*symkey_list)(void *self, const struct symkey_filter *filter, symkey_each each, void *arg, struct why *why);
	enum err (*symkey_due)(void *self, int64_t now_s, size_t limit, symkey_each each, void *arg, struct why *why);

	/* Preferences. put replaces; key is "" for PREFS_DEFAULT, a token's id or an enrolee's id. get, remove: ERR_NOT_FOUND. */
	enum err (*prefs_put)(void *self, enum prefs_scope scope, const char *key, struct span json, struct why *why);
	enum err (*prefs_get)(void *self, enum prefs_scope scope, const char *key, struct arena *arena, struct span *json, struct why *why);
	enum err (*prefs_remove)(void *self, enum prefs_scope scope, const char *key, struct why *why);

	/* Tokens. add: ERR_CONFLICT; it is neither claimed nor spent then. claim: sets claimed_s and claimed_by once;
	 * again by the same enrolee is OK until it is spent; ERR_CONFLICT for another enrolee or when spent;
	 * ERR_NOT_FOUND. It looks at no date. spend: ERR_NOT_FOUND, ERR_CONFLICT when not claimed or spent already.
	 * list: ids above after_id. remove: takes the token's preferences with it; ERR_NOT_FOUND. */
	enum err (*token_add)(void *self, const struct token *t, struct why *why);
	enum err (*token_find)(void *self, const uint8_t hash[32], struct arena *arena, struct token *out, struct why *why);
	enum err (*token_claim)(void *self, const uint8_t hash[32], const char *enrolee_id, int64_t now_s, struct why *why);
	enum err (*token_spend)(void *self, const uint8_t hash[32], int64_t now_s, struct why *why);
	enum err (*token_list)(void *self, const char *after_id, size_t limit, token_each each, void *arg, struct why *why);
	enum err (*token_remove)(void *self, const char *id, struct why *why);

	/* Requests that wait for a person. add: it waits then; ERR_CONFLICT when the id, or the same CSR of that enrolee,
	 * label and kind, is there; ERR_LIMIT when STORE_REQUESTS_PER_ENROLEE of the enrolee or STORE_REQUESTS_MAX in
	 * all wait and have not expired at its created_s. find_csr: by what names it, whatever its state. decide:
	 * ERR_CONFLICT unless it waits, so that of two decisions one counts; ERR_EXPIRED past its time. done: ERR_CONFLICT
	 * unless it waits or is approved. find, find_csr, decide, done, remove: ERR_NOT_FOUND. due: expires_s <= now_s, oldest
	 * first. enrolee_remove takes the requests of that enrolee with it. */
	enum err (*request_add)(void *self, const struct request *r, struct why *why);
	enum err (*request_find)(void *self, const char *id, struct arena *arena, struct request *out, struct why *why);
	enum err (*request_find_csr)(void *self, const struct request *names, struct arena *arena, struct request *out, struct why *why);
	enum err (*request_decide)(void *self, const char *id, const struct request_decision *d, struct why *why);
	enum err (*request_done)(void *self, const char *id, struct span serial, struct why *why);
	enum err (*request_remove)(void *self, const char *id, struct why *why);
	enum err (*request_list)(void *self, const struct request_filter *filter, request_each each, void *arg, struct why *why);
	enum err (*request_due)(void *self, int64_t now_s, size_t limit, request_each each, void *arg, struct why *why);

	/* CRL: the newest one of each CA. put: ERR_CONFLICT unless the number is above that CA's stored one. get: ERR_NOT_FOUND. */
	enum err (*crl_put)(void *self, const struct crl_row *row, struct why *why);
	enum err (*crl_get)(void *self, const char *ca, struct arena *arena, struct crl_row *out, struct why *why);

	/* Sealed secrets by name; put replaces. get: ERR_NOT_FOUND. */
	enum err (*secret_put)(void *self, const char *name, struct span sealed, struct why *why);
	enum err (*secret_get)(void *self, const char *name, struct arena *arena, struct span *out, struct why *why);

	/* Audit log: append-only, seq must be head + 1 or else ERR_CONFLICT. head: seq 0 and zero hash when empty. */
	enum err (*audit_head)(void *self, uint64_t *seq, uint8_t hash[32], struct why *why);
	enum err (*audit_add)(void *self, const struct audit_row *row, struct why *why);
	enum err (*audit_list)(void *self, uint64_t from_seq, size_t limit, audit_each each, void *arg, struct why *why);

	enum err (*counts)(void *self, struct store_counts *out, struct why *why);
	void (*free)(void *self);
};

struct store {
	void *self;
	const struct store_ops *ops;
};
