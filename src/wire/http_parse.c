#include "wire/http.h"

#include "base/hex.h"
#include "base/mem.h"
#include "wire/http_head.h"

enum phase { REQUEST_LINE, FIELDS, FIXED_BODY, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILERS, COMPLETE, FAILED };

enum {
	/* Method and version around the longest target. */
	REQUEST_LINE_MAX = CALL_PATH_MAX + 32,
	/* First step of a body's buffer; a peer that announces much must also send it. */
	BODY_STEP = 8 * 1024,
};

struct http_parser {
	enum phase phase;
	struct http_head head;
	struct buf text; /* the head; behind it, one line of the body's framing at a time */
	struct buf body;
	size_t line_at; /* where the line under way starts in text */
	size_t extra;   /* bytes of chunk extensions and trailers so far */
	uint64_t left;  /* of the body or chunk */
	bool skipped_line;
	struct http_request request;
};

struct http_parser *http_parser_new(size_t body_max)
{
	struct http_parser *p = mem_alloc(sizeof(*p));

	if (!p)
		return NULL;
	p->text = BUF(HTTP_HEAD_MAX + HTTP_CHUNK_LINE_MAX + HTTP_CHUNK_EXTRA_MAX);
	p->body = BUF(body_max);
	return p;
}

void http_parser_free(struct http_parser *p)
{
	if (!p)
		return;
	buf_fini(&p->text);
	buf_fini_wipe(&p->body); /* may have held a key */
	mem_free(p);
}

void http_parser_next(struct http_parser *p)
{
	buf_fini(&p->text);
	buf_fini_wipe(&p->body); /* may have held a key */
	*p = (struct http_parser){.text = p->text, .body = p->body};
}

bool http_parser_is_idle(const struct http_parser *p)
{
	return p->phase == REQUEST_LINE && p->text.n == 0;
}

unsigned int http_parser_status(const struct http_parser *p)
{
	return p->phase == FAILED ? p->head.status : 0;
}

const struct http_request *http_parser_request(const struct http_parser *p)
{
	return p->request.method ? &p->request : NULL;
}

static void publish(struct http_parser *p)
{
	http_head_request(&p->head, p->text.p, &p->request);
	p->request.body = p->phase == COMPLETE ? buf_span(&p->body) : span_of(NULL, 0);
}

static enum err out_of_memory(struct http_parser *p, struct why *why)
{
	return HTTP_FAIL(&p->head, 503, why, NOMEM, "", "request: want room for one more part of it");
}

/* Bytes that the line under way may still take. */
static size_t line_room(const struct http_parser *p)
{
	size_t have = p->text.n - p->line_at;

	switch (p->phase) {
	case REQUEST_LINE:
		return REQUEST_LINE_MAX - have;
	case FIELDS:
		return HTTP_HEAD_MAX - p->text.n;
	case CHUNK_SIZE:
		return HTTP_CHUNK_LINE_MAX - have;
	case CHUNK_END:
		return 2 - have;
	case TRAILERS:
		return HTTP_CHUNK_EXTRA_MAX - p->extra - have;
	case FIXED_BODY:
	case CHUNK_DATA:
	case COMPLETE:
	case FAILED:
		break;
	}
	return 0;
}

static enum err line_too_long(struct http_parser *p, struct why *why)
{
	struct http_head *h = &p->head;

	if (p->phase == REQUEST_LINE)
		return HTTP_FAIL(h, 414, why, HTTP_TARGET_LIMIT, "RFC 9112 3",
			"request line: want at most %d bytes, have more", REQUEST_LINE_MAX);
	if (p->phase == FIELDS)
		return HTTP_FAIL(
			h, 431, why, HTTP_HEAD_LIMIT, "RFC 6585 5", "head: want at most %d bytes, have more", HTTP_HEAD_MAX);
	if (p->phase == TRAILERS)
		return HTTP_FAIL(h, 431, why, HTTP_HEAD_LIMIT, "RFC 6585 5",
			"trailers: want at most %d bytes, have more", HTTP_CHUNK_EXTRA_MAX);
	return HTTP_FAIL(h, 400, why, HTTP_FRAMING, "RFC 9112 7.1", "chunk: want a size line of at most %d bytes",
		HTTP_CHUNK_LINE_MAX);
}

