/* seed 003 8.3.3.1, 8.3.3.2: whole enrolment exchanges, with lost answers, wrong orders and other people's papers. */
#include "scenario/exchange.h"

#define GW "gw7@mef.example.com"
#define OTHER "gw8@mef.example.com"

static const char full[] = "{\"certificate\":\"offer\",\"certificateUsages\":[42],\"estLabel\":\"onem2m\",\"enrolmentExpiry\":86400,"
	"\"mafs\":[{\"fqdn\":\"maf.example.com\",\"uri\":\"https://maf.example.com:8444\",\"credential\":\"symmetricKey\",\"usages\":[32]},"
	"{\"fqdn\":\"maf2.example.com\",\"uri\":\"https://maf2.example.com\",\"credential\":\"certificate\",\"usages\":[33]}],"
	"\"targets\":[{\"id\":\"cse1.example.com\",\"usages\":[22,23]}]}";
static const struct wish all = {.certificate = true, .maf = true};
static const struct wish nothing = {0};

static void devices(struct scene *s)
{
	scene_device(s, "gw7", ENTITY_FQDN, "gw7.example.com");
	scene_device(s, "gw8", ENTITY_FQDN, "gw8.example.com");
}

static void the_whole_way(void **state)
{
	struct scene *s = *state;
	char keid[M2M_KEYID_SIZE], kreid[M2M_KEYID_SIZE];

	devices(s);
	scene_prefs(s, "gw7", full);
	scene_keid(1, keid);
	scene_kreid(1, kreid);
	/* seed 003 8.3.3.1 step 5: certificate enrolment first */
	struct told t = scene_start(s, GW, 1, all);
	TOLD(t, EXCHANGE_CERTIFICATE, 1);
	assert_string_equal(t.keid, keid);
	assert_string_equal(t.enrolee_id, "gw7.example.com");
	assert_string_equal(t.est_uri, MEF_HTTPS "/.well-known/est/onem2m");
	assert_int_equal(t.m.lifetime_s, RING_DAY_S);
	assert_true(suid_list_has(&t.m.usages, 42));
	/* seed 003 8.3.3.2 step 4: all four are stored */
	assert_true(ring_has(&s->ring, SYMKEY_KE, keid));
	assert_true(ring_has(&s->ring, SYMKEY_KRE, kreid));
	s->ring.now_s += 100;
	scene_certificate(s, "gw7");
	/* seed 003 8.3.3.1 step 7: each MAF, by the credential that the preferences name */
	t = scene_report(s, GW, 1, 1, EXCHANGE_CERTIFICATE, true);
	TOLD(t, EXCHANGE_MAF, 2);
	assert_string_equal(t.maf_fqdn, "maf.example.com");
	assert_string_equal(t.maf_uri, "https://maf.example.com:8444");
	assert_int_equal(t.m.credential, MAF_BY_SYMMETRIC_KEY);
	assert_int_equal(t.m.lifetime_s, RING_DAY_S - 100);
	t = scene_report(s, GW, 1, 2, EXCHANGE_MAF, true);
	TOLD(t, EXCHANGE_MAF, 3);
	assert_string_equal(t.maf_fqdn, "maf2.example.com");
	assert_int_equal(t.m.credential, MAF_BY_CERTIFICATE);
	/* seed 003 8.3.3.1 step 9: the pairs */
	t = scene_report(s, GW, 1, 3, EXCHANGE_MAF, true);
	TOLD(t, EXCHANGE_END, 4);
	assert_string_equal(t.pairs, "cse1.example.com/22 cse1.example.com/23");
	assert_int_equal(ring_count(&s->ring, "exchange.started"), 1);
	assert_int_equal(ring_count(&s->ring, "exchange.ended"), 1);
	assert_int_equal(ring_count(&s->ring, "refused"), 0);
}

