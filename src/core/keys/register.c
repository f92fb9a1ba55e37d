#include "core/keys/register.h"

#include "base/base32.h"
#include "base/date.h"
#include "base/hex.h"
#include "base/mem.h"
#include "core/registry/audit.h"
#include "pki/digest.h"
#include "proto/m2m/prefs.h"

#include <stdio.h>

enum {
	DETAIL_SIZE = AUDIT_DETAIL_MAX,
	HANDLE_BYTES = 8,
	TOKENS_PAGE = 500,
	ROW_ARENA_MAX = 256 * 1024, /* an enrolee; a key with its info */
};

const char *symkey_kind_name(enum symkey_kind k)
{
	switch (k) {
	case SYMKEY_KPM:
		return "Kpm";
	case SYMKEY_KRE:
		return "Kre";
	case SYMKEY_KE:
		return "Ke";
	case SYMKEY_KM:
		return "Km";
	case SYMKEY_KM_KEID:
		return "Km by KeId";
	case SYMKEY_KC:
		return "Kc";
	case SYMKEY_CLIENT:
		return "client registration";
	case SYMKEY_SRP:
		return "SRP user";
	}
	return "unknown";
}

static enum err tell(struct store *store, const char *what, const char *enrolee_id,
	const char *actor, const char *detail, int64_t now_s, struct why *why)
{
	const struct audit_event event = {
		.what = what, .enrolee_id = enrolee_id, .actor = actor, .detail = detail};

	return audit_write(store, &event, now_s, why);
}

static enum err check_enrolee(struct store *store, const char *id, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(ROW_ARENA_MAX);
	struct enrolee e = {0};

	return store->ops->enrolee_find(store->self, id, &arena, &e, why);
}

static enum err check_end(int64_t expires_s, int64_t now_s, struct why *why)
{
	char have[DATE_TEXT_SIZE], now[DATE_TEXT_SIZE];

	if (expires_s == 0 || expires_s > now_s)
		return OK;
	date_text(expires_s, have);
	date_text(now_s, now);
	return WHY(why, KEY_END, "", "end: want after %s, have %s", now, have);
}

static void end_text(int64_t expires_s, char out[DATE_TEXT_SIZE])
{
	if (expires_s)
		date_text(expires_s, out);
	else
		snprintf(out, DATE_TEXT_SIZE, "removed");
}

/* A KpmId that reads as a KeId would never be found: psk_identity is one name space. */
static enum err normalise_kpmid(
	const char *kpmid, const char *mef_fqdn, char out[M2M_KEYID_SIZE], struct why *why)
{
	struct why other = {0};
	uint8_t relative[M2M_RELATIVE_SIZE];
	struct span fqdn = {0};

	if (m2m_keyid_parse(span_text(kpmid), relative, out, &fqdn, &other) == OK)
		return WHY(why, KEY_ID, "TS-0003 10.3.4",
			"KpmId: want a name that is no 32 hexadecimal digits, have '%s'", kpmid);
	TRY(m2m_named_parse(span_text(kpmid), false, out, &fqdn, why));
	if (!span_is_nocase(fqdn, mef_fqdn))
		return WHY(why, KEY_ID, "TS-0003 8.3.2.1", "KpmId: want NAME@%s, have '%s'",
			mef_fqdn, kpmid);
	return OK;
}

enum err register_kpm(const struct vault *v, const char *enrolee_id, const char *kpmid,
	const char *mef_fqdn, const struct secret *kpm, int64_t expires_s, int64_t now_s,
	struct why *why)
{
	char id[M2M_KEYID_SIZE];
	char end[DATE_TEXT_SIZE];
	char detail[DETAIL_SIZE];

	TRY(normalise_kpmid(kpmid, mef_fqdn, id, why));
	if (kpm->n < KPM_MIN || kpm->n > KPM_MAX)
		return WHY(why, KEY_LENGTH, "", "Kpm: want %d to %d octets, have %zu", KPM_MIN,
			KPM_MAX, kpm->n);
	TRY(check_end(expires_s, now_s, why));
	TRY(check_enrolee(v->store, enrolee_id, why));
	const struct symkey row = {.kind = SYMKEY_KPM,
		.id = id,
		.owner = enrolee_id,
		.created_s = now_s,
		.expires_s = expires_s,
		.info = ""};
	TRY(vault_add(v, &row, kpm, why));
	end_text(expires_s, end);
	snprintf(detail, sizeof(detail), "Kpm %s, until %s", id, end);
	return tell(v->store, "key.added", enrolee_id, "operator", detail, now_s, why);
}

