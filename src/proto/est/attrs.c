#include "proto/est/attrs_inner.h"

#include "pki/oid.h"

enum { EXTENSION_VALUE_MAX = 4 * 1024 };

/* One row per key that can be asked for: how the wish reads and which signature goes with it. */
static const struct est_wish wishes[] = {
	{KEY_P256, OID_P256, 0, OID_SHA256_ECDSA},
	{KEY_P384, OID_P384, 0, OID_SHA384_ECDSA},
	{KEY_RSA2048, {NULL, 0}, 2048, OID_SHA256_RSA},
	{KEY_RSA3072, {NULL, 0}, 3072, OID_SHA256_RSA},
	{KEY_RSA4096, {NULL, 0}, 4096, OID_SHA256_RSA},
};

enum { WISHES = sizeof(wishes) / sizeof(wishes[0]) };

const struct est_wish *est_wish_find(enum key_spec spec)
{
	for (size_t i = 0; i < WISHES; i++) {
		if (wishes[i].spec == spec)
			return &wishes[i];
	}
	return NULL;
}

void est_put_attribute(struct buf *out, struct span type, struct span value)
{
	struct buf inner OWNED_BUF = BUF(EST_ATTRS_DER_MAX);

	der_put_oid(&inner, type);
	der_put(&inner, DER_SET, value);
	out->bad |= inner.bad;
	der_put(out, DER_SEQUENCE, buf_span(&inner));
}

static void put_extension(struct buf *out, struct span oid, bool critical, struct span value)
{
	struct buf inner OWNED_BUF = BUF(EST_ATTRS_DER_MAX);

	der_put_oid(&inner, oid);
	if (critical)
		der_put_bool(&inner, true);
	der_put(&inner, DER_OCTET_STRING, value);
	out->bad |= inner.bad;
	der_put(out, DER_SEQUENCE, buf_span(&inner));
}

static void put_ekus(struct buf *out, const struct eku_list *ekus)
{
	struct buf oids OWNED_BUF = BUF(EXTENSION_VALUE_MAX);
	struct buf value OWNED_BUF = BUF(EXTENSION_VALUE_MAX);

	for (size_t i = 0; i < ekus->n; i++)
		der_put_oid(&oids, ekus->oids[i]);
	der_put(&value, DER_SEQUENCE, buf_span(&oids));
	out->bad |= oids.bad || value.bad;
	put_extension(out, OID_CE_EXT_KEY_USAGE, false, buf_span(&value));
}

/* RFC 9908 3.2: one extensionRequest attribute, its SET holding exactly one Extensions with values */
void est_put_extensions(struct buf *out, const struct est_attrs *attrs)
{
	struct buf usage OWNED_BUF = BUF(8);
	struct buf list OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct buf value OWNED_BUF = BUF(EST_ATTRS_DER_MAX);

	if (attrs->sans.n)
		put_extension(&list, OID_CE_SUBJECT_ALT_NAME, false, attrs->sans);
	if (attrs->digital_signature) {
		der_put_flags(&usage, KU_DIGITAL_SIGNATURE);
		put_extension(&list, OID_CE_KEY_USAGE, true, buf_span(&usage));
	}
	if (attrs->ekus.n)
		put_ekus(&list, &attrs->ekus);
	if (list.n == 0 && !list.bad)
		return;
	der_put(&value, DER_SEQUENCE, buf_span(&list));
	out->bad |= usage.bad || list.bad || value.bad;
	est_put_attribute(out, OID_EXTENSION_REQUEST, buf_span(&value));
}

static void put_key(struct buf *out, const struct est_wish *wish)
{
	struct buf value OWNED_BUF = BUF(64);

	if (wish->curve.n)
		der_put_oid(&value, wish->curve);
	else
		der_put_small(&value, wish->bits);
	est_put_attribute(out, wish->curve.n ? OID_EC_PUBLIC_KEY : OID_RSA, buf_span(&value));
	/* RFC 7030 4.5.2: a signature scheme is asked for by its bare OID */
	der_put_oid(out, wish->signature);
}

static bool is_printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		bool alnum = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
		if (!alnum && (c == 0 || !strchr(" '()+,-./:=?", c)))
			return false;
	}
	return true;
}

