/* Orders to other CAs over a channel: what comes back is judged, whoever carries it may die, hang or lie. */
#include "unit/core_ca/engine.h"

#include "adapt/issuer/away.h"
#include "adapt/issuer/away_server.h"
#include "adapt/issuer/router.h"
#include "net/channels.h"
#include "net/ipc.h"
#include "net/log.h"

enum manner { ISSUES, KEEPS, REFUSES, WAITS, OTHER_NAMES, GARBAGE_CERT, DIES };

struct scene {
	struct bench b;
	struct loop *l;
	struct clock clock;
	int64_t now_ms;
	struct anchors *chain;
	struct away *away;
	struct issuer own;
	struct issuer_router router;
	struct away_server *carrier;
	struct away_job *kept;
	struct ipc *raw; /* a carrier that speaks frames itself */
	uint32_t raw_id;
	enum manner manner;
	unsigned int taken, own_taken, done, ok, want;
	struct why why;
	struct away_order seen;
};

static int64_t mono_ms(void *self)
{
	return ((struct scene *)self)->now_ms;
}

static int64_t unix_s(void *self)
{
	return made_now_s;
}

static void issue_for(struct scene *s, struct away_job *job, struct span csr)
{
	struct issue_order order = order_of(&s->b);
	struct buf der OWNED_BUF = BUF(CERT_DER_MAX), sans OWNED_BUF = BUF(512);
	struct issue_result result;
	struct why why = {0};

	order.csr = csr;
	if (s->manner == OTHER_NAMES) {
		made_dns(&sans, "d2.example.com");
		order.sans = buf_span(&sans);
	}
	must(ca_issue(&s->b.engine, &order, made_now_s, &der, &result, &why));
	if (s->manner == GARBAGE_CERT)
		der.n--;
	away_done(job, buf_span(&der));
}

static void on_take(void *arg, struct away_job *job, const struct away_order *order)
{
	struct scene *s = arg;
	struct why why = {0};

	s->taken++;
	s->seen = *order;
	if (s->manner == KEEPS || s->manner == DIES) {
		s->kept = job;
		loop_stop(s->l);
	} else if (s->manner == REFUSES || s->manner == WAITS) {
		if (s->manner == REFUSES)
			(void)!WHY(&why, AWAY_REFUSED, "RFC 7030 4.2.3", "no");
		else
			(void)!WHY(&why, AWAY_WAITS, "", "later");
		why.retry_s = 77;
		away_refuse(job, &why);
	} else {
		issue_for(s, job, order->csr);
	}
}

static void on_alone(void *arg)
{
}

static void own_issue(void *self, const struct issue_order *order, issue_done done, void *arg)
{
	struct scene *s = self;
	struct why why = {0};

	s->own_taken++;
	done(arg, WHY(&why, ISSUER_BUSY, "", "own"), NULL, &why);
}

static void scene_init(struct scene *s, enum manner manner)
{
	const struct away_events events = {on_take, on_alone, s};
	struct buf pem OWNED_BUF = BUF(8192);
	struct why why = {0};

	*s = (struct scene){.now_ms = 1000, .manner = manner, .want = 1};
	bench_init(&s->b);
	s->clock = (struct clock){.self = s, .mono_ms = mono_ms, .unix_s = unix_s};
	log_open(LOG_TEXT, LOG_ERROR_, "test");
	must(cert_write_pem(buf_span(&s->b.ca.der), &pem, &why));
	must(anchors_parse_pem(buf_span(&pem), &s->chain, &why));
	must(loop_new(&s->l, &why));
	const struct away_issuer issuers[] = {{"up", AWAY_CALLER, 5, s->chain}, {"program", AWAY_RUNNER, 5, s->chain}};
	must(away_new(s->l, &s->clock, issuers, 2, &s->away, &why));
	must(away_server_new(s->l, &events, &s->carrier, &why));
	s->own = (struct issuer){.self = s, .issue = own_issue};
	issuer_router_init(&s->router, &s->own, s->away);
}

