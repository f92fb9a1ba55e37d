#include "wire/http_head.h"

#include "base/text.h"

static struct http_place place_of(const uint8_t *base, struct span s)
{
	return (struct http_place){s.n ? (uint32_t)(s.p - base) : 0, (uint32_t)s.n};
}

static struct span span_at(const uint8_t *base, struct http_place place)
{
	return span_of(base + place.at, place.n);
}

static bool is_alnum(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool http_is_token_byte(uint8_t c)
{
	/* RFC 9110 5.6.2: tchar */
	return is_alnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!http_is_token_byte(s.p[i]))
			return false;
	}
	return s.n > 0;
}

bool http_is_field_text(struct span value)
{
	for (size_t i = 0; i < value.n; i++) {
		if ((value.p[i] < 0x20 && value.p[i] != '\t') || value.p[i] == 0x7f)
			return false;
	}
	return true;
}

static bool is_hex(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* RFC 3986 3.3, 3.4: path and query hold pchar, "/" and, after the first "?", "?" */
static bool is_target_text(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		if (c == '%') {
			if (s.n - i < 3 || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2]))
				return false;
		} else if (!is_alnum(c) && (!c || !strchr("-._~!$&'()*+,;=:@/?", c))) {
			return false;
		}
	}
	return true;
}

/* RFC 3986 3.2: host and port, never user information */
static bool is_authority(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_alnum(s.p[i]) && (!s.p[i] || !strchr("-._~!$&'()*+,;=:[]%", s.p[i])))
			return false;
	}
	return s.n > 0;
}

static enum err take_method(struct http_head *h, struct span method, struct why *why)
{
	static const struct {
		const char *name;
		enum call_method method;
	} methods[] = {
		{"GET", CALL_GET}, {"POST", CALL_POST}, {"HEAD", CALL_HEAD},
		{"PUT", CALL_PUT}, {"DELETE", CALL_DELETE},
	};

	if (!is_token(method))
		return HTTP_FAIL(h, 400, why, HTTP_SYNTAX, "RFC 9112 3", "request line: want a method first");
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (span_is(method, methods[i].name)) {
			h->method = methods[i].method;
			return OK;
		}
	}
	/* RFC 9110 9.1: an unknown method is answered with 501 */
	return HTTP_FAIL(h, 501, why, HTTP_METHOD, "RFC 9110 9.1",
		"method: want GET, HEAD, POST, PUT or DELETE, have %.*s", SPAN_FMT(span_first(method, 32)));
}

static enum err take_version(struct http_head *h, struct span version, struct why *why)
{
	const uint8_t *p = version.p;

	if (version.n != 8 || memcmp(p, "HTTP/", 5) != 0 || p[6] != '.' || p[5] < '0' || p[5] > '9' || p[7] < '0'
		|| p[7] > '9')
		return HTTP_FAIL(h, 400, why, HTTP_SYNTAX, "RFC 9112 2.3",
			"request line: want HTTP/1.1 at its end, have %.*s", SPAN_FMT(span_first(version, 32)));
	if (p[5] != '1')
		return HTTP_FAIL(h, 505, why, HTTP_VERSION, "RFC 9110 15.6.6",
			"version: want HTTP/1.1 or HTTP/1.0, have %.*s", SPAN_FMT(version));
	/* RFC 9110 2.5: a higher minor version is read as the highest one known */
	h->minor = p[7] == '0' ? 0 : 1;
	return OK;
}

/* Cuts "http://authority" off an absolute target; what is left starts with '/', '?' or is empty. */
static enum err take_authority(struct http_head *h, const uint8_t *base, struct span *target, struct why *why)
{
	size_t scheme = span_is_nocase(span_first(*target, 7), "http://")   ? 7
			: span_is_nocase(span_first(*target, 8), "https://") ? 8
									     : 0;
	if (!scheme)
		return HTTP_FAIL(h, 400, why, HTTP_SYNTAX, "RFC 9112 3.2",
			"target: want a path that starts with /, have %.*s", SPAN_FMT(span_first(*target, 64)));
	struct span rest = span_from(*target, scheme);
	size_t end = 0;
	while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
		end++;
	struct span authority = span_first(rest, end);
	if (!is_authority(authority))
		return HTTP_FAIL(h, 400, why, HTTP_HOST, "RFC 9110 4.2.4",
			"target: want host and port only, have %.*s", SPAN_FMT(span_first(authority, 64)));
	h->authority = place_of(base, authority);
	*target = span_from(rest, end);
	return OK;
}

