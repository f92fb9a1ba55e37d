#include "unit/pki/made.h"

#include "base/base64.h"
#include "pki/csr.h"
#include "proto/est/body.h"
#include "proto/est/keygen.h"

static const uint8_t seed[EST_KEYGEN_SEED_SIZE] = {0xab, 0xcd};

#define CAPS_HEAD "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0f\x31"
#define ID_SYMMETRIC "\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x25\x31"
#define BYTES(text) span_of((text), sizeof(text) - 1)

/* RFC 7030 4.4.1 */
static void wishes_come_back_as_they_were(void **state)
{
	for (int asymmetric = 0; asymmetric < 2; asymmetric++) {
		OWNED_BUF struct buf b = BUF(4096);
		struct est_keygen in = {0}, out;
		struct why why = {0};
		*(asymmetric ? &in.asymmetric : &in.symmetric) = span_text("pump@mef.example.com");
		est_keygen_put(&b, &in);
		must(est_keygen_parse(buf_span(&b), &out, &why));
		assert_true(span_equal(out.symmetric, in.symmetric) && span_equal(out.asymmetric, in.asymmetric));
		assert_int_equal(out.content, CMS_AES_256);
		assert_int_equal(out.wrap, CMS_AES_256);
		assert_int_equal(out.transport, CMS_RSA_OAEP);
	}
}

static bool holds(const struct buf *all, struct span part)
{
	for (size_t i = 0; i + part.n <= all->n; i++) {
		if (memcmp(all->p + i, part.p, part.n) == 0)
			return true;
	}
	return false;
}

/* RFC 7030 4.4.1, RFC 8551 2.5.2: smimeCapabilities with the algorithms that the client takes */
static void wishes_name_the_algorithms(void **state)
{
	const struct span wanted[] = {BYTES(CAPS_HEAD), BYTES("\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2a"),
		BYTES("\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2d"), BYTES("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x07")};

	for (int asymmetric = 0; asymmetric < 2; asymmetric++) {
		OWNED_BUF struct buf b = BUF(4096);
		struct est_keygen in = {0};
		*(asymmetric ? &in.asymmetric : &in.symmetric) = span_text("pump");
		est_keygen_put(&b, &in);
		for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
			assert_true(holds(&b, wanted[i]));
	}
}

static void a_request_carries_them(void **state)
{
	OWNED_KEY struct key *key = NULL;
	OWNED_BUF struct buf attributes = BUF(4096), der = BUF(CSR_DER_MAX);
	struct est_keygen in = {.symmetric = span_text("a@b")}, out;
	struct csr csr;
	struct why why = {0};

	must(key_new(KEY_P256, &key, &why));
	est_keygen_put(&attributes, &in);
	const struct csr_plan plan = {
		.subject = span_of("\x30\x00", 2), .challenge = span_text("x"), .attributes = buf_span(&attributes)};
	must(csr_write(&plan, key, &der, &why));
	must(csr_parse(buf_span(&der), &csr, &why));
	must(est_keygen_parse(csr.attributes, &out, &why));
	assert_true(span_is(out.symmetric, "a@b"));
	assert_true(span_is(csr.challenge, "x"));
}

static void without_attributes_the_key_goes_plain(void **state)
{
	struct est_keygen out;
	struct why why = {0};

	must(est_keygen_parse((struct span){0}, &out, &why));
	assert_int_equal(out.symmetric.n + out.asymmetric.n, 0);
}

/* RFC 8551 2.5.2: the first of each purpose */
static void the_first_capability_that_is_known_counts(void **state)
{
	/* RC2, then AES-128 wrap, then AES-256 wrap, then PKCS#1 v1.5 */
	const struct span caps = BYTES("\x30\x41" CAPS_HEAD "\x34\x30\x32"
		"\x30\x0a\x06\x08\x2a\x86\x48\x86\xf7\x0d\x03\x02"
		"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x05"
		"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2d"
		"\x30\x0a\x06\x08\x2a\x86\x48\x86\xf7\x0d\x01\x01");
	const struct span rc2 = BYTES("\x30\x1b" CAPS_HEAD "\x0e\x30\x0c"
		"\x30\x0a\x06\x08\x2a\x86\x48\x86\xf7\x0d\x03\x02");
	struct est_keygen out;
	struct why why = {0};

	must(est_keygen_parse(caps, &out, &why));
	assert_int_equal(out.wrap, CMS_AES_128);
	assert_int_equal(out.content, CMS_AES_128); /* no content cipher was named */
	refused(est_keygen_parse(rc2, &out, &refusal), EST_KEYGEN_ALGS);
}

