#pragma once
/*
 * The head of one request: request line and fields, taken line by line into places of the head's
 * buffer. Inner part of wire/http.h, used by http_parse.c.
 */
#include "wire/http.h"

/* A run of the head's buffer, which moves while it grows. */
struct http_place {
	uint32_t at;
	uint32_t n;
};

struct http_head {
	enum call_method method;
	unsigned int minor; /* HTTP/1.minor, at most 1 */
	struct http_place target, path, query, authority, host;
	struct http_place media_type, transfer_encoding, accept, user_agent, origin, from;
	struct http_place client_cert, client_chain[CLIENT_CERT_CHAIN_MAX];
	unsigned int client_certs, client_chains;
	unsigned int fields, hosts, lengths, codings, media_types, transfer_encodings, accepts, origins, froms;
	uint64_t length; /* Content-Length; UINT64_MAX when it has too many digits */
	bool chunked;
	bool wants_close, wants_keep_alive, expect_continue;
	unsigned int status; /* set together with every failure */
};

/* line: without CRLF, inside the buffer that starts at base. */
MUST_CHECK enum err http_head_line(struct http_head *h, const uint8_t *base, struct span line, struct why *why);
MUST_CHECK enum err http_head_field(struct http_head *h, const uint8_t *base, struct span line, struct why *why);
/* Only the form is checked; trailers are discarded (RFC 9110 6.5.1). */
MUST_CHECK enum err http_head_trailer(struct http_head *h, struct span line, struct why *why);
/* What only the whole head can tell: Host, body framing, sizes. */
MUST_CHECK enum err http_head_check(
	struct http_head *h, const uint8_t *base, size_t body_max, struct why *why);
/* True when bytes of a body follow. */
bool http_head_has_body(const struct http_head *h);
void http_head_request(const struct http_head *h, const uint8_t *base, struct http_request *out);

bool http_is_token_byte(uint8_t c);
/* Visible text, blanks and tabs (RFC 9110 5.5), no control bytes. */
bool http_is_field_text(struct span value);

/* Sets the status that the failure gets and the reason, in one expression. */
#define HTTP_FAIL(h, number, why, code, clause, ...) \
	((h)->status = (number), WHY((why), code, (clause), __VA_ARGS__))
