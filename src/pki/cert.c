#include "pki/cert.h"

#include "base/base64.h"
#include "pki/der.h"
#include "pki/digest.h"
#include "pki/oid.h"

enum {
	EXTENSIONS_MAX = 32, /* ordinary certificates have fewer than fifteen */
	SERIAL_MAX = 20,     /* RFC 5280 4.1.2.2 */
	PEM_COLUMNS = 64,    /* RFC 7468 2 */
};

static enum err bad(const char *clause, const char *what, struct why *why)
{
	return WHY(why, CERT_SYNTAX, clause, "%s: want it in DER as the clause says, have other bytes", what);
}

/*
 * Version 1 is what small makers' tools write for factory certificates: no extensions, so never a CA
 * and no names; good for being pinned or known by its subject.
 */
static enum err parse_version(struct der *tbs, bool *is_v3_out, struct why *why)
{
	*is_v3_out = der_peek(tbs) == (DER_CONTEXT | 0x20 | 0);
	if (!*is_v3_out)
		return OK;
	struct der outer = der_enter(tbs, DER_CONTEXT | 0x20 | 0);
	struct span version = der_take_uint(&outer);

	/* RFC 5280 4.1.2.1: 3 (written as 2) when extensions are present, 1 (left out) when none are */
	if (!der_done(&outer) || version.n != 1 || version.p[0] != 2)
		return WHY(why, CERT_SYNTAX, "RFC 5280 4.1.2.1", "version: want 3, or 1 without extensions, have another");
	return OK;
}

static enum err parse_serial(struct der *tbs, struct cert *out, struct why *why)
{
	out->serial = der_take_uint(tbs);
	/* RFC 5280 4.1.2.2: a positive integer of at most 20 octets */
	if (tbs->bad || out->serial.n == 0 || (out->serial.n == 1 && out->serial.p[0] == 0))
		return WHY(why, CERT_SYNTAX, "RFC 5280 4.1.2.2", "serialNumber: want a positive INTEGER, have none");
	if (out->serial.n > SERIAL_MAX)
		return WHY(why, CERT_SYNTAX, "RFC 5280 4.1.2.2", "serialNumber: want at most %d octets, have %zu", SERIAL_MAX,
			out->serial.n);
	return OK;
}

static enum err parse_validity(struct der *tbs, struct cert *out, struct why *why)
{
	struct der validity = der_enter(tbs, DER_SEQUENCE);

	out->not_before_s = der_take_time(&validity);
	out->not_after_s = der_take_time(&validity);
	if (!der_done(&validity))
		return bad("RFC 5280 4.1.2.5", "validity", why);
	return OK;
}

static enum err parse_basic(struct span value, struct cert *out, struct why *why)
{
	struct der outer = der_init(value);
	struct der d = der_enter(&outer, DER_SEQUENCE);

	if (der_peek(&d) == DER_BOOLEAN)
		out->is_ca = der_take_bool(&d);
	if (der_more(&d))
		der_take_uint(&d);
	return der_done(&d) && der_done(&outer) ? OK : bad("RFC 5280 4.2.1.9", "basicConstraints", why);
}

static enum err parse_key_usage(struct span value, struct cert *out, struct why *why)
{
	struct der d = der_init(value);

	out->key_usage = der_take_flags(&d);
	out->has_key_usage = true;
	return der_done(&d) ? OK : bad("RFC 5280 4.2.1.3", "keyUsage", why);
}

static enum err parse_ekus(struct span value, struct cert *out, struct why *why)
{
	struct der outer = der_init(value);
	struct der d = der_enter(&outer, DER_SEQUENCE);

	while (der_more(&d)) {
		struct span oid = der_take_oid(&d);
		if (out->ekus.n == CERT_EKU_MAX)
			return WHY(why, CERT_LIMIT, "RFC 5280 4.2.1.12", "extKeyUsage: want at most %d, have more",
				CERT_EKU_MAX);
		out->ekus.oids[out->ekus.n++] = oid;
	}
	/* RFC 5280 4.2.1.12: at least one purpose */
	if (!der_done(&d) || !der_done(&outer) || out->ekus.n == 0)
		return bad("RFC 5280 4.2.1.12", "extKeyUsage", why);
	return OK;
}

static enum err parse_san(struct span value, struct cert *out, struct why *why)
{
	struct der outer = der_init(value);
	struct der_item names = der_take(&outer, DER_SEQUENCE);

