/* Private keys as PKCS#8 in DER; declared in key.h. */
#include "pki/key.h"

#include "pki/ossl.h"

#include <openssl/x509.h>

static void p8_cleanup(PKCS8_PRIV_KEY_INFO **p8)
{
	PKCS8_PRIV_KEY_INFO_free(*p8); /* overwrites the key */
}

#define OWNED_P8 __attribute__((cleanup(p8_cleanup)))

enum err key_write_pkcs8(const struct key *k, struct buf *out, struct why *why)
{
	PKCS8_PRIV_KEY_INFO *p8 OWNED_P8 = EVP_PKEY2PKCS8(key_native(k));
	int n = p8 ? i2d_PKCS8_PRIV_KEY_INFO(p8, NULL) : 0;

	if (n <= 0)
		return ossl_failed("writing a private key", why);
	unsigned char *to = buf_room(out, (size_t)n);
	if (!to)
		return buf_check(out, "private key", why);
	if (i2d_PKCS8_PRIV_KEY_INFO(p8, &to) != n)
		return ossl_failed("writing a private key", why);
	buf_grew(out, (size_t)n);
	return OK;
}

enum err key_parse_pkcs8(struct span der, struct key **out, struct why *why)
{
	PKCS8_PRIV_KEY_INFO *p8 OWNED_P8 = NULL;
	struct key *k OWNED_KEY = NULL;
	const unsigned char *p = der.p;

	if (der.n > KEY_PKCS8_MAX)
		return WHY(why, KEY_PEM, "RFC 5958 2", "private key: want at most %d octets, have %zu", KEY_PKCS8_MAX, der.n);
	p8 = der.n ? d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der.n) : NULL;
	EVP_PKEY *pkey = p8 && p == der.p + der.n ? EVP_PKCS82PKEY(p8) : NULL;
	ossl_forget();
	if (!pkey)
		return WHY(why, KEY_PEM, "RFC 5958 2", "private key: want one PrivateKeyInfo in DER, have other bytes");
	k = key_adopt(pkey);
	if (!k)
		return WHY(why, NOMEM, "", "key");
	/* the public half comes along with the private one, and may be another's */
	EVP_PKEY_CTX *ctx OWNED_PKEY_CTX = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	bool pair = ctx && EVP_PKEY_pairwise_check(ctx) == 1;
	ossl_forget();
	if (!pair)
		return WHY(why, KEY_PEM, "RFC 5958 2", "private key: want a public key that belongs to it, have another");
	if (key_spec_of(k) == KEY_OTHER)
		return WHY(why, KEY_KIND, "TS-0003 10.1.1.1", "private key: want P-256, P-384 or RSA of 2048 to 4096 bits, have %s",
			key_spec_name(key_spec_of(k)));
	*out = k;
	k = NULL;
	return OK;
}
