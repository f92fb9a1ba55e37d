/* seed 003 8.3.3.6: who gets a key out of the MEF, and who does not. */
#include "scenario/exchange.h"

#define GW "gw7@mef.example.com"
#define MAF "maf@mef.example.com"
#define CSE "cse1@mef.example.com"
#define AE "ae1@mef.example.com"

static const char prefs[] = "{\"certificate\":\"never\",\"enrolmentExpiry\":86400,"
	"\"mafs\":[{\"fqdn\":\"maf.example.com\",\"uri\":\"https://maf.example.com:8444\",\"credential\":\"symmetricKey\",\"usages\":[32]}],"
	"\"targets\":[{\"id\":\"cse1.example.com\",\"usages\":[22,23]},{\"id\":\"ae.example.com/App1\",\"usages\":[24]}]}";

static void people(struct scene *s)
{
	scene_device(s, "gw7", ENTITY_CSE, "gw7.example.com");
	scene_device(s, "maf", ENTITY_FQDN, "maf.example.com");
	scene_device(s, "cse1", ENTITY_CSE, "cse1.example.com");
	scene_device(s, "cse2", ENTITY_CSE, "cse2.example.com");
	scene_device(s, "ae1", ENTITY_AE, "coap://ae.example.com:5683/App1");
	scene_device(s, "node", ENTITY_NODE, "urn:dev:ops:1");
	scene_prefs(s, "gw7", prefs);
}

/* To its end: MAF granted, targets granted. */
static void enrol(struct scene *s, unsigned int session)
{
	TOLD(scene_start(s, GW, session, (struct wish){.maf = true}), EXCHANGE_MAF, 1);
	TOLD(scene_report(s, GW, session, 1, EXCHANGE_MAF, true), EXCHANGE_END, 2);
}

static const char *uniform_error(void)
{
	return "key: want one that exists and is granted to the requester";
}

static void expect_refused(const struct fetched *f)
{
	assert_int_equal(f->err, ERR_FORBIDDEN);
	assert_int_equal(f->why.code, CODE_RETRIEVAL_REFUSED);
	assert_true(f->answered);
	assert_false(f->status);
	assert_string_equal(f->error, uniform_error());
	assert_string_equal(f->enrolee_id, "");
}

/* TS-0003 10.3.7: both ends derive the same key from Ke, usage and target. */
static void targets_get_the_enrolees_keys(void **state)
{
	struct scene *s = *state;

	people(s);
	enrol(s, 1);
	s->ring.now_s += 400;
	struct fetched f = scene_fetch(s, MAF, "maf.example.com", 1, 21, RING_FQDN);
	expect_same_key(&f, 1, 21, "maf.example.com");
	assert_string_equal(f.enrolee_id, "gw7.example.com");
	/* TS-0003 10.7: a derived key lives no longer than Ke */
	assert_int_equal(f.lifetime_s, RING_DAY_S - 400);
	f = scene_fetch(s, CSE, "cse1.example.com", 1, 22, RING_FQDN);
	expect_same_key(&f, 1, 22, "cse1.example.com");
	f = scene_fetch(s, CSE, "cse1.example.com", 1, 23, RING_FQDN);
	expect_same_key(&f, 1, 23, "cse1.example.com");
	f = scene_fetch(s, AE, "coap://ae.example.com:5683/App1", 1, 24, RING_FQDN);
	expect_same_key(&f, 1, 24, "ae.example.com/App1");
	assert_int_equal(ring_count(&s->ring, "key.retrieved"), 4);
	assert_non_null(strstr(ring_event(&s->ring, "key.retrieved"), "\"enrolee\":\"gw7\""));
	assert_non_null(strstr(ring_event(&s->ring, "key.retrieved"), "ae.example.com/App1, usage 24"));
}

