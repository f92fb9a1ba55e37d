#pragma once
/*
 * HTTP/1.1 framing (RFC 9112), pure: bytes in, request values out. Deny by default: every ambiguity
 * that request smuggling lives on (both Content-Length and Transfer-Encoding, repeated or odd
 * lengths, bare CR, obs-fold, blanks before the colon) is refused.
 */
#include "base/buf.h"
#include "wire/call.h"

enum {
	HTTP_HEAD_MAX = 16 * 1024, /* request line and fields together */
	HTTP_FIELDS_MAX = 64,
	HTTP_CHUNK_LINE_MAX = 256, /* size line with extensions */
};

enum http_state {
	HTTP_NEED_MORE,
	HTTP_HEAD_DONE, /* reported once when a body follows: the place to answer Expect: 100-continue */
	HTTP_COMPLETE,
	HTTP_FAILED,
};

struct http_request {
	enum call_method method;
	struct span target; /* as sent */
	struct span path;
	struct span query;
	struct span host;
	struct span media_type;
	struct span transfer_encoding; /* Content-Transfer-Encoding */
	struct span accept;
	struct span user_agent;
	struct span body; /* dechunked */
	bool keep_alive;
	bool expect_continue;
};

struct http_parser; /* one per connection */

/* body_max: largest body accepted. NULL without memory. */
struct http_parser *http_parser_new(size_t body_max);
void http_parser_free(struct http_parser *p);
/*
 * Consumes bytes from `in` and says how many in *used. After HTTP_COMPLETE the request stays valid
 * until http_parser_next(). Leftover bytes belong to the next request and were not consumed.
 */
enum http_state http_parser_feed(struct http_parser *p, struct span in, size_t *used, struct why *why);
const struct http_request *http_parser_request(const struct http_parser *p);
void http_parser_next(struct http_parser *p);
bool http_parser_is_idle(const struct http_parser *p); /* no byte of a request read yet */
/* Status that fits the failure: 400, 411, 413, 414, 431, 501, 505. */
unsigned int http_parser_status(const struct http_parser *p);

/* Status line, fields and body in one run of bytes. date_s: for the Date field. */
void http_reply_write(struct buf *out, const struct reply *reply, bool head_only, bool keep_alive, int64_t date_s);
const char *http_reason(unsigned int status);
/* One exhaustive switch from kind to status. */
unsigned int http_status_of(enum err kind);
