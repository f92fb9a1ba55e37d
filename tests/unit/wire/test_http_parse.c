#include "wire/http.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { BODY_MAX = 100 };

struct outcome {
	enum http_state state;
	unsigned int status;
	enum code code;
	size_t used;
	bool saw_head;
	struct http_request request; /* spans into parser p */
	struct http_parser *p;
};

/* Feeds in pieces of `step` bytes; the last outcome stands. */
static struct outcome feed(struct span in, size_t step)
{
	struct outcome o = {.state = HTTP_NEED_MORE, .p = http_parser_new(BODY_MAX)};
	struct why why = {0};
	size_t end = 0;

	assert_non_null(o.p);
	while (o.used < in.n && (o.state == HTTP_NEED_MORE || o.state == HTTP_HEAD_DONE)) {
		size_t used = 0;
		end = end < o.used + step ? o.used + step : end;
		o.state = http_parser_feed(o.p, span_from(span_first(in, end), o.used), &used, &why);
		o.used += used;
		o.saw_head |= o.state == HTTP_HEAD_DONE;
		assert_true(o.state == HTTP_NEED_MORE ? o.used == end || o.used == in.n : true);
	}
	if (http_parser_request(o.p) && o.state == HTTP_COMPLETE)
		o.request = *http_parser_request(o.p);
	o.status = http_parser_status(o.p);
	o.code = why.code;
	return o;
}

static void assert_span(struct span have, const char *want)
{
	if (span_is(have, want))
		return;
	fail_msg("want \"%s\", have \"%.*s\"", want, SPAN_FMT(have));
}

static void assert_refused(const char *text, unsigned int status, enum code code)
{
	struct outcome o = feed(span_text(text), SIZE_MAX / 2);
	struct outcome slow = feed(span_text(text), 1);

	if (o.state != HTTP_FAILED || o.status != status || o.code != code)
		fail_msg("%s\nwant %u OMEF-%d, have state %d, %u OMEF-%d", text, status, (int)code, (int)o.state,
			o.status, (int)o.code);
	assert_int_equal(slow.state, HTTP_FAILED);
	assert_int_equal(slow.status, status);
	http_parser_free(o.p);
	http_parser_free(slow.p);
}

static void assert_taken(const char *text)
{
	struct outcome o = feed(span_text(text), SIZE_MAX / 2);

	if (o.state != HTTP_COMPLETE || o.used != strlen(text))
		fail_msg("%s\nwant a whole request, have state %d, status %u", text, (int)o.state, o.status);
	http_parser_free(o.p);
}

static void assert_same(struct span in, size_t step)
{
	struct outcome whole = feed(in, SIZE_MAX / 2);
	struct outcome cut = feed(in, step);

	assert_int_equal(whole.state, cut.state);
	assert_int_equal(whole.status, cut.status);
	assert_int_equal(whole.saw_head, cut.saw_head);
	if (whole.state == HTTP_COMPLETE) {
		assert_int_equal(whole.used, cut.used);
		assert_true(span_equal(whole.request.path, cut.request.path));
		assert_true(span_equal(whole.request.query, cut.request.query));
		assert_true(span_equal(whole.request.media_type, cut.request.media_type));
		assert_true(span_equal(whole.request.body, cut.request.body));
		assert_int_equal(whole.request.keep_alive, cut.request.keep_alive);
	}
	http_parser_free(whole.p);
	http_parser_free(cut.p);
}

#define GET_HEAD "GET /a HTTP/1.1\r\nHost: mef.example\r\n"
#define POST_HEAD "POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: mef.example\r\n"
#define CHUNKED POST_HEAD "Transfer-Encoding: chunked\r\n\r\n"

static void get_is_read_with_its_parts(void **state)
{
	struct outcome o = feed(span_text("GET /.well-known/est/cacerts?x=%20y HTTP/1.1\r\nHost: mef.example:8443\r\n"
					  "Accept: */*\r\nUser-Agent:  curl/7.88 \t\r\nX-Other: a:b\r\n\r\n"),
		1000);

	assert_int_equal(o.state, HTTP_COMPLETE);
	assert_int_equal(o.request.method, CALL_GET);
	assert_span(o.request.target, "/.well-known/est/cacerts?x=%20y");
	assert_span(o.request.path, "/.well-known/est/cacerts");
	assert_span(o.request.query, "x=%20y");
	assert_span(o.request.host, "mef.example:8443");
	assert_span(o.request.accept, "*/*");
	assert_span(o.request.user_agent, "curl/7.88");
	assert_int_equal(o.request.body.n, 0);
	assert_true(o.request.keep_alive);
	assert_false(o.saw_head);
	http_parser_free(o.p);
}