static enum err take_target(struct http_head *h, const uint8_t *base, struct span target, struct why *why)
{
	if (target.n > CALL_PATH_MAX)
		return HTTP_FAIL(h, 414, why, HTTP_TARGET_LIMIT, "RFC 9112 3",
			"target: want at most %d bytes, have %zu", CALL_PATH_MAX, target.n);
	h->target = place_of(base, target);
	if (target.n == 0 || target.p[0] != '/')
		TRY(take_authority(h, base, &target, why));
	if (!is_target_text(target))
		return HTTP_FAIL(h, 400, why, HTTP_SYNTAX, "RFC 9112 3.2",
			"target: want bytes that RFC 3986 allows, others as %%xx, have %.*s",
			SPAN_FMT(span_first(target, 64)));
	size_t mark = span_find(target, '?');
	h->path = place_of(base, span_first(target, mark));
	h->query = place_of(base, span_from(target, mark + 1));
	return OK;
}

enum err http_head_line(struct http_head *h, const uint8_t *base, struct span line, struct why *why)
{
	size_t first = span_find(line, ' ');
	struct span rest = span_from(line, first + 1);
	size_t second = span_find(rest, ' ');

	/* RFC 9112 3: exactly one blank each; looser readings differ between recipients */
	if (first == line.n || second == rest.n)
		return HTTP_FAIL(h, 400, why, HTTP_SYNTAX, "RFC 9112 3",
			"request line: want method, target and version, have %.*s", SPAN_FMT(span_first(line, 64)));
	TRY(take_method(h, span_first(line, first), why));
	TRY(take_version(h, span_from(rest, second + 1), why));
	return take_target(h, base, span_first(rest, second), why);
}

static enum err take_host(struct http_head *h, const uint8_t *base, struct span value, struct why *why)
{
	/* RFC 9112 3.2: more than one Host field, or an invalid one, is answered with 400 */
	if (h->hosts++)
		return HTTP_FAIL(h, 400, why, HTTP_HOST, "RFC 9112 3.2", "Host: want one field, have two");
	if (!is_authority(value))
		return HTTP_FAIL(h, 400, why, HTTP_HOST, "RFC 9112 3.2",
			"Host: want a name or an address, have \"%.*s\"", SPAN_FMT(span_first(value, 64)));
	h->host = place_of(base, value);
	return OK;
}

static enum err take_length(struct http_head *h, const uint8_t *base, struct span value, struct why *why)
{
	enum { DIGITS_MAX = 18 }; /* fits into 64 bits, far above any body_max */

	/* RFC 9112 6.3: repeated lengths, also equal ones, may be refused; here they are */
	if (h->lengths++)
		return HTTP_FAIL(h, 400, why, HTTP_FRAMING, "RFC 9112 6.3", "Content-Length: want one field, have two");
	h->length = 0;
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return HTTP_FAIL(h, 400, why, HTTP_FRAMING, "RFC 9110 8.6",
				"Content-Length: want digits only, have \"%.*s\"", SPAN_FMT(span_first(value, 32)));
		h->length = i < DIGITS_MAX ? h->length * 10 + (uint64_t)(value.p[i] - '0') : UINT64_MAX;
	}
	if (value.n == 0)
		return HTTP_FAIL(h, 400, why, HTTP_FRAMING, "RFC 9110 8.6", "Content-Length: want digits, have none");
	return OK;
}

static enum err take_coding(struct http_head *h, const uint8_t *base, struct span value, struct why *why)
{
	if (h->codings++)
		return HTTP_FAIL(
			h, 400, why, HTTP_FRAMING, "RFC 9112 6.1", "Transfer-Encoding: want one field, have two");
	/* RFC 9112 6.1: a coding that is not understood is answered with 501 */
	if (!span_is_nocase(value, "chunked"))
		return HTTP_FAIL(h, 501, why, HTTP_CODING, "RFC 9112 6.1",
			"Transfer-Encoding: want chunked, have \"%.*s\"", SPAN_FMT(span_first(value, 64)));
	h->chunked = true;
	return OK;
}

static enum err take_once(struct http_head *h, unsigned int *count, const char *name, struct why *why)
{
	/* RFC 9110 5.3: a field that is no list comes once */
	if ((*count)++)
		return HTTP_FAIL(h, 400, why, HTTP_SYNTAX, "RFC 9110 5.3", "%s: want one field, have two", name);
	return OK;
}

static enum err take_media_type(struct http_head *h, const uint8_t *base, struct span value, struct why *why)
{
	h->media_type = place_of(base, value);
	return take_once(h, &h->media_types, "Content-Type", why);
}

static enum err take_encoding(struct http_head *h, const uint8_t *base, struct span value, struct why *why)
{
	h->transfer_encoding = place_of(base, value);
	return take_once(h, &h->transfer_encodings, "Content-Transfer-Encoding", why);
}

