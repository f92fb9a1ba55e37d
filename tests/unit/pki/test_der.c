#include "pki/der.h"
#include "pki/oid.h"

#include "base/date.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define IN(octets) ((struct span){(const uint8_t *)(octets), sizeof(octets) - 1})

static bool reads(struct span in)
{
	struct der d = der_init(in);

	der_next(&d);
	return der_done(&d);
}

static void reads_short_and_long_lengths(void **state)
{
	uint8_t long_form[3 + 0x80] = {0x04, 0x81, 0x80};

	struct der d = der_init(IN("\x04\x02hi\x05\x00"));
	struct der_item item = der_next(&d);
	assert_int_equal(item.tag, DER_OCTET_STRING);
	assert_true(span_is(item.body, "hi"));
	assert_int_equal(item.all.n, 4);
	assert_int_equal(der_peek(&d), DER_NULL);
	der_next(&d);
	assert_true(der_done(&d));

	d = der_init(span_of(long_form, sizeof(long_form)));
	assert_int_equal(der_next(&d).body.n, 0x80);
	assert_true(der_done(&d));
}

static void refuses_what_is_not_der(void **state)
{
	uint8_t small_in_two[4 + 0xff] = {0x04, 0x82, 0x00, 0xff};

	assert_true(reads(IN("\x04\x01x")));
	assert_false(reads(IN("")));
	assert_false(reads(IN("\x04")));
	assert_false(reads(IN("\x04\x02x")));     /* body overruns */
	assert_false(reads(IN("\x04\x81")));      /* length overruns */
	assert_false(reads(IN("\x30\x80\0\0")));  /* X.690 10.1: indefinite */
	assert_false(reads(IN("\x04\x81\x01x"))); /* X.690 10.1: not minimal */
	assert_false(reads(span_of(small_in_two, sizeof(small_in_two))));
	assert_false(reads(IN("\x04\x85\x00\x00\x00\x00\x01x"))); /* five length octets */
	assert_false(reads(IN("\x04\x84\xff\xff\xff\xffx")));
	assert_false(reads(IN("\x1f\x01x"))); /* tag number above 30 */
	assert_false(reads(IN("\x04\x01xy"))); /* leftovers */
}

static void hands_out_nothing_that_overruns(void **state)
{
	struct der d = der_init(IN("\x04\x02x"));
	struct der_item item = der_next(&d);

	assert_true(d.bad);
	assert_int_equal(d.left, 0);
	assert_int_equal(item.body.n, 0);
	assert_int_equal(item.all.n, 0);
}

static void stays_bad_after_the_first_fault(void **state)
{
	struct der d = der_init(IN("\x04\x01x\x05\x00"));
	struct der_item item = {0};

	der_take(&d, DER_SEQUENCE);
	assert_true(d.bad);
	assert_int_equal(der_next(&d).all.n, 0);
	assert_false(der_more(&d));
	assert_int_equal(der_peek(&d), 0);
	assert_false(der_take_if(&d, 0, &item));
	assert_true(der_enter(&d, DER_SEQUENCE).bad);
	assert_false(der_done(&d));
}

static void takes_optional_items_only_when_there(void **state)
{
	struct der d = der_init(IN("\xa0\x02\x05\x00"));
	struct der_item item = {0};

	assert_false(der_take_if(&d, 0xa1, &item));
	assert_true(der_take_if(&d, 0xa0, &item));
	assert_int_equal(item.body.n, 2);
	assert_false(der_take_if(&d, 0xa0, &item));
	assert_true(der_done(&d));
}

static bool uint_is(struct span in, struct span want)
{
	struct der d = der_init(in);
	struct span have = der_take_uint(&d);

	return der_done(&d) && span_equal(have, want);
}

static void reads_integers_without_their_sign_octet(void **state)
{
	assert_true(uint_is(IN("\x02\x01\x00"), IN("\x00")));
	assert_true(uint_is(IN("\x02\x01\x7f"), IN("\x7f")));
	assert_true(uint_is(IN("\x02\x02\x00\x80"), IN("\x80")));
	assert_false(uint_is(IN("\x02\x01\x80"), IN("\x80")));         /* negative */
	assert_false(uint_is(IN("\x02\x02\x00\x7f"), IN("\x7f")));     /* X.690 8.3.2 */
	assert_false(uint_is(IN("\x02\x03\x00\x00\x80"), IN("\x80"))); /* X.690 8.3.2 */
	assert_false(uint_is(IN("\x02\x00"), IN("")));
}

static bool bool_reads(struct span in, bool want)
{
	struct der d = der_init(in);

	return der_take_bool(&d) == want && der_done(&d);
}

