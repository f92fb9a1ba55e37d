/* A request that is told to wait stays the same bytes: in one run, and in the one after a reboot (RFC 7030 4.2.3). */
#include "lab.h"

#include "agent/pending.h"
#include "wire/call.h"

static struct span keep(struct buf *out, struct span in)
{
	buf_clear(out);
	buf_put_span(out, in);
	return buf_span(out);
}

static void the_same_request_is_sent_after_each_wait(void **state)
{
	struct lab *lab = *state;
	struct buf body OWNED_BUF = BUF(2 * CSR_DER_MAX);
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);

	lab_to_enrol(lab);
	keep(&body, lab_next(lab).body);
	keep(&csr, lab_next(lab).csr);
	assert_int_not_equal(csr.n, 0);
	for (int i = 0; i < 3; i++) {
		lab_feed(lab, 202, "text/plain", span_text("later"));
		assert_int_equal(lab_next(lab).csr.n, 0);
		agent_feed_waited(lab->agent);
		assert_true(span_equal(lab_next(lab).body, buf_span(&body)));
		assert_true(span_equal(lab_next(lab).csr, buf_span(&csr)));
	}
	struct cert_plan plan = lab_plan(lab);
	lab_issue(lab, &plan, &lab->inner);
	assert_int_equal(lab_next(lab).kind, AGENT_INSTALL);
}

static void an_earlier_runs_request_goes_on(void **state)
{
	struct lab *lab = *state;
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	const struct est_attrs attrs = lab_attrs(lab);

	lab_to_enrol(lab);
	keep(&csr, lab_next(lab).csr);
	lab_agent(lab); /* after a reboot */
	lab_to_key(lab);
	agent_feed_pending(lab->agent, lab->key, buf_span(&csr));
	assert_true(span_equal(lab_next(lab).csr, buf_span(&csr)));
	/* its challenge is over: one fresh request, by the same key */
	lab_feed(lab, 403, "text/plain", span_text("OMEF-1321: The challengePassword has expired"));
	assert_string_equal(lab_next(lab).url, LAB_URI "/csrattrs");
	lab_feed_attrs(lab, &attrs);
	assert_int_equal(lab_next(lab).method, CALL_POST);
	assert_false(span_equal(lab_next(lab).csr, buf_span(&csr)));
}

static void what_is_no_request_of_that_key_is_passed_over(void **state)
{
	struct lab *lab = *state;
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct key *other = NULL;
	struct why why = {0};

	lab_to_enrol(lab);
	keep(&csr, lab_next(lab).csr);
	must(key_new(KEY_P256, &other, &why));
	const struct span bad[] = {span_text("no CSR"), buf_span(&csr), span_first(buf_span(&csr), csr.n - 1)};
	for (size_t i = 0; i < 3; i++) {
		lab_agent(lab);
		lab_to_key(lab);
		agent_feed_pending(lab->agent, i == 1 ? other : lab->key, bad[i]);
		assert_int_equal(lab_next(lab).method, CALL_POST);
		assert_false(span_equal(lab_next(lab).csr, bad[i]));
	}
	lab_agent(lab);
	key_free(other);
}

/* RFC 7030 4.2.3: a person's no is no reason for another request */
static void a_denial_is_final(void **state)
{
	struct lab *lab = *state;

	lab_to_enrol(lab);
	lab_feed(lab, 202, "text/plain", span_text("later"));
	agent_feed_waited(lab->agent);
	lab_feed(lab, 403, "text/plain", span_text("OMEF-1531: The MEF's operator denied the request: not you"));
	lab_failed(lab, CODE_AGENT_REFUSED, "not you");
}

static void the_record_comes_back_as_it_was(void **state)
{
	struct arena arena OWNED_ARENA = ARENA(256 * 1024);
	struct buf json OWNED_BUF = BUF(AGENT_PENDING_MAX);
	static uint8_t longest[AGENT_PENDING_CSR_MAX + 1];
	struct agent_pending p = {.uri = "https://mef.example.com", .renew = true, .client = {1, 2, 255},
		.csr = span_of(longest, AGENT_PENDING_CSR_MAX), .since_s = 1000, .again_s = 2000, .said = "request A waits"};
	struct agent_pending back;
	struct why why = {0};

	(void)state;
	must(agent_pending_write(&p, &json, &why));
	must(agent_pending_parse(buf_span(&json), &arena, &back, &why));
	assert_true(agent_pending_fits(&back, &p));
	assert_true(span_equal(back.csr, p.csr));
	assert_int_equal(back.since_s, 1000);
	assert_int_equal(back.again_s, 2000);
	assert_string_equal(back.said, "request A waits");
	struct agent_pending other[] = {p, p, p};
	other[0].uri = "https://mef.example.org";
	other[1].renew = false;
	other[2].client[31] = 1;
	for (size_t i = 0; i < 3; i++)
		assert_false(agent_pending_fits(&back, &other[i]));
	p.csr.n++;
	assert_int_equal(agent_pending_write(&p, &json, &why), ERR_LIMIT);
}

static void a_broken_record_is_refused(void **state)
{
	static const char *const bad[] = {"", "{}", "[]", "{\"csr\":\"MAA=\"}", "{\"client\":\"00\",\"csr\":\"MAA=\"}",
		"{\"csr\":\"MAA=\",\"csr\":\"MAA=\"}", "{\"csr\":7}", "{\"csr\":\"MAA=\",\"since\":-1}"};
	struct agent_pending p;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct arena arena OWNED_ARENA = ARENA(64 * 1024);
		struct why why = {0};
		assert_int_not_equal(agent_pending_parse(span_text(bad[i]), &arena, &p, &why), OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(the_same_request_is_sent_after_each_wait),
		LAB(an_earlier_runs_request_goes_on),
		LAB(what_is_no_request_of_that_key_is_passed_over),
		LAB(a_denial_is_final),
		cmocka_unit_test(the_record_comes_back_as_it_was),
		cmocka_unit_test(a_broken_record_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
