#include "proto/est/keygen.h"

#include "base/base64.h"
#include "base/hex.h"
#include "pki/der_nest.h"
#include "pki/oid.h"
#include "wire/media.h"

#include <stdio.h>

#define OID_SMIME_CAPABILITIES OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0f")             /* RFC 8551 2.5.2 */
#define OID_DECRYPT_KEY_ID OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x25")         /* RFC 4108 2.2.5 */
#define OID_ASYMM_DECRYPT_KEY_ID OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x36")   /* RFC 7030 4.4.1.2 */

#define MEDIA_PKCS8 "application/pkcs8"
#define MEDIA_CMS "application/pkcs7-mime"
#define SMIME_KEY "server-generated-key"
#define SMIME_CERTS "certs-only"

enum { BODY_COLUMNS = 64 /* proto/est/body.c: every deployed client reads it */ };

enum purpose { CONTENT, WRAP, TRANSPORT, AGREEMENT };

static const struct {
	struct {
		uint8_t octets[12];
		size_t n;
	} oid;
	enum purpose purpose;
	int value;
} algorithms[] = {
	{{{0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a}, 9}, CONTENT, CMS_AES_256}, /* RFC 3565 4.1 */
	{{{0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x02}, 9}, CONTENT, CMS_AES_128},
	{{{0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2d}, 9}, WRAP, CMS_AES_256},
	{{{0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x05}, 9}, WRAP, CMS_AES_128},
	{{{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07}, 9}, TRANSPORT, CMS_RSA_OAEP},
	{{{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01}, 9}, TRANSPORT, CMS_RSA_PKCS1},
	{{{0x2b, 0x81, 0x04, 0x01, 0x0b, 0x01}, 6}, AGREEMENT, 0}, /* RFC 5753 7.1.4: the one scheme that we use */
};

enum { ALGORITHMS_N = sizeof(algorithms) / sizeof(algorithms[0]) };

static enum err malformed(const char *clause, const char *what, struct why *why)
{
	return WHY(why, EST_KEYGEN_ATTRS, clause, "%s: want one value as the clause says, have other bytes", what);
}

/* Reading a request */

struct wishes {
	bool seen[AGREEMENT + 1];
	int value[AGREEMENT + 1];
};

/* RFC 8551 2.5.2: in order of preference, so the first of each purpose counts */
static void take_capability(struct span oid, struct wishes *w)
{
	for (size_t i = 0; i < ALGORITHMS_N; i++) {
		enum purpose p = algorithms[i].purpose;
		if (w->seen[p] || !span_equal(oid, span_of(algorithms[i].oid.octets, algorithms[i].oid.n)))
			continue;
		w->seen[p] = true;
		w->value[p] = algorithms[i].value;
	}
}

static enum err parse_capabilities(struct der *values, struct est_keygen *out, struct why *why)
{
	struct wishes w = {{false}, {0}};
	struct der list = der_enter(values, DER_SEQUENCE);

	while (der_more(&list)) {
		struct der one = der_enter(&list, DER_SEQUENCE);
		struct span oid = der_take_oid(&one);
		if (der_more(&one))
			der_next(&one); /* parameters */
		if (!der_done(&one))
			return malformed("RFC 8551 2.5.2", "smimeCapabilities", why);
		take_capability(oid, &w);
	}
	if (!der_done(&list) || !der_done(values))
		return malformed("RFC 8551 2.5.2", "smimeCapabilities", why);
	/* RFC 7030 4.4.2: the algorithm is one of those that the client included */
	if (!w.seen[CONTENT] && !w.seen[WRAP] && !w.seen[TRANSPORT] && !w.seen[AGREEMENT])
		return WHY(why, EST_KEYGEN_ALGS, "RFC 7030 4.4.1", "smimeCapabilities: want AES, RSAES-OAEP or ECDH among them, have none of these");
	if (w.seen[WRAP])
		out->wrap = out->content = (enum cms_cipher)w.value[WRAP];
	if (w.seen[CONTENT])
		out->content = (enum cms_cipher)w.value[CONTENT];
	if (w.seen[TRANSPORT])
		out->transport = (enum cms_transport)w.value[TRANSPORT];
	return OK;
}

static enum err parse_id(struct der *values, const char *clause, const char *what, struct span *out, struct why *why)
{
	struct span id = der_take(values, DER_OCTET_STRING).body;

