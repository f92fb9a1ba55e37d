/* The enrolment exchange as the device sees it: a MEF of a few lines answers, forgets, and lies. */
#include "agent/exchange.h"

#include "base/hex.h"
#include "proto/m2m/derive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NOW_S = 1770000000, LIFETIME_S = 86400 };

#define MEF "https://MEF.example.com:8443"
#define FQDN "mef.example.com"

/* What the MEF instructs, in this order. */
struct mef {
	struct exchange_instruction plan[AGENT_X_STEPS_MAX + 2];
	size_t plan_n;
	size_t at;
	enum doc_form form;
	uint8_t exported[2][M2M_EXPORT_SIZE]; /* of the device's session */
	uint8_t other[M2M_EXPORT_SIZE];       /* the MEF's own, where somebody stands between */
	bool between;
	char keid[M2M_KEYID_SIZE];
	/* what the device said */
	struct exchange_request request;
	struct exchange_report report;
	struct arena arena;
	unsigned int starts, reports;
	char url[256];
};

static int64_t now(void *self)
{
	return NOW_S;
}

static void must(enum err err, const struct why *why)
{
	if (err != OK)
		fail_msg("%s (%s)", why->text, why->clause);
}

static struct exchange_instruction end_of(const struct exchange_pair *pairs, size_t n)
{
	return (struct exchange_instruction){.kind = EXCHANGE_END, .lifetime_s = LIFETIME_S, .enrolee_id = "cse1.m2m.example.com",
		.pairs = pairs, .pairs_n = n};
}

static const struct exchange_pair pairs[] = {{"cse2.m2m.example.com", 22}, {"cse2.m2m.example.com", 23}};

static struct exchange_instruction certificate_at(const char *uri)
{
	struct exchange_instruction m = {.kind = EXCHANGE_CERTIFICATE, .lifetime_s = LIFETIME_S, .enrolee_id = "", .est_uri = uri};

	suid_list_add(&m.usages, 42);
	return m;
}

static struct exchange_instruction maf_at(const char *fqdn, const char *uri, enum maf_credential credential)
{
	struct exchange_instruction m = {.kind = EXCHANGE_MAF, .lifetime_s = LIFETIME_S, .enrolee_id = "", .maf_fqdn = fqdn,
		.maf_uri = uri, .credential = credential};

	suid_list_add(&m.usages, 32);
	return m;
}

static void mef_init(struct mef *m)
{
	*m = (struct mef){.form = DOC_JSON, .arena = ARENA(256 * 1024)};
	for (size_t i = 0; i < M2M_EXPORT_SIZE; i++) {
		m->exported[0][i] = (uint8_t)i;
		m->exported[1][i] = (uint8_t)(0x80 + i);
		m->other[i] = (uint8_t)(0x40 + i);
	}
}

static void mef_add(struct mef *m, struct exchange_instruction i)
{
	i.step = (unsigned int)m->plan_n + 1;
	m->plan[m->plan_n++] = i;
}

static void mef_fini(struct mef *m)
{
	arena_fini(&m->arena);
}
#define OWNED_MEF __attribute__((cleanup(mef_fini)))

/* TS-0003 10.3.1: the MEF's side */
static void mef_start(struct mef *m)
{
	struct secret ke OWNED_SECRET = {0};
	uint8_t relative[M2M_RELATIVE_SIZE];
	struct why why = {0};

	must(m2m_split_export(span_of(m->between ? m->other : m->exported[0], M2M_EXPORT_SIZE), relative, &ke, &why), &why);
	must(m2m_keyid_write(relative, span_text(FQDN), m->keid, &why), &why);
	m->starts++;
	m->at = 0;
}

static void mef_take(struct mef *m, const struct agent_x_action *a)
{
	struct why why = {0};
	enum doc_form form = DOC_JSON;

	snprintf(m->url, sizeof(m->url), "%s", a->url);
	assert_int_equal(a->method, CALL_POST);
	must(doc_form_of(span_text(a->media_type), &form, &why), &why);
	if (a->exports) {
		must(exchange_request_parse(form, a->body, &m->arena, &m->request, &why), &why);
		mef_start(m);
	} else {
		must(exchange_report_parse(form, a->body, &m->arena, &m->report, &why), &why);
		m->reports++;
		m->at = m->report.step; /* the same report again: the same answer */
	}
}

