#include "proto/est/challenge.h"

#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const uint8_t key_bytes[CHALLENGE_KEY_SIZE] = {1, 2, 3};
static const uint8_t other_key[CHALLENGE_KEY_SIZE] = {1, 2, 4};
static const uint8_t random_bytes[28] = {9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2,
	0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf};

enum { NOW_S = 1800000000, EXPIRES_S = NOW_S + 300 };

static struct span key(void)
{
	return span_of(key_bytes, sizeof(key_bytes));
}

static struct challenge_facts facts(const char *identity, const char *label, const char *binding)
{
	return (struct challenge_facts){
		.identity = span_text(identity), .label = span_text(label), .binding = span_text(binding)};
}

static void make(const struct challenge_facts *f, struct buf *text)
{
	struct why why = {0};

	assert_int_equal(challenge_write(key(), random_bytes, f, EXPIRES_S, text, &why), OK);
}

static void expect(struct span text, const struct challenge_facts *f, int64_t now_s, enum err err, enum code code)
{
	uint8_t nonce[CHALLENGE_NONCE_SIZE] = {0};
	static const uint8_t zero[CHALLENGE_NONCE_SIZE];
	struct why why = {0};

	assert_int_equal(challenge_check(key(), text, f, now_s, nonce, &why), err);
	assert_int_equal(why.code, code);
	if (err == OK)
		assert_memory_equal(nonce, random_bytes + 12, sizeof(nonce));
	else
		assert_memory_equal(nonce, zero, sizeof(nonce));
}

/* TS-0003 8.3.6.2: the MEF checks the echo against what it gave this client */
static void the_client_that_got_it_may_echo_it(void **state)
{
	struct buf text OWNED_BUF = BUF(512);
	struct challenge_facts f = facts("device 1", "onem2m", "");
	(void)state;

	make(&f, &text);
	expect(buf_span(&text), &f, NOW_S, OK, CODE_NONE);
	expect(buf_span(&text), &f, EXPIRES_S - 1, OK, CODE_NONE);
}

