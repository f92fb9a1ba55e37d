#include "pki/csr.h"

#include "base/text.h"
#include "pki/der.h"
#include "pki/oid.h"
#include "pki/signature.h"

enum { TAG_ATTRIBUTES = DER_CONTEXT | 0x20 | 0 };

static enum err malformed(const char *clause, const char *what, struct why *why)
{
	return WHY(why, CSR_SYNTAX, clause, "%s: want DER as the clause says, have other bytes", what);
}

static enum err repeated(const char *clause, const char *what, struct span oid, struct why *why)
{
	struct buf dotted OWNED_BUF = BUF(512);

	oid_put_dotted(&dotted, oid);
	return WHY(why, CSR_REPEATED, clause, "%s %.100s: want it once, have it again", what, buf_text(&dotted));
}

static bool is_among(const struct span *seen, size_t n, struct span oid)
{
	for (size_t i = 0; i < n; i++) {
		if (span_equal(seen[i], oid))
			return true;
	}
	return false;
}

/* The extensions */

static enum err parse_san(struct span value, struct csr *out, struct why *why)
{
	struct der d = der_init(value);
	struct der_item names = der_take(&d, DER_SEQUENCE);

	/* RFC 5280 4.2.1.6: at least one name */
	if (!der_done(&d) || names.body.n == 0)
		return malformed("RFC 5280 4.2.1.6", "subjectAltName", why);
	out->san = names.all;
	return OK;
}

static enum err parse_key_usage(struct span value, struct csr *out, struct why *why)
{
	struct der d = der_init(value);

	out->key_usage = der_take_flags(&d);
	out->has_key_usage = true;
	return der_done(&d) ? OK : malformed("RFC 5280 4.2.1.3", "keyUsage", why);
}

static enum err parse_ekus(struct span value, struct csr *out, struct why *why)
{
	struct der outer = der_init(value);
	struct der d = der_enter(&outer, DER_SEQUENCE);

	while (der_more(&d)) {
		struct span oid = der_take_oid(&d);
		if (out->ekus.n == CERT_EKU_MAX)
			return WHY(why, CSR_LIMIT, "RFC 5280 4.2.1.12", "extKeyUsage: want at most %d purposes, have more",
				CERT_EKU_MAX);
		out->ekus.oids[out->ekus.n++] = oid;
	}
	if (!der_done(&d) || !der_done(&outer) || out->ekus.n == 0)
		return malformed("RFC 5280 4.2.1.12", "extKeyUsage", why);
	return OK;
}

static enum err parse_basic(struct span value, struct csr *out, struct why *why)
{
	struct der outer = der_init(value);
	struct der d = der_enter(&outer, DER_SEQUENCE);

	if (der_peek(&d) == DER_BOOLEAN)
		out->asks_ca = der_take_bool(&d);
	if (der_more(&d))
		der_take_uint(&d);
	return der_done(&d) && der_done(&outer) ? OK : malformed("RFC 5280 4.2.1.9", "basicConstraints", why);
}

static enum err parse_extension(struct span oid, struct span value, struct csr *out, struct why *why)
{
	const struct {
		struct span oid;
		enum err (*parse)(struct span value, struct csr *out, struct why *why);
	} known[] = {
		{OID_CE_SUBJECT_ALT_NAME, parse_san},
		{OID_CE_KEY_USAGE, parse_key_usage},
		{OID_CE_EXT_KEY_USAGE, parse_ekus},
		{OID_CE_BASIC_CONSTRAINTS, parse_basic},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (span_equal(oid, known[i].oid))
			return known[i].parse(value, out, why);
	}
	return OK; /* a wish that no profile of ours grants */
}

static enum err parse_extensions(struct der *values, struct csr *out, struct why *why)
{
	struct span seen[CSR_EXTENSIONS_MAX];
	size_t n = 0;
	struct der_item all = der_take(values, DER_SEQUENCE);
	struct der d = der_init(all.body);