enum err est_put_challenge(struct buf *out, const struct est_attrs *attrs, struct why *why)
{
	struct buf value OWNED_BUF = BUF(CSR_CHALLENGE_MAX + 8);

	if (attrs->challenge.n > CSR_CHALLENGE_MAX || !is_printable(attrs->challenge))
		return WHY(why, BUG, "RFC 2985 5.4.1", "challengePassword: want at most %d PrintableString characters",
			CSR_CHALLENGE_MAX);
	if (attrs->challenge.n) {
		/* TS-0003 8.3.6.2: the MEF hands out the value, so it is an attribute, not the bare OID */
		der_put(&value, DER_PRINTABLE, attrs->challenge);
		est_put_attribute(out, OID_CHALLENGE_PASSWORD, buf_span(&value));
	}
	return OK;
}

/* RFC 7030 3.5, RFC 7894 4: bare OIDs, as the value is the client's to find in its TLS session */
static void put_linking(struct buf *out, const struct est_attrs *attrs)
{
	if (attrs->asks_challenge && attrs->challenge.n == 0)
		der_put_oid(out, OID_CHALLENGE_PASSWORD);
	if (attrs->asks_linking)
		der_put_oid(out, OID_EST_IDENTITY_LINKING);
}

static enum err put_list(struct buf *out, const struct est_attrs *attrs, struct why *why)
{
	const struct est_wish *wish = est_wish_find(attrs->key);

	TRY(est_put_challenge(out, attrs, why));
	est_put_extensions(out, attrs);
	if (wish)
		put_key(out, wish);
	return OK;
}

enum err est_attrs_write(const struct est_attrs *attrs, enum est_attrs_form form, struct buf *der_out, struct why *why)
{
	struct buf list OWNED_BUF = BUF(EST_ATTRS_DER_MAX);

	if (form != EST_ATTRS_TEMPLATE)
		TRY(put_list(&list, attrs, why));
	put_linking(&list, attrs);
	if (form != EST_ATTRS_LIST)
		TRY(est_template_put(&list, attrs, why));
	TRY(buf_check(&list, "CSR attributes", why));
	der_put(der_out, DER_SEQUENCE, buf_span(&list));
	return buf_check(der_out, "CSR attributes", why);
}

static enum err bad(struct why *why, const char *want)
{
	return WHY(why, EST_ATTRS, "RFC 7030 4.5.2", "csrattrs: want %s", want);
}

/* RFC 7030 4.5.2: what is not recognised is ignored; the first few are kept for a message. */
static void keep_unknown(struct est_attrs *out, struct span oid)
{
	if (out->unknown_n < EST_ATTRS_MAX)
		out->unknown[out->unknown_n++] = oid;
}

enum err est_read_challenge(struct der values, struct est_attrs *out, struct why *why)
{
	if (out->challenge.n || out->asks_challenge)
		return bad(why, "one challengePassword");
	if (!der_more(&values)) {
		out->asks_challenge = true;
		return der_done(&values) ? OK : bad(why, "DER");
	}
	struct der_item item = der_next(&values);
	/* RFC 2985 5.4.1: DirectoryString; the forms of one octet per ASCII character can be echoed */
	if (!der_done(&values) ||
		(item.tag != DER_PRINTABLE && item.tag != DER_UTF8 && item.tag != DER_IA5))
		return bad(why, "challengePassword with one PrintableString or UTF8String");
	if (item.body.n > CSR_CHALLENGE_MAX)
		return WHY(why, EST_ATTRS_LIMIT, "RFC 2985 5.4.1",
			"challengePassword: want at most %d characters, have %zu", CSR_CHALLENGE_MAX, item.body.n);
	if (item.body.n == 0)
		out->asks_challenge = true;
	out->challenge = item.body;
	return OK;
}

enum key_spec est_key_by_curve(struct span curve)
{
	for (size_t i = 0; i < WISHES; i++) {
		if (wishes[i].curve.n && span_equal(wishes[i].curve, curve))
			return wishes[i].spec;
	}
	return KEY_OTHER;
}

enum key_spec est_key_by_bits(uint32_t bits)
{
	for (size_t i = 0; i < WISHES; i++) {
		if (wishes[i].bits && wishes[i].bits == bits)
			return wishes[i].spec;
	}
	return KEY_OTHER;
}

static enum key_spec key_by_number(struct span number)
{
	uint32_t bits = 0;

