/* CertificationRequestInfoTemplate, RFC 9908 3.4 and its appendix A; tags are implicit there. */
#include "proto/est/attrs_inner.h"

#include "pki/der_nest.h"
#include "pki/oid.h"

enum {
	TAG_KEY = DER_CONTEXT | 0x20 | 0,
	TAG_ATTRIBUTES = DER_CONTEXT | 0x20 | 1,
	MODULUS_MAX = 2 * 1024, /* octets of a dummy modulus: 16384 bits, OpenSSL's own limit */
};

static enum err bad(struct why *why, const char *what, const char *want)
{
	return WHY(why, EST_ATTRS, "RFC 9908 3.4", "template, %s: want %s", what, want);
}

/* Writing */

/* RFC 9908 3.4: the size of an RSA key is that of the modulus of a dummy key */
static void put_dummy(struct buf *out, uint32_t bits)
{
	uint8_t modulus[MODULUS_MAX] = {0x80};
	struct buf key OWNED_BUF = BUF(MODULUS_MAX + 64);
	size_t octets = bits / 8;

	modulus[octets - 1] |= 1;
	size_t sequence = der_open(&key, DER_SEQUENCE);
	der_put_uint(&key, span_of(modulus, octets));
	der_put_small(&key, 65537);
	der_close(&key, sequence);
	out->bad |= key.bad;
	der_put_bits(out, buf_span(&key), 0);
}

static void put_key(struct buf *out, const struct est_wish *wish)
{
	size_t key = der_open(out, TAG_KEY);
	size_t alg = der_open(out, DER_SEQUENCE);

	der_put_oid(out, wish->curve.n ? OID_EC_PUBLIC_KEY : OID_RSA);
	if (wish->curve.n)
		der_put_oid(out, wish->curve);
	else
		der_put(out, DER_NULL, (struct span){NULL, 0});
	der_close(out, alg);
	if (wish->bits)
		put_dummy(out, wish->bits);
	der_close(out, key);
}

/* X.690 11.6: the members of a SET OF in the order of their octets */
static void put_sorted(struct buf *out, struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	bool swap = n && memcmp(a.p, b.p, n) > 0;

	buf_put_span(out, swap ? b : a);
	buf_put_span(out, swap ? a : b);
}

static enum err put_attributes(struct buf *out, const struct est_attrs *attrs, struct why *why)
{
	struct buf challenge OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct buf extensions OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	size_t all = der_open(out, TAG_ATTRIBUTES);

	TRY(est_put_challenge(&challenge, attrs, why));
	/* RFC 9908 3.4: id-ExtensionReq where all extensions have their values, as ours have */
	est_put_extensions(&extensions, attrs);
	out->bad |= challenge.bad || extensions.bad;
	put_sorted(out, buf_span(&challenge), buf_span(&extensions));
	der_close(out, all);
	return OK;
}

enum err est_template_put(struct buf *out, const struct est_attrs *attrs, struct why *why)
{
	const struct est_wish *wish = est_wish_find(attrs->key);
	struct buf value OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	size_t template = der_open(&value, DER_SEQUENCE);

	der_put_small(&value, 0);
	/* RFC 9908 3.4: absent where nothing is required of it */
	if (attrs->subject.n)
		name_template_write(&attrs->subject, &value);
	if (wish)
		put_key(&value, wish);
	TRY(put_attributes(&value, attrs, why));
	der_close(&value, template);
	out->bad |= value.bad;
	est_put_attribute(out, OID_CSR_TEMPLATE, buf_span(&value));
	return OK;
}

/* Reading */

static enum err keep(struct span list[EST_ATTRS_MAX], size_t *n, struct span item, struct why *why)
{
	if (*n == EST_ATTRS_MAX)
		return WHY(why, EST_ATTRS_LIMIT, "", "template: want at most %d attributes and extensions of a kind", EST_ATTRS_MAX);
	list[(*n)++] = item;
	return OK;
}

static uint32_t bits_of(struct span number)
{
	uint32_t bits = (uint32_t)number.n * 8;

	for (uint8_t top = number.n ? number.p[0] : 0x80; !(top & 0x80) && bits; top = (uint8_t)(top << 1))
		bits--;
	return bits;
}