static void mef_answer(struct mef *m, struct agent_x *x)
{
	OWNED_BUF struct buf body = BUF(DOC_BYTES_MAX);
	struct why why = {0};
	struct exchange_instruction i = m->plan[m->at];

	if (!i.keid)
		i.keid = m->keid;
	must(exchange_instruction_write(&i, m->form, &body, &why), &why);
	const struct agent_x_reply reply = {.status = 200, .media_type = span_text(doc_media_type(m->form)),
		.body = buf_span(&body), .bootstrap = span_of(m->exported[0], M2M_EXPORT_SIZE),
		.reauth = span_of(m->exported[1], M2M_EXPORT_SIZE)};
	agent_x_feed(x, &reply);
}

static struct agent_x_config config_of(void)
{
	return (struct agent_x_config){.mef_uri = MEF, .certificate = true, .maf = true, .form = DOC_JSON, .clock = {.unix_s = now}};
}

static struct agent_x *begin(const struct agent_x_config *config)
{
	struct agent_x *x = NULL;
	struct why why = {0};

	must(agent_x_new(config, &x, &why), &why);
	return x;
}

static struct agent_x_action next(struct agent_x *x, enum agent_x_kind want)
{
	struct agent_x_action a;
	struct why why = {0};

	agent_x_next(x, &a, &why);
	if (a.kind != want)
		fail_msg("want action %d, have %d: %s %s", (int)want, (int)a.kind, a.step, why.text);
	return a;
}

static void talk(struct mef *m, struct agent_x *x)
{
	struct agent_x_action a = next(x, AGENT_X_CALL);

	mef_take(m, &a);
	mef_answer(m, x);
}

static void expect_failed(struct agent_x *x, enum code code, const char *text)
{
	struct agent_x_action a;
	struct why why = {0};

	agent_x_next(x, &a, &why);
	if (a.kind != AGENT_X_FAILED || why.code != code || !strstr(why.text, text))
		fail_msg("want %d '%s', have action %d: %d '%s'", (int)code, text, (int)a.kind, (int)why.code, why.text);
	assert_null(a.keys);
}

/* seed 003 8.3.3.1: all ten steps, in both forms */
static void the_whole_exchange_leaves_keys_mafs_and_pairs(void **state)
{
	static const enum doc_form forms[] = {DOC_JSON, DOC_XML};

	for (size_t f = 0; f < 2; f++) {
		struct mef m OWNED_MEF;
		struct agent_x_config config = config_of();
		char ke[65];
		mef_init(&m);
		m.form = config.form = forms[f];
		config.token = "TOKEN234";
		mef_add(&m, certificate_at(MEF "/.well-known/est/onem2m"));
		mef_add(&m, maf_at("maf.example.com", "https://maf.example.com:8444", MAF_BY_SYMMETRIC_KEY));
		mef_add(&m, maf_at("maf2.example.com", "https://maf2.example.com", MAF_BY_CERTIFICATE));
		mef_add(&m, end_of(pairs, 2));
		struct agent_x *x = begin(&config);
		talk(&m, x);
		assert_string_equal(m.url, MEF "/enrolment");
		assert_true(m.request.certificate && m.request.maf);
		assert_string_equal(m.request.token, "TOKEN234");
		struct agent_x_action a = next(x, AGENT_X_ENROL);
		assert_string_equal(a.est_uri, MEF "/.well-known/est/onem2m");
		assert_true(suid_list_has(a.usages, 42));
		agent_x_feed_enrolled(x);
		talk(&m, x);
		assert_string_equal(m.url, MEF "/enrolment/000102030405060708090A0B0C0D0E0F");
		assert_int_equal(m.report.step, 1);
		assert_int_equal(m.report.kind, EXCHANGE_CERTIFICATE);
		assert_true(m.report.success);
		talk(&m, x);
		talk(&m, x);
		assert_int_equal(m.report.step, 3);
		a = next(x, AGENT_X_KEEP);
		assert_string_equal(a.keys->keid, "000102030405060708090A0B0C0D0E0F@" FQDN);
		assert_string_equal(a.keys->kreid, "808182838485868788898A8B8C8D8E8F@" FQDN);
		hex_text(a.keys->ke.bytes, 32, ke);
		assert_string_equal(ke, "101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F");
		assert_int_equal(a.keys->kre.bytes[0], 0x90);
		assert_int_equal(a.keys->expires_s, NOW_S + LIFETIME_S);
		assert_string_equal(a.keys->enrolee_id, "cse1.m2m.example.com");
		assert_int_equal(a.keys->mafs_n, 2);
		/* TS-0003 10.3.7: with SUID 21 */
		hex_text(a.keys->mafs[0].km.bytes, 32, ke);
		assert_string_equal(ke, "C413740F794F52A10B894DD30D3126F95F06C3C28FEA22E7A927A89B10366264");
		assert_int_equal(a.keys->mafs[1].km.n, 0);
		assert_int_equal(a.keys->pairs_n, 2);
		assert_string_equal(a.keys->pairs[1].enrolee_b, "cse2.m2m.example.com");
		assert_int_equal(a.keys->pairs[1].suid, 23);
		agent_x_feed_kept(x);
		next(x, AGENT_X_DONE);
		agent_x_free(x);
	}
}

