/* Answers of a MEF that is broken or hostile: nothing is installed. */
#include "lab.h"

/* keyUsage as its BIT STRING holds it */
enum { KU_DER_CRL_SIGN = 0x02, KU_DER_BOTH = 0x06 };

static void an_answer_of_another_media_type_is_refused(void **state)
{
	struct lab *lab = *state;

	lab_feed(lab, 200, "text/html", span_text("<html>login</html>"));
	lab_failed(lab, CODE_AGENT_REPLY, "text/html");
	lab_agent(lab);
	lab_feed(lab, 200, "", span_text("MAA="));
	lab_failed(lab, CODE_AGENT_REPLY, "have ''");
	lab_agent(lab);
	lab_to_enrol(lab);
	lab_feed(lab, 200, "application/pkcs10", span_text("MAA="));
	lab_failed(lab, CODE_AGENT_REPLY, "application/pkcs10");
}

static void an_answer_that_is_no_certs_only_message_is_refused(void **state)
{
	struct lab *lab = *state;
	static const struct {
		const char *body;
		enum code code;
	} rows[] = {
		{"", CODE_EST_BODY},
		{"\x01\x02 no base64", CODE_EST_BODY},
		{"MAA=", CODE_CMS_SYNTAX},
		{"AAAA", CODE_CMS_SYNTAX},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		lab_agent(lab);
		lab_feed(lab, 200, CERTS_TYPE, span_text(rows[i].body));
		lab_failed(lab, rows[i].code, "");
		lab_agent(lab);
		lab_to_enrol(lab);
		lab_feed(lab, 200, CERTS_TYPE, span_text(rows[i].body));
		lab_failed(lab, rows[i].code, "");
	}
}

/* A certificate alone, without the message around it. */
static void a_bare_certificate_is_refused(void **state)
{
	struct lab *lab = *state;

	lab_feed_der(lab, CERTS_TYPE, buf_span(&lab->root.der));
	lab_failed(lab, CODE_CMS_SYNTAX, "");
}

static void an_answer_without_ca_certificates_is_refused(void **state)
{
	struct lab *lab = *state;

	lab_feed_certs(lab, NULL, 0);
	lab_failed(lab, CODE_AGENT_TRUST, "have none");
}

/* RFC 7030 4.1.3: an end entity among the CA certificates must not become an anchor */
static void an_end_entity_among_the_ca_certificates_is_refused(void **state)
{
	struct lab *lab = *state;
	struct made self OWNED_MADE = {0};
	const struct span with_tls[] = {buf_span(&lab->root.der), buf_span(&lab->tls.der)};

	lab_feed_certs(lab, with_tls, 2);
	lab_failed(lab, CODE_AGENT_TRUST, "number 2");
	struct cert_plan plan = made_plan(&self, KEY_P256, "self"); /* without keyUsage */
	made_sign(&self, &plan, NULL);
	const struct span der = buf_span(&self.der);
	lab_agent(lab);
	lab_feed_certs(lab, &der, 1);
	lab_failed(lab, CODE_AGENT_TRUST, "number 1");
}

/* RFC 5280 4.2.1.3: a CA that may not sign certificates is no anchor for them */
static void a_ca_that_may_not_sign_certificates_is_refused(void **state)
{
	struct lab *lab = *state;
	static const uint8_t both[] = {0x03, 0x02, 0x01, KU_DER_BOTH};
	uint8_t *p = lab->web.der.p;

	while (memcmp(p, both, sizeof(both)) != 0)
		assert_true(++p + sizeof(both) < lab->web.der.p + lab->web.der.n);
	p[3] = KU_DER_CRL_SIGN;
	const struct span der = buf_span(&lab->web.der);
	lab_feed_certs(lab, &der, 1);
	lab_failed(lab, CODE_AGENT_TRUST, "number 1");
}

static struct agent_action enrol_well(struct lab *lab)
{
	struct cert_plan plan = lab_plan(lab);

	lab_issue(lab, &plan, &lab->inner);
	struct agent_action action = lab_next(lab);
	assert_int_equal(action.kind, AGENT_INSTALL);
	return action;
}