static enum err read_rsa(struct der *d, struct est_attrs *out, struct why *why)
{
	out->key = KEY_RSA3072; /* of any size: the smallest that we would make */
	if (!der_more(d))
		return OK;
	struct der bits = der_init(der_take_bits(d));
	struct der key = der_enter(&bits, DER_SEQUENCE);
	struct span modulus = der_take_uint(&key);
	(void)der_take_uint(&key);
	if (!der_done(&key) || !der_done(&bits) || modulus.n > MODULUS_MAX)
		return bad(why, "subjectPublicKey", "an RSAPublicKey of the size meant");
	out->key = est_key_by_bits(bits_of(modulus));
	return OK;
}

/* SubjectPublicKeyInfoTemplate: SEQUENCE { algorithm, subjectPublicKey BIT STRING OPTIONAL } */
static enum err read_key(struct der *d, struct est_attrs *out, struct why *why)
{
	struct der key = der_enter(d, TAG_KEY);
	struct der alg = der_enter(&key, DER_SEQUENCE);
	struct span oid = der_take_oid(&alg);

	if (span_equal(oid, OID_RSA)) {
		if (der_more(&alg))
			(void)der_take(&alg, DER_NULL);
		TRY(read_rsa(&key, out, why));
	} else {
		out->key = KEY_OTHER;
		if (span_equal(oid, OID_EC_PUBLIC_KEY))
			out->key = der_more(&alg) ? est_key_by_curve(der_take_oid(&alg)) : KEY_P256;
		else if (der_more(&alg))
			(void)der_next(&alg);
		if (der_more(&key)) /* RFC 9908 3.4: absent but for RSA; harmless */
			(void)der_take(&key, DER_BIT_STRING);
	}
	return der_done(&alg) && der_done(&key) ? OK : bad(why, "subjectPKInfo", "algorithm and perhaps a dummy key");
}

/* RFC 9908 3.4: an iPAddress without octets or a directoryName without RDNs is for the client to fill in */
static bool has_gap(struct span sans)
{
	struct der d = der_init(sans);
	struct der names = der_enter(&d, DER_SEQUENCE);

	while (der_more(&names)) {
		struct der_item name = der_next(&names);
		bool directory = name.tag == (DER_CONTEXT | 0x20 | 4) && name.body.n == 2;
		if (directory || (name.tag == (DER_CONTEXT | 7) && name.body.n == 0))
			return true;
	}
	return false;
}

/* An extension with its value, which the CSR is to repeat. */
static enum err take_given(struct span oid, struct der_item whole, struct span value, struct est_attrs *out, struct why *why)
{
	if (span_equal(oid, OID_CE_SUBJECT_ALT_NAME)) {
		if (has_gap(value))
			return keep(out->open, &out->open_n, oid, why);
		return est_read_sans(value, out, why);
	}
	if (span_equal(oid, OID_CE_EXT_KEY_USAGE))
		return est_read_ekus(value, out, why);
	struct der usage = der_init(value);
	if (span_equal(oid, OID_CE_KEY_USAGE) && der_take_flags(&usage) == KU_DIGITAL_SIGNATURE && der_done(&usage)) {
		out->digital_signature = true;
		return OK;
	}
	return keep(out->more_extensions, &out->more_extensions_n, whole.all, why);
}

/* An extension without, which the client fills in as well as it can. */
static enum err take_open(struct span oid, struct est_attrs *out, struct why *why)
{
	if (span_equal(oid, OID_CE_SUBJECT_ALT_NAME))
		out->open_sans = true;
	else if (span_equal(oid, OID_CE_EXT_KEY_USAGE))
		out->open_ekus = true;
	else if (span_equal(oid, OID_CE_KEY_USAGE))
		out->digital_signature = true; /* TS-0003 10.1.1.1: what every certificate of ours says */
	else
		return keep(out->open, &out->open_n, oid, why);
	return OK;
}

/*
 * RFC 9908 3.4: critical is taken over where it is present; what is repeated as it stands has it already, and keyUsage
 * always is
 */
static void take_critical(struct span oid, bool critical, struct est_attrs *out)
{
	out->critical_sans |= critical && span_equal(oid, OID_CE_SUBJECT_ALT_NAME);
	out->critical_ekus |= critical && span_equal(oid, OID_CE_EXT_KEY_USAGE);
}