/* TS-0009 6.4.1 */
static void originator_is_that_of_onem2m_or_else_from(void **state)
{
	static const struct {
		const char *fields, *origin;
	} rows[] = {
		{"X-M2M-Origin: //a.example/C1\r\n", "//a.example/C1"},
		{"from: b@example.com\r\n", "b@example.com"},
		{"From: b@example.com\r\nx-m2m-origin: C1\r\n", "C1"},
		{"X-M2M-Origin:\r\nFrom: b@example.com\r\n", ""}, /* said to be nobody */
		{"", ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256];
		snprintf(text, sizeof(text), "%s%s\r\n", GET_HEAD, rows[i].fields);
		struct outcome o = feed(span_text(text), 1000);
		assert_int_equal(o.state, HTTP_COMPLETE);
		assert_span(o.request.origin, rows[i].origin);
		http_parser_free(o.p);
	}
}

static void post_with_length_is_read(void **state)
{
	struct outcome o = feed(span_text(POST_HEAD "content-type: application/pkcs10\r\n"
						    "Content-Transfer-Encoding: base64\r\nContent-Length: 5\r\n\r\nMIIB="),
		7);

	assert_int_equal(o.state, HTTP_COMPLETE);
	assert_true(o.saw_head);
	assert_int_equal(o.request.method, CALL_POST);
	assert_span(o.request.media_type, "application/pkcs10");
	assert_span(o.request.transfer_encoding, "base64");
	assert_span(o.request.body, "MIIB=");
	http_parser_free(o.p);
}

static void chunks_are_joined_and_extensions_and_trailers_dropped(void **state)
{
	struct outcome o = feed(span_text(CHUNKED "3\r\nabc\r\n0a;name=\"v\" ;x\r\n0123456789\r\n000 ; end\r\n"
						  "Digest: x\r\nOther: y\r\n\r\nGET"),
		1000);

	assert_int_equal(o.state, HTTP_COMPLETE);
	assert_span(o.request.body, "abc0123456789");
	assert_span(o.request.path, "/.well-known/est/simpleenroll");
	assert_true(o.saw_head);
	http_parser_free(o.p);
}

static void any_cut_gives_the_same_result(void **state)
{
	static const char *const texts[] = {
		GET_HEAD "\r\n",
		"\r\n" GET_HEAD "Connection: close\r\n\r\n",
		POST_HEAD "Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
		CHUNKED "3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: u\r\n\r\n",
		CHUNKED "3\r\nabcX\r\n0\r\n\r\n",
		POST_HEAD "Content-Length: 101\r\n\r\n",
		GET_HEAD "A : b\r\n\r\n",
		"BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (size_t step = 1; step < 12; step++)
			assert_same(span_text(texts[i]), step);
	}
}

static void pipelined_requests_come_one_by_one(void **state)
{
	const char *text = CHUNKED "1\r\na\r\n0\r\n\r\n" GET_HEAD "\r\n" POST_HEAD "Content-Length: 1\r\n\r\nz";
	struct span in = span_text(text);
	struct http_parser *p = http_parser_new(BODY_MAX);
	struct why why = {0};
	const enum call_method want[] = {CALL_POST, CALL_GET, CALL_POST};

	for (size_t i = 0; i < 3; i++) {
		enum http_state s = HTTP_NEED_MORE;
		assert_true(http_parser_is_idle(p));
		while (s != HTTP_COMPLETE) {
			size_t used = 0;
			s = http_parser_feed(p, in, &used, &why);
			assert_true(s == HTTP_COMPLETE || s == HTTP_HEAD_DONE);
			in = span_from(in, used);
			assert_false(http_parser_is_idle(p));
		}
		assert_int_equal(http_parser_request(p)->method, want[i]);
		size_t used = 9;
		assert_int_equal(http_parser_feed(p, in, &used, &why), HTTP_COMPLETE);
		assert_int_equal(used, 0);
		http_parser_next(p);
	}
	assert_int_equal(in.n, 0);
	http_parser_free(p);
}

