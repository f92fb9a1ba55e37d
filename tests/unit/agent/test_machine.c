/* The order of steps, what each asks of the caller, and what status and attributes lead to. */
#include "lab.h"

#include "wire/call.h"

enum { URI_SIZE = CALL_PATH_MAX + 64 };

static void expect_config(struct lab *lab, enum code code)
{
	struct agent *a = NULL;
	struct why why = {0};

	assert_int_not_equal(agent_new(&lab->config, &a, &why), OK);
	if (why.code != code)
		fail_msg("want %d, have %d %s", (int)code, (int)why.code, why.text);
	assert_null(a);
}

static void the_address_gets_the_well_known_path(void **state)
{
	struct lab *lab = *state;
	static const struct {
		const char *base, *url;
	} rows[] = {
		{"https://mef.example.com", "https://mef.example.com/.well-known/est/cacerts"},
		{"https://mef.example.com/", "https://mef.example.com/.well-known/est/cacerts"},
		{"https://mef.example.com:8443//", "https://mef.example.com:8443/.well-known/est/cacerts"},
		{LAB_URI, LAB_URI "/cacerts"},
		{LAB_URI "/", LAB_URI "/cacerts"},
		{"HTTPS://mef.example.com/est", "HTTPS://mef.example.com/est/cacerts"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		lab->config.base_uri = rows[i].base;
		lab_agent(lab);
		assert_string_equal(lab_next(lab).url, rows[i].url);
	}
}

static void an_address_that_is_no_https_uri_is_refused(void **state)
{
	struct lab *lab = *state;
	static const char *const bad[] = {"", "mef.example.com", "https://mef.example.com?x=1", "https://",
		"https://user@mef.example.com", "https://mef.example.com/#x", "https://mef.example.com:99999"};
	char longest[URI_SIZE];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct agent *a = NULL;
		struct why why = {0};
		lab->config.base_uri = bad[i];
		assert_int_equal(agent_new(&lab->config, &a, &why), ERR_SYNTAX);
	}
	/* RFC 7030 3.2.1: HTTPS only */
	lab->config.base_uri = "http://mef.example.com/.well-known/est";
	expect_config(lab, CODE_AGENT_URI);
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, LAB_URI, strlen(LAB_URI));
	longest[CALL_PATH_MAX] = '\0';
	lab->config.base_uri = longest;
	lab_agent(lab);
	assert_int_equal(strlen(lab_next(lab).url), CALL_PATH_MAX + strlen("/cacerts"));
	longest[CALL_PATH_MAX] = 'a';
	longest[CALL_PATH_MAX + 1] = '\0';
	expect_config(lab, CODE_BUF_LIMIT);
}

static void without_good_anchors_and_a_certificate_nothing_begins(void **state)
{
	struct lab *lab = *state;

	lab->config.anchors_pem = span_text("");
	expect_config(lab, CODE_CERT_NONE);
	lab->config.anchors_pem = span_text("-----BEGIN CERTIFICATE-----\nMAA=\n");
	expect_config(lab, CODE_CERT_PEM);
	lab->config.anchors_pem = buf_span(&lab->anchors_pem);
	lab->config.client_cert = span_text("no certificate");
	expect_config(lab, CODE_CERT_SYNTAX);
}

/* One anchor more than the agent keeps is refused at the start, not in the middle. */
static void anchors_are_bounded(void **state)
{
	struct lab *lab = *state;

	buf_clear(&lab->anchors_pem);
	for (int i = 0; i <= RUN_SET_MAX; i++) {
		struct made ca OWNED_MADE = {0};
		char name[32];
		snprintf(name, sizeof(name), "CA %d", i);
		made_ca(&ca, KEY_P256, name, NULL);
		lab_pem(&lab->anchors_pem, &ca);
		lab_pem(&lab->anchors_pem, &ca); /* the same twice counts once */
		if (i < RUN_SET_MAX)
			lab_agent(lab);
	}
	lab->config.anchors_pem = buf_span(&lab->anchors_pem);
	expect_config(lab, CODE_AGENT_LIMIT);
}

