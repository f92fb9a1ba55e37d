#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/why.h"

#include <stdbool.h>
#include <string.h>

static void the_first_reason_wins(void **state)
{
	struct why why = {0};

	assert_int_equal(WHY(&why, TEXT_DATE, "RFC 5280 4.1.2.5", "deep: have %d", 1), ERR_SYNTAX);
	assert_int_equal(WHY(&why, BUF_LIMIT, "RFC 7030 4.2", "shallow: have %d", 2), ERR_LIMIT);
	assert_int_equal(why.kind, ERR_SYNTAX);
	assert_int_equal(why.code, CODE_TEXT_DATE);
	assert_string_equal(why.clause, "RFC 5280 4.1.2.5");
	assert_string_equal(why.text, "deep: have 1");
	assert_non_null(strstr(why.file, "test_why.c"));
}

static void a_handled_reason_makes_room_for_the_next(void **state)
{
	struct why why = {0};

	(void)WHY(&why, TEXT_DATE, "RFC 5280 4.1", "first");
	why_clear(&why);
	assert_int_equal(why.kind, OK);
	(void)WHY(&why, BUF_LIMIT, "", "second");
	assert_string_equal(why.text, "second");
	assert_string_equal(why.clause, "");
}

static void long_texts_are_cut_and_ended(void **state)
{
	char longer[WHY_TEXT_MAX + 100];
	struct why why = {0};

	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	(void)why_set(&why, CODE_BUG, longer, __FILE__, __LINE__, "%s", longer);
	assert_int_equal(strlen(why.text), WHY_TEXT_MAX - 1);
	assert_int_equal(strlen(why.clause), WHY_CLAUSE_MAX - 1);
	why_clear(&why);
	longer[WHY_TEXT_MAX - 1] = '\0'; /* just fits */
	(void)why_set(&why, CODE_BUG, NULL, __FILE__, __LINE__, "%s", longer);
	assert_string_equal(why.text, longer);
}

static void a_caller_may_name_the_file_that_the_reader_did_not_know(void **state)
{
	struct why why = {0};
	char longer[2 * WHY_TEXT_MAX];

	assert_int_equal(why_within(OK, "ca.pem", &why), OK);
	assert_string_equal(why.text, "");
	assert_int_equal(why_within(WHY(&why, TEXT_DATE, "RFC 5280 4.1", "want a date"), "ca.pem", &why), ERR_SYNTAX);
	assert_string_equal(why.text, "ca.pem: want a date");
	assert_int_equal(why.code, CODE_TEXT_DATE);
	assert_string_equal(why.clause, "RFC 5280 4.1");
	/* once is enough, and no name changes nothing */
	assert_int_equal(why_within(why.kind, "ca.pem", &why), ERR_SYNTAX);
	assert_int_equal(why_within(why.kind, "", &why), ERR_SYNTAX);
	assert_int_equal(why_within(why.kind, NULL, &why), ERR_SYNTAX);
	assert_string_equal(why.text, "ca.pem: want a date");
	/* a path that would leave no room for the reason is cut */
	memset(longer, 'a', sizeof(longer));
	memcpy(longer + sizeof(longer) - 5, "/end", 5);
	(void)why_within(why.kind, longer, &why);
	assert_int_equal(strlen(why.text), 3 + 200 + 2 + strlen("ca.pem: want a date"));
	assert_memory_equal(why.text, "...a", 4);
	assert_non_null(strstr(why.text, "a/end: ca.pem: want a date"));
	memset(longer, 'b', WHY_TEXT_MAX);
	longer[WHY_TEXT_MAX - 1] = '\0';
	why_clear(&why);
	(void)WHY(&why, BUG, "", "%s", longer);
	(void)why_within(why.kind, "x", &why);
	assert_int_equal(strlen(why.text), WHY_TEXT_MAX - 1);
	assert_memory_equal(why.text, "x: b", 4);
}

static const char *shown(const char *text, struct why *why)
{
	why_clear(why);
	(void)why_set(why, CODE_BUG, "", __FILE__, __LINE__, "%s", text);
	return why->text;
}

static void a_peers_bytes_cannot_steer_a_terminal(void **state)
{
	struct why why = {0};

	assert_string_equal(shown("a\r\nb\tc\x1b[31m\x7f", &why), "a??b?c?[31m?");
	assert_string_equal(shown("\xc2\x9b""31m", &why), "??31m");
	assert_string_equal(shown("\x9b""31m\xff", &why), "?31m?");
	assert_string_equal(shown("M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x98\x80", &why),
		"M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x98\x80");
	assert_string_equal(shown("\xc2\xa0", &why), "\xc2\xa0");
	/* U+202E turns what follows round, U+2028 is a line's end to some */
	assert_string_equal(shown("a\xe2\x80\xae""b\xe2\x80\xa8""c\xe2\x81\xa6""d", &why), "a???b???c???d");
}