	/* RFC 2985 5.4.2: one value; RFC 5280 4.1.2.9: at least one extension */
	if (!der_done(values) || all.body.n == 0)
		return malformed("RFC 2985 5.4.2", "extensionRequest", why);
	out->extensions = all.all;
	while (der_more(&d)) {
		struct der one = der_enter(&d, DER_SEQUENCE);
		struct span oid = der_take_oid(&one);
		if (der_peek(&one) == DER_BOOLEAN)
			der_take_bool(&one); /* criticality binds who reads the certificate, not who issues it */
		struct span value = der_take(&one, DER_OCTET_STRING).body;
		if (!der_done(&one))
			return malformed("RFC 5280 4.1", "requested extension", why);
		/* RFC 5280 4.2: not more than one instance of an extension */
		if (is_among(seen, n, oid))
			return repeated("RFC 5280 4.2", "requested extension", oid, why);
		if (n == CSR_EXTENSIONS_MAX)
			return WHY(why, CSR_LIMIT, "", "requested extensions: want at most %d, have more", CSR_EXTENSIONS_MAX);
		seen[n++] = oid;
		TRY(parse_extension(oid, value, out, why));
	}
	return der_done(&d) ? OK : malformed("RFC 2985 5.4.2", "extensionRequest", why);
}

/* The attributes */

static bool is_ascii(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] & 0x80)
			return false;
	}
	return true;
}

/* RFC 2985 5.4.1, RFC 7894 3.3: two attributes with the same form of value */
static enum err parse_text(const char *clause, const char *what, struct der *values, struct span *out, struct why *why)
{
	struct der_item value = der_next(values);
	bool is_text = value.tag == DER_UTF8
		? text_is_utf8(value.body)
		: (value.tag == DER_PRINTABLE || value.tag == DER_IA5) && is_ascii(value.body);

	/* RFC 2985 5.4.1: one DirectoryString of at least one character; RFC 8951 3.2 adds no other type */
	if (!der_done(values) || !is_text || value.body.n == 0)
		return WHY(why, CSR_SYNTAX, clause,
			"%s: want one PrintableString, UTF8String or IA5String, have something else", what);
	if (value.body.n > CSR_CHALLENGE_MAX)
		return WHY(why, CSR_LIMIT, clause, "%s: want at most %d octets, have %zu", what, CSR_CHALLENGE_MAX,
			value.body.n);
	*out = value.body;
	return OK;
}

static enum err parse_attribute(struct span oid, struct der *values, struct csr *out, struct why *why)
{
	if (span_equal(oid, OID_CHALLENGE_PASSWORD)) {
		out->has_challenge = true;
		return parse_text("RFC 2985 5.4.1", "challengePassword", values, &out->challenge, why);
	}
	if (span_equal(oid, OID_EST_IDENTITY_LINKING))
		return parse_text("RFC 7894 3.3", "estIdentityLinking", values, &out->linking, why);
	if (span_equal(oid, OID_EXTENSION_REQUEST) || span_equal(oid, OID_MS_EXTENSION_REQUEST)) {
		if (out->extensions.n) /* the same attribute under its two names */
			return repeated("RFC 2985 5.4.2", "attribute", oid, why);
		return parse_extensions(values, out, why);
	}
	out->unknown_attrs++;
	while (der_more(values))
		der_next(values);
	return der_done(values) ? OK : malformed("RFC 2986 4.1", "attribute", why);
}

static enum err parse_attributes(struct span set, struct csr *out, struct why *why)
{
	struct span seen[CSR_ATTRS_MAX];
	size_t n = 0;
	struct der d = der_init(set);

	while (der_more(&d)) {
		struct der one = der_enter(&d, DER_SEQUENCE);
		struct span oid = der_take_oid(&one);
		struct der values = der_enter(&one, DER_SET);
		if (!der_done(&one) || !der_more(&values))
			return malformed("RFC 2986 4.1", "attribute", why);
		if (is_among(seen, n, oid))
			return repeated("RFC 2986 4.1", "attribute", oid, why);
		if (n == CSR_ATTRS_MAX)
			return WHY(why, CSR_LIMIT, "", "attributes: want at most %d, have more", CSR_ATTRS_MAX);
		seen[n++] = oid;
		TRY(parse_attribute(oid, &values, out, why));
	}
	return der_done(&d) ? OK : malformed("RFC 2986 4.1", "attributes", why);
}