/* RFC 2985 5.4.1: at most 255 characters; PrintableString holds no others than these */
static void the_text_fits_a_printable_string(void **state)
{
	struct buf text OWNED_BUF = BUF(512);
	struct challenge_facts f = facts("device 1", "onem2m", "binding");
	(void)state;

	make(&f, &text);
	assert_true(text.n > 0 && text.n <= CHALLENGE_TEXT_MAX);
	for (size_t i = 0; i < text.n; i++)
		assert_non_null(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=", text.p[i]));
}

static void it_ends_at_its_second_of_expiry(void **state)
{
	struct buf text OWNED_BUF = BUF(512);
	struct challenge_facts f = facts("device 1", "onem2m", "");
	(void)state;

	make(&f, &text);
	expect(buf_span(&text), &f, EXPIRES_S, ERR_EXPIRED, CODE_CHALLENGE_EXPIRED);
}

/* One that outlives its label was made under another clock; small steps of a clock harm nothing. */
static void one_from_the_future_is_expired_too(void **state)
{
	struct buf text OWNED_BUF = BUF(512);
	struct challenge_facts f = facts("device 1", "onem2m", "");
	(void)state;

	make(&f, &text);
	f.ttl_s = 600;
	expect(buf_span(&text), &f, EXPIRES_S - 600, OK, CODE_NONE);
	expect(buf_span(&text), &f, EXPIRES_S - 1200, OK, CODE_NONE);
	expect(buf_span(&text), &f, EXPIRES_S - 1201, ERR_EXPIRED, CODE_CHALLENGE_EXPIRED);
	f.ttl_s = 0;
	expect(buf_span(&text), &f, EXPIRES_S - 1201, OK, CODE_NONE);
}

static void another_client_is_told_that_it_is_not_its_own(void **state)
{
	struct buf text OWNED_BUF = BUF(512);
	struct challenge_facts f = facts("device 1", "onem2m", "");
	struct challenge_facts other = facts("device 2", "onem2m", "");
	(void)state;

	make(&f, &text);
	expect(buf_span(&text), &other, NOW_S, ERR_FORBIDDEN, CODE_CHALLENGE_CLIENT);
	expect(buf_span(&text), &other, EXPIRES_S, ERR_FORBIDDEN, CODE_CHALLENGE_CLIENT);
}

static void another_label_is_refused(void **state)
{
	struct buf text OWNED_BUF = BUF(512);
	struct challenge_facts f = facts("device 1", "onem2m", "");
	struct challenge_facts other = facts("device 1", "", "");
	(void)state;

	make(&f, &text);
	expect(buf_span(&text), &other, NOW_S, ERR_FORBIDDEN, CODE_CHALLENGE_LABEL);
}

/* RFC 9266 3: the exporter value differs from session to session */
static void another_tls_session_is_refused(void **state)
{
	struct buf text OWNED_BUF = BUF(512);
	struct challenge_facts f = facts("device 1", "onem2m", "session A");
	struct challenge_facts other = facts("device 1", "onem2m", "session B");
	struct challenge_facts none = facts("device 1", "onem2m", "");
	(void)state;

	make(&f, &text);
	expect(buf_span(&text), &f, NOW_S, OK, CODE_NONE);
	expect(buf_span(&text), &other, NOW_S, ERR_FORBIDDEN, CODE_CHALLENGE_SESSION);
	expect(buf_span(&text), &none, NOW_S, ERR_FORBIDDEN, CODE_CHALLENGE_SESSION);
	buf_clear(&text);
	make(&none, &text);
	expect(buf_span(&text), &none, NOW_S, OK, CODE_NONE);
	expect(buf_span(&text), &f, NOW_S, ERR_FORBIDDEN, CODE_CHALLENGE_SESSION);
}

static void every_changed_bit_is_noticed(void **state)
{
	struct buf text OWNED_BUF = BUF(512);
	struct buf sealed OWNED_BUF = BUF(512);
	struct challenge_facts f = facts("device 1", "onem2m", "");
	struct why why = {0};
	(void)state;

	make(&f, &text);
	assert_int_equal(base64_parse(buf_span(&text), &sealed, &why), OK);
	for (size_t i = 0; i < sealed.n * 8; i++) {
		struct buf changed OWNED_BUF = BUF(512);
		sealed.p[i / 8] ^= (uint8_t)(1u << (i % 8));
		base64_write(&changed, buf_span(&sealed), 0);
		expect(buf_span(&changed), &f, NOW_S, ERR_FORBIDDEN, CODE_CHALLENGE_FORGED);
		sealed.p[i / 8] ^= (uint8_t)(1u << (i % 8));
	}
}

static void rubbish_and_other_lengths_are_called_forged(void **state)
{
	static const char *const texts[] = {"", "x", "secret", "AAAA", "=", "\xff\xfe", "<script>"};
	char longest[CHALLENGE_TEXT_MAX + 2];
	struct buf text OWNED_BUF = BUF(512);
	struct challenge_facts f = facts("device 1", "onem2m", "");
	(void)state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		expect(span_text(texts[i]), &f, NOW_S, ERR_FORBIDDEN, CODE_CHALLENGE_FORGED);
	memset(longest, 'A', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	expect(span_text(longest), &f, NOW_S, ERR_FORBIDDEN, CODE_CHALLENGE_FORGED);
	make(&f, &text);
	expect(span_first(buf_span(&text), text.n - 4), &f, NOW_S, ERR_FORBIDDEN, CODE_CHALLENGE_FORGED);
	buf_put_text(&text, "AAAA");
	expect(buf_span(&text), &f, NOW_S, ERR_FORBIDDEN, CODE_CHALLENGE_FORGED);
}

static void one_sealed_under_another_key_is_called_forged(void **state)
{
	struct buf text OWNED_BUF = BUF(512);
	struct challenge_facts f = facts("device 1", "onem2m", "");
	struct why why = {0};
	(void)state;

	assert_int_equal(
		challenge_write(span_of(other_key, sizeof(other_key)), random_bytes, &f, EXPIRES_S, &text, &why), OK);
	expect(buf_span(&text), &f, NOW_S, ERR_FORBIDDEN, CODE_CHALLENGE_FORGED);
}

/* A reason quotes neither the text nor the key. */
static void reasons_hold_no_secret(void **state)
{
	struct buf text OWNED_BUF = BUF(512);
	uint8_t nonce[CHALLENGE_NONCE_SIZE];
	char line[1024];
	struct challenge_facts f = facts("device 1", "onem2m", "");
	struct challenge_facts other = facts("device 2", "onem2m", "");
	struct why why = {0};
	(void)state;

	make(&f, &text);
	assert_int_equal(challenge_check(key(), buf_span(&text), &other, NOW_S, nonce, &why), ERR_FORBIDDEN);
	why_print(&why, line, sizeof(line));
	assert_null(strstr(line, buf_text(&text)));
	assert_null(strstr(line, "device 1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_client_that_got_it_may_echo_it),
		cmocka_unit_test(the_text_fits_a_printable_string),
		cmocka_unit_test(it_ends_at_its_second_of_expiry),
		cmocka_unit_test(one_from_the_future_is_expired_too),
		cmocka_unit_test(another_client_is_told_that_it_is_not_its_own),
		cmocka_unit_test(another_label_is_refused),
		cmocka_unit_test(another_tls_session_is_refused),
		cmocka_unit_test(every_changed_bit_is_noticed),
		cmocka_unit_test(rubbish_and_other_lengths_are_called_forged),
		cmocka_unit_test(one_sealed_under_another_key_is_called_forged),
		cmocka_unit_test(reasons_hold_no_secret),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
