#include "proto/est/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static enum err parse(const char *path, struct est_path *out)
{
	struct why why = {0};

	return est_path_parse(span_text(path), out, &why);
}

/* RFC 7030 3.2.2: the operation follows the well-known prefix */
static void operations_without_label_are_found(void **state)
{
	static const enum est_operation ops[] = {EST_CACERTS, EST_CSRATTRS, EST_SIMPLEENROLL, EST_SIMPLEREENROLL,
		EST_SERVERKEYGEN, EST_FULLCMC};
	(void)state;

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		struct est_path got = {0};
		char path[128];
		snprintf(path, sizeof(path), "/.well-known/est/%s", est_operation_name(ops[i]));
		assert_int_equal(parse(path, &got), OK);
		assert_int_equal(got.operation, ops[i]);
		assert_int_equal(got.label.n, 0);
	}
	assert_string_equal(est_operation_name(EST_CACERTS), "cacerts");
	assert_string_equal(est_operation_name(EST_NONE), "none");
}

/* RFC 7030 3.2.2: one more path segment before the operation chooses a CA or policy */
static void a_label_is_taken_from_the_path(void **state)
{
	struct est_path got = {0};
	(void)state;

	assert_int_equal(parse("/.well-known/est/iot-1.A_b/simpleenroll", &got), OK);
	assert_int_equal(got.operation, EST_SIMPLEENROLL);
	assert_true(span_is(got.label, "iot-1.A_b"));
}

static void a_label_of_64_characters_is_read_and_one_of_65_is_not(void **state)
{
	char path[160];
	struct est_path got = {0};
	(void)state;

	snprintf(path, sizeof(path), "/.well-known/est/%064d/cacerts", 7);
	assert_int_equal(parse(path, &got), OK);
	assert_int_equal(got.label.n, EST_LABEL_MAX);
	snprintf(path, sizeof(path), "/.well-known/est/%065d/cacerts", 7);
	assert_int_equal(parse(path, &got), ERR_NOT_FOUND);
	assert_int_equal(got.operation, EST_NONE);
}

/* RFC 7030 3.2.2: a label is never an operation's name */
static void labels_named_like_operations_are_refused(void **state)
{
	static const char *const names[] = {
		"cacerts", "csrattrs", "simpleenroll", "simplereenroll", "fullcmc", "serverkeygen"};
	struct est_path got = {0};
	(void)state;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[128];
		snprintf(path, sizeof(path), "/.well-known/est/%s/cacerts", names[i]);
		assert_int_equal(parse(path, &got), ERR_NOT_FOUND);
	}
}

static void anything_else_is_not_found(void **state)
{
	static const char *const paths[] = {
		"", "/", "/.well-known/est", "/.well-known/est/", "/.well-known/est//cacerts",
		"/.well-known/estcacerts", "/.well-known/est/cacerts/", "/.well-known/est/iot/", "/.well-known/est/iot",
		"/.well-known/est/iot/more/cacerts", "/.well-known/est/CACERTS", "/.well-known/EST/cacerts",
		"/.well-known/est/../est/cacerts", "/.well-known/est/./cacerts", "/.well-known/est/../cacerts",
		"/.well-known/est/i%6ft/cacerts", "/.well-known/est/fullCMC", "/.well-known/est/serverkeygen/",
		"/.well-known/est/iot/cacerts/", "/.well-known/est/iot/cacerts/x",
		"x/.well-known/est/cacerts", "/.well-known/est/cacerts?x",
	};
	(void)state;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct est_path got = {.operation = EST_CACERTS};
		if (parse(paths[i], &got) != ERR_NOT_FOUND)
			fail_msg("'%s' was found", paths[i]);
		assert_int_equal(got.operation, EST_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operations_without_label_are_found),
		cmocka_unit_test(a_label_is_taken_from_the_path),
		cmocka_unit_test(a_label_of_64_characters_is_read_and_one_of_65_is_not),
		cmocka_unit_test(labels_named_like_operations_are_refused),
		cmocka_unit_test(anything_else_is_not_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
