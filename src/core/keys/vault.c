#include "core/keys/vault.h"

#include "base/date.h"
#include "core/keys/sealed.h"
#include "pki/seal.h"

enum { PLACE_MAX = 8 + STORE_KEY_ID_MAX + STORE_VALUE_MAX };

/* Neither kind nor id holds a '|', so no two rows share a place. */
static enum err write_place(const struct symkey *row, struct buf *out, struct why *why)
{
	buf_put_fmt(out, "%d|%s|%s", (int)row->kind, row->id, row->owner);
	return buf_check(out, "place of a key", why);
}

enum err sealed_write(const struct vault *v, const struct symkey *row, const struct secret *key,
	struct buf *out, struct why *why)
{
	return sealed_write_bytes(v, row, secret_span(key), out, why);
}

enum err sealed_write_bytes(const struct vault *v, const struct symkey *row, struct span plain,
	struct buf *out, struct why *why)
{
	struct buf place OWNED_BUF = BUF(PLACE_MAX);
	uint8_t iv[12];

	TRY(write_place(row, &place, why));
	TRY(random_fill(&v->random, iv, sizeof(iv), why));
	return seal_write(
		secret_span(v->seal_key), iv, buf_span(&place), plain, out, why);
}

enum err sealed_open_bytes(
	const struct vault *v, const struct symkey *row, struct buf *plain, struct why *why)
{
	struct buf place OWNED_BUF = BUF(PLACE_MAX);

	TRY(write_place(row, &place, why));
	return seal_open(secret_span(v->seal_key), buf_span(&place), row->sealed, plain, why);
}

enum err sealed_open(
	const struct vault *v, const struct symkey *row, struct secret *out, struct why *why)
{
	struct buf plain __attribute__((cleanup(buf_fini_wipe))) = BUF(SECRET_MAX);

	TRY(sealed_open_bytes(v, row, &plain, why));
	if (!secret_set(out, buf_span(&plain)))
		return WHY(why, BUG, "", "opened key: %zu octets", plain.n);
	return OK;
}

enum err vault_add(
	const struct vault *v, const struct symkey *row, const struct secret *key, struct why *why)
{
	struct buf sealed OWNED_BUF = BUF(STORE_KEY_SEALED_MAX);
	struct symkey full = *row;

	TRY(sealed_write(v, row, key, &sealed, why));
	full.sealed = buf_span(&sealed);
	return v->store->ops->symkey_add(v->store->self, &full, why);
}

enum err vault_find(const struct vault *v, enum symkey_kind kind, const char *id, int64_t now_s,
	struct arena *arena, struct symkey *row_out, struct secret *key_out, struct why *why)
{
	char until[DATE_TEXT_SIZE];

	TRY(v->store->ops->symkey_find(v->store->self, kind, id, arena, row_out, why));
	if (row_out->expires_s && row_out->expires_s <= now_s) {
		date_text(row_out->expires_s, until);
		return WHY(why, KEY_EXPIRED, "TS-0003 10.7", "key '%s': its time was over at %s",
			id, until);
	}
	return sealed_open(v, row_out, key_out, why);
}