static void reads_booleans_strictly(void **state)
{
	assert_true(bool_reads(IN("\x01\x01\xff"), true));
	assert_true(bool_reads(IN("\x01\x01\x00"), false));
	assert_false(bool_reads(IN("\x01\x01\x01"), true)); /* X.690 11.1 */
	assert_false(bool_reads(IN("\x01\x00"), false));
	assert_false(bool_reads(IN("\x01\x02\xff\xff"), true));
}

static bool bits_read(struct span in, size_t want_n)
{
	struct der d = der_init(in);

	return der_take_bits(&d).n == want_n && der_done(&d);
}

static void reads_bit_strings_of_whole_octets(void **state)
{
	assert_true(bits_read(IN("\x03\x03\x00zz"), 2));
	assert_true(bits_read(IN("\x03\x01\x00"), 0));
	assert_false(bits_read(IN("\x03\x02\x01\x02"), 1));
	assert_false(bits_read(IN("\x03\x00"), 0));
}

static bool flags_read(struct span in, uint16_t want)
{
	struct der d = der_init(in);

	return der_take_flags(&d) == want && der_done(&d);
}

static void reads_named_bits_from_the_left(void **state)
{
	assert_true(flags_read(IN("\x03\x02\x07\x80"), 1 << 0));
	assert_true(flags_read(IN("\x03\x02\x01\x06"), 1 << 5 | 1 << 6));
	assert_true(flags_read(IN("\x03\x03\x07\x00\x80"), 1 << 8));
	assert_true(flags_read(IN("\x03\x01\x00"), 0));
	assert_false(flags_read(IN("\x03\x02\x07\xc0"), 3)); /* X.690 11.2.1 */
	assert_false(flags_read(IN("\x03\x02\x08\x00"), 0));
	assert_false(flags_read(IN("\x03\x01\x01"), 0));
	assert_false(flags_read(IN("\x03\x04\x00\xff\xff\xff"), 0xffff));
	assert_false(flags_read(IN("\x03\x00"), 0));
}

static bool oid_reads(struct span in)
{
	struct der d = der_init(in);

	der_take_oid(&d);
	return der_done(&d);
}

static void refuses_malformed_object_identifiers(void **state)
{
	assert_true(oid_reads(IN("\x06\x03\x55\x1d\x11")));
	assert_true(oid_reads(IN("\x06\x03\x2a\x86\x48")));
	assert_false(oid_reads(IN("\x06\x00")));
	assert_false(oid_reads(IN("\x06\x02\x55\x86")));     /* last subidentifier unfinished */
	assert_false(oid_reads(IN("\x06\x03\x2a\x80\x01"))); /* X.690 8.19.2: padded */
	assert_false(oid_reads(IN("\x06\x02\x80\x01")));
}

static bool time_reads(struct span in, int64_t *out)
{
	struct der d = der_init(in);

	*out = der_take_time(&d);
	return der_done(&d);
}

static void reads_both_kinds_of_time(void **state)
{
	int64_t at_s = 0;

	/* RFC 5280 4.1.2.5.1: 50 and above is 19yy */
	assert_true(time_reads(IN("\x17\x0d" "700101000000Z"), &at_s));
	assert_int_equal(at_s, 0);
	assert_true(time_reads(IN("\x17\x0d" "491231235959Z"), &at_s));
	assert_int_equal(at_s, 2524607999);
	assert_true(time_reads(IN("\x17\x0d" "500101000000Z"), &at_s));
	assert_int_equal(at_s, -631152000);
	assert_true(time_reads(IN("\x18\x0f" "20500101000000Z"), &at_s));
	assert_int_equal(at_s, 2524608000);
	assert_true(time_reads(IN("\x18\x0f" "99991231235959Z"), &at_s));
	assert_int_equal(at_s, 253402300799);
	assert_false(time_reads(IN("\x17\x0b" "7001010000Z"), &at_s));          /* no seconds */
	assert_false(time_reads(IN("\x17\x11" "700101000000+0000"), &at_s));    /* not Zulu */
	assert_false(time_reads(IN("\x18\x11" "20500101000000.5Z"), &at_s));    /* fraction */
	assert_false(time_reads(IN("\x17\x0d" "700231000000Z"), &at_s));        /* no such day */
	assert_false(time_reads(IN("\x17\x0d" "70010100000xZ"), &at_s));
	assert_false(time_reads(IN("\x0c\x0d" "700101000000Z"), &at_s));
}

static bool put_is(const struct buf *out, struct span want)
{
	return !out->bad && span_equal(buf_span(out), want);
}