/* A TLS hello or other noise on a plain port is told at its first byte, not after a deadline. */
static enum err check_first_byte(struct http_parser *p, uint8_t c, struct why *why)
{
	if (p->phase != REQUEST_LINE || p->text.n > 0 || c == '\r' || http_is_token_byte(c))
		return OK;
	return HTTP_FAIL(&p->head, 400, why, HTTP_SYNTAX, "RFC 9112 3",
		"request line: want a method first, have byte 0x%02x", c);
}

/* Moves bytes up to a line's end into text. *whole: the line, without CRLF, stands at line_at. */
static enum err take_line(
	struct http_parser *p, struct span in, size_t *used, struct span *line, bool *whole, struct why *why)
{
	struct span rest = span_from(in, *used);
	size_t end = span_find(rest, '\n');
	size_t n = end < rest.n ? end + 1 : rest.n;

	*whole = false;
	if (n == 0)
		return OK;
	TRY(check_first_byte(p, rest.p[0], why));
	if (n > line_room(p))
		return line_too_long(p, why);
	buf_put(&p->text, rest.p, n);
	if (p->text.bad)
		return out_of_memory(p, why);
	*used += n;
	if (end == rest.n)
		return OK;
	*line = span_from(buf_span(&p->text), p->line_at);
	/* RFC 9112 2.2: a lone LF or CR as line end is an ambiguity that we need not allow */
	if (line->n < 2 || line->p[line->n - 2] != '\r' || span_find(*line, '\r') != line->n - 2)
		return HTTP_FAIL(&p->head, 400, why, HTTP_SYNTAX, "RFC 9112 2.2",
			"line: want CR LF at its end and nowhere else");
	line->n -= 2;
	*whole = true;
	return OK;
}

/* The line was a part of the framing only and need not be kept. */
static void drop_line(struct http_parser *p)
{
	p->text.n = p->line_at;
}

static enum err on_request_line(struct http_parser *p, struct span line, struct why *why)
{
	if (line.n == 0 && !p->skipped_line) {
		/* RFC 9112 2.2: one empty line before the request is ignored */
		p->skipped_line = true;
		drop_line(p);
		return OK;
	}
	p->phase = FIELDS;
	p->line_at = p->text.n;
	return http_head_line(&p->head, p->text.p, line, why);
}

static enum err on_field(struct http_parser *p, struct span line, struct why *why)
{
	p->line_at = p->text.n;
	if (line.n)
		return http_head_field(&p->head, p->text.p, line, why);
	TRY(http_head_check(&p->head, p->text.p, p->body.max, why));
	p->left = p->head.length;
	p->head.fields = 0; /* from here on trailers count */
	p->phase = p->head.chunked ? CHUNK_SIZE : p->left ? FIXED_BODY : COMPLETE;
	return OK;
}

static enum err check_extension(struct http_parser *p, struct span rest, struct why *why)
{
	struct span extension = span_trim(rest);

	/* RFC 9112 7.1.1: unknown extensions are ignored, and their total is limited */
	p->extra += rest.n;
	if ((rest.n && (extension.n == 0 || extension.p[0] != ';')) || !http_is_field_text(extension))
		return HTTP_FAIL(&p->head, 400, why, HTTP_FRAMING, "RFC 9112 7.1", "chunk: want ; after its size");
	if (p->extra > HTTP_CHUNK_EXTRA_MAX)
		return HTTP_FAIL(&p->head, 400, why, HTTP_FRAMING, "RFC 9112 7.1.1",
			"chunk extensions: want at most %d bytes, have more", HTTP_CHUNK_EXTRA_MAX);
	return OK;
}

