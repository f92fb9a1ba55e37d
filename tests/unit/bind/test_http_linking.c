/* Linking where a TLS client alone does not reach: proxies, registration authorities, requests that wait. */
#include "ra_site.h"

#include "base/base64.h"
#include "proto/est/attrs.h"
#include "proto/est/linking.h"

static const char enrol_path[] = "/.well-known/est/simpleenroll";

static const char *value_of(const struct peer *peer, struct buf *text)
{
	const struct linking_session s = {.unique = peer->unique, .exporter = peer->exporter};

	buf_clear(text);
	linking_write(&s, text);
	return buf_text(text);
}

struct site {
	struct mef_site *m;
	struct device d;
	struct buf text, csr;
	struct got g;
};

static struct site site_of(void **state, enum linking_mode mode)
{
	struct site s = {.m = *state, .text = BUF(LINKING_TEXT_MAX), .csr = BUF(CSR_DER_MAX)};

	device_make(s.m, "SN-1", &s.d);
	s.m->labels.items[0].linking = mode;
	return s;
}

static void site_fini(struct site *s)
{
	device_fini(&s->d);
	buf_fini(&s->text);
	buf_fini(&s->csr);
	got_fini(&s->g);
}

#define OWNED_SITE __attribute__((cleanup(site_fini)))

/* By that peer, with the value of this one. */
static void post(struct site *s, const struct peer *peer, const struct peer *of)
{
	csr_make(s->d.key, NULL, "dev1.example.com", of ? value_of(of, &s->text) : NULL, &s->csr);
	post_csr(s->m, enrol_path, peer, &s->csr, &s->g);
}

static void the_value_of_the_session_counts_and_no_other(void **state)
{
	struct site s OWNED_SITE = site_of(state, LINKING_REQUIRED);
	struct peer other = s.d.peer;

	other.exporter = span_text("exporter octets of the session B");
	post(&s, &s.d.peer, &s.d.peer);
	assert_int_equal(s.g.status, 200);
	post(&s, &s.d.peer, &other);
	expect_refusal(&s.g, 403, CODE_LINKING_WRONG);
	expect_audit(s.m, "enrol.refused");
	post(&s, &s.d.peer, NULL);
	expect_refusal(&s.g, 403, CODE_LINKING_MISSING);
	/* RFC 9266 2: on TLS 1.2 with the extended master secret the exporter is one, beside tls-unique */
	other = s.d.peer;
	other.tls_version = 0x0303;
	other.unique = span_text("finished msg");
	post(&s, &other, &s.d.peer);
	assert_int_equal(s.g.status, 200);
	post(&s, &other, &other);
	assert_int_equal(s.g.status, 200);
}

static void a_session_that_ends_at_a_proxy_is_nobodys(void **state)
{
	struct site s OWNED_SITE = site_of(state, LINKING_ACCEPTED);
	struct peer proxied = s.d.peer;

	proxied.proxied = true;
	s.m->labels.items[0].proxied = true;
	post(&s, &proxied, &s.d.peer);
	expect_refusal(&s.g, 403, CODE_LINKING_NONE);
	post(&s, &proxied, NULL);
	assert_int_equal(s.g.status, 200);
}

static void an_ra_is_excused_and_its_own_requests_are_not(void **state)
{
	struct site s OWNED_SITE = site_of(state, LINKING_ACCEPTED);
	struct device ra OWNED_DEVICE = {0};
	struct peer other = s.d.peer;

	ra_make(s.m, &ra);
	s.m->labels.items[0].linking = LINKING_REQUIRED;
	other.exporter = span_text("exporter octets of the session B");
	post(&s, &ra.peer, NULL);
	assert_int_equal(s.g.status, 200);
	post(&s, &ra.peer, &other);
	assert_int_equal(s.g.status, 200);
	csr_make(s.d.key, NULL, "ra1.example.com", NULL, &s.csr);
	post_csr(s.m, enrol_path, &ra.peer, &s.csr, &s.g);
	expect_refusal(&s.g, 403, CODE_LINKING_MISSING);
}

/* RFC 7030 4.2.3: the same request again, by then over another session; a stranger's repetition counts for nothing */
static void a_request_that_waits_stays_linked(void **state)
{
	struct site s OWNED_SITE = site_of(state, LINKING_REQUIRED);
	struct device d2 OWNED_DEVICE = {0};
	struct peer later = s.d.peer;

	s.m->labels.items[0].hold = HOLD_ALL;
	s.m->labels.items[0].hold_ttl_s = 3600;
	s.m->labels.items[0].hold_retry_s = 60;
	later.exporter = span_text("exporter octets of the session B");
	post(&s, &later, &s.d.peer);
	expect_refusal(&s.g, 403, CODE_LINKING_WRONG);
	post(&s, &s.d.peer, &s.d.peer);
	assert_int_equal(s.g.status, 202);
	post_csr(s.m, enrol_path, &later, &s.csr, &s.g);
	assert_int_equal(s.g.status, 202);
	device_make(s.m, "SN-2", &d2);
	d2.peer.exporter = later.exporter;
	post_csr(s.m, enrol_path, &d2.peer, &s.csr, &s.g);
	expect_refusal(&s.g, 403, CODE_LINKING_WRONG);
}

/* RFC 7894 4, RFC 7030 3.5: which place is meant; asked for only where it is required */
static void csrattrs_name_the_place(void **state)
{
	static const struct {
		enum linking_mode mode;
		enum challenge_mode challenge;
		bool valued, password, attribute;
	} rows[] = {
		{LINKING_OFF, CHALLENGE_ACCEPTED, true, false, false},
		{LINKING_ACCEPTED, CHALLENGE_ACCEPTED, true, false, false},
		{LINKING_ACCEPTED, CHALLENGE_REQUIRED, true, false, false},
		{LINKING_REQUIRED, CHALLENGE_ACCEPTED, false, true, false},
		{LINKING_REQUIRED, CHALLENGE_REQUIRED, true, false, true},
	};
	struct site s OWNED_SITE = site_of(state, LINKING_OFF);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf der OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
		struct est_attrs attrs = {0};
		struct why why = {0};
		s.m->labels.items[0].linking = rows[i].mode;
		s.m->labels.items[0].challenge = rows[i].challenge;
		mef_get(s.m, "/.well-known/est/csrattrs", &s.d.peer, &s.g);
		assert_int_equal(est_body_der(buf_span(&s.g.body), &der, &why), OK);
		assert_int_equal(est_attrs_parse(buf_span(&der), &attrs, &why), OK);
		if ((attrs.challenge.n > 0) != rows[i].valued || attrs.asks_challenge != rows[i].password
			|| attrs.asks_linking != rows[i].attribute)
			fail_msg("row %zu", i);
	}
}

#define LINKING_TEST(name) cmocka_unit_test_setup_teardown(name, mef_setup, mef_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LINKING_TEST(the_value_of_the_session_counts_and_no_other),
		LINKING_TEST(a_session_that_ends_at_a_proxy_is_nobodys),
		LINKING_TEST(an_ra_is_excused_and_its_own_requests_are_not),
		LINKING_TEST(a_request_that_waits_stays_linked),
		LINKING_TEST(csrattrs_name_the_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