static void a_character_cut_in_two_is_not_left_over(void **state)
{
	char text[WHY_TEXT_MAX + 2];
	struct why why = {0};

	memset(text, 'a', sizeof(text));
	memcpy(text + WHY_TEXT_MAX - 2, "\xc3\xbc", 3);
	shown(text, &why);
	assert_int_equal(why.text[WHY_TEXT_MAX - 2], '?');
}

static void a_number_without_a_page_is_a_fault_of_ours(void **state)
{
	struct why why = {0};

	assert_int_equal(why_set(&why, (enum code)9999, "", "x.c", 1, "lost"), ERR_BUG);
	assert_null(code_find(9999));
	assert_null(code_find(0));
}

static void prints_what_why_and_what_to_do(void **state)
{
	struct why why = {0};
	char out[600];

	(void)WHY(&why, TEXT_DATE, "RFC 5280 4.1.2.5", "want a date");
	size_t n = why_print(&why, out, sizeof(out));
	assert_int_equal(n, strlen(out));
	assert_string_equal(out, "OMEF-1011: A date could not be read: want a date (RFC 5280 4.1.2.5). "
				 "Next: Write it in the form named in the text.");
	why_clear(&why);
	(void)WHY(&why, TEXT_DATE, "", "want a date");
	why_print(&why, out, sizeof(out));
	assert_null(strstr(out, "("));
}

/* "The MEF refused: status 403: <the MEF's own reason>": one next step, one full stop. */
static void a_relayed_reason_keeps_its_own_next_step(void **state)
{
	struct why why = {0};
	char out[600];

	(void)WHY(&why, TEXT_DATE, "RFC 5280 4.1.2.5", "status 403: OMEF-2202: Bad: want x (seed 003). Next: Get a new one. ");
	size_t n = why_print(&why, out, sizeof(out));
	assert_int_equal(n, strlen(out));
	assert_string_equal(out, "OMEF-1011: A date could not be read: status 403: OMEF-2202: Bad: want x (seed 003). Next: Get a new one.");
	why_clear(&why);
	(void)WHY(&why, TEXT_DATE, "", "status 403: want x. Next: %400s", "y");
	why_print(&why, out, sizeof(out));
	assert_string_equal(out, "OMEF-1011: A date could not be read: status 403: want x. Next: Write it in the form named in the text.");
}

static void printing_never_leaves_its_room(void **state)
{
	struct why why = {0};
	char whole[600];

	(void)WHY(&why, TEXT_DATE, "RFC 5280 4.1.2.5", "want a date");
	size_t n = why_print(&why, whole, sizeof(whole));
	for (size_t size = 1; size <= n + 2; size++) {
		char out[600];
		memset(out, 'z', sizeof(out));
		size_t got = why_print(&why, out, size);
		assert_int_equal(got, size <= n ? size - 1 : n);
		assert_int_equal(out[got], '\0');
		assert_int_equal(out[size], 'z');
	}
	assert_int_equal(why_print(&why, NULL, 0), 0);
}

static void every_code_has_its_page_and_every_kind_a_name(void **state)
{
	for (size_t i = 0; code_at(i); i++) {
		const struct code_page *page = code_at(i);
		assert_ptr_equal(code_find((int)page->code), page);
		assert_true(page->kind != OK);
		assert_true(strlen(page->title) > 0 && strlen(page->next) > 0);
		assert_string_not_equal(err_name(page->kind), "UNKNOWN");
	}
	assert_string_equal(err_name(OK), "OK");
	assert_string_equal(err_name(ERR_FORBIDDEN), "FORBIDDEN");
	assert_string_equal(err_name((enum err)77), "UNKNOWN");
}

static enum err third(struct why *why)
{
	return WHY(why, BUF_LIMIT, "", "third");
}

static enum err tries(bool fail, int *reached, struct why *why)
{
	if (fail)
		TRY(third(why));
	*reached = 1;
	return OK;
}

static void try_forwards_the_first_failure(void **state)
{
	struct why why = {0};
	int reached = 0;

	assert_int_equal(tries(true, &reached, &why), ERR_LIMIT);
	assert_int_equal(reached, 0);
	assert_int_equal(tries(false, &reached, &why), OK);
	assert_int_equal(reached, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_reason_wins),
		cmocka_unit_test(a_handled_reason_makes_room_for_the_next),
		cmocka_unit_test(long_texts_are_cut_and_ended),
		cmocka_unit_test(a_caller_may_name_the_file_that_the_reader_did_not_know),
		cmocka_unit_test(a_peers_bytes_cannot_steer_a_terminal),
		cmocka_unit_test(a_character_cut_in_two_is_not_left_over),
		cmocka_unit_test(a_number_without_a_page_is_a_fault_of_ours),
		cmocka_unit_test(prints_what_why_and_what_to_do),
		cmocka_unit_test(a_relayed_reason_keeps_its_own_next_step),
		cmocka_unit_test(printing_never_leaves_its_room),
		cmocka_unit_test(every_code_has_its_page_and_every_kind_a_name),
		cmocka_unit_test(try_forwards_the_first_failure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
