#include "unit/core_ca/engine.h"

#include "pki/chain.h"

enum { MANY = 10000 };

static void openssl_accepts_what_is_issued(void **state)
{
	static const enum key_spec specs[] = {KEY_P256, KEY_P384, KEY_RSA2048};

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct folder f OWNED_FOLDER = folder_new();
		struct bench b OWNED_BENCH;
		struct buf der OWNED_BUF = BUF(CERT_DER_MAX);
		struct issue_result result;
		struct why why = {0};
		bench_init(&b);
		made_fini(&b.ca);
		made_ca(&b.ca, specs[i], "Issuing CA", NULL);
		engine_of(&b);
		struct issue_order order = order_of(&b);
		buf_put_text(&der, "before");
		must(ca_issue(&b.engine, &order, made_now_s, &der, &result, &why));
		assert_ptr_equal(result.der.p, der.p + 6);
		assert_int_equal(result.der.n, der.n - 6);
		folder_write_pem(&f, "ca.pem", b.engine.cert_der);
		folder_write_pem(&f, "d.pem", result.der);
		ran(&f, "openssl verify -x509_strict -purpose sslclient -attime 1767225600 -CAfile ca.pem d.pem");
		ran(&f, "openssl x509 -in d.pem -noout -text -certopt ext_dump");
		said(&f, "Subject: CN = device-1");
		said(&f, "Issuer: CN = Issuing CA");
		said(&f, "Not Before: Dec 31 23:55:00 2025 GMT");
		said(&f, "Not After : Apr  1 00:00:00 2026 GMT");
		said(&f, "DNS:d1.example.com");
		said(&f, "TLS Web Client Authentication");
		said(&f, "URI:http://mef.example.com/crl");
		assert_false(folder_said(&f, "Basic Constraints"));
	}
}

static void the_result_tells_what_is_in_the_certificate(void **state)
{
	struct bench b OWNED_BENCH;
	struct buf der OWNED_BUF = BUF(CERT_DER_MAX);
	struct issue_result result;
	struct cert c;
	struct why why = {0};

	bench_init(&b);
	struct issue_order order = order_of(&b);
	must(ca_issue(&b.engine, &order, made_now_s, &der, &result, &why));
	must(cert_parse(result.der, &c, &why));
	assert_true(span_equal(c.serial, span_of(result.serial, result.serial_n)));
	assert_int_equal(c.not_before_s, result.not_before_s);
	assert_int_equal(c.not_after_s, result.not_after_s);
	assert_int_equal(result.not_before_s, made_now_s - 300);
	assert_int_equal(result.not_after_s, made_now_s + 90 * DAY_S);
	assert_true(span_equal(c.spki, buf_span(&b.spki)));
	assert_true(span_equal(c.subject, order.subject));
	assert_true(span_equal(c.san, order.sans));
	assert_true(span_equal(c.issuer, b.engine.cert.subject));
	assert_true(span_equal(c.akid, b.engine.cert.skid));
	assert_int_equal(c.key_usage, KU_DIGITAL_SIGNATURE);
	assert_int_equal(c.ekus.n, 1);
	assert_false(c.is_ca);
}

/* Subject and names are the order's, whatever the request says. */
static void the_request_gives_the_key_and_nothing_else(void **state)
{
	struct bench b OWNED_BENCH;
	struct buf der OWNED_BUF = BUF(CERT_DER_MAX), other OWNED_BUF = BUF(256);
	struct issue_result result;
	struct cert c;
	struct why why = {0};

	bench_init(&b);
	struct issue_order order = order_of(&b);
	must(name_write_cn("another", NULL, &other, &why));
	order.subject = buf_span(&other);
	order.sans = (struct span){0};
	must(ca_issue(&b.engine, &order, made_now_s, &der, &result, &why));
	must(cert_parse(result.der, &c, &why));
	assert_true(span_equal(c.subject, buf_span(&other)));
	assert_int_equal(c.san.n, 0);
}

