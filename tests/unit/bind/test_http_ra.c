#include "ra_site.h"

static const char enrol[] = "/.well-known/est/simpleenroll";
static const char reenrol[] = "/.well-known/est/simplereenroll";
static const char enrol_onem2m[] = "/.well-known/est/onem2m/simpleenroll";

static void expect_refused(struct mef_site *m, struct got *g, enum code code, uint64_t issued)
{
	expect_refusal(g, 403, code);
	assert_int_equal(mef_counts(m).issued, issued);
	expect_audit(m, "enrol.refused");
}

/* RFC 7030 4.2: a TLS client with id-kp-cmcRA, authorised, asks for whom the request names */
static void an_ra_gets_certificates_for_others(void **state)
{
	struct mef_site *m = *state;
	struct device ra OWNED_DEVICE = {0};
	struct key *key OWNED_KEY = mef_key();
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf der OWNED_BUF = BUF(MEF_DER_MAX);
	struct got g OWNED_GOT = {0};
	struct cert cert = {0};
	struct why why = {0};
	static const struct {
		const char *cn, *name;
	} forms[] = {{NULL, "dev1.example.com"}, {NULL, "DEV1.example.com"}, {"dev1", NULL}, {"dev1.example.com", NULL},
		{"dev1", "dev1.example.com"}};

	ra_make(m, &ra);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		csr_make(key, forms[i].cn, forms[i].name, NULL, &csr);
		post_csr(m, enrol, &ra.peer, &csr, &g);
		take_cert(&g, &der);
		assert_int_equal(cert_parse(buf_span(&der), &cert, &why), OK);
		assert_true(key_matches_spki(key, cert.spki));
		/* dev1's own profile: what the RA may do is not handed on */
		assert_int_equal(cert.ekus.n, 1);
		expect_audit(m, "certificate.issued");
		expect_audit(m, "\"dev1\"");
		expect_audit(m, "authority ra1");
	}
}

static void an_ra_asks_for_itself_like_anybody(void **state)
{
	struct mef_site *m = *state;
	struct device ra OWNED_DEVICE = {0};
	struct key *key OWNED_KEY = mef_key();
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct got g OWNED_GOT = {0};

	ra_make(m, &ra);
	m->labels.items[0].ra = false;
	csr_make(key, NULL, "ra1.example.com", NULL, &csr);
	post_csr(m, enrol, &ra.peer, &csr, &g);
	assert_int_equal(g.status, 200);
	expect_audit(m, "\"ra1\"");
	csr_make(key, NULL, NULL, NULL, &csr);
	post_csr(m, enrol, &ra.peer, &csr, &g);
	assert_int_equal(g.status, 200);
}

static void a_label_without_ra_admits_none(void **state)
{
	struct mef_site *m = *state;
	struct device ra OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct got g OWNED_GOT = {0};

	ra_make(m, &ra);
	m->labels.items[0].ra = false;
	csr_make(ra.factory_key, NULL, "dev1.example.com", NULL, &csr);
	post_csr(m, enrol, &ra.peer, &csr, &g);
	expect_refused(m, &g, CODE_RA_LABEL, 1);
}

/* The extended key usage counts in certificates of this MEF alone. */
static void who_has_no_ra_certificate_of_ours_asks_for_nobody_else(void **state)
{
	struct mef_site *m = *state;
	struct device ra OWNED_DEVICE = {0};
	struct device dev OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct got g OWNED_GOT = {0};

	ra_make(m, &ra);
	device_make(m, "SN-2", &dev);
	csr_make(dev.key, NULL, "dev1.example.com", NULL, &csr);
	post_csr(m, enrol, &dev.peer, &csr, &g); /* by its factory's certificate */
	expect_refused(m, &g, CODE_POLICY_SAN, 1);
	device_enrol(m, &dev, "dev2.example.com");
	post_csr(m, enrol, &dev.peer, &csr, &g); /* by ours, of an ordinary profile */
	expect_refused(m, &g, CODE_POLICY_SAN, 2);
	ra.peer = mef_peer(m, PEER_THIRD_PARTY, &ra.leaf);
	post_csr(m, enrol, &ra.peer, &csr, &g); /* the RA's enrolee by its factory's certificate */
	expect_refused(m, &g, CODE_POLICY_SAN, 2);
}

static void an_ra_cannot_name_strangers_several_or_the_disabled(void **state)
{
	struct mef_site *m = *state;
	struct device ra OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf sans OWNED_BUF = BUF(1024);
	struct buf subject OWNED_BUF = BUF(NAME_DER_MAX);
	struct got g OWNED_GOT = {0};
	struct why why = {0};
	const struct san_list both = {.n = 2, .items = {{.kind = SAN_DNS, .value = span_text("dev1.example.com")},
		{.kind = SAN_DNS, .value = span_text("dev2.example.com")}}};

	ra_make(m, &ra);
	csr_make(ra.factory_key, NULL, "nobody.example.com", NULL, &csr);
	post_csr(m, enrol, &ra.peer, &csr, &g);
	expect_refused(m, &g, CODE_RA_NAMES_NOBODY, 1);
	assert_int_equal(san_write(&both, &sans, &why), OK);
	assert_int_equal(name_write_cn(NULL, NULL, &subject, &why), OK);
	const struct csr_plan plan = {.subject = buf_span(&subject), .sans = buf_span(&sans)};
	buf_clear(&csr);
	assert_int_equal(csr_write(&plan, ra.factory_key, &csr, &why), OK);
	post_csr(m, enrol, &ra.peer, &csr, &g);
	expect_refused(m, &g, CODE_RA_NAMES_SEVERAL, 1);
	mef_set_state(m, "dev1", ENROLEE_DISABLED);
	csr_make(ra.factory_key, NULL, "dev1.example.com", NULL, &csr);
	post_csr(m, enrol, &ra.peer, &csr, &g);
	expect_refused(m, &g, CODE_CLIENT_DISABLED, 1);
	csr_make(ra.factory_key, "dev2", "dev2.example.com", NULL, &csr);
	mef_set_state(m, "ra1", ENROLEE_DISABLED);
	post_csr(m, enrol, &ra.peer, &csr, &g);
	expect_refused(m, &g, CODE_CLIENT_DISABLED, 1);
}

