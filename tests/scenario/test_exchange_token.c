/* seed 003 8.3.3.1 step 3: Enrolment-Tokens. */
#include "scenario/exchange.h"

#define GW "gw7@mef.example.com"
#define OTHER "gw8@mef.example.com"

static const struct wish no_token = {0};

struct made {
	char text[TOKEN_TEXT_SIZE];
	char id[17];
};

static struct made make(struct scene *s, const char *enrolee_id, int64_t expires_s)
{
	struct made m;

	RING_WRITE(&s->ring, register_token(&s->ring.store, &s->ring.random, enrolee_id, expires_s, s->ring.now_s, m.text, m.id, &why_));
	return m;
}

static struct wish with(const struct made *m)
{
	return (struct wish){.certificate = true, .token = m->text};
}

static void devices(struct scene *s)
{
	scene_device(s, "gw7", ENTITY_FQDN, "gw7.example.com");
	scene_device(s, "gw8", ENTITY_FQDN, "gw8.example.com");
}

static void a_required_token_is_required(void **state)
{
	struct scene *s = *state;

	devices(s);
	struct made m = make(s, "gw7", 0);
	TOLD(scene_start(s, GW, 1, no_token), EXCHANGE_END, 1);
	s->env.token_required = true;
	struct told t = scene_start(s, GW, 2, no_token);
	TOLD_NO(t, ERR_FORBIDDEN, EXCHANGE_TOKEN_MISSING);
	assert_string_equal(t.why.clause, "seed 003 8.3.3.1 step 3");
	TOLD(scene_start(s, GW, 2, with(&m)), EXCHANGE_CERTIFICATE, 1);
}

static void an_invalid_token_denies_also_where_none_is_required(void **state)
{
	static const char *const bad[] = {"AAAAAAAAAAAAAAAAAAAAAAAAAA", "not_a_token", " ", "A"};
	struct scene *s = *state;
	char keid[M2M_KEYID_SIZE];

	devices(s);
	struct made of_other = make(s, "gw8", 0);
	struct made short_lived = make(s, "gw7", s->ring.now_s + 10);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		TOLD_NO(scene_start(s, GW, 1, (struct wish){.token = bad[i]}), ERR_FORBIDDEN, EXCHANGE_TOKEN);
	TOLD_NO(scene_start(s, GW, 1, with(&of_other)), ERR_FORBIDDEN, EXCHANGE_TOKEN);
	s->ring.now_s += 10;
	TOLD_NO(scene_start(s, GW, 1, with(&short_lived)), ERR_FORBIDDEN, EXCHANGE_TOKEN);
	scene_keid(1, keid);
	assert_false(ring_has(&s->ring, SYMKEY_KE, keid));
	assert_int_equal(ring_count(&s->ring, "exchange.refused"), 6);
	assert_int_equal(ring_count(&s->ring, of_other.text), 0);
	/* the owner's use was not spoiled */
	TOLD(scene_start(s, OTHER, 2, with(&of_other)), EXCHANGE_CERTIFICATE, 1);
}

static void a_token_serves_one_enrolee_once(void **state)
{
	struct scene *s = *state;

	devices(s);
	struct made m = make(s, "", 0);
	TOLD(scene_start(s, GW, 1, with(&m)), EXCHANGE_CERTIFICATE, 1);
	TOLD_NO(scene_start(s, OTHER, 2, with(&m)), ERR_FORBIDDEN, EXCHANGE_TOKEN);
	/* the answer was lost with its session: the same enrolee may begin again */
	TOLD(scene_start(s, GW, 3, with(&m)), EXCHANGE_CERTIFICATE, 1);
	scene_certificate(s, "gw7");
	TOLD(scene_report(s, GW, 3, 1, EXCHANGE_CERTIFICATE, true), EXCHANGE_END, 2);
	TOLD(scene_report(s, GW, 3, 1, EXCHANGE_CERTIFICATE, true), EXCHANGE_END, 2);
	TOLD_NO(scene_start(s, OTHER, 5, with(&m)), ERR_FORBIDDEN, EXCHANGE_TOKEN);
	/* it is spent now, for a new exchange and for the end of the old one */
	s->ring.now_s += 600;
	TOLD_NO(scene_start(s, GW, 4, with(&m)), ERR_FORBIDDEN, EXCHANGE_TOKEN);
	TOLD_NO(scene_report(s, GW, 1, 1, EXCHANGE_CERTIFICATE, true), ERR_FORBIDDEN, EXCHANGE_TOKEN);
	TOLD_NO(scene_start(s, OTHER, 5, with(&m)), ERR_FORBIDDEN, EXCHANGE_TOKEN);
}