static int serial_order(const void *a, const void *b)
{
	return memcmp(a, b, ISSUER_SERIAL_MAX);
}

/* RFC 5280 4.1.2.2 */
static void ten_thousand_serials_are_distinct_positive_and_long(void **state)
{
	struct bench b OWNED_BENCH;
	uint8_t(*serials)[ISSUER_SERIAL_MAX] OWNED_MEM = mem_array(MANY, ISSUER_SERIAL_MAX);
	struct buf der OWNED_BUF = BUF(CERT_DER_MAX);

	bench_init(&b);
	struct issue_order order = order_of(&b);
	for (size_t i = 0; i < MANY; i++) {
		struct issue_result result;
		struct why why = {0};
		buf_clear(&der);
		must(ca_issue(&b.engine, &order, made_now_s, &der, &result, &why));
		assert_true(result.serial_n >= 12 && result.serial_n <= 16);
		assert_true(result.serial[0] != 0);
		assert_true(result.serial_n < 16 || result.serial[0] < 0x80);
		memcpy(serials[i] + 16 - result.serial_n, result.serial, result.serial_n);
	}
	qsort(serials, MANY, ISSUER_SERIAL_MAX, serial_order);
	for (size_t i = 1; i < MANY; i++)
		assert_memory_not_equal(serials[i - 1], serials[i], ISSUER_SERIAL_MAX);
}

static void the_end_is_the_earliest_of_profile_order_and_ca(void **state)
{
	struct bench b OWNED_BENCH;
	struct buf der OWNED_BUF = BUF(CERT_DER_MAX);
	struct issue_result result;
	struct why why = {0};

	bench_init(&b);
	struct issue_order order = order_of(&b);
	order.not_after_s = made_now_s + DAY_S;
	must(ca_issue(&b.engine, &order, made_now_s, &der, &result, &why));
	assert_int_equal(result.not_after_s, made_now_s + DAY_S);
	order.not_after_s = made_now_s + 91 * DAY_S;
	must(ca_issue(&b.engine, &order, made_now_s, &der, &result, &why));
	assert_int_equal(result.not_after_s, made_now_s + 90 * DAY_S);
	int64_t late_s = b.engine.cert.not_after_s - DAY_S;
	order.not_after_s = 0;
	must(ca_issue(&b.engine, &order, late_s, &der, &result, &why));
	assert_int_equal(result.not_after_s, b.engine.cert.not_after_s);
	order.not_after_s = made_now_s;
	refused(issue(&b, &order, made_now_s, &refusal), ISSUE_DATES);
	order.not_after_s = 1;
	refused(issue(&b, &order, made_now_s, &refusal), ISSUE_DATES);
}

static size_t ekus_of(const struct bench *b, const struct issue_order *order, struct arena *arena, const char **out)
{
	struct buf der OWNED_BUF = BUF(CERT_DER_MAX);
	struct issue_result result;
	struct cert c;
	struct why why = {0};

	must(ca_issue(&b->engine, order, made_now_s, &der, &result, &why));
	must(cert_parse(result.der, &c, &why));
	for (size_t i = 0; i < c.ekus.n; i++)
		out[i] = oid_text(c.ekus.oids[i], arena);
	return c.ekus.n;
}

/* TS-0004 6.3.4.2.39: 40 to 45 are the uses of a certificate; TS-0003 assigns no identifiers to them */
static void suids_become_purposes_only_where_switched_on(void **state)
{
	struct bench b OWNED_BENCH;
	struct arena arena OWNED_ARENA = ARENA(4096);
	const char *ekus[CERT_EKU_MAX];

	bench_init(&b);
	struct issue_order order = order_of(&b);
	order.suids[0] = 40;
	order.suids[1] = 45;
	order.suids[2] = 40;
	order.suids_n = 3;
	assert_int_equal(ekus_of(&b, &order, &arena, ekus), 1);
	b.profiles.items[0].suid_ekus = true;
	snprintf(b.profiles.items[0].suid_arc, sizeof(b.profiles.items[0].suid_arc), "2.25.7");
	assert_int_equal(ekus_of(&b, &order, &arena, ekus), 3);
	assert_string_equal(ekus[0], "id-kp-clientAuth");
	assert_string_equal(ekus[1], "2.25.7.40");
	assert_string_equal(ekus[2], "2.25.7.45");
	static const uint8_t wrong[] = {0, 4, 21, 39, 46, 140, 255};
	for (size_t i = 0; i < sizeof(wrong); i++) {
		order.suids[1] = wrong[i];
		refused(issue(&b, &order, made_now_s, &refusal), ISSUE_SUID);
	}
}