/* seed 001 8.3.Z.2.2 steps 1-3 */
static void an_enrolment_goes_step_by_step(void **state)
{
	struct lab *lab = *state;
	struct agent_action action = lab_next(lab);

	assert_int_equal(action.kind, AGENT_CALL);
	assert_int_equal(action.method, CALL_GET);
	assert_string_equal(action.url, LAB_URI "/cacerts");
	assert_string_equal(action.accept, "application/pkcs7-mime");
	assert_null(action.media_type);
	lab_to_attrs(lab);
	action = lab_next(lab);
	assert_string_equal(action.url, LAB_URI "/csrattrs");
	assert_string_equal(action.accept, "application/csrattrs");
	assert_int_equal(action.method, CALL_GET);
	const struct est_attrs attrs = lab_attrs(lab);
	lab_feed_attrs(lab, &attrs);
	action = lab_next(lab);
	assert_int_equal(action.kind, AGENT_MAKE_KEY);
	assert_int_equal(action.key, KEY_P256);
	agent_feed_key(lab->agent, lab->key);
	action = lab_next(lab);
	assert_string_equal(action.url, LAB_URI "/simpleenroll");
	assert_string_equal(action.media_type, "application/pkcs10");
	assert_int_equal(action.method, CALL_POST);
	struct cert_plan plan = lab_plan(lab);
	lab_issue(lab, &plan, &lab->inner);
	assert_int_equal(lab_next(lab).kind, AGENT_INSTALL);
	agent_feed_installed(lab->agent);
	assert_int_equal(lab_next(lab).kind, AGENT_DONE);
	assert_int_equal(lab_next(lab).kind, AGENT_DONE);
}

static struct csr posted(struct lab *lab, struct buf *der)
{
	struct csr csr = {0};
	struct why why = {0};

	must(est_body_csr(span_text("application/pkcs10"), lab_next(lab).body, der, &why));
	must(csr_parse(buf_span(der), &csr, &why));
	must(csr_verify(&csr, &why));
	return csr;
}

/* TS-0003 8.3.6.2: challenge, identity and usages as csrattrs has them; RFC 2986: signed by the new key */
static void the_request_obeys_csrattrs(void **state)
{
	struct lab *lab = *state;
	struct buf der OWNED_BUF = BUF(CSR_DER_MAX);

	lab_to_enrol(lab);
	struct csr csr = posted(lab, &der);
	assert_true(csr.has_challenge);
	assert_true(span_is(csr.challenge, "challenge"));
	assert_true(span_equal(csr.san, buf_span(&lab->sans)));
	assert_int_equal(csr.ekus.n, 1);
	assert_true(span_equal(csr.ekus.oids[0], CLIENT_AUTH_OID));
	assert_int_equal(csr.key_usage, KU_DIGITAL_SIGNATURE);
	assert_true(name_is_empty(csr.subject));
	assert_true(key_matches_spki(lab->key, csr.spki));
}

/* RFC 7030 4.5.2: 204 and, from servers without csrattrs, 404 mean no attributes; then the subject names us */
static void without_attributes_the_request_repeats_the_subject(void **state)
{
	struct lab *lab = *state;
	static const unsigned int statuses[] = {204, 404, 200};

	for (size_t i = 0; i < 3; i++) {
		struct buf der OWNED_BUF = BUF(CSR_DER_MAX);
		lab_agent(lab);
		lab_to_attrs(lab);
		lab_feed(lab, statuses[i], "", (struct span){NULL, 0});
		agent_feed_key(lab->agent, lab->key);
		struct csr csr = posted(lab, &der);
		assert_true(span_equal(csr.subject, buf_span(&lab->factory.name)));
		assert_false(csr.has_challenge);
		assert_int_equal(csr.san.n, 0);
	}
}