static void kre_authenticates_the_next_exchange(void **state)
{
	struct scene *s = *state;
	char kreid[M2M_KEYID_SIZE];

	devices(s);
	struct told t = scene_start(s, GW, 1, nothing);
	TOLD(t, EXCHANGE_END, 1);
	scene_kreid(1, kreid);
	t = scene_start(s, kreid, 2, nothing);
	TOLD(t, EXCHANGE_END, 1);
	s->ring.now_s += PREFS_EXPIRY_DEFAULT_S;
	t = scene_start(s, kreid, 3, nothing);
	TOLD_NO(t, ERR_EXPIRED, CLIENT_PSK_EXPIRED);
}

/* Where nothing is configured: certificate offered, nothing else. */
static void indications_and_preferences_decide(void **state)
{
	static const struct {
		const char *prefs;
		struct wish wish;
		enum exchange_kind kind;
		unsigned int step;
	} rows[] = {
		{NULL, {true, true, NULL}, EXCHANGE_CERTIFICATE, 1},
		{NULL, {false, true, NULL}, EXCHANGE_END, 1},
		{full, {false, true, NULL}, EXCHANGE_MAF, 1},
		{full, {false, false, NULL}, EXCHANGE_END, 1},
		{"{\"certificate\":\"never\"}", {true, true, NULL}, EXCHANGE_END, 1},
		{"{\"certificate\":\"require\"}", {true, false, NULL}, EXCHANGE_CERTIFICATE, 1},
	};
	struct scene *s = *state;

	devices(s);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].prefs)
			scene_prefs(s, "gw7", rows[i].prefs);
		struct told t = scene_start(s, GW, 1 + (unsigned int)i, rows[i].wish);
		TOLD(t, rows[i].kind, rows[i].step);
		if (t.m.kind == EXCHANGE_CERTIFICATE && !rows[i].prefs)
			assert_string_equal(t.est_uri, MEF_HTTPS "/.well-known/est");
	}
	/* seed 003 8.3.3.1 step 5: a certificate is required, the enrolee cannot */
	struct told t = scene_start(s, GW, 50, nothing);
	TOLD_NO(t, ERR_FORBIDDEN, EXCHANGE_CERTIFICATE_NEEDED);
	char keid[M2M_KEYID_SIZE];
	scene_keid(50, keid);
	assert_false(ring_has(&s->ring, SYMKEY_KE, keid));
	assert_int_equal(ring_count(&s->ring, "exchange.refused"), 1);
}

static void preferences_come_from_enrolee_then_token_then_default(void **state)
{
	struct scene *s = *state;
	char token[TOKEN_TEXT_SIZE], id[17];

	devices(s);
	RING_WRITE(&s->ring, register_token(&s->ring.store, &s->ring.random, "", 0, s->ring.now_s, token, id, &why_));
	scene_prefs(s, NULL, "{\"targets\":[{\"id\":\"default.example.com\",\"usages\":[22]}]}");
	RING_WRITE(&s->ring, register_prefs(&s->ring.store, PREFS_TOKEN, id,
		span_text("{\"targets\":[{\"id\":\"token.example.com\",\"usages\":[22]}]}"), s->ring.now_s, &why_));
	struct told t = scene_start(s, GW, 1, nothing);
	assert_string_equal(t.pairs, "default.example.com/22");
	t = scene_start(s, GW, 2, (struct wish){.token = token});
	assert_string_equal(t.pairs, "token.example.com/22");
	RING_WRITE(&s->ring, register_token(&s->ring.store, &s->ring.random, "", 0, s->ring.now_s, token, id, &why_));
	scene_prefs(s, "gw7", "{\"targets\":[{\"id\":\"own.example.com\",\"usages\":[22]}]}");
	t = scene_start(s, GW, 3, (struct wish){.token = token});
	assert_string_equal(t.pairs, "own.example.com/22");
}

/* RFC 7627: keys come from sessions with the extended master secret only. */
static void a_session_without_exported_keys_is_refused(void **state)
{
	struct scene *s = *state;
	uint8_t exported[97] = {0};

	devices(s);
	for (size_t n = 0; n <= 97; n += n == 95 ? 2 : 1) {
		struct told t;
		struct exchange_ask ask = {.start = true, .exported = span_of(exported, n), .request = {.token = ""}};
		scene_call(s, GW, &ask, &t);
		TOLD_NO(t, ERR_UNSUPPORTED, EXCHANGE_NO_EXPORT);
		assert_non_null(strstr(t.why.text, "extended master secret"));
	}
}

