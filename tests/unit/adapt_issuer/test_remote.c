#include "adapt/issuer/remote.h"

#include "adapt/issuer/msg.h"
#include "base/mem.h"
#include "net/channels.h"
#include "net/log.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIGNERS = 4 };

enum manner { ANSWERS, KEEPS, REFUSES, WRONG_ID, WRONG_KIND, GARBAGE };

struct scene;

struct fake {
	struct scene *scene;
	struct ipc *channel;
	enum manner manner;
	unsigned int orders;
	int die_after; /* closes once it has that many orders; 0: never */
};

struct scene {
	struct loop *l;
	struct clock clock;
	int64_t now_ms;
	struct issuer_remote *r;
	struct issuer *port;
	struct fake fakes[SIGNERS];
	size_t fakes_n;
	unsigned int done, ok, want;
	enum err err;
	enum code code;
	char der[64];
	size_t der_n;
	bool again; /* place an order from within the answer */
};

static int64_t now_ms(void *self)
{
	return ((struct scene *)self)->now_ms;
}

static void answer(struct fake *f, uint16_t type, uint32_t id, struct span payload)
{
	OWNED_BUF struct buf b = BUF(100000);
	struct why why = {0};

	if (type == CH_ISSUE && f->manner != WRONG_KIND) {
		struct issue_order order;
		struct issue_result result = {.serial = {1}, .serial_n = 1};
		assert_int_equal(msg_order_parse(payload, &order, &why), OK);
		result.der = order.csr;
		msg_issued_write(&b, &result);
		type = CH_ISSUED;
	} else {
		buf_put_text(&b, "a list");
		type = CH_CRL;
	}
	if (f->manner == REFUSES) {
		struct why refusal = {0};
		(void)!WHY(&refusal, ISSUER_MESSAGE, "", "no");
		buf_clear(&b);
		msg_refused_write(&b, &refusal);
		type = CH_REFUSED;
	}
	if (f->manner == GARBAGE) {
		buf_clear(&b);
		buf_put_text(&b, "garbage");
	}
	assert_int_equal(ipc_send(f->channel, type, f->manner == WRONG_ID ? id + 1 : id, buf_span(&b), &why), OK);
}

static void fake_die(struct fake *f)
{
	ipc_free(f->channel);
	f->channel = NULL;
}

static void fake_frame(void *arg, uint16_t type, uint32_t id, struct span payload, int fd)
{
	struct fake *f = arg;

	f->orders++;
	if (f->die_after && f->orders >= (unsigned int)f->die_after)
		fake_die(f);
	else if (f->manner != KEEPS)
		answer(f, type, id, payload);
}

static void fake_closed(void *arg, const struct why *why)
{
	fake_die(arg);
}

static struct fake *add_fake(struct scene *s, enum manner manner)
{
	struct fake *f = &s->fakes[s->fakes_n++];
	struct ipc_handler h = {fake_frame, fake_closed, f};
	struct why why = {0};
	int fds[2];

	*f = (struct fake){.scene = s, .manner = manner};
	assert_int_equal(ipc_pair(fds, &why), OK);
	assert_int_equal(ipc_new(s->l, fds[0], &channel_orders, &h, &f->channel, &why), OK);
	assert_int_equal(issuer_remote_add(s->r, fds[1], &why), OK);
	return f;
}

static void scene_init(struct scene *s)
{
	struct why why = {0};

	*s = (struct scene){.now_ms = 1000};
	s->clock = (struct clock){.self = s, .mono_ms = now_ms};
	log_open(LOG_TEXT, LOG_ERROR_, "test");
	assert_int_equal(loop_new(&s->l, &why), OK);
	assert_int_equal(issuer_remote_new(s->l, &s->clock, &s->r, &why), OK);
	s->port = issuer_remote_port(s->r);
}

static void scene_fini(struct scene *s)
{
	issuer_remote_free(s->r);
	for (size_t i = 0; i < s->fakes_n; i++)
		ipc_free(s->fakes[i].channel);
	loop_free(s->l);
}

static void place(struct scene *s, const char *csr);

static void finished(struct scene *s, enum err err, struct span der, const struct why *why)
{
	s->done++;
	s->ok += err == OK;
	s->err = err;
	s->code = why->code;
	s->der_n = der.n;
	if (der.n && der.n < sizeof(s->der))
		memcpy(s->der, der.p, der.n);
	if (s->again) {
		s->again = false;
		place(s, "again");
	}
	if (s->done == s->want)
		loop_stop(s->l);
}