static void what_is_installed_is_the_certificate_its_intermediates_and_the_root(void **state)
{
	struct lab *lab = *state;
	struct buf inner OWNED_BUF = BUF(RUN_PEM_MAX);

	lab_to_enrol(lab);
	struct agent_action action = enrol_well(lab);
	assert_true(span_equal(action.certificate, buf_span(&lab->issued.der)));
	lab_pem(&inner, &lab->inner);
	assert_true(span_equal(action.chain_pem, buf_span(&inner)));
	assert_true(span_equal(action.anchors_pem, buf_span(&lab->anchors_pem)));
	agent_feed_installed(lab->agent);
	assert_int_equal(lab_next(lab).kind, AGENT_DONE);
}

/* The root that the MEF's TLS chain ends at takes the place of what the device had. */
static void roots_that_vouch_for_the_mef_replace_the_old_anchors(void **state)
{
	struct lab *lab = *state;
	struct buf root OWNED_BUF = BUF(RUN_PEM_MAX);

	lab_pem(&root, &lab->root);
	lab_pem(&lab->anchors_pem, &lab->web); /* beside the root */
	lab_agent(lab);
	lab_to_enrol(lab);
	assert_true(span_equal(enrol_well(lab).anchors_pem, buf_span(&root)));
}

static struct agent_action enrol_with_tls_by(struct lab *lab, const struct made *by)
{
	made_fini(&lab->tls);
	lab_leaf(&lab->tls, "mef", by);
	lab_agent(lab);
	lab_to_enrol(lab);
	return enrol_well(lab);
}

static void old_anchors_stay_where_they_alone_vouch_for_the_mef(void **state)
{
	struct lab *lab = *state;
	struct buf both OWNED_BUF = BUF(RUN_PEM_MAX);

	lab_pem(&both, &lab->root);
	lab_pem(&both, &lab->web);
	buf_clear(&lab->anchors_pem);
	lab_pem(&lab->anchors_pem, &lab->web);
	assert_true(span_equal(enrol_with_tls_by(lab, &lab->web).anchors_pem, buf_span(&both)));
}

/* An expired TLS certificate proves nothing about the new roots. */
static void old_anchors_stay_where_the_new_do_not_validate_the_mef(void **state)
{
	struct lab *lab = *state;
	struct buf both OWNED_BUF = BUF(RUN_PEM_MAX);
	struct cert_plan plan;

	made_fini(&lab->tls);
	plan = made_plan(&lab->tls, KEY_P256, "mef");
	plan.not_after_s = lab->now_s - 1;
	made_sign(&lab->tls, &plan, &lab->inner);
	lab_pem(&both, &lab->root);
	lab_pem(&both, &lab->web);
	lab_pem(&lab->anchors_pem, &lab->web);
	lab_agent(lab);
	lab_to_enrol(lab);
	assert_true(span_equal(enrol_well(lab).anchors_pem, buf_span(&both)));
}

/* Intermediates alone are no anchors: the old ones must vouch for what is issued. */
static void without_a_root_in_cacerts_the_old_anchors_stay(void **state)
{
	struct lab *lab = *state;
	const struct span inner = buf_span(&lab->inner.der);
	const struct est_attrs attrs = lab_attrs(lab);

	lab_feed_certs(lab, &inner, 1);
	lab_feed_attrs(lab, &attrs);
	agent_feed_key(lab->agent, lab->key);
	assert_true(span_equal(enrol_well(lab).anchors_pem, buf_span(&lab->anchors_pem)));
}

