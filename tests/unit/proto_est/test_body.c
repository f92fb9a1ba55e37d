#include "proto/est/body.h"

#include "base/base64.h"
#include "base/mem.h"
#include "pki/csr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* A stand-in for a request: SEQUENCE of 256 octets that no base64 alphabet holds throughout. */
static struct span message(void)
{
	static uint8_t der[260] = {0x30, 0x82, 0x01, 0x00};

	for (size_t i = 4; i < sizeof(der); i++)
		der[i] = (uint8_t)i;
	return span_of(der, sizeof(der));
}

static void expect_message(struct span body)
{
	struct buf der OWNED_BUF = BUF(CALL_BODY_MAX);
	struct why why = {0};

	assert_int_equal(est_body_csr(span_text("application/pkcs10"), body, &der, &why), OK);
	assert_true(span_equal(buf_span(&der), message()));
}

static enum err read_as(const char *media_type, struct span body, struct why *why)
{
	struct buf der OWNED_BUF = BUF(CALL_BODY_MAX);

	*why = (struct why){0};
	return est_body_csr(span_text(media_type), body, &der, why);
}

/* RFC 8951 3.1: CR, LF, blanks and tabs are tolerated anywhere, and may be absent */
static void base64_is_read_in_any_line_form(void **state)
{
	static const size_t columns[] = {0, 1, 64, 76};
	(void)state;

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		struct buf text OWNED_BUF = BUF(4096);
		base64_write(&text, message(), columns[i]);
		expect_message(buf_span(&text));
		struct buf crlf OWNED_BUF = BUF(4096);
		buf_put_text(&crlf, " \t\r\n");
		for (size_t k = 0; k < text.n; k++) {
			if (text.p[k] == '\n')
				buf_put_text(&crlf, " \r");
			buf_put_u8(&crlf, text.p[k]);
		}
		buf_put_text(&crlf, "  \r\n\r\n\t ");
		expect_message(buf_span(&crlf));
	}
}

static void raw_der_is_read_as_it_is(void **state)
{
	(void)state;
	expect_message(message());
}

/* A text that begins with '0' (0x30) is base64 all the same. */
static void base64_that_begins_like_der_is_still_base64(void **state)
{
	struct buf der OWNED_BUF = BUF(64);
	struct why why = {0};
	(void)state;

	assert_int_equal(est_body_der(span_text("0123"), &der, &why), OK);
	assert_int_equal(der.n, 3);
	assert_memory_equal(der.p, "\xd3\x5d\xb7", 3);
}

/* RFC 7468 7 */
static void pem_requests_are_read_with_both_names(void **state)
{
	static const char *const names[] = {"CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"};
	(void)state;

	for (size_t i = 0; i < 2; i++) {
		struct buf pem OWNED_BUF = BUF(4096);
		buf_put_fmt(&pem, "-----BEGIN %s-----\n", names[i]);
		base64_write(&pem, message(), 64);
		buf_put_fmt(&pem, "-----END %s-----\n", names[i]);
		expect_message(buf_span(&pem));
	}
}

static void other_pem_and_broken_pem_are_refused(void **state)
{
	static const char *const bodies[] = {
		"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n",
		"-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END NEW CERTIFICATE REQUEST-----\n",
		"-----BEGIN CERTIFICATE REQUEST-----\nVersion: 1\n\nMAA=\n-----END CERTIFICATE REQUEST-----",
		"-----BEGIN CERTIFICATE REQUEST-----",
		"-----BEGIN CERTIFICATE REQUEST----------END CERTIFICATE REQUEST-----",
	};
	struct why why = {0};
	(void)state;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		if (read_as("application/pkcs10", span_text(bodies[i]), &why) != ERR_SYNTAX)
			fail_msg("accepted: %s", bodies[i]);
	}
}

/* RFC 7030 4.2.1: application/pkcs10 */
static void another_media_type_is_unsupported(void **state)
{
	struct why why = {0};
	(void)state;

	assert_int_equal(read_as("application/x-www-form-urlencoded", message(), &why), ERR_UNSUPPORTED);
	assert_int_equal(why.code, CODE_EST_MEDIA);
	assert_non_null(strstr(why.text, "application/pkcs10"));
	assert_int_equal(read_as("", message(), &why), ERR_UNSUPPORTED);
	assert_int_equal(read_as("application/pkcs10x", message(), &why), ERR_UNSUPPORTED);
	assert_int_equal(read_as("APPLICATION/PKCS10; charset=us-ascii", message(), &why), OK);
}

