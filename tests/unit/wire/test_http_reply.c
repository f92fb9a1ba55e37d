#include "wire/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char *write_reply(struct buf *out, const struct reply *reply, bool head_only, bool keep_alive)
{
	buf_clear(out);
	http_reply_write(out, reply, head_only, keep_alive, 1769860800);
	assert_false(out->bad);
	return buf_text(out);
}

static void whole_reply_stands_in_one_run(void **state)
{
	struct buf out = BUF(4096);
	struct reply reply = {.status = 200, .media_type = "application/pkcs7-mime; smime-type=certs-only",
		.base64 = true, .body = span_text("MIIB\n")};

	assert_string_equal(write_reply(&out, &reply, false, true),
		"HTTP/1.1 200 OK\r\n"
		"Date: Sat, 31 Jan 2026 12:00:00 GMT\r\n"
		"Content-Type: application/pkcs7-mime; smime-type=certs-only\r\n"
		"Content-Transfer-Encoding: base64\r\n"
		"Content-Length: 5\r\n"
		"Cache-Control: no-store\r\n"
		"\r\nMIIB\n");
	buf_fini(&out);
}

static void head_gets_all_fields_and_no_body(void **state)
{
	struct buf out = BUF(4096);
	struct reply reply = {.status = 200, .media_type = "application/pkix-crl", .max_age_s = 3600,
		.body = span_text("abc")};

	/* RFC 9110 9.3.2: the fields of a GET, no body */
	assert_string_equal(write_reply(&out, &reply, true, true),
		"HTTP/1.1 200 OK\r\n"
		"Date: Sat, 31 Jan 2026 12:00:00 GMT\r\n"
		"Content-Type: application/pkix-crl\r\n"
		"Content-Length: 3\r\n"
		"Cache-Control: max-age=3600\r\n"
		"\r\n");
	buf_fini(&out);
}

static void closing_and_waiting_are_told(void **state)
{
	struct buf out = BUF(4096);
	struct reply reply = {.status = 503, .retry_after_s = 1};

	assert_string_equal(write_reply(&out, &reply, false, false),
		"HTTP/1.1 503 Service Unavailable\r\n"
		"Date: Sat, 31 Jan 2026 12:00:00 GMT\r\n"
		"Content-Length: 0\r\n"
		"Retry-After: 1\r\n"
		"Cache-Control: no-store\r\n"
		"Connection: close\r\n"
		"\r\n");
	reply.close = true;
	assert_non_null(strstr(write_reply(&out, &reply, false, true), "Connection: close\r\n"));
	reply.close = false;
	assert_null(strstr(write_reply(&out, &reply, false, true), "Connection:"));
	buf_fini(&out);
}

static void no_content_carries_no_length(void **state)
{
	struct buf out = BUF(4096);
	struct reply reply = {.status = 204, .media_type = "text/plain", .body = span_text("x")};

	/* RFC 9110 8.6: no Content-Length in 204 */
	const char *text = write_reply(&out, &reply, false, true);
	assert_null(strstr(text, "Content-"));
	assert_string_equal(text + strlen(text) - 4, "\r\n\r\n");
	buf_fini(&out);
}

static void too_small_a_buffer_is_bad(void **state)
{
	struct buf out = BUF(100);
	struct reply reply = {.status = 200, .media_type = "text/plain", .body = span_text("x")};

	http_reply_write(&out, &reply, false, true, 0);
	assert_true(out.bad);
	buf_fini(&out);
}

/* RFC 9110 15.5.6, 10.2.1 */
static void allow_lists_the_methods(void **state)
{
	struct buf OWNED_BUF out = BUF(1000);
	struct reply reply = {.status = 405, .allow = 1u << CALL_GET | 1u << CALL_HEAD};

	http_reply_write(&out, &reply, false, true, 0);
	assert_non_null(strstr(buf_text(&out), "\r\nAllow: GET, HEAD\r\n"));
	buf_clear(&out);
	reply.allow = 1u << CALL_DELETE;
	http_reply_write(&out, &reply, false, true, 0);
	assert_non_null(strstr(buf_text(&out), "\r\nAllow: DELETE\r\n"));
	buf_clear(&out);
	reply.allow = 0;
	http_reply_write(&out, &reply, false, true, 0);
	assert_null(strstr(buf_text(&out), "\r\nAllow:"));
}

static void every_kind_has_its_status(void **state)
{
	static const struct {
		enum err kind;
		unsigned int status;
	} rows[] = {
		{OK, 200}, {ERR_SYNTAX, 400}, {ERR_UNSUPPORTED, 415}, {ERR_UNAUTHENTICATED, 403}, {ERR_FORBIDDEN, 403},
		{ERR_NOT_FOUND, 404}, {ERR_CONFLICT, 409}, {ERR_LIMIT, 413}, {ERR_EXPIRED, 403}, {ERR_PENDING, 202},
		{ERR_NOMEM, 503}, {ERR_SYSTEM, 503}, {ERR_CRYPTO, 500}, {ERR_STORE, 503}, {ERR_BUG, 500},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(http_status_of(rows[i].kind), rows[i].status);
		assert_string_not_equal(http_reason(rows[i].status), "Unknown");
	}
	assert_string_equal(http_reason(418), "Unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_reply_stands_in_one_run),
		cmocka_unit_test(head_gets_all_fields_and_no_body),
		cmocka_unit_test(closing_and_waiting_are_told),
		cmocka_unit_test(no_content_carries_no_length),
		cmocka_unit_test(too_small_a_buffer_is_bad),
		cmocka_unit_test(allow_lists_the_methods),
		cmocka_unit_test(every_kind_has_its_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
