/* The device's agent and the MEF's cores joined in memory by a pipe that may lose, repeat and delay. */
#include "unit/bind/mef.h"

#include "agent/machine.h"

#define HOST "https://mef.example.com"
#define ONEM2M HOST "/.well-known/est/onem2m"

enum { ACTIONS_MAX = 2000, DAY_S = 86400 };

/* What goes wrong on the way; all zero: nothing. */
struct pipe {
	unsigned int lose_reply_of;   /* nth call counted from 1: the MEF answers, nobody hears it */
	unsigned int lose_request_of; /* nth call: the MEF never hears it */
	bool repeat_posts;            /* each POST arrives twice, as after a retry below HTTP */
	unsigned int put_off;         /* so many POSTs get put_off_status instead of reaching the MEF */
	unsigned int put_off_gets;    /* the same for GETs */
	unsigned int put_off_status;
	int64_t retry_after_s;
	unsigned int slow_posts; /* before so many POSTs the clock runs on by slow_s */
	int64_t slow_s;
	bool reconnects; /* each wait ends the TLS session */
};

struct device {
	struct mef_site *m;
	struct key *factory_key, *tls_key;
	struct key *key;     /* in force */
	struct key *pending; /* of the request under way */
	struct buf factory, cert, chain_pem, anchors_pem, tls_cert;
	struct peer factory_peer;
	struct pipe pipe;
	struct why why; /* of the last failure */
	unsigned int calls, csrattrs, waits, sessions, keys;
	int64_t waited_s;
	bool reuse_key;
};

static void device_fini(struct device *d)
{
	key_free(d->factory_key);
	key_free(d->tls_key);
	key_free(d->key);
	if (d->pending != d->key)
		key_free(d->pending);
	buf_fini(&d->factory);
	buf_fini(&d->cert);
	buf_fini(&d->chain_pem);
	buf_fini(&d->anchors_pem);
	buf_fini(&d->tls_cert);
}

#define OWNED_DEVICE __attribute__((cleanup(device_fini)))

static void must_pem(struct buf *out, const struct buf *der)
{
	struct why why = {0};

	assert_int_equal(cert_write_pem(buf_span(der), out, &why), OK);
}

static void device_make(struct mef_site *m, const char *serial_number, struct device *d)
{
	d->m = m;
	d->factory_key = mef_key();
	d->tls_key = mef_key();
	d->factory = d->cert = d->tls_cert = BUF(MEF_DER_MAX);
	d->chain_pem = d->anchors_pem = BUF(64 * 1024);
	mef_cert(m, "device", serial_number, d->factory_key, m->factory_key, &m->factory_der, &d->factory);
	mef_cert(m, "mef.example.com", NULL, d->tls_key, m->ca_key, &m->ca_der, &d->tls_cert);
	must_pem(&d->anchors_pem, &m->ca_der);
}

static struct peer peer_of(const struct device *d, enum agent_goal goal)
{
	static const char *const sessions[] = {"exporter octets of the session A", "exporter octets of the session B"};
	struct peer p = goal == AGENT_RENEW ? mef_peer(d->m, PEER_OWN, &d->cert)
					    : mef_peer(d->m, PEER_THIRD_PARTY, &d->factory);

	p.exporter = span_text(sessions[d->sessions % 2]);
	return p;
}

static bool is_put_off(struct pipe *p, enum call_method method)
{
	unsigned int *left = method == CALL_POST ? &p->put_off : &p->put_off_gets;

	if (*left == 0)
		return false;
	--*left;
	return true;
}

static void ask_mef(struct device *d, const struct agent_action *action, const struct peer *peer, struct got *g)
{
	const char *path = action->url + strlen(HOST);

	d->csrattrs += strstr(path, "csrattrs") != NULL;
	if (action->method == CALL_GET) {
		mef_get(d->m, path, peer, g);
		return;
	}
	assert_string_equal(action->media_type, "application/pkcs10");
	if (d->pipe.slow_posts) {
		d->pipe.slow_posts--;
		d->m->now_s += d->pipe.slow_s;
	}
	mef_post(d->m, path, peer, action->body, g);
	if (d->pipe.repeat_posts)
		mef_post(d->m, path, peer, action->body, g);
}

static void lose(struct agent *a)
{
	struct why lost = {0};

	WHY(&lost, AGENT_CONNECT, "", "lost on the way");
	agent_feed_failure(a, &lost);
}