static bool is_spki(struct span spki)
{
	struct der outer = der_init(spki);
	struct der d = der_enter(&outer, DER_SEQUENCE);
	struct der alg = der_enter(&d, DER_SEQUENCE);

	der_take_oid(&alg);
	der_take_bits(&d);
	return !alg.bad && der_done(&d);
}

static enum err parse_info(struct span info, struct csr *out, struct why *why)
{
	struct der outer = der_init(info);
	struct der d = der_enter(&outer, DER_SEQUENCE);
	struct span version = der_take_uint(&d);
	struct der_item attributes = {0};

	/* RFC 2986 4.1: version is 0 */
	if (d.bad || version.n != 1 || version.p[0] != 0)
		return WHY(why, CSR_SYNTAX, "RFC 2986 4.1", "version: want 0 (PKCS#10 version 1.7), have another");
	out->subject = der_take(&d, DER_SEQUENCE).all;
	out->spki = der_take(&d, DER_SEQUENCE).all;
	/* RFC 2986 4.1: the set is always there, if empty; some clients leave it out */
	der_take_if(&d, TAG_ATTRIBUTES, &attributes);
	if (!der_done(&d))
		return malformed("RFC 2986 4.1", "CertificationRequestInfo", why);
	TRY(name_check(out->subject, why));
	if (!is_spki(out->spki))
		return malformed("RFC 5280 4.1.2.7", "subjectPKInfo", why);
	out->key_spec = key_spec_of_spki(out->spki);
	out->attributes = attributes.body;
	return parse_attributes(attributes.body, out, why);
}

enum err csr_parse(struct span der, struct csr *out, struct why *why)
{
	struct der outer = der_init(der);
	struct der d = der_enter(&outer, DER_SEQUENCE);

	if (der.n > CSR_DER_MAX)
		return WHY(why, CSR_LIMIT, "", "certificate request: want at most %d octets, have %zu", CSR_DER_MAX, der.n);
	*out = (struct csr){.der = der};
	out->info = der_take(&d, DER_SEQUENCE).all;
	out->sig_alg = der_take(&d, DER_SEQUENCE).all;
	out->signature = der_take_bits(&d);
	if (!der_done(&d) || !der_done(&outer))
		return malformed("RFC 2986 4.2", "CertificationRequest", why);
	return parse_info(out->info, out, why);
}

/* The name of a signature algorithm that we refuse, NULL for those that we take. */
static const char *refused_alg(struct span alg_der)
{
	const struct {
		struct span oid;
		const char *refused;
	} known[] = {
		{OID_SHA256_ECDSA, NULL},
		{OID_SHA384_ECDSA, NULL},
		{OID_SHA512_ECDSA, NULL},
		{OID_SHA256_RSA, NULL},
		{OID_SHA384_RSA, NULL},
		{OID_SHA512_RSA, NULL},
		{OID_SHA1_RSA, "RSA with SHA-1"},
		{OID_SHA1_ECDSA, "ECDSA with SHA-1"},
		{OID_MD5_RSA, "RSA with MD5"},
	};
	struct der outer = der_init(alg_der);
	struct der d = der_enter(&outer, DER_SEQUENCE);
	struct span oid = der_take_oid(&d);

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (span_equal(oid, known[i].oid))
			return known[i].refused;
	}
	return "another";
}

enum err csr_verify(const struct csr *csr, struct why *why)
{
	struct key *key OWNED_KEY = NULL;
	struct why inner = {0};
	const char *refused = refused_alg(csr->sig_alg);

	if (refused)
		return WHY(why, CSR_ALG, "TS-0003 10.1.1.1", "signature algorithm: want ECDSA or RSA with SHA-256, SHA-384 or SHA-512, have %s",
			refused);
	TRY(key_parse_spki(csr->spki, &key, why));
	/* RFC 2986 3: the signature is made with the private key that belongs to the public key inside */
	enum err err = signature_check(key, csr->sig_alg, csr->info, csr->signature, &inner);
	if (err == ERR_NOMEM)
		return WHY(why, NOMEM, "", "verification");
	if (err != OK)
		return WHY(why, CSR_SIGNATURE, "RFC 2986 4.2", "signature: want one by the %s key in the request, have another",
			key_spec_name(csr->key_spec));
	return OK;
}
