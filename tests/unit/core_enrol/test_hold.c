#include "world.h"

#include "core/registry/request.h"

/* gw7 with its factory certificate, on a label that holds, and its one CSR. */
struct site {
	struct world *w;
	struct arena arena;
	struct buf leaf, csr;
	struct client client;
	struct enrol_ask ask;
	struct request row;
};

static const char nonce[] = "0123456789abcdef";

static void site_init(struct site *s, struct world *w)
{
	static const struct credential cred = {.kind = CREDENTIAL_SERIAL, .value = "SN-7"};
	const struct csr_wish wish = {.cn = "gw7", .san = san_of(SAN_URI, "urn:dev:ops:7"), .challenge = "value"};
	struct why why;

	*s = (struct site){.w = w, .arena = ARENA(1024 * 1024), .leaf = BUF(CERT_DER_MAX), .csr = BUF(CSR_DER_MAX)};
	world_leaf(w, "Factory box", "SN-7", NULL, &s->leaf);
	world_add(w, "gw7", ENTITY_NODE, "urn:dev:ops:7", &cred, 1);
	good(world_find(w, CLIENT_THIRD_PARTY, buf_span(&s->leaf), &s->arena, &s->client, &why), &why);
	make_csr(&wish, w->device_key, &s->csr);
	w->label.hold = HOLD_ENROL;
	w->label.hold_ttl_s = 1000;
	s->ask = (struct enrol_ask){.client = &s->client, .address = "192.0.2.7", .label = &w->label, .csr = buf_span(&s->csr),
		.nonce = span_of(nonce, STORE_NONCE_SIZE)};
}

static void site_fini(struct site *s)
{
	arena_fini(&s->arena);
	buf_fini(&s->leaf);
	buf_fini(&s->csr);
}

#define OWNED_SITE __attribute__((cleanup(site_fini)))

/* Asks, and wants that; of a certificate its octets stay in the arena. */
static struct span asks(struct site *s, enum err err, enum code code)
{
	struct answer a OWNED_ANSWER = ANSWER;
	const struct enrol_env env = world_env(s->w);

	enrol_certificate(&env, &s->ask, on_answer, &a);
	batch_flush(s->w->batch);
	assert_int_equal(a.times, 1);
	if (a.err != err || a.why.code != code)
		fail_msg("want %s %d, have %s %d: %s", err_name(err), (int)code, err_name(a.err), (int)a.why.code, a.why.text);
	return arena_copy(&s->arena, buf_span(&a.cert));
}

static enum err see(void *arg, const struct request *r, struct why *why)
{
	struct site *s = arg;

	(void)why;
	s->row = *r;
	s->row.id = arena_text(&s->arena, span_text(r->id));
	return OK;
}

static void look(struct site *s)
{
	const struct request_filter all = {.limit = 2};
	struct why why = {0};

	s->row = (struct request){0};
	good(s->w->store->ops->request_list(s->w->store->self, &all, see, s, &why), &why);
}

static void decides(struct site *s, bool approve)
{
	const struct request_word word = {.approve = approve, .by = "pat", .reason = "not that one"};
	struct why why = {0};

	look(s);
	good(batch_enter(s->w->batch, &why), &why);
	good(request_decide(s->w->store, s->row.id, &word, s->w->now_s, &why), &why);
	good(batch_leave(s->w->batch, true, &why), &why);
	batch_flush(s->w->batch);
}

/* The challenge is over, as bind would find. */
static void challenge_ends(struct site *s)
{
	static struct why over;

	(void)WHY(&over, CHALLENGE_EXPIRED, "", "challengePassword: over");
	s->ask.nonce = (struct span){0};
	s->ask.challenge_err = ERR_EXPIRED;
	s->ask.challenge_why = &over;
}

static void nothing_is_issued_before_a_person_says_so(void **state)
{
	struct site s OWNED_SITE;

	site_init(&s, *state);
	asks(&s, ERR_PENDING, CODE_REQUEST_WAITS);
	assert_int_equal(s.w->issued, 0);
	const uint64_t events = world_counts(s.w).audit;
	challenge_ends(&s);
	asks(&s, ERR_PENDING, CODE_REQUEST_WAITS);
	assert_int_equal(world_counts(s.w).audit, events); /* polls fill no log */
	assert_int_equal(world_counts(s.w).waiting, 1);
	decides(&s, true);
	const struct span first = asks(&s, OK, CODE_NONE);
	assert_non_null(strstr(world_last_event(s.w), "approved by pat"));
	assert_true(span_equal(asks(&s, OK, CODE_NONE), first));
	assert_int_equal(world_counts(s.w).issued, 1);
}

static void nobody_waits_for_what_is_not_on_disk(void **state)
{
	struct site s OWNED_SITE;

	site_init(&s, *state);
	faults.commit_fails = true;
	asks(&s, ERR_STORE, CODE_STORE_FULL);
	faults.commit_fails = false;
	assert_int_equal(world_counts(s.w).waiting, 0);
	faults.audit_fails = true;
	asks(&s, ERR_STORE, CODE_STORE_IO);
	faults.audit_fails = false;
	assert_int_equal(world_counts(s.w).waiting, 0);
}