static void request_is_only_there_when_told(void **state)
{
	struct http_parser *p = http_parser_new(BODY_MAX);
	struct why why = {0};
	size_t used;

	assert_null(http_parser_request(p));
	assert_int_equal(http_parser_feed(p, span_text(POST_HEAD "Content-Length: 2\r\nExpect: 100-Continue\r\n\r\nab"),
				 &used, &why),
		HTTP_HEAD_DONE);
	assert_true(http_parser_request(p)->expect_continue);
	assert_int_equal(http_parser_request(p)->body.n, 0);
	assert_int_equal(http_parser_feed(p, span_text("a"), &used, &why), HTTP_NEED_MORE);
	assert_null(http_parser_request(p));
	assert_int_equal(http_parser_feed(p, span_text("b"), &used, &why), HTTP_COMPLETE);
	assert_span(http_parser_request(p)->body, "ab");
	http_parser_free(p);
}

static void keep_alive_follows_version_and_connection(void **state)
{
	static const struct {
		const char *text;
		bool keep;
	} rows[] = {
		/* RFC 9112 9.3: persistence by version and Connection */
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close\r\n\r\n", false},
		{"GET / HTTP/1.0\r\n\r\n", false},
		{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
		{"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
		{"GET / HTTP/1.7\r\nHost: a\r\n\r\n", true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct outcome o = feed(span_text(rows[i].text), 1000);
		assert_int_equal(o.state, HTTP_COMPLETE);
		assert_int_equal(o.request.keep_alive, rows[i].keep);
		http_parser_free(o.p);
	}
}

static void absolute_target_must_agree_with_host(void **state)
{
	struct outcome o = feed(span_text("GET https://MEF.example:8443?q HTTP/1.1\r\nHost: mef.example:8443\r\n\r\n"), 50);

	/* RFC 9112 3.2.2: absolute-form is accepted from every client */
	assert_int_equal(o.state, HTTP_COMPLETE);
	assert_span(o.request.path, "/");
	assert_span(o.request.query, "q");
	http_parser_free(o.p);
	assert_taken("GET HTTP://a/b/c HTTP/1.0\r\n\r\n");
	assert_refused("GET http://a/b HTTP/1.1\r\nHost: b\r\n\r\n", 400, CODE_HTTP_HOST);
	assert_refused("GET http://a/b HTTP/1.1\r\n\r\n", 400, CODE_HTTP_HOST);
	assert_refused("GET http://u@a/b HTTP/1.1\r\nHost: a\r\n\r\n", 400, CODE_HTTP_HOST);
	assert_refused("GET http:///b HTTP/1.1\r\nHost: a\r\n\r\n", 400, CODE_HTTP_HOST);
	assert_refused("GET ftp://a/b HTTP/1.1\r\nHost: a\r\n\r\n", 400, CODE_HTTP_SYNTAX);
	assert_refused("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, CODE_HTTP_SYNTAX);
	assert_refused("GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400, CODE_HTTP_SYNTAX);
}

static void every_known_method_is_taken_and_no_other(void **state)
{
	assert_taken("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_taken("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_taken("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_taken("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
	assert_taken("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
	/* RFC 9110 9.1: methods are case-sensitive, unknown ones get 501 */
	assert_refused("get / HTTP/1.1\r\nHost: a\r\n\r\n", 501, CODE_HTTP_METHOD);
	assert_refused("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501, CODE_HTTP_METHOD);
	assert_refused("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 501, CODE_HTTP_METHOD);
	assert_refused("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, CODE_HTTP_SYNTAX);
}

static void bad_request_lines_are_refused(void **state)
{
	static const char *const texts[] = {
		"GET /\r\n\r\n",
		"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
		"GET / http/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.10\r\nHost: a\r\n\r\n",
		"GET / HTTP/1,1\r\nHost: a\r\n\r\n",
		"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /a%2 HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /a%g0 HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /\"a\" HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n",
		" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"\x16\x03\x01\x02",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_refused(texts[i], 400, CODE_HTTP_SYNTAX);
	assert_refused("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, CODE_HTTP_VERSION);
	assert_refused("GET / HTTP/0.9\r\n\r\n", 505, CODE_HTTP_VERSION);
	assert_taken("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

static void bad_fields_are_refused(void **state)
{
	/* RFC 9112 2.2, 5.1, 5.2: bare LF or CR, blanks before the colon, folded lines */
	static const char *const texts[] = {
		"GET / HTTP/1.1\nHost: a\n\n",
		"GET / HTTP/1.1\r\nHost: a\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
		GET_HEAD "X : b\r\n\r\n",
		GET_HEAD "X\r\n\r\n",
		GET_HEAD ": b\r\n\r\n",
		GET_HEAD "X: a\r\n b\r\n\r\n",
		GET_HEAD "\tX: a\r\n\r\n",
		GET_HEAD "X: a\x01\r\n\r\n",
		GET_HEAD "X: a\x7f\r\n\r\n",
		GET_HEAD "X(: a\r\n\r\n",
		GET_HEAD "Content-Type: a/b\r\nContent-Type: a/b\r\n\r\n",
		GET_HEAD "X-M2M-Origin: C1\r\nX-M2M-Origin: C2\r\n\r\n",
		GET_HEAD "From: C1\r\nFrom: C1\r\n\r\n",
		GET_HEAD "Content-Transfer-Encoding: a\r\nContent-Transfer-Encoding: a\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_refused(texts[i], 400, CODE_HTTP_SYNTAX);
}

static void nul_in_a_field_is_refused(void **state)
{
	static const char text[] = GET_HEAD "X: a\0b\r\n\r\n";
	struct outcome o = feed(span_of(text, sizeof(text) - 1), 1000);

	assert_int_equal(o.state, HTTP_FAILED);
	assert_int_equal(o.status, 400);
	http_parser_free(o.p);
}

static void host_must_come_once_and_be_a_host(void **state)
{
	assert_refused("GET / HTTP/1.1\r\n\r\n", 400, CODE_HTTP_HOST);
	assert_refused("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, CODE_HTTP_HOST);
	assert_refused("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, CODE_HTTP_HOST);
	assert_refused("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, CODE_HTTP_HOST);
	assert_refused("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, CODE_HTTP_HOST);
	assert_refused("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, CODE_HTTP_HOST);
	assert_taken("GET / HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n");
	assert_taken("GET / HTTP/1.0\r\n\r\n");
}

static void ambiguous_framing_is_refused(void **state)
{
	/* RFC 9112 6.1, 6.3: what request smuggling lives on */
	static const char *const texts[] = {
		POST_HEAD "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		POST_HEAD "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
		POST_HEAD "Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
		POST_HEAD "Content-Length: 1\r\nContent-Length: 2\r\n\r\na",
		POST_HEAD "Content-Length: 1, 1\r\n\r\na",
		POST_HEAD "Content-Length: +1\r\n\r\na",
		POST_HEAD "Content-Length: -1\r\n\r\na",
		POST_HEAD "Content-Length: 0x1\r\n\r\na",
		POST_HEAD "Content-Length: 1 1\r\n\r\na",
		POST_HEAD "Content-Length:\r\n\r\na",
		POST_HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
		"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
		GET_HEAD "Content-Length: 1\r\n\r\na",
		GET_HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		CHUNKED "\r\n",
		CHUNKED "g\r\n",
		CHUNKED " 1\r\na\r\n",
		CHUNKED "1 a\r\na\r\n",
		CHUNKED "0x1\r\na\r\n",
		CHUNKED "-1\r\na\r\n",
		CHUNKED "1;\x01\r\na\r\n",
		CHUNKED "1 \r\na\r\n0\r\n\r\n",
		CHUNKED "1\r\nabcd",
		CHUNKED "1\r\na0\r\n\r\n",
		CHUNKED "0000000000000001\r\na\r\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_refused(texts[i], 400, CODE_HTTP_FRAMING);
	assert_refused(CHUNKED "1\na\r\n", 400, CODE_HTTP_SYNTAX);
	assert_refused(CHUNKED "1\r\na\n0\r\n\r\n", 400, CODE_HTTP_SYNTAX);
	assert_refused(CHUNKED "0\r\nA : b\r\n\r\n", 400, CODE_HTTP_SYNTAX);
	assert_taken(GET_HEAD "Content-Length: 0\r\n\r\n");
}

static void other_codings_and_expectations_are_refused(void **state)
{
	assert_refused(POST_HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, CODE_HTTP_CODING);
	assert_refused(POST_HEAD "Transfer-Encoding: identity\r\n\r\n", 501, CODE_HTTP_CODING);
	assert_refused(POST_HEAD "Transfer-Encoding: xchunked\r\n\r\n", 501, CODE_HTTP_CODING);
	assert_refused(POST_HEAD "Transfer-Encoding: \x0b" "chunked\r\n\r\n", 400, CODE_HTTP_SYNTAX);
	assert_refused(POST_HEAD "Expect: tea\r\nContent-Length: 1\r\n\r\na", 417, CODE_HTTP_EXPECT);
	assert_refused(POST_HEAD "\r\n", 411, CODE_HTTP_LENGTH_REQUIRED);
	assert_taken(POST_HEAD "transfer-encoding: CHUNKED\r\n\r\n0\r\n\r\n");
}

static char *repeat(const char *before, char c, size_t n, const char *after)
{
	size_t head = strlen(before), tail = strlen(after);
	char *text = mem_alloc(head + n + tail + 1);

	assert_non_null(text);
	memcpy(text, before, head);
	memset(text + head, c, n);
	memcpy(text + head + n, after, tail);
	return text;
}

static void assert_edge(const char *before, size_t fits, const char *after, unsigned int status, enum code code)
{
	char *whole = repeat(before, '1', fits, after);
	char *past = repeat(before, '1', fits + 1, after);

	assert_taken(whole);
	assert_refused(past, status, code);
	mem_free(whole);
	mem_free(past);
}

static void sizes_hold_up_to_the_limit_and_not_one_past(void **state)
{
	const char *before = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
	const char *chunk = CHUNKED "0;";
	const char *trailer = CHUNKED "0\r\nX: ";

	assert_edge("GET /", CALL_PATH_MAX - 1, " HTTP/1.1\r\nHost: a\r\n\r\n", 414, CODE_HTTP_TARGET_LIMIT);
	assert_edge(before, HTTP_HEAD_MAX - strlen(before) - 4, "\r\n\r\n", 431, CODE_HTTP_HEAD_LIMIT);
	assert_edge(chunk, HTTP_CHUNK_LINE_MAX - 4, "\r\n\r\n", 400, CODE_HTTP_FRAMING);
	assert_edge(trailer, HTTP_CHUNK_EXTRA_MAX - 7, "\r\n\r\n", 431, CODE_HTTP_HEAD_LIMIT);
}

static void endless_request_line_is_refused(void **state)
{
	char *text = repeat("GET /", 'a', CALL_PATH_MAX + 32, "");

	assert_refused(text, 414, CODE_HTTP_TARGET_LIMIT);
	mem_free(text);
}

static void body_holds_up_to_the_limit_and_not_one_past(void **state)
{
	assert_refused(POST_HEAD "Content-Length: 101\r\n\r\n", 413, CODE_HTTP_BODY_LIMIT);
	assert_refused(POST_HEAD "Content-Length: 18446744073709551617\r\n\r\n", 413, CODE_HTTP_BODY_LIMIT);
	assert_refused(CHUNKED "65\r\n", 413, CODE_HTTP_BODY_LIMIT);
	assert_refused(CHUNKED "fffffffffffffff\r\n", 413, CODE_HTTP_BODY_LIMIT);

	char *whole = repeat(CHUNKED "1\r\na\r\n63\r\n", 'b', 99, "\r\n0\r\n\r\n");
	char *past = repeat(CHUNKED "1\r\na\r\n64\r\n", 'b', 100, "\r\n0\r\n\r\n");
	assert_taken(whole);
	assert_refused(past, 413, CODE_HTTP_BODY_LIMIT);
	mem_free(whole);
	mem_free(past);
	whole = repeat(POST_HEAD "Content-Length: 100\r\n\r\n", 'b', 100, "");
	assert_taken(whole);
	mem_free(whole);
}

static void fields_hold_up_to_the_limit_and_not_one_past(void **state)
{
	struct buf text = BUF(64 * 1024);

	buf_put_text(&text, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 1; i < HTTP_FIELDS_MAX; i++)
		buf_put_fmt(&text, "X%d: y\r\n", i);
	size_t mark = text.n;
	buf_put_text(&text, "\r\n");
	assert_taken(buf_text(&text));
	text.n = mark;
	buf_put_text(&text, "One: more\r\n\r\n");
	assert_refused(buf_text(&text), 431, CODE_HTTP_HEAD_LIMIT);

	buf_clear(&text);
	buf_put_text(&text, CHUNKED "0\r\n");
	for (int i = 0; i <= HTTP_FIELDS_MAX; i++)
		buf_put_fmt(&text, "X%d: y\r\n", i);
	buf_put_text(&text, "\r\n");
	assert_refused(buf_text(&text), 431, CODE_HTTP_HEAD_LIMIT);
	buf_fini(&text);
}

static void chunk_extensions_are_limited_in_all(void **state)
{
	struct buf text = BUF(64 * 1024);

	buf_put_text(&text, CHUNKED);
	for (int i = 0; i < 66; i++) {
		buf_put_text(&text, "1;");
		for (int j = 0; j < HTTP_CHUNK_LINE_MAX - 4; j++)
			buf_put_text(&text, "e");
		buf_put_text(&text, "\r\na\r\n");
	}
	assert_refused(buf_text(&text), 400, CODE_HTTP_FRAMING);
	buf_fini(&text);
}

static void repeated_accept_is_no_preference(void **state)
{
	struct outcome o = feed(span_text(GET_HEAD "Accept: a/b\r\nAccept: c/d\r\n\r\n"), 1000);

	assert_int_equal(o.state, HTTP_COMPLETE);
	assert_int_equal(o.request.accept.n, 0);
	http_parser_free(o.p);
}

static void failure_is_final(void **state)
{
	struct http_parser *p = http_parser_new(BODY_MAX);
	struct why why = {0};
	size_t used;

	assert_int_equal(http_parser_status(p), 0);
	assert_int_equal(http_parser_feed(p, span_text("\x01"), &used, &why), HTTP_FAILED);
	assert_int_equal(http_parser_feed(p, span_text(GET_HEAD "\r\n"), &used, &why), HTTP_FAILED);
	assert_int_equal(used, 0);
	assert_int_equal(http_parser_status(p), 400);
	http_parser_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(get_is_read_with_its_parts),
		cmocka_unit_test(originator_is_that_of_onem2m_or_else_from),
		cmocka_unit_test(post_with_length_is_read),
		cmocka_unit_test(chunks_are_joined_and_extensions_and_trailers_dropped),
		cmocka_unit_test(any_cut_gives_the_same_result),
		cmocka_unit_test(pipelined_requests_come_one_by_one),
		cmocka_unit_test(request_is_only_there_when_told),
		cmocka_unit_test(keep_alive_follows_version_and_connection),
		cmocka_unit_test(absolute_target_must_agree_with_host),
		cmocka_unit_test(every_known_method_is_taken_and_no_other),
		cmocka_unit_test(bad_request_lines_are_refused),
		cmocka_unit_test(bad_fields_are_refused),
		cmocka_unit_test(nul_in_a_field_is_refused),
		cmocka_unit_test(host_must_come_once_and_be_a_host),
		cmocka_unit_test(ambiguous_framing_is_refused),
		cmocka_unit_test(other_codings_and_expectations_are_refused),
		cmocka_unit_test(sizes_hold_up_to_the_limit_and_not_one_past),
		cmocka_unit_test(endless_request_line_is_refused),
		cmocka_unit_test(body_holds_up_to_the_limit_and_not_one_past),
		cmocka_unit_test(fields_hold_up_to_the_limit_and_not_one_past),
		cmocka_unit_test(chunk_extensions_are_limited_in_all),
		cmocka_unit_test(repeated_accept_is_no_preference),
		cmocka_unit_test(failure_is_final),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
