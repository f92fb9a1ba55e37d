#include "pki/name.h"

#include "pki/der_nest.h"
#include "pki/oid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define IN(octets) ((struct span){(const uint8_t *)(octets), sizeof(octets) - 1})

enum { T61 = 0x14, BMP = 0x1e };

/* A name of one CN of that string type, and perhaps a second attribute. */
static void put_name(struct buf *out, uint8_t tag, struct span cn, const char *serial)
{
	size_t name = der_open(out, DER_SEQUENCE);
	const struct {
		struct span oid;
		uint8_t tag;
		struct span value;
	} rows[] = {{OID_COMMON_NAME, tag, cn}, {OID_SERIAL_NUMBER, DER_PRINTABLE, span_text(serial)}};

	for (size_t i = 0; i < (serial ? 2 : 1); i++) {
		size_t set = der_open(out, DER_SET);
		size_t pair = der_open(out, DER_SEQUENCE);
		der_put_oid(out, rows[i].oid);
		der_put(out, rows[i].tag, rows[i].value);
		der_close(out, pair);
		der_close(out, set);
	}
	der_close(out, name);
}

static bool cn_equal(uint8_t tag_a, struct span a, uint8_t tag_b, struct span b)
{
	struct buf x OWNED_BUF = BUF(4096);
	struct buf y OWNED_BUF = BUF(4096);
	struct why why = {0};
	bool equal = false;

	put_name(&x, tag_a, a, NULL);
	put_name(&y, tag_b, b, NULL);
	assert_int_equal(name_equal(buf_span(&x), buf_span(&y), &equal, &why), OK);
	return equal;
}

static void compares_across_string_types_case_and_blanks(void **state)
{
	/* RFC 5280 7.1 */
	assert_true(cn_equal(DER_PRINTABLE, span_text("Device 7"), DER_UTF8, span_text("Device 7")));
	assert_true(cn_equal(DER_UTF8, span_text("DEVICE 7"), DER_UTF8, span_text("device 7")));
	assert_true(cn_equal(DER_UTF8, span_text("  Device   7 "), DER_PRINTABLE, span_text("device 7")));
	assert_true(cn_equal(BMP, IN("\0a\0b"), DER_UTF8, span_text("AB")));
	assert_false(cn_equal(DER_UTF8, span_text("Device 7"), DER_UTF8, span_text("Device 8")));
	assert_false(cn_equal(DER_UTF8, span_text("Device7"), DER_UTF8, span_text("Device 7")));
}

static void compares_all_attributes(void **state)
{
	struct buf a OWNED_BUF = BUF(4096);
	struct buf b OWNED_BUF = BUF(4096);
	struct why why = {0};
	bool equal = true;

	put_name(&a, DER_UTF8, span_text("d"), NULL);
	put_name(&b, DER_UTF8, span_text("d"), "1");
	assert_int_equal(name_equal(buf_span(&a), buf_span(&b), &equal, &why), OK);
	assert_false(equal);
	assert_int_equal(name_equal(IN("\x30\x00"), buf_span(&b), &equal, &why), OK);
	assert_false(equal);
	assert_int_equal(name_equal(IN("\x30\x00"), IN("\x30\x00"), &equal, &why), OK);
	assert_true(equal);
}

static enum err check(struct span der)
{
	struct why why = {0};

	return name_check(der, &why);
}