/* docs/decisions/0013: the seed's path names no usage. */
static void the_short_path_means_the_only_usage(void **state)
{
	struct scene *s = *state;

	people(s);
	enrol(s, 1);
	struct fetched f = scene_fetch(s, MAF, "maf.example.com", 1, 0, "");
	expect_same_key(&f, 1, 21, "maf.example.com");
	f = scene_fetch(s, AE, "coap://ae.example.com:5683/App1", 1, 0, "");
	expect_same_key(&f, 1, 24, "ae.example.com/App1");
	f = scene_fetch(s, CSE, "cse1.example.com", 1, 0, "");
	expect_refused(&f);
	assert_non_null(strstr(ring_event(&s->ring, "key.refused"), "several usages"));
}

/* seed 003 8.3.3.6 step 3b: the name in "from" is the credential's. */
static void the_origin_is_the_credentials_own(void **state)
{
	static const char *const origins[] = {"", "cse1.example.com", "maf.example.com.", "maf", "/maf.example.com", "maf.example.com\n"};
	struct scene *s = *state;

	people(s);
	enrol(s, 1);
	for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
		struct fetched f = scene_fetch(s, MAF, origins[i], 1, 21, RING_FQDN);
		assert_int_equal(f.err, ERR_FORBIDDEN);
		assert_int_equal(f.why.code, CODE_RETRIEVAL_ORIGIN);
		assert_false(f.status);
	}
	struct fetched f = scene_fetch(s, "cse2@mef.example.com", "cse1.example.com", 1, 22, RING_FQDN);
	assert_int_equal(f.why.code, CODE_RETRIEVAL_ORIGIN);
	f = scene_fetch(s, "node@mef.example.com", "urn:dev:ops:1", 1, 22, RING_FQDN);
	assert_int_equal(f.why.code, CODE_RETRIEVAL_ORIGIN);
	assert_int_equal(ring_count(&s->ring, "key.refused"), 8);
	/* in normal form */
	f = scene_fetch(s, MAF, "MAF.example.COM", 1, 21, "MEF.example.com");
	expect_same_key(&f, 1, 21, "maf.example.com");
	f = scene_fetch(s, AE, "COAP://AE.example.com:5683/App1", 1, 24, "");
	expect_same_key(&f, 1, 24, "ae.example.com/App1");
}

