#include "unit/pki/made.h"

#include "pki/der.h"
#include "pki/der_nest.h"
#include "pki/digest.h"
#include "pki/oid.h"

/* A certificate written by hand, so that each field can be wrong; its signature is no signature. */
struct shape {
	int version;
	bool no_extensions;
	struct span serial_der; /* whole INTEGER */
	struct span inner_alg;
	const char *not_before;
	struct span extensions; /* contents of Extensions */
	struct span tail;       /* behind the certificate */
};

#define BYTES(literal) ((struct span){(const uint8_t *)(literal), sizeof(literal) - 1})
static const uint8_t alg[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
static const uint8_t name[] = {0x30, 0x0c, 0x31, 0x0a, 0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x01, 'x'};
static const uint8_t spki[] = {0x30, 0x08, 0x30, 0x03, 0x06, 0x01, 0x2a, 0x03, 0x01, 0x00};

static struct shape shape_good(void)
{
	return (struct shape){.version = 2, .serial_der = BYTES("\x02\x01\x05"), .inner_alg = span_of(alg, sizeof(alg)),
		.not_before = "260101000000Z"};
}

static void shape_write(const struct shape *s, struct buf *out)
{
	size_t all = der_open(out, DER_SEQUENCE), tbs = der_open(out, DER_SEQUENCE);

	if (s->version >= 0) {
		size_t version = der_open(out, 0xa0);
		der_put_small(out, (uint32_t)s->version);
		der_close(out, version);
	}
	buf_put_span(out, s->serial_der);
	buf_put_span(out, s->inner_alg);
	buf_put(out, name, sizeof(name));
	size_t validity = der_open(out, DER_SEQUENCE);
	der_put(out, DER_UTC_TIME, span_text(s->not_before));
	der_put(out, DER_UTC_TIME, span_text("270101000000Z"));
	der_close(out, validity);
	buf_put(out, name, sizeof(name));
	buf_put(out, spki, sizeof(spki));
	if (!s->no_extensions) {
		size_t wrap = der_open(out, 0xa3), list = der_open(out, DER_SEQUENCE);
		buf_put_span(out, s->extensions);
		der_close(out, list);
		der_close(out, wrap);
	}
	der_close(out, tbs);
	buf_put(out, alg, sizeof(alg));
	der_put_bits(out, BYTES("\x01\x02\x03"), 0);
	der_close(out, all);
	buf_put_span(out, s->tail);
	assert_false(out->bad);
}

static enum err shape_parse(const struct shape *s, struct cert *out, struct why *why)
{
	static uint8_t kept[2 * CERT_DER_MAX];
	struct buf der OWNED_BUF = BUF(2 * CERT_DER_MAX);

	shape_write(s, &der);
	memcpy(kept, der.p, der.n);
	return cert_parse(span_of(kept, der.n), out, why);
}

static void extension_put(struct buf *out, struct span oid, struct span value)
{
	size_t at = der_open(out, DER_SEQUENCE);

	der_put_oid(out, oid);
	der_put(out, DER_OCTET_STRING, value);
	der_close(out, at);
}

static void every_field_of_a_built_certificate_is_found(void **state)
{
	struct made ca OWNED_MADE, leaf OWNED_MADE;
	struct buf names OWNED_BUF = BUF(256);
	struct cert c;
	struct why why = {0};

	made_ca(&ca, KEY_P256, "Issuing CA", NULL);
	struct cert_plan plan = made_plan(&leaf, KEY_P256, "device 1");
	made_dns(&names, "d1.example.com");
	plan.sans = buf_span(&names);
	plan.key_usage = KU_DIGITAL_SIGNATURE | KU_KEY_AGREEMENT;
	plan.ekus[0] = BYTES("\x2b\x06\x01\x05\x05\x07\x03\x02");
	plan.ekus_n = 1;
	made_sign(&leaf, &plan, &ca);
	must(cert_parse(buf_span(&leaf.der), &c, &why));
	assert_true(span_equal(c.der, buf_span(&leaf.der)));
	assert_true(c.tbs.p > c.der.p && c.tbs.n < c.der.n);
	assert_true(span_equal(c.serial, plan.serial));
	assert_true(span_equal(c.issuer, buf_span(&ca.name)));
	assert_true(span_equal(c.subject, buf_span(&leaf.name)));
	assert_true(span_equal(c.spki, buf_span(&leaf.spki)));
	assert_int_equal(c.not_before_s, plan.not_before_s);
	assert_int_equal(c.not_after_s, plan.not_after_s);
	assert_false(c.is_ca);
	assert_true(c.has_key_usage);
	assert_int_equal(c.key_usage, plan.key_usage);
	assert_int_equal(c.ekus.n, 1);
	assert_true(span_equal(c.ekus.oids[0], plan.ekus[0]));
	assert_true(span_equal(c.san, buf_span(&names)));
	assert_true(span_equal(c.skid, span_of(leaf.key_id, 20)));
	assert_true(span_equal(c.akid, span_of(ca.key_id, 20)));
	must(cert_parse(buf_span(&ca.der), &c, &why));
	assert_true(c.is_ca);
	assert_int_equal(c.ekus.n, 0);
	assert_int_equal(c.san.n, 0);
}

static void no_truncated_certificate_is_read(void **state)
{
	struct made ca OWNED_MADE;
	struct cert c;

	made_ca(&ca, KEY_P256, "CA", NULL);
	for (size_t n = 0; n < ca.der.n; n++)
		refused(cert_parse(span_first(buf_span(&ca.der), n), &c, &refusal), CERT_SYNTAX);
}

/* RFC 5280 4.1: one certificate and nothing behind it */
static void octets_behind_the_certificate_are_refused(void **state)
{
	struct shape s = shape_good();
	struct cert c;
	struct why why = {0};

	must(shape_parse(&s, &c, &why));
	s.tail = BYTES("\x00");
	refused(shape_parse(&s, &c, &refusal), CERT_SYNTAX);
}

/* RFC 5280 4.1.2.1: version 3, or 1 where there are no extensions */
static void version_one_is_read_without_extensions_only(void **state)
{
	struct shape s = shape_good();
	struct cert c;
	struct why why = {0};

	s.no_extensions = true;
	s.version = -1;
	must(shape_parse(&s, &c, &why));
	assert_false(c.is_ca);
	assert_int_equal(c.san.n, 0);
	s.version = 1;
	refused(shape_parse(&s, &c, &refusal), CERT_SYNTAX);
	s.no_extensions = false;
	s.version = 1;
	refused(shape_parse(&s, &c, &refusal), CERT_SYNTAX);
	s.version = -1;
	refused(shape_parse(&s, &c, &refusal), CERT_SYNTAX);
	s.version = 3;
	refused(shape_parse(&s, &c, &refusal), CERT_SYNTAX);
}

/* RFC 5280 4.1.2.2: positive, at most 20 octets */
static void a_serial_of_twenty_octets_is_read_and_one_past_it_refused(void **state)
{
	struct shape s = shape_good();
	struct cert c;
	struct why why = {0};

	s.serial_der = BYTES("\x02\x14\x7f" "1234567890123456789");
	must(shape_parse(&s, &c, &why));
	assert_int_equal(c.serial.n, 20);
	s.serial_der = BYTES("\x02\x15\x7f" "12345678901234567890");
	refused(shape_parse(&s, &c, &refusal), CERT_SYNTAX);
	s.serial_der = BYTES("\x02\x01\x00");
	refused(shape_parse(&s, &c, &refusal), CERT_SYNTAX);
	s.serial_der = BYTES("\x02\x01\x85");
	refused(shape_parse(&s, &c, &refusal), CERT_SYNTAX);
	s.serial_der = BYTES("\x02\x02\x00\x05");
	refused(shape_parse(&s, &c, &refusal), CERT_SYNTAX);
	s.serial_der = BYTES("\x02\x00");
	refused(shape_parse(&s, &c, &refusal), CERT_SYNTAX);
}

/* RFC 5280 4.1.2.3, 4.1.2.5 */
static void unequal_algorithms_and_impossible_dates_are_refused(void **state)
{
	struct shape s = shape_good();
	struct cert c;

	s.inner_alg = BYTES("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03");
	refused(shape_parse(&s, &c, &refusal), CERT_SYNTAX);
	s = shape_good();
	s.not_before = "260231000000Z";
	refused(shape_parse(&s, &c, &refusal), CERT_SYNTAX);
}

/* RFC 5280 4.2: no extension twice */
static void a_repeated_extension_is_refused(void **state)
{
	struct buf extensions OWNED_BUF = BUF(256);
	struct shape s = shape_good();
	struct cert c;
	struct why why = {0};

	extension_put(&extensions, BYTES("\x2a\x03"), BYTES("\x05\x00"));
	s.extensions = buf_span(&extensions);
	must(shape_parse(&s, &c, &why)); /* unknown ones are let pass once */
	extension_put(&extensions, BYTES("\x2a\x03"), BYTES("\x05\x00"));
	s.extensions = buf_span(&extensions);
	refused(shape_parse(&s, &c, &refusal), CERT_SYNTAX);
}

static void thirty_two_extensions_are_read_and_one_more_refused(void **state)
{
	struct buf extensions OWNED_BUF = BUF(4096);
	struct shape s = shape_good();
	struct cert c;

	for (uint8_t i = 0; i <= 32; i++) {
		const uint8_t oid[] = {0x2a, i};
		struct why why = {0};
		if (i == 32) {
			s.extensions = buf_span(&extensions);
			must(shape_parse(&s, &c, &why));
		}
		extension_put(&extensions, span_of(oid, 2), BYTES("\x05\x00"));
	}
	s.extensions = buf_span(&extensions);
	refused(shape_parse(&s, &c, &refusal), CERT_LIMIT);
}

static void sixteen_purposes_are_read_and_one_more_refused(void **state)
{
	struct cert c;
	struct why why = {0};

	for (size_t n = 0; n <= CERT_EKU_MAX + 1; n++) {
		struct buf value OWNED_BUF = BUF(512);
		struct buf extension OWNED_BUF = BUF(512);
		struct shape s = shape_good();
		size_t at = der_open(&value, DER_SEQUENCE);
		for (size_t i = 0; i < n; i++)
			der_put_oid(&value, BYTES("\x2a\x03"));
		der_close(&value, at);
		extension_put(&extension, OID_CE_EXT_KEY_USAGE, buf_span(&value));
		s.extensions = buf_span(&extension);
		if (n == 0)
			refused(shape_parse(&s, &c, &refusal), CERT_SYNTAX);
		else if (n <= CERT_EKU_MAX)
			must(shape_parse(&s, &c, &why));
		else
			refused(shape_parse(&s, &c, &refusal), CERT_LIMIT);
	}
	assert_int_equal(c.ekus.n, CERT_EKU_MAX);
}

static void a_known_extension_with_octets_of_another_shape_is_refused(void **state)
{
	const struct {
		struct span oid, value;
	} cases[] = {
		{OID_CE_BASIC_CONSTRAINTS, BYTES("\x30\x03\x01\x01\x01")},      /* TRUE is 0xff */
		{OID_CE_BASIC_CONSTRAINTS, BYTES("\x30\x00\x00")},              /* a tail */
		{OID_CE_KEY_USAGE, BYTES("\x03\x02\x00")},                      /* too short */
		{OID_CE_KEY_USAGE, BYTES("\x03\x02\x08\x80")},                  /* eight unused bits */
		{OID_CE_EXT_KEY_USAGE, BYTES("\x30\x02\x06\x00")},              /* no arcs */
		{OID_CE_SUBJECT_ALT_NAME, BYTES("\x30\x00")},                   /* no name */
		{OID_CE_SUBJECT_ALT_NAME, BYTES("\x31\x02\x82\x00")},           /* a SET */
		{OID_CE_SUBJECT_KEY_ID, BYTES("\x04\x02\x00")},
		{OID_CE_AUTHORITY_KEY_ID, BYTES("\x30\x02\x80\x01")},
	};
	struct cert c;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf extension OWNED_BUF = BUF(64);
		struct shape s = shape_good();
		extension_put(&extension, cases[i].oid, cases[i].value);
		s.extensions = buf_span(&extension);
		refused(shape_parse(&s, &c, &refusal), CERT_SYNTAX);
	}
}

