#include "net/channels.h"
#include "net/ipc.h"

#include "base/buf.h"

#include <setjmp.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { T_SMALL = 7, T_BIG = 8, T_FD = 9, SMALL_MAX = 16, BIG_MAX = 1024 * 1024 };

static const struct ipc_type types[] = {
	{.type = T_SMALL, .max_payload = SMALL_MAX},
	{.type = T_BIG, .max_payload = BIG_MAX},
	{.type = T_FD, .max_payload = 4, .carries_fd = true},
};
static const struct ipc_vocabulary words = {"test", types, 3};
static const struct ipc_vocabulary plain_words = {"plain", types, 2};

struct end {
	struct loop *l;
	struct ipc *c;
	unsigned int frames, stop_at;
	size_t bytes;
	uint16_t type;
	uint32_t id;
	char last[SMALL_MAX + 1];
	int fd;
	bool closed, free_in_frame;
	struct why why;
};

static void on_frame(void *arg, uint16_t type, uint32_t id, struct span payload, int fd)
{
	struct end *e = arg;

	e->frames++;
	e->bytes += payload.n;
	e->type = type;
	e->id = id;
	if (payload.n && payload.n <= SMALL_MAX) {
		memcpy(e->last, payload.p, payload.n);
		e->last[payload.n] = '\0';
	}
	if (e->fd >= 0 && fd >= 0)
		close(e->fd);
	if (fd >= 0)
		e->fd = fd;
	if (e->free_in_frame) {
		ipc_free(e->c);
		e->c = NULL;
		loop_stop(e->l);
	}
	if (e->frames == e->stop_at)
		loop_stop(e->l);
}

static void on_closed(void *arg, const struct why *why)
{
	struct end *e = arg;

	e->closed = true;
	e->why = *why;
	ipc_free(e->c);
	e->c = NULL;
	loop_stop(e->l);
}

static void end_init(struct end *e, struct loop *l, int fd, const struct ipc_vocabulary *v)
{
	struct ipc_handler h = {on_frame, on_closed, e};
	struct why why = {0};

	*e = (struct end){.l = l, .fd = -1};
	assert_int_equal(ipc_new(l, fd, v, &h, &e->c, &why), OK);
}

/* One end is a channel, the other a bare socket that the test writes to. */
struct scene {
	struct loop *l;
	struct end e;
	int raw;
};

static void scene_init(struct scene *s, const struct ipc_vocabulary *v)
{
	struct why why = {0};
	int fds[2];

	assert_int_equal(loop_new(&s->l, &why), OK);
	assert_int_equal(ipc_pair(fds, &why), OK);
	end_init(&s->e, s->l, fds[0], v);
	s->raw = fds[1];
}

static void scene_fini(struct scene *s)
{
	ipc_free(s->e.c);
	if (s->e.fd >= 0)
		close(s->e.fd);
	close(s->raw);
	loop_free(s->l);
}

static void put_frame(struct buf *b, uint32_t length, uint16_t type, uint32_t id, const char *text)
{
	buf_put_u32(b, length);
	buf_put_u16(b, type);
	buf_put_u32(b, id);
	buf_put_text(b, text);
}

static void raw_send(struct scene *s, struct span bytes)
{
	assert_int_equal(send(s->raw, bytes.p, bytes.n, 0), bytes.n);
}

static void a_frame_comes_whole_however_it_is_cut(void **state)
{
	OWNED_BUF struct buf b = BUF(100);
	struct scene s;

	put_frame(&b, 6 + 5, T_SMALL, 0x01020304, "hello");
	scene_init(&s, &words);
	s.e.stop_at = 1;
	for (size_t i = 0; i < b.n; i++) {
		struct why why = {0};
		struct span payload;
		size_t used = 99;
		uint16_t type;
		uint32_t id;
		assert_int_equal(
			ipc_frame_parse(&words, span_of(b.p, i), &used, &type, &id, &payload, &why), OK);
		assert_int_equal(used, 0);
	}
	raw_send(&s, span_of(b.p, 3));
	raw_send(&s, span_of(b.p + 3, 8));
	raw_send(&s, span_of(b.p + 11, b.n - 11));
	loop_run(s.l);
	assert_int_equal(s.e.type, T_SMALL);
	assert_int_equal(s.e.id, 0x01020304);
	assert_string_equal(s.e.last, "hello");
	scene_fini(&s);
}

