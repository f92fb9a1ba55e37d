#include "proto/est/linking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t unique[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
static const uint8_t exporter[32] = {0xaa, 0xbb};
static const char unique_text[] = "AQIDBAUGBwgJCgsM";
static const char exporter_text[] = "qrsAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

static struct linking_session both(void)
{
	return (struct linking_session){
		.unique = span_of(unique, sizeof(unique)), .exporter = span_of(exporter, sizeof(exporter))};
}

/* RFC 7030 3.5: tls-unique; RFC 9266 3: the exporter where there is none */
static void the_client_writes_tls_unique_where_there_is_one(void **state)
{
	struct linking_session s = both();
	struct buf text OWNED_BUF = BUF(LINKING_TEXT_MAX);
	(void)state;

	linking_write(&s, &text);
	assert_true(span_is(buf_span(&text), unique_text));
	buf_clear(&text);
	s.unique.n = 0;
	linking_write(&s, &text);
	assert_true(span_is(buf_span(&text), exporter_text));
	buf_clear(&text);
	s.exporter.n = 0;
	linking_write(&s, &text);
	assert_int_equal(text.n, 0);
}

static void only_values_of_the_session_are_of_it(void **state)
{
	const struct linking_session s = both();
	struct linking_session only = both();
	const struct linking_session none = {.unique = {NULL, 0}};
	(void)state;

	assert_true(linking_is_of(&s, span_text(unique_text)));
	assert_true(linking_is_of(&s, span_text(exporter_text)));
	assert_false(linking_is_of(&s, span_text("AQIDBAUGBwgJCgsN")));
	assert_false(linking_is_of(&s, span_first(span_text(unique_text), 15)));
	assert_false(linking_is_of(&s, span_text("AQIDBAUG BwgJCgsM")));
	assert_false(linking_is_of(&s, span_text("")));
	only.unique.n = 0;
	assert_false(linking_is_of(&only, span_text(unique_text)));
	assert_false(linking_is_of(&none, span_text(unique_text)));
	assert_false(linking_is_of(&none, span_text("")));
}

static void values_are_told_from_challenges_by_their_size(void **state)
{
	char challenge[137];
	(void)state;

	memset(challenge, 'A', 136);
	challenge[136] = '\0';
	assert_true(linking_is_value(span_text(unique_text)));
	assert_true(linking_is_value(span_text(exporter_text)));
	assert_false(linking_is_value(span_text("")));
	assert_false(linking_is_value(span_text("AQIDBAUGBwgJCgsMDQ==")));
	assert_false(linking_is_value(span_text("a password of somebody")));
	assert_false(linking_is_value(span_text(challenge)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_client_writes_tls_unique_where_there_is_one),
		cmocka_unit_test(only_values_of_the_session_are_of_it),
		cmocka_unit_test(values_are_told_from_challenges_by_their_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
