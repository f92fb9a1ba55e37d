#include "app/front/front.h"

#include "base/mem.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

/* Stand in for those of net/http_server.h: what each got is noted. */
struct http_exchange {
	unsigned int replies;
	uint16_t status;
};

struct http_psk {
	unsigned int replies;
	bool given;
	struct secret key;
};

void http_exchange_reply(struct http_exchange *x, const struct reply *reply)
{
	x->replies++;
	x->status = reply->status;
}

void http_psk_reply(struct http_psk *ask, const struct secret *key)
{
	ask->replies++;
	ask->given = key != NULL;
	if (key)
		ask->key = *key;
}

void http_srp_reply(struct http_psk *ask, struct span record)
{
	ask->replies++;
	ask->given = record.n > 0;
}

enum { FRAMES_MAX = 8 };

static struct {
	struct loop *loop;
	struct flight *flight;
	struct ipc *registrar;
	struct loop_timer *stop;
	bool closed;
	struct {
		uint16_t type;
		uint32_t id;
		char bytes[512];
		size_t n;
	} frames[FRAMES_MAX];
	size_t frames_n;
} site;

static void on_frame(void *arg, uint16_t type, uint32_t id, struct span payload, int fd)
{
	assert_true(site.frames_n < FRAMES_MAX && payload.n <= sizeof(site.frames[0].bytes));
	site.frames[site.frames_n].type = type;
	site.frames[site.frames_n].id = id;
	site.frames[site.frames_n].n = payload.n;
	memcpy(site.frames[site.frames_n++].bytes, payload.p, payload.n);
}

static void on_closed(void *arg, const struct why *why)
{
	site.closed = true;
	ipc_free(site.registrar);
	site.registrar = NULL;
}

static void on_stop(void *arg)
{
	loop_stop(site.loop);
}

/* Lets the loop turn for a moment. */
static void turn(int64_t ms)
{
	loop_timer_set(site.stop, ms);
	loop_run(site.loop);
}

static void connect_registrar(void)
{
	static const struct ipc_handler handler = {.frame = on_frame, .closed = on_closed};
	struct why why = {0};
	int fds[2];

	assert_int_equal(ipc_pair(fds, &why), OK);
	flight_connect(site.flight, fds[0]);
	assert_int_equal(ipc_new(site.loop, fds[1], &channel_calls, &handler, &site.registrar, &why), OK);
}

static void open_site(bool connected)
{
	struct why why = {0};

	memset(&site, 0, sizeof(site));
	assert_int_equal(loop_new(&site.loop, &why), OK);
	assert_int_equal(loop_timer_new(site.loop, on_stop, NULL, &site.stop, &why), OK);
	assert_int_equal(flight_new(site.loop, &site.flight, &why), OK);
	if (connected)
		connect_registrar();
}

static void close_site(void)
{
	flight_free(site.flight);
	ipc_free(site.registrar);
	loop_timer_free(site.stop);
	loop_free(site.loop);
}

static void ask(struct http_psk *a, const char *identity)
{
	flight_psk(site.flight, a, span_text(identity));
}

static void call(struct http_exchange *x)
{
	const struct call c = {.method = CALL_GET, .path = span_text("/a")};

	flight_call(site.flight, x, &c);
}

static void send_key(uint32_t id, struct span key)
{
	struct why why = {0};

	assert_int_equal(ipc_send(site.registrar, CH_PSK_KEY, id, key, &why), OK);
}

static void send_reply(uint32_t id)
{
	OWNED_BUF struct buf bytes = BUF(4096);
	struct why why = {0};

	reply_write(&bytes, &(struct reply){.status = 204});
	assert_int_equal(ipc_send(site.registrar, CH_REPLY, id, buf_span(&bytes), &why), OK);
}

static void answers_find_who_waits_in_any_order(void **state)
{
	struct http_psk a = {0}, b = {0};
	struct http_exchange x = {0};

	open_site(true);
	ask(&a, "one@mef.example");
	call(&x);
	ask(&b, "two@mef.example");
	turn(20);
	assert_int_equal(site.frames_n, 3);
	assert_int_equal(site.frames[0].type, CH_PSK);
	assert_true(span_is(span_of(site.frames[0].bytes, site.frames[0].n), "one@mef.example"));
	assert_int_equal(site.frames[1].type, CH_CALL);
	assert_true(span_is(span_of(site.frames[2].bytes, site.frames[2].n), "two@mef.example"));
	send_key(site.frames[2].id, span_text("key two"));
	send_reply(site.frames[1].id);
	send_key(site.frames[0].id, span_text("key one"));
	/* said twice, and to nobody */
	send_key(site.frames[0].id, span_text("key six"));
	send_key(0xfffff, span_text("key six"));
	turn(20);
	assert_int_equal(a.replies, 1);
	assert_true(span_is(secret_span(&a.key), "key one"));
	assert_int_equal(b.replies, 1);
	assert_true(span_is(secret_span(&b.key), "key two"));
	assert_int_equal(x.replies, 1);
	assert_int_equal(x.status, 204);
	assert_false(site.closed);
	close_site();
}