static void refuses_malformed_names(void **state)
{
	struct buf name OWNED_BUF = BUF(4096);
	struct why why = {0};
	bool equal = false;

	put_name(&name, DER_UTF8, span_text("device"), "1");
	assert_int_equal(check(buf_span(&name)), OK);
	for (size_t n = 0; n < name.n; n++)
		assert_int_equal(check(span_first(buf_span(&name), n)), ERR_SYNTAX);
	buf_put_u8(&name, 0);
	assert_int_equal(check(buf_span(&name)), ERR_SYNTAX); /* leftovers */
	assert_int_equal(name_equal(buf_span(&name), buf_span(&name), &equal, &why), ERR_SYNTAX);
	assert_int_equal(check(IN("\x30\x02\x31\x00")), ERR_SYNTAX); /* RFC 5280 4.1.2.4: an empty relative name */
	assert_int_equal(check(IN("\x31\x00")), ERR_SYNTAX);
	assert_int_equal(check(IN("\x30\x0b\x31\x09\x30\x07\x06\x03\x55\x04\x03\x0c\x00")), OK);
	assert_int_equal(check(IN("\x30\x0b\x31\x09\x30\x07\x06\x03\x55\x04\x83\x0c\x00")), ERR_SYNTAX);
}

static void refuses_strings_that_are_not_of_their_type(void **state)
{
	struct buf bad_utf8 OWNED_BUF = BUF(4096);
	struct buf bad_bmp OWNED_BUF = BUF(4096);
	struct buf nul OWNED_BUF = BUF(4096);
	struct arena arena OWNED_ARENA = ARENA(4096);
	struct why why = {0};
	struct span out;
	const char *text = NULL;
	bool equal = false;

	put_name(&bad_utf8, DER_UTF8, IN("\xc0\x80"), NULL);
	put_name(&bad_bmp, BMP, IN("\0a\0"), NULL);
	put_name(&nul, DER_UTF8, IN("a\0b"), NULL);
	assert_int_equal(name_equal(buf_span(&bad_utf8), buf_span(&bad_utf8), &equal, &why), ERR_SYNTAX);
	assert_int_equal(name_equal(buf_span(&bad_bmp), buf_span(&bad_bmp), &equal, &why), ERR_SYNTAX);
	assert_int_equal(name_text(buf_span(&bad_utf8), &arena, &text, &why), ERR_SYNTAX);
	assert_int_equal(name_cn(buf_span(&bad_utf8), &arena, &out, &why), ERR_SYNTAX);
	assert_int_equal(name_cn(buf_span(&bad_bmp), &arena, &out, &why), ERR_SYNTAX);
	assert_int_equal(name_cn(buf_span(&nul), &arena, &out, &why), ERR_SYNTAX);
}

static void limits_the_size_of_a_name(void **state)
{
	static char longest[NAME_DER_MAX];
	struct buf name OWNED_BUF = BUF(2 * NAME_DER_MAX);

	memset(longest, 'x', sizeof(longest));
	put_name(&name, DER_UTF8, span_of(longest, NAME_DER_MAX - 21), NULL);
	assert_int_equal(name.n, NAME_DER_MAX);
	assert_int_equal(check(buf_span(&name)), OK);
	buf_clear(&name);
	put_name(&name, DER_UTF8, span_of(longest, NAME_DER_MAX - 20), NULL);
	assert_int_equal(name.n, NAME_DER_MAX + 1);
	assert_int_equal(check(buf_span(&name)), ERR_LIMIT);
}

static void writes_and_reads_back_cn_and_serial(void **state)
{
	struct buf name OWNED_BUF = BUF(4096);
	struct arena arena OWNED_ARENA = ARENA(4096);
	struct why why = {0};
	struct span out;

	assert_int_equal(name_write_cn("Gerät 7", "SN-0042", &name, &why), OK);
	assert_int_equal(name_cn(buf_span(&name), &arena, &out, &why), OK);
	assert_true(span_is(out, "Gerät 7"));
	assert_int_equal(name_serial(buf_span(&name), &arena, &out, &why), OK);
	assert_true(span_is(out, "SN-0042"));
	assert_false(name_is_empty(buf_span(&name)));
	buf_clear(&name);
	assert_int_equal(name_write_cn(NULL, "1", &name, &why), OK);
	assert_int_equal(name_cn(buf_span(&name), &arena, &out, &why), OK);
	assert_int_equal(out.n, 0);
	buf_clear(&name);
	assert_int_equal(name_write_cn("", NULL, &name, &why), OK);
	assert_true(name_is_empty(buf_span(&name)));
}