static void odd_attributes_are_refused(void **state)
{
	static uint8_t longest[EST_KEYGEN_ID_MAX + 1];
	OWNED_BUF struct buf both = BUF(4096), most = BUF(4096), past = BUF(4096);
	const struct est_keygen a = {.symmetric = span_text("a")}, b = {.asymmetric = span_text("b")};
	const struct est_keygen fits = {.symmetric = span_of(longest, EST_KEYGEN_ID_MAX)};
	const struct est_keygen long_one = {.symmetric = span_of(longest, EST_KEYGEN_ID_MAX + 1)};
	struct est_keygen out;
	struct why why = {0};

	est_keygen_put(&both, &a);
	est_keygen_put(&both, &b);
	refused(est_keygen_parse(buf_span(&both), &out, &refusal), EST_KEYGEN_BOTH);
	est_keygen_put(&most, &fits);
	must(est_keygen_parse(buf_span(&most), &out, &why));
	est_keygen_put(&past, &long_one);
	refused(est_keygen_parse(buf_span(&past), &out, &refusal), EST_KEYGEN_ATTRS);
	/* UTF8String instead of OCTET STRING; an empty one; two values */
	refused(est_keygen_parse(BYTES("\x30\x12" ID_SYMMETRIC "\x03\x0c\x01\x61"), &out, &refusal), EST_KEYGEN_ATTRS);
	refused(est_keygen_parse(BYTES("\x30\x11" ID_SYMMETRIC "\x02\x04\x00"), &out, &refusal), EST_KEYGEN_ATTRS);
	refused(est_keygen_parse(BYTES("\x30\x15" ID_SYMMETRIC "\x06\x04\x01\x61\x04\x01\x62"), &out, &refusal), EST_KEYGEN_ATTRS);
	refused(est_keygen_parse(BYTES("\x30\x12" ID_SYMMETRIC "\x03\x04\x01"), &out, &refusal), EST_KEYGEN_ATTRS);
}

/* RFC 7030 4.4.2 */
static void an_answer_comes_back_as_it_was(void **state)
{
	static uint8_t key[3000], cert[900];

	memset(key, 0x2d, sizeof(key)); /* '-' */
	for (int encrypted = 0; encrypted < 2; encrypted++) {
		OWNED_BUF struct buf body = BUF(EST_KEYGEN_BODY_MAX), der = BUF(4096);
		char media_type[EST_KEYGEN_MEDIA_SIZE];
		const struct est_keygen_parts in = {
			.encrypted = encrypted, .key = span_of(key, sizeof(key)), .cert = span_of(cert, sizeof(cert))};
		struct est_keygen_parts out;
		struct why why = {0};
		must(est_keygen_write(&in, seed, &body, media_type, &why));
		must(est_keygen_read(span_text(media_type), buf_span(&body), &out, &why));
		assert_int_equal(out.encrypted, encrypted);
		must(est_body_der(out.key, &der, &why));
		assert_true(span_equal(buf_span(&der), in.key));
		buf_clear(&der);
		must(est_body_der(out.cert, &der, &why));
		assert_true(span_equal(buf_span(&der), in.cert));
	}
}

#define PART(type, text) "--B\r\nContent-Type: " type "\r\n\r\n" text "\r\n"
#define PKCS8 PART("application/pkcs8", "AAAA")
#define SEALED PART("application/pkcs7-mime; smime-type=server-generated-key", "AAAA")
#define CERTS PART("application/pkcs7-mime; smime-type=certs-only", "BBBB")

