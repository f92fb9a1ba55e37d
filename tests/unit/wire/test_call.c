#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/call.h"

static const uint8_t zeros[70 * 1000];

static struct call sample(void)
{
	struct call call = {
		.method = CALL_POST,
		.path = span_text("/.well-known/est/onem2m/simpleenroll"),
		.query = span_text("a=b"),
		.media_type = span_text("application/pkcs10"),
		.transfer_encoding = span_text("base64"),
		.accept = span_text("*/*"),
		.user_agent = span_text("curl/8"),
		.origin = span_text("//cse.example/C1"),
		.body = span_of("\0\1\2", 3),
		.peer = {
			.trust = PEER_THIRD_PARTY,
			.tls_version = 0x0304,
			.leaf = span_text("leaf"),
			.anchor = {1, 2, 3, [31] = 9},
			.identity = span_text("kpm7@mef.example"),
			.exporter = span_of(zeros, 32),
			.exported = span_text("two keys"),
			.unique = span_text("u"),
			.strong = true,
			.sni = "mef.example.com",
			.address = "127.0.0.1",
		},
	};
	return call;
}

static void assert_same(const struct call *a, const struct call *b)
{
	assert_int_equal(a->method, b->method);
	assert_true(span_equal(a->path, b->path));
	assert_true(span_equal(a->query, b->query));
	assert_true(span_equal(a->media_type, b->media_type));
	assert_true(span_equal(a->transfer_encoding, b->transfer_encoding));
	assert_true(span_equal(a->accept, b->accept));
	assert_true(span_equal(a->user_agent, b->user_agent));
	assert_true(span_equal(a->origin, b->origin));
	assert_true(span_equal(a->body, b->body));
	assert_int_equal(a->peer.trust, b->peer.trust);
	assert_int_equal(a->peer.proxied, b->peer.proxied);
	assert_int_equal(a->peer.strong, b->peer.strong);
	assert_int_equal(a->peer.tls_version, b->peer.tls_version);
	assert_true(span_equal(a->peer.leaf, b->peer.leaf));
	assert_memory_equal(a->peer.anchor, b->peer.anchor, 32);
	assert_true(span_equal(a->peer.exporter, b->peer.exporter));
	assert_true(span_equal(a->peer.identity, b->peer.identity));
	assert_true(span_equal(a->peer.exported, b->peer.exported));
	assert_true(span_equal(a->peer.unique, b->peer.unique));
	assert_string_equal(a->peer.sni, b->peer.sni);
	assert_string_equal(a->peer.address, b->peer.address);
}

static void a_call_comes_back_as_it_was_sent(void **state)
{
	struct call in = sample();
	struct call out;
	struct why why = {0};
	struct buf OWNED_BUF frame = BUF(1000);

	call_write(&frame, &in);
	assert_int_equal(buf_check(&frame, "frame", &why), OK);
	assert_int_equal(call_parse(buf_span(&frame), &out, &why), OK);
	assert_same(&in, &out);
}

static bool is_taken(const struct call *call)
{
	struct call out;
	struct why why = {0};
	struct buf OWNED_BUF frame = BUF(1000);

	call_write(&frame, call);
	if (call_parse(buf_span(&frame), &out, &why) != OK)
		return false;
	assert_same(call, &out);
	return true;
}

/* What ended at a proxy has left nothing of its session. */
static void a_proxied_peer_has_no_session(void **state)
{
	struct call in = {.method = CALL_GET, .peer = {.trust = PEER_THIRD_PARTY, .proxied = true, .leaf = span_text("leaf")}};

	assert_true(is_taken(&in));
	in.peer.trust = PEER_ANONYMOUS;
	assert_true(is_taken(&in));
	in.peer.trust = PEER_RAW_KEY;
	assert_false(is_taken(&in));
	in.peer.trust = PEER_PSK;
	assert_false(is_taken(&in));
	in.peer.trust = PEER_SRP;
	assert_false(is_taken(&in));
	in.peer.trust = PEER_OWN;
	in.peer.exporter = span_text("e");
	assert_false(is_taken(&in));
	in.peer.exporter.n = 0;
	in.peer.unique = span_text("u");
	assert_false(is_taken(&in));
	in.peer.proxied = false;
	assert_true(is_taken(&in));
}