/* docs/decisions/0013: Km of 10.3.2 by switch */
static void km_of_10_3_2_by_switch(void **state)
{
	struct mef m OWNED_MEF;
	struct agent_x_config config = config_of();
	char km[65];

	mef_init(&m);
	config.km_by_10_3_2 = true;
	mef_add(&m, maf_at("maf.example.com", "https://maf.example.com", MAF_BY_SYMMETRIC_KEY));
	mef_add(&m, end_of(NULL, 0));
	struct agent_x *x = begin(&config);
	talk(&m, x);
	talk(&m, x);
	struct agent_x_action a = next(x, AGENT_X_KEEP);
	hex_text(a.keys->mafs[0].km.bytes, 32, km);
	assert_string_equal(km, "28A823BFE683D7ACFED2E53DEA75E63F39C5FC4BC3D6FFC2B2AA469237DCF4D8");
	agent_x_free(x);
}

static void lose(struct mef *m, struct agent_x *x, bool heard)
{
	struct agent_x_action a = next(x, AGENT_X_CALL);
	struct why why = {0};

	if (heard)
		mef_take(m, &a);
	(void)WHY(&why, AGENT_CONNECT, "", "gone");
	agent_x_feed_lost(x, &why);
}

/* Every message of the exchange, lost on either way, up to the bound. */
static void lost_messages_and_answers_are_repeated(void **state)
{
	for (unsigned int which = 0; which < 3; which++) {
		for (int heard = 0; heard < 2; heard++) {
			struct mef m OWNED_MEF;
			struct agent_x_config config = config_of();
			mef_init(&m);
			mef_add(&m, maf_at("maf.example.com", "https://maf.example.com", MAF_BY_SYMMETRIC_KEY));
			mef_add(&m, maf_at("maf2.example.com", "https://maf2.example.com", MAF_BY_SYMMETRIC_KEY));
			mef_add(&m, end_of(pairs, 1));
			struct agent_x *x = begin(&config);
			for (unsigned int at = 0; at < 3; at++) {
				for (int n = 0; at == which && n < AGENT_X_REPEATS_MAX; n++) {
					lose(&m, x, heard);
					/* another session has other secrets: the later start counts */
					m.exported[0][0] += which == 0;
					assert_int_equal(next(x, AGENT_X_WAIT).wait_s, 1 << n);
					agent_x_feed_waited(x);
				}
				talk(&m, x);
			}
			struct agent_x_action a = next(x, AGENT_X_KEEP);
			assert_int_equal(a.keys->mafs_n, 2);
			assert_string_equal(a.keys->keid, m.keid);
			agent_x_free(x);
		}
	}
}

static void repetitions_end(void **state)
{
	struct mef m OWNED_MEF;
	struct agent_x_config config = config_of();

	mef_init(&m);
	struct agent_x *x = begin(&config);
	for (int n = 0; n < AGENT_X_REPEATS_MAX; n++) {
		lose(&m, x, false);
		next(x, AGENT_X_WAIT);
		agent_x_feed_waited(x);
	}
	lose(&m, x, false);
	expect_failed(x, CODE_AGENT_CONNECT, "gone");
	agent_x_free(x);
}