/* RFC 4210 4.4: old key signed by the new one: same names, yet no anchor */
static void a_rollover_certificate_is_no_anchor(void **state)
{
	struct lab *lab = *state;
	struct made next OWNED_MADE = {0};
	struct made with OWNED_MADE = {0};
	struct buf roots OWNED_BUF = BUF(RUN_PEM_MAX);
	const struct est_attrs attrs = lab_attrs(lab);

	made_ca(&next, KEY_P256, "MEF Root", NULL);
	struct cert_plan plan = made_plan(&with, KEY_P256, "MEF Root");
	plan.spki = buf_span(&lab->root.spki);
	plan.is_ca = true;
	plan.key_usage = KU_KEY_CERT_SIGN;
	made_sign(&with, &plan, &next);
	const struct span certs[] = {buf_span(&lab->root.der), buf_span(&next.der), buf_span(&with.der),
		buf_span(&lab->inner.der), buf_span(&next.der)};
	lab_feed_certs(lab, certs, 5);
	lab_feed_attrs(lab, &attrs);
	agent_feed_key(lab->agent, lab->key);
	lab_pem(&roots, &lab->root);
	lab_pem(&roots, &next);
	assert_true(span_equal(enrol_well(lab).anchors_pem, buf_span(&roots)));
}

static void a_certificate_for_another_key_is_refused(void **state)
{
	struct lab *lab = *state;
	struct made other OWNED_MADE = {0};

	lab_to_enrol(lab);
	lab_leaf(&other, "dev1", &lab->inner);
	const struct span der = buf_span(&other.der);
	lab_feed_certs(lab, &der, 1);
	lab_failed(lab, CODE_AGENT_ISSUED, "key of this device");
	lab_agent(lab);
	lab_to_enrol(lab);
	lab_feed_certs(lab, NULL, 0);
	lab_failed(lab, CODE_AGENT_ISSUED, "have 0");
}

static void a_certificate_under_another_name_is_refused(void **state)
{
	struct lab *lab = *state;
	struct buf other OWNED_BUF = BUF(NAME_DER_MAX);

	made_dns(&other, "dev2.example.com");
	for (int i = 0; i < 2; i++) {
		lab_agent(lab);
		lab_to_enrol(lab);
		struct cert_plan plan = lab_plan(lab);
		plan.sans = i ? buf_span(&other) : (struct span){NULL, 0};
		lab_issue(lab, &plan, &lab->inner);
		lab_failed(lab, CODE_AGENT_ISSUED, LAB_HOST);
	}
}

/* seed 000 step 9: the MEF may have the CA add identifiers and usages */
static void names_and_usages_beyond_those_asked_for_are_accepted(void **state)
{
	struct lab *lab = *state;
	struct buf more OWNED_BUF = BUF(NAME_DER_MAX);
	struct san_list list = {.n = 2};
	struct why why = {0};

	list.items[0] = (struct san){.kind = SAN_URI, .value = span_text("urn:example:node:1")};
	list.items[1] = (struct san){.kind = SAN_DNS, .value = span_text("DEV1.example.com")};
	must(san_write(&list, &more, &why));
	lab_to_enrol(lab);
	struct cert_plan plan = lab_plan(lab);
	plan.sans = buf_span(&more);
	plan.ekus[plan.ekus_n++] = OID("\x2b\x06\x01\x05\x05\x07\x03\x01");
	lab_issue(lab, &plan, &lab->inner);
	assert_int_equal(lab_next(lab).kind, AGENT_INSTALL);
}

static void a_certificate_without_the_usage_asked_for_is_refused(void **state)
{
	struct lab *lab = *state;

	lab_to_enrol(lab);
	struct cert_plan plan = lab_plan(lab);
	plan.ekus[0] = OID("\x2b\x06\x01\x05\x05\x07\x03\x01");
	lab_issue(lab, &plan, &lab->inner);
	lab_failed(lab, CODE_AGENT_ISSUED, "clientAuth");
}

static void a_ca_certificate_for_the_device_is_refused(void **state)
{
	struct lab *lab = *state;

	lab_to_enrol(lab);
	struct cert_plan plan = lab_plan(lab);
	plan.is_ca = true;
	plan.key_usage = KU_KEY_CERT_SIGN;
	lab_issue(lab, &plan, &lab->inner);
	lab_failed(lab, CODE_AGENT_ISSUED, "CA");
}

static void a_chain_to_a_foreign_root_is_refused(void **state)
{
	struct lab *lab = *state;

	lab_to_enrol(lab);
	struct cert_plan plan = lab_plan(lab);
	lab_issue(lab, &plan, &lab->web);
	lab_failed(lab, CODE_CHAIN_UNKNOWN_ISSUER, "no trust anchor");
}