/* The answer that ended the exchange, and its session, were lost: the enrolee has nothing to go on with. */
static void a_token_can_be_shown_again_when_the_end_was_lost(void **state)
{
	struct scene *s = *state;

	devices(s);
	s->env.token_required = true;
	struct made m = make(s, "", 0);
	const struct wish plain = {.token = m.text};
	TOLD(scene_start(s, GW, 1, plain), EXCHANGE_END, 1);
	s->ring.now_s += 599;
	TOLD(scene_start(s, GW, 2, plain), EXCHANGE_END, 1);
	TOLD_NO(scene_start(s, OTHER, 3, plain), ERR_FORBIDDEN, EXCHANGE_TOKEN);
	/* the time runs from the first use, not from the repeated one */
	s->ring.now_s += 1;
	TOLD_NO(scene_start(s, GW, 4, plain), ERR_FORBIDDEN, EXCHANGE_TOKEN);
}

/* Two enrolees in one batch: before either is answered the second is refused. */
static void a_token_serves_one_of_two_at_the_same_time(void **state)
{
	static const char *const identities[] = {GW, OTHER};
	struct scene *s = *state;
	struct told t[2] = {0};
	struct why why = {0};

	devices(s);
	struct made m = make(s, "", 0);
	for (unsigned int i = 0; i < 2; i++) {
		struct arena arena OWNED_ARENA = ARENA(64 * 1024);
		const struct client_facts facts = {.trust = CLIENT_PSK, .identity = span_text(identities[i])};
		struct client client = {0};
		uint8_t exported[96];
		scene_export(i, exported);
		good(client_find(&s->ring.store, &facts, s->ring.now_s, &arena, &client, &why), &why);
		const struct exchange_ask ask = {.client = &client, .address = "", .start = true, .exported = span_of(exported, 96),
			.request = {.certificate = true, .token = m.text}};
		exchange_call(&s->env, &ask, on_told, &t[i]);
	}
	batch_flush(s->ring.batch);
	TOLD(t[0], EXCHANGE_CERTIFICATE, 1);
	TOLD_NO(t[1], ERR_FORBIDDEN, EXCHANGE_TOKEN);
}

static void a_refused_exchange_does_not_claim_its_token(void **state)
{
	struct scene *s = *state;

	devices(s);
	struct made m = make(s, "", 0);
	scene_prefs(s, "gw7", "{\"certificate\":\"require\"}");
	TOLD_NO(scene_start(s, GW, 1, (struct wish){.token = m.text}), ERR_FORBIDDEN, EXCHANGE_CERTIFICATE_NEEDED);
	TOLD(scene_start(s, OTHER, 2, with(&m)), EXCHANGE_CERTIFICATE, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(a_required_token_is_required),
		SCENE_TEST(an_invalid_token_denies_also_where_none_is_required),
		SCENE_TEST(a_token_serves_one_enrolee_once),
		SCENE_TEST_SQLITE(a_token_serves_one_enrolee_once),
		SCENE_TEST(a_token_can_be_shown_again_when_the_end_was_lost),
		SCENE_TEST_SQLITE(a_token_can_be_shown_again_when_the_end_was_lost),
		SCENE_TEST(a_token_serves_one_of_two_at_the_same_time),
		SCENE_TEST_SQLITE(a_token_serves_one_of_two_at_the_same_time),
		SCENE_TEST(a_refused_exchange_does_not_claim_its_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
