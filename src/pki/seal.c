#include "pki/seal.h"

#include "base/mem.h"
#include "pki/ossl.h"

#include <limits.h>

enum {
	SEAL_VERSION = 0x01,
	IV_SIZE = 12,
	TAG_SIZE = 16,
};

static enum err check_sizes(struct span key, struct span place, struct span text, struct why *why)
{
	if (key.n != SEAL_KEY_SIZE)
		return WHY(why, SEAL_KEY, "", "master key: want %d octets, have %zu", SEAL_KEY_SIZE, key.n);
	if (place.n > INT_MAX || text.n > INT_MAX)
		return WHY(why, SEAL_OPEN, "", "sealed value: want less than 2 GiB, have %zu octets", text.n);
	return OK;
}

static bool encrypt(struct span key, const uint8_t *iv, struct span place, struct span plain, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx OWNED_CIPHER_CTX = EVP_CIPHER_CTX_new();
	int n = 0;

	return ctx && EVP_EncryptInit_ex2(ctx, ossl_aes_256_gcm(), key.p, iv, NULL) == 1
		&& (place.n == 0 || EVP_EncryptUpdate(ctx, NULL, &n, place.p, (int)place.n) == 1)
		&& (plain.n == 0 || EVP_EncryptUpdate(ctx, out, &n, plain.p, (int)plain.n) == 1)
		&& EVP_EncryptFinal_ex(ctx, out + plain.n, &n) == 1
		&& EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, out + plain.n) == 1;
}

enum err seal_write(struct span key, const uint8_t iv[12], struct span place, struct span plain, struct buf *out,
	struct why *why)
{
	TRY(check_sizes(key, place, plain, why));
	uint8_t *to = buf_room(out, plain.n + SEAL_OVERHEAD);
	if (!to)
		return buf_check(out, "sealed value", why);
	to[0] = SEAL_VERSION;
	memcpy(to + 1, iv, IV_SIZE);
	if (!encrypt(key, iv, place, plain, to + 1 + IV_SIZE))
		return ossl_failed("sealing", why);
	buf_grew(out, plain.n + SEAL_OVERHEAD);
	return OK;
}

static bool decrypt(struct span key, struct span sealed, struct span place, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx OWNED_CIPHER_CTX = EVP_CIPHER_CTX_new();
	const uint8_t *iv = sealed.p + 1;
	size_t text_n = sealed.n - SEAL_OVERHEAD;
	uint8_t tag[TAG_SIZE];
	int n = 0;

	memcpy(tag, sealed.p + sealed.n - TAG_SIZE, TAG_SIZE);
	return ctx && EVP_DecryptInit_ex2(ctx, ossl_aes_256_gcm(), key.p, iv, NULL) == 1
		&& (place.n == 0 || EVP_DecryptUpdate(ctx, NULL, &n, place.p, (int)place.n) == 1)
		&& (text_n == 0 || EVP_DecryptUpdate(ctx, out, &n, iv + IV_SIZE, (int)text_n) == 1)
		&& EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) == 1
		&& EVP_DecryptFinal_ex(ctx, out + text_n, &n) == 1;
}

enum err seal_open(struct span key, struct span place, struct span sealed, struct buf *out, struct why *why)
{
	TRY(check_sizes(key, place, sealed, why));
	if (sealed.n < SEAL_OVERHEAD || sealed.p[0] != SEAL_VERSION)
		return WHY(why, SEAL_OPEN, "", "sealed value: want version 1 and at least %d octets, have %zu octets",
			SEAL_OVERHEAD, sealed.n);
	size_t text_n = sealed.n - SEAL_OVERHEAD;
	uint8_t *to = buf_room(out, text_n);
	if (!to)
		return buf_check(out, "opened value", why);
	if (!decrypt(key, sealed, place, to)) {
		mem_wipe(to, text_n); /* unauthenticated text does not leave this function */
		ossl_forget();
		return WHY(why, SEAL_OPEN, "", "sealed value of '%.*s': key, place or content differ",
			SPAN_FMT(span_first(place, 64)));
	}
	buf_grew(out, text_n);
	return OK;
}
