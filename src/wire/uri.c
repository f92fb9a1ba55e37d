#include "wire/uri.h"

#define CLAUSE "RFC 3986 3"

static enum err parse_port(struct span text, struct uri *out, struct why *why)
{
	uint64_t port = 0;

	TRY(text_number(text, 1, 65535, "port", &port, why));
	out->port = (uint16_t)port;
	return OK;
}

static bool is_host_byte(uint8_t c, bool bracketed)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return true;
	return c == '.' || (bracketed ? c == ':' : c == '-' || c == '_');
}

static enum err parse_host(struct span text, bool bracketed, struct uri *out, struct why *why)
{
	for (size_t i = 0; i < text.n; i++) {
		if (!is_host_byte(text.p[i], bracketed))
			return WHY(why, URI_SYNTAX, "RFC 3986 3.2.2", "host: byte 0x%02x does not belong there",
				(unsigned int)text.p[i]);
	}
	if (text.n == 0)
		return WHY(why, URI_SYNTAX, "RFC 3986 3.2.2", "host: want a name, have nothing");
	out->host = text;
	return OK;
}

static enum err parse_authority(struct span text, struct uri *out, struct why *why)
{
	if (span_find(text, '@') != text.n)
		return WHY(why, URI_SYNTAX, "RFC 9110 4.2.4", "user name in a URI: want none");
	bool bracketed = text.n && text.p[0] == '[';
	size_t host_end = bracketed ? span_find(text, ']') : span_find(text, ':');
	if (bracketed && host_end == text.n)
		return WHY(why, URI_SYNTAX, "RFC 3986 3.2.2", "host: want ']' behind an IPv6 address");
	struct span host = span_first(text, host_end);
	TRY(parse_host(bracketed ? span_from(host, 1) : host, bracketed, out, why));
	struct span rest = span_from(text, bracketed ? host_end + 1 : host_end);
	if (rest.n == 0)
		return OK;
	if (rest.p[0] != ':')
		return WHY(why, URI_SYNTAX, CLAUSE, "port: want ':' before it");
	return parse_port(span_from(rest, 1), out, why);
}

enum err uri_parse(struct span in, struct uri *out, struct why *why)
{
	*out = (struct uri){0};
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] <= 0x20 || in.p[i] >= 0x7f || in.p[i] == '#')
			return WHY(why, URI_SYNTAX, CLAUSE, "byte 0x%02x at %zu does not belong in this URI",
				(unsigned int)in.p[i], i);
	}
	out->scheme = span_first(in, span_find(in, ':'));
	struct span rest = span_from(in, out->scheme.n);
	bool https = span_is_nocase(out->scheme, "https");
	if (!https && !span_is_nocase(out->scheme, "http"))
		return WHY(why, URI_SYNTAX, CLAUSE, "scheme: want https or http, have '%.*s'",
			SPAN_FMT(span_first(out->scheme, 40)));
	if (!span_starts(rest, "://"))
		return WHY(why, URI_SYNTAX, CLAUSE, "want '://' behind the scheme");
	rest = span_from(rest, 3);
	out->port = https ? 443 : 80;
	size_t n = 0;
	while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
		n++;
	TRY(parse_authority(span_first(rest, n), out, why));
	rest = span_from(rest, n);
	out->path = span_first(rest, span_find(rest, '?'));
	out->query = span_from(rest, out->path.n + 1);
	return OK;
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum err uri_decode(struct span in, char *out, size_t size, struct why *why)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < in.n; i++) {
		int c = in.p[i];
		out[n] = '\0';
		if (c == '%') {
			int high = in.n - i > 2 ? hex_value(in.p[i + 1]) : -1;
			int low = in.n - i > 2 ? hex_value(in.p[i + 2]) : -1;
			if (high < 0 || low < 0 || (high | low) == 0)
				return WHY(why, URI_ESCAPE, "RFC 3986 2.1", "position %zu", i);
			c = high << 4 | low;
			i += 2;
		}
		if (c == 0 || n + 1 >= size)
			return WHY(why, URI_ESCAPE, "RFC 3986 2.1", "want at most %zu bytes without NUL", size - 1);
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return OK;
}
