#include "wire/client_cert.h"

#include "base/base64.h"

/* Where each certificate lies in the buffer, which moves while it grows. */
struct reading {
	struct buf *bytes;
	size_t ends[1 + CLIENT_CERT_CHAIN_MAX];
	size_t n;
};

static bool is_base64(struct span text)
{
	size_t padding = 0;

	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
		padding += c == '=';
		if (!letter && c != '=')
			return false;
	}
	return text.n > 0 && text.n % 4 == 0 && padding <= 2;
}

/* RFC 8941 4.2.7: a colon, base64, a colon */
static enum err take_bytes(struct reading *r, const char *field, struct span *rest, struct why *why)
{
	size_t end = 1 + span_find(span_from(*rest, 1), ':');
	struct span text = span_from(span_first(*rest, end), 1);

	if (rest->n < 2 || rest->p[0] != ':' || end >= rest->n || !is_base64(text))
		return WHY(why, CLIENT_CERT_SYNTAX, "RFC 9440 2.1", "%s: want :base64: of a certificate, have \"%.*s\"", field,
			SPAN_FMT(span_first(*rest, 40)));
	TRY(base64_parse(text, r->bytes, why));
	TRY(buf_check(r->bytes, field, why));
	r->ends[r->n++] = r->bytes->n;
	*rest = span_from(*rest, end + 1);
	return OK;
}

/* RFC 8941 4.2.1: members parted by commas, blanks and tabs around them; no comma at the end */
static enum err take_list(struct reading *r, struct span rest, struct why *why)
{
	static const char field[] = "Client-Cert-Chain";

	for (;;) {
		if (r->n > CLIENT_CERT_CHAIN_MAX)
			return WHY(why, CLIENT_CERT_LIMIT, "RFC 9440 2.3", "%s: want at most %d certificates, have more", field,
				CLIENT_CERT_CHAIN_MAX);
		TRY(take_bytes(r, field, &rest, why));
		rest = span_trim(rest);
		if (rest.n == 0)
			return OK;
		if (rest.p[0] != ',')
			return WHY(why, CLIENT_CERT_SYNTAX, "RFC 8941 4.2.1", "%s: want a comma, have \"%.*s\"", field,
				SPAN_FMT(span_first(rest, 40)));
		rest = span_trim(span_from(rest, 1));
	}
}

enum err client_cert_parse(struct span cert, const struct span *chain, size_t chain_n, struct buf *bytes,
	struct client_cert *out, struct why *why)
{
	struct reading r = {.bytes = bytes};
	size_t start = 0;

	*out = (struct client_cert){0};
	buf_clear(bytes);
	TRY(take_bytes(&r, "Client-Cert", &cert, why));
	if (cert.n)
		return WHY(why, CLIENT_CERT_SYNTAX, "RFC 9440 2.2", "Client-Cert: want one byte sequence, have \"%.*s\" behind it",
			SPAN_FMT(span_first(cert, 40)));
	for (size_t i = 0; i < chain_n; i++)
		TRY(take_list(&r, chain[i], why));
	out->n = r.n;
	for (size_t i = 0; i < r.n; i++) {
		out->ders[i] = span_of(bytes->p + start, r.ends[i] - start);
		start = r.ends[i];
	}
	return OK;
}