static void reads_old_string_types_as_utf8(void **state)
{
	struct buf name OWNED_BUF = BUF(4096);
	struct arena arena OWNED_ARENA = ARENA(4096);
	struct why why = {0};
	struct span out;

	put_name(&name, T61, IN("Ger\xe4t"), NULL);
	assert_int_equal(name_cn(buf_span(&name), &arena, &out, &why), OK);
	assert_true(span_is(out, "Gerät"));
	buf_clear(&name);
	put_name(&name, BMP, IN("\x20\xac"), NULL);
	assert_int_equal(name_cn(buf_span(&name), &arena, &out, &why), OK);
	assert_true(span_is(out, "€"));
}

static enum err write_cn(const char *cn, const char *serial)
{
	struct buf name OWNED_BUF = BUF(4096);
	struct why why = {0};

	return name_write_cn(cn, serial, &name, &why);
}

static void refuses_to_write_what_a_name_cannot_hold(void **state)
{
	char wide[2 * (NAME_VALUE_MAX + 1) + 1] = "";
	char narrow[NAME_VALUE_MAX + 2] = "";

	/* RFC 5280 A.1: ub-common-name counts characters */
	for (size_t i = 0; i <= NAME_VALUE_MAX; i++) {
		memcpy(wide + 2 * i, "ä", 2);
		narrow[i] = 'x';
	}
	assert_int_equal(write_cn(wide, NULL), ERR_LIMIT);
	assert_int_equal(write_cn(wide + 2, NULL), OK);
	assert_int_equal(write_cn(NULL, narrow), ERR_LIMIT);
	assert_int_equal(write_cn(NULL, narrow + 1), OK);
	assert_int_equal(write_cn("\xff", NULL), ERR_SYNTAX);
	assert_int_equal(write_cn("d", "under_score"), ERR_SYNTAX);
}

static void prints_names_as_rfc_4514_says(void **state)
{
	struct buf name OWNED_BUF = BUF(4096);
	struct arena arena OWNED_ARENA = ARENA(4096);
	struct why why = {0};
	const char *text = NULL;

	assert_int_equal(name_write_cn("Gerät, \"7\"", "42", &name, &why), OK);
	assert_int_equal(name_text(buf_span(&name), &arena, &text, &why), OK);
	/* RFC 4514 2.1: last relative name first; 2.4: specials escaped, UTF-8 left alone */
	assert_string_equal(text, "serialNumber=42,CN=Gerät\\, \\\"7\\\"");
	buf_clear(&name);
	put_name(&name, DER_UTF8, IN("a\nb\x1b"), NULL);
	assert_int_equal(name_text(buf_span(&name), &arena, &text, &why), OK);
	assert_string_equal(text, "CN=a\\0Ab\\1B");
	assert_int_equal(name_text(IN("\x30\x00"), &arena, &text, &why), OK);
	assert_string_equal(text, "");
}

static enum err san_of(struct span der, struct arena *arena, struct san_list *list)
{
	struct why why = {0};

	return san_parse(der, arena, list, &why);
}

static void reads_each_kind_of_alternative_name(void **state)
{
	struct buf der OWNED_BUF = BUF(4096);
	struct arena arena OWNED_ARENA = ARENA(4096);
	struct san_list list;

	size_t names = der_open(&der, DER_SEQUENCE);
	der_put(&der, 0x82, span_text("mef.example"));
	der_put(&der, 0x86, span_text("//example.org/cse1"));
	der_put(&der, 0x81, span_text("a@example.org"));
	der_put(&der, 0x87, IN("\x7f\0\0\x01"));
	der_put(&der, 0xa4, IN("\x30\x00"));
	der_put(&der, 0x88, IN("\x2a\x03"));
	der_close(&der, names);
	assert_int_equal(san_of(buf_span(&der), &arena, &list), OK);
	assert_int_equal(list.n, 6);
	assert_int_equal(list.items[0].kind, SAN_DNS);
	assert_true(span_is(list.items[0].value, "mef.example"));
	assert_int_equal(list.items[1].kind, SAN_URI);
	assert_true(span_is(list.items[1].value, "//example.org/cse1"));
	assert_int_equal(list.items[2].kind, SAN_EMAIL);
	assert_int_equal(list.items[3].kind, SAN_IP);
	assert_int_equal(list.items[3].value.n, 4);
	assert_int_equal(list.items[4].kind, SAN_DIRECTORY);
	assert_true(span_equal(list.items[4].value, IN("\x30\x00")));
	assert_int_equal(list.items[5].kind, SAN_UNKNOWN);
	assert_int_equal(list.items[5].der.n, 4);
}