static void carry(struct device *d, struct agent *a, const struct agent_action *action, const struct peer *peer)
{
	struct got g OWNED_GOT = {0};
	struct span tls = buf_span(&d->tls_cert);

	assert_memory_equal(action->url, HOST, strlen(HOST));
	d->calls++;
	if (d->calls == d->pipe.lose_request_of) {
		lose(a);
		return;
	}
	if (is_put_off(&d->pipe, action->method)) {
		const struct agent_reply later = {.status = d->pipe.put_off_status, .retry_after_s = d->pipe.retry_after_s};
		agent_feed(a, &later);
		return;
	}
	ask_mef(d, action, peer, &g);
	if (d->calls == d->pipe.lose_reply_of) {
		lose(a);
		return;
	}
	const struct agent_reply reply = {.status = g.status, .media_type = span_text(g.media_type),
		.body = buf_span(&g.body), .retry_after_s = g.retry_after_s, .server_certs = &tls, .server_certs_n = 1};
	agent_feed(a, &reply);
}

static void make_key(struct device *d, struct agent *a, enum key_spec spec)
{
	if (spec == KEY_NONE) {
		d->pending = d->key;
	} else if (!d->pending || d->pending == d->key) {
		struct why why = {0};
		d->pending = NULL;
		assert_int_equal(key_new(spec, &d->pending, &why), OK);
		d->keys++;
	}
	agent_feed_key(a, d->pending);
}

static void replace(struct buf *to, struct span from)
{
	buf_clear(to);
	buf_put_span(to, from);
}

static void install(struct device *d, struct agent *a, const struct agent_action *action)
{
	replace(&d->cert, action->certificate);
	replace(&d->chain_pem, action->chain_pem);
	replace(&d->anchors_pem, action->anchors_pem);
	if (d->pending != d->key)
		key_free(d->key);
	d->key = d->pending;
	d->pending = NULL;
	agent_feed_installed(a);
}

static void wait_on(struct device *d, struct agent *a, const struct agent_action *action)
{
	d->waits++;
	d->waited_s += action->wait_s;
	d->m->now_s += action->wait_s;
	d->sessions += d->pipe.reconnects;
	agent_feed_waited(a);
}

/* One run of the agent, as `enrolee` makes it. True when it ends well; else d->why says why. */
static bool run(struct device *d, enum agent_goal goal, const char *base)
{
	struct agent *a = NULL;
	bool good = false;
	const struct agent_config config = {.goal = goal, .base_uri = base, .anchors_pem = buf_span(&d->anchors_pem),
		.client_cert = buf_span(goal == AGENT_RENEW ? &d->cert : &d->factory), .reuse_key = d->reuse_key,
		.clock = d->m->clock};

	d->why = (struct why){0};
	d->calls = d->csrattrs = d->waits = d->keys = 0;
	d->waited_s = 0;
	assert_int_equal(agent_new(&config, &a, &d->why), OK);
	for (int i = 0; i < ACTIONS_MAX; i++) {
		struct agent_action action;
		agent_next(a, &action, &d->why);
		struct peer peer = peer_of(d, goal);
		if (action.kind == AGENT_CALL)
			carry(d, a, &action, &peer);
		else if (action.kind == AGENT_MAKE_KEY)
			make_key(d, a, action.key);
		else if (action.kind == AGENT_INSTALL)
			install(d, a, &action);
		else if (action.kind == AGENT_WAIT)
			wait_on(d, a, &action);
		else
			break;
		good = action.kind == AGENT_INSTALL;
	}
	agent_free(a);
	assert_int_equal(good, d->why.kind == OK);
	return good;
}

static void must_run(struct device *d, enum agent_goal goal, const char *base)
{
	if (!run(d, goal, base))
		fail_msg("%s", d->why.text);
}

static void expect_failure(struct device *d, enum agent_goal goal, const char *base, enum code code, const char *text)
{
	assert_false(run(d, goal, base));
	if (d->why.code != code || !strstr(d->why.text, text))
		fail_msg("want %d %s, have %d %s", (int)code, text, (int)d->why.code, d->why.text);
}

static struct cert in_force(const struct device *d)
{
	struct cert c = {0};
	struct why why = {0};

	assert_int_equal(cert_parse(buf_span(&d->cert), &c, &why), OK);
	assert_true(key_matches_spki(d->key, c.spki));
	return c;
}