	if (!der_done(values) || id.n == 0)
		return malformed(clause, what, why);
	if (id.n > EST_KEYGEN_ID_MAX)
		return WHY(why, EST_KEYGEN_ATTRS, clause, "%s: want at most %d octets, have %zu", what, EST_KEYGEN_ID_MAX, id.n);
	*out = id;
	return OK;
}

enum err est_keygen_parse(struct span attributes, struct est_keygen *out, struct why *why)
{
	struct der d = der_init(attributes);

	*out = (struct est_keygen){.content = CMS_AES_256, .wrap = CMS_AES_256, .transport = CMS_RSA_OAEP};
	while (der_more(&d)) {
		struct der one = der_enter(&d, DER_SEQUENCE);
		struct span oid = der_take_oid(&one);
		struct der values = der_enter(&one, DER_SET);
		if (span_equal(oid, OID_SMIME_CAPABILITIES))
			TRY(parse_capabilities(&values, out, why));
		else if (span_equal(oid, OID_DECRYPT_KEY_ID))
			TRY(parse_id(&values, "RFC 4108 2.2.5", "DecryptKeyIdentifier", &out->symmetric, why));
		else if (span_equal(oid, OID_ASYMM_DECRYPT_KEY_ID))
			TRY(parse_id(&values, "RFC 7030 4.4.1.2", "AsymmetricDecryptKeyIdentifier", &out->asymmetric, why));
	}
	if (!der_done(&d))
		return malformed("RFC 2986 4.1", "attributes", why);
	if (out->symmetric.n && out->asymmetric.n)
		return WHY(why, EST_KEYGEN_BOTH, "RFC 7030 4.4.1", "DecryptKeyIdentifier: want it or AsymmetricDecryptKeyIdentifier, have both");
	return OK;
}

/* Writing a request */

static void put_id(struct buf *out, struct span oid, struct span id)
{
	size_t attribute = der_open(out, DER_SEQUENCE);

	der_put_oid(out, oid);
	size_t values = der_open(out, DER_SET);
	der_put(out, DER_OCTET_STRING, id);
	der_close(out, values);
	der_close(out, attribute);
}

static void put_capabilities(struct buf *out)
{
	size_t attribute = der_open(out, DER_SEQUENCE);

	der_put_oid(out, OID_SMIME_CAPABILITIES);
	size_t values = der_open(out, DER_SET);
	size_t list = der_open(out, DER_SEQUENCE);
	for (size_t i = 0; i < ALGORITHMS_N; i++) {
		if (i && algorithms[i].purpose == algorithms[i - 1].purpose)
			continue;
		size_t one = der_open(out, DER_SEQUENCE);
		der_put_oid(out, span_of(algorithms[i].oid.octets, algorithms[i].oid.n));
		der_close(out, one);
	}
	der_close(out, list);
	der_close(out, values);
	der_close(out, attribute);
}

void est_keygen_put(struct buf *out, const struct est_keygen *ask)
{
	if (!ask->symmetric.n && !ask->asymmetric.n)
		return;
	put_capabilities(out);
	if (ask->symmetric.n)
		put_id(out, OID_DECRYPT_KEY_ID, ask->symmetric);
	else
		put_id(out, OID_ASYMM_DECRYPT_KEY_ID, ask->asymmetric);
}

/* The answer */

static void put_part(struct buf *out, const char *boundary, const char *media_type, struct span der)
{
	buf_put_fmt(out, "--%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: base64\r\n\r\n", boundary, media_type);
	base64_write(out, der, BODY_COLUMNS);
	buf_put_text(out, "\r\n");
}

enum err est_keygen_write(const struct est_keygen_parts *parts, const uint8_t seed[EST_KEYGEN_SEED_SIZE],
	struct buf *out, char media_type_out[EST_KEYGEN_MEDIA_SIZE], struct why *why)
{
	char boundary[2 * EST_KEYGEN_SEED_SIZE + 1];

	/* RFC 2046 5.1.1: no line of a part begins with the delimiter; base64 has no '-', so none can */
	hex_text(seed, EST_KEYGEN_SEED_SIZE, boundary);
	snprintf(media_type_out, EST_KEYGEN_MEDIA_SIZE, "multipart/mixed; boundary=%s", boundary);
	put_part(out, boundary, parts->encrypted ? MEDIA_CMS "; smime-type=" SMIME_KEY : MEDIA_PKCS8, parts->key);
	put_part(out, boundary, MEDIA_CMS "; smime-type=" SMIME_CERTS, parts->cert);
	buf_put_fmt(out, "--%s--\r\n", boundary);
	return buf_check(out, "answer with a key", why);
}