static enum err take_accept(struct http_head *h, const uint8_t *base, struct span value, struct why *why)
{
	/* RFC 9110 12.1: a preference may be disregarded; joining several fields is not worth a copy */
	h->accept = h->accepts++ ? (struct http_place){0, 0} : place_of(base, value);
	return OK;
}

static enum err take_agent(struct http_head *h, const uint8_t *base, struct span value, struct why *why)
{
	h->user_agent = place_of(base, value);
	return OK;
}

/* TS-0009 6.4.1: who sends the request; a second one would let two readers see two senders */
static enum err take_origin(struct http_head *h, const uint8_t *base, struct span value, struct why *why)
{
	h->origin = place_of(base, value);
	return take_once(h, &h->origins, "X-M2M-Origin", why);
}

static enum err take_from(struct http_head *h, const uint8_t *base, struct span value, struct why *why)
{
	h->from = place_of(base, value);
	return take_once(h, &h->froms, "From", why);
}

/* RFC 9440: who may send it is known elsewhere, so nothing is refused here */
static enum err take_client_cert(struct http_head *h, const uint8_t *base, struct span value, struct why *why)
{
	h->client_cert = place_of(base, value);
	h->client_certs++;
	return OK;
}

static enum err take_client_chain(struct http_head *h, const uint8_t *base, struct span value, struct why *why)
{
	if (h->client_chains < CLIENT_CERT_CHAIN_MAX)
		h->client_chain[h->client_chains] = place_of(base, value);
	h->client_chains++;
	return OK;
}

static enum err take_connection(struct http_head *h, const uint8_t *base, struct span value, struct why *why)
{
	while (value.n) {
		size_t comma = span_find(value, ',');
		struct span option = span_trim(span_first(value, comma));
		if (span_is_nocase(option, "close"))
			h->wants_close = true;
		else if (span_is_nocase(option, "keep-alive"))
			h->wants_keep_alive = true;
		value = span_from(value, comma + 1);
	}
	return OK;
}

static enum err take_expect(struct http_head *h, const uint8_t *base, struct span value, struct why *why)
{
	/* RFC 9110 10.1.1: another expectation may be answered with 417 */
	if (!span_is_nocase(value, "100-continue"))
		return HTTP_FAIL(h, 417, why, HTTP_EXPECT, "RFC 9110 10.1.1",
			"Expect: want 100-continue, have \"%.*s\"", SPAN_FMT(span_first(value, 64)));
	h->expect_continue = true;
	return OK;
}

static enum err split_field(struct http_head *h, struct span line, struct span *name, struct span *value,
	struct why *why)
{
	size_t colon = span_find(line, ':');

	/* RFC 9112 5.2: a folded line is refused with 400 */
	if (line.p[0] == ' ' || line.p[0] == '\t')
		return HTTP_FAIL(h, 400, why, HTTP_SYNTAX, "RFC 9112 5.2",
			"field: want each on one line, have a line that starts with a blank");
	*name = span_first(line, colon);
	/* RFC 9112 5.1: a blank between name and colon is refused with 400 */
	if (colon == line.n || !is_token(*name))
		return HTTP_FAIL(h, 400, why, HTTP_SYNTAX, "RFC 9112 5.1", "field: want name: value, have %.*s",
			SPAN_FMT(span_first(line, 64)));
	*value = span_trim(span_from(line, colon + 1));
	if (!http_is_field_text(*value))
		return HTTP_FAIL(h, 400, why, HTTP_SYNTAX, "RFC 9110 5.5",
			"%.*s: want text, have a control byte", SPAN_FMT(span_first(*name, 64)));
	if (++h->fields > HTTP_FIELDS_MAX)
		return HTTP_FAIL(h, 431, why, HTTP_HEAD_LIMIT, "RFC 6585 5", "fields: want at most %d, have more",
			HTTP_FIELDS_MAX);
	return OK;
}

enum err http_head_field(struct http_head *h, const uint8_t *base, struct span line, struct why *why)
{
	static const struct {
		const char *name;
		enum err (*take)(struct http_head *h, const uint8_t *base, struct span value, struct why *why);
	} rows[] = {
		{"Host", take_host},
		{"Content-Length", take_length},
		{"Transfer-Encoding", take_coding},
		{"Content-Type", take_media_type},
		{"Content-Transfer-Encoding", take_encoding},
		{"Accept", take_accept},
		{"User-Agent", take_agent},
		{"X-M2M-Origin", take_origin},
		{"From", take_from},
		{"Connection", take_connection},
		{"Expect", take_expect},
		{"Client-Cert", take_client_cert},
		{"Client-Cert-Chain", take_client_chain},
	};
	struct span name, value;