static void on_issued(void *arg, enum err err, const struct issue_result *result, const struct why *why)
{
	finished(arg, err, result ? result->der : (struct span){0}, why);
}

static void on_crl(void *arg, enum err err, struct span der, const struct why *why)
{
	finished(arg, err, der, why);
}

static void place(struct scene *s, const char *csr)
{
	struct issue_order order = {.profile = "device"};

	order.csr = span_text(csr);
	s->port->issue(s->port->self, &order, on_issued, s);
}

static void orders_go_round_all_signers_and_come_back(void **state)
{
	struct scene s;

	scene_init(&s);
	for (int i = 0; i < 3; i++)
		add_fake(&s, ANSWERS);
	s.want = 9;
	for (int i = 0; i < 9; i++)
		place(&s, "request");
	assert_int_equal(issuer_remote_under_way(s.r), 9);
	loop_run(s.l);
	assert_int_equal(s.ok, 9);
	assert_memory_equal(s.der, "request", 7);
	for (int i = 0; i < 3; i++)
		assert_int_equal(s.fakes[i].orders, 3);
	assert_int_equal(issuer_remote_under_way(s.r), 0);
	scene_fini(&s);
}

static void a_crl_order_comes_back_as_a_list(void **state)
{
	struct crl_order order = {.number = 1};
	struct scene s;

	scene_init(&s);
	add_fake(&s, ANSWERS);
	s.want = 1;
	s.port->sign_crl(s.port->self, &order, on_crl, &s);
	loop_run(s.l);
	assert_int_equal(s.err, OK);
	assert_memory_equal(s.der, "a list", 6);
	scene_fini(&s);
}

static void a_refusal_reaches_the_caller_with_its_code(void **state)
{
	struct scene s;

	scene_init(&s);
	add_fake(&s, REFUSES);
	s.want = 1;
	place(&s, "request");
	loop_run(s.l);
	assert_int_equal(s.err, ERR_SYNTAX);
	assert_int_equal(s.code, CODE_ISSUER_MESSAGE);
	assert_int_equal(issuer_remote_signers(s.r), 1);
	scene_fini(&s);
}

static void orders_on_a_dead_signer_go_to_a_live_one(void **state)
{
	struct scene s;

	scene_init(&s);
	add_fake(&s, KEEPS)->die_after = 3;
	add_fake(&s, ANSWERS);
	s.want = 6;
	for (int i = 0; i < 6; i++)
		place(&s, "request");
	loop_run(s.l);
	assert_int_equal(s.ok, 6);
	assert_int_equal(s.fakes[1].orders, 6);
	assert_int_equal(issuer_remote_signers(s.r), 1);
	scene_fini(&s);
}

static void a_signer_that_answers_nonsense_is_left(void **state)
{
	static const enum manner manners[] = {WRONG_ID, WRONG_KIND, GARBAGE};

	for (size_t i = 0; i < 3; i++) {
		struct scene s;
		scene_init(&s);
		add_fake(&s, manners[i]);
		s.want = 1;
		place(&s, "request");
		add_fake(&s, ANSWERS);
		loop_run(s.l);
		assert_int_equal(s.ok, 1);
		assert_int_equal(s.fakes[1].orders, 1);
		assert_int_equal(issuer_remote_signers(s.r), 1);
		scene_fini(&s);
	}
}

static void an_order_waits_for_a_signer_to_come(void **state)
{
	struct scene s;

	scene_init(&s);
	place(&s, "early");
	place(&s, "later");
	assert_int_equal(s.done, 0);
	add_fake(&s, ANSWERS);
	s.want = 2;
	loop_run(s.l);
	assert_int_equal(s.ok, 2);
	scene_fini(&s);
}

static void jump(void *arg)
{
	((struct scene *)arg)->now_ms += ISSUER_REMOTE_WAIT_MS;
}

static void without_any_signer_an_order_fails_after_its_time(void **state)
{
	struct scene s;
	struct why why = {0};
	struct loop_timer *t;

	scene_init(&s);
	s.want = 2;
	place(&s, "request");
	place(&s, "request");
	assert_int_equal(s.done, 0);
	assert_int_equal(loop_timer_new(s.l, jump, &s, &t, &why), OK);
	loop_timer_set(t, 0);
	loop_run(s.l);
	assert_int_equal(s.ok, 0);
	assert_int_equal(s.code, CODE_ISSUER_UNAVAILABLE);
	assert_int_equal(s.err, ERR_SYSTEM);
	assert_int_equal(issuer_remote_under_way(s.r), 0);
	loop_timer_free(t);
	scene_fini(&s);
}