static enum err unreadable(const char *what, struct why *why)
{
	return WHY(why, EST_KEYGEN_REPLY, "RFC 7030 4.4.2", "multipart/mixed: want %s", what);
}

/* A line without its end; rest moves behind it. */
static struct span take_line(struct span *rest)
{
	size_t end = span_find(*rest, '\n');
	struct span line = span_first(*rest, end);

	*rest = span_from(*rest, end + 1);
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

enum delimiter { NO_DELIMITER, NEXT_PART, LAST };

/* RFC 2046 5.1.1: "--" and the boundary at the beginning of a line; blanks may follow */
static enum delimiter delimiter_of(struct span line, struct span boundary)
{
	if (line.n < 2 + boundary.n || line.p[0] != '-' || line.p[1] != '-'
		|| !span_equal(span_first(span_from(line, 2), boundary.n), boundary))
		return NO_DELIMITER;
	struct span tail = span_trim(span_from(line, 2 + boundary.n));
	if (tail.n == 0)
		return NEXT_PART;
	return span_is(tail, "--") ? LAST : NO_DELIMITER;
}

/* The fields of a part up to the empty line. */
static struct span take_fields(struct span *rest)
{
	struct span media_type = {0};

	while (rest->n) {
		struct span line = take_line(rest);
		size_t colon = span_find(line, ':');
		if (line.n == 0)
			break;
		if (span_is_nocase(span_trim(span_first(line, colon)), "Content-Type"))
			media_type = span_trim(span_from(line, colon + 1));
	}
	return media_type;
}

/* The lines up to the next delimiter. */
static struct span take_text(struct span *rest, struct span boundary, enum delimiter *end_out)
{
	const uint8_t *from = rest->p;
	size_t n = 0;

	*end_out = NO_DELIMITER;
	while (rest->n && *end_out == NO_DELIMITER) {
		size_t before = rest->n;
		*end_out = delimiter_of(take_line(rest), boundary);
		if (*end_out == NO_DELIMITER)
			n += before - rest->n;
	}
	return span_of(from, n);
}

static enum err place_part(struct span media_type, struct span text, struct est_keygen_parts *out, struct why *why)
{
	bool plain = media_is(media_type, MEDIA_PKCS8);
	bool encrypted = media_is(media_type, MEDIA_CMS) && span_is_nocase(media_param(media_type, "smime-type"), SMIME_KEY);
	bool cert = media_is(media_type, MEDIA_CMS) && !encrypted;

	if (text.n == 0 || (!plain && !encrypted && !cert))
		return unreadable("parts application/pkcs8 or application/pkcs7-mime with content", why);
	if (cert ? out->cert.n : out->key.n)
		return unreadable("one part with the key and one with the certificate, have two of a sort", why);
	*(cert ? &out->cert : &out->key) = text;
	out->encrypted |= encrypted;
	return OK;
}

enum err est_keygen_read(struct span media_type, struct span body, struct est_keygen_parts *out, struct why *why)
{
	struct span boundary = media_param(media_type, "boundary");
	struct span rest = body;
	enum delimiter d = NO_DELIMITER;

	*out = (struct est_keygen_parts){0};
	if (!media_is(media_type, "multipart/mixed") || boundary.n == 0 || boundary.n > EST_KEYGEN_BOUNDARY_MAX)
		return unreadable("a Content-Type of that sort, with a boundary of 1 to 70 characters", why);
	if (body.n > EST_KEYGEN_BODY_MAX)
		return WHY(why, EST_KEYGEN_REPLY, "", "body: want at most %d bytes, have %zu", EST_KEYGEN_BODY_MAX, body.n);
	(void)take_text(&rest, boundary, &d); /* a preamble counts for nothing */
	while (d == NEXT_PART) {
		struct span type = take_fields(&rest);
		struct span text = take_text(&rest, boundary, &d);
		TRY(place_part(type, text, out, why));
	}
	if (d != LAST)
		return unreadable("a closing delimiter", why);
	return out->key.n && out->cert.n ? OK : unreadable("a part with the key and one with the certificate", why);
}
