#pragma once
/* What operators do with symmetric keys, preferences and tokens: each checked, each with its audit event. */
#include "core/keys/vault.h"

enum { KPM_MIN = 16, KPM_MAX = 64, KPM_NEW = 32, TOKEN_BYTES = 16, TOKEN_TEXT_SIZE = 27,
	KEYS_ERASE_MAX = 1000, TOKEN_CHARS_MAX = 128 /* as many as a request may bring, M2M_TOKEN_MAX */ };

/*
 * Kpm for an enrolee (which exists), by KpmId name@FQDN of this MEF. expires_s 0: never. Event key.added.
 * ERR_SYNTAX: id or length; ERR_CONFLICT; ERR_NOT_FOUND. Within a transaction, as all here.
 */
MUST_CHECK enum err register_kpm(const struct vault *v, const char *enrolee_id, const char *kpmid, const char *mef_fqdn,
	const struct secret *kpm, int64_t expires_s, int64_t now_s, struct why *why);
const char *symkey_kind_name(enum symkey_kind k); /* "Kpm", "Ke", ... for people */
/* Any key of an enrolee, by kind and id. Event key.removed. */
MUST_CHECK enum err register_key_remove(struct store *store, enum symkey_kind kind, const char *id, int64_t now_s, struct why *why);
/* json is checked by prefs_parse and stored in canonical form. Event preferences.changed. */
MUST_CHECK enum err register_prefs(struct store *store, enum prefs_scope scope, const char *key, struct span json, int64_t now_s, struct why *why);
/*
 * A new random token: token_out is base32 without padding, shown once, never stored. Only its hash stays. Events
 * token.added, token.removed. enrolee_id "" : for whoever shows it first. id: random handle.
 */
MUST_CHECK enum err register_token(struct store *store, const struct random_source *random, const char *enrolee_id,
	int64_t expires_s, int64_t now_s, char token_out[TOKEN_TEXT_SIZE], char id_out[17], struct why *why);
MUST_CHECK enum err register_token_remove(struct store *store, const char *id, int64_t now_s, struct why *why);
/* SHA-256 of the token in upper case, blanks and hyphens left out. ERR_SYNTAX. */
MUST_CHECK enum err token_hash(struct span token, uint8_t out[32], struct why *why);
/*
 * Erases keys whose time is over, at most limit of them, with an event key.expired each. *erased_out tells how many;
 * when that is limit (of which KEYS_ERASE_MAX count) there may be more.
 */
MUST_CHECK enum err keys_erase_due(struct store *store, int64_t now_s, size_t limit, size_t *erased_out, struct why *why);
