/* port/mef.h over a channel: answers find their question, a caller that ends or lies fails what it had. */
#include "adapt/mef/remote.h"

#include "adapt/mef/msg.h"
#include "net/channels.h"
#include "net/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum manner { ANSWERS, KEEPS, REFUSES, WRONG_ID, GARBAGE, WRONG_TYPE };

static const char *const fqdns[] = {"mef.example.com", "mef2.example.com"};

#define KEID "000102030405060708090A0B0C0D0E0F@mef.example.com"

struct scene {
	struct loop *l;
	struct clock clock;
	int64_t now_ms;
	struct mef_remote *r;
	const struct mef *port;
	struct ipc *channel;
	enum manner manner;
	unsigned int asked, done, ok, want;
	enum code code;
	struct secret key;
	char enrolee[64];
	int64_t lifetime_s;
	uint32_t last_id;
	bool die; /* instead of an answer */
};

static int64_t now_ms(void *self)
{
	return ((struct scene *)self)->now_ms;
}

static void fake_frame(void *arg, uint16_t type, uint32_t id, struct span payload, int fd)
{
	struct scene *s = arg;
	OWNED_BUF struct buf b = BUF(2000);
	struct mef_key key = {.key = {.n = 32, .bytes = {1, 2, 3}}, .enrolee_id = "cse1.example.com", .lifetime_s = 3600};
	struct mef_ask ask;
	struct why why = {0}, refusal = {0};

	assert_int_equal(type, CH_FETCH);
	assert_int_equal(mef_ask_parse(payload, &ask, &why), OK);
	assert_string_equal(ask.keid, KEID);
	assert_int_equal(ask.suid, 21);
	s->asked++;
	s->last_id = id;
	if (s->die) {
		ipc_free(s->channel);
		s->channel = NULL;
		return;
	}
	if (s->manner == KEEPS) {
		loop_stop(s->l);
		return;
	}
	mef_key_write(&b, &key);
	type = CH_FETCHED;
	if (s->manner == REFUSES) {
		(void)!WHY(&refusal, MAF_FETCH, "", "no");
		buf_clear(&b);
		mef_refusal_write(&b, &refusal);
		type = CH_FETCH_REFUSED;
	} else if (s->manner == GARBAGE) {
		b.n--;
	} else if (s->manner == WRONG_TYPE) {
		type = CH_FETCH;
	}
	assert_int_equal(ipc_send(s->channel, type, s->manner == WRONG_ID ? id ^ 0x10000 : id, buf_span(&b), &why), OK);
	if (s->manner == WRONG_ID) /* the right one behind it */
		assert_int_equal(ipc_send(s->channel, type, id, buf_span(&b), &why), OK);
}

static void fake_closed(void *arg, const struct why *why)
{
	struct scene *s = arg;

	ipc_free(s->channel);
	s->channel = NULL;
}

static void add_caller(struct scene *s)
{
	struct ipc_handler h = {fake_frame, fake_closed, s};
	struct why why = {0};
	int fds[2];

	assert_int_equal(ipc_pair(fds, &why), OK);
	assert_int_equal(ipc_new(s->l, fds[0], &channel_fetches, &h, &s->channel, &why), OK);
	assert_int_equal(mef_remote_add(s->r, fds[1], &why), OK);
}

static void scene_init(struct scene *s, enum manner manner)
{
	struct why why = {0};

	*s = (struct scene){.now_ms = 1000, .manner = manner, .want = 1};
	s->clock = (struct clock){.self = s, .mono_ms = now_ms};
	log_open(LOG_TEXT, LOG_ERROR_, "test");
	assert_int_equal(loop_new(&s->l, &why), OK);
	assert_int_equal(mef_remote_new(s->l, &s->clock, fqdns, 2, &s->r, &why), OK);
	s->port = mef_remote_port(s->r);
}

static void scene_fini(struct scene *s)
{
	mef_remote_free(s->r);
	if (s->channel)
		ipc_free(s->channel);
	loop_free(s->l);
}

static void on_done(void *arg, enum err err, const struct mef_key *key, const struct why *why)
{
	struct scene *s = arg;

	assert_int_equal(err == OK, key != NULL);
	s->done++;
	s->ok += err == OK;
	s->code = why->code;
	if (key) {
		s->key = key->key;
		s->lifetime_s = key->lifetime_s;
		snprintf(s->enrolee, sizeof(s->enrolee), "%s", key->enrolee_id);
	}
	if (s->done == s->want)
		loop_stop(s->l);
}

static void fetch(struct scene *s, const char *keid)
{
	s->port->fetch(s->port->self, keid, 21, on_done, s);
}

static void keys_come_back(void **state)
{
	struct scene s;

	scene_init(&s, ANSWERS);
	add_caller(&s);
	s.want = 3;
	for (int i = 0; i < 3; i++)
		fetch(&s, KEID);
	assert_int_equal(mef_remote_under_way(s.r), 3);
	loop_run(s.l);
	assert_int_equal(s.ok, 3);
	assert_int_equal(s.key.n, 32);
	assert_int_equal(s.key.bytes[2], 3);
	assert_string_equal(s.enrolee, "cse1.example.com");
	assert_int_equal(s.lifetime_s, 3600);
	assert_int_equal(mef_remote_under_way(s.r), 0);
	scene_fini(&s);
}