static void an_empty_call_comes_back(void **state)
{
	struct call in = {.method = CALL_GET};
	struct call out;
	struct why why = {0};
	struct buf OWNED_BUF frame = BUF(1000);

	call_write(&frame, &in);
	assert_int_equal(call_parse(buf_span(&frame), &out, &why), OK);
	assert_same(&in, &out);
}

static void a_call_cut_anywhere_is_refused(void **state)
{
	struct call in = sample();
	struct call out;
	struct buf OWNED_BUF frame = BUF(1000);

	call_write(&frame, &in);
	for (size_t n = 0; n < frame.n; n++) {
		struct why why = {0};
		assert_int_equal(call_parse(span_of(frame.p, n), &out, &why), ERR_SYNTAX);
		assert_int_equal(why.code, CODE_CALL_FRAME);
	}
}

static void a_call_with_a_byte_too_many_is_refused(void **state)
{
	struct call in = sample();
	struct call out;
	struct why why = {0};
	struct buf OWNED_BUF frame = BUF(1000);

	call_write(&frame, &in);
	buf_put_u8(&frame, 0);
	assert_int_equal(call_parse(buf_span(&frame), &out, &why), ERR_SYNTAX);
}

static enum err sent(const struct call *in, enum code *code)
{
	struct call out;
	struct why why = {0};
	struct buf OWNED_BUF frame = BUF(200 * 1000);

	call_write(&frame, in);
	assert_int_equal(buf_check(&frame, "frame", &why), OK);
	enum err err = call_parse(buf_span(&frame), &out, &why);
	*code = why.code;
	return err;
}

static void each_field_ends_at_its_limit(void **state)
{
	struct call call = sample();
	struct {
		struct span *field;
		size_t max;
	} limits[] = {{&call.path, CALL_PATH_MAX}, {&call.query, CALL_PATH_MAX},
		{&call.media_type, CALL_MEDIA_MAX}, {&call.transfer_encoding, CALL_MEDIA_MAX},
		{&call.accept, CALL_MEDIA_MAX}, {&call.user_agent, CALL_AGENT_MAX}, {&call.body, CALL_BODY_MAX},
		{&call.peer.leaf, CALL_LEAF_MAX}, {&call.peer.exporter, CALL_BINDING_MAX},
		{&call.peer.unique, CALL_BINDING_MAX}, {&call.origin, CALL_NAME_MAX},
		{&call.peer.identity, CALL_IDENTITY_MAX}, {&call.peer.exported, CALL_EXPORT_MAX}};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		enum code code = CODE_NONE;
		struct span kept = *limits[i].field;
		*limits[i].field = span_of(zeros, limits[i].max);
		assert_int_equal(sent(&call, &code), OK);
		*limits[i].field = span_of(zeros, limits[i].max + 1);
		assert_int_equal(sent(&call, &code), ERR_LIMIT);
		assert_int_equal(code, CODE_CALL_LIMIT);
		*limits[i].field = kept;
	}
}

static void unknown_methods_and_trusts_are_refused(void **state)
{
	struct call call = sample();
	enum code code = CODE_NONE;

	call.method = (enum call_method)0;
	assert_int_equal(sent(&call, &code), ERR_SYNTAX);
	call.method = (enum call_method)(CALL_DELETE + 1);
	assert_int_equal(sent(&call, &code), ERR_SYNTAX);
	call.method = CALL_DELETE;
	assert_int_equal(sent(&call, &code), OK);
	call.peer.trust = PEER_SRP;
	assert_int_equal(sent(&call, &code), OK);
	call.peer.trust = (enum peer_trust)(PEER_SRP + 1);
	assert_int_equal(sent(&call, &code), ERR_SYNTAX);
}

static void a_name_that_hides_a_nul_is_refused(void **state)
{
	struct call in = {.method = CALL_GET};
	struct call out;
	struct why why = {0};
	struct buf OWNED_BUF frame = BUF(1000);

	memcpy(in.peer.sni, "abc", 3);
	call_write(&frame, &in);
	uint8_t *at = memchr(frame.p, 'b', frame.n);
	assert_non_null(at);
	*at = 0;
	assert_int_equal(call_parse(buf_span(&frame), &out, &why), ERR_SYNTAX);
}