/* ExtensionTemplate: SEQUENCE { extnID, critical DEFAULT FALSE, extnValue OPTIONAL }; Extension is one with value. */
static enum err read_extension(struct der *list, bool may_be_open, struct span *oid_out, struct est_attrs *out, struct why *why)
{
	struct der_item whole = der_take(list, DER_SEQUENCE);
	struct der d = der_init(whole.body);
	struct der_item value = {.tag = 0};

	*oid_out = der_take_oid(&d);
	take_critical(*oid_out, der_peek(&d) == DER_BOOLEAN && der_take_bool(&d), out);
	bool given = der_take_if(&d, DER_OCTET_STRING, &value);
	if (!der_done(&d) || (!given && !may_be_open))
		return bad(why, "extension", "extnID, critical and extnValue");
	return given ? take_given(*oid_out, whole, value.body, out, why) : take_open(*oid_out, out, why);
}

static enum err read_extensions(struct der values, bool may_be_open, struct est_attrs *out, struct why *why)
{
	struct span seen[CSR_EXTENSIONS_MAX];
	size_t n = 0;
	struct der list = der_enter(&values, DER_SEQUENCE);

	while (der_more(&list)) {
		if (n == CSR_EXTENSIONS_MAX)
			return WHY(why, EST_ATTRS_LIMIT, "", "template: want at most %d extensions", CSR_EXTENSIONS_MAX);
		TRY(read_extension(&list, may_be_open, &seen[n], out, why));
		for (size_t i = 0; i < n; i++) {
			/* RFC 9908 3.2: an extension appears once */
			if (span_equal(seen[i], seen[n]))
				return bad(why, "extensions", "each once");
		}
		n++;
	}
	if (!der_done(&list) || !der_done(&values) || n == 0)
		return bad(why, may_be_open ? "extensionReqTemplate" : "extensionRequest", "one value with its extensions");
	return OK;
}

static enum err read_attribute(struct der *list, bool *extensions_seen, struct est_attrs *out, struct why *why)
{
	struct der_item whole = der_take(list, DER_SEQUENCE);
	struct der d = der_init(whole.body);
	struct span oid = der_take_oid(&d);
	struct der values = der_enter(&d, DER_SET);
	bool open = span_equal(oid, OID_EXTENSION_REQUEST_TEMPLATE);

	if (!der_done(&d))
		return bad(why, "attribute", "type and SET OF value");
	if (span_equal(oid, OID_CHALLENGE_PASSWORD))
		return est_read_challenge(values, out, why);
	if (span_equal(oid, OID_EST_IDENTITY_LINKING)) {
		out->asks_linking = true; /* whatever stands in it: the value is the session's */
		return OK;
	}
	if (open || span_equal(oid, OID_EXTENSION_REQUEST)) {
		/* RFC 9908 3.4: not several, and not both */
		if (*extensions_seen)
			return bad(why, "attributes", "extensionRequest or extensionReqTemplate, once");
		*extensions_seen = true;
		return read_extensions(values, open, out, why);
	}
	if (!der_more(&values))
		return keep(out->open, &out->open_n, oid, why);
	return keep(out->more_attributes, &out->more_attributes_n, whole.all, why);
}

enum err est_template_parse(struct span value, struct est_attrs *out, struct why *why)
{
	struct der outer = der_init(value);
	struct der d = der_enter(&outer, DER_SEQUENCE);
	struct span version = der_take_uint(&d);
	bool extensions_seen = false;

	if (d.bad || version.n != 1 || version.p[0] != 0)
		return bad(why, "version", "v1 (0)");
	if (der_peek(&d) == DER_SEQUENCE)
		TRY(name_template_parse(der_take(&d, DER_SEQUENCE).all, &out->subject, why));
	if (der_peek(&d) == TAG_KEY)
		TRY(read_key(&d, out, why));
	struct der attributes = der_enter(&d, TAG_ATTRIBUTES);
	if (!der_done(&d) || !der_done(&outer))
		return bad(why, "fields", "version, subject, subjectPKInfo and attributes, and nothing behind");
	while (der_more(&attributes))
		TRY(read_attribute(&attributes, &extensions_seen, out, why));
	return der_done(&attributes) ? OK : bad(why, "attributes", "a SET OF Attribute");
}