static void nothing_and_rubbish_are_syntax_errors(void **state)
{
	static const char *const bodies[] = {"", "\r\n \t", "=", "==", "M", "MAA", "MAB=", "MA=A", "MAA===", "<html>", "%30"};
	struct why why = {0};
	(void)state;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		enum err want = strcmp(bodies[i], "MAA") == 0 ? OK : ERR_SYNTAX; /* missing padding is read */
		if (read_as("application/pkcs10", span_text(bodies[i]), &why) != want)
			fail_msg("'%s': %s", bodies[i], why.text);
	}
}

static void a_request_one_byte_past_its_limit_is_refused(void **state)
{
	uint8_t *der OWNED_MEM = mem_alloc(CSR_DER_MAX + 1);
	struct why why = {0};
	(void)state;

	assert_non_null(der);
	der[0] = 0x30;
	assert_int_equal(read_as("application/pkcs10", span_of(der, CSR_DER_MAX), &why), OK);
	assert_int_equal(read_as("application/pkcs10", span_of(der, CSR_DER_MAX + 1), &why), ERR_LIMIT);
}

static void a_body_one_byte_past_its_limit_is_refused(void **state)
{
	uint8_t *der OWNED_MEM = mem_alloc(CALL_BODY_MAX + 1);
	struct buf out OWNED_BUF = BUF(CALL_BODY_MAX + 16);
	struct why why = {0};
	(void)state;

	assert_non_null(der);
	der[0] = 0x30;
	assert_int_equal(est_body_der(span_of(der, CALL_BODY_MAX), &out, &why), OK);
	buf_clear(&out);
	assert_int_equal(est_body_der(span_of(der, CALL_BODY_MAX + 1), &out, &why), ERR_LIMIT);
}

static size_t lines_for(size_t der_n, const char *user_agent)
{
	uint8_t der[4096] = {0x30};
	struct buf text OWNED_BUF = BUF(16384);
	struct buf back OWNED_BUF = BUF(16384);
	struct why why = {0};
	size_t lines = 0;

	est_body_write(&text, span_of(der, der_n), span_text(user_agent));
	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	assert_int_equal(text.p[text.n - 1], '\n');
	assert_int_equal(est_body_der(buf_span(&text), &back, &why), OK);
	assert_true(span_equal(buf_span(&back), span_of(der, der_n)));
	return lines;
}

/* RFC 8951 3.1: senders need no line breaks; which client reads what was measured */
static void replies_take_the_form_that_each_client_reads(void **state)
{
	(void)state;
	assert_int_equal(lines_for(300, "curl/7.88.1"), 1);
	assert_int_equal(lines_for(747, "curl/7.88.1"), 1);   /* 996 characters */
	assert_int_equal(lines_for(750, "curl/7.88.1"), 16);  /* 1000 characters */
	assert_int_equal(lines_for(300, "Cisco EST client 1.0"), 7);
	assert_int_equal(lines_for(3000, "Cisco EST client 2.0 with BRSKI"), 63);
	assert_int_equal(lines_for(3000, ""), 1);
}

static void the_client_side_wraps_and_ends_its_request_with_a_line(void **state)
{
	struct buf text OWNED_BUF = BUF(4096);
	(void)state;

	est_body_write_request(&text, message());
	assert_int_equal(text.p[64], '\n');
	assert_int_equal(text.p[text.n - 1], '\n');
	expect_message(buf_span(&text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_is_read_in_any_line_form),
		cmocka_unit_test(raw_der_is_read_as_it_is),
		cmocka_unit_test(base64_that_begins_like_der_is_still_base64),
		cmocka_unit_test(pem_requests_are_read_with_both_names),
		cmocka_unit_test(other_pem_and_broken_pem_are_refused),
		cmocka_unit_test(another_media_type_is_unsupported),
		cmocka_unit_test(nothing_and_rubbish_are_syntax_errors),
		cmocka_unit_test(a_request_one_byte_past_its_limit_is_refused),
		cmocka_unit_test(a_body_one_byte_past_its_limit_is_refused),
		cmocka_unit_test(replies_take_the_form_that_each_client_reads),
		cmocka_unit_test(the_client_side_wraps_and_ends_its_request_with_a_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