static bool names_host(const struct cert *c, const char *host)
{
	struct arena arena OWNED_ARENA = ARENA(4096);
	struct san_list list = {0};
	const struct san want = {.kind = SAN_DNS, .value = span_text(host)};
	struct why why = {0};

	return san_parse(c->san, &arena, &list, &why) == OK && san_has(&list, &want);
}

/* seed 001 8.3.Z.2.2: the three steps */
static void a_fresh_device_gets_its_first_certificate(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf ca_pem OWNED_BUF = BUF(MEF_DER_MAX);

	device_make(m, "SN-1", &d);
	must_run(&d, AGENT_ENROL, ONEM2M);
	struct cert c = in_force(&d);
	assert_int_equal(c.ekus.n, 1);
	assert_true(names_host(&c, "dev1.example.com"));
	must_pem(&ca_pem, &m->ca_der);
	assert_true(span_equal(buf_span(&d.anchors_pem), buf_span(&ca_pem)));
	assert_int_equal(d.chain_pem.n, 0);
	assert_int_equal(d.calls, 3);
	assert_int_equal(mef_counts(m).issued, 1);
	expect_audit(m, "certificate.issued");
}

static void the_plain_label_enrols_too(void **state)
{
	struct device d OWNED_DEVICE = {0};

	device_make(*state, "SN-2", &d);
	must_run(&d, AGENT_ENROL, HOST);
	in_force(&d);
	must_run(&d, AGENT_RENEW, HOST "/.well-known/est/");
	in_force(&d);
}

/* RFC 7030 4.2.2 */
static void a_renewal_brings_a_new_key_under_the_same_names(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf first OWNED_BUF = BUF(MEF_DER_MAX);
	struct cert old = {0};
	struct why why = {0};

	device_make(m, "SN-1", &d);
	must_run(&d, AGENT_ENROL, ONEM2M);
	buf_put_span(&first, buf_span(&d.cert));
	m->now_s += 200 * DAY_S;
	must_run(&d, AGENT_RENEW, ONEM2M);
	assert_int_equal(cert_parse(buf_span(&first), &old, &why), OK);
	struct cert c = in_force(&d);
	assert_false(span_equal(c.spki, old.spki));
	assert_true(span_equal(c.san, old.san));
	assert_true(span_equal(c.subject, old.subject));
	assert_true(c.not_after_s > old.not_after_s);
	assert_int_equal(mef_counts(m).issued, 2);
}

static void the_key_is_reused_where_the_mef_admits_it(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};

	device_make(m, "SN-1", &d);
	must_run(&d, AGENT_ENROL, ONEM2M);
	const struct key *key = d.key;
	d.reuse_key = true;
	expect_failure(&d, AGENT_RENEW, ONEM2M, CODE_AGENT_REFUSED, "OMEF-1526");
	for (size_t i = 0; i < m->labels.n; i++)
		m->labels.items[i].reuse_key = true;
	must_run(&d, AGENT_RENEW, ONEM2M);
	assert_ptr_equal(d.key, key);
	in_force(&d);
	assert_int_equal(mef_counts(m).issued, 2);
}

static void a_run_that_lost_a_message_succeeds_when_run_again(void **state)
{
	struct mef_site *m = *state;

	for (unsigned int n = 1; n <= 6; n++) {
		struct device d OWNED_DEVICE = {0};
		uint64_t before = mef_counts(m).issued;
		device_make(m, "SN-1", &d);
		d.pipe.lose_request_of = n <= 3 ? n : 0;
		d.pipe.lose_reply_of = n > 3 ? n - 3 : 0;
		expect_failure(&d, AGENT_ENROL, ONEM2M, CODE_AGENT_CONNECT, "lost");
		assert_int_equal(d.cert.n, 0);
		const struct key *pending = d.pending;
		d.pipe = (struct pipe){0};
		must_run(&d, AGENT_ENROL, ONEM2M);
		in_force(&d);
		if (pending) {
			assert_ptr_equal(d.key, pending); /* the key that the lost request was for */
			assert_int_equal(d.keys, 0);
		}
		/* only where the answer to the enrolment was lost the MEF made one that nobody has */
		assert_int_equal(mef_counts(m).issued - before, n == 6 ? 2 : 1);
	}
}

/* RFC 7030 4.2.3: a repeated request is the same request: one challenge, one certificate */
static void a_request_that_arrives_twice_yields_one_certificate(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};

	device_make(m, "SN-1", &d);
	d.pipe.repeat_posts = true;
	must_run(&d, AGENT_ENROL, ONEM2M);
	in_force(&d);
	assert_int_equal(mef_counts(m).issued, 1);
}