static void the_fullest_profile_fits_with_all_suids(void **state)
{
	struct bench b OWNED_BENCH;
	struct arena arena OWNED_ARENA = ARENA(16 * 1024);
	const char *ekus[CERT_EKU_MAX];
	struct why why = {0};

	bench_init(&b);
	struct profile *p = &b.profiles.items[0];
	p->suid_ekus = true;
	snprintf(p->suid_arc, sizeof(p->suid_arc), "2.25.340282366920938463463374607431768211455");
	p->ekus_n = CERT_EKU_MAX - 6;
	for (size_t i = 0; i < p->ekus_n; i++)
		snprintf(p->ekus[i], sizeof(p->ekus[i]), "2.25.34028236692093846346337460743176821145%u", (unsigned int)i % 10);
	must(ca_check(&b.engine, made_now_s, &why));
	struct issue_order order = order_of(&b);
	for (uint8_t i = 0; i < 6; i++)
		order.suids[i] = 40 + i;
	order.suids_n = 6;
	assert_int_equal(ekus_of(&b, &order, &arena, ekus), CERT_EKU_MAX);
	order.suids_n = ISSUER_SUIDS_MAX + 1;
	assert_int_equal(issue(&b, &order, made_now_s, &(struct why){0}), ERR_BUG);
}

/* RFC 8813 3: an EC key never enciphers; RFC 3279 2.3.1: an RSA key never agrees */
static void usages_that_the_key_cannot_have_are_left_out(void **state)
{
	struct bench b OWNED_BENCH;
	struct buf der OWNED_BUF = BUF(CERT_DER_MAX);
	struct key *rsa OWNED_KEY = NULL;
	struct issue_result result;
	struct cert c;
	struct why why = {0};

	bench_init(&b);
	struct profile *p = &b.profiles.items[0];
	p->key_usage = KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT | KU_KEY_AGREEMENT;
	p->keys[1] = KEY_RSA2048;
	p->keys_n = 2;
	struct issue_order order = order_of(&b);
	must(ca_issue(&b.engine, &order, made_now_s, &der, &result, &why));
	must(cert_parse(result.der, &c, &why));
	assert_int_equal(c.key_usage, KU_DIGITAL_SIGNATURE | KU_KEY_AGREEMENT);
	p->key_usage = KU_KEY_ENCIPHERMENT;
	refused(issue(&b, &order, made_now_s, &refusal), ISSUE_USAGE);
	p->key_usage = KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT | KU_KEY_AGREEMENT;
	must(key_new(KEY_RSA2048, &rsa, &why));
	csr_for(&b.csr, rsa, &b);
	order = order_of(&b);
	must(ca_issue(&b.engine, &order, made_now_s, &der, &result, &why));
	must(cert_parse(result.der, &c, &why));
	assert_int_equal(c.key_usage, KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT);
}

