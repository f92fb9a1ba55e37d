#include "core/keys/srp.h"

#include "base/mem.h"
#include "base/secret.h"
#include "base/text.h"
#include "core/keys/sealed.h"
#include "core/registry/audit.h"
#include "pki/digest.h"

#include <stdio.h>

#define OWNED_SECRET_BUF __attribute__((cleanup(buf_fini_wipe)))

enum { FIND_ARENA_MAX = 256 * 1024 };

/* No user can have that name. */
static const char nobody[] = "|nobody";

static struct symkey decoy_row(const struct srp_decoy *d)
{
	return (struct symkey){
		.kind = SYMKEY_SRP, .id = nobody, .owner = nobody, .sealed = span_of(d->sealed, d->sealed_n), .info = ""};
}

enum err srp_decoy_init(struct srp_decoy *d, const struct vault *v, struct why *why)
{
	static const struct srp_record zeros;
	struct buf sealed OWNED_BUF = BUF(sizeof(d->sealed));
	struct symkey row;

	*d = (struct srp_decoy){0};
	row = decoy_row(d);
	TRY(digest_hmac_sha256(secret_span(v->seal_key), span_text("salts of SRP users that nobody is"), d->key, why));
	TRY(sealed_write_bytes(v, &row, span_of(&zeros, sizeof(zeros)), &sealed, why));
	memcpy(d->sealed, sealed.p, sealed.n);
	d->sealed_n = sealed.n;
	return OK;
}

void srp_decoy_wipe(struct srp_decoy *d)
{
	mem_wipe(d, sizeof(*d));
}

bool srp_user_is_good(struct span user)
{
	return user.n <= SRP_USER_MAX && text_is_name(user, "._-@");
}

/* Libraries send a salt as a number: zeros in front would be lost on the way, and the client would hash another one. */
static void keep_whole(uint8_t salt[SRP_SALT_SIZE])
{
	salt[0] |= 0x80;
}

/* RFC 5054 2.5.1.3: a salt that is the same whenever somebody asks for that name */
void srp_decoy_make(const struct srp_decoy *d, struct span user, struct srp_record *out)
{
	uint8_t key[SHA256_SIZE], block[SHA256_SIZE];
	const struct span whose[] = {span_of(d->key, sizeof(d->key)), user};

	digest_sha256_parts(whose, 2, key);
	for (size_t i = 0; i <= SRP_VERIFIER_SIZE / SHA256_SIZE; i++) {
		const uint8_t number = (uint8_t)i;
		const struct span parts[] = {span_of(d->key, sizeof(d->key)), span_of(key, sizeof(key)), span_of(&number, 1)};
		digest_sha256_parts(parts, 3, block);
		if (i == 0)
			memcpy(out->salt, block, SRP_SALT_SIZE);
		else
			memcpy(out->verifier + (i - 1) * SHA256_SIZE, block, SHA256_SIZE);
	}
	keep_whole(out->salt);
	out->verifier[0] &= 0x7f; /* less than N, which begins with 64 ones */
}

static enum err open_row(const struct vault *v, const struct symkey *row, struct srp_record *out, struct why *why)
{
	OWNED_SECRET_BUF struct buf plain = BUF(sizeof(*out));

	TRY(sealed_open_bytes(v, row, &plain, why));
	if (plain.n != sizeof(*out))
		return WHY(why, BUG, "", "SRP verifier: want %zu octets, have %zu", sizeof(*out), plain.n);
	memcpy(out, plain.p, sizeof(*out));
	return OK;
}

/* A user counts whose row is there, in time, and whose enrolee is enabled. The owner is looked up for everybody. */
static enum err look_up(const struct vault *v, const char *user, int64_t now_s, struct arena *arena, struct symkey *row,
	bool *found, struct why *why)
{
	struct enrolee e = {0};
	enum err err = v->store->ops->symkey_find(v->store->self, SYMKEY_SRP, user, arena, row, why);

	*found = err == OK && (row->expires_s == 0 || row->expires_s > now_s);
	if (err == ERR_NOT_FOUND)
		why_clear(why);
	else
		TRY(err);
	const char *owner = err == OK ? row->owner : nobody;
	err = v->store->ops->enrolee_find(v->store->self, owner, arena, &e, why);
	if (err == ERR_NOT_FOUND)
		why_clear(why);
	else
		TRY(err);
	*found = *found && err == OK && e.state == ENROLEE_ENABLED;
	return OK;
}