/* What comes with the certificate helps to find the way to an anchor; it never is one. */
static void a_root_inside_the_answer_is_not_trusted(void **state)
{
	struct lab *lab = *state;

	lab_to_enrol(lab);
	struct cert_plan plan = lab_plan(lab);
	made_sign(&lab->issued, &plan, &lab->web);
	const struct span certs[] = {buf_span(&lab->issued.der), buf_span(&lab->web.der)};
	lab_feed_certs(lab, certs, 2);
	lab_failed(lab, CODE_CHAIN_UNKNOWN_ISSUER, "");
}

/* Same name as the issuing CA, another key: the signature does not hold. */
static void a_forged_issuer_is_refused(void **state)
{
	struct lab *lab = *state;
	struct made forged OWNED_MADE = {0};

	made_ca(&forged, KEY_P256, "MEF Issuing CA", &lab->web);
	memcpy(forged.key_id, lab->inner.key_id, sizeof(forged.key_id));
	lab_to_enrol(lab);
	struct cert_plan plan = lab_plan(lab);
	lab_issue(lab, &plan, &forged);
	lab_failed(lab, CODE_CHAIN_FAILED, "signature");
}

static void an_intermediate_of_the_answer_completes_the_chain(void **state)
{
	struct lab *lab = *state;
	struct made sub OWNED_MADE = {0};
	struct buf chain OWNED_BUF = BUF(RUN_PEM_MAX);

	made_ca(&sub, KEY_P256, "MEF Sub CA", &lab->inner);
	lab_to_enrol(lab);
	struct cert_plan plan = lab_plan(lab);
	made_sign(&lab->issued, &plan, &sub);
	const struct span certs[] = {buf_span(&sub.der), buf_span(&lab->root.der), buf_span(&lab->issued.der)};
	lab_feed_certs(lab, certs, 3);
	struct agent_action action = lab_next(lab);
	assert_int_equal(action.kind, AGENT_INSTALL);
	lab_pem(&chain, &sub);
	lab_pem(&chain, &lab->inner);
	assert_true(span_equal(action.chain_pem, buf_span(&chain)));
}

/* More CA certificates in cacerts than a path may hold do no harm: only the path's own count. */
static void many_other_cas_in_cacerts_do_no_harm(void **state)
{
	struct lab *lab = *state;
	struct made others[CHAIN_MAX + 1];
	struct span certs[CHAIN_MAX + 3] = {buf_span(&lab->root.der), buf_span(&lab->inner.der)};
	const struct est_attrs attrs = lab_attrs(lab);
	struct buf inner OWNED_BUF = BUF(RUN_PEM_MAX);

	for (size_t i = 0; i <= CHAIN_MAX; i++) {
		char name[32];
		snprintf(name, sizeof(name), "Other CA %zu", i);
		made_ca(&others[i], KEY_P256, name, &lab->root);
		certs[i + 2] = buf_span(&others[i].der);
	}
	lab_feed_certs(lab, certs, CHAIN_MAX + 3);
	for (size_t i = 0; i <= CHAIN_MAX; i++)
		made_fini(&others[i]);
	lab_feed_attrs(lab, &attrs);
	agent_feed_key(lab->agent, lab->key);
	lab_pem(&inner, &lab->inner);
	assert_true(span_equal(enrol_well(lab).chain_pem, buf_span(&inner)));
}

static void a_namesake_of_the_issuer_is_left_out_of_the_chain(void **state)
{
	struct lab *lab = *state;
	struct made namesake OWNED_MADE = {0};
	struct buf inner OWNED_BUF = BUF(RUN_PEM_MAX);
	const struct est_attrs attrs = lab_attrs(lab);

	made_ca(&namesake, KEY_P256, "MEF Issuing CA", &lab->root);
	const struct span certs[] = {buf_span(&namesake.der), buf_span(&lab->inner.der), buf_span(&lab->root.der)};
	lab_feed_certs(lab, certs, 3);
	lab_feed_attrs(lab, &attrs);
	agent_feed_key(lab->agent, lab->key);
	lab_pem(&inner, &lab->inner);
	assert_true(span_equal(enrol_well(lab).chain_pem, buf_span(&inner)));
}