static void refusals_come_back_with_their_reason(void **state)
{
	struct scene s;

	scene_init(&s, REFUSES);
	add_caller(&s);
	fetch(&s, KEID);
	loop_run(s.l);
	assert_int_equal(s.code, CODE_MAF_FETCH);
	scene_fini(&s);
}

static void mef_that_is_not_configured_is_told_at_once(void **state)
{
	struct scene s;

	scene_init(&s, ANSWERS);
	add_caller(&s);
	fetch(&s, "000102030405060708090A0B0C0D0E0F@evil.example.com");
	assert_int_equal(s.done, 1);
	assert_int_equal(s.code, CODE_MAF_MEF);
	assert_int_equal(s.asked, 0);
	scene_fini(&s);
}

static void without_a_caller_it_fails_at_once(void **state)
{
	struct scene s;

	scene_init(&s, ANSWERS);
	fetch(&s, KEID);
	assert_int_equal(s.code, CODE_MAF_CALL);
	scene_fini(&s);
}

static void caller_that_ends_fails_what_it_had(void **state)
{
	struct scene s;

	scene_init(&s, KEEPS);
	add_caller(&s);
	s.want = 2;
	fetch(&s, KEID);
	loop_run(s.l);
	s.die = true;
	fetch(&s, KEID);
	loop_run(s.l);
	assert_int_equal(s.done, 2);
	assert_int_equal(s.ok, 0);
	assert_int_equal(s.code, CODE_MAF_CALL);
	/* the next one takes over */
	s.die = false;
	s.manner = ANSWERS;
	s.want = 3;
	add_caller(&s);
	fetch(&s, KEID);
	while (s.done < s.want) /* a loop without any event keeps its stop for the next run */
		loop_run(s.l);
	assert_int_equal(s.ok, 1);
	scene_fini(&s);
}

static void caller_that_speaks_nonsense_is_hung_up_on(void **state)
{
	static const enum manner manners[] = {GARBAGE, WRONG_TYPE};

	for (size_t i = 0; i < 2; i++) {
		struct scene s;
		scene_init(&s, manners[i]);
		add_caller(&s);
		fetch(&s, KEID);
		loop_run(s.l);
		assert_int_equal(s.ok, 0);
		assert_int_equal(s.code, CODE_MAF_CALL);
		scene_fini(&s);
	}
}

static void answer_to_nobody_is_passed_over(void **state)
{
	struct scene s;

	scene_init(&s, WRONG_ID);
	add_caller(&s);
	fetch(&s, KEID);
	loop_run(s.l);
	assert_int_equal(s.done, 1);
	assert_int_equal(s.ok, 1);
	scene_fini(&s);
}

static void number_under_way_is_bounded_and_ends_with_the_port(void **state)
{
	struct scene s;

	scene_init(&s, KEEPS);
	add_caller(&s);
	s.want = 0;
	for (int i = 0; i < MEF_REMOTE_FETCHES_MAX; i++)
		fetch(&s, KEID);
	assert_int_equal(s.done, 0);
	fetch(&s, KEID);
	assert_int_equal(s.done, 1);
	assert_int_equal(s.code, CODE_MAF_BUSY);
	scene_fini(&s);
	assert_int_equal(s.done, MEF_REMOTE_FETCHES_MAX + 1);
}

static void written_messages_are_bounded_where_they_are_read(void **state)
{
	OWNED_BUF struct buf b = BUF(4000);
	char text[MEF_ENROLEE_SIZE];
	char longest[MEF_ENROLEE_SIZE + 1];
	struct mef_key key = {.key = {.n = 32}, .enrolee_id = longest, .lifetime_s = 1};
	struct mef_key read;
	struct mef_ask ask;
	struct why why = {0};

	memset(longest, 'x', sizeof(longest));
	longest[MEF_ENROLEE_SIZE - 1] = '\0';
	mef_key_write(&b, &key);
	assert_int_equal(mef_key_parse(buf_span(&b), text, &read, &why), OK);
	longest[MEF_ENROLEE_SIZE - 1] = 'x';
	longest[MEF_ENROLEE_SIZE] = '\0';
	buf_clear(&b);
	mef_key_write(&b, &key);
	assert_int_equal(mef_key_parse(buf_span(&b), text, &read, &why), ERR_SYNTAX);
	why_clear(&why);
	buf_clear(&b);
	longest[MEF_KEYID_SIZE] = '\0';
	mef_ask_write(&b, longest, 21);
	assert_int_equal(mef_ask_parse(buf_span(&b), &ask, &why), ERR_SYNTAX);
	why_clear(&why);
	buf_clear(&b);
	longest[MEF_KEYID_SIZE - 1] = '\0';
	mef_ask_write(&b, longest, 21);
	assert_int_equal(mef_ask_parse(buf_span(&b), &ask, &why), OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_come_back),
		cmocka_unit_test(refusals_come_back_with_their_reason),
		cmocka_unit_test(mef_that_is_not_configured_is_told_at_once),
		cmocka_unit_test(without_a_caller_it_fails_at_once),
		cmocka_unit_test(caller_that_ends_fails_what_it_had),
		cmocka_unit_test(caller_that_speaks_nonsense_is_hung_up_on),
		cmocka_unit_test(answer_to_nobody_is_passed_over),
		cmocka_unit_test(number_under_way_is_bounded_and_ends_with_the_port),
		cmocka_unit_test(written_messages_are_bounded_where_they_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
