#include "core/enrol/client_psk.h"

#include "base/date.h"
#include "pki/digest.h"
#include "proto/m2m/ids.h"

enum { CHECK_ARENA_MAX = 64 * 1024 };

static enum err find_row(struct store *store, const char *id, struct arena *arena,
	struct symkey *out, struct why *why)
{
	/* TS-0003 8.3.2.1, seed 003 8.3.3.2: by Kpm at first, afterwards also by Kre. */
	static const enum symkey_kind kinds[] = {SYMKEY_KPM, SYMKEY_KRE};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		enum err err = store->ops->symkey_find(store->self, kinds[i], id, arena, out, why);
		if (err != ERR_NOT_FOUND)
			return err;
		why_clear(why);
	}
	return WHY(why, CLIENT_PSK_UNKNOWN, "TS-0003 8.3.2.1",
		"psk_identity '%s': have no key of that name", id);
}

static enum err find_user(struct store *store, const char *user, struct arena *arena, struct symkey *out, struct why *why)
{
	enum err err = store->ops->symkey_find(store->self, SYMKEY_SRP, user, arena, out, why);

	if (err != ERR_NOT_FOUND)
		return err;
	why_clear(why);
	return WHY(why, CLIENT_PSK_UNKNOWN, "RFC 7030 3.3.3", "SRP user '%s': have none of that name", user);
}

static enum err check_end(const struct symkey *row, int64_t now_s, struct why *why)
{
	char until[DATE_TEXT_SIZE];

	if (row->expires_s == 0 || row->expires_s > now_s)
		return OK;
	date_text(row->expires_s, until);
	return WHY(why, CLIENT_PSK_EXPIRED, "TS-0003 10.7",
		"'%s': its time was over at %s", row->id, until);
}

static void digest_identity(struct client *c)
{
	/* A NUL first and NULs between: no certificate client's identity, which begins with its id,
	 * reads the same. */
	const struct span parts[] = {c->by_srp ? span_of("\0srp", 5) : span_of("\0psk", 5),
		span_of(c->enrolee.id, strlen(c->enrolee.id) + 1),
		span_of(c->key_id, strlen(c->key_id) + 1)};

	digest_sha256_parts(parts, sizeof(parts) / sizeof(parts[0]), c->identity);
}

enum err client_psk_find(struct store *store, struct span identity, int64_t now_s,
	struct arena *arena, struct client *out, struct why *why)
{
	char normal[M2M_KEYID_SIZE];
	struct symkey row = {0};

	if (identity.n == 0)
		return WHY(why, CLIENT_ANONYMOUS, "RFC 7030 3.3.3",
			"psk_identity: want one, have none");
	TRY(m2m_psk_identity_parse(identity, normal, why));
	TRY(find_row(store, normal, arena, &row, why));
	TRY(store->ops->enrolee_find(store->self, row.owner, arena, &out->enrolee, why));
	TRY(check_end(&row, now_s, why));
	out->key_id = arena_text(arena, span_text(normal));
	if (!out->key_id)
		return WHY(why, NOMEM, "", "key identifier");
	digest_identity(out);
	return OK;
}

enum err client_srp_find(struct store *store, struct span user, int64_t now_s,
	struct arena *arena, struct client *out, struct why *why)
{
	struct symkey row = {0};

	if (user.n == 0)
		return WHY(why, CLIENT_ANONYMOUS, "RFC 7030 3.3.3", "SRP user: want one, have none");
	out->key_id = arena_text(arena, user);
	if (!out->key_id)
		return WHY(why, NOMEM, "", "SRP user");
	out->by_srp = true;
	TRY(find_user(store, out->key_id, arena, &row, why));
	TRY(store->ops->enrolee_find(store->self, row.owner, arena, &out->enrolee, why));
	TRY(check_end(&row, now_s, why));
	digest_identity(out);
	return OK;
}

enum err client_psk_check(struct store *store, const struct standing *s, int64_t now_s, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(CHECK_ARENA_MAX);
	struct symkey row = {0};

	TRY(s->by_srp ? find_user(store, s->key_id, &arena, &row, why) : find_row(store, s->key_id, &arena, &row, why));
	TRY(check_end(&row, now_s, why));
	if (strcmp(row.owner, s->enrolee_id) != 0)
		return WHY(why, CLIENT_PSK_UNKNOWN, "TS-0003 8.3.2.1",
			"'%s': no longer of '%s'", s->key_id, s->enrolee_id);
	return OK;
}
