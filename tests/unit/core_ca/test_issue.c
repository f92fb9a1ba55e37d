#include "unit/core_ca/engine.h"

static enum err fill_zero(void *self, uint8_t *out, size_t n, struct why *why)
{
	memset(out, self ? *(uint8_t *)self : 0, n);
	return OK;
}

static enum err fill_fails(void *self, uint8_t *out, size_t n, struct why *why)
{
	return WHY(why, SYSTEM, "", "getrandom: no");
}

static void an_unknown_profile_is_not_found(void **state)
{
	struct bench b OWNED_BENCH;

	bench_init(&b);
	struct issue_order order = order_of(&b);
	snprintf(order.profile, sizeof(order.profile), "ca");
	refused(issue(&b, &order, made_now_s, &refusal), PROFILE_UNKNOWN);
	memset(order.profile, 'x', sizeof(order.profile));
	order.profile[sizeof(order.profile) - 1] = '\0';
	refused(issue(&b, &order, made_now_s, &refusal), PROFILE_UNKNOWN);
}

static void requests_that_cannot_be_read_are_refused(void **state)
{
	struct bench b OWNED_BENCH;

	bench_init(&b);
	struct issue_order order = order_of(&b);
	order.csr = (struct span){0};
	assert_int_equal(issue(&b, &order, made_now_s, &(struct why){0}), ERR_SYNTAX);
	for (size_t n = 1; n < b.csr.n; n += 7) {
		order.csr = span_first(buf_span(&b.csr), n);
		assert_int_equal(issue(&b, &order, made_now_s, &(struct why){0}), ERR_SYNTAX);
	}
}

/* TS-0003 10.1.1.1: the kinds of key that the profile lists */
static void a_key_outside_the_profile_is_refused(void **state)
{
	static const enum key_spec specs[] = {KEY_P384, KEY_RSA2048};
	struct bench b OWNED_BENCH;

	bench_init(&b);
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct key *key OWNED_KEY = NULL;
		struct why why = {0};
		must(key_new(specs[i], &key, &why));
		csr_for(&b.csr, key, &b);
		struct issue_order order = order_of(&b);
		refused(issue(&b, &order, made_now_s, &refusal), ISSUE_KEY);
		b.profiles.items[0].keys[1] = specs[i];
		b.profiles.items[0].keys_n = 2;
		must(issue(&b, &order, made_now_s, &why));
		b.profiles.items[0].keys_n = 1;
	}
}

/* RFC 2986 4.2: proof of possession */
static void a_request_signed_by_another_key_is_refused(void **state)
{
	struct bench b OWNED_BENCH;
	struct key *other OWNED_KEY = NULL;
	struct buf csr OWNED_BUF = BUF(4096), other_spki OWNED_BUF = BUF(512);
	struct why why = {0};
	size_t at = 0;

	bench_init(&b);
	must(key_new(KEY_P256, &other, &why));
	must(key_write_spki(other, &other_spki, &why));
	buf_put_span(&csr, buf_span(&b.csr));
	while (at + other_spki.n <= csr.n && !span_equal(span_of(csr.p + at, b.spki.n), buf_span(&b.spki)))
		at++;
	assert_true(at + other_spki.n <= csr.n);
	memcpy(csr.p + at, other_spki.p, other_spki.n); /* someone else's public key */
	struct issue_order order = order_of(&b);
	order.csr = buf_span(&csr);
	assert_int_equal(issue(&b, &order, made_now_s, &why), ERR_FORBIDDEN);
	assert_int_equal(why.code, CODE_CSR_SIGNATURE);
}

/* Every octet of a request is covered by its signature, or the request cannot be read. */
static void no_changed_octet_of_a_request_gets_a_certificate(void **state)
{
	struct bench b OWNED_BENCH;

	bench_init(&b);
	struct issue_order order = order_of(&b);
	for (size_t i = 0; i < b.csr.n; i++) {
		static const uint8_t changes[] = {0x01, 0x80, 0xff};
		for (size_t j = 0; j < sizeof(changes); j++) {
			struct why why = {0};
			b.csr.p[i] ^= changes[j];
			enum err err = issue(&b, &order, made_now_s, &why);
			if (err == OK || err != why.kind || err >= ERR_NOMEM)
				fail_msg("octet %zu ^ %02x: %s %s", i, changes[j], err_name(err), why.text);
			b.csr.p[i] ^= changes[j];
		}
	}
	issue_ok(&b, &order);
}