/* A name of dev1 with the subject of dev2 */
static void subject_and_name_must_be_of_one(void **state)
{
	struct mef_site *m = *state;
	struct device ra OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct got g OWNED_GOT = {0};

	ra_make(m, &ra);
	csr_make(ra.factory_key, "dev2", "dev1.example.com", NULL, &csr);
	post_csr(m, enrol, &ra.peer, &csr, &g);
	expect_refused(m, &g, CODE_POLICY_SUBJECT, 1);
	expect_audit(m, "authority 'ra1'");
}

static void an_ra_renews_what_is_there(void **state)
{
	struct mef_site *m = *state;
	struct device ra OWNED_DEVICE = {0};
	struct device dev OWNED_DEVICE = {0};
	struct key *next OWNED_KEY = mef_key();
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct got g OWNED_GOT = {0};

	ra_make(m, &ra);
	device_make(m, "SN-1", &dev);
	csr_make(next, "dev1.example.com", "dev1.example.com", NULL, &csr);
	post_csr(m, reenrol, &ra.peer, &csr, &g);
	expect_refused(m, &g, CODE_RA_NOTHING_TO_RENEW, 1);
	device_enrol(m, &dev, "dev1.example.com");
	/* RFC 7030 4.2.2: another key, where the label says so */
	csr_make(dev.key, "dev1.example.com", "dev1.example.com", NULL, &csr);
	post_csr(m, reenrol, &ra.peer, &csr, &g);
	expect_refused(m, &g, CODE_POLICY_KEY_REUSE, 2);
	csr_make(next, "dev1.example.com", "dev1.example.com", NULL, &csr);
	post_csr(m, reenrol, &ra.peer, &csr, &g);
	assert_int_equal(g.status, 200);
	expect_audit(m, "re-enrolment");
	m->now_s += 2 * MEF_YEAR_S;
	post_csr(m, reenrol, &ra.peer, &csr, &g);
	expect_refusal(&g, 403, CODE_CLIENT_EXPIRED);
}

/* RFC 7030 3.5: no proof of possession of this session is asked of an RA; its own challenge is looked at */
static void an_ra_needs_no_challenge(void **state)
{
	struct mef_site *m = *state;
	struct device ra OWNED_DEVICE = {0};
	struct key *key OWNED_KEY = mef_key();
	struct buf der OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct got g OWNED_GOT = {0};
	struct est_attrs attrs = {0};
	struct why why = {0};
	char text[CHALLENGE_TEXT_MAX + 1];

	ra_make(m, &ra);
	m->labels.items[1].ra = true;
	m->labels.items[1].ask_ekus_n = 0;
	csr_make(key, NULL, "dev1.example.com", NULL, &csr);
	post_csr(m, enrol_onem2m, &ra.peer, &csr, &g);
	assert_int_equal(g.status, 200);
	csr_make(key, NULL, "dev1.example.com", "made by a MEF downstream", &csr);
	post_csr(m, enrol_onem2m, &ra.peer, &csr, &g);
	assert_int_equal(g.status, 200);
	csr_make(key, NULL, "ra1.example.com", NULL, &csr);
	post_csr(m, enrol_onem2m, &ra.peer, &csr, &g);
	expect_refused(m, &g, CODE_CHALLENGE_MISSING, 3);
	mef_get(m, "/.well-known/est/onem2m/csrattrs", &ra.peer, &g);
	assert_int_equal(est_body_der(buf_span(&g.body), &der, &why), OK);
	assert_int_equal(est_attrs_parse(buf_span(&der), &attrs, &why), OK);
	snprintf(text, sizeof(text), "%.*s", SPAN_FMT(attrs.challenge));
	csr_make(key, NULL, "dev1.example.com", text, &csr);
	post_csr(m, enrol_onem2m, &ra.peer, &csr, &g);
	assert_int_equal(g.status, 200);
	csr_make(key, NULL, "dev2.example.com", text, &csr); /* spent */
	post_csr(m, enrol_onem2m, &ra.peer, &csr, &g);
	expect_refusal(&g, 409, CODE_CHALLENGE_SPENT);
	m->now_s += MEF_TTL_S + 1;
	post_csr(m, enrol_onem2m, &ra.peer, &csr, &g);
	expect_refused(m, &g, CODE_CHALLENGE_EXPIRED, 4);
}

#define RA_TEST(name) cmocka_unit_test_setup_teardown(name, mef_setup, mef_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RA_TEST(an_ra_gets_certificates_for_others),
		RA_TEST(an_ra_asks_for_itself_like_anybody),
		RA_TEST(a_label_without_ra_admits_none),
		RA_TEST(who_has_no_ra_certificate_of_ours_asks_for_nobody_else),
		RA_TEST(an_ra_cannot_name_strangers_several_or_the_disabled),
		RA_TEST(subject_and_name_must_be_of_one),
		RA_TEST(an_ra_renews_what_is_there),
		RA_TEST(an_ra_needs_no_challenge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