static void scene_fini(struct scene *s)
{
	struct why why = {0};

	away_free(s->away);
	away_server_hang_up(s->carrier);
	(void)!WHY(&why, AWAY_UNAVAILABLE, "", "end");
	if (s->kept)
		away_refuse(s->kept, &why);
	away_server_free(s->carrier);
	if (s->raw)
		ipc_free(s->raw);
	anchors_free(s->chain);
	loop_free(s->l);
	bench_fini(&s->b);
}

static void add_carrier(struct scene *s, enum away_via via)
{
	struct why why = {0};
	int fds[2];

	must(ipc_pair(fds, &why));
	must(away_server_add(s->carrier, fds[0], &why));
	must(away_add(s->away, via, fds[1], &why));
}

static void on_done(void *arg, enum err err, const struct issue_result *result, const struct why *why)
{
	struct scene *s = arg;

	assert_int_equal(err == OK, result != NULL);
	assert_int_equal(err, why->kind);
	s->done++;
	s->ok += err == OK;
	s->why = *why;
	if (s->done == s->want)
		loop_stop(s->l);
}

static void ask(struct scene *s, const char *issuer)
{
	struct issue_order order = order_of(&s->b);

	snprintf(order.issuer, sizeof(order.issuer), "%s", issuer);
	order.enrolee_id = "device-1";
	order.label = "up-label";
	s->router.port.issue(s->router.port.self, &order, on_done, s);
}

static enum code outcome(enum manner manner)
{
	struct scene s;

	scene_init(&s, manner);
	add_carrier(&s, AWAY_CALLER);
	ask(&s, "up");
	loop_run(s.l);
	enum code code = s.why.code;
	assert_int_equal(s.done, 1);
	assert_int_equal(away_under_way(s.away), 0);
	if (manner == WAITS)
		assert_int_equal(s.why.retry_s, 77);
	scene_fini(&s);
	return code;
}

static void each_answer_has_its_outcome(void **state)
{
	assert_int_equal(outcome(ISSUES), CODE_NONE);
	assert_int_equal(outcome(REFUSES), CODE_AWAY_REFUSED);
	assert_int_equal(outcome(WAITS), CODE_AWAY_WAITS);
	assert_int_equal(outcome(OTHER_NAMES), CODE_FOREIGN_NAMES);
	assert_int_equal(outcome(GARBAGE_CERT), CODE_FOREIGN_CERT);
}

static void orders_say_for_whom(void **state)
{
	struct scene s;

	scene_init(&s, KEEPS);
	add_carrier(&s, AWAY_CALLER);
	ask(&s, "up");
	loop_run(s.l);
	assert_string_equal(s.seen.issuer, "up");
	assert_string_equal(s.seen.profile, "device");
	assert_string_equal(s.seen.enrolee, "device-1");
	assert_string_equal(s.seen.label, "up-label");
	scene_fini(&s);
	assert_int_equal(s.done, 1); /* it ended with the registrar */
	assert_int_equal(s.why.code, CODE_AWAY_UNAVAILABLE);
}

static void the_router_knows_its_issuers(void **state)
{
	struct scene s;

	scene_init(&s, ISSUES);
	add_carrier(&s, AWAY_CALLER);
	ask(&s, "");
	assert_int_equal(s.own_taken, 1);
	ask(&s, "nobody");
	assert_int_equal(s.why.code, CODE_AWAY_NONE);
	ask(&s, "program"); /* no runner there */
	assert_int_equal(s.why.code, CODE_AWAY_UNAVAILABLE);
	assert_true(s.why.retry_s > 0);
	s.router.away = NULL;
	ask(&s, "up");
	assert_int_equal(s.why.code, CODE_AWAY_NONE);
	assert_int_equal(s.taken, 0);
	scene_fini(&s);
}

