#pragma once
/*
 * CMS EnvelopedData around a SignedData for one recipient, as RFC 7030 4.4.2 wants it for a key that the server made.
 * The content is a secret on both sides: buf_fini_wipe.
 */
#include "pki/cert.h"
#include "pki/key.h"

enum { CMS_ENVELOPE_MAX = 128 * 1024, CMS_KEK_ID_MAX = 512 };

enum cms_cipher { CMS_AES_128 = 16, CMS_AES_256 = 32 }; /* octets of the key; CBC */
enum cms_transport { CMS_RSA_OAEP = 0 /* SHA-256 */, CMS_RSA_PKCS1 = 1 };

/*
 * The key-encryption key of a key that both sides share: HKDF-SHA256 without salt, the purpose as info, as many octets
 * as the key wrap has (docs/decisions/0016).
 */
#define CMS_KEK_PURPOSE_128 "OpenMEF serverkeygen AES-128 key wrap"
#define CMS_KEK_PURPOSE_256 "OpenMEF serverkeygen AES-256 key wrap"
MUST_CHECK enum err cms_kek_derive(struct span shared, enum cms_cipher wrap, struct secret *out, struct why *why);
/* kek: 16 or 32 octets, which choose AES-128 or AES-256 key wrap (RFC 3565 2.3). signed_info: ContentInfo { SignedData }. */
MUST_CHECK enum err cms_envelop_kek(struct span signed_info, enum cms_cipher cipher, struct span kek, struct span kek_id,
	struct buf *out, struct why *why);
/*
 * May something be encrypted for that certificate's key? RFC 7030 4.4.1.2: keyTransport or keyAgreement, or a use
 * that is not restricted. ERR_FORBIDDEN.
 */
MUST_CHECK enum err cms_recipient_check(const struct cert *cert, struct why *why);
/* RSA: key transport as `transport` says; EC: ephemeral-static ECDH, X9.63 KDF with SHA-256. Recipient by its subjectKeyIdentifier. */
MUST_CHECK enum err cms_envelop_cert(struct span signed_info, enum cms_cipher cipher, const struct cert *cert,
	enum cms_transport transport, struct buf *out, struct why *why);

struct cms_opener {
	struct span kek, kek_id;  /* of 4.4.1.1; or else */
	const struct key *key;    /* of 4.4.1.2 */
	struct span cert;         /* its certificate, DER */
};
/* Appends what was inside: ContentInfo { SignedData }, for cms_signed_parse. ERR_SYNTAX, ERR_LIMIT, ERR_FORBIDDEN. */
MUST_CHECK enum err cms_envelope_open(struct span der, const struct cms_opener *opener, struct buf *out, struct why *why);