static void answers_of_others_are_read(void **state)
{
	static const char *const good[] = {
		PKCS8 CERTS "--B--\r\n",
		CERTS PKCS8 "--B--",                                       /* either order */
		"preamble\r\n" PKCS8 CERTS "--B--\r\nepilogue",            /* RFC 2046 5.1.1 */
		PKCS8 PART("application/pkcs7-mime", "BBBB") "--B--",
		"--B\nCONTENT-TYPE: Application/PKCS8\nX: y\n\nAAAA\n" CERTS "--B  \n--B--",
	};
	static const char *const bad[] = {
		"", "--B--", PKCS8 "--B--", CERTS "--B--", PKCS8 CERTS, PKCS8 PKCS8 CERTS "--B--", PKCS8 CERTS CERTS "--B--",
		PKCS8 SEALED CERTS "--B--", PKCS8 PART("text/plain", "BBBB") "--B--", PART("application/pkcs8x", "AAAA") CERTS "--B--",
		"--B\r\n\r\nAAAA\r\n" CERTS "--B--", "--B\r\nContent-Type: application/pkcs8\r\n\r\n" CERTS "--B--", "--Bx--",
	};
	struct est_keygen_parts out;
	struct why why = {0};

	for (size_t i = 0; i + 1 < sizeof(good) / sizeof(good[0]); i++) {
		must(est_keygen_read(span_text("multipart/mixed; boundary=\"B\""), span_text(good[i]), &out, &why));
		assert_memory_equal(out.key.p, "AAAA", 4);
		assert_memory_equal(out.cert.p, "BBBB", 4);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(est_keygen_read(span_text("multipart/mixed; boundary=B"), span_text(bad[i]), &out, &refusal), EST_KEYGEN_REPLY);
	refused(est_keygen_read(span_text("multipart/mixed"), span_text(good[0]), &out, &refusal), EST_KEYGEN_REPLY);
	refused(est_keygen_read(span_text("multipart/related; boundary=B"), span_text(good[0]), &out, &refusal), EST_KEYGEN_REPLY);
}

static void bounds_hold_one_past(void **state)
{
	static char boundary[EST_KEYGEN_BOUNDARY_MAX + 2];
	static uint8_t large[EST_KEYGEN_BODY_MAX + 1];

	for (size_t n = EST_KEYGEN_BOUNDARY_MAX; n <= EST_KEYGEN_BOUNDARY_MAX + 1; n++) {
		OWNED_BUF struct buf type = BUF(256), body = BUF(2048);
		struct est_keygen_parts out;
		struct why why = {0};
		memset(boundary, 'b', n);
		boundary[n] = '\0';
		buf_put_fmt(&type, "multipart/mixed; boundary=%s", boundary);
		buf_put_fmt(&body, "--%s\r\nContent-Type: application/pkcs8\r\n\r\nAAAA\r\n--%s\r\nContent-Type: application/pkcs7-mime\r\n\r\nBBBB\r\n--%s--\r\n",
			boundary, boundary, boundary);
		enum err err = est_keygen_read(buf_span(&type), buf_span(&body), &out, &why);
		assert_int_equal(err, n <= EST_KEYGEN_BOUNDARY_MAX ? OK : ERR_SYNTAX);
	}
	struct est_keygen_parts out;
	refused(est_keygen_read(span_text("multipart/mixed; boundary=B"), span_of(large, sizeof(large)), &out, &refusal), EST_KEYGEN_REPLY);
	assert_non_null(strstr(refusal.text, "at most"));
	refused(est_keygen_read(span_text("multipart/mixed; boundary=B"), span_of(large, sizeof(large) - 1), &out, &refusal), EST_KEYGEN_REPLY);
	assert_null(strstr(refusal.text, "at most"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wishes_come_back_as_they_were),
		cmocka_unit_test(wishes_name_the_algorithms),
		cmocka_unit_test(a_request_carries_them),
		cmocka_unit_test(without_attributes_the_key_goes_plain),
		cmocka_unit_test(the_first_capability_that_is_known_counts),
		cmocka_unit_test(odd_attributes_are_refused),
		cmocka_unit_test(an_answer_comes_back_as_it_was),
		cmocka_unit_test(answers_of_others_are_read),
		cmocka_unit_test(bounds_hold_one_past),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