static void feed_status(struct agent_x *x, unsigned int status, const char *body, int64_t retry_after_s)
{
	const struct agent_x_reply reply = {.status = status, .media_type = span_text("text/plain"), .body = span_text(body),
		.retry_after_s = retry_after_s};

	next(x, AGENT_X_CALL);
	agent_x_feed(x, &reply);
}

static void an_exchange_that_the_mef_forgot_starts_again(void **state)
{
	struct mef m OWNED_MEF;
	struct agent_x_config config = config_of();

	mef_init(&m);
	mef_add(&m, maf_at("maf.example.com", "https://maf.example.com", MAF_BY_SYMMETRIC_KEY));
	mef_add(&m, end_of(pairs, 1));
	struct agent_x *x = begin(&config);
	for (unsigned int n = 0; n < AGENT_X_RESTARTS_MAX; n++) {
		talk(&m, x);
		feed_status(x, 404, "OMEF-2301: no such exchange", 0);
		assert_true(next(x, AGENT_X_CALL).exports);
	}
	talk(&m, x);
	feed_status(x, 404, "OMEF-2301: no such exchange", 0);
	expect_failed(x, CODE_AGENT_REFUSED, "no such exchange");
	assert_int_equal(m.starts, AGENT_X_RESTARTS_MAX + 1);
	agent_x_free(x);
}

static void busy_means_later_and_not_for_ever(void **state)
{
	struct agent_x_config config = config_of();
	struct agent_x *x = begin(&config);

	for (int n = 0; n < AGENT_WAITS_MAX; n++) {
		feed_status(x, n % 2 ? 202 : 503, "", n % 2 ? 7 : 0);
		assert_int_equal(next(x, AGENT_X_WAIT).wait_s, n % 2 ? 7 : AGENT_WAIT_DEFAULT_S);
		agent_x_feed_waited(x);
	}
	feed_status(x, 503, "", 1);
	expect_failed(x, CODE_AGENT_WAITS, "asked");
	agent_x_free(x);
}

static void refusals_are_told_in_the_mefs_words(void **state)
{
	static const struct {
		unsigned int status;
		enum code code;
	} rows[] = {{403, CODE_AGENT_REFUSED}, {409, CODE_AGENT_REFUSED}, {500, CODE_AGENT_BROKEN}, {302, CODE_AGENT_REPLY}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct agent_x_config config = config_of();
		struct agent_x *x = begin(&config);
		feed_status(x, rows[i].status, "want a token\r\n", 0);
		expect_failed(x, rows[i].code, rows[i].status == 302 ? "302" : "want a token");
		agent_x_free(x);
	}
}

/* TS-0003 10.3.1: who ends the TLS session of the device and opens one of its own has another key */
static void a_mef_with_another_key_is_refused(void **state)
{
	struct mef m OWNED_MEF;
	struct agent_x_config config = config_of();

	mef_init(&m);
	m.between = true;
	mef_add(&m, end_of(pairs, 2));
	struct agent_x *x = begin(&config);
	talk(&m, x);
	expect_failed(x, CODE_AGENT_EXPORT, "want 000102030405060708090A0B0C0D0E0F@" FQDN);
	agent_x_free(x);
}

/* One instruction behind a good start, refused. */
static void expect_refused(const struct agent_x_config *config, struct exchange_instruction i, enum code code, const char *text)
{
	struct mef m OWNED_MEF;

	mef_init(&m);
	mef_add(&m, maf_at("maf9.example.com", "https://maf9.example.com", MAF_BY_SYMMETRIC_KEY));
	mef_add(&m, i);
	struct agent_x *x = begin(config);
	if (config->maf) {
		talk(&m, x);
	} else {
		m.plan[0] = m.plan[1];
		m.plan[0].step = 1;
	}
	talk(&m, x);
	expect_failed(x, code, text);
	agent_x_free(x);
}