	if (number.n == 0 || number.n > 4)
		return KEY_OTHER;
	for (size_t i = 0; i < number.n; i++)
		bits = bits << 8 | number.p[i];
	return est_key_by_bits(bits);
}

/* RFC 9908 3.2: no value means any parameters; then the smallest key that we would make is meant. */
static enum err read_key(struct der values, bool rsa, struct est_attrs *out, struct why *why)
{
	enum key_spec spec = rsa ? KEY_RSA3072 : KEY_P256;

	if (der_more(&values))
		spec = rsa ? key_by_number(der_take_uint(&values)) : est_key_by_curve(der_take_oid(&values));
	if (!der_done(&values))
		return bad(why, rsa ? "rsaEncryption with one INTEGER" : "id-ecPublicKey with one curve OID");
	if (out->key == KEY_NONE || out->key == KEY_OTHER) /* of several wishes the first that can be met */
		out->key = spec;
	return OK;
}

enum err est_read_ekus(struct span value, struct est_attrs *out, struct why *why)
{
	struct der d = der_init(value);
	struct der list = der_enter(&d, DER_SEQUENCE);

	while (der_more(&list)) {
		if (out->ekus.n == CERT_EKU_MAX)
			return WHY(why, EST_ATTRS_LIMIT, "", "extKeyUsage: want at most %d OIDs", CERT_EKU_MAX);
		out->ekus.oids[out->ekus.n++] = der_take_oid(&list);
	}
	if (!der_done(&list) || !der_done(&d) || out->ekus.n == 0)
		return bad(why, "extKeyUsage as a SEQUENCE OF OBJECT IDENTIFIER");
	return OK;
}

static enum err read_key_usage(struct span value, struct est_attrs *out, struct why *why)
{
	struct der d = der_init(value);
	uint16_t flags = der_take_flags(&d);

	if (!der_done(&d))
		return bad(why, "keyUsage as a BIT STRING");
	out->digital_signature = flags & KU_DIGITAL_SIGNATURE;
	return OK;
}

enum err est_read_sans(struct span value, struct est_attrs *out, struct why *why)
{
	struct der d = der_init(value);
	struct der names = der_enter(&d, DER_SEQUENCE);

	if (!der_more(&names) || !der_done(&d))
		return bad(why, "subjectAltName as GeneralNames");
	out->sans = value;
	return OK;
}

/* Extension: SEQUENCE { extnID, critical DEFAULT FALSE, extnValue } */
static enum err read_extension(struct der *list, unsigned int *seen, struct est_attrs *out, struct why *why)
{
	static const struct {
		struct span oid;
		enum err (*read)(struct span value, struct est_attrs *out, struct why *why);
	} rows[] = {
		{OID_CE_SUBJECT_ALT_NAME, est_read_sans},
		{OID_CE_KEY_USAGE, read_key_usage},
		{OID_CE_EXT_KEY_USAGE, est_read_ekus},
	};
	struct der d = der_enter(list, DER_SEQUENCE);
	struct span oid = der_take_oid(&d);

	if (der_peek(&d) == DER_BOOLEAN)
		(void)der_take_bool(&d);
	struct span value = der_take(&d, DER_OCTET_STRING).body;
	if (!der_done(&d))
		return bad(why, "Extension as in RFC 5280 4.1");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!span_equal(rows[i].oid, oid))
			continue;
		/* RFC 9908 3.2: an extension appears once */
		if (*seen & 1u << i)
			return bad(why, "each extension once");
		*seen |= 1u << i;
		return rows[i].read(value, out, why);
	}
	keep_unknown(out, oid);
	return OK;
}

static enum err read_extensions(struct der values, unsigned int *seen, struct est_attrs *out, struct why *why)
{
	while (der_more(&values)) {
		/* RFC 7030's own example puts a bare OID here, which RFC 9908 5.2 calls wrong: ignored */
		if (der_peek(&values) == DER_OID) {
			keep_unknown(out, der_take_oid(&values));
			continue;
		}
		struct der list = der_enter(&values, DER_SEQUENCE);
		while (der_more(&list))
			TRY(read_extension(&list, seen, out, why));
		if (!der_done(&list))
			return bad(why, "extensionRequest with Extensions");
	}
	return der_done(&values) ? OK : bad(why, "extensionRequest with Extensions");
}