static enum err returned(const struct reply *in, struct reply *out)
{
	static uint8_t kept[REPLY_BODY_MAX + 1000];
	struct why why = {0};
	struct buf OWNED_BUF frame = BUF(REPLY_BODY_MAX + 1000);

	reply_write(&frame, in);
	assert_int_equal(buf_check(&frame, "frame", &why), OK);
	memcpy(kept, frame.p, frame.n);
	return reply_parse(span_of(kept, frame.n), out, &why);
}

static void a_reply_comes_back_as_it_was_sent(void **state)
{
	for (unsigned int flags = 0; flags < 128; flags++) {
		struct reply in = {.status = 200, .media_type = "application/pkcs7-mime; smime-type=certs-only",
			.base64 = flags & 1, .close = flags & 2, .allow = flags >> 2 << CALL_GET, .retry_after_s = 3600, .max_age_s = UINT32_MAX,
			.body = span_text("MIIB")};
		struct reply out;
		assert_int_equal(returned(&in, &out), OK);
		assert_int_equal(out.status, 200);
		assert_string_equal(out.media_type, in.media_type);
		assert_int_equal(out.base64, in.base64);
		assert_int_equal(out.close, in.close);
		assert_int_equal(out.allow, in.allow);
		assert_int_equal(out.retry_after_s, 3600);
		assert_int_equal(out.max_age_s, UINT32_MAX);
		assert_true(span_is(out.body, "MIIB"));
	}
}

static void a_reply_cut_anywhere_is_refused(void **state)
{
	struct reply in = {.status = 200, .media_type = "text/plain", .body = span_text("x")};
	struct reply out;
	struct buf OWNED_BUF frame = BUF(100);

	reply_write(&frame, &in);
	for (size_t n = 0; n < frame.n; n++) {
		struct why why = {0};
		assert_int_equal(reply_parse(span_of(frame.p, n), &out, &why), ERR_SYNTAX);
	}
}

static void a_reply_cannot_smuggle_lines_into_http(void **state)
{
	const char *bad[] = {"text/plain\r\nX: y", "a\nb", "\x7f", "\xc3\xa4"};
	struct reply out;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct reply in = {.status = 200};
		memcpy(in.media_type, bad[i], strlen(bad[i]) + 1);
		assert_int_equal(returned(&in, &out), ERR_SYNTAX);
	}
}

static void a_reply_has_a_status_of_http(void **state)
{
	const uint16_t bad[] = {0, 99, 600, 65535};
	struct reply out;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(returned(&(struct reply){.status = bad[i]}, &out), ERR_SYNTAX);
	assert_int_equal(returned(&(struct reply){.status = 100}, &out), OK);
	assert_int_equal(returned(&(struct reply){.status = 599}, &out), OK);
}

static void a_reply_body_ends_at_its_limit(void **state)
{
	static uint8_t body[REPLY_BODY_MAX + 1];
	struct reply out;

	assert_int_equal(returned(&(struct reply){.status = 200, .body = span_of(body, REPLY_BODY_MAX)}, &out), OK);
	assert_int_equal(
		returned(&(struct reply){.status = 200, .body = span_of(body, REPLY_BODY_MAX + 1)}, &out), ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_comes_back_as_it_was_sent),
		cmocka_unit_test(an_empty_call_comes_back),
		cmocka_unit_test(a_proxied_peer_has_no_session),
		cmocka_unit_test(a_call_cut_anywhere_is_refused),
		cmocka_unit_test(a_call_with_a_byte_too_many_is_refused),
		cmocka_unit_test(each_field_ends_at_its_limit),
		cmocka_unit_test(unknown_methods_and_trusts_are_refused),
		cmocka_unit_test(a_name_that_hides_a_nul_is_refused),
		cmocka_unit_test(a_reply_comes_back_as_it_was_sent),
		cmocka_unit_test(a_reply_cut_anywhere_is_refused),
		cmocka_unit_test(a_reply_cannot_smuggle_lines_into_http),
		cmocka_unit_test(a_reply_has_a_status_of_http),
		cmocka_unit_test(a_reply_body_ends_at_its_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
