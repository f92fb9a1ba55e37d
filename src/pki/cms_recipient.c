/* Declared in cms_envelope.h; apart from it, for OpenSSL's headers define the names of enum key_usage otherwise. */
#include "pki/cms_envelope.h"

#include "pki/digest.h"

static bool is_ec(enum key_spec spec)
{
	return spec == KEY_P256 || spec == KEY_P384;
}

enum err cms_recipient_check(const struct cert *cert, struct why *why)
{
	enum key_spec spec = key_spec_of_spki(cert->spki);
	uint16_t use = is_ec(spec) ? KU_KEY_AGREEMENT : KU_KEY_ENCIPHERMENT;

	if (spec == KEY_NONE || spec == KEY_OTHER)
		return WHY(why, CMS_RECIPIENT, "RFC 7030 4.4.1.2", "decryption key: want P-256, P-384 or RSA of 2048 to 4096 bits, have %s",
			key_spec_name(spec));
	if (cert->has_key_usage && !(cert->key_usage & use))
		return WHY(why, CMS_RECIPIENT, "RFC 7030 4.4.1.2", "keyUsage of the decryption key: want %s or no keyUsage, have others",
			is_ec(spec) ? "keyAgreement" : "keyEncipherment");
	if (cert->skid.n == 0)
		return WHY(why, CMS_RECIPIENT, "RFC 7030 4.4.2", "decryption key's certificate: want a subjectKeyIdentifier, have none");
	return OK;
}

enum err cms_kek_derive(struct span shared, enum cms_cipher wrap, struct secret *out, struct why *why)
{
	const char *purpose = wrap == CMS_AES_128 ? CMS_KEK_PURPOSE_128 : CMS_KEK_PURPOSE_256;

	out->n = wrap;
	return digest_hkdf_sha256(shared, purpose, out->bytes, out->n, why);
}
