#include "adapt/issuer/msg.h"

#include "base/mem.h"
#include "net/channels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct issue_order example(void)
{
	struct issue_order o = {.profile = "device", .not_after_s = 1234567890, .suids = {10, 20}, .suids_n = 2};

	o.csr = span_text("a request");
	o.subject = span_text("a name");
	o.sans = span_text("");
	return o;
}

static void an_order_comes_back_as_it_was(void **state)
{
	OWNED_BUF struct buf b = BUF(1000);
	struct issue_order in = example(), out;
	struct why why = {0};

	msg_order_write(&b, &in);
	assert_int_equal(msg_order_parse(buf_span(&b), &out, &why), OK);
	assert_string_equal(out.profile, "device");
	assert_true(span_is(out.csr, "a request"));
	assert_true(span_is(out.subject, "a name"));
	assert_int_equal(out.sans.n, 0);
	assert_int_equal(out.not_after_s, 1234567890);
	assert_int_equal(out.suids_n, 2);
	assert_int_equal(out.suids[1], 20);
}

static void a_cut_or_lengthened_order_is_refused(void **state)
{
	OWNED_BUF struct buf b = BUF(1000);
	struct issue_order in = example(), out;

	msg_order_write(&b, &in);
	for (size_t n = 0; n < b.n; n++) {
		struct why why = {0};
		assert_int_equal(msg_order_parse(span_of(b.p, n), &out, &why), ERR_SYNTAX);
	}
	struct why why = {0};
	buf_put_u8(&b, 0);
	assert_int_equal(msg_order_parse(buf_span(&b), &out, &why), ERR_SYNTAX);
}

static void a_key_order_and_a_made_key_come_back_as_they_were(void **state)
{
	OWNED_BUF struct buf b = BUF(1000);
	OWNED_BUF struct buf k = BUF(1000);
	struct key_order in = {.spec = 3, .subject = span_text("a name"), .sans = span_text("names"), .package = true,
		.profile = "device"}, out;
	struct made_key key = {.pkcs8 = span_text("key"), .package = span_text("package"), .csr = span_text("csr")}, made;
	struct why why = {0};

	msg_key_order_write(&b, &in);
	assert_int_equal(msg_key_order_parse(buf_span(&b), &out, &why), OK);
	assert_int_equal(out.spec, 3);
	assert_true(out.package);
	assert_true(span_is(out.subject, "a name") && span_is(out.sans, "names"));
	assert_string_equal(out.profile, "device");
	msg_key_write(&k, &key);
	assert_int_equal(msg_key_parse(buf_span(&k), &made, &why), OK);
	assert_true(span_is(made.pkcs8, "key") && span_is(made.package, "package") && span_is(made.csr, "csr"));
}

static void cut_key_messages_are_refused(void **state)
{
	OWNED_BUF struct buf b = BUF(1000);
	OWNED_BUF struct buf k = BUF(1000);
	struct key_order in = {.spec = 1, .subject = span_text("a name")}, out;
	struct made_key key = {.pkcs8 = span_text("key"), .csr = span_text("csr")}, made;

	msg_key_order_write(&b, &in);
	msg_key_write(&k, &key);
	for (size_t n = 0; n < b.n; n++) {
		struct why why = {0};
		assert_int_equal(msg_key_order_parse(span_of(b.p, n), &out, &why), ERR_SYNTAX);
	}
	for (size_t n = 0; n < k.n; n++) {
		struct why why = {0};
		assert_int_equal(msg_key_parse(span_of(k.p, n), &made, &why), ERR_SYNTAX);
	}
	struct why why = {0};
	b.p[2] = 2; /* neither yes nor no */
	assert_int_equal(msg_key_order_parse(buf_span(&b), &out, &why), ERR_SYNTAX);
}

static void order_bounds_hold_one_past(void **state)
{
	struct issue_order in = example(), out;

	for (size_t suids = ISSUER_SUIDS_MAX; suids <= ISSUER_SUIDS_MAX + 1; suids++) {
		for (size_t profile = ISSUER_PROFILE_MAX - 1; profile <= ISSUER_PROFILE_MAX; profile++) {
			OWNED_BUF struct buf b = BUF(1000);
			struct why why = {0};
			char name[ISSUER_PROFILE_MAX + 1] = {0};
			memset(name, 'p', profile);
			buf_put_u16_bytes(&b, span_text(name));
			for (int i = 0; i < 3; i++)
				buf_put_u32_bytes(&b, in.csr);
			buf_put_u64(&b, 5);
			buf_put_u16_bytes(&b, span_of("123456789", suids));
			bool fits = suids == ISSUER_SUIDS_MAX && profile < ISSUER_PROFILE_MAX;
			assert_int_equal(msg_order_parse(buf_span(&b), &out, &why), fits ? OK : ERR_SYNTAX);
		}
	}
}