enum err register_key_remove(
	struct store *store, enum symkey_kind kind, const char *id, int64_t now_s, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(ROW_ARENA_MAX);
	struct symkey row = {0};
	char detail[DETAIL_SIZE];

	TRY(store->ops->symkey_find(store->self, kind, id, &arena, &row, why));
	TRY(store->ops->symkey_remove(store->self, kind, id, why));
	snprintf(detail, sizeof(detail), "%s %s", symkey_kind_name(kind), id);
	return tell(store, "key.removed", row.owner, "operator", detail, now_s, why);
}

struct token_search {
	const char *id;
	char last[STORE_ID_MAX + 1];
	char owner[STORE_ID_MAX + 1];
	size_t page;
	bool found;
};

static enum err on_token(void *arg, const struct token *t, struct why *why)
{
	struct token_search *s = arg;

	(void)why;
	s->page++;
	snprintf(s->last, sizeof(s->last), "%s", t->id);
	if (strcmp(t->id, s->id) == 0) {
		s->found = true;
		snprintf(s->owner, sizeof(s->owner), "%s", t->enrolee_id);
	}
	return OK;
}

static enum err find_token(struct store *store, struct token_search *s, struct why *why)
{
	do {
		s->page = 0;
		TRY(store->ops->token_list(store->self, s->last, TOKENS_PAGE, on_token, s, why));
	} while (s->page == TOKENS_PAGE && !s->found);
	if (!s->found)
		return WHY(why, TOKEN_NONE, "", "token: have no '%s'", s->id);
	return OK;
}

static enum err check_place(
	struct store *store, enum prefs_scope scope, const char *key, struct why *why)
{
	struct token_search s = {.id = key};

	switch (scope) {
	case PREFS_DEFAULT:
		return key[0] ? WHY(why, PREFS_KEY, "",
					"default preferences: want no id, have '%s'", key)
			      : OK;
	case PREFS_TOKEN:
		return find_token(store, &s, why);
	case PREFS_ENROLEE:
		return check_enrolee(store, key, why);
	}
	return WHY(why, BUG, "", "scope %d", (int)scope);
}

enum err register_prefs(struct store *store, enum prefs_scope scope, const char *key,
	struct span json, int64_t now_s, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(ROW_ARENA_MAX);
	struct buf text OWNED_BUF = BUF(STORE_PREFS_MAX);
	struct prefs prefs = {0};
	char detail[DETAIL_SIZE];
	static const char *const names[] = {
		[PREFS_DEFAULT] = "default", [PREFS_TOKEN] = "token ", [PREFS_ENROLEE] = "enrolee"};

	TRY(check_place(store, scope, key, why));
	TRY(prefs_parse(json, &arena, &prefs, why));
	TRY(prefs_write(&prefs, &text, why));
	TRY(store->ops->prefs_put(store->self, scope, key, buf_span(&text), why));
	snprintf(detail, sizeof(detail), "%s%s, %zu MAFs, %zu targets", names[scope],
		scope == PREFS_TOKEN ? key : "", prefs.mafs_n, prefs.targets_n);
	return tell(store, "preferences.changed", scope == PREFS_ENROLEE ? key : "", "operator",
		detail, now_s, why);
}

static enum err draw_token(const struct random_source *random, char token_out[TOKEN_TEXT_SIZE],
	char id_out[17], struct why *why)
{
	struct buf text __attribute__((cleanup(buf_fini_wipe))) = BUF(TOKEN_TEXT_SIZE);
	uint8_t bytes[TOKEN_BYTES + HANDLE_BYTES];

	TRY(random_fill(random, bytes, sizeof(bytes), why));
	base32_write(&text, span_of(bytes, TOKEN_BYTES));
	hex_text(bytes + TOKEN_BYTES, HANDLE_BYTES, id_out);
	mem_wipe(bytes, sizeof(bytes));
	TRY(buf_check(&text, "token", why));
	memcpy(token_out, buf_text(&text), TOKEN_TEXT_SIZE);
	return OK;
}