/* RFC 2986 4.2 */
static void nothing_leaves_without_proof_of_possession(void **state)
{
	struct scene s;

	scene_init(&s, ISSUES);
	add_carrier(&s, AWAY_CALLER);
	s.b.csr.p[s.b.csr.n - 1] ^= 1;
	ask(&s, "up");
	assert_int_equal(s.done, 1);
	assert_true(s.why.kind != OK);
	assert_int_equal(away_under_way(s.away), 0);
	scene_fini(&s);
}

static void an_order_whose_carrier_dies_is_not_sent_again(void **state)
{
	struct scene s;

	scene_init(&s, DIES);
	add_carrier(&s, AWAY_CALLER);
	ask(&s, "up");
	loop_run(s.l);
	away_server_hang_up(s.carrier);
	add_carrier(&s, AWAY_CALLER);
	loop_run(s.l);
	assert_int_equal(s.done, 1);
	assert_int_equal(s.taken, 1);
	assert_int_equal(s.why.code, CODE_AWAY_UNAVAILABLE);
	scene_fini(&s);
}

static void a_carrier_that_hangs_is_not_waited_for(void **state)
{
	struct scene s;

	scene_init(&s, KEEPS);
	add_carrier(&s, AWAY_CALLER);
	ask(&s, "up");
	loop_run(s.l);
	s.now_ms += 5000 + AWAY_GRACE_MS;
	loop_run(s.l);
	assert_int_equal(s.done, 1);
	assert_int_equal(s.why.code, CODE_AWAY_UNAVAILABLE);
	scene_fini(&s);
}

static void more_than_the_table_holds_is_told(void **state)
{
	struct scene s;

	scene_init(&s, KEEPS);
	add_carrier(&s, AWAY_CALLER);
	s.want = 0;
	for (int i = 0; i < AWAY_ORDERS_MAX; i++)
		ask(&s, "up");
	assert_int_equal(s.done, 0);
	ask(&s, "up");
	assert_int_equal(s.done, 1);
	assert_int_equal(s.why.code, CODE_ISSUER_BUSY);
	scene_fini(&s);
	assert_int_equal(s.done, 1 + AWAY_ORDERS_MAX);
}

static void on_raw(void *arg, uint16_t type, uint32_t id, struct span payload, int fd)
{
	struct scene *s = arg;
	struct why why = {0};

	s->raw_id = id;
	/* to an order that was never given: dropped; then nonsense: the carrier counts as dead */
	must(ipc_send(s->raw, CH_AWAY_CERT, id ^ 0x40000, payload, &why));
	must(ipc_send(s->raw, CH_AWAY_REFUSED, id, span_text("xx"), &why));
}

static void on_raw_closed(void *arg, const struct why *why)
{
	struct scene *s = arg;

	ipc_free(s->raw);
	s->raw = NULL;
}

static void a_carrier_that_lies_loses_its_channel(void **state)
{
	struct scene s;
	struct why why = {0};
	int fds[2];

	scene_init(&s, ISSUES);
	const struct ipc_handler h = {on_raw, on_raw_closed, &s};
	must(ipc_pair(fds, &why));
	must(ipc_new(s.l, fds[0], &channel_away, &h, &s.raw, &why));
	must(away_add(s.away, AWAY_CALLER, fds[1], &why));
	ask(&s, "up");
	loop_run(s.l);
	assert_int_equal(s.done, 1);
	assert_int_equal(s.why.code, CODE_AWAY_UNAVAILABLE);
	ask(&s, "up");
	assert_int_equal(s.done, 2);
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_answer_has_its_outcome),
		cmocka_unit_test(orders_say_for_whom),
		cmocka_unit_test(the_router_knows_its_issuers),
		cmocka_unit_test(nothing_leaves_without_proof_of_possession),
		cmocka_unit_test(an_order_whose_carrier_dies_is_not_sent_again),
		cmocka_unit_test(a_carrier_that_hangs_is_not_waited_for),
		cmocka_unit_test(more_than_the_table_holds_is_told),
		cmocka_unit_test(a_carrier_that_lies_loses_its_channel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