static void what_the_mef_says_is_checked(void **state)
{
	static const char *const uris[] = {"https://mef.example.com.evil.example/.well-known/est",
		"https://evil.example/mef.example.com"};
	const struct agent_x_config config = config_of();
	struct exchange_instruction i;

	for (size_t n = 0; n < 2; n++)
		expect_refused(&config, certificate_at(uris[n]), CODE_AGENT_INSTRUCTION, "uri: want https://MEF.example.com");
	expect_refused(&config, maf_at("maf.example.com", "https://evil.example", MAF_BY_SYMMETRIC_KEY), CODE_AGENT_INSTRUCTION,
		"uri: want https://maf.example.com");
	expect_refused(&config, maf_at("MAF9.example.com", "https://MAF9.example.com", MAF_BY_SYMMETRIC_KEY), CODE_AGENT_INSTRUCTION, "another MAF");
	expect_refused(&config, maf_at("maf.example.com", "https://maf.example.com", MAF_BY_CERTIFICATE), CODE_AGENT_INSTRUCTION, "there is no certificate");
	i = end_of(pairs, 2);
	i.lifetime_s = (int64_t)PREFS_EXPIRY_MAX_S + 1;
	expect_refused(&config, i, CODE_AGENT_INSTRUCTION, "lifetime");
	i = end_of(pairs, 2);
	i.keid = "000102030405060708090A0B0C0D0EFF@" FQDN;
	expect_refused(&config, i, CODE_AGENT_EXPORT, "0EFF");
}

static void steps_out_of_order_are_refused(void **state)
{
	static const unsigned int steps[] = {1, 1 + AGENT_X_STEPS_MAX};
	struct agent_x_config config = config_of();

	for (size_t i = 0; i < 2; i++) {
		struct mef m OWNED_MEF;
		mef_init(&m);
		mef_add(&m, maf_at("maf.example.com", "https://maf.example.com", MAF_BY_SYMMETRIC_KEY));
		mef_add(&m, end_of(pairs, 2));
		m.plan[1].step = steps[i];
		struct agent_x *x = begin(&config);
		talk(&m, x);
		talk(&m, x);
		expect_failed(x, CODE_AGENT_INSTRUCTION, "instructionNumber: want 2");
		agent_x_free(x);
	}
}

/* seed 003 8.3.3.1 step 7: a MAF that wants a certificate is no instruction for a device without one */
static void instructions_that_the_mef_left_out_are_not_missed(void **state)
{
	struct agent_x_config config = config_of();
	struct mef m OWNED_MEF;

	mef_init(&m);
	config.certificate = false;
	mef_add(&m, maf_at("maf.example.com", "https://maf.example.com", MAF_BY_SYMMETRIC_KEY));
	mef_add(&m, end_of(pairs, 2));
	mef_add(&m, end_of(pairs, 2));
	mef_add(&m, end_of(pairs, 2));
	m.plan[0].step = 2;
	m.plan[2].step = 4;
	struct agent_x *x = begin(&config);
	talk(&m, x);
	talk(&m, x);
	assert_int_equal(m.report.step, 2);
	assert_int_equal(next(x, AGENT_X_KEEP).keys->mafs_n, 1);
	agent_x_free(x);
}

static void what_the_device_said_that_it_cannot_is_not_done(void **state)
{
	struct agent_x_config config = config_of();

	config.maf = config.certificate = false;
	expect_refused(&config, certificate_at(MEF "/.well-known/est"), CODE_AGENT_INSTRUCTION, "none for certificates");
	expect_refused(&config, maf_at("maf.example.com", "https://maf.example.com", MAF_BY_SYMMETRIC_KEY), CODE_AGENT_INSTRUCTION, "none for MAFs");
}

/* The MEF hears of it, and the device keeps what it had. */
static void a_failed_certificate_enrolment_is_reported_and_ends_it(void **state)
{
	for (int lost = 0; lost < 2; lost++) {
		struct mef m OWNED_MEF;
		struct agent_x_config config = config_of();
		struct why why = {0};
		mef_init(&m);
		mef_add(&m, certificate_at(MEF "/.well-known/est"));
		mef_add(&m, end_of(pairs, 2));
		struct agent_x *x = begin(&config);
		talk(&m, x);
		next(x, AGENT_X_ENROL);
		(void)WHY(&why, AGENT_ISSUED, "", "/home/somebody: want what was asked for");
		agent_x_feed_not_enrolled(x, &why);
		for (int n = 0; lost && n < AGENT_X_REPEATS_MAX; n++) {
			lose(&m, x, true);
			next(x, AGENT_X_WAIT);
			agent_x_feed_waited(x);
		}
		if (lost)
			lose(&m, x, true);
		else
			talk(&m, x);
		assert_false(m.report.success);
		assert_non_null(strstr(m.report.error, "OMEF-1804"));
		assert_null(strstr(m.report.error, "/home"));
		expect_failed(x, CODE_AGENT_ISSUED, "want what was asked for");
		agent_x_free(x);
	}
}

