#pragma once
/* What every store refuses before it looks at its rows, so that all of them answer alike. */
#include "port/store.h"

/* Never NULL. */
const char *store_text(const char *text);
/* Without leading zero octets: one number, one form. */
struct span store_serial(struct span serial);

/* ERR_SYNTAX (STORE_VALUE) for what has no place in the store, ERR_LIMIT (STORE_SIZE) for what is too long. */
MUST_CHECK enum err store_check_enrolee(const struct enrolee *e, struct why *why);
MUST_CHECK enum err store_check_state(enum enrolee_state state, struct why *why);
MUST_CHECK enum err store_check_credential(const struct credential *c, struct why *why);
MUST_CHECK enum err store_check_match(size_t n, struct why *why);
MUST_CHECK enum err store_check_issued(const struct issued *i, struct why *why);
MUST_CHECK enum err store_check_crl(const struct crl_row *row, struct why *why);
MUST_CHECK enum err store_check_secret(const char *name, struct span sealed, struct why *why);
MUST_CHECK enum err store_check_audit(const struct audit_row *row, struct why *why);
/* ERR_LIMIT (STORE_PAGE) unless 1..STORE_PAGE_MAX. */
MUST_CHECK enum err store_check_limit(size_t limit, struct why *why);
MUST_CHECK enum err store_check_search(const struct enrolee_filter *filter, struct why *why);

MUST_CHECK enum err store_check_symkey(const struct symkey *k, struct why *why);
/* What set changes. */
MUST_CHECK enum err store_check_symkey_values(const struct symkey *k, struct why *why);
MUST_CHECK enum err store_check_symkey_filter(const struct symkey_filter *filter, struct why *why);
/* Kinds whose keys count together for one owner: the MEF's are an enrolee's, the others a MAF client's. */
struct store_kinds {
	enum symkey_kind first, last;
};
struct store_kinds store_family(enum symkey_kind kind);

MUST_CHECK enum err store_check_prefs_key(enum prefs_scope scope, const char *key, struct why *why);
MUST_CHECK enum err store_check_prefs(enum prefs_scope scope, const char *key, struct span json, struct why *why);
MUST_CHECK enum err store_check_token(const struct token *t, struct why *why);
/* What became of the stored token t: may this enrolee claim it now, may it be spent? ERR_CONFLICT. */
MUST_CHECK enum err store_check_claim(const struct token *t, const char *enrolee_id, int64_t now_s, struct why *why);
MUST_CHECK enum err store_check_spend(const struct token *t, int64_t now_s, struct why *why);

MUST_CHECK enum err store_check_serial(struct span serial, struct why *why);
MUST_CHECK enum err store_check_request(const struct request *r, struct why *why);
MUST_CHECK enum err store_check_decision(const struct request_decision *d, struct why *why);
/* check_request.c: may one more wait beside so many; what became of the stored request r: may it be decided, answered? */
MUST_CHECK enum err store_check_waiting(const struct request *r, uint64_t of_enrolee, uint64_t in_all, struct why *why);
MUST_CHECK enum err store_check_decide(const struct request *r, int64_t now_s, struct why *why);
MUST_CHECK enum err store_check_done(const struct request *r, struct why *why);
MUST_CHECK enum err store_no_request(const char *id, struct why *why);
MUST_CHECK enum err store_request_exists(const struct request *r, struct why *why);
/* Its texts and spans into the arena. False: no room. */
bool store_copy_request(struct request *r, struct arena *arena);
