#include "unit/pki/made.h"

#include "core/ca/issue.h"
#include "pki/chain.h"
#include "pki/csr.h"
#include "pki/der.h"

enum { MANY = 10000 };

/* A CA with one profile, and a device's request. */
struct bench {
	struct made ca;
	struct profile_set profiles;
	struct ca engine;
	struct key *device;
	struct buf spki, subject, sans, csr;
	uint64_t drawn; /* state of the counted stream of random bytes */
};

static enum err fill(void *self, uint8_t *out, size_t n, struct why *why)
{
	uint64_t *state = self;

	for (size_t i = 0; i < n; i++) {
		*state = *state * 6364136223846793005u + 1442695040888963407u;
		out[i] = (uint8_t)(*state >> 56);
	}
	return OK;
}

static enum err fill_zero(void *self, uint8_t *out, size_t n, struct why *why)
{
	memset(out, self ? *(uint8_t *)self : 0, n);
	return OK;
}

static enum err fill_fails(void *self, uint8_t *out, size_t n, struct why *why)
{
	return WHY(why, SYSTEM, "", "getrandom: no");
}

static void csr_for(struct buf *out, const struct key *key, const struct bench *b)
{
	struct csr_plan plan = {.subject = buf_span(&b->subject), .sans = buf_span(&b->sans), .digital_signature = true};
	struct why why = {0};

	buf_clear(out);
	must(csr_write(&plan, key, out, &why));
}

static void engine_of(struct bench *b)
{
	struct why why = {0};

	b->engine = (struct ca){.profiles = &b->profiles, .key = b->ca.key, .cert_der = buf_span(&b->ca.der),
		.cdp_uri = "http://mef.example.com/crl", .aia_uri = "http://mef.example.com/ca",
		.random = {.self = &b->drawn, .fill = fill}};
	must(cert_parse(b->engine.cert_der, &b->engine.cert, &why));
}

static void bench_init(struct bench *b)
{
	struct why why = {0};

	*b = (struct bench){.spki = BUF(512), .subject = BUF(512), .sans = BUF(512), .csr = BUF(4096)};
	made_ca(&b->ca, KEY_P256, "Issuing CA", NULL);
	must(key_new(KEY_P256, &b->device, &why));
	must(key_write_spki(b->device, &b->spki, &why));
	must(name_write_cn("device-1", NULL, &b->subject, &why));
	made_dns(&b->sans, "d1.example.com");
	b->profiles.n = 1;
	b->profiles.items[0] = (struct profile){.name = "device", .validity_s = 90 * DAY_S, .backdate_s = 300,
		.key_usage = KU_DIGITAL_SIGNATURE, .ekus = {"1.3.6.1.5.5.7.3.2"}, .ekus_n = 1, .keys = {KEY_P256}, .keys_n = 1,
		.san_kinds = SAN_RULE_DNS, .suffixes = {"example.com"}, .suffixes_n = 1};
	engine_of(b);
	csr_for(&b->csr, b->device, b);
}

static void bench_fini(struct bench *b)
{
	made_fini(&b->ca);
	key_free(b->device);
	buf_fini(&b->spki);
	buf_fini(&b->subject);
	buf_fini(&b->sans);
	buf_fini(&b->csr);
}
#define OWNED_BENCH __attribute__((cleanup(bench_fini)))

static struct issue_order order_of(const struct bench *b)
{
	return (struct issue_order){.profile = "device", .csr = buf_span(&b->csr), .subject = buf_span(&b->subject),
		.sans = buf_span(&b->sans)};
}

static enum err issue(const struct bench *b, const struct issue_order *order, int64_t now_s, struct why *why)
{
	struct buf der OWNED_BUF = BUF(CERT_DER_MAX);
	struct issue_result result;

	enum err err = ca_issue(&b->engine, order, now_s, &der, &result, why);
	if (err != OK)
		assert_int_equal(der.n, 0); /* nothing is issued */
	return err;
}

static void issue_ok(const struct bench *b, const struct issue_order *order)
{
	struct why why = {0};

	must(issue(b, order, made_now_s, &why));
}

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
	assert_int_equal(refusal.kind, ERR_EXPIRED);
	assert_non_null(strstr(refusal.text, "valid until 2027-01-01T00:00:00Z, now is 2027-01-01T00:00:01Z"));
	refused(issue(&b, &order, start_s - 1, &refusal), CA_NOT_YET);
	refused(issue(&b, &order, 0, &refusal), CA_NOT_YET);
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
	must(ca_sign_crl(&b.engine, &order, &crl, &why));
	folder_write_pem(&f, "ca.pem", b.engine.cert_der);
	folder_write(&f, "crl", buf_span(&crl));
	ran(&f, "openssl crl -inform DER -in crl -CAfile ca.pem -verify -noout");
	refused(chain_check_crl(buf_span(&crl), b.engine.cert_der, span_of(entries[0].serial, 1), made_now_s, &refusal), CRL_REVOKED);
	order.this_update_s = b.engine.cert.not_after_s + 1;
	order.next_update_s = order.this_update_s + 1;
	refused(ca_sign_crl(&b.engine, &order, &crl, &refusal), CA_EXPIRED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openssl_accepts_what_is_issued),
		cmocka_unit_test(the_result_tells_what_is_in_the_certificate),
		cmocka_unit_test(the_request_gives_the_key_and_nothing_else),
		cmocka_unit_test(an_unknown_profile_is_not_found),
		cmocka_unit_test(requests_that_cannot_be_read_are_refused),
		cmocka_unit_test(a_key_outside_the_profile_is_refused),
		cmocka_unit_test(a_request_signed_by_another_key_is_refused),
		cmocka_unit_test(no_changed_octet_of_a_request_gets_a_certificate),
		cmocka_unit_test(a_request_for_a_ca_is_refused),
		cmocka_unit_test(names_outside_the_profile_are_refused),
		cmocka_unit_test(a_required_name_is_required),
		cmocka_unit_test(a_subject_that_is_no_name_is_refused),
		cmocka_unit_test(ten_thousand_serials_are_distinct_positive_and_long),
		cmocka_unit_test(a_random_source_that_fails_issues_nothing),
		cmocka_unit_test(the_end_is_the_earliest_of_profile_order_and_ca),
		cmocka_unit_test(a_ca_outside_its_dates_issues_nothing),
		cmocka_unit_test(suids_become_purposes_only_where_switched_on),
		cmocka_unit_test(the_fullest_profile_fits_with_all_suids),
		cmocka_unit_test(usages_that_the_key_cannot_have_are_left_out),
		cmocka_unit_test(a_ca_that_may_not_sign_is_told_at_the_start),
		cmocka_unit_test(the_ca_signs_a_crl_that_openssl_verifies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