static void a_busy_mef_is_waited_for(void **state)
{
	struct mef_site *m = *state;
	static const unsigned int statuses[] = {202, 503};

	for (size_t i = 0; i < 2; i++) {
		struct device d OWNED_DEVICE = {0};
		device_make(m, i ? "SN-1" : "SN-2", &d);
		d.pipe = (struct pipe){
			.put_off = 2, .put_off_gets = 1, .put_off_status = statuses[i], .retry_after_s = 77};
		must_run(&d, AGENT_ENROL, ONEM2M);
		assert_int_equal(d.waits, 3);
		assert_int_equal(d.waited_s, 3 * 77);
		assert_int_equal(d.calls, 3 + 3); /* RFC 7030 4.2.3: the same request again, no other */
	}
}

static void a_mef_that_names_no_time_is_asked_again_after_a_minute(void **state)
{
	struct device d OWNED_DEVICE = {0};

	device_make(*state, "SN-1", &d);
	d.pipe = (struct pipe){.put_off_gets = 1, .put_off_status = 503};
	must_run(&d, AGENT_ENROL, ONEM2M);
	assert_int_equal(d.waited_s, AGENT_WAIT_DEFAULT_S);
}

static void no_wait_is_longer_than_a_day(void **state)
{
	struct device d OWNED_DEVICE = {0};

	device_make(*state, "SN-1", &d);
	d.pipe = (struct pipe){.put_off_gets = 1, .put_off_status = 202, .retry_after_s = INT64_MAX};
	must_run(&d, AGENT_ENROL, ONEM2M);
	assert_int_equal(d.waited_s, AGENT_WAIT_MAX_S);
}

static void patience_ends_one_past_the_bound(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};

	device_make(m, "SN-1", &d);
	d.pipe = (struct pipe){.put_off_gets = AGENT_WAITS_MAX, .put_off_status = 503, .retry_after_s = 1};
	must_run(&d, AGENT_ENROL, ONEM2M);
	assert_int_equal(d.waits, AGENT_WAITS_MAX);
	d.pipe = (struct pipe){.put_off_gets = AGENT_WAITS_MAX + 1, .put_off_status = 503, .retry_after_s = 1};
	expect_failure(&d, AGENT_ENROL, ONEM2M, CODE_AGENT_WAITS, "100 times");
	assert_int_equal(d.why.kind, ERR_PENDING);
}

static void an_expired_challenge_is_replaced_by_one_fresh_one(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};

	device_make(m, "SN-1", &d);
	d.pipe = (struct pipe){.slow_posts = 1, .slow_s = MEF_TTL_S};
	must_run(&d, AGENT_ENROL, ONEM2M);
	assert_int_equal(d.csrattrs, 2);
	assert_int_equal(d.keys, 1);
	assert_int_equal(mef_counts(m).issued, 1);
	d.pipe = (struct pipe){.slow_posts = 2, .slow_s = MEF_TTL_S};
	expect_failure(&d, AGENT_ENROL, ONEM2M, CODE_AGENT_REFUSED, "OMEF-1321");
	assert_int_equal(d.csrattrs, 2);
	assert_int_equal(mef_counts(m).issued, 1);
}

/* Each wait is longer than a challenge lives, and ends the TLS session that the label binds it to. */
static void a_request_that_waits_for_a_person_outlives_its_challenges(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};

	device_make(m, "SN-1", &d);
	d.pipe = (struct pipe){.put_off = 1, .put_off_status = 202, .retry_after_s = 2 * MEF_TTL_S, .reconnects = true};
	must_run(&d, AGENT_ENROL, HOST "/.well-known/est/bound");
	assert_int_equal(d.csrattrs, 2);
	d.pipe.put_off = 9;
	m->now_s += DAY_S;
	must_run(&d, AGENT_RENEW, HOST "/.well-known/est/bound");
	assert_int_equal(d.waits, 9);
	assert_int_equal(mef_counts(m).issued, 2);
}

/* The issued certificate begins behind the moment at which the run began. */
static void the_clock_is_read_anew_after_a_long_wait(void **state)
{
	struct device d OWNED_DEVICE = {0};

	device_make(*state, "SN-1", &d);
	d.pipe = (struct pipe){.put_off = 3, .put_off_status = 202, .retry_after_s = DAY_S};
	must_run(&d, AGENT_ENROL, ONEM2M);
	in_force(&d);
}