enum err register_token(struct store *store, const struct random_source *random,
	const char *enrolee_id, int64_t expires_s, int64_t now_s, char token_out[TOKEN_TEXT_SIZE],
	char id_out[17], struct why *why)
{
	struct token row = {.id = id_out,
		.enrolee_id = enrolee_id,
		.created_s = now_s,
		.expires_s = expires_s,
		.claimed_by = ""};
	char end[DATE_TEXT_SIZE];
	char detail[DETAIL_SIZE];

	TRY(check_end(expires_s, now_s, why));
	if (enrolee_id[0])
		TRY(check_enrolee(store, enrolee_id, why));
	TRY(draw_token(random, token_out, id_out, why));
	TRY(token_hash(span_text(token_out), row.hash, why));
	TRY(store->ops->token_add(store->self, &row, why));
	end_text(expires_s, end);
	snprintf(detail, sizeof(detail), "token %s, for %s, until %s", id_out,
		enrolee_id[0] ? "this enrolee" : "the first who shows it", end);
	return tell(store, "token.added", enrolee_id, "operator", detail, now_s, why);
}

enum err register_token_remove(struct store *store, const char *id, int64_t now_s, struct why *why)
{
	struct token_search s = {.id = id};
	char detail[DETAIL_SIZE];

	TRY(find_token(store, &s, why));
	TRY(store->ops->token_remove(store->self, id, why));
	snprintf(detail, sizeof(detail), "token %s", id);
	return tell(store, "token.removed", s.owner, "operator", detail, now_s, why);
}

/* What counts of a token as people type it. */
static enum err write_significant(struct span token, struct buf *out, struct why *why)
{
	for (size_t i = 0; i < token.n; i++) {
		uint8_t c = token.p[i];
		if (c == ' ' || c == '-')
			continue;
		bool small = c >= 'a' && c <= 'z';
		if (!small && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9'))
			return WHY(why, TOKEN_FORM, "",
				"token: want letters and digits, have octet 0x%02X at place %zu", c,
				i);
		if (out->n == TOKEN_CHARS_MAX)
			return WHY(why, TOKEN_FORM, "", "token: want at most %d letters and digits",
				TOKEN_CHARS_MAX);
		buf_put_u8(out, small ? (uint8_t)(c - 'a' + 'A') : c);
	}
	return buf_check(out, "token", why);
}

enum err token_hash(struct span token, uint8_t out[32], struct why *why)
{
	struct buf text __attribute__((cleanup(buf_fini_wipe))) = BUF(TOKEN_CHARS_MAX);

	TRY(write_significant(token, &text, why));
	if (text.n == 0)
		return WHY(why, TOKEN_FORM, "", "token: want letters and digits, have none");
	digest_sha256(buf_span(&text), out);
	return OK;
}

/* Rows found due; they are removed after the listing, which must not write. */
struct due {
	struct arena arena;
	struct symkey rows[KEYS_ERASE_MAX];
	size_t n;
};

static enum err on_due(void *arg, const struct symkey *k, struct why *why)
{
	struct due *d = arg;
	struct symkey *row = &d->rows[d->n];

	if (d->n == KEYS_ERASE_MAX)
		return WHY(why, BUG, "", "keys due: more than asked for");
	row->kind = k->kind;
	row->id = arena_text(&d->arena, span_text(k->id));
	row->owner = arena_text(&d->arena, span_text(k->owner));
	if (!row->id || !row->owner)
		return WHY(why, NOMEM, "", "keys due");
	d->n++;
	return OK;
}

static void due_free(struct due **d)
{
	if (*d)
		arena_fini(&(*d)->arena);
	mem_free(*d);
}

enum err keys_erase_due(
	struct store *store, int64_t now_s, size_t limit, size_t *erased_out, struct why *why)
{
	struct due *d __attribute__((cleanup(due_free))) = mem_alloc(sizeof(*d));
	char detail[DETAIL_SIZE];

	*erased_out = 0;
	if (!d)
		return WHY(why, NOMEM, "", "keys due");
	d->arena = ARENA(KEYS_ERASE_MAX * (STORE_KEY_ID_MAX + STORE_VALUE_MAX + 64));
	TRY(store->ops->symkey_due(store->self, now_s,
		limit < KEYS_ERASE_MAX ? limit : KEYS_ERASE_MAX, on_due, d, why));
	for (size_t i = 0; i < d->n; i++) {
		/* seed 003 8.3.3.6 step 3: an expired Ke serves nobody, so that it is not kept. */
		TRY(store->ops->symkey_remove(store->self, d->rows[i].kind, d->rows[i].id, why));
		snprintf(detail, sizeof(detail), "%s %s", symkey_kind_name(d->rows[i].kind),
			d->rows[i].id);
		TRY(tell(store, "key.expired", d->rows[i].owner, "mef", detail, now_s, why));
	}
	*erased_out = d->n;
	return OK;
}
