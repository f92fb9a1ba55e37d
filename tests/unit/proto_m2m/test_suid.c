#include "proto/m2m/suid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* TS-0004 6.3.4.2.39: m2m:suid */
static const unsigned int all[] = {10, 11, 12, 13, 14, 15, 21, 22, 23, 24, 25, 32, 33, 34, 35, 40, 41, 42, 43, 44, 45};

enum { ALL = sizeof(all) / sizeof(all[0]) };

static void the_table_holds_twenty_one_usages(void **state)
{
	size_t n = 0;
	(void)state;

	for (unsigned int suid = 0; suid < 3000; suid++)
		n += suid_known(suid);
	assert_int_equal(n, ALL);
	for (size_t i = 0; i < ALL; i++) {
		assert_true(suid_known(all[i]));
		assert_int_equal(suid_origin_of(all[i]), all[i] / 10);
		assert_int_equal(suid_use_of(all[i]), all[i] % 10);
		assert_string_not_equal(suid_name(all[i]), "unknown");
	}
	assert_string_equal(suid_name(21), "RSPF key for a MAF");
	assert_string_equal(suid_name(20), "unknown");
	assert_int_equal(suid_origin_of(SUID_RSPF_MAF), SUID_RSPF);
	assert_int_equal(suid_use_of(SUID_MAF_SAEF), SUID_SAEF);
}

static void numbers_and_names_are_read(void **state)
{
	static const struct {
		const char *text;
		unsigned int suid;
	} cases[] = {{"21", 21}, {"45", 45}, {"10", 10}, {"maf", 21}, {"saef", 22}, {"ESPrim", 23}, {"esdata", 24}, {"esdata-sign", 25},
		{"", 0}, {"2", 0}, {"20", 0}, {"31", 0}, {"26", 0}, {"021", 0}, {"211", 0}, {" 21", 0}, {"2a", 0}, {"-1", 0}, {"mef", 0},
		{"saef ", 0}};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (suid_parse(span_text(cases[i].text)) != cases[i].suid)
			fail_msg("'%s'", cases[i].text);
	}
}

static void lists_are_sorted_and_hold_each_once(void **state)
{
	struct suid_list l = {.n = 0};
	(void)state;

	for (size_t round = 0; round < 2; round++) {
		for (size_t i = ALL; i > 0; i--)
			assert_true(suid_list_add(&l, all[i - 1]));
	}
	assert_int_equal(l.n, ALL);
	for (size_t i = 0; i < ALL; i++)
		assert_int_equal(l.items[i], all[i]);
	assert_false(suid_list_add(&l, 20));
	assert_false(suid_list_add(&l, 21 + 256));
	assert_true(suid_list_has(&l, 21));
	assert_false(suid_list_has(&l, 21 + 256));
	struct suid_list full = {.n = SUID_LIST_MAX};
	assert_false(suid_list_add(&full, 21));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_holds_twenty_one_usages),
		cmocka_unit_test(numbers_and_names_are_read),
		cmocka_unit_test(lists_are_sorted_and_hold_each_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
