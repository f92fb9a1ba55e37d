#include "pki/der.h"
#include "proto/cmc/cmc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct why why;

#define good(expr) \
	do { \
		why_clear(&why); \
		if ((expr) != OK) \
			fail_msg("%s: %s", #expr, why.text); \
	} while (0)
#define refused(expr, code_) \
	do { \
		why_clear(&why); \
		if ((expr) == OK || why.code != CODE_##code_) \
			fail_msg("%s: want " #code_ ", have %d %s", #expr, (int)why.code, why.text); \
	} while (0)

static const uint8_t csr[] = {0x30, 0x03, 0x02, 0x01, 0x00};
static const uint8_t name[] = {0x30, 0x00};

/* SEQUENCE around what is put between. */
static void wrap(uint8_t tag, const struct buf *body, struct buf *out)
{
	der_put(out, tag, buf_span(body));
}

/* PKIData of one list's items; `at` says which of the four. */
static void data_with(size_t at, const struct buf *items, struct buf *out)
{
	struct buf body OWNED_BUF = BUF(1 << 20);

	for (size_t i = 0; i < 4; i++)
		der_put(&body, DER_SEQUENCE, i == at ? buf_span(items) : (struct span){0});
	buf_clear(out);
	wrap(DER_SEQUENCE, &body, out);
}

/* A control of id-cmc `number` with that value. */
static void put_control(struct buf *out, uint32_t part, uint8_t number, struct span value)
{
	const uint8_t oid[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x07, number};
	struct buf body OWNED_BUF = BUF(1 << 20);

	der_put_small(&body, part);
	der_put_oid(&body, span_of(oid, sizeof(oid)));
	der_put(&body, DER_SET, value);
	wrap(DER_SEQUENCE, &body, out);
}

static void put_octets_control(struct buf *out, uint32_t part, uint8_t number, size_t n)
{
	struct buf value OWNED_BUF = BUF(1 << 20);
	struct buf octets OWNED_BUF = BUF(1 << 20);

	while (octets.n < n)
		buf_put_u8(&octets, 'x');
	der_put(&value, DER_OCTET_STRING, buf_span(&octets));
	put_control(out, part, number, buf_span(&value));
}

static void put_request(struct buf *out, uint32_t part)
{
	struct buf body OWNED_BUF = BUF(1024);

	der_put_small(&body, part);
	buf_put(&body, csr, sizeof(csr));
	wrap(0xa0, &body, out);
}

static void put_revoke(struct buf *out, uint32_t part, size_t comment_n)
{
	struct buf body OWNED_BUF = BUF(4096);
	struct buf comment OWNED_BUF = BUF(4096);
	struct buf value OWNED_BUF = BUF(4096);
	const uint8_t reason = 1;

	while (comment.n < comment_n)
		buf_put_u8(&comment, 'c');
	buf_put(&body, name, sizeof(name));
	der_put_small(&body, 4711);
	der_put(&body, 0x0a, span_of(&reason, 1));
	if (comment_n)
		der_put(&body, DER_UTF8, buf_span(&comment));
	wrap(DER_SEQUENCE, &body, &value);
	put_control(out, part, 17, buf_span(&value));
}

/* RFC 5272 3.2.1 */
static void body_parts_are_unique_and_not_zero(void **state)
{
	struct buf items OWNED_BUF = BUF(1 << 20);
	struct buf der OWNED_BUF = BUF(1 << 20);
	struct cmc_data d;

	put_request(&items, 1);
	put_request(&items, 2);
	data_with(1, &items, &der);
	good(cmc_data_parse(buf_span(&der), &d, &why));
	assert_int_equal(d.requests_n, 2);
	assert_true(span_equal(d.requests[1].der, span_of(csr, sizeof(csr))));
	put_request(&items, 2);
	data_with(1, &items, &der);
	refused(cmc_data_parse(buf_span(&der), &d, &why), CMC_SYNTAX);
	buf_clear(&items);
	put_request(&items, 0);
	data_with(1, &items, &der);
	refused(cmc_data_parse(buf_span(&der), &d, &why), CMC_SYNTAX);
	buf_clear(&items);
	put_request(&items, UINT32_MAX);
	data_with(1, &items, &der);
	good(cmc_data_parse(buf_span(&der), &d, &why));
	assert_int_equal(d.requests[0].part, UINT32_MAX);
}

static void one_past_each_limit_is_refused(void **state)
{
	struct buf items OWNED_BUF = BUF(1 << 20);
	struct buf der OWNED_BUF = BUF(1 << 20);
	struct cmc_data d;
	static const struct {
		uint8_t control;
		size_t max;
	} octets[] = {{6, CMC_NONCE_MAX}, {7, CMC_NONCE_MAX}, {4, CMC_DATA_RETURN_MAX}, {21, CMC_NONCE_MAX}};

	for (size_t i = 0; i < sizeof(octets) / sizeof(octets[0]); i++) {
		for (size_t more = 0; more < 2; more++) {
			buf_clear(&items);
			put_octets_control(&items, 1, octets[i].control, octets[i].max + more);
			data_with(0, &items, &der);
			if (more)
				refused(cmc_data_parse(buf_span(&der), &d, &why), CMC_LIMIT);
			else
				good(cmc_data_parse(buf_span(&der), &d, &why));
		}
	}
	buf_clear(&items);
	for (uint32_t i = 1; i <= CMC_REQUESTS_MAX + 1; i++) {
		put_request(&items, i);
		data_with(1, &items, &der);
		if (i > CMC_REQUESTS_MAX)
			refused(cmc_data_parse(buf_span(&der), &d, &why), CMC_LIMIT);
		else
			good(cmc_data_parse(buf_span(&der), &d, &why));
	}
	buf_clear(&items);
	for (uint32_t i = 1; i <= CMC_REVOKES_MAX + 1; i++) {
		put_revoke(&items, i, i == 1 ? CMC_COMMENT_MAX : 0);
		data_with(0, &items, &der);
		if (i > CMC_REVOKES_MAX)
			refused(cmc_data_parse(buf_span(&der), &d, &why), CMC_LIMIT);
		else
			good(cmc_data_parse(buf_span(&der), &d, &why));
	}
	buf_clear(&items);
	put_revoke(&items, 1, CMC_COMMENT_MAX + 1);
	data_with(0, &items, &der);
	refused(cmc_data_parse(buf_span(&der), &d, &why), CMC_LIMIT);
	/* regInfo may repeat: the number of body parts is what ends */
	buf_clear(&items);
	for (uint32_t i = 1; i <= CMC_BODY_PARTS_MAX + 1; i++) {
		put_octets_control(&items, i, 18, 1);
		data_with(0, &items, &der);
		if (i > CMC_BODY_PARTS_MAX)
			refused(cmc_data_parse(buf_span(&der), &d, &why), CMC_LIMIT);
		else
			good(cmc_data_parse(buf_span(&der), &d, &why));
	}
}

static void nested_unsupported_and_transactions_have_limits(void **state)
{
	struct buf items OWNED_BUF = BUF(1 << 20);
	struct buf der OWNED_BUF = BUF(1 << 20);
	struct cmc_data d;

	for (uint32_t i = 1; i <= CMC_NESTED_MAX + 1; i++) {
		struct buf body OWNED_BUF = BUF(1024);
		der_put_small(&body, i);
		buf_put(&body, csr, sizeof(csr));
		wrap(DER_SEQUENCE, &body, &items);
		data_with(2, &items, &der);
		if (i > CMC_NESTED_MAX)
			refused(cmc_data_parse(buf_span(&der), &d, &why), CMC_LIMIT);
		else
			good(cmc_data_parse(buf_span(&der), &d, &why));
	}
	buf_clear(&items);
	for (uint32_t i = 1; i <= CMC_REFUSED_MAX + 1; i++) {
		put_octets_control(&items, i, 9, 1);
		data_with(0, &items, &der);
		if (i > CMC_REFUSED_MAX)
			refused(cmc_data_parse(buf_span(&der), &d, &why), CMC_LIMIT);
		else
			good(cmc_data_parse(buf_span(&der), &d, &why));
	}
	for (size_t more = 0; more < 2; more++) {
		struct buf value OWNED_BUF = BUF(1024);
		struct buf number OWNED_BUF = BUF(1024);
		while (number.n < CMC_TRANSACTION_MAX + more)
			buf_put_u8(&number, 0x11);
		der_put(&value, DER_INTEGER, buf_span(&number));
		buf_clear(&items);
		put_control(&items, 1, 5, buf_span(&value));
		data_with(0, &items, &der);
		if (more)
			refused(cmc_data_parse(buf_span(&der), &d, &why), CMC_LIMIT);
		else
			good(cmc_data_parse(buf_span(&der), &d, &why));
	}
}

static void a_control_stands_once(void **state)
{
	struct buf items OWNED_BUF = BUF(1 << 20);
	struct buf der OWNED_BUF = BUF(1 << 20);
	struct cmc_data d;

	put_octets_control(&items, 1, 6, 16);
	put_octets_control(&items, 2, 6, 16);
	data_with(0, &items, &der);
	refused(cmc_data_parse(buf_span(&der), &d, &why), CMC_SYNTAX);
	/* two values of one control */
	struct buf two OWNED_BUF = BUF(1024);
	der_put(&two, DER_OCTET_STRING, span_text("a"));
	der_put(&two, DER_OCTET_STRING, span_text("b"));
	buf_clear(&items);
	put_control(&items, 1, 6, buf_span(&two));
	data_with(0, &items, &der);
	refused(cmc_data_parse(buf_span(&der), &d, &why), CMC_SYNTAX);
}

static void what_is_not_supported_is_named(void **state)
{
	struct buf items OWNED_BUF = BUF(1 << 20);
	struct buf der OWNED_BUF = BUF(1 << 20);
	struct buf body OWNED_BUF = BUF(1024);
	struct buf message OWNED_BUF = BUF(1024);
	struct cmc_data d;

	der_put_small(&body, 77);
	wrap(DER_SEQUENCE, &body, &message); /* CertRequest, as far as its certReqId */
	wrap(0xa1, &message, &items);
	data_with(1, &items, &der);
	good(cmc_data_parse(buf_span(&der), &d, &why));
	assert_int_equal(d.refused_n, 1);
	assert_int_equal(d.refused[0].part, 77);
	assert_true(d.refused[0].request);
	buf_clear(&items);
	put_octets_control(&items, 5, 34, 4); /* identityProofV2 */
	data_with(0, &items, &der);
	good(cmc_data_parse(buf_span(&der), &d, &why));
	assert_int_equal(d.refused_n, 1);
	assert_int_equal(d.refused[0].part, 5);
	assert_false(d.refused[0].request);
	assert_int_equal(d.refused[0].oid.p[d.refused[0].oid.n - 1], 34);
}

static void every_cut_is_noticed(void **state)
{
	struct buf der OWNED_BUF = BUF(1 << 20);
	const struct cmc_data in = {.sender_nonce = span_text("nonce"), .requests = {{3, span_of(csr, sizeof(csr))}}, .requests_n = 1,
		.revokes = {{.part = 4, .issuer = span_of(name, 2), .serial = span_text("s"), .reason = 4, .invalid_s = 1800000000,
			.comment = span_text("gone")}},
		.revokes_n = 1, .witnessed = true, .identification = span_text("it")};
	struct cmc_data d;

	good(cmc_data_write(&in, &der, &why));
	good(cmc_data_parse(buf_span(&der), &d, &why));
	assert_int_equal(d.revokes[0].invalid_s, 1800000000);
	assert_true(span_is(d.revokes[0].comment, "gone"));
	assert_true(span_is(d.identification, "it"));
	assert_true(d.witnessed);
	for (size_t n = 0; n < der.n; n++)
		refused(cmc_data_parse(span_first(buf_span(&der), n), &d, &why), CMC_SYNTAX);
	buf_put_u8(&der, 0);
	refused(cmc_data_parse(buf_span(&der), &d, &why), CMC_SYNTAX);
}

static void an_answer_reads_back(void **state)
{
	struct buf der OWNED_BUF = BUF(1 << 20);
	static struct cmc_response in, out;
	static const uint8_t transaction[] = {0x02, 0x01, 0x05};

	in = (struct cmc_response){.transaction = span_of(transaction, sizeof(transaction)), .recipient_nonce = span_text("theirs"),
		.sender_nonce = span_text("ours"), .has_data_return = true,
		.parts = {{.path = {1}, .path_n = 1, .status = CMC_SUCCESS, .fail = CMC_FAIL_NONE},
			{.path = {2, 9}, .path_n = 2, .status = CMC_FAILED, .fail = CMC_FAIL_BAD_ALG, .text = span_text("no")},
			{.path = {0}, .path_n = 1, .status = CMC_PENDING, .fail = CMC_FAIL_NONE, .pend_token = span_text("token"),
				.pend_s = 1900000000}},
		.parts_n = 3};
	good(cmc_response_write(&in, &der, &why));
	good(cmc_response_parse(buf_span(&der), &out, &why));
	assert_int_equal(out.parts_n, 3);
	assert_true(span_equal(out.transaction, in.transaction));
	assert_true(span_is(out.recipient_nonce, "theirs"));
	assert_true(out.has_data_return);
	assert_int_equal(out.parts[1].path_n, 2);
	assert_int_equal(out.parts[1].path[1], 9);
	assert_int_equal(out.parts[1].fail, CMC_FAIL_BAD_ALG);
	assert_int_equal(out.parts[0].fail, CMC_FAIL_NONE);
	assert_true(span_is(out.parts[2].pend_token, "token"));
	assert_int_equal(out.parts[2].pend_s, 1900000000);
	for (size_t n = 0; n < der.n; n++)
		refused(cmc_response_parse(span_first(buf_span(&der), n), &out, &why), CMC_SYNTAX);
	assert_string_equal(cmc_fail_name(CMC_FAIL_AUTH_DATA_FAIL), "authDataFail");
	assert_string_equal(cmc_fail_name(CMC_FAIL_NONE), "unknown");
}

static void an_answer_has_at_most_so_many_statuses(void **state)
{
	struct buf status OWNED_BUF = BUF(1024);
	struct buf value OWNED_BUF = BUF(1024);
	struct buf list OWNED_BUF = BUF(1 << 20);
	struct buf body OWNED_BUF = BUF(1 << 20);
	struct buf der OWNED_BUF = BUF(1 << 20);
	struct buf bodies OWNED_BUF = BUF(64);
	static struct cmc_response out;

	der_put_small(&status, 0);
	der_put_small(&bodies, 1);
	wrap(DER_SEQUENCE, &bodies, &status);
	wrap(DER_SEQUENCE, &status, &value);
	for (uint32_t i = 1; i <= CMC_STATUSES_MAX + 1; i++) {
		put_control(&list, i, 25, buf_span(&value));
		buf_clear(&body);
		buf_clear(&der);
		wrap(DER_SEQUENCE, &list, &body);
		der_put(&body, DER_SEQUENCE, (struct span){0});
		der_put(&body, DER_SEQUENCE, (struct span){0});
		wrap(DER_SEQUENCE, &body, &der);
		if (i > CMC_STATUSES_MAX)
			refused(cmc_response_parse(buf_span(&der), &out, &why), CMC_LIMIT);
		else
			good(cmc_response_parse(buf_span(&der), &out, &why));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(body_parts_are_unique_and_not_zero),
		cmocka_unit_test(one_past_each_limit_is_refused),
		cmocka_unit_test(nested_unsupported_and_transactions_have_limits),
		cmocka_unit_test(a_control_stands_once),
		cmocka_unit_test(what_is_not_supported_is_named),
		cmocka_unit_test(every_cut_is_noticed),
		cmocka_unit_test(an_answer_reads_back),
		cmocka_unit_test(an_answer_has_at_most_so_many_statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