static void the_ca_signs_a_crl_that_openssl_verifies(void **state)
{
	const struct crl_entry entries[] = {{.serial = {0x11}, .serial_n = 1, .revoked_s = made_now_s, .reason = 1}};
	struct folder f OWNED_FOLDER = folder_new();
	struct bench b OWNED_BENCH;
	struct buf crl OWNED_BUF = BUF(4096);
	struct why why = {0};

	bench_init(&b);
	struct crl_order order = {.number = 1, .this_update_s = made_now_s, .next_update_s = made_now_s + DAY_S, .entries = entries,
		.entries_n = 1};
	must(ca_sign_crl(&b.engine, &order, made_now_s, &crl, &why));
	folder_write_pem(&f, "ca.pem", b.engine.cert_der);
	folder_write(&f, "crl", buf_span(&crl));
	ran(&f, "openssl crl -inform DER -in crl -CAfile ca.pem -verify -noout");
	refused(chain_check_crl(buf_span(&crl), b.engine.cert_der, span_of(entries[0].serial, 1), made_now_s, &refusal), CRL_REVOKED);
	order.this_update_s = b.engine.cert.not_after_s + 1;
	order.next_update_s = order.this_update_s + 1;
	refused(ca_sign_crl(&b.engine, &order, order.this_update_s, &crl, &refusal), CA_EXPIRED);
}

/* The old CA of a rollover: it publishes its list until its certificates are over, and issues nothing. */
static void a_ca_without_profiles_signs_lists_only(void **state)
{
	struct bench b OWNED_BENCH;
	struct buf crl OWNED_BUF = BUF(4096);
	struct buf der OWNED_BUF = BUF(CERT_DER_MAX);
	struct issue_result result = {0};
	struct why why = {0};

	bench_init(&b);
	const struct issue_order order = order_of(&b);
	const struct crl_order list = {.number = 1, .this_update_s = made_now_s, .next_update_s = made_now_s + DAY_S};
	b.engine.profiles = NULL;
	must(ca_check_crl_only(&b.engine, &why));
	refused(ca_check(&b.engine, made_now_s, &refusal), CA_PROFILES);
	must(ca_sign_crl(&b.engine, &list, made_now_s, &crl, &why));
	refused(ca_issue(&b.engine, &order, made_now_s, &der, &result, &refusal), PROFILE_UNKNOWN);
	assert_int_equal(der.n, 0);
}

/* RFC 5280 5.1.2.4, 5.1.2.5: a thief of the registrar gets no list that would outlive his stay. */
static void who_orders_a_crl_does_not_choose_its_dates(void **state)
{
	static const struct {
		int64_t this_after_s, life_s;
		bool good;
	} rows[] = {
		{0, DAY_S, true}, {0, DAY_S + 1, false}, {-300, DAY_S, true}, {-301, DAY_S, false}, {300, DAY_S, true},
		{301, DAY_S, false}, {0, INT64_MAX - 4102444800, false},
	};
	struct bench b OWNED_BENCH;

	bench_init(&b);
	b.engine.crl_lifetime_max_s = DAY_S;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf crl OWNED_BUF = BUF(4096);
		struct why why = {0};
		const struct crl_order order = {.number = 1, .this_update_s = made_now_s + rows[i].this_after_s,
			.next_update_s = made_now_s + rows[i].this_after_s + rows[i].life_s};
		enum err err = ca_sign_crl(&b.engine, &order, made_now_s, &crl, &why);
		if ((err == OK) != rows[i].good)
			fail_msg("row %zu: %s", i, why.text);
		if (err != OK)
			assert_int_equal(why.code, CODE_CA_CRL_DATES);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openssl_accepts_what_is_issued),
		cmocka_unit_test(the_result_tells_what_is_in_the_certificate),
		cmocka_unit_test(the_request_gives_the_key_and_nothing_else),
		cmocka_unit_test(ten_thousand_serials_are_distinct_positive_and_long),
		cmocka_unit_test(the_end_is_the_earliest_of_profile_order_and_ca),
		cmocka_unit_test(suids_become_purposes_only_where_switched_on),
		cmocka_unit_test(the_fullest_profile_fits_with_all_suids),
		cmocka_unit_test(usages_that_the_key_cannot_have_are_left_out),
		cmocka_unit_test(the_ca_signs_a_crl_that_openssl_verifies),
		cmocka_unit_test(a_ca_without_profiles_signs_lists_only),
		cmocka_unit_test(who_orders_a_crl_does_not_choose_its_dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
