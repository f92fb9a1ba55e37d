/* A MEF whose clock jumps, back by a year or ahead by ten, between one request and the next. */
#include "unit/bind/mef.h"

#include "core/registry/audit.h"
#include "core/status/crl.h"

enum { DAY_S = 86400, T_S = MEF_NOW_S + 5 * MEF_YEAR_S, WEEK_S = 7 * DAY_S };

static const char attrs_path[] = "/.well-known/est/onem2m/csrattrs";
static const char enrol_path[] = "/.well-known/est/onem2m/simpleenroll";
static const char renew_path[] = "/.well-known/est/simplereenroll";

struct device {
	struct mef_site *m;
	struct key *factory_key, *key;
	struct buf leaf, csr, cert;
	struct peer peer;
};

/* CA and factory certificates are five years old then, and good for five more. */
static int setup(void **state)
{
	if (mef_setup(state) != 0)
		return -1;
	((struct mef_site *)*state)->now_s = T_S;
	return 0;
}

static void device_fini(struct device *d)
{
	key_free(d->factory_key);
	key_free(d->key);
	buf_fini(&d->leaf);
	buf_fini(&d->csr);
	buf_fini(&d->cert);
}

#define OWNED_DEVICE __attribute__((cleanup(device_fini)))

static void device_make(struct mef_site *m, struct device *d)
{
	*d = (struct device){.m = m, .factory_key = mef_key(), .key = mef_key()};
	d->leaf = d->csr = d->cert = BUF(MEF_DER_MAX);
	mef_cert(m, "device", "SN-1", d->factory_key, m->factory_key, &m->factory_der, &d->leaf);
	d->peer = mef_peer(m, PEER_THIRD_PARTY, &d->leaf);
}

/* csrattrs, and the request that obeys it. */
static void prepare(struct device *d)
{
	struct got g OWNED_GOT = {0};
	struct buf der OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct buf name OWNED_BUF = BUF(NAME_DER_MAX);
	struct est_attrs attrs = {0};
	struct why why = {0};

	mef_get(d->m, attrs_path, &d->peer, &g);
	assert_int_equal(g.status, 200);
	assert_int_equal(est_body_der(buf_span(&g.body), &der, &why), OK);
	assert_int_equal(est_attrs_parse(buf_span(&der), &attrs, &why), OK);
	assert_int_equal(name_write_cn(NULL, NULL, &name, &why), OK);
	const struct csr_plan plan = {.subject = buf_span(&name), .challenge = attrs.challenge, .sans = attrs.sans,
		.ekus = &attrs.ekus, .digital_signature = attrs.digital_signature};
	buf_clear(&d->csr);
	assert_int_equal(csr_write(&plan, d->key, &d->csr, &why), OK);
}

static void post(struct device *d, const char *path, const struct peer *peer, struct got *g)
{
	struct buf text OWNED_BUF = BUF(CALL_BODY_MAX);

	est_body_write_request(&text, buf_span(&d->csr));
	mef_post(d->m, path, peer, buf_span(&text), g);
}

static void expect_refused(struct device *d, enum code code, const char *text)
{
	struct got g OWNED_GOT = {0};
	uint64_t issued = mef_counts(d->m).issued;

	post(d, enrol_path, &d->peer, &g);
	expect_refusal(&g, 403, code);
	if (!strstr(buf_text(&g.body), text))
		fail_msg("want '%s' in %s", text, buf_text(&g.body));
	assert_int_equal(mef_counts(d->m).issued, issued);
}

/* Enrols; the certificate's dates are those of the clock at that moment. */
static struct cert expect_issued(struct device *d)
{
	struct got g OWNED_GOT = {0};
	struct buf der OWNED_BUF = BUF(MEF_DER_MAX);
	struct span cert;
	struct cert c = {0};
	struct why why = {0};
	size_t n = 0;

	post(d, enrol_path, &d->peer, &g);
	if (g.status != 200)
		fail_msg("enrolment: %u %s", (unsigned int)g.status, buf_text(&g.body));
	assert_int_equal(est_body_der(buf_span(&g.body), &der, &why), OK);
	assert_int_equal(cms_certs_parse(buf_span(&der), &cert, 1, &n, &why), OK);
	buf_clear(&d->cert);
	buf_put_span(&d->cert, cert);
	assert_int_equal(cert_parse(buf_span(&d->cert), &c, &why), OK);
	assert_int_equal(c.not_before_s, d->m->now_s);
	assert_int_equal(c.not_after_s, d->m->now_s + MEF_YEAR_S);
	return c;
}

/* Times of events may go back; their chain does not break. */
static void expect_whole_audit(struct mef_site *m)
{
	struct audit_report report = {0};
	struct why why = {0};

	assert_int_equal(audit_verify(m->store, &report, &why), OK);
	assert_int_equal(report.bad_seq, 0);
	assert_int_equal(report.rows, mef_counts(m).audit);
}

/* TS-0003 8.3.6.2: the challenge is short-lived, whatever the clock does */
static void a_clock_that_jumps_ahead_ends_the_challenge(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};

	device_make(m, &d);
	prepare(&d);
	m->now_s += 4 * MEF_YEAR_S - DAY_S;
	expect_refused(&d, CODE_CHALLENGE_EXPIRED, "ended");
	expect_audit(m, "enrol.refused");
	prepare(&d);
	expect_issued(&d);
	expect_whole_audit(m);
}

