#pragma once
/* Inside of the memory store, shared by its files. */
#include "adapt/store/memory_rows.h"

struct memory {
	struct store store; /* what the caller holds; freed with this */
	struct rows rows;
	bool open;      /* between begin and commit */
	bool marked;
	size_t mark;    /* length of the log then */
	unsigned lists; /* callbacks that are running */
};

/* ERR_BUG outside a transaction and inside a callback. */
MUST_CHECK enum err memory_writable(const struct memory *m, struct why *why);
MUST_CHECK enum err memory_no_room(struct why *why);

enum err memory_enrolee_add(void *self, const struct enrolee *e, struct why *why);
enum err memory_enrolee_set_state(void *self, const char *id, enum enrolee_state state,
	int64_t now_s, struct why *why);
enum err memory_enrolee_remove(void *self, const char *id, int64_t now_s, struct why *why);
enum err memory_enrolee_find(void *self, const char *id, struct arena *arena, struct enrolee *out,
	struct why *why);
enum err memory_enrolee_by_entity(void *self, enum entity_type type, const char *entity_id, struct arena *arena,
	struct enrolee *out, struct why *why);
enum err memory_enrolee_list(void *self, const struct enrolee_filter *filter, enrolee_each each,
	void *arg, struct why *why);
enum err memory_credential_add(void *self, const char *enrolee_id, const struct credential *c,
	struct why *why);
enum err memory_credential_list(void *self, const char *enrolee_id, credential_each each,
	void *arg, struct why *why);
enum err memory_credential_match(void *self, enum credential_kind kind, const char *value,
	credential_each each, void *arg, struct why *why);
enum err memory_credential_match_any(void *self, const struct credential_name *names, size_t n,
	credential_each each, void *arg, struct why *why);

enum err memory_issued_add(void *self, const struct issued *i, struct why *why);
enum err memory_issued_find(void *self, struct span serial, struct arena *arena,
	struct issued *out, struct why *why);
enum err memory_issued_by_nonce(void *self, struct span nonce, struct arena *arena,
	struct issued *out, struct why *why);
enum err memory_issued_list(void *self, const struct issued_filter *filter, issued_each each,
	void *arg, struct why *why);
enum err memory_issued_revoke(void *self, struct span serial, uint8_t reason, int64_t now_s,
	struct why *why);
enum err memory_revoked_list(void *self, int64_t now_s, issued_each each, void *arg, struct why *why);
enum err memory_revocation_revision(void *self, uint64_t *out, struct why *why);

enum err memory_symkey_add(void *self, const struct symkey *k, struct why *why);
enum err memory_symkey_set(void *self, const struct symkey *k, struct why *why);
enum err memory_symkey_remove(void *self, enum symkey_kind kind, const char *id, struct why *why);
enum err memory_symkey_find(void *self, enum symkey_kind kind, const char *id, struct arena *arena,
	struct symkey *out, struct why *why);
enum err memory_symkey_list(void *self, const struct symkey_filter *filter, symkey_each each,
	void *arg, struct why *why);
enum err memory_symkey_due(void *self, int64_t now_s, size_t limit, symkey_each each, void *arg,
	struct why *why);

enum err memory_prefs_put(void *self, enum prefs_scope scope, const char *key, struct span json,
	struct why *why);
enum err memory_prefs_get(void *self, enum prefs_scope scope, const char *key, struct arena *arena,
	struct span *json, struct why *why);
enum err memory_prefs_remove(void *self, enum prefs_scope scope, const char *key, struct why *why);
enum err memory_token_add(void *self, const struct token *t, struct why *why);
enum err memory_token_find(void *self, const uint8_t hash[32], struct arena *arena,
	struct token *out, struct why *why);
enum err memory_token_claim(void *self, const uint8_t hash[32], const char *enrolee_id,
	int64_t now_s, struct why *why);
enum err memory_token_spend(void *self, const uint8_t hash[32], int64_t now_s, struct why *why);
enum err memory_token_list(void *self, const char *after_id, size_t limit, token_each each,
	void *arg, struct why *why);
enum err memory_token_remove(void *self, const char *id, struct why *why);

enum err memory_request_add(void *self, const struct request *r, struct why *why);
enum err memory_request_find(void *self, const char *id, struct arena *arena, struct request *out, struct why *why);
enum err memory_request_find_csr(void *self, const struct request *names, struct arena *arena, struct request *out,
	struct why *why);
enum err memory_request_decide(void *self, const char *id, const struct request_decision *d, struct why *why);
enum err memory_request_done(void *self, const char *id, struct span serial, struct why *why);
enum err memory_request_remove(void *self, const char *id, struct why *why);
enum err memory_request_list(void *self, const struct request_filter *filter, request_each each, void *arg,
	struct why *why);
enum err memory_request_due(void *self, int64_t now_s, size_t limit, request_each each, void *arg, struct why *why);
uint64_t memory_requests_waiting(const struct memory *m);

/* What goes with an enrolee. When they fail the caller walks the log back. */
MUST_CHECK enum err memory_symkeys_clear(struct memory *m, const char *enrolee_id, struct why *why);
MUST_CHECK enum err memory_tokens_clear(struct memory *m, const char *enrolee_id, struct why *why);
MUST_CHECK enum err memory_requests_clear(struct memory *m, const char *enrolee_id, struct why *why);