static void lost_answers_are_given_again(void **state)
{
	struct scene *s = *state;

	devices(s);
	scene_prefs(s, "gw7", full);
	for (int i = 0; i < 3; i++)
		TOLD(scene_start(s, GW, 1, all), EXCHANGE_CERTIFICATE, 1);
	scene_certificate(s, "gw7");
	for (int i = 0; i < 3; i++)
		TOLD(scene_report(s, GW, 1, 1, EXCHANGE_CERTIFICATE, true), EXCHANGE_MAF, 2);
	for (int i = 0; i < 3; i++)
		TOLD(scene_report(s, GW, 1, 2, EXCHANGE_MAF, true), EXCHANGE_MAF, 3);
	for (int i = 0; i < 3; i++) {
		struct told t = scene_report(s, GW, 1, 3, EXCHANGE_MAF, true);
		TOLD(t, EXCHANGE_END, 4);
		assert_string_equal(t.pairs, "cse1.example.com/22 cse1.example.com/23");
	}
	TOLD(scene_start(s, GW, 1, all), EXCHANGE_CERTIFICATE, 1);
	assert_int_equal(ring_count(&s->ring, "exchange.started"), 1);
	assert_int_equal(ring_count(&s->ring, "exchange.ended"), 1);
}

/* Preferences that change on the way do not change what was decided. */
static void repeats_do_not_follow_new_preferences(void **state)
{
	struct scene *s = *state;

	devices(s);
	scene_prefs(s, "gw7", full);
	TOLD(scene_start(s, GW, 1, all), EXCHANGE_CERTIFICATE, 1);
	scene_prefs(s, "gw7", "{\"certificate\":\"never\"}");
	TOLD(scene_start(s, GW, 1, all), EXCHANGE_CERTIFICATE, 1);
	scene_certificate(s, "gw7");
	TOLD(scene_report(s, GW, 1, 1, EXCHANGE_CERTIFICATE, true), EXCHANGE_MAF, 2);
}

static void a_repeat_that_differs_is_a_conflict(void **state)
{
	static const struct wish others[] = {{true, false, NULL}, {false, true, NULL}, {true, true, "ABCDEFGH"}};
	struct scene *s = *state;

	devices(s);
	scene_prefs(s, "gw7", full);
	TOLD(scene_start(s, GW, 1, all), EXCHANGE_CERTIFICATE, 1);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		TOLD_NO(scene_start(s, GW, 1, others[i]), ERR_CONFLICT, EXCHANGE_DIFFERS);
	scene_certificate(s, "gw7");
	TOLD(scene_report(s, GW, 1, 1, EXCHANGE_CERTIFICATE, true), EXCHANGE_MAF, 2);
	TOLD_NO(scene_report(s, GW, 1, 1, EXCHANGE_CERTIFICATE, false), ERR_CONFLICT, EXCHANGE_DIFFERS);
	TOLD_NO(scene_report(s, GW, 1, 1, EXCHANGE_MAF, true), ERR_CONFLICT, EXCHANGE_DIFFERS);
}