static void a_negative_date_is_refused(void **state)
{
	OWNED_BUF struct buf b = BUF(1000);
	struct issue_order in = example(), out;
	struct why why = {0};

	in.not_after_s = -1;
	msg_order_write(&b, &in);
	assert_int_equal(msg_order_parse(buf_span(&b), &out, &why), ERR_SYNTAX);
}

static void a_result_comes_back_as_it_was(void **state)
{
	OWNED_BUF struct buf b = BUF(1000);
	struct issue_result in = {.serial = {1, 2, 3}, .serial_n = 3, .not_before_s = -5, .not_after_s = 1LL << 40}, out;
	struct why why = {0};

	in.der = span_text("certificate");
	msg_issued_write(&b, &in);
	assert_int_equal(msg_issued_parse(buf_span(&b), &out, &why), OK);
	assert_true(span_is(out.der, "certificate"));
	assert_int_equal(out.serial_n, 3);
	assert_memory_equal(out.serial, in.serial, 3);
	assert_int_equal(out.not_before_s, -5);
	assert_int_equal(out.not_after_s, 1LL << 40);
	for (size_t n = 0; n < b.n; n++) {
		struct why cut = {0};
		assert_int_equal(msg_issued_parse(span_of(b.p, n), &out, &cut), ERR_SYNTAX);
	}
}

/* RFC 5280 4.1.2.2: a serial number has 1 to 20 octets. */
static void serials_are_bounded(void **state)
{
	static const size_t lengths[] = {0, 1, 20, 21};
	uint8_t serial[ISSUER_SERIAL_MAX + 1] = {1};

	for (size_t i = 0; i < 4; i++) {
		OWNED_BUF struct buf b = BUF(1000);
		struct issue_result out;
		struct why why = {0};
		buf_put_u32_bytes(&b, span_text("certificate"));
		buf_put_u16_bytes(&b, span_of(serial, lengths[i]));
		buf_put_u64(&b, 1);
		buf_put_u64(&b, 2);
		bool fits = lengths[i] == 1 || lengths[i] == 20;
		assert_int_equal(msg_issued_parse(buf_span(&b), &out, &why), fits ? OK : ERR_SYNTAX);
	}
}

static void crl_orders(size_t n, enum err want)
{
	OWNED_MEM struct crl_entry *in = mem_array(n ? n : 1, sizeof(*in));
	OWNED_MEM struct crl_entry *entries = NULL;
	OWNED_BUF struct buf b = BUF(8 * 1024 * 1024);
	struct crl_order order = {.ca = "issuing", .number = 7, .this_update_s = 1, .next_update_s = 2, .entries = in, .entries_n = n};
	struct crl_order out;
	struct why why = {0};

	assert_non_null(in);
	for (size_t i = 0; i < n; i++) {
		memcpy(in[i].serial, &i, sizeof(i));
		in[i].serial_n = ISSUER_SERIAL_MAX;
		in[i].revoked_s = (int64_t)i;
		in[i].reason = (uint8_t)(i % 11);
	}
	msg_crl_order_write(&b, &order);
	if (want != OK) {
		assert_int_equal(buf_check(&b, "CRL order", &why), want);
		return;
	}
	assert_int_equal(buf_check(&b, "CRL order", &why), OK);
	assert_int_equal(msg_crl_order_parse(buf_span(&b), &out, &entries, &why), OK);
	assert_int_equal(out.number, 7);
	assert_int_equal(out.entries_n, n);
	assert_string_equal(out.ca, "issuing");
	for (size_t i = 0; i < n; i++) {
		assert_memory_equal(out.entries[i].serial, in[i].serial, ISSUER_SERIAL_MAX);
		assert_int_equal(out.entries[i].revoked_s, in[i].revoked_s);
		assert_int_equal(out.entries[i].reason, in[i].reason);
	}
}