	TRY(split_field(h, line, &name, &value, why));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (span_is_nocase(name, rows[i].name))
			return rows[i].take(h, base, value, why);
	}
	return OK;
}

enum err http_head_trailer(struct http_head *h, struct span line, struct why *why)
{
	struct span name, value;

	return split_field(h, line, &name, &value, why);
}

static enum err check_host(struct http_head *h, const uint8_t *base, struct why *why)
{
	/* RFC 9112 3.2: HTTP/1.1 without Host is answered with 400 */
	if (!h->hosts && h->minor >= 1)
		return HTTP_FAIL(h, 400, why, HTTP_HOST, "RFC 9112 3.2", "Host: want one field, have none");
	if (!h->authority.n)
		return OK;
	if (!h->hosts)
		h->host = h->authority;
	if (!span_equal_nocase(span_at(base, h->authority), span_at(base, h->host)))
		return HTTP_FAIL(h, 400, why, HTTP_HOST, "RFC 9112 3.2.2",
			"Host: want %.*s as in the target, have %.*s",
			SPAN_FMT(span_first(span_at(base, h->authority), 64)),
			SPAN_FMT(span_first(span_at(base, h->host), 64)));
	return OK;
}

static enum err check_framing(struct http_head *h, size_t body_max, struct why *why)
{
	bool takes_body = h->method == CALL_POST || h->method == CALL_PUT;

	/* RFC 9112 6.1: both lengths, or chunked in HTTP/1.0, smell of request smuggling */
	if (h->codings && h->lengths)
		return HTTP_FAIL(h, 400, why, HTTP_FRAMING, "RFC 9112 6.1",
			"framing: want Content-Length or Transfer-Encoding, have both");
	if (h->codings && h->minor == 0)
		return HTTP_FAIL(h, 400, why, HTTP_FRAMING, "RFC 9112 6.1", "Transfer-Encoding: want HTTP/1.1, have 1.0");
	/* RFC 9112 6.3: without any length the body may be refused with 411 */
	if (takes_body && !h->codings && !h->lengths)
		return HTTP_FAIL(h, 411, why, HTTP_LENGTH_REQUIRED, "RFC 9112 6.3",
			"framing: want Content-Length or Transfer-Encoding, have neither");
	/* RFC 9110 9.3.1: a body here has no meaning and may be refused with 400 */
	if (!takes_body && http_head_has_body(h))
		return HTTP_FAIL(h, 400, why, HTTP_FRAMING, "RFC 9110 9.3.1",
			"body: want none with GET, HEAD and DELETE, have one");
	if (h->length > body_max)
		return HTTP_FAIL(h, 413, why, HTTP_BODY_LIMIT, "RFC 9110 15.5.14",
			"Content-Length: want at most %zu, have more", body_max);
	return OK;
}

enum err http_head_check(struct http_head *h, const uint8_t *base, size_t body_max, struct why *why)
{
	TRY(check_host(h, base, why));
	return check_framing(h, body_max, why);
}

bool http_head_has_body(const struct http_head *h)
{
	return h->chunked || h->length > 0;
}

void http_head_request(const struct http_head *h, const uint8_t *base, struct http_request *out)
{
	*out = (struct http_request){
		.method = h->method,
		.target = span_at(base, h->target),
		/* RFC 9112 3.2.1: an empty path is written "/" */
		.path = h->path.n ? span_at(base, h->path) : span_text("/"),
		.query = span_at(base, h->query),
		.host = span_at(base, h->host),
		.media_type = span_at(base, h->media_type),
		.transfer_encoding = span_at(base, h->transfer_encoding),
		.accept = span_at(base, h->accept),
		.user_agent = span_at(base, h->user_agent),
		.origin = span_at(base, h->origins ? h->origin : h->from),
		.client_cert = span_at(base, h->client_cert),
		.client_certs = h->client_certs,
		.client_chains = h->client_chains,
		/* RFC 9112 9.3: 1.1 stays open unless told, 1.0 closes unless told */
		.keep_alive = !h->wants_close && (h->minor >= 1 || h->wants_keep_alive),
		/* RFC 9110 10.1.1: an expectation of HTTP/1.0 is ignored */
		.expect_continue = h->expect_continue && h->minor >= 1 && http_head_has_body(h),
	};
	for (size_t i = 0; i < h->client_chains && i < CLIENT_CERT_CHAIN_MAX; i++)
		out->client_chain[i] = span_at(base, h->client_chain[i]);
}