static void an_order_that_kills_signers_does_not_kill_them_for_ever(void **state)
{
	struct scene s;

	scene_init(&s);
	for (int i = 0; i < SIGNERS; i++)
		add_fake(&s, KEEPS)->die_after = 1;
	s.want = 1;
	place(&s, "poison");
	loop_run(s.l);
	assert_int_equal(s.code, CODE_ISSUER_UNAVAILABLE);
	assert_int_equal(issuer_remote_signers(s.r), SIGNERS - ISSUER_REMOTE_TRIES_MAX);
	scene_fini(&s);
}

static void one_order_too_many_is_refused_at_once(void **state)
{
	struct scene s;

	scene_init(&s);
	for (int i = 0; i < ISSUER_REMOTE_ORDERS_MAX; i++)
		place(&s, "request");
	assert_int_equal(s.done, 0);
	place(&s, "request");
	assert_int_equal(s.done, 1);
	assert_int_equal(s.code, CODE_ISSUER_BUSY);
	add_fake(&s, ANSWERS);
	s.want = ISSUER_REMOTE_ORDERS_MAX + 1;
	loop_run(s.l);
	assert_int_equal(s.ok, ISSUER_REMOTE_ORDERS_MAX);
	scene_fini(&s);
}

static void an_order_too_large_for_its_frame_is_refused(void **state)
{
	static char big[128 * 1024];
	struct scene s;

	scene_init(&s);
	add_fake(&s, ANSWERS);
	memset(big, 'x', sizeof(big) - 1);
	place(&s, big);
	assert_int_equal(s.err, ERR_LIMIT);
	scene_fini(&s);
}

static void an_answer_may_place_the_next_order(void **state)
{
	struct scene s;

	scene_init(&s);
	add_fake(&s, ANSWERS);
	s.again = true;
	s.want = 2;
	place(&s, "first");
	loop_run(s.l);
	assert_memory_equal(s.der, "again", 5);
	scene_fini(&s);
}

static void what_is_under_way_at_the_end_is_answered(void **state)
{
	struct scene s;

	scene_init(&s);
	add_fake(&s, KEEPS);
	s.again = true; /* a caller that tries again in its answer is refused, not kept */
	place(&s, "request");
	issuer_remote_free(s.r);
	s.r = NULL;
	assert_int_equal(s.done, 2);
	assert_int_equal(s.ok, 0);
	scene_fini(&s);
}

/* A real process: it reads its orders and is killed before it answers any. */
static pid_t killed_signer(int fd)
{
	pid_t pid = fork();

	if (pid == 0) {
		char bytes[4096];
		ssize_t n;
		do
			n = recv(fd, bytes, sizeof(bytes), 0);
		while (n < 0);
		kill(getpid(), SIGKILL);
	}
	return pid;
}

static void orders_on_a_killed_process_are_sent_to_the_next(void **state)
{
	struct scene s;
	struct why why = {0};
	int fds[2];

	scene_init(&s);
	assert_int_equal(ipc_pair(fds, &why), OK);
	pid_t pid = killed_signer(fds[0]);
	close(fds[0]);
	assert_int_equal(issuer_remote_add(s.r, fds[1], &why), OK);
	s.want = 20;
	for (int i = 0; i < 20; i++)
		place(&s, "request");
	add_fake(&s, ANSWERS);
	loop_run(s.l);
	assert_int_equal(s.ok, 20);
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_go_round_all_signers_and_come_back),
		cmocka_unit_test(a_crl_order_comes_back_as_a_list),
		cmocka_unit_test(a_refusal_reaches_the_caller_with_its_code),
		cmocka_unit_test(orders_on_a_dead_signer_go_to_a_live_one),
		cmocka_unit_test(a_signer_that_answers_nonsense_is_left),
		cmocka_unit_test(an_order_waits_for_a_signer_to_come),
		cmocka_unit_test(without_any_signer_an_order_fails_after_its_time),
		cmocka_unit_test(an_order_that_kills_signers_does_not_kill_them_for_ever),
		cmocka_unit_test(one_order_too_many_is_refused_at_once),
		cmocka_unit_test(an_order_too_large_for_its_frame_is_refused),
		cmocka_unit_test(an_answer_may_place_the_next_order),
		cmocka_unit_test(what_is_under_way_at_the_end_is_answered),
		cmocka_unit_test(orders_on_a_killed_process_are_sent_to_the_next),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