static void steps_out_of_order_are_refused(void **state)
{
	struct scene *s = *state;

	devices(s);
	scene_prefs(s, "gw7", full);
	TOLD_NO(scene_report(s, GW, 1, 1, EXCHANGE_CERTIFICATE, true), ERR_NOT_FOUND, EXCHANGE_UNKNOWN);
	TOLD(scene_start(s, GW, 1, all), EXCHANGE_CERTIFICATE, 1);
	scene_certificate(s, "gw7");
	TOLD_NO(scene_report(s, GW, 1, 0, EXCHANGE_CERTIFICATE, true), ERR_CONFLICT, EXCHANGE_ORDER);
	TOLD_NO(scene_report(s, GW, 1, 2, EXCHANGE_MAF, true), ERR_CONFLICT, EXCHANGE_ORDER);
	TOLD_NO(scene_report(s, GW, 1, 1, EXCHANGE_MAF, true), ERR_CONFLICT, EXCHANGE_ORDER);
	TOLD_NO(scene_report(s, GW, 1, 4, EXCHANGE_END, true), ERR_CONFLICT, EXCHANGE_ORDER);
	TOLD(scene_report(s, GW, 1, 1, EXCHANGE_CERTIFICATE, true), EXCHANGE_MAF, 2);
	TOLD(scene_report(s, GW, 1, 2, EXCHANGE_MAF, true), EXCHANGE_MAF, 3);
	TOLD_NO(scene_report(s, GW, 1, 1, EXCHANGE_CERTIFICATE, true), ERR_CONFLICT, EXCHANGE_ORDER);
	TOLD(scene_report(s, GW, 1, 3, EXCHANGE_MAF, true), EXCHANGE_END, 4);
	TOLD_NO(scene_report(s, GW, 1, 4, EXCHANGE_END, true), ERR_CONFLICT, EXCHANGE_ORDER);
	TOLD_NO(scene_report(s, GW, 1, 4000000000U, EXCHANGE_MAF, true), ERR_CONFLICT, EXCHANGE_ORDER);
	assert_int_equal(ring_count(&s->ring, "exchange.refused"), 8);
}

/* seed 003 8.3.3.1 step 6: an enrolee that says success without a certificate is not believed. */
static void success_without_a_certificate_is_not_believed(void **state)
{
	struct scene *s = *state;

	devices(s);
	scene_prefs(s, "gw7", full);
	scene_certificate(s, "gw8"); /* another's counts for nothing */
	TOLD(scene_start(s, GW, 1, all), EXCHANGE_CERTIFICATE, 1);
	TOLD_NO(scene_report(s, GW, 1, 1, EXCHANGE_CERTIFICATE, true), ERR_CONFLICT, EXCHANGE_NO_CERTIFICATE);
	scene_certificate(s, "gw7");
	s->ring.now_s += RING_DAY_S - 1;
	struct told t = scene_report(s, GW, 1, 1, EXCHANGE_CERTIFICATE, true);
	TOLD(t, EXCHANGE_MAF, 2);
}

/* seed 003 8.3.3.1 step 6: what failed is passed over where the preferences allow it. */
static void the_exchange_goes_on_after_a_failure(void **state)
{
	struct scene *s = *state;

	devices(s);
	scene_prefs(s, "gw7", full);
	TOLD(scene_start(s, GW, 1, all), EXCHANGE_CERTIFICATE, 1);
	TOLD(scene_report(s, GW, 1, 1, EXCHANGE_CERTIFICATE, false), EXCHANGE_MAF, 2);
	assert_non_null(strstr(ring_event(&s->ring, "exchange.step_failed"), "radio is off"));
	/* the second MAF wants a certificate, which there is none of */
	for (int i = 0; i < 2; i++) {
		struct told t = scene_report(s, GW, 1, 2, EXCHANGE_MAF, false);
		TOLD(t, EXCHANGE_END, 4);
		assert_string_equal(t.pairs, "cse1.example.com/22 cse1.example.com/23");
	}
	assert_int_equal(ring_count(&s->ring, "exchange.skipped"), 1);
	assert_int_equal(ring_count(&s->ring, "exchange.step_failed"), 2);
}

/* seed 003 8.3.3.4: a certificate of before serves the MAF as well. */
static void a_maf_by_certificate_needs_one(void **state)
{
	static const char by_certificate[] = "{\"mafs\":[{\"fqdn\":\"maf2.example.com\","
		"\"uri\":\"https://maf2.example.com\",\"credential\":\"certificate\",\"usages\":[33]}]}";
	static const struct wish maf_only = {.maf = true};
	struct scene *s = *state;

	devices(s);
	scene_prefs(s, "gw7", by_certificate);
	TOLD(scene_start(s, GW, 1, maf_only), EXCHANGE_END, 2);
	assert_int_equal(ring_count(&s->ring, "exchange.skipped"), 1);
	scene_certificate(s, "gw7");
	TOLD(scene_start(s, GW, 1, maf_only), EXCHANGE_END, 2); /* the same again, though it could now */
	TOLD(scene_start(s, GW, 2, maf_only), EXCHANGE_MAF, 1);
}