static void late_key_does_not_reach_the_next_of_its_slot(void **state)
{
	struct http_psk a = {0}, b = {0};

	open_site(true);
	ask(&a, "one");
	turn(20);
	send_key(site.frames[0].id, span_text("key one"));
	turn(20);
	ask(&b, "two");
	turn(20);
	assert_int_equal(site.frames[0].id & 0xffff, site.frames[1].id & 0xffff);
	send_key(site.frames[0].id, span_text("key one"));
	turn(20);
	assert_int_equal(b.replies, 0);
	send_key(site.frames[1].id, span_text("key two"));
	turn(20);
	assert_true(span_is(secret_span(&b.key), "key two"));
	close_site();
}

static void what_waits_for_a_registrar_is_sent_to_it(void **state)
{
	struct http_psk a = {0};
	struct http_exchange x = {0};

	open_site(false);
	ask(&a, "one@mef.example");
	call(&x);
	turn(20);
	assert_int_equal(a.replies + x.replies, 0);
	connect_registrar();
	turn(20);
	assert_int_equal(site.frames_n, 2);
	assert_int_equal(site.frames[0].type, CH_PSK);
	assert_true(span_is(span_of(site.frames[0].bytes, site.frames[0].n), "one@mef.example"));
	assert_int_equal(site.frames[1].type, CH_CALL);
	send_key(site.frames[0].id, span_text("key"));
	turn(20);
	assert_true(a.given);
	close_site();
	assert_int_equal(x.replies, 1);
	assert_int_equal(x.status, 503);
}

static void waiting_for_a_registrar_ends(void **state)
{
	struct http_psk a = {0};
	struct http_exchange x = {0};

	open_site(false);
	ask(&a, "one");
	call(&x);
	turn(FRONT_WAIT_MS + 200);
	assert_int_equal(a.replies, 1);
	assert_false(a.given);
	assert_int_equal(x.status, 503);
	close_site();
}

static void no_more_wait_for_a_registrar_than_the_limit(void **state)
{
	struct http_psk *all = mem_array(FRONT_WAITING_MAX + 1, sizeof(*all));

	open_site(false);
	for (size_t i = 0; i < FRONT_WAITING_MAX + 1; i++)
		ask(&all[i], "one");
	for (size_t i = 0; i < FRONT_WAITING_MAX; i++)
		assert_int_equal(all[i].replies, 0);
	assert_int_equal(all[FRONT_WAITING_MAX].replies, 1);
	assert_false(all[FRONT_WAITING_MAX].given);
	close_site();
	for (size_t i = 0; i < FRONT_WAITING_MAX; i++)
		assert_int_equal(all[i].replies, 1);
	mem_free(all);
}

static void registrar_that_goes_leaves_nobody_waiting(void **state)
{
	struct http_psk a = {0};
	struct http_exchange x = {0};

	open_site(true);
	ask(&a, "one");
	call(&x);
	turn(20);
	ipc_free(site.registrar);
	site.registrar = NULL;
	turn(20);
	assert_int_equal(a.replies, 1);
	assert_false(a.given);
	assert_int_equal(x.status, 503);
	close_site();
}

static void answer_of_the_wrong_kind_ends_the_channel(void **state)
{
	static const char long_key[SECRET_MAX + 1] = "k";

	for (int i = 0; i < 4; i++) {
		struct http_psk a = {0};
		struct http_exchange x = {0};
		open_site(true);
		ask(&a, "one");
		call(&x);
		turn(20);
		struct why why = {0};
		if (i == 0)
			send_reply(site.frames[0].id);
		else if (i == 1)
			send_key(site.frames[1].id, span_text("key"));
		else if (i == 2)
			send_key(site.frames[0].id, span_text(""));
		else /* one past the longest is not even sent */
			assert_int_equal(ipc_send(site.registrar, CH_PSK_KEY, site.frames[0].id,
						 span_of(long_key, sizeof(long_key)), &why),
				ERR_BUG);
		turn(20);
		assert_int_equal(site.closed, i < 3);
		assert_int_equal(a.replies, i < 3);
		assert_false(a.given);
		assert_int_equal(x.replies, i < 3);
		close_site();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_find_who_waits_in_any_order),
		cmocka_unit_test(late_key_does_not_reach_the_next_of_its_slot),
		cmocka_unit_test(what_waits_for_a_registrar_is_sent_to_it),
		cmocka_unit_test(waiting_for_a_registrar_ends),
		cmocka_unit_test(no_more_wait_for_a_registrar_than_the_limit),
		cmocka_unit_test(registrar_that_goes_leaves_nobody_waiting),
		cmocka_unit_test(answer_of_the_wrong_kind_ends_the_channel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