static void the_largest_certificate_is_read_and_one_octet_more_refused(void **state)
{
	static uint8_t filling[CERT_DER_MAX];
	struct shape s = shape_good();
	struct buf der OWNED_BUF = BUF(2 * CERT_DER_MAX);
	struct cert c;
	struct why why = {0};

	for (int more = 0; more <= 1; more++) {
		struct buf extension OWNED_BUF = BUF(2 * CERT_DER_MAX);
		size_t n = CERT_DER_MAX - 136 + (size_t)more;
		extension_put(&extension, BYTES("\x2a\x03"), span_of(filling, n));
		s.extensions = buf_span(&extension);
		buf_clear(&der);
		shape_write(&s, &der);
		assert_int_equal(der.n, CERT_DER_MAX + more);
		if (more)
			refused(cert_parse(buf_span(&der), &c, &refusal), CERT_LIMIT);
		else
			must(cert_parse(buf_span(&der), &c, &why));
	}
}

struct seen {
	size_t n;
	struct buf ders;
};

static enum err count(void *arg, struct span der, struct why *why)
{
	struct seen *seen = arg;

	seen->n++;
	buf_put_span(&seen->ders, der);
	return OK;
}

static void all_certificates_of_a_pem_file_are_read_in_order(void **state)
{
	struct made a OWNED_MADE, b OWNED_MADE;
	struct buf pem OWNED_BUF = BUF(16 * 1024), want OWNED_BUF = BUF(16 * 1024);
	struct seen seen = {.ders = BUF(16 * 1024)};
	struct why why = {0};

	made_ca(&a, KEY_P256, "A", NULL);
	made_ca(&b, KEY_P256, "B", NULL);
	buf_put_text(&pem, "A root, written by hand\r\n");
	must(cert_write_pem(buf_span(&a.der), &pem, &why));
	buf_put_text(&pem, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
	must(cert_write_pem(buf_span(&b.der), &pem, &why));
	must(cert_each_pem(buf_span(&pem), count, &seen, &why));
	assert_int_equal(seen.n, 2);
	buf_put_span(&want, buf_span(&a.der));
	buf_put_span(&want, buf_span(&b.der));
	assert_true(span_equal(buf_span(&want), buf_span(&seen.ders)));
	buf_fini(&seen.ders);
}

static void a_damaged_pem_certificate_is_named_by_its_number(void **state)
{
	struct made a OWNED_MADE;
	struct buf pem OWNED_BUF = BUF(16 * 1024);
	struct seen seen = {.ders = BUF(16 * 1024)};
	struct why why = {0};

	made_ca(&a, KEY_P256, "A", NULL);
	must(cert_write_pem(buf_span(&a.der), &pem, &why));
	size_t whole = pem.n;
	buf_put_text(&pem, "-----BEGIN CERTIFICATE-----\nMIIB\n");
	assert_int_equal(cert_each_pem(buf_span(&pem), count, &seen, &why), ERR_SYNTAX);
	assert_non_null(strstr(why.text, "certificate 2"));
	buf_put_text(&pem, "-----END CERTIFICATE-----\n");
	refused(cert_each_pem(buf_span(&pem), count, &seen, &refusal), CERT_PEM);
	pem.p[40] = '!';
	refused(cert_each_pem(span_first(buf_span(&pem), whole), count, &seen, &refusal), CERT_PEM);
	refused(cert_each_pem(span_text("nothing here"), count, &seen, &refusal), CERT_NONE);
	refused(cert_each_pem((struct span){0}, count, &seen, &refusal), CERT_NONE);
	buf_fini(&seen.ders);
}

static void object_identifiers_are_read_and_shown(void **state)
{
	static const char *const dotted[] = {"0.0", "1.39", "2.0", "2.47", "2.48", "2.999", "1.2.840.10045.4.3.2",
		"1.3.6.1.4.1.4294967296.1", "2.25.340282366920938463463374607431768211455.40"};
	struct arena arena OWNED_ARENA = ARENA(4096);

	for (size_t i = 0; i < sizeof(dotted) / sizeof(dotted[0]); i++) {
		struct buf oid OWNED_BUF = BUF(64);
		struct why why = {0};
		must(oid_parse(dotted[i], &oid, &why));
		assert_string_equal(oid_text(buf_span(&oid), &arena), dotted[i]);
	}
	assert_string_equal(oid_text(BYTES("\x2b\x06\x01\x05\x05\x07\x03\x02"), &arena), "id-kp-clientAuth");
	assert_string_equal(oid_text(BYTES("\x55\x1d\x25\x00"), &arena), "anyExtendedKeyUsage");
	assert_string_equal(oid_text(BYTES("\x2a\x80"), &arena), "(no object identifier)");
}

static void text_that_is_no_object_identifier_is_refused(void **state)
{
	static const char *const wrong[] = {"", "1", "1.", ".1", "3.1", "1.40", "0.40", "1.2..3", "1.2.", "1.02", "1.2.03", "1.2a",
		" 1.2", "1.2 ", "-1.2", "1,2", "clientAuth", "12.1",
		"2.25.99999999999999999999999999999999999999999999999999"};
	struct buf out OWNED_BUF = BUF(64);

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		refused(oid_parse(wrong[i], &out, &refusal), OID_TEXT);
		assert_int_equal(out.n, 0);
	}
}