static void issue_dated(struct lab *lab, int64_t from_s, int64_t until_s)
{
	lab_agent(lab);
	lab_to_enrol(lab);
	struct cert_plan plan = lab_plan(lab);
	plan.not_before_s = from_s;
	plan.not_after_s = until_s;
	lab_issue(lab, &plan, &lab->inner);
}

static void an_expired_certificate_is_refused_with_all_dates(void **state)
{
	struct lab *lab = *state;

	issue_dated(lab, lab->now_s - 2 * DAY_S, lab->now_s - DAY_S);
	lab_failed(lab, CODE_AGENT_DATES,
		"good from 2025-12-30T00:00:00Z until 2025-12-31T00:00:00Z, this device's clock says 2026-01-01T00:00:00Z");
}

/* A device whose clock runs a little slow is not locked out; one that runs far slow is told both dates. */
static void a_certificate_from_the_future_is_taken_within_a_slow_clock(void **state)
{
	struct lab *lab = *state;

	issue_dated(lab, lab->now_s + AGENT_SLOW_CLOCK_S, lab->now_s + DAY_S);
	assert_int_equal(lab_next(lab).kind, AGENT_INSTALL);
	issue_dated(lab, lab->now_s + AGENT_SLOW_CLOCK_S + 1, lab->now_s + DAY_S);
	lab_failed(lab, CODE_AGENT_DATES, "good from 2026-01-01T00:10:01Z");
}

/* RFC 7030 4.2.2 */
static void a_renewal_under_another_subject_is_refused(void **state)
{
	struct lab *lab = *state;
	const struct est_attrs none = {0};

	lab->config.goal = AGENT_RENEW;
	for (int i = 0; i < 2; i++) {
		lab_agent(lab);
		lab_to_attrs(lab);
		lab_feed_attrs(lab, &none);
		agent_feed_key(lab->agent, lab->key);
		struct cert_plan plan = lab_plan(lab);
		if (i)
			plan.subject = buf_span(&lab->factory.name);
		lab_issue(lab, &plan, &lab->inner);
		if (i)
			assert_int_equal(lab_next(lab).kind, AGENT_INSTALL);
		else
			lab_failed(lab, CODE_AGENT_ISSUED, "subject");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(an_answer_of_another_media_type_is_refused),
		LAB(an_answer_that_is_no_certs_only_message_is_refused),
		LAB(a_bare_certificate_is_refused),
		LAB(an_answer_without_ca_certificates_is_refused),
		LAB(an_end_entity_among_the_ca_certificates_is_refused),
		LAB(a_ca_that_may_not_sign_certificates_is_refused),
		LAB(what_is_installed_is_the_certificate_its_intermediates_and_the_root),
		LAB(roots_that_vouch_for_the_mef_replace_the_old_anchors),
		LAB(old_anchors_stay_where_they_alone_vouch_for_the_mef),
		LAB(old_anchors_stay_where_the_new_do_not_validate_the_mef),
		LAB(without_a_root_in_cacerts_the_old_anchors_stay),
		LAB(a_rollover_certificate_is_no_anchor),
		LAB(a_certificate_for_another_key_is_refused),
		LAB(a_certificate_under_another_name_is_refused),
		LAB(names_and_usages_beyond_those_asked_for_are_accepted),
		LAB(a_certificate_without_the_usage_asked_for_is_refused),
		LAB(a_ca_certificate_for_the_device_is_refused),
		LAB(a_chain_to_a_foreign_root_is_refused),
		LAB(a_root_inside_the_answer_is_not_trusted),
		LAB(a_forged_issuer_is_refused),
		LAB(an_intermediate_of_the_answer_completes_the_chain),
		LAB(many_other_cas_in_cacerts_do_no_harm),
		LAB(a_namesake_of_the_issuer_is_left_out_of_the_chain),
		LAB(an_expired_certificate_is_refused_with_all_dates),
		LAB(a_certificate_from_the_future_is_taken_within_a_slow_clock),
		LAB(a_renewal_under_another_subject_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