static void a_required_certificate_cannot_be_given_up(void **state)
{
	struct scene *s = *state;

	devices(s);
	scene_prefs(s, "gw7", "{\"certificate\":\"require\"}");
	TOLD(scene_start(s, GW, 1, all), EXCHANGE_CERTIFICATE, 1);
	TOLD_NO(scene_report(s, GW, 1, 1, EXCHANGE_CERTIFICATE, false), ERR_FORBIDDEN, EXCHANGE_CERTIFICATE_NEEDED);
	assert_non_null(strstr(ring_event(&s->ring, "exchange.refused"), "radio is off"));
	scene_certificate(s, "gw7");
	TOLD(scene_report(s, GW, 1, 1, EXCHANGE_CERTIFICATE, true), EXCHANGE_END, 2);
}

static void anothers_exchange_is_refused(void **state)
{
	struct scene *s = *state;

	devices(s);
	scene_prefs(s, "gw7", full);
	TOLD(scene_start(s, GW, 1, all), EXCHANGE_CERTIFICATE, 1);
	TOLD_NO(scene_start(s, OTHER, 1, all), ERR_FORBIDDEN, EXCHANGE_OTHERS);
	TOLD_NO(scene_report(s, OTHER, 1, 1, EXCHANGE_CERTIFICATE, false), ERR_FORBIDDEN, EXCHANGE_OTHERS);
	assert_int_equal(ring_count(&s->ring, "exchange.refused"), 2);
	assert_non_null(strstr(ring_event(&s->ring, "exchange.refused"), "\"enrolee\":\"gw8\""));
	TOLD(scene_start(s, GW, 1, all), EXCHANGE_CERTIFICATE, 1);
}

static void expiry_and_disabling_end_an_exchange(void **state)
{
	struct scene *s = *state;
	char keid[M2M_KEYID_SIZE], kreid[M2M_KEYID_SIZE];
	size_t n = 0;

	devices(s);
	scene_prefs(s, "gw7", full);
	TOLD(scene_start(s, GW, 1, all), EXCHANGE_CERTIFICATE, 1);
	ring_set_state(&s->ring, "gw7", ENROLEE_DISABLED);
	TOLD_NO(scene_report(s, GW, 1, 1, EXCHANGE_CERTIFICATE, false), ERR_FORBIDDEN, CLIENT_DISABLED);
	ring_set_state(&s->ring, "gw7", ENROLEE_ENABLED);
	s->ring.now_s += RING_DAY_S;
	TOLD_NO(scene_report(s, GW, 1, 1, EXCHANGE_CERTIFICATE, false), ERR_EXPIRED, EXCHANGE_OVER);
	TOLD_NO(scene_start(s, GW, 1, all), ERR_EXPIRED, EXCHANGE_OVER);
	RING_WRITE(&s->ring, keys_erase_due(&s->ring.store, s->ring.now_s, 10, &n, &why_));
	assert_int_equal(n, 2);
	scene_keid(1, keid);
	scene_kreid(1, kreid);
	assert_false(ring_has(&s->ring, SYMKEY_KE, keid));
	assert_false(ring_has(&s->ring, SYMKEY_KRE, kreid));
	TOLD_NO(scene_report(s, GW, 1, 1, EXCHANGE_CERTIFICATE, false), ERR_NOT_FOUND, EXCHANGE_UNKNOWN);
}