	/* RFC 5280 4.2.1.6: at least one name */
	if (!der_done(&outer) || names.body.n == 0)
		return bad("RFC 5280 4.2.1.6", "subjectAltName", why);
	out->san = names.all;
	return OK;
}

static enum err parse_skid(struct span value, struct cert *out, struct why *why)
{
	struct der d = der_init(value);

	out->skid = der_take(&d, DER_OCTET_STRING).body;
	return der_done(&d) ? OK : bad("RFC 5280 4.2.1.2", "subjectKeyIdentifier", why);
}

static enum err parse_akid(struct span value, struct cert *out, struct why *why)
{
	struct der outer = der_init(value);
	struct der d = der_enter(&outer, DER_SEQUENCE);
	struct der_item id = {0};

	if (der_take_if(&d, DER_CONTEXT | 0, &id))
		out->akid = id.body;
	while (der_more(&d))
		der_next(&d); /* issuer and serial: nobody here looks at them */
	return der_done(&d) && der_done(&outer) ? OK : bad("RFC 5280 4.2.1.1", "authorityKeyIdentifier", why);
}

static enum err parse_known(struct span oid, struct span value, struct cert *out, struct why *why)
{
	const struct {
		struct span oid;
		enum err (*parse)(struct span value, struct cert *out, struct why *why);
	} known[] = {
		{OID_CE_BASIC_CONSTRAINTS, parse_basic},
		{OID_CE_KEY_USAGE, parse_key_usage},
		{OID_CE_EXT_KEY_USAGE, parse_ekus},
		{OID_CE_SUBJECT_ALT_NAME, parse_san},
		{OID_CE_SUBJECT_KEY_ID, parse_skid},
		{OID_CE_AUTHORITY_KEY_ID, parse_akid},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (span_equal(oid, known[i].oid))
			return known[i].parse(value, out, why);
	}
	return OK; /* criticality of what we do not read is chain.c's business */
}

static enum err parse_extensions(struct der *tbs, struct cert *out, struct why *why)
{
	struct der wrap = der_enter(tbs, DER_CONTEXT | 0x20 | 3);
	struct der list = der_enter(&wrap, DER_SEQUENCE);
	struct span seen[EXTENSIONS_MAX];
	size_t n = 0;

	while (der_more(&list)) {
		struct der ext = der_enter(&list, DER_SEQUENCE);
		struct span oid = der_take_oid(&ext);
		if (der_peek(&ext) == DER_BOOLEAN)
			der_take_bool(&ext);
		struct span value = der_take(&ext, DER_OCTET_STRING).body;
		if (!der_done(&ext))
			return bad("RFC 5280 4.1.2.9", "extensions", why);
		/* RFC 5280 4.2: no extension twice */
		for (size_t i = 0; i < n; i++) {
			if (span_equal(seen[i], oid))
				return WHY(why, CERT_SYNTAX, "RFC 5280 4.2", "extensions: want each at most once, have one twice");
		}
		if (n == EXTENSIONS_MAX)
			return WHY(why, CERT_LIMIT, "RFC 5280 4.2", "extensions: want at most %d, have more", EXTENSIONS_MAX);
		seen[n++] = oid;
		TRY(parse_known(oid, value, out, why));
	}
	return der_done(&list) && der_done(&wrap) ? OK : bad("RFC 5280 4.1.2.9", "extensions", why);
}

static enum err parse_tbs(struct span body, struct span outer_alg, struct cert *out, struct why *why)
{
	struct der tbs = der_init(body);
	struct der_item unique_id = {0};
	bool is_v3 = false;

	TRY(parse_version(&tbs, &is_v3, why));
	TRY(parse_serial(&tbs, out, why));
	/* RFC 5280 4.1.2.3: the same algorithm inside and outside of what is signed */
	if (!span_equal(der_take(&tbs, DER_SEQUENCE).all, outer_alg))
		return bad("RFC 5280 4.1.2.3", "signature", why);
	out->issuer = der_take(&tbs, DER_SEQUENCE).all;
	/* RFC 5280 4.1.2.4: the issuer has a name */
	if (tbs.bad || out->issuer.n <= 2)
		return bad("RFC 5280 4.1.2.4", "issuer", why);
	TRY(parse_validity(&tbs, out, why));
	out->subject = der_take(&tbs, DER_SEQUENCE).all;
	if (tbs.bad)
		return bad("RFC 5280 4.1.2.6", "subject", why);
	out->spki = der_take(&tbs, DER_SEQUENCE).all;
	if (tbs.bad)
		return bad("RFC 5280 4.1.2.7", "subjectPublicKeyInfo", why);
	if (is_v3) {
		der_take_if(&tbs, DER_CONTEXT | 1, &unique_id);
		der_take_if(&tbs, DER_CONTEXT | 2, &unique_id);
	}
	if (is_v3 && der_more(&tbs))
		TRY(parse_extensions(&tbs, out, why));
	return der_done(&tbs) ? OK : bad("RFC 5280 4.1.2", "tbsCertificate", why);
}