static void assert_other(struct span type, struct span value, const char *want)
{
	struct buf der OWNED_BUF = BUF(4096);
	struct arena arena OWNED_ARENA = ARENA(4096);
	struct san_list list;

	size_t names = der_open(&der, DER_SEQUENCE);
	size_t other = der_open(&der, 0xa0);
	der_put_oid(&der, type);
	der_put(&der, 0xa0, value);
	der_close(&der, other);
	der_close(&der, names);
	assert_int_equal(san_of(buf_span(&der), &arena, &list), OK);
	assert_int_equal(list.items[0].kind, SAN_OTHER);
	if (!span_is(list.items[0].value, want))
		print_message("have '%.*s'\n", SPAN_FMT(list.items[0].value));
	assert_true(span_is(list.items[0].value, want));
}

static void writes_other_names_as_text(void **state)
{
	/* RFC 4108 5: hardwareModuleName */
	assert_other(OID_ON_HARDWARE_MODULE_NAME, IN("\x30\x0a\x06\x03\x2a\x03\x04\x04\x03\x01\xab\xff"),
		"1.3.6.1.5.5.7.8.4;1.2.3.4:01ABFF");
	assert_other(OID_ON_HARDWARE_MODULE_NAME, IN("\x0c\x01x"), "1.3.6.1.5.5.7.8.4;x");
	/* TS-0003 10.1.1.2: an object identifier that names the device */
	assert_other(IN("\x2a\x03"), IN("\x06\x03\x2a\x03\x07"), "1.2.3;1.2.3.7");
	assert_other(IN("\x2a\x03"), IN("\x0c\x05Ger\xc3\xa4"), "1.2.3;Ger\xc3\xa4");
	assert_other(IN("\x2a\x03"), IN("\x16\x02hi"), "1.2.3;hi");
	assert_other(IN("\x2a\x03"), IN("\x0c\x02h\n"), "1.2.3;#0C02680A");
	assert_other(IN("\x2a\x03"), IN("\x04\x02hi"), "1.2.3;#04026869");
	assert_other(IN("\x2a\x03"), IN("\x06\x01\x80"), "1.2.3;#060180");
}

