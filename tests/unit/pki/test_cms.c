#include "unit/pki/made.h"

#include "pki/cms.h"
#include "pki/der.h"
#include "pki/der_nest.h"

#define BYTES(literal) ((struct span){(const uint8_t *)(literal), sizeof(literal) - 1})
#define OID_DATA BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01")
#define OID_SIGNED BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02")

/* A message by hand, so that each part can be other than ours. */
struct shape {
	struct span type;
	uint32_t version;
	struct span content; /* behind the content type inside encapContentInfo */
	struct span certs;   /* whole [0] */
	struct span behind;  /* between certificates and signerInfos */
	struct span signers; /* whole SET */
	struct span tail;
};

static struct shape shape_good(void)
{
	return (struct shape){.type = OID_SIGNED, .version = 1, .certs = BYTES("\xa0\x04\x30\x02\x05\x00"),
		.signers = BYTES("\x31\x00")};
}

static enum err shape_parse(const struct shape *s, size_t *n, struct why *why)
{
	struct span certs[CMS_CERTS_MAX + 8];
	struct buf out OWNED_BUF = BUF(4096);
	size_t info = der_open(&out, DER_SEQUENCE);

	der_put_oid(&out, s->type);
	size_t wrap = der_open(&out, 0xa0), data = der_open(&out, DER_SEQUENCE);
	der_put_small(&out, s->version);
	buf_put(&out, "\x31\x00", 2);
	size_t content = der_open(&out, DER_SEQUENCE);
	der_put_oid(&out, OID_DATA);
	buf_put_span(&out, s->content);
	der_close(&out, content);
	buf_put_span(&out, s->certs);
	buf_put_span(&out, s->behind);
	buf_put_span(&out, s->signers);
	der_close(&out, data);
	der_close(&out, wrap);
	der_close(&out, info);
	buf_put_span(&out, s->tail);
	return cms_certs_parse(buf_span(&out), certs, CMS_CERTS_MAX + 8, n, why);
}

static void openssl_prints_the_certificates_that_were_put_in(void **state)
{
	struct folder f OWNED_FOLDER = folder_new();
	struct made a OWNED_MADE, b OWNED_MADE;
	struct buf out OWNED_BUF = BUF(8192);
	struct why why = {0};

	made_ca(&a, KEY_P256, "First", NULL);
	made_ca(&b, KEY_P384, "Second", &a);
	const struct span certs[] = {buf_span(&b.der), buf_span(&a.der)};
	must(cms_certs_write(certs, 2, &out, &why));
	folder_write(&f, "p7", buf_span(&out));
	folder_write_pem(&f, "a.pem", certs[1]);
	folder_write_pem(&f, "b.pem", certs[0]);
	ran(&f, "openssl pkcs7 -inform DER -in p7 -print_certs | grep -v -e ^subject -e ^issuer -e ^$ > got"
		" && cat b.pem a.pem | cmp got -");
	ran(&f, "openssl cms -cmsout -print -inform DER -in p7");
	said(&f, "version: 1");
	ran(&f, "test $(openssl pkcs7 -inform DER -in p7 -print_certs -noout | grep -c subject) = 2");
}

static void what_is_written_is_read_back(void **state)
{
	struct made m OWNED_MADE;
	struct buf out OWNED_BUF = BUF(64 * 1024);
	struct span certs[CMS_CERTS_MAX + 1], got[CMS_CERTS_MAX];
	size_t n = 99;
	struct why why = {0};

	made_ca(&m, KEY_P256, "CA", NULL);
	for (size_t i = 0; i <= CMS_CERTS_MAX; i++)
		certs[i] = buf_span(&m.der);
	must(cms_certs_write(certs, 0, &out, &why));
	must(cms_certs_parse(buf_span(&out), got, CMS_CERTS_MAX, &n, &why));
	assert_int_equal(n, 0);
	buf_clear(&out);
	must(cms_certs_write(certs, CMS_CERTS_MAX, &out, &why));
	must(cms_certs_parse(buf_span(&out), got, CMS_CERTS_MAX, &n, &why));
	assert_int_equal(n, CMS_CERTS_MAX);
	for (size_t i = 0; i < n; i++) {
		assert_true(span_equal(got[i], certs[i]));
		assert_true(got[i].p > out.p && got[i].p < out.p + out.n);
	}
	refused(cms_certs_parse(buf_span(&out), got, CMS_CERTS_MAX - 1, &n, &refusal), CMS_LIMIT);
	buf_clear(&out);
	refused(cms_certs_write(certs, CMS_CERTS_MAX + 1, &out, &refusal), CMS_LIMIT);
}