static void a_description_tells_names_dates_usage_and_digest(void **state)
{
	static const char *const want[] = {"Subject      CN=device 1", "Issuer       CN=CA", "Serial       5A01",
		"Valid        2025-01-01T00:00:00Z to 2027-01-01T00:00:00Z", "DNS:d1.example.com", "Key          P-256",
		"Usage        digitalSignature", "Purpose      id-kp-clientAuth", "SHA-256      "};
	struct made ca OWNED_MADE, leaf OWNED_MADE;
	struct buf names OWNED_BUF = BUF(256), text OWNED_BUF = BUF(4096);
	struct why why = {0};

	made_ca(&ca, KEY_P256, "CA", NULL);
	struct cert_plan plan = made_plan(&leaf, KEY_P256, "device 1");
	made_dns(&names, "d1.example.com");
	plan.sans = buf_span(&names);
	plan.key_usage = KU_DIGITAL_SIGNATURE;
	plan.ekus[0] = BYTES("\x2b\x06\x01\x05\x05\x07\x03\x02");
	plan.ekus_n = 1;
	made_sign(&leaf, &plan, &ca);
	must(cert_describe(buf_span(&leaf.der), &text, &why));
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		if (!strstr(buf_text(&text), want[i]))
			fail_msg("want '%s' in\n%s", want[i], buf_text(&text));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_of_a_built_certificate_is_found),
		cmocka_unit_test(no_truncated_certificate_is_read),
		cmocka_unit_test(octets_behind_the_certificate_are_refused),
		cmocka_unit_test(version_one_is_read_without_extensions_only),
		cmocka_unit_test(a_serial_of_twenty_octets_is_read_and_one_past_it_refused),
		cmocka_unit_test(unequal_algorithms_and_impossible_dates_are_refused),
		cmocka_unit_test(a_repeated_extension_is_refused),
		cmocka_unit_test(thirty_two_extensions_are_read_and_one_more_refused),
		cmocka_unit_test(sixteen_purposes_are_read_and_one_more_refused),
		cmocka_unit_test(a_known_extension_with_octets_of_another_shape_is_refused),
		cmocka_unit_test(the_largest_certificate_is_read_and_one_octet_more_refused),
		cmocka_unit_test(all_certificates_of_a_pem_file_are_read_in_order),
		cmocka_unit_test(a_damaged_pem_certificate_is_named_by_its_number),
		cmocka_unit_test(object_identifiers_are_read_and_shown),
		cmocka_unit_test(text_that_is_no_object_identifier_is_refused),
		cmocka_unit_test(a_description_tells_names_dates_usage_and_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