static void ten_years_ahead_nobody_is_valid_and_the_way_back_is_open(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};

	device_make(m, &d);
	prepare(&d);
	m->now_s += 10LL * MEF_YEAR_S;
	expect_refused(&d, CODE_CLIENT_EXPIRED, "clock");
	/* nothing was spent: with the clock set right the same request gets its certificate */
	m->now_s = T_S + 5;
	expect_issued(&d);
	assert_int_equal(mef_counts(m).issued, 1);
	expect_whole_audit(m);
}

static void a_clock_that_jumps_back_ends_the_challenge_too(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};

	device_make(m, &d);
	prepare(&d);
	m->now_s -= MEF_YEAR_S;
	expect_refused(&d, CODE_CHALLENGE_EXPIRED, "clock was set back");
	expect_audit(m, "enrol.refused");
	prepare(&d);
	expect_issued(&d);
	m->now_s = T_S;
	expect_whole_audit(m);
}

static void a_clock_that_is_set_back_by_a_second_harms_nobody(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};

	device_make(m, &d);
	prepare(&d);
	m->now_s--;
	expect_issued(&d);
}

/* RFC 5280 4.1.2.5: a certificate from the future is not valid yet; its holder has done nothing wrong */
static void what_was_issued_before_a_jump_back_is_good_again_later(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct got g OWNED_GOT = {0};

	device_make(m, &d);
	prepare(&d);
	struct cert c = expect_issued(&d);
	struct peer own = mef_peer(m, PEER_OWN, &d.cert);
	struct key *next OWNED_KEY = mef_key();
	struct why why = {0};
	const struct csr_plan plan = {.subject = c.subject, .sans = c.san, .digital_signature = true};
	buf_clear(&d.csr);
	assert_int_equal(csr_write(&plan, next, &d.csr, &why), OK);
	m->now_s -= MEF_YEAR_S;
	post(&d, renew_path, &own, &g);
	expect_refusal(&g, 403, CODE_CLIENT_EXPIRED);
	assert_int_equal(mef_counts(m).issued, 1);
	m->now_s = T_S + DAY_S;
	post(&d, renew_path, &own, &g);
	assert_int_equal(g.status, 200);
	assert_int_equal(mef_counts(m).issued, 2);
	expect_whole_audit(m);
}

static void on_published(void *arg, enum err err, uint64_t number, const struct why *why)
{
	if (err != OK)
		fail_msg("%s", why->text);
	*(uint64_t *)arg = number;
}

static uint64_t publish(struct mef_site *m, const struct crl_rules *rules)
{
	const struct crl_env env = {.store = m->store, .batch = m->batch, .issuer = &m->issuer.issuer, .rules = *rules};
	uint64_t number = 0;

	crl_publish(&env, m->now_s, on_published, &number);
	batch_flush(m->batch);
	return number;
}

static int64_t due_in_s(struct mef_site *m, const struct crl_rules *rules)
{
	struct why why = {0};
	int64_t wait_s = -1;

	assert_int_equal(crl_due(m->store, "", rules, m->now_s, &wait_s, &why), OK);
	return wait_s;
}

/* RFC 5280 5.2.3: the CRL number only grows; 5.1.2.4: thisUpdate is when it was made */
static void a_crl_follows_every_jump(void **state)
{
	static const int64_t jumps_s[] = {-MEF_YEAR_S, MEF_YEAR_S, 4LL * MEF_YEAR_S, -3LL * MEF_YEAR_S};
	const struct crl_rules rules = {.lifetime_s = WEEK_S, .overlap_s = DAY_S};
	struct mef_site *m = *state;

	assert_int_equal(publish(m, &rules), 1);
	assert_int_equal(due_in_s(m, &rules), WEEK_S - DAY_S);
	for (size_t i = 0; i < sizeof(jumps_s) / sizeof(jumps_s[0]); i++) {
		struct arena arena OWNED_ARENA = ARENA(1 << 20);
		struct crl_row row = {0};
		struct why why = {0};
		m->now_s += jumps_s[i];
		assert_int_equal(due_in_s(m, &rules), 0);
		assert_int_equal(publish(m, &rules), i + 2);
		assert_int_equal(m->store->ops->crl_get(m->store->self, "", &arena, &row, &why), OK);
		assert_int_equal(row.this_update_s, m->now_s);
		assert_int_equal(row.next_update_s, m->now_s + WEEK_S);
		assert_int_equal(due_in_s(m, &rules), WEEK_S - DAY_S);
	}
	expect_whole_audit(m);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, mef_teardown)
	static const struct CMUnitTest tests[] = {
		TEST(a_clock_that_jumps_ahead_ends_the_challenge),
		TEST(ten_years_ahead_nobody_is_valid_and_the_way_back_is_open),
		TEST(a_clock_that_jumps_back_ends_the_challenge_too),
		TEST(a_clock_that_is_set_back_by_a_second_harms_nobody),
		TEST(what_was_issued_before_a_jump_back_is_good_again_later),
		TEST(a_crl_follows_every_jump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