enum err cert_parse(struct span der, struct cert *out, struct why *why)
{
	if (der.n > CERT_DER_MAX)
		return WHY(why, CERT_LIMIT, "", "certificate: want at most %d octets, have %zu", CERT_DER_MAX, der.n);
	struct der all = der_init(der);
	struct der d = der_enter(&all, DER_SEQUENCE);
	struct der_item tbs = der_take(&d, DER_SEQUENCE);
	struct span alg = der_take(&d, DER_SEQUENCE).all;
	struct span signature = der_take_bits(&d);
	if (!der_done(&d) || signature.n == 0)
		return bad("RFC 5280 4.1", "certificate", why);
	if (!der_done(&all))
		return WHY(why, CERT_SYNTAX, "RFC 5280 4.1", "certificate: want nothing behind it, have %zu octets", all.left);
	*out = (struct cert){.der = der, .tbs = tbs.all};
	return parse_tbs(tbs.body, alg, out, why);
}

void cert_sha256(const struct cert *c, uint8_t out[32])
{
	digest_sha256(c->der, out);
}

/* Offset of the text at or after from, or in.n. */
static size_t find_text(struct span in, size_t from, const char *text)
{
	while (from < in.n) {
		struct span rest = span_from(in, from);
		size_t at = from + span_find(rest, (uint8_t)text[0]);
		if (at < in.n && span_starts(span_from(in, at), text))
			return at;
		from = at + 1;
	}
	return in.n;
}

enum err cert_each_pem(struct span pem, cert_each each, void *arg, struct why *why)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
	size_t at = find_text(pem, 0, begin);
	size_t n = 0;

	for (; at < pem.n; at = find_text(pem, at, begin)) {
		struct buf der OWNED_BUF = BUF(CERT_DER_MAX);
		size_t from = at + sizeof(begin) - 1;
		size_t to = find_text(pem, from, "-----");
		n++;
		if (!span_starts(span_from(pem, to), end))
			return WHY(why, CERT_PEM, "RFC 7468 5", "certificate %zu: want an END line, have none", n);
		if (base64_parse(span_first(span_from(pem, from), to - from), &der, why) != OK) {
			why_clear(why);
			return WHY(why, CERT_PEM, "RFC 7468 5", "certificate %zu: want base64 of at most %d octets, have other bytes",
				n, CERT_DER_MAX);
		}
		struct der d = der_init(buf_span(&der));
		der_take(&d, DER_SEQUENCE);
		if (!der_done(&d))
			return WHY(why, CERT_PEM, "RFC 7468 5", "certificate %zu: want one DER certificate, have other bytes", n);
		TRY(each(arg, buf_span(&der), why));
		at = to + sizeof(end) - 1;
	}
	if (n == 0)
		return WHY(why, CERT_NONE, "RFC 7468 5", "want a block that begins with '%s', have none", begin);
	return OK;
}

struct first {
	struct buf *out;
	bool found;
};

static enum err keep_first(void *arg, struct span der, struct why *why)
{
	struct first *f = arg;

	if (!f->found)
		buf_put_span(f->out, der);
	f->found = true;
	return buf_check(f->out, "certificate", why);
}

enum err cert_first_pem(struct span pem, struct buf *der_out, struct why *why)
{
	struct first f = {.out = der_out};

	return cert_each_pem(pem, keep_first, &f, why);
}

enum err cert_write_pem(struct span der, struct buf *out, struct why *why)
{
	buf_put_text(out, "-----BEGIN CERTIFICATE-----\n");
	base64_write(out, der, PEM_COLUMNS);
	buf_put_text(out, "-----END CERTIFICATE-----\n");
	return buf_check(out, "PEM certificate", why);
}