enum err srp_find(const struct vault *v, const struct srp_decoy *d, struct span user, int64_t now_s,
	struct srp_record *out, bool *known_out, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(FIND_ARENA_MAX);
	struct symkey row = {0};
	const struct symkey decoy = decoy_row(d);
	struct srp_record opened = {0};
	char name[SRP_USER_MAX + 1];
	bool found = false;

	*known_out = false;
	if (!srp_user_is_good(user) || !text_copy(name, sizeof(name), user))
		memcpy(name, nobody, sizeof(nobody));
	TRY(look_up(v, name, now_s, &arena, &row, &found, why));
	TRY(open_row(v, found ? &row : &decoy, &opened, why));
	srp_decoy_make(d, user, out);
	if (found)
		*out = opened;
	mem_wipe(&opened, sizeof(opened));
	*known_out = found;
	return OK;
}

enum err srp_check_used(const struct vault *v, const char *user, const uint8_t digest[32], struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(FIND_ARENA_MAX);
	struct symkey row = {0};
	struct srp_record record = {0};
	uint8_t have[SHA256_SIZE];

	TRY(v->store->ops->symkey_find(v->store->self, SYMKEY_SRP, user, &arena, &row, why));
	TRY(open_row(v, &row, &record, why));
	digest_sha256(span_of(record.verifier, sizeof(record.verifier)), have);
	mem_wipe(&record, sizeof(record));
	if (secret_equal(span_of(have, sizeof(have)), span_of(digest, sizeof(have))))
		return OK;
	return WHY(why, CLIENT_PSK_UNKNOWN, "RFC 7030 3.3.3",
		"SRP user '%s': want a session by the password that it has now, have one by an earlier password", user);
}

static enum err tell_added(struct store *store, const struct symkey *row, struct why *why)
{
	char detail[AUDIT_DETAIL_MAX];
	const struct audit_event event = {
		.what = "key.added", .enrolee_id = row->owner, .actor = "operator", .detail = detail};

	snprintf(detail, sizeof(detail), "SRP user %s", row->id);
	return audit_write(store, &event, row->created_s, why);
}

enum err srp_register(const struct vault *v, const struct symkey *plan, struct span password, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(FIND_ARENA_MAX);
	struct buf sealed OWNED_BUF = BUF(STORE_KEY_SEALED_MAX);
	struct srp_record record = {0};
	struct enrolee e = {0};
	struct symkey row = *plan;

	if (!srp_user_is_good(span_text(plan->id)))
		return WHY(why, KEY_ID, "RFC 5054 2.3", "SRP user: want letters, digits and . _ - @, at most %d, have '%.60s'",
			SRP_USER_MAX, plan->id);
	if (password.n < SRP_PASSWORD_MIN || password.n > SRP_PASSWORD_MAX)
		return WHY(why, KEY_LENGTH, "", "SRP password: want %d to %d octets, have %zu", SRP_PASSWORD_MIN,
			SRP_PASSWORD_MAX, password.n);
	TRY(v->store->ops->enrolee_find(v->store->self, plan->owner, &arena, &e, why));
	TRY(random_fill(&v->random, record.salt, sizeof(record.salt), why));
	keep_whole(record.salt);
	TRY(srp_verifier(span_text(plan->id), password, record.salt, record.verifier, why));
	enum err err = sealed_write_bytes(v, &row, span_of(&record, sizeof(record)), &sealed, why);
	mem_wipe(&record, sizeof(record));
	TRY(err);
	row.sealed = buf_span(&sealed);
	TRY(v->store->ops->symkey_add(v->store->self, &row, why));
	return tell_added(v->store, &row, why);
}
