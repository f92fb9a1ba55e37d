#include "proto/est/body.h"

#include "base/base64.h"
#include "pki/csr.h"
#include "wire/media.h"

enum {
	BODY_COLUMNS = 64,     /* RFC 7468's width; every deployed client that wants breaks reads it */
	BODY_ONE_LINE_MAX = 1000, /* libest's decoder gives up on one line near 1 KB (measured) */
};

static bool is_base64_byte(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
		c == '/' || c == '=' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Index of the first byte that is no base64 text, or n. */
static size_t base64_end(struct span s)
{
	size_t i = 0;

	while (i < s.n && is_base64_byte(s.p[i]))
		i++;
	return i;
}

enum err est_body_der(struct span body, struct buf *der_out, struct why *why)
{
	size_t end = base64_end(body);
	size_t before = der_out->n;

	if (body.n > CALL_BODY_MAX)
		return WHY(why, EST_BODY_LIMIT, "", "body: want at most %d bytes, have %zu", CALL_BODY_MAX, body.n);
	/* 0x30, which opens every DER message, is also the character '0': text is tried first */
	if (end < body.n && body.p[0] == 0x30) {
		buf_put_span(der_out, body);
		return buf_check(der_out, "body", why);
	}
	if (end < body.n)
		return WHY(why, EST_BODY, "RFC 8951 3", "body: want base64, have byte 0x%02x at position %zu",
			(unsigned int)body.p[end], end);
	/* RFC 8951 3.1: blanks and line breaks are tolerated, a transfer encoding field is not looked at */
	TRY(base64_parse(body, der_out, why));
	if (der_out->n == before)
		return WHY(why, EST_BODY, "RFC 8951 3", "body: want base64 of a message, have nothing");
	return OK;
}

static struct span trim_lines(struct span s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\r' || s.p[0] == '\n'))
		s = span_from(s, 1);
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r' || s.p[s.n - 1] == '\n'))
		s.n--;
	return s;
}

/* The base64 between PEM lines; false when the body is no PEM request (RFC 7468 7). */
static bool pem_content(struct span body, struct span *content)
{
	static const struct {
		const char *begin, *end;
	} armours[] = {
		{"-----BEGIN CERTIFICATE REQUEST-----", "-----END CERTIFICATE REQUEST-----"},
		{"-----BEGIN NEW CERTIFICATE REQUEST-----", "-----END NEW CERTIFICATE REQUEST-----"},
	};
	struct span s = trim_lines(body);

	for (size_t i = 0; i < sizeof(armours) / sizeof(armours[0]); i++) {
		size_t begin = strlen(armours[i].begin);
		size_t end = strlen(armours[i].end);
		if (s.n < begin + end || !span_starts(s, armours[i].begin) ||
			!span_is(span_from(s, s.n - end), armours[i].end))
			continue;
		*content = span_first(span_from(s, begin), s.n - begin - end);
		return true;
	}
	return false;
}

enum err est_body_csr(struct span media_type, struct span body, struct buf *der_out, struct why *why)
{
	size_t before = der_out->n;
	struct span content = body;

	/* RFC 7030 4.2.1: the request is application/pkcs10 */
	if (!media_is(media_type, EST_MEDIA_PKCS10))
		return WHY(why, EST_MEDIA, "RFC 7030 4.2.1", "Content-Type: want %s, have '%.*s'", EST_MEDIA_PKCS10,
			SPAN_FMT(span_first(media_type, 80)));
	/* people post what `openssl req` printed, which is PEM */
	(void)pem_content(body, &content);
	TRY(est_body_der(content, der_out, why));
	if (der_out->n - before > CSR_DER_MAX)
		return WHY(why, EST_BODY_LIMIT, "", "request: want at most %d bytes of DER, have %zu", CSR_DER_MAX,
			der_out->n - before);
	return OK;
}

static bool wants_lines(struct span der, struct span user_agent)
{
	if (span_starts(user_agent, "Cisco EST client")) /* libest cannot read text without line breaks */
		return true;
	if (user_agent.n == 0) /* strongSwan's pki names itself nowhere, and old ones read no line breaks */
		return false;
	return (der.n + 2) / 3 * 4 >= BODY_ONE_LINE_MAX;
}

void est_body_write(struct buf *out, struct span der, struct span user_agent)
{
	/* RFC 8951 3.1: senders need not break lines; which form each client reads was measured */
	if (wants_lines(der, user_agent)) {
		base64_write(out, der, BODY_COLUMNS);
		return;
	}
	base64_write(out, der, 0);
	buf_put_u8(out, '\n');
}

void est_body_write_request(struct buf *out, struct span der)
{
	base64_write(out, der, BODY_COLUMNS);
}