/* RFC 7030 4.2.2: subject and subjectAltName of the certificate in force, whatever csrattrs says */
static void a_renewal_repeats_subject_and_names(void **state)
{
	struct lab *lab = *state;
	struct buf der OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf own OWNED_BUF = BUF(NAME_DER_MAX);
	struct made held OWNED_MADE = {0};
	struct cert_plan plan = made_plan(&held, KEY_P256, "dev7");

	made_dns(&own, "dev7.example.com");
	plan.sans = buf_span(&own);
	made_sign(&held, &plan, &lab->inner);
	lab->config.goal = AGENT_RENEW;
	lab->config.client_cert = buf_span(&held.der);
	lab_agent(lab);
	lab_to_enrol(lab);
	assert_string_equal(lab_next(lab).url, LAB_URI "/simplereenroll");
	struct csr csr = posted(lab, &der);
	assert_true(span_equal(csr.subject, buf_span(&held.name)));
	assert_true(span_equal(csr.san, buf_span(&own)));
	assert_true(span_is(csr.challenge, "challenge"));
}

static enum key_spec key_asked(struct lab *lab, enum key_spec by_mef)
{
	struct est_attrs attrs = lab_attrs(lab);

	attrs.key = by_mef;
	lab_agent(lab);
	lab_to_attrs(lab);
	lab_feed_attrs(lab, &attrs);
	return lab_next(lab).key;
}

static void the_mefs_wish_for_a_key_comes_first(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(key_asked(lab, KEY_P384), KEY_P384);
	lab->config.key_wish = KEY_RSA3072;
	assert_int_equal(key_asked(lab, KEY_P384), KEY_P384);
	assert_int_equal(key_asked(lab, KEY_NONE), KEY_RSA3072);
	lab->config.reuse_key = true;
	assert_int_equal(key_asked(lab, KEY_NONE), KEY_RSA3072); /* a first enrolment has none to reuse */
	lab->config.goal = AGENT_RENEW;
	assert_int_equal(key_asked(lab, KEY_P384), KEY_NONE);
}

static void csr_attributes_that_cannot_be_read_are_refused(void **state)
{
	struct lab *lab = *state;

	lab_to_attrs(lab);
	lab_feed(lab, 200, "application/csrattrs", span_text("AAAA"));
	lab_failed(lab, CODE_EST_ATTRS, "");
	lab_agent(lab);
	lab_to_attrs(lab);
	lab_feed(lab, 200, "application/csrattrs", span_text("\x01"));
	lab_failed(lab, CODE_EST_BODY, "");
	lab_agent(lab);
	lab_to_attrs(lab);
	lab_feed(lab, 200, "text/plain", span_text("MAA="));
	lab_failed(lab, CODE_AGENT_REPLY, "text/plain");
}

static void the_mefs_own_reason_is_shown(void **state)
{
	struct lab *lab = *state;
	static const struct {
		unsigned int status;
		enum code code;
		enum err kind;
	} rows[] = {
		{400, CODE_AGENT_REFUSED, ERR_FORBIDDEN},
		{401, CODE_AGENT_REFUSED, ERR_FORBIDDEN},
		{403, CODE_AGENT_REFUSED, ERR_FORBIDDEN},
		{404, CODE_AGENT_REPLY, ERR_SYNTAX},
		{500, CODE_AGENT_BROKEN, ERR_SYSTEM},
		{302, CODE_AGENT_REPLY, ERR_SYNTAX},
		{204, CODE_AGENT_REPLY, ERR_SYNTAX},
		{0, CODE_AGENT_REPLY, ERR_SYNTAX},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct agent_action action;
		struct why why = {0};
		char said[64];
		lab_agent(lab);
		lab_feed(lab, rows[i].status, "text/plain", span_text("OMEF-1511: who are you?\r\n"));
		snprintf(said, sizeof(said), "%u: OMEF-1511: who are you?", rows[i].status);
		lab_failed(lab, rows[i].code, said);
		agent_next(lab->agent, &action, &why);
		assert_int_equal(why.kind, rows[i].kind);
		assert_null(strstr(why.text, "you??")); /* the line end is not part of the reason */
	}
}