static void a_crl_order_holds_none_to_the_limit_and_not_one_more(void **state)
{
	crl_orders(0, OK);
	crl_orders(1, OK);
	crl_orders(100 * 1000, OK);
	crl_orders(MSG_CRL_ENTRIES_MAX, OK);
	crl_orders(MSG_CRL_ENTRIES_MAX + 1, ERR_LIMIT);
}

static void an_entry_count_that_the_bytes_cannot_hold_takes_no_room(void **state)
{
	static const uint32_t counts[] = {2, MSG_CRL_ENTRIES_MAX, MSG_CRL_ENTRIES_MAX + 1, UINT32_MAX};

	for (size_t i = 0; i < 4; i++) {
		OWNED_BUF struct buf b = BUF(100);
		OWNED_MEM struct crl_entry *entries = NULL;
		struct crl_order out;
		struct why why = {0};
		buf_put_u64(&b, 1);
		buf_put_u64(&b, 1);
		buf_put_u64(&b, 1);
		buf_put_u32(&b, counts[i]);
		buf_put(&b, "\0\1xtttttttt\1", 12);
		assert_int_equal(msg_crl_order_parse(buf_span(&b), &out, &entries, &why), ERR_SYNTAX);
		assert_null(entries);
	}
}

static void a_refusal_keeps_code_clause_and_text(void **state)
{
	OWNED_BUF struct buf b = BUF(1000);
	struct why in = {0}, out = {0}, why = {0};

	(void)!WHY(&in, ISSUER_BUSY, "RFC 5280 4.1", "key: want P-256, have RSA-1024");
	msg_refused_write(&b, &in);
	assert_int_equal(msg_refused_parse(buf_span(&b), &out, &why), OK);
	assert_int_equal(out.code, in.code);
	assert_int_equal(out.kind, in.kind);
	assert_string_equal(out.clause, in.clause);
	assert_string_equal(out.text, in.text);
	for (size_t n = 0; n < b.n; n++) {
		struct why none = {0}, cut = {0};
		assert_int_equal(msg_refused_parse(span_of(b.p, n), &none, &cut), ERR_SYNTAX);
		assert_int_equal(none.kind, OK);
	}
}

static void the_longest_refusal_fits_its_frame(void **state)
{
	OWNED_BUF struct buf b = BUF(100000);
	struct why in = {.kind = ERR_BUG, .code = CODE_BUG}, out = {0}, why = {0};

	memset(in.clause, 'c', WHY_CLAUSE_MAX - 1);
	memset(in.text, 't', WHY_TEXT_MAX - 1);
	msg_refused_write(&b, &in);
	assert_int_equal(msg_refused_parse(buf_span(&b), &out, &why), OK);
	assert_string_equal(out.text, in.text);
	for (size_t i = 0; i < channel_orders.n; i++) {
		if (channel_orders.types[i].type == CH_REFUSED)
			assert_true(b.n <= channel_orders.types[i].max_payload);
	}
}

static void a_refusal_with_an_unknown_code_is_malformed(void **state)
{
	OWNED_BUF struct buf b = BUF(1000);
	struct why in = {.kind = ERR_BUG, .code = (enum code)9999}, out = {0}, why = {0};

	msg_refused_write(&b, &in);
	assert_int_equal(msg_refused_parse(buf_span(&b), &out, &why), ERR_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_order_comes_back_as_it_was),
		cmocka_unit_test(a_cut_or_lengthened_order_is_refused),
		cmocka_unit_test(a_key_order_and_a_made_key_come_back_as_they_were),
		cmocka_unit_test(cut_key_messages_are_refused),
		cmocka_unit_test(order_bounds_hold_one_past),
		cmocka_unit_test(a_negative_date_is_refused),
		cmocka_unit_test(a_result_comes_back_as_it_was),
		cmocka_unit_test(serials_are_bounded),
		cmocka_unit_test(a_crl_order_holds_none_to_the_limit_and_not_one_more),
		cmocka_unit_test(an_entry_count_that_the_bytes_cannot_hold_takes_no_room),
		cmocka_unit_test(a_refusal_keeps_code_clause_and_text),
		cmocka_unit_test(the_longest_refusal_fits_its_frame),
		cmocka_unit_test(a_refusal_with_an_unknown_code_is_malformed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