static void many_frames_of_one_read_are_all_delivered(void **state)
{
	OWNED_BUF struct buf b = BUF(10000);
	struct scene s;

	for (int i = 0; i < 300; i++)
		put_frame(&b, 6 + 2, T_SMALL, (uint32_t)i, "ab");
	scene_init(&s, &words);
	s.e.stop_at = 300;
	raw_send(&s, buf_span(&b));
	loop_run(s.l);
	assert_int_equal(s.e.frames, 300);
	assert_int_equal(s.e.id, 299);
	scene_fini(&s);
}

static void refuses(uint32_t length, uint16_t type, const char *text, const char *reason)
{
	OWNED_BUF struct buf b = BUF(100);
	struct scene s;

	put_frame(&b, length, type, 1, text);
	scene_init(&s, &words);
	raw_send(&s, buf_span(&b));
	loop_run(s.l);
	assert_true(s.e.closed);
	assert_int_equal(s.e.frames, 0);
	assert_int_equal(s.e.why.kind, ERR_SYNTAX);
	assert_non_null(strstr(s.e.why.text, reason));
	scene_fini(&s);
}

static void bad_frames_close_the_channel(void **state)
{
	refuses(6 + SMALL_MAX + 1, T_SMALL, "0123456789abcdefg", "payload of type 7");
	refuses(6, 1, "", "frame type");
	refuses(5, T_SMALL, "", "frame length");
	refuses(0, T_SMALL, "", "frame length");
	refuses(6 + BIG_MAX + 1, T_BIG, "", "frame length");
	refuses(UINT32_MAX, T_BIG, "", "frame length");
	refuses(6, T_FD, "", "want a descriptor");
}

static void the_longest_payload_passes(void **state)
{
	OWNED_BUF struct buf b = BUF(100);
	struct scene s;

	put_frame(&b, 6 + SMALL_MAX, T_SMALL, 1, "0123456789abcdef");
	scene_init(&s, &words);
	s.e.stop_at = 1;
	raw_send(&s, buf_span(&b));
	loop_run(s.l);
	assert_false(s.e.closed);
	assert_string_equal(s.e.last, "0123456789abcdef");
	scene_fini(&s);
}

static void a_length_too_long_is_refused_before_its_bytes_come(void **state)
{
	struct scene s;
	uint8_t head[4] = {0xff, 0xff, 0xff, 0xff};

	scene_init(&s, &words);
	raw_send(&s, span_of(head, 4));
	loop_run(s.l);
	assert_int_equal(s.e.why.kind, ERR_SYNTAX);
	scene_fini(&s);
}

static void the_peers_death_is_told_after_its_last_frame(void **state)
{
	OWNED_BUF struct buf b = BUF(100);
	struct scene s;

	put_frame(&b, 6 + 4, T_SMALL, 1, "last");
	scene_init(&s, &words);
	raw_send(&s, buf_span(&b));
	shutdown(s.raw, SHUT_WR);
	loop_run(s.l);
	assert_string_equal(s.e.last, "last");
	assert_true(s.e.closed);
	assert_int_equal(s.e.why.kind, ERR_SYSTEM);
	scene_fini(&s);
}

static void what_a_dying_peer_answered_is_read_though_writing_fails(void **state)
{
	OWNED_BUF struct buf b = BUF(100);
	struct why why = {0};
	struct scene s;

	put_frame(&b, 6 + 4, T_SMALL, 1, "last");
	scene_init(&s, &words);
	raw_send(&s, buf_span(&b));
	close(s.raw);
	s.raw = -1;
	assert_int_equal(ipc_send(s.e.c, T_SMALL, 2, span_text("order"), &why), OK);
	loop_run(s.l);
	assert_string_equal(s.e.last, "last");
	assert_true(s.e.closed);
	scene_fini(&s);
}