/* Without a challenge there is nothing that a second csrattrs could mend. */
static void a_refusal_without_challenge_is_final(void **state)
{
	struct lab *lab = *state;
	const struct est_attrs none = {0};

	lab_to_attrs(lab);
	lab_feed_attrs(lab, &none);
	agent_feed_key(lab->agent, lab->key);
	lab_feed(lab, 403, "text/plain", span_text("no"));
	lab_failed(lab, CODE_AGENT_REFUSED, "simpleenroll: status 403: no");
}

static void a_refusal_of_a_renewal_names_the_renewal(void **state)
{
	struct lab *lab = *state;

	lab->config.goal = AGENT_RENEW;
	lab_agent(lab);
	lab_to_enrol(lab);
	lab_feed(lab, 400, "text/plain", span_text("no"));
	lab_failed(lab, CODE_AGENT_REFUSED, "simplereenroll: status 400: no");
}

static void a_spent_challenge_is_replaced_once(void **state)
{
	struct lab *lab = *state;
	const struct est_attrs attrs = lab_attrs(lab);

	lab_to_enrol(lab);
	lab_feed(lab, 409, "text/plain", span_text("spent"));
	assert_string_equal(lab_next(lab).url, LAB_URI "/csrattrs");
	lab_feed_attrs(lab, &attrs);
	assert_int_equal(lab_next(lab).method, CALL_POST); /* the key is kept */
	lab_feed(lab, 409, "text/plain", span_text("spent"));
	lab_failed(lab, CODE_AGENT_REFUSED, "spent");
}

/* A request may wait for days and its challenge die each time: each wait earns one fresh challenge. */
static void each_wait_allows_one_fresh_challenge(void **state)
{
	struct lab *lab = *state;
	const struct est_attrs attrs = lab_attrs(lab);

	lab_to_enrol(lab);
	for (int i = 0; i < 3; i++) {
		lab_feed(lab, 202, "", (struct span){NULL, 0});
		assert_int_equal(lab_next(lab).kind, AGENT_WAIT);
		agent_feed_waited(lab->agent);
		lab_feed(lab, 403, "text/plain", span_text("expired"));
		lab_feed_attrs(lab, &attrs);
		assert_int_equal(lab_next(lab).method, CALL_POST);
	}
	lab_feed(lab, 403, "text/plain", span_text("expired"));
	lab_failed(lab, CODE_AGENT_REFUSED, "expired");
}

static void another_wish_in_the_second_csrattrs_makes_another_key(void **state)
{
	struct lab *lab = *state;
	struct est_attrs attrs = lab_attrs(lab);

	lab_to_enrol(lab);
	lab_feed(lab, 403, "text/plain", span_text("expired"));
	attrs.key = KEY_P384;
	lab_feed_attrs(lab, &attrs);
	assert_int_equal(lab_next(lab).kind, AGENT_MAKE_KEY);
	assert_int_equal(lab_next(lab).key, KEY_P384);
}

enum feeding { FEED_REPLY, FEED_KEY, FEED_INSTALLED, FEED_WAITED, FEEDINGS };

static void feed(struct lab *lab, enum feeding what)
{
	switch (what) {
	case FEED_REPLY:
		lab_feed(lab, 200, CERTS_TYPE, span_text("MAA="));
		return;
	case FEED_KEY:
		agent_feed_key(lab->agent, lab->key);
		return;
	case FEED_INSTALLED:
		agent_feed_installed(lab->agent);
		return;
	case FEED_WAITED:
	case FEEDINGS:
		agent_feed_waited(lab->agent);
		return;
	}
}