static void answers_that_are_no_instructions_are_refused(void **state)
{
	static const struct {
		const char *media_type, *body;
	} rows[] = {{"application/json", "{}"}, {"application/json", "[]"}, {"application/json", "{\"instructionNumber\":1"},
		{"application/pkcs7-mime", "MIIB"}, {"application/xml", "<a/>"}, {"text/html", "<html></html>"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct agent_x_config config = config_of();
		struct agent_x *x = begin(&config);
		uint8_t octets[M2M_EXPORT_SIZE] = {0};
		struct agent_x_action a;
		struct why why = {0};
		const struct agent_x_reply reply = {.status = 200, .media_type = span_text(rows[i].media_type),
			.body = span_text(rows[i].body), .bootstrap = span_of(octets, sizeof(octets)), .reauth = span_of(octets, sizeof(octets))};
		agent_x_feed(x, &reply);
		agent_x_next(x, &a, &why);
		assert_int_equal(a.kind, AGENT_X_FAILED);
		assert_true(why.kind == ERR_SYNTAX || why.kind == ERR_UNSUPPORTED);
		agent_x_free(x);
	}
}

static void fed_out_of_turn_it_fails(void **state)
{
	struct agent_x_config config = config_of();

	for (int i = 0; i < 4; i++) {
		struct agent_x *x = begin(&config);
		struct why why = {0};
		if (i == 0)
			agent_x_feed_enrolled(x);
		else if (i == 1)
			agent_x_feed_kept(x);
		else if (i == 2)
			agent_x_feed_waited(x);
		else
			agent_x_feed_not_enrolled(x, &why);
		expect_failed(x, CODE_AGENT_STEP, "state");
		agent_x_free(x);
	}
}

static void addresses_and_tokens_past_their_bounds_are_refused(void **state)
{
	char token[M2M_TOKEN_MAX + 2];
	struct agent_x *x = NULL;
	struct agent_x_config config = config_of();
	struct why why = {0};

	config.mef_uri = "http://mef.example.com";
	assert_int_equal(agent_x_new(&config, &x, &why), ERR_SYNTAX);
	memset(token, 'A', sizeof(token) - 1);
	token[M2M_TOKEN_MAX + 1] = '\0';
	config = config_of();
	config.token = token;
	why_clear(&why);
	assert_int_equal(agent_x_new(&config, &x, &why), ERR_SYNTAX);
	token[M2M_TOKEN_MAX] = '\0';
	why_clear(&why);
	must(agent_x_new(&config, &x, &why), &why);
	agent_x_free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_whole_exchange_leaves_keys_mafs_and_pairs),
		cmocka_unit_test(km_of_10_3_2_by_switch),
		cmocka_unit_test(lost_messages_and_answers_are_repeated),
		cmocka_unit_test(repetitions_end),
		cmocka_unit_test(an_exchange_that_the_mef_forgot_starts_again),
		cmocka_unit_test(busy_means_later_and_not_for_ever),
		cmocka_unit_test(refusals_are_told_in_the_mefs_words),
		cmocka_unit_test(a_mef_with_another_key_is_refused),
		cmocka_unit_test(what_the_mef_says_is_checked),
		cmocka_unit_test(steps_out_of_order_are_refused),
		cmocka_unit_test(instructions_that_the_mef_left_out_are_not_missed),
		cmocka_unit_test(what_the_device_said_that_it_cannot_is_not_done),
		cmocka_unit_test(a_failed_certificate_enrolment_is_reported_and_ends_it),
		cmocka_unit_test(answers_that_are_no_instructions_are_refused),
		cmocka_unit_test(fed_out_of_turn_it_fails),
		cmocka_unit_test(addresses_and_tokens_past_their_bounds_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
