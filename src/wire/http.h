#pragma once
/*
 * HTTP/1.1 framing (RFC 9112), pure: bytes in, request values out. Deny by default: every ambiguity
 * that request smuggling lives on (both Content-Length and Transfer-Encoding, repeated or odd
 * lengths, bare CR or LF, obs-fold, blanks before the colon, a body on GET) is refused.
 */
#include "base/buf.h"
#include "wire/call.h"
#include "wire/client_cert.h"

enum {
	HTTP_HEAD_MAX = 16 * 1024, /* request line and fields together; what nginx and Apache come to */
	HTTP_FIELDS_MAX = 64,      /* fields of the head, and again of the trailer */
	HTTP_CHUNK_LINE_MAX = 256, /* size line with extensions and CRLF */
	HTTP_CHUNK_EXTRA_MAX = 16 * 1024, /* extensions and trailers of one body together */
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
	struct span path;   /* starts with '/' */
	struct span query;
	struct span host;   /* Host, or the authority of an absolute target; empty only with HTTP/1.0 */
	struct span media_type;
	struct span transfer_encoding; /* Content-Transfer-Encoding */
	struct span accept; /* empty also when several Accept fields came: only a preference */
	struct span user_agent;
	struct span origin; /* X-M2M-Origin, or else From */
	/* RFC 9440, as received from whomever: nothing to believe by itself. */
	struct span client_cert;
	unsigned int client_certs; /* fields of that name */
	struct span client_chain[CLIENT_CERT_CHAIN_MAX];
	size_t client_chains; /* may be more than client_chain holds */
	struct span body; /* dechunked */
	bool keep_alive;
	bool expect_continue;
};

struct http_parser; /* one per connection; an idle one holds no buffer */

/* body_max: largest body accepted. NULL without memory. */
struct http_parser *http_parser_new(size_t body_max);
void http_parser_free(struct http_parser *p);
/*
 * Consumes bytes from `in` and says how many in *used; each byte is looked at once, however they are
 * cut. After HTTP_COMPLETE the request stays valid until http_parser_next(). Leftover bytes belong to
 * the next request and were not consumed. After HTTP_HEAD_DONE and HTTP_COMPLETE: feed the rest again.
 * HTTP_FAILED is final: answer with http_parser_status() and close.
 */
enum http_state http_parser_feed(struct http_parser *p, struct span in, size_t *used, struct why *why);
/* After HTTP_HEAD_DONE without body, after HTTP_COMPLETE whole; NULL otherwise. */
const struct http_request *http_parser_request(const struct http_parser *p);
void http_parser_next(struct http_parser *p);
bool http_parser_is_idle(const struct http_parser *p); /* no byte of a request read yet */
/* Status that fits the failure: 400, 411, 413, 414, 417, 431, 501, 503, 505; 0 unless failed. */
unsigned int http_parser_status(const struct http_parser *p);

/*
 * Status line, fields and body in one run of bytes. date_s: for the Date field. head_only answers a
 * HEAD: all fields, no body. The connection is told to close when keep_alive is false or reply->close.
 */
void http_reply_write(struct buf *out, const struct reply *reply, bool head_only, bool keep_alive, int64_t date_s);
const char *http_reason(unsigned int status);
/* One exhaustive switch from kind to status. */
unsigned int http_status_of(enum err kind);