static enum err on_chunk_size(struct http_parser *p, struct span line, struct why *why)
{
	enum { DIGITS_MAX = 15 }; /* no overflow in 64 bits */
	size_t digits = 0;

	p->left = 0;
	while (digits < line.n && digits < DIGITS_MAX && hex_digit(line.p[digits]) >= 0)
		p->left = p->left * 16 + (uint64_t)hex_digit(line.p[digits++]);
	if (digits == 0)
		return HTTP_FAIL(&p->head, 400, why, HTTP_FRAMING, "RFC 9112 7.1",
			"chunk: want its size in hexadecimal digits, have \"%.*s\"", SPAN_FMT(span_first(line, 32)));
	TRY(check_extension(p, span_from(line, digits), why));
	if (p->left > p->body.max - p->body.n)
		return HTTP_FAIL(&p->head, 413, why, HTTP_BODY_LIMIT, "RFC 9110 15.5.14",
			"body: want at most %zu bytes, have more", p->body.max);
	drop_line(p);
	p->phase = p->left ? CHUNK_DATA : TRAILERS;
	return OK;
}

static enum err on_chunk_end(struct http_parser *p, struct span line, struct why *why)
{
	drop_line(p);
	p->phase = CHUNK_SIZE;
	return OK;
}

static enum err on_trailer(struct http_parser *p, struct span line, struct why *why)
{
	p->extra += line.n + 2;
	if (line.n)
		TRY(http_head_trailer(&p->head, line, why));
	else
		p->phase = COMPLETE;
	drop_line(p);
	return OK;
}

static enum err on_line(struct http_parser *p, struct span line, struct why *why)
{
	switch (p->phase) {
	case REQUEST_LINE:
		return on_request_line(p, line, why);
	case FIELDS:
		return on_field(p, line, why);
	case CHUNK_SIZE:
		return on_chunk_size(p, line, why);
	case CHUNK_END:
		return on_chunk_end(p, line, why);
	case TRAILERS:
		return on_trailer(p, line, why);
	case FIXED_BODY:
	case CHUNK_DATA:
	case COMPLETE:
	case FAILED:
		break;
	}
	return WHY(why, BUG, "", "HTTP parser: want a phase of lines");
}

static enum err take_body(struct http_parser *p, struct span in, size_t *used, struct why *why)
{
	struct span part = span_first(span_from(in, *used), p->left);

	/* One allocation for common bodies, and none that the peer did not pay for. */
	if (!p->body.p && !buf_room(&p->body, p->left < BODY_STEP ? p->left : BODY_STEP))
		return out_of_memory(p, why);
	buf_put_span(&p->body, part);
	if (p->body.bad)
		return out_of_memory(p, why);
	*used += part.n;
	p->left -= part.n;
	if (p->left == 0)
		p->phase = p->head.chunked ? CHUNK_END : COMPLETE;
	return OK;
}

/* One step: a line or a part of a body. */
static enum err step(struct http_parser *p, struct span in, size_t *used, struct why *why)
{
	struct span line = {0};
	bool whole = false;

	if (p->phase == FIXED_BODY || p->phase == CHUNK_DATA)
		return take_body(p, in, used, why);
	TRY(take_line(p, in, used, &line, &whole, why));
	return whole ? on_line(p, line, why) : OK;
}

enum http_state http_parser_feed(struct http_parser *p, struct span in, size_t *used, struct why *why)
{
	*used = 0;
	p->request.method = 0;
	while (p->phase != COMPLETE && p->phase != FAILED && *used < in.n) {
		bool in_head = p->phase == FIELDS;
		if (step(p, in, used, why) != OK) {
			p->phase = FAILED;
			break;
		}
		if (in_head && (p->phase == FIXED_BODY || p->phase == CHUNK_SIZE)) {
			publish(p);
			return HTTP_HEAD_DONE;
		}
	}
	if (p->phase == FAILED)
		return HTTP_FAILED;
	if (p->phase != COMPLETE)
		return HTTP_NEED_MORE;
	publish(p);
	return HTTP_COMPLETE;
}