static bool is_known_signature(struct span oid)
{
	for (size_t i = 0; i < WISHES; i++) {
		if (span_equal(wishes[i].signature, oid))
			return true;
	}
	return false;
}

/* A bare OID reads as an attribute without values. */
static enum err read_item(
	struct span oid, struct der values, unsigned int *seen, struct est_attrs *out, struct why *why)
{
	if (span_equal(oid, OID_CHALLENGE_PASSWORD))
		return est_read_challenge(values, out, why);
	if (span_equal(oid, OID_EXTENSION_REQUEST))
		return read_extensions(values, seen, out, why);
	if (span_equal(oid, OID_EC_PUBLIC_KEY))
		return read_key(values, false, out, why);
	if (span_equal(oid, OID_RSA))
		return read_key(values, true, out, why);
	if (span_equal(oid, OID_EST_IDENTITY_LINKING)) {
		out->asks_linking = true;
		return OK;
	}
	if (!is_known_signature(oid))
		keep_unknown(out, oid);
	return OK;
}

/* AttrOrOID; a bare OID has no values. */
static enum err take_entry(struct der *list, struct span *oid_out, struct der *values_out, struct why *why)
{
	*values_out = der_init((struct span){NULL, 0});
	if (der_peek(list) == DER_OID) {
		*oid_out = der_take_oid(list);
		return OK;
	}
	struct der d = der_enter(list, DER_SEQUENCE);
	*oid_out = der_take_oid(&d);
	*values_out = der_enter(&d, DER_SET);
	return der_done(&d) ? OK : bad(why, "OID or Attribute { type, SET OF value }");
}

static enum err read_list(struct der list, struct est_attrs *out, struct why *why)
{
	unsigned int seen = 0;

	while (der_more(&list)) {
		struct span oid;
		struct der values;
		TRY(take_entry(&list, &oid, &values, why));
		TRY(read_item(oid, values, &seen, out, why));
	}
	return der_done(&list) ? OK : bad(why, "a SEQUENCE of OIDs and attributes");
}

static enum err read_template(struct der values, struct est_attrs *out, struct why *why)
{
	if (out->is_template)
		return WHY(why, EST_ATTRS, "RFC 9908 3.4", "csrattrs: want one certificationRequestInfoTemplate");
	struct span value = der_next(&values).all;
	if (!der_done(&values))
		return WHY(why, EST_ATTRS, "RFC 9908 3.4", "certificationRequestInfoTemplate: want one value");
	out->is_template = true;
	return est_template_parse(value, out, why);
}

/* RFC 9908 4: of the rest only what says nothing of the CSR's contents, but of the session that it goes over */
static enum err find_template(struct der list, struct est_attrs *out, struct why *why)
{
	bool asks_challenge = false;
	bool asks_linking = false;

	while (der_more(&list)) {
		struct span oid;
		struct der values;
		TRY(take_entry(&list, &oid, &values, why));
		if (span_equal(oid, OID_CSR_TEMPLATE))
			TRY(read_template(values, out, why));
		asks_linking |= span_equal(oid, OID_EST_IDENTITY_LINKING);
		asks_challenge |= span_equal(oid, OID_CHALLENGE_PASSWORD) && !der_more(&values);
	}
	if (!out->is_template)
		return OK;
	if (!der_done(&list))
		return bad(why, "a SEQUENCE of OIDs and attributes");
	out->asks_linking |= asks_linking;
	out->asks_challenge |= asks_challenge && out->challenge.n == 0;
	return OK;
}

enum err est_attrs_parse(struct span der, struct est_attrs *out, struct why *why)
{
	*out = (struct est_attrs){0};
	if (der.n == 0) /* RFC 7030 4.5.2: 204 says the same as an empty SEQUENCE */
		return OK;
	if (der.n > EST_ATTRS_DER_MAX)
		return WHY(why, EST_ATTRS_LIMIT, "", "csrattrs: want at most %d bytes, have %zu", EST_ATTRS_DER_MAX,
			der.n);
	struct der d = der_init(der);
	struct der list = der_enter(&d, DER_SEQUENCE);
	if (!der_done(&d))
		return bad(why, "a SEQUENCE of OIDs and attributes, and nothing behind it");
	TRY(find_template(list, out, why));
	return out->is_template ? OK : read_list(list, out, why);
}