static void an_end_in_the_middle_of_a_frame_says_so(void **state)
{
	struct scene s;
	uint8_t half[6] = {0, 0, 0, 8, 0, T_SMALL};

	scene_init(&s, &words);
	raw_send(&s, span_of(half, sizeof(half)));
	shutdown(s.raw, SHUT_WR);
	loop_run(s.l);
	assert_non_null(strstr(s.e.why.text, "middle of a frame"));
	scene_fini(&s);
}

static void a_channel_may_be_freed_by_its_own_frame(void **state)
{
	OWNED_BUF struct buf b = BUF(100);
	struct scene s;

	put_frame(&b, 6 + 1, T_SMALL, 1, "a");
	put_frame(&b, 6 + 1, T_SMALL, 2, "b");
	scene_init(&s, &words);
	s.e.free_in_frame = true;
	raw_send(&s, buf_span(&b));
	loop_run(s.l);
	assert_int_equal(s.e.frames, 1);
	assert_false(s.e.closed);
	scene_fini(&s);
}

static void a_descriptor_rides_along_and_works(void **state)
{
	struct why why = {0};
	struct loop *l;
	struct end a, b;
	int fds[2], pipes[2];
	char byte = 0;

	assert_int_equal(loop_new(&l, &why), OK);
	assert_int_equal(ipc_pair(fds, &why), OK);
	end_init(&a, l, fds[0], &words);
	end_init(&b, l, fds[1], &words);
	assert_int_equal(pipe(pipes), 0);
	b.stop_at = 4;
	assert_int_equal(ipc_send(a.c, T_SMALL, 1, span_text("before"), &why), OK);
	assert_int_equal(ipc_send_fd(a.c, T_FD, 2, span_text("fd"), pipes[1], &why), OK);
	assert_int_equal(ipc_send(a.c, T_SMALL, 3, span_text("after"), &why), OK);
	assert_int_equal(ipc_send_fd(a.c, T_FD, 4, span_text("two"), open("/dev/null", O_RDONLY), &why), OK);
	loop_run(l);
	assert_int_equal(b.frames, 4);
	assert_int_not_equal(b.fd, -1);
	/* The first pipe end was closed by the second descriptor's arrival: nobody else holds it. */
	assert_int_equal(read(pipes[0], &byte, 1), 0);
	assert_int_equal(fcntl(b.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(b.fd);
	close(pipes[0]);
	ipc_free(a.c);
	ipc_free(b.c);
	loop_free(l);
}

static void a_descriptor_on_a_channel_without_them_is_dropped(void **state)
{
	OWNED_BUF struct buf b = BUF(100);
	struct scene s;
	int pipes[2];
	char byte;

	put_frame(&b, 6 + 1, T_SMALL, 1, "x");
	scene_init(&s, &plain_words);
	s.e.stop_at = 1;
	assert_int_equal(pipe(pipes), 0);
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {b.p, b.n};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	control.align =
		(struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(&control.align), &pipes[1], sizeof(int));
	assert_int_equal(sendmsg(s.raw, &msg, 0), b.n);
	close(pipes[1]);
	loop_run(s.l);
	assert_int_equal(s.e.fd, -1);
	assert_int_equal(read(pipes[0], &byte, 1), 0);
	close(pipes[0]);
	scene_fini(&s);
}

static void big_frames_cross_in_pieces_both_ways(void **state)
{
	static uint8_t big[BIG_MAX];
	struct why why = {0};
	struct loop *l;
	struct end a, b;
	int fds[2];

	assert_int_equal(loop_new(&l, &why), OK);
	assert_int_equal(ipc_pair(fds, &why), OK);
	end_init(&a, l, fds[0], &words);
	end_init(&b, l, fds[1], &words);
	b.stop_at = 8;
	for (uint32_t i = 0; i < 8; i++) {
		assert_int_equal(ipc_send(a.c, T_BIG, i, span_of(big, sizeof(big)), &why), OK);
		assert_int_equal(ipc_send(b.c, T_BIG, i, span_of(big, sizeof(big)), &why), OK);
	}
	loop_run(l);
	assert_int_equal(b.bytes, 8 * (size_t)BIG_MAX);
	ipc_free(a.c);
	ipc_free(b.c);
	loop_free(l);
}

static void a_peer_that_does_not_read_is_found_one_past_the_limit(void **state)
{
	static uint8_t big[BIG_MAX];
	struct why why = {0};
	struct scene s;
	size_t each = BIG_MAX + IPC_HEAD_SIZE;
	size_t fit = IPC_QUEUE_MAX / each;

	scene_init(&s, &words);
	for (size_t i = 0; i < fit; i++)
		assert_int_equal(ipc_send(s.e.c, T_BIG, 1, span_of(big, sizeof(big)), &why), OK);
	size_t rest = IPC_QUEUE_MAX - fit * each - IPC_HEAD_SIZE;
	assert_int_equal(ipc_send(s.e.c, T_BIG, 1, span_of(big, rest + 1), &why), ERR_LIMIT);
	why_clear(&why);
	assert_int_equal(ipc_send(s.e.c, T_BIG, 1, span_of(big, rest), &why), OK);
	assert_int_equal(ipc_queued(s.e.c), IPC_QUEUE_MAX);
	assert_int_equal(ipc_send(s.e.c, T_SMALL, 1, span_text(""), &why), ERR_LIMIT);
	scene_fini(&s);
}

static void what_is_not_in_the_vocabulary_is_not_sent(void **state)
{
	struct why why = {0};
	struct scene s;

	scene_init(&s, &words);
	assert_int_equal(ipc_send(s.e.c, 1, 1, span_text(""), &why), ERR_BUG);
	why_clear(&why);
	assert_int_equal(ipc_send(s.e.c, T_SMALL, 1, span_text("0123456789abcdefg"), &why), ERR_BUG);
	why_clear(&why);
	assert_int_equal(ipc_send(s.e.c, T_FD, 1, span_text(""), &why), ERR_BUG);
	assert_int_equal(ipc_queued(s.e.c), 0);
	scene_fini(&s);
}

static void the_crl_of_a_hundred_thousand_fits_its_channel(void **state)
{
	for (size_t i = 0; i < channel_orders.n; i++) {
		if (channel_orders.types[i].type == CH_SIGN_CRL || channel_orders.types[i].type == CH_CRL)
			assert_int_equal(channel_orders.types[i].max_payload, 8 * 1024 * 1024);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_comes_whole_however_it_is_cut),
		cmocka_unit_test(many_frames_of_one_read_are_all_delivered),
		cmocka_unit_test(bad_frames_close_the_channel),
		cmocka_unit_test(the_longest_payload_passes),
		cmocka_unit_test(a_length_too_long_is_refused_before_its_bytes_come),
		cmocka_unit_test(the_peers_death_is_told_after_its_last_frame),
		cmocka_unit_test(what_a_dying_peer_answered_is_read_though_writing_fails),
		cmocka_unit_test(an_end_in_the_middle_of_a_frame_says_so),
		cmocka_unit_test(a_channel_may_be_freed_by_its_own_frame),
		cmocka_unit_test(a_descriptor_rides_along_and_works),
		cmocka_unit_test(a_descriptor_on_a_channel_without_them_is_dropped),
		cmocka_unit_test(big_frames_cross_in_pieces_both_ways),
		cmocka_unit_test(a_peer_that_does_not_read_is_found_one_past_the_limit),
		cmocka_unit_test(what_is_not_in_the_vocabulary_is_not_sent),
		cmocka_unit_test(the_crl_of_a_hundred_thousand_fits_its_channel),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