static void a_request_for_a_ca_is_refused(void **state)
{
	struct folder f OWNED_FOLDER = folder_new();
	struct bench b OWNED_BENCH;
	uint8_t der[4096];
	char path[128];

	bench_init(&b);
	ran(&f, "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -subj /CN=x"
		" -addext basicConstraints=critical,CA:TRUE -outform DER -out csr");
	snprintf(path, sizeof(path), "%s/csr", f.path);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	size_t n = fread(der, 1, sizeof(der), file);
	fclose(file);
	struct issue_order order = order_of(&b);
	order.csr = span_of(der, n);
	refused(issue(&b, &order, made_now_s, &refusal), ISSUE_ASKS_CA);
}

static void names_outside_the_profile_are_refused(void **state)
{
	static const uint8_t uri[] = {0x30, 0x07, 0x86, 0x05, 'u', 'r', 'n', ':', 'x'};
	static const uint8_t ip[] = {0x30, 0x06, 0x87, 0x04, 192, 0, 2, 1};
	static const uint8_t email[] = {0x30, 0x05, 0x81, 0x03, 'a', '@', 'b'};
	static const uint8_t directory[] = {0x30, 0x04, 0xa4, 0x02, 0x30, 0x00};
	static const uint8_t other[] = {0x30, 0x0a, 0xa0, 0x08, 0x06, 0x02, 0x2a, 0x03, 0xa0, 0x02, 0x05, 0x00};
	const struct span kinds[] = {span_of(uri, sizeof(uri)), span_of(ip, sizeof(ip)), span_of(email, sizeof(email)),
		span_of(directory, sizeof(directory)), span_of(other, sizeof(other))};
	static const uint8_t half[] = {0x30, 0x07, 0x82};
	struct bench b OWNED_BENCH;
	struct buf names OWNED_BUF = BUF(256);

	bench_init(&b);
	struct issue_order order = order_of(&b);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		order.sans = kinds[i];
		refused(issue(&b, &order, made_now_s, &refusal), ISSUE_NAME_KIND);
	}
	made_dns(&names, "d1.example.org");
	order.sans = buf_span(&names);
	refused(issue(&b, &order, made_now_s, &refusal), ISSUE_NAME);
	order.sans = span_of(half, sizeof(half));
	assert_int_equal(issue(&b, &order, made_now_s, &(struct why){0}), ERR_SYNTAX);
	b.profiles.items[0].san_kinds = SAN_RULE_DNS | SAN_RULE_URI | SAN_RULE_OTHER | SAN_RULE_IP;
	b.profiles.items[0].suffixes_n = 0;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		order.sans = kinds[i];
		bool never = i == 2 || i == 3; /* e-mail addresses and directory names */
		assert_int_equal(issue(&b, &order, made_now_s, &(struct why){0}), never ? ERR_FORBIDDEN : OK);
	}
}

static void a_required_name_is_required(void **state)
{
	struct bench b OWNED_BENCH;
	struct buf empty OWNED_BUF = BUF(16);

	bench_init(&b);
	struct issue_order order = order_of(&b);
	order.sans = (struct span){0};
	issue_ok(&b, &order);
	b.profiles.items[0].san_required = true;
	refused(issue(&b, &order, made_now_s, &refusal), ISSUE_NAME_NONE);
	/* RFC 5280 4.1.2.6: neither subject nor name */
	b.profiles.items[0].san_required = false;
	buf_put(&empty, "\x30\x00", 2);
	order.subject = buf_span(&empty);
	refused(issue(&b, &order, made_now_s, &refusal), ISSUE_NAME_NONE);
	order.sans = buf_span(&b.sans);
	issue_ok(&b, &order);
}

static void a_subject_that_is_no_name_is_refused(void **state)
{
	struct bench b OWNED_BENCH;

	bench_init(&b);
	struct issue_order order = order_of(&b);
	order.subject = (struct span){0};
	refused(issue(&b, &order, made_now_s, &refusal), ISSUE_SUBJECT);
	order.subject = span_text("CN=x");
	refused(issue(&b, &order, made_now_s, &refusal), ISSUE_SUBJECT);
}