static void refuses_malformed_alternative_names(void **state)
{
	static const struct span rows[] = {
		{(const uint8_t *)"", 0},
		{(const uint8_t *)"\x30\x00", 2},                 /* RFC 5280 4.2.1.6: at least one */
		{(const uint8_t *)"\x30\x02\x82\x00", 4},         /* empty dNSName */
		{(const uint8_t *)"\x30\x03\x82\x01 ", 5},        /* RFC 5280 4.2.1.6: " " is no host */
		{(const uint8_t *)"\x30\x05\x82\x03" "a\0b", 7},  /* NUL */
		{(const uint8_t *)"\x30\x04\x86\x02" "a\n", 6},   /* control character */
		{(const uint8_t *)"\x30\x04\x82\x02\xc3\xa4", 6}, /* not ASCII */
		{(const uint8_t *)"\x30\x07\x87\x05\x01\x02\x03\x04\x05", 9},
		{(const uint8_t *)"\x30\x03\x89\x01x", 5}, /* no such kind */
		{(const uint8_t *)"\x30\x03\xa4\x01x", 5}, /* no name inside */
		{(const uint8_t *)"\x30\x05\xa0\x03\x06\x01\x2a", 7}, /* otherName without value */
		{(const uint8_t *)"\x30\x09\xa0\x07\x06\x01\x2a\xa0\x02\x0c\x01", 11},
		{(const uint8_t *)"\x30\x03\x82\x01xx", 6}, /* leftovers */
		{(const uint8_t *)"\x30\x04\x82\x01xx", 6},
	};
	struct arena arena OWNED_ARENA = ARENA(4096);
	struct san_list list;

	assert_int_equal(san_of(IN("\x30\x03\x82\x01x"), &arena, &list), OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(san_of(rows[i], &arena, &list), ERR_SYNTAX);
}

static enum err parse_many(size_t count, size_t each)
{
	static char host[16 * 1024];
	struct buf der OWNED_BUF = BUF(1 << 16);
	struct arena arena OWNED_ARENA = ARENA(4096);
	struct san_list list;

	memset(host, 'x', sizeof(host));
	size_t names = der_open(&der, DER_SEQUENCE);
	for (size_t i = 0; i < count; i++)
		der_put(&der, 0x82, span_of(host, each));
	der_close(&der, names);
	return san_of(buf_span(&der), &arena, &list);
}

static void limits_the_count_and_size_of_alternative_names(void **state)
{
	assert_int_equal(parse_many(SAN_MAX, 3), OK);
	assert_int_equal(parse_many(SAN_MAX + 1, 3), ERR_LIMIT);
	assert_int_equal(parse_many(1, 8 * 1024 - 8), OK);
	assert_int_equal(parse_many(1, 8 * 1024 - 7), ERR_LIMIT);
}

static void writes_lists_that_it_reads_back(void **state)
{
	struct buf der OWNED_BUF = BUF(4096);
	struct arena arena OWNED_ARENA = ARENA(4096);
	struct san_list list = {.n = 3, .items = {
		{.kind = SAN_DNS, .value = span_text("mef.example")},
		{.kind = SAN_URI, .value = span_text("urn:dev:1")},
		{.kind = SAN_IP, .der = IN("\x87\x04\x7f\0\0\x01")},
	}};
	struct san_list back;
	struct why why = {0};

	assert_int_equal(san_write(&list, &der, &why), OK);
	assert_int_equal(san_of(buf_span(&der), &arena, &back), OK);
	assert_int_equal(back.n, 3);
	assert_true(span_is(back.items[1].value, "urn:dev:1"));
	assert_true(span_equal(back.items[2].der, list.items[2].der));
	size_t before = der.n;
	list.items[1].value = span_text("urn:dev 1");
	assert_int_equal(san_write(&list, &der, &why), ERR_SYNTAX);
	assert_int_equal(der.n, before);
	list.n = 0;
	why_clear(&why);
	assert_int_equal(san_write(&list, &der, &why), ERR_LIMIT);
	list.n = SAN_MAX + 1;
	assert_int_equal(san_write(&list, &der, &why), ERR_LIMIT);
}

static bool same(enum san_kind kind, const char *a, const char *b)
{
	const struct san x = {.kind = kind, .value = span_text(a)};
	const struct san y = {.kind = kind, .value = span_text(b)};

	return san_equal(&x, &y);
}

static void compares_host_names_without_case(void **state)
{
	/* RFC 5280 7.2 */
	assert_true(same(SAN_DNS, "MEF.Example", "mef.example"));
	assert_false(same(SAN_DNS, "mef.example", "mef.example.org"));
}

static void compares_uris_by_their_parts(void **state)
{
	/* RFC 5280 7.4: scheme and host without case, the rest exactly */
	assert_true(same(SAN_URI, "HTTPS://MEF.example/a", "https://mef.EXAMPLE/a"));
	assert_false(same(SAN_URI, "https://mef.example/A", "https://mef.example/a"));
	assert_false(same(SAN_URI, "https://U@mef.example/", "https://u@mef.example/"));
	assert_true(same(SAN_URI, "https://u@MEF.example:1/", "https://u@mef.example:1/"));
	assert_false(same(SAN_URI, "https://mef.example:1/", "https://mef.example:2/"));
	assert_true(same(SAN_URI, "coap://[FE80::a]:1/x", "coap://[fe80::A]:1/x"));
	assert_false(same(SAN_URI, "coap://[fe80::a]/x", "coap://[fe80::b]/x"));
	assert_true(same(SAN_URI, "URN:imei:1", "urn:imei:1"));
	assert_false(same(SAN_URI, "urn:IMEI:1", "urn:imei:1"));
	/* oneM2M identifiers without a scheme */
	assert_true(same(SAN_URI, "//SP.example/cse1", "//sp.example/cse1"));
	assert_false(same(SAN_URI, "//sp.example/CSE1", "//sp.example/cse1"));
	assert_false(same(SAN_URI, "/CSE1", "/cse1"));
	assert_false(same(SAN_URI, "https://a?X", "https://a?x"));
	assert_false(same(SAN_URI, "//[", "//[["));
}

static void keeps_kinds_apart_and_compares_the_rest_exactly(void **state)
{
	const struct san dns = {.kind = SAN_DNS, .value = span_text("a")};
	const struct san uri = {.kind = SAN_URI, .value = span_text("a")};
	const struct san ip_a = {.kind = SAN_IP, .der = IN("\x87\x04\x7f\0\0\x01")};
	const struct san ip_b = {.kind = SAN_IP, .der = IN("\x87\x04\x7f\0\0\x02")};

	assert_false(san_equal(&dns, &uri));
	assert_true(san_equal(&ip_a, &ip_a));
	assert_false(san_equal(&ip_a, &ip_b));
}

static void compares_lists_as_sets(void **state)
{
	const struct san_list ab = {.n = 2, .items = {{.kind = SAN_DNS, .value = span_text("a")}, {.kind = SAN_DNS, .value = span_text("b")}}};
	const struct san_list ba = {.n = 2, .items = {{.kind = SAN_DNS, .value = span_text("B")}, {.kind = SAN_DNS, .value = span_text("A")}}};
	const struct san_list aa = {.n = 2, .items = {{.kind = SAN_DNS, .value = span_text("a")}, {.kind = SAN_DNS, .value = span_text("a")}}};
	const struct san_list none = {.n = 0};

	assert_true(san_same_set(&ab, &ba));
	assert_false(san_same_set(&ab, &aa));
	assert_false(san_same_set(&aa, &ab));
	assert_false(san_same_set(&ab, &none));
	assert_true(san_same_set(&none, &none));
	assert_true(san_has(&ab, &ba.items[0]));
	assert_false(san_has(&none, &ba.items[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares_across_string_types_case_and_blanks),
		cmocka_unit_test(compares_all_attributes),
		cmocka_unit_test(refuses_malformed_names),
		cmocka_unit_test(refuses_strings_that_are_not_of_their_type),
		cmocka_unit_test(limits_the_size_of_a_name),
		cmocka_unit_test(writes_and_reads_back_cn_and_serial),
		cmocka_unit_test(reads_old_string_types_as_utf8),
		cmocka_unit_test(refuses_to_write_what_a_name_cannot_hold),
		cmocka_unit_test(prints_names_as_rfc_4514_says),
		cmocka_unit_test(reads_each_kind_of_alternative_name),
		cmocka_unit_test(writes_other_names_as_text),
		cmocka_unit_test(refuses_malformed_alternative_names),
		cmocka_unit_test(limits_the_count_and_size_of_alternative_names),
		cmocka_unit_test(writes_lists_that_it_reads_back),
		cmocka_unit_test(compares_host_names_without_case),
		cmocka_unit_test(compares_uris_by_their_parts),
		cmocka_unit_test(keeps_kinds_apart_and_compares_the_rest_exactly),
		cmocka_unit_test(compares_lists_as_sets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