static void one_certificate_past_the_limit_is_refused_whatever_the_room(void **state)
{
	struct buf list OWNED_BUF = BUF(1024), certs OWNED_BUF = BUF(1024);
	struct shape s = shape_good();
	struct why why = {0};
	size_t n = 0;

	for (size_t i = 0; i < CMS_CERTS_MAX; i++)
		buf_put(&list, "\x30\x00", 2);
	der_put(&certs, 0xa0, buf_span(&list));
	s.certs = buf_span(&certs);
	must(shape_parse(&s, &n, &why));
	assert_int_equal(n, CMS_CERTS_MAX);
	buf_put(&list, "\x30\x00", 2);
	buf_clear(&certs);
	der_put(&certs, 0xa0, buf_span(&list));
	s.certs = buf_span(&certs);
	refused(shape_parse(&s, &n, &refusal), CMS_LIMIT);
}

/* RFC 5652 5.1: version 3 with other things inside; what we do not need is passed over */
static void crls_signers_and_version_three_are_passed_over(void **state)
{
	struct shape s = shape_good();
	struct why why = {0};
	size_t n;

	s.version = 3;
	s.behind = BYTES("\xa1\x02\x30\x00");
	s.signers = BYTES("\x31\x02\x30\x00");
	s.content = BYTES("\xa0\x02\x04\x00");
	must(shape_parse(&s, &n, &why));
	assert_int_equal(n, 1);
	s.certs = (struct span){0};
	must(shape_parse(&s, &n, &why));
	assert_int_equal(n, 0);
}

static void messages_of_another_shape_are_refused(void **state)
{
	struct shape s = shape_good();
	size_t n;

	s.version = 2;
	refused(shape_parse(&s, &n, &refusal), CMS_SYNTAX);
	s = shape_good();
	s.version = 4;
	refused(shape_parse(&s, &n, &refusal), CMS_SYNTAX);
	s = shape_good();
	s.type = OID_DATA;
	refused(shape_parse(&s, &n, &refusal), CMS_SYNTAX);
	s = shape_good();
	s.content = BYTES("\xa0\x03\x04\x01x"); /* RFC 5272 4.1: no content */
	refused(shape_parse(&s, &n, &refusal), CMS_SYNTAX);
	s = shape_good();
	s.certs = BYTES("\xa0\x02\xa2\x00"); /* an attribute certificate */
	refused(shape_parse(&s, &n, &refusal), CMS_SYNTAX);
	s = shape_good();
	s.signers = (struct span){0};
	refused(shape_parse(&s, &n, &refusal), CMS_SYNTAX);
	s = shape_good();
	s.tail = BYTES("\x00");
	refused(shape_parse(&s, &n, &refusal), CMS_SYNTAX);
}

static void truncated_messages_are_refused(void **state)
{
	struct made m OWNED_MADE;
	struct buf out OWNED_BUF = BUF(8192);
	struct span got[4];
	size_t n;
	struct why why = {0};

	made_ca(&m, KEY_P256, "CA", NULL);
	const struct span cert = buf_span(&m.der);
	must(cms_certs_write(&cert, 1, &out, &why));
	for (size_t i = 0; i < out.n; i++)
		refused(cms_certs_parse(span_first(buf_span(&out), i), got, 4, &n, &refusal), CMS_SYNTAX);
}

/* X.690 10.1: DER lengths are definite */
static void indefinite_lengths_are_refused_by_name(void **state)
{
	struct span got[4];
	size_t n;

	refused(cms_certs_parse(BYTES("\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80"), got, 4, &n, &refusal),
		CMS_INDEFINITE);
}

static void a_message_that_openssl_writes_is_read(void **state)
{
	struct folder f OWNED_FOLDER = folder_new();
	struct made m OWNED_MADE;
	uint8_t der[8192];
	struct span got[4];
	char path[128];
	size_t n = 0;
	struct why why = {0};

	made_ca(&m, KEY_P256, "CA", NULL);
	folder_write_pem(&f, "a.pem", buf_span(&m.der));
	ran(&f, "openssl crl2pkcs7 -nocrl -certfile a.pem -certfile a.pem -outform DER -out p7");
	snprintf(path, sizeof(path), "%s/p7", f.path);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	size_t size = fread(der, 1, sizeof(der), file);
	fclose(file);
	must(cms_certs_parse(span_of(der, size), got, 4, &n, &why));
	assert_int_equal(n, 2);
	assert_true(span_equal(got[1], buf_span(&m.der)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openssl_prints_the_certificates_that_were_put_in),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(one_certificate_past_the_limit_is_refused_whatever_the_room),
		cmocka_unit_test(crls_signers_and_version_three_are_passed_over),
		cmocka_unit_test(messages_of_another_shape_are_refused),
		cmocka_unit_test(truncated_messages_are_refused),
		cmocka_unit_test(indefinite_lengths_are_refused_by_name),
		cmocka_unit_test(a_message_that_openssl_writes_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