static void a_random_source_that_fails_issues_nothing(void **state)
{
	static uint8_t high = 0x80;
	struct bench b OWNED_BENCH;
	struct buf der OWNED_BUF = BUF(CERT_DER_MAX);
	struct issue_result result;
	struct why why = {0};

	bench_init(&b);
	struct issue_order order = order_of(&b);
	b.engine.random = (struct random_source){.fill = fill_fails};
	assert_int_equal(issue(&b, &order, made_now_s, &(struct why){0}), ERR_SYSTEM);
	b.engine.random = (struct random_source){.fill = fill_zero};
	refused(issue(&b, &order, made_now_s, &refusal), CA_RANDOM);
	/* the top bit is cleared and the zero octet that is left is dropped */
	b.engine.random.self = &high;
	must(ca_issue(&b.engine, &order, made_now_s, &der, &result, &why));
	assert_int_equal(result.serial_n, 15);
	assert_int_equal(result.serial[0], 0x80);
}

/* An expired CA and a clock that jumped are told with the dates. */
static void a_ca_outside_its_dates_issues_nothing(void **state)
{
	struct bench b OWNED_BENCH;
	struct why why = {0};

	bench_init(&b);
	struct issue_order order = order_of(&b);
	int64_t end_s = b.engine.cert.not_after_s, start_s = b.engine.cert.not_before_s;
	must(issue(&b, &order, end_s - 1, &why));
	must(issue(&b, &order, start_s, &why));
	refused(issue(&b, &order, end_s + 1, &refusal), CA_EXPIRED);
	assert_int_equal(refusal.kind, ERR_SYSTEM);
	assert_non_null(strstr(refusal.text, "valid until 2027-01-01T00:00:00Z, now is 2027-01-01T00:00:01Z"));
	refused(issue(&b, &order, start_s - 1, &refusal), CA_NOT_YET);
	refused(issue(&b, &order, 0, &refusal), CA_NOT_YET);
}

static void a_ca_that_may_not_sign_is_told_at_the_start(void **state)
{
	struct bench b OWNED_BENCH;
	struct made other OWNED_MADE;
	struct why why = {0};

	bench_init(&b);
	must(ca_check(&b.engine, made_now_s, &why));
	refused(ca_check(&b.engine, b.engine.cert.not_after_s + 1, &refusal), CA_EXPIRED);
	refused(ca_check(&b.engine, b.engine.cert.not_before_s - 1, &refusal), CA_NOT_YET);
	made_ca(&other, KEY_P256, "Issuing CA", NULL);
	b.engine.key = other.key;
	refused(ca_check(&b.engine, made_now_s, &refusal), CA_KEY);
	b.engine.key = NULL;
	refused(ca_check(&b.engine, made_now_s, &refusal), CA_KEY);
	b.engine.key = b.ca.key;
	b.profiles.items[1] = b.profiles.items[0];
	b.profiles.n = 2;
	refused(ca_check(&b.engine, made_now_s, &refusal), CA_PROFILES);
	b.profiles.n = 0;
	refused(ca_check(&b.engine, made_now_s, &refusal), CA_PROFILES);
	b.profiles.n = 1;
	b.profiles.items[0].validity_s = 0;
	refused(ca_check(&b.engine, made_now_s, &refusal), PROFILE_VALIDITY);
	b.engine.cert.key_usage = KU_KEY_CERT_SIGN;
	refused(ca_check(&b.engine, made_now_s, &refusal), CA_CERT);
	b.engine.cert.is_ca = false;
	refused(ca_check(&b.engine, made_now_s, &refusal), CA_CERT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unknown_profile_is_not_found),
		cmocka_unit_test(requests_that_cannot_be_read_are_refused),
		cmocka_unit_test(a_key_outside_the_profile_is_refused),
		cmocka_unit_test(a_request_signed_by_another_key_is_refused),
		cmocka_unit_test(no_changed_octet_of_a_request_gets_a_certificate),
		cmocka_unit_test(a_request_for_a_ca_is_refused),
		cmocka_unit_test(names_outside_the_profile_are_refused),
		cmocka_unit_test(a_required_name_is_required),
		cmocka_unit_test(a_subject_that_is_no_name_is_refused),
		cmocka_unit_test(a_random_source_that_fails_issues_nothing),
		cmocka_unit_test(a_ca_outside_its_dates_issues_nothing),
		cmocka_unit_test(a_ca_that_may_not_sign_is_told_at_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