/* docs/decisions/0013: four at a time; the one that this session stands on is not the one to go. */
static void the_oldest_ke_goes(void **state)
{
	struct scene *s = *state;
	char id[M2M_KEYID_SIZE], kreid[M2M_KEYID_SIZE];

	devices(s);
	TOLD(scene_start(s, OTHER, 100, nothing), EXCHANGE_END, 1);
	for (unsigned int i = 1; i <= EXCHANGE_KES_MAX; i++) {
		s->ring.now_s++;
		TOLD(scene_start(s, GW, i, nothing), EXCHANGE_END, 1);
	}
	scene_keid(1, id);
	assert_true(ring_has(&s->ring, SYMKEY_KE, id));
	s->ring.now_s++;
	TOLD(scene_start(s, GW, 5, nothing), EXCHANGE_END, 1);
	scene_kreid(1, kreid);
	assert_false(ring_has(&s->ring, SYMKEY_KE, id));
	assert_false(ring_has(&s->ring, SYMKEY_KRE, kreid));
	assert_int_equal(ring_count(&s->ring, "key.removed"), 1);
	/* by Kre of the oldest that is left: the next one goes instead */
	scene_kreid(2, kreid);
	s->ring.now_s++;
	TOLD(scene_start(s, kreid, 6, nothing), EXCHANGE_END, 1);
	scene_keid(2, id);
	assert_true(ring_has(&s->ring, SYMKEY_KE, id));
	scene_keid(3, id);
	assert_false(ring_has(&s->ring, SYMKEY_KE, id));
	scene_keid(100, id);
	assert_true(ring_has(&s->ring, SYMKEY_KE, id));
}

/* Nothing is acknowledged before it is durable. */
static void a_failed_commit_leaves_nothing(void **state)
{
	struct scene *s = *state;
	char keid[M2M_KEYID_SIZE];

	devices(s);
	scene_keid(1, keid);
	port.commit_fails = true;
	TOLD_NO(scene_start(s, GW, 1, nothing), ERR_STORE, STORE_FULL);
	port.commit_fails = false;
	assert_false(ring_has(&s->ring, SYMKEY_KE, keid));
	TOLD(scene_start(s, GW, 1, nothing), EXCHANGE_END, 1);
	port.commit_fails = true;
	TOLD_NO(scene_start(s, OTHER, 1, nothing), ERR_STORE, STORE_FULL); /* a refusal whose event is not on disk */
	port.commit_fails = false;
}

/* 32 octets of Ke and Kre, as hex or base64, in no event. */
static void events_hold_no_key(void **state)
{
	struct scene *s = *state;
	uint8_t exported[96];
	char hex[65];

	devices(s);
	scene_prefs(s, "gw7", full);
	TOLD(scene_start(s, GW, 1, all), EXCHANGE_CERTIFICATE, 1);
	scene_export(1, exported);
	for (size_t at = 16; at < 96; at += 48) {
		hex_text(exported + at, 32, hex);
		hex[16] = '\0';
		assert_int_equal(ring_count(&s->ring, hex), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(the_whole_way),
		SCENE_TEST_SQLITE(the_whole_way),
		SCENE_TEST(kre_authenticates_the_next_exchange),
		SCENE_TEST(indications_and_preferences_decide),
		SCENE_TEST(preferences_come_from_enrolee_then_token_then_default),
		SCENE_TEST(a_session_without_exported_keys_is_refused),
		SCENE_TEST(lost_answers_are_given_again),
		SCENE_TEST_SQLITE(lost_answers_are_given_again),
		SCENE_TEST(repeats_do_not_follow_new_preferences),
		SCENE_TEST(a_repeat_that_differs_is_a_conflict),
		SCENE_TEST(steps_out_of_order_are_refused),
		SCENE_TEST(success_without_a_certificate_is_not_believed),
		SCENE_TEST(the_exchange_goes_on_after_a_failure),
		SCENE_TEST(a_maf_by_certificate_needs_one),
		SCENE_TEST(a_required_certificate_cannot_be_given_up),
		SCENE_TEST(anothers_exchange_is_refused),
		SCENE_TEST(expiry_and_disabling_end_an_exchange),
		SCENE_TEST_SQLITE(expiry_and_disabling_end_an_exchange),
		SCENE_TEST(the_oldest_ke_goes),
		SCENE_TEST_SQLITE(the_oldest_ke_goes),
		SCENE_TEST(a_failed_commit_leaves_nothing),
		SCENE_TEST(events_hold_no_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
