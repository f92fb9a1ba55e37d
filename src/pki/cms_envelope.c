#include "pki/cms_envelope.h"

#include "pki/cms_ossl.h"
#include "pki/der_nest.h"
#include "pki/oid.h"
#include "pki/ossl.h"

#include <openssl/rsa.h>

#define OID_SIGNED_DATA OID("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02")

enum { CTX_CONS_0 = DER_CONTEXT | 0x20 | 0 };

static CMS_ContentInfo *begin(enum cms_cipher cipher)
{
	CMS_ContentInfo *cms OWNED_CMS =
		CMS_EnvelopedData_create(cipher == CMS_AES_128 ? EVP_aes_128_cbc() : EVP_aes_256_cbc());

	if (!cms || !cms_ossl_set_type(cms, OID_SIGNED_DATA) || CMS_set_detached(cms, 0) != 1)
		return NULL;
	CMS_ContentInfo *made = cms;
	cms = NULL;
	return made;
}

/* RFC 5652 6.1: the type is told beside the ciphertext, so what is encrypted is the SignedData alone. */
static enum err finish(CMS_ContentInfo *cms, struct span signed_info, struct buf *out, struct why *why)
{
	struct der outer = der_init(signed_info);
	struct der info = der_enter(&outer, DER_SEQUENCE);

	der_take_oid(&info);
	struct der wrap = der_enter(&info, CTX_CONS_0);
	struct span signed_data = der_take(&wrap, DER_SEQUENCE).all;
	if (!der_done(&wrap))
		return WHY(why, BUG, "", "signed message: want a ContentInfo");
	if (!cms_ossl_fill(cms, signed_data))
		return ossl_failed("encrypting a message", why);
	return cms_ossl_write(cms, out, why);
}

static unsigned char *copied(struct span s)
{
	unsigned char *p = OPENSSL_malloc(s.n);

	if (p)
		memcpy(p, s.p, s.n);
	return p;
}

static bool add_kek(CMS_ContentInfo *cms, struct span kek, struct span kek_id)
{
	unsigned char *key = copied(kek);
	unsigned char *id = copied(kek_id);

	if (key && id && CMS_add0_recipient_key(cms, NID_undef, key, kek.n, id, kek_id.n, NULL, NULL, NULL))
		return true;
	if (key)
		OPENSSL_cleanse(key, kek.n);
	OPENSSL_free(key);
	OPENSSL_free(id);
	return false;
}

enum err cms_envelop_kek(struct span signed_info, enum cms_cipher cipher, struct span kek, struct span kek_id,
	struct buf *out, struct why *why)
{
	if ((kek.n != CMS_AES_128 && kek.n != CMS_AES_256) || kek_id.n == 0 || kek_id.n > CMS_KEK_ID_MAX)
		return WHY(why, BUG, "", "key-encryption key: %zu octets, its identifier %zu", kek.n, kek_id.n);
	CMS_ContentInfo *cms OWNED_CMS = begin(cipher);
	if (!cms || !add_kek(cms, kek, kek_id))
		return ossl_failed("encrypting a message", why);
	return finish(cms, signed_info, out, why);
}

static bool is_ec(enum key_spec spec)
{
	return spec == KEY_P256 || spec == KEY_P384;
}

static bool set_scheme(CMS_RecipientInfo *ri, bool ec, enum cms_transport transport)
{
	EVP_PKEY_CTX *ctx = CMS_RecipientInfo_get0_pkey_ctx(ri);

	if (!ctx)
		return false;
	if (ec) /* RFC 5753 7.1.4: dhSinglePass-stdDH-sha256kdf-scheme */
		return EVP_PKEY_CTX_set_ecdh_kdf_md(ctx, EVP_sha256()) == 1;
	if (transport == CMS_RSA_PKCS1)
		return true;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 && EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1
		&& EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1;
}

enum err cms_envelop_cert(struct span signed_info, enum cms_cipher cipher, const struct cert *cert,
	enum cms_transport transport, struct buf *out, struct why *why)
{
	TRY(cms_recipient_check(cert, why));
	CMS_ContentInfo *cms OWNED_CMS = begin(cipher);
	X509 *x OWNED_X509 = cms_ossl_x509(cert->der);
	CMS_RecipientInfo *ri = cms && x ? CMS_add1_recipient_cert(cms, x, CMS_USE_KEYID | CMS_KEY_PARAM) : NULL;
	if (!ri || !set_scheme(ri, is_ec(key_spec_of_spki(cert->spki)), transport))
		return ossl_failed("encrypting for a certificate", why);
	return finish(cms, signed_info, out, why);
}

static bool set_key(CMS_ContentInfo *cms, const struct cms_opener *o)
{
	X509 *x OWNED_X509 = o->key ? cms_ossl_x509(o->cert) : NULL;

	if (o->key)
		return x && CMS_decrypt_set1_pkey(cms, key_native(o->key), x) == 1;
	return CMS_decrypt_set1_key(cms, (unsigned char *)(uintptr_t)o->kek.p, o->kek.n, o->kek_id.p, o->kek_id.n) == 1;
}

/* With the type that stood beside the ciphertext, as cms_signed_parse reads it. */
static enum err take_signed(BIO *plain, struct buf *out, struct why *why)
{
	char *text = NULL;
	long n = BIO_get_mem_data(plain, &text);
	size_t info = der_open(out, DER_SEQUENCE);

	der_put_oid(out, OID_SIGNED_DATA);
	size_t wrap = der_open(out, CTX_CONS_0);
	buf_put(out, text, n > 0 ? (size_t)n : 0);
	der_close(out, wrap);
	der_close(out, info);
	return buf_check(out, "opened message", why);
}

enum err cms_envelope_open(struct span der, const struct cms_opener *opener, struct buf *out, struct why *why)
{
	BIO *plain OWNED_BIO = BIO_new(BIO_s_mem()); /* wiped when freed */

	if (der.n > CMS_ENVELOPE_MAX)
		return WHY(why, CMS_ENVELOPED, "RFC 5652 6.1", "message: want at most %d octets, have %zu", CMS_ENVELOPE_MAX, der.n);
	if (!plain)
		return WHY(why, NOMEM, "", "encrypted message");
	CMS_ContentInfo *cms OWNED_CMS = cms_ossl_parse(der);
	if (!cms || OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_enveloped || !cms_ossl_is_type(cms, OID_SIGNED_DATA)) {
		ossl_forget();
		return WHY(why, CMS_ENVELOPED, "RFC 7030 4.4.2", "message: want EnvelopedData around SignedData, have other bytes");
	}
	bool good = set_key(cms, opener) && CMS_decrypt(cms, NULL, NULL, NULL, plain, CMS_BINARY) == 1;
	ossl_forget();
	if (!good)
		return WHY(why, CMS_OPEN, "RFC 5652 6", "message: want one for the key that was named, have one that it does not open");
	return take_signed(plain, out, why);
}