static void writes_lengths_in_the_fewest_octets(void **state)
{
	static const uint8_t zeros[0x10000];
	static const struct {
		size_t n;
		struct span header;
	} rows[] = {
		{0x7f, {(const uint8_t *)"\x04\x7f", 2}},
		{0x80, {(const uint8_t *)"\x04\x81\x80", 3}},
		{0xff, {(const uint8_t *)"\x04\x81\xff", 3}},
		{0x100, {(const uint8_t *)"\x04\x82\x01\x00", 4}},
		{0x10000, {(const uint8_t *)"\x04\x83\x01\x00\x00", 5}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out OWNED_BUF = BUF(0x20000);
		der_put(&out, DER_OCTET_STRING, span_of(zeros, rows[i].n));
		assert_true(span_equal(span_first(buf_span(&out), rows[i].header.n), rows[i].header));
		assert_true(reads(buf_span(&out)));
	}
}

static void writes_integers_bits_flags_and_booleans(void **state)
{
	struct buf out OWNED_BUF = BUF(256);

	der_put_uint(&out, IN("\x00\x00\x80"));
	der_put_uint(&out, IN(""));
	der_put_small(&out, 127);
	der_put_small(&out, 65537);
	assert_true(put_is(&out, IN("\x02\x02\x00\x80\x02\x01\x00\x02\x01\x7f\x02\x03\x01\x00\x01")));
	buf_clear(&out);
	der_put_bits(&out, IN("\x80"), 7);
	der_put_flags(&out, 1 << 0);
	der_put_flags(&out, 1 << 5 | 1 << 6);
	der_put_flags(&out, 1 << 8);
	der_put_flags(&out, 0);
	der_put_bool(&out, true);
	assert_true(put_is(&out, IN("\x03\x02\x07\x80\x03\x02\x07\x80\x03\x02\x01\x06\x03\x03\x07\x00\x80"
				    "\x03\x01\x00\x01\x01\xff")));
}

static void writes_times_that_it_reads_back(void **state)
{
	static const int64_t times[] = {0, -631152000, 2524607999, 2524608000, -631152001, 253402300799};

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct buf out OWNED_BUF = BUF(64);
		int64_t back = 1;
		der_put_time(&out, times[i]);
		assert_true(time_reads(buf_span(&out), &back));
		assert_int_equal(back, times[i]);
		/* RFC 5280 4.1.2.5: UTCTime through 2049 */
		bool utc = times[i] >= -631152000 && times[i] < 2524608000;
		assert_int_equal(out.p[0], utc ? DER_UTC_TIME : DER_GENERALIZED_TIME);
	}
	struct buf out OWNED_BUF = BUF(64);
	der_put_time(&out, 253402300800); /* year 10000 */
	assert_true(out.bad);
}

static void prints_object_identifiers_dotted(void **state)
{
	struct buf out OWNED_BUF = BUF(512);
	uint8_t long_oid[80] = {0x2a};

	oid_put_dotted(&out, OID_CE_SUBJECT_ALT_NAME);
	assert_string_equal(buf_text(&out), "2.5.29.17");
	buf_clear(&out);
	/* an arc of 128 bits */
	oid_put_dotted(&out,
		IN("\x69\x83\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"));
	assert_string_equal(buf_text(&out), "2.25.340282366920938463463374607431768211455");
	buf_clear(&out);
	oid_put_dotted(&out, IN("\x2a\x80\x01"));
	assert_true(out.bad);
	buf_clear(&out);
	oid_put_dotted(&out, span_of(long_oid, sizeof(long_oid)));
	assert_true(out.bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_short_and_long_lengths),
		cmocka_unit_test(refuses_what_is_not_der),
		cmocka_unit_test(hands_out_nothing_that_overruns),
		cmocka_unit_test(stays_bad_after_the_first_fault),
		cmocka_unit_test(takes_optional_items_only_when_there),
		cmocka_unit_test(reads_integers_without_their_sign_octet),
		cmocka_unit_test(reads_booleans_strictly),
		cmocka_unit_test(reads_bit_strings_of_whole_octets),
		cmocka_unit_test(reads_named_bits_from_the_left),
		cmocka_unit_test(refuses_malformed_object_identifiers),
		cmocka_unit_test(reads_both_kinds_of_time),
		cmocka_unit_test(writes_lengths_in_the_fewest_octets),
		cmocka_unit_test(writes_integers_bits_flags_and_booleans),
		cmocka_unit_test(writes_times_that_it_reads_back),
		cmocka_unit_test(prints_object_identifiers_dotted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