/* seed 003 8.3.3.6 step 4: unknown, expired, not authorised: one answer. The audit log knows which. */
static void refusals_look_alike(void **state)
{
	struct scene *s = *state;

	people(s);
	enrol(s, 1);
	const struct {
		struct fetched f;
		const char *reason;
	} rows[] = {
		{scene_fetch(s, MAF, "maf.example.com", 2, 21, RING_FQDN), "no such Ke"},
		{scene_fetch(s, MAF, "maf.example.com", 1, 21, "other.example.com"), "another MEF"},
		{scene_fetch(s, MAF, "maf.example.com", 1, 22, RING_FQDN), "not granted"},
		{scene_fetch(s, MAF, "maf.example.com", 1, 99, RING_FQDN), "not granted"},
		{scene_fetch(s, CSE, "cse1.example.com", 1, 21, RING_FQDN), "not granted"},
		{scene_fetch(s, CSE, "cse1.example.com", 1, 24, RING_FQDN), "not granted"},
		{scene_fetch(s, "cse2@mef.example.com", "cse2.example.com", 1, 22, RING_FQDN), "not granted"},
		{scene_fetch(s, "cse2@mef.example.com", "cse2.example.com", 1, 0, ""), "not granted"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		expect_refused(&rows[i].f);
		assert_true(ring_count(&s->ring, rows[i].reason) > 0);
	}
	s->ring.now_s += RING_DAY_S;
	struct fetched f = scene_fetch(s, MAF, "maf.example.com", 1, 21, RING_FQDN);
	expect_refused(&f);
	assert_int_equal(ring_count(&s->ring, "the Ke has expired"), 1);
	assert_int_equal(ring_count(&s->ring, "key.refused"), 9);
	assert_int_equal(ring_count(&s->ring, "key.retrieved"), 0);
}

/* What the exchange has not granted yet is not given out. */
static void rights_follow_the_exchange(void **state)
{
	struct scene *s = *state;
	struct fetched f;

	people(s);
	TOLD(scene_start(s, GW, 1, (struct wish){.maf = true}), EXCHANGE_MAF, 1);
	f = scene_fetch(s, MAF, "maf.example.com", 1, 21, RING_FQDN);
	expect_same_key(&f, 1, 21, "maf.example.com");
	f = scene_fetch(s, CSE, "cse1.example.com", 1, 22, RING_FQDN);
	expect_refused(&f);
	TOLD(scene_report(s, GW, 1, 1, EXCHANGE_MAF, false), EXCHANGE_END, 2);
	f = scene_fetch(s, MAF, "maf.example.com", 1, 21, RING_FQDN);
	expect_refused(&f); /* the enrolee gave it up */
	f = scene_fetch(s, CSE, "cse1.example.com", 1, 22, RING_FQDN);
	expect_same_key(&f, 1, 22, "cse1.example.com");
	/* an enrolee that knows no MAF grants none */
	TOLD(scene_start(s, GW, 2, (struct wish){0}), EXCHANGE_END, 1);
	f = scene_fetch(s, MAF, "maf.example.com", 2, 21, RING_FQDN);
	expect_refused(&f);
}

static void rights_taken_away_end_at_once(void **state)
{
	struct scene *s = *state;
	struct fetched f;

	people(s);
	enrol(s, 1);
	f = scene_fetch(s, CSE, "cse1.example.com", 1, 22, RING_FQDN);
	expect_same_key(&f, 1, 22, "cse1.example.com");
	scene_prefs(s, "gw7", "{\"targets\":[{\"id\":\"cse1.example.com\",\"usages\":[23]},{\"id\":\"cse2.example.com\",\"usages\":[22]}]}");
	f = scene_fetch(s, CSE, "cse1.example.com", 1, 22, RING_FQDN);
	expect_refused(&f);
	f = scene_fetch(s, CSE, "cse1.example.com", 1, 23, RING_FQDN);
	expect_same_key(&f, 1, 23, "cse1.example.com");
	f = scene_fetch(s, MAF, "maf.example.com", 1, 21, RING_FQDN);
	expect_refused(&f);
	/* and those of later preferences need an exchange first */
	f = scene_fetch(s, "cse2@mef.example.com", "cse2.example.com", 1, 22, RING_FQDN);
	expect_refused(&f);
	ring_set_state(&s->ring, "gw7", ENROLEE_DISABLED);
	f = scene_fetch(s, CSE, "cse1.example.com", 1, 23, RING_FQDN);
	expect_refused(&f);
	assert_int_equal(ring_count(&s->ring, "its enrolee is disabled"), 1);
}

/* A target whose own credential has gone between handshake and request. */
static void a_target_that_lost_its_standing_is_refused(void **state)
{
	struct scene *s = *state;
	struct arena arena OWNED_ARENA = ARENA(64 * 1024);
	const struct client_facts facts = {.trust = CLIENT_PSK, .identity = span_text(MAF)};
	struct client client = {0};
	struct fetched f = {0};
	uint8_t exported[96];
	struct why why = {0};

	people(s);
	enrol(s, 1);
	good(client_find(&s->ring.store, &facts, s->ring.now_s, &arena, &client, &why), &why);
	RING_WRITE(&s->ring, register_key_remove(&s->ring.store, SYMKEY_KPM, MAF, s->ring.now_s, &why_));
	struct retrieval_call call = {.client = &client, .address = "", .origin = span_text("maf.example.com"), .ask = {.suid = 21}};
	scene_export(1, exported);
	memcpy(call.ask.relative, exported, M2M_RELATIVE_SIZE);
	retrieval_do(&s->env, &call, on_fetched, &f);
	batch_flush(s->ring.batch);
	assert_int_equal(f.err, ERR_FORBIDDEN);
	assert_int_equal(f.why.code, CODE_CLIENT_PSK_UNKNOWN);
	assert_false(f.status);
}

static void a_key_leaves_only_with_its_event(void **state)
{
	struct scene *s = *state;

	people(s);
	enrol(s, 1);
	port.commit_fails = true;
	struct fetched f = scene_fetch(s, MAF, "maf.example.com", 1, 21, RING_FQDN);
	port.commit_fails = false;
	assert_int_equal(f.err, ERR_STORE);
	assert_false(f.answered);
	assert_int_equal(f.key.n, 0);
}

static void faults_of_ours_come_without_an_answer(void **state)
{
	struct scene *s = *state;

	people(s);
	enrol(s, 1);
	s->ring.seal_key.bytes[3] ^= 1;
	struct fetched f = scene_fetch(s, MAF, "maf.example.com", 1, 21, RING_FQDN);
	assert_int_equal(f.err, ERR_CRYPTO);
	assert_false(f.answered);
	assert_int_equal(ring_count(&s->ring, "key.failed"), 1);
}

/* seed 003 8.3.3.1: rights that come from a token's preferences end with the token. */
static void a_tokens_preferences_hold_as_long_as_the_token(void **state)
{
	struct scene *s = *state;
	char token[TOKEN_TEXT_SIZE], id[17];

	scene_device(s, "gw8", ENTITY_CSE, "gw8.example.com");
	scene_device(s, "maf", ENTITY_FQDN, "maf.example.com");
	RING_WRITE(&s->ring, register_token(&s->ring.store, &s->ring.random, "", 0, s->ring.now_s, token, id, &why_));
	RING_WRITE(&s->ring, register_prefs(&s->ring.store, PREFS_TOKEN, id, span_text(prefs), s->ring.now_s, &why_));
	TOLD(scene_start(s, "gw8@mef.example.com", 1, (struct wish){.maf = true, .token = token}), EXCHANGE_MAF, 1);
	TOLD(scene_report(s, "gw8@mef.example.com", 1, 1, EXCHANGE_MAF, true), EXCHANGE_END, 2);
	struct fetched f = scene_fetch(s, MAF, "maf.example.com", 1, 21, RING_FQDN);
	expect_same_key(&f, 1, 21, "maf.example.com");
	RING_WRITE(&s->ring, register_token_remove(&s->ring.store, id, s->ring.now_s, &why_));
	f = scene_fetch(s, MAF, "maf.example.com", 1, 21, RING_FQDN);
	expect_refused(&f);
}

/* It harms nobody else in its batch, which the store has not lost. */
static void damaged_preferences_are_a_fault_of_ours(void **state)
{
	struct scene *s = *state;
	struct store *store = &s->ring.store;
	struct why why = {0};

	people(s);
	enrol(s, 1);
	RING_WRITE(&s->ring, store->ops->prefs_put(store->self, PREFS_ENROLEE, "gw7", span_text("{"), &why_));
	good(batch_enter(s->ring.batch, &why), &why);
	good(register_prefs(store, PREFS_ENROLEE, "cse2", span_text("{}"), s->ring.now_s, &why), &why);
	good(batch_leave(s->ring.batch, true, &why), &why);
	struct fetched f = scene_fetch(s, MAF, "maf.example.com", 1, 21, RING_FQDN);
	assert_int_equal(f.err, ERR_SYSTEM);
	assert_int_equal(f.why.code, CODE_PREFS_STORED);
	assert_false(f.answered);
	assert_int_equal(ring_count(&s->ring, "key.failed"), 1);
	assert_int_equal(ring_count(&s->ring, "preferences.changed"), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(targets_get_the_enrolees_keys),
		SCENE_TEST_SQLITE(targets_get_the_enrolees_keys),
		SCENE_TEST(the_short_path_means_the_only_usage),
		SCENE_TEST(the_origin_is_the_credentials_own),
		SCENE_TEST(refusals_look_alike),
		SCENE_TEST_SQLITE(refusals_look_alike),
		SCENE_TEST(rights_follow_the_exchange),
		SCENE_TEST(rights_taken_away_end_at_once),
		SCENE_TEST(a_target_that_lost_its_standing_is_refused),
		SCENE_TEST(a_key_leaves_only_with_its_event),
		SCENE_TEST(faults_of_ours_come_without_an_answer),
		SCENE_TEST(a_tokens_preferences_hold_as_long_as_the_token),
		SCENE_TEST_SQLITE(a_tokens_preferences_hold_as_long_as_the_token),
		SCENE_TEST(damaged_preferences_are_a_fault_of_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