static void twin_polls_of_an_approved_one_get_one_certificate(void **state)
{
	struct site s OWNED_SITE;
	struct answer a OWNED_ANSWER = ANSWER;
	struct answer b OWNED_ANSWER = ANSWER;

	site_init(&s, *state);
	asks(&s, ERR_PENDING, CODE_REQUEST_WAITS);
	decides(&s, true);
	const struct enrol_env env = world_env(s.w);
	s.w->hold = true;
	enrol_certificate(&env, &s.ask, on_answer, &a);
	enrol_certificate(&env, &s.ask, on_answer, &b);
	assert_int_equal(s.w->held_n, 2);
	world_release(s.w);
	batch_flush(s.w->batch);
	good(a.err, &a.why);
	good(b.err, &b.why);
	assert_true(span_equal(buf_span(&a.cert), buf_span(&b.cert)));
	assert_int_equal(world_counts(s.w).issued, 1);
}

static void a_denied_one_stays_denied_for_its_time(void **state)
{
	struct site s OWNED_SITE;

	site_init(&s, *state);
	asks(&s, ERR_PENDING, CODE_REQUEST_WAITS);
	s.w->now_s += 999;
	decides(&s, false);
	s.w->now_s += 999;
	asks(&s, ERR_FORBIDDEN, CODE_REQUEST_DENIED);
	assert_non_null(strstr(world_last_event(s.w), "not that one"));
	s.w->now_s += 1;
	asks(&s, ERR_PENDING, CODE_REQUEST_WAITS); /* a fresh one */
	look(&s);
	assert_int_equal(s.row.state, REQUEST_WAITING);
	assert_int_equal(s.row.created_s, s.w->now_s);
}

static void past_its_time_the_challenge_counts_again(void **state)
{
	struct site s OWNED_SITE;

	site_init(&s, *state);
	asks(&s, ERR_PENDING, CODE_REQUEST_WAITS);
	challenge_ends(&s);
	s.w->now_s += 999;
	asks(&s, ERR_PENDING, CODE_REQUEST_WAITS);
	s.w->now_s += 1;
	asks(&s, ERR_EXPIRED, CODE_CHALLENGE_EXPIRED);
}

static void the_policy_is_asked_again(void **state)
{
	struct site s OWNED_SITE;

	site_init(&s, *state);
	asks(&s, ERR_PENDING, CODE_REQUEST_WAITS);
	decides(&s, true);
	s.client.enrolee.entity_id = "urn:dev:ops:8"; /* as the operator has it now */
	asks(&s, ERR_FORBIDDEN, CODE_POLICY_SAN);
	assert_int_equal(s.w->issued, 0);
}

static void what_is_past_its_time_is_removed(void **state)
{
	struct site s OWNED_SITE;
	struct why why = {0};
	size_t n = 0;

	site_init(&s, *state);
	asks(&s, ERR_PENDING, CODE_REQUEST_WAITS);
	for (int64_t over = 0; over < 2; over++) {
		good(batch_enter(s.w->batch, &why), &why);
		good(request_erase_due(s.w->store, s.w->now_s + 999 + over, 10, &n, &why), &why);
		good(batch_leave(s.w->batch, true, &why), &why);
		batch_flush(s.w->batch);
		assert_int_equal(n, over);
	}
	assert_non_null(strstr(world_last_event(s.w), "request.expired"));
	assert_int_equal(world_counts(s.w).waiting, 0);
}

/* Some clients call simplereenroll whenever they have a certificate. */
static void foreign_reenrol_is_an_enrolment_where_the_label_says_so(void **state)
{
	struct site s OWNED_SITE;

	site_init(&s, *state);
	s.w->label.hold = HOLD_NONE;
	s.ask.reenrol = true;
	asks(&s, ERR_FORBIDDEN, CODE_POLICY_NOT_PROVISIONED);
	s.w->label.foreign_reenrol = true;
	s.client.self_named = true; /* a raw key is nobody's certificate */
	asks(&s, ERR_FORBIDDEN, CODE_POLICY_NOT_PROVISIONED);
	s.client.self_named = false;
	s.w->label.hold = HOLD_ENROL;
	asks(&s, ERR_PENDING, CODE_REQUEST_WAITS);
	look(&s);
	assert_int_equal(s.row.kind, REQUEST_ENROL);
	decides(&s, true);
	asks(&s, OK, CODE_NONE);
}

static void a_late_client_may_do_nothing_but_renew(void **state)
{
	struct site s OWNED_SITE;

	site_init(&s, *state);
	s.client.late_s = 1;
	asks(&s, ERR_BUG, CODE_BUG);
	struct client ra = s.client;
	s.client.late_s = 0;
	s.ask.ra = &ra;
	asks(&s, ERR_EXPIRED, CODE_CLIENT_EXPIRED);
	assert_int_equal(s.w->issued, 0);
}

static void a_request_without_its_key_takes_nobodys_time(void **state)
{
	struct site s OWNED_SITE;

	site_init(&s, *state);
	s.csr.p[s.csr.n - 1] ^= 1;
	asks(&s, ERR_FORBIDDEN, CODE_CSR_SIGNATURE);
	assert_int_equal(world_counts(s.w).waiting, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(nothing_is_issued_before_a_person_says_so),
		WORLD_TEST(nobody_waits_for_what_is_not_on_disk),
		WORLD_TEST(twin_polls_of_an_approved_one_get_one_certificate),
		WORLD_TEST(a_denied_one_stays_denied_for_its_time),
		WORLD_TEST(past_its_time_the_challenge_counts_again),
		WORLD_TEST(the_policy_is_asked_again),
		WORLD_TEST(what_is_past_its_time_is_removed),
		WORLD_TEST(foreign_reenrol_is_an_enrolment_where_the_label_says_so),
		WORLD_TEST(a_late_client_may_do_nothing_but_renew),
		WORLD_TEST(a_request_without_its_key_takes_nobodys_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