static void an_unregistered_device_is_shown_the_reason_of_the_mef(void **state)
{
	struct device d OWNED_DEVICE = {0};

	device_make(*state, "SN-3", &d);
	expect_failure(&d, AGENT_ENROL, ONEM2M, CODE_AGENT_REFUSED, "OMEF-1511");
	assert_int_equal(d.why.kind, ERR_FORBIDDEN);
	expect_failure(&d, AGENT_ENROL, HOST "/.well-known/est/elsewhere", CODE_AGENT_REPLY, "OMEF-1301");
}

/* Certificates of three days, renewed every two, for a year; every 30 days the pipe loses the answer. */
static void a_year_of_renewals_changes_nothing_but_keys_and_dates(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf anchors OWNED_BUF = BUF(64 * 1024);
	uint64_t lost = 0;
	uint64_t renewals = 0;

	m->profiles.items[0].validity_s = 3 * DAY_S;
	device_make(m, "SN-1", &d);
	must_run(&d, AGENT_ENROL, ONEM2M);
	buf_put_span(&anchors, buf_span(&d.anchors_pem));
	for (int64_t end_s = m->now_s + MEF_YEAR_S; m->now_s < end_s; renewals++) {
		m->now_s += 2 * DAY_S;
		d.pipe.lose_reply_of = renewals % 15 == 14 ? 3 : 0;
		if (d.pipe.lose_reply_of) {
			expect_failure(&d, AGENT_RENEW, ONEM2M, CODE_AGENT_CONNECT, "lost");
			d.pipe.lose_reply_of = 0;
			lost++;
		}
		must_run(&d, AGENT_RENEW, ONEM2M);
		assert_int_equal(d.calls, 3);
		assert_true(span_equal(buf_span(&anchors), buf_span(&d.anchors_pem)));
	}
	struct cert c = in_force(&d);
	assert_true(c.not_before_s <= m->now_s && m->now_s <= c.not_after_s);
	assert_int_equal(renewals, 183);
	assert_int_equal(mef_counts(m).issued, 1 + renewals + lost);
}

/* The anchors that vouch for the MEF's TLS certificate are kept, once, however often the device renews. */
static void anchors_of_a_foreign_tls_certificate_do_not_pile_up(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf both OWNED_BUF = BUF(64 * 1024);
	struct buf other OWNED_BUF = BUF(MEF_DER_MAX);
	struct key *other_key OWNED_KEY = mef_key();

	device_make(m, "SN-1", &d);
	mef_cert(m, "Web CA", NULL, other_key, other_key, NULL, &other);
	buf_clear(&d.tls_cert);
	mef_cert(m, "mef.example.com", NULL, d.tls_key, other_key, &other, &d.tls_cert);
	buf_clear(&d.anchors_pem);
	must_pem(&d.anchors_pem, &other);
	must_pem(&both, &m->ca_der);
	must_pem(&both, &other);
	must_run(&d, AGENT_ENROL, ONEM2M);
	for (int i = 0; i < 40; i++) {
		m->now_s += DAY_S;
		must_run(&d, AGENT_RENEW, ONEM2M);
		assert_true(span_equal(buf_span(&d.anchors_pem), buf_span(&both)));
	}
}

#define FLOW(name) cmocka_unit_test_setup_teardown(name, mef_setup, mef_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FLOW(a_fresh_device_gets_its_first_certificate),
		FLOW(the_plain_label_enrols_too),
		FLOW(a_renewal_brings_a_new_key_under_the_same_names),
		FLOW(the_key_is_reused_where_the_mef_admits_it),
		FLOW(a_run_that_lost_a_message_succeeds_when_run_again),
		FLOW(a_request_that_arrives_twice_yields_one_certificate),
		FLOW(a_busy_mef_is_waited_for),
		FLOW(a_mef_that_names_no_time_is_asked_again_after_a_minute),
		FLOW(no_wait_is_longer_than_a_day),
		FLOW(patience_ends_one_past_the_bound),
		FLOW(an_expired_challenge_is_replaced_by_one_fresh_one),
		FLOW(a_request_that_waits_for_a_person_outlives_its_challenges),
		FLOW(the_clock_is_read_anew_after_a_long_wait),
		FLOW(an_unregistered_device_is_shown_the_reason_of_the_mef),
		FLOW(a_year_of_renewals_changes_nothing_but_keys_and_dates),
		FLOW(anchors_of_a_foreign_tls_certificate_do_not_pile_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
