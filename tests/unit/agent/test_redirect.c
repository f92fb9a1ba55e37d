/* RFC 7030 3.2.1: redirections to the same origin are followed, all others end the run. */
#include "lab.h"

static void feed_move(struct lab *lab, unsigned int status, const char *location)
{
	const struct agent_reply reply = {.status = status, .location = location};

	agent_feed(lab->agent, &reply);
}

static void the_same_origin_is_followed(void **state)
{
	struct lab *lab = *state;
	static const unsigned int statuses[] = {301, 302, 303, 307, 308};

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		lab_agent(lab);
		lab_next(lab);
		feed_move(lab, statuses[i], "https://MEF.example.com/elsewhere/cacerts");
		struct agent_action action = lab_next(lab);
		assert_int_equal(action.kind, AGENT_CALL);
		assert_int_equal(action.method, CALL_GET);
		assert_string_equal(action.url, "https://MEF.example.com/elsewhere/cacerts");
		lab_to_attrs(lab);
		assert_string_equal(lab_next(lab).url, LAB_URI "/csrattrs");
	}
}

static void another_origin_is_not(void **state)
{
	struct lab *lab = *state;
	static const char *const others[] = {"https://evil.example.com/cacerts", "http://mef.example.com/cacerts",
		"https://mef.example.com:8443/cacerts", "https://mef.example.com.evil.example/", "", NULL, "cacerts"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		lab_agent(lab);
		lab_next(lab);
		feed_move(lab, 302, others[i]);
		lab_failed(lab, CODE_AGENT_REPLY, "302");
	}
}

static void a_post_goes_on_as_a_post_only(void **state)
{
	struct lab *lab = *state;

	lab_to_enrol(lab);
	lab_next(lab);
	feed_move(lab, 307, "https://mef.example.com/other/simpleenroll");
	struct agent_action action = lab_next(lab);
	assert_int_equal(action.method, CALL_POST);
	assert_string_equal(action.url, "https://mef.example.com/other/simpleenroll");
	assert_true(action.body.n > 0);
	feed_move(lab, 302, "https://mef.example.com/third/simpleenroll");
	lab_failed(lab, CODE_AGENT_REPLY, "302");
}

static void a_loop_ends(void **state)
{
	struct lab *lab = *state;

	lab_agent(lab);
	for (int i = 0; i < AGENT_MOVES_MAX; i++) {
		assert_int_equal(lab_next(lab).kind, AGENT_CALL);
		feed_move(lab, 307, LAB_URI "/cacerts");
	}
	assert_int_equal(lab_next(lab).kind, AGENT_CALL);
	feed_move(lab, 307, LAB_URI "/cacerts");
	lab_failed(lab, CODE_AGENT_REPLY, "307");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_same_origin_is_followed, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(another_origin_is_not, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(a_post_goes_on_as_a_post_only, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(a_loop_ends, lab_setup, lab_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