static void to_wait(struct lab *lab)
{
	lab_feed(lab, 503, "", (struct span){NULL, 0});
	assert_int_equal(lab_next(lab).kind, AGENT_WAIT);
}

static void to_install(struct lab *lab)
{
	lab_to_enrol(lab);
	struct cert_plan plan = lab_plan(lab);
	lab_issue(lab, &plan, &lab->inner);
	assert_int_equal(lab_next(lab).kind, AGENT_INSTALL);
}

static void to_done(struct lab *lab)
{
	to_install(lab);
	agent_feed_installed(lab->agent);
}

static void to_start(struct lab *lab)
{
	assert_int_equal(lab_next(lab).kind, AGENT_CALL);
}

static void feeding_out_of_turn_is_a_fault_of_the_caller(void **state)
{
	struct lab *lab = *state;
	static const struct {
		void (*go)(struct lab *lab);
		enum feeding good; /* FEEDINGS: none is */
	} rows[] = {
		{to_start, FEED_REPLY},
		{lab_to_attrs, FEED_REPLY},
		{lab_to_key, FEED_KEY},
		{lab_to_enrol, FEED_REPLY},
		{to_install, FEED_INSTALLED},
		{to_wait, FEED_WAITED},
		{to_done, FEEDINGS},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (enum feeding what = FEED_REPLY; what < FEEDINGS; what++) {
			if (what == rows[i].good)
				continue;
			lab_agent(lab);
			rows[i].go(lab);
			feed(lab, what);
			lab_failed(lab, CODE_AGENT_STEP, "");
		}
	}
}

static void a_failure_of_the_caller_ends_the_run_with_its_reason(void **state)
{
	struct lab *lab = *state;
	struct why full = {0};

	to_install(lab);
	WHY(&full, SYSTEM, "", "disk full");
	agent_feed_failure(lab->agent, &full);
	lab_failed(lab, CODE_SYSTEM, "disk full");
	/* nothing wakes it again */
	agent_feed_installed(lab->agent);
	lab_failed(lab, CODE_SYSTEM, "disk full");
}

static void attributes_that_nobody_knows_do_no_harm(void **state)
{
	struct lab *lab = *state;
	/* SEQUENCE { OID 1.2.3.4 } (RFC 7030 4.5.2: ignored) */
	static const uint8_t unknown[] = {0x30, 0x05, 0x06, 0x03, 0x2a, 0x03, 0x04};

	lab_to_attrs(lab);
	lab_feed_der(lab, "application/csrattrs", span_of(unknown, sizeof(unknown)));
	assert_int_equal(lab_next(lab).kind, AGENT_MAKE_KEY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(the_address_gets_the_well_known_path),
		LAB(an_address_that_is_no_https_uri_is_refused),
		LAB(without_good_anchors_and_a_certificate_nothing_begins),
		LAB(anchors_are_bounded),
		LAB(an_enrolment_goes_step_by_step),
		LAB(the_request_obeys_csrattrs),
		LAB(without_attributes_the_request_repeats_the_subject),
		LAB(a_renewal_repeats_subject_and_names),
		LAB(the_mefs_wish_for_a_key_comes_first),
		LAB(csr_attributes_that_cannot_be_read_are_refused),
		LAB(the_mefs_own_reason_is_shown),
		LAB(a_refusal_without_challenge_is_final),
		LAB(a_refusal_of_a_renewal_names_the_renewal),
		LAB(a_spent_challenge_is_replaced_once),
		LAB(each_wait_allows_one_fresh_challenge),
		LAB(another_wish_in_the_second_csrattrs_makes_another_key),
		LAB(feeding_out_of_turn_is_a_fault_of_the_caller),
		LAB(a_failure_of_the_caller_ends_the_run_with_its_reason),
		LAB(attributes_that_nobody_knows_do_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
