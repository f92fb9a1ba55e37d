#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/date.h"

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap(year));
}

static void every_day_of_every_year_comes_back(void **state)
{
	struct date first = {.year = 1, .month = 1, .day = 1};
	int64_t expected = date_to_s(&first);

	for (int year = 1; year <= 9999; year++) {
		for (int month = 1; month <= 12; month++) {
			for (int day = 1; day <= days_in(year, month); day++) {
				struct date d = {.year = year, .month = month, .day = day, .hour = 23, .minute = 59,
					.second = 59};
				int64_t s = date_to_s(&d);
				struct date back = date_from_s(s);
				if (s != expected + 86399 || back.year != year || back.month != month
					|| back.day != day || back.second != 59)
					fail_msg("%04d-%02d-%02d does not come back", year, month, day);
				expected += 86400;
			}
		}
	}
}

static void knows_fixed_points(void **state)
{
	const struct {
		const char *text;
		int64_t s;
	} known[] = {{"1970-01-01T00:00:00Z", 0}, {"1969-12-31T23:59:59Z", -1}, {"2000-02-29T12:00:00Z", 951825600},
		{"2038-01-19T03:14:08Z", 2147483648}, {"9999-12-31T23:59:59Z", 253402300799},
		{"0001-01-01T00:00:00Z", -62135596800}, {"1950-01-01T00:00:00Z", -631152000}};
	struct why why = {0};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		char out[DATE_TEXT_SIZE];
		int64_t s = 1;
		date_text(known[i].s, out);
		assert_string_equal(out, known[i].text);
		assert_int_equal(date_parse(span_text(known[i].text), &s, &why), OK);
		assert_true(s == known[i].s);
	}
}

static void knows_which_dates_exist(void **state)
{
	for (int year = 1896; year <= 2104; year++) {
		struct date d = {.year = year, .month = 2, .day = 29};
		assert_int_equal(date_is_valid(&d), is_leap(year));
		for (int month = 1; month <= 12; month++) {
			struct date last = {.year = year, .month = month, .day = days_in(year, month)};
			assert_true(date_is_valid(&last));
			last.day++;
			assert_false(date_is_valid(&last));
		}
	}
}

static void refuses_fields_one_past_their_range(void **state)
{
	const struct date bad[] = {{0, 1, 1, 0, 0, 0}, {10000, 1, 1, 0, 0, 0}, {2000, 0, 1, 0, 0, 0},
		{2000, 13, 1, 0, 0, 0}, {2000, 1, 0, 0, 0, 0}, {2000, 1, 32, 0, 0, 0}, {2000, 1, INT32_MAX, 0, 0, 0},
		{2000, 1, 1, 24, 0, 0}, {2000, 1, 1, -1, 0, 0}, {2000, 1, 1, 0, 60, 0}, {2000, 1, 1, 0, -1, 0},
		{2000, 1, 1, 0, 0, 60}, {2000, 1, 1, 0, 0, -1}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(date_is_valid(&bad[i]));
}

static void reads_the_one_form_only(void **state)
{
	const char *bad[] = {"", "2026-01-31", "2026-01-31T12:00:00", "2026-01-31T12:00:00+00:00",
		"2026-01-31 12:00:00Z", "2026-01-31t12:00:00z", "2026-1-31T12:00:00Z", "2026-01-31T12:00:00Z ",
		"2026-02-29T12:00:00Z", "2026-13-01T12:00:00Z", "2026-01-31T24:00:00Z", "0000-01-01T00:00:00Z",
		"2026-01-31T12:00:0xZ", "-026-01-31T12:00:00Z"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct why why = {0};
		int64_t s = 42;
		assert_int_equal(date_parse(span_text(bad[i]), &s, &why), ERR_SYNTAX);
		assert_int_equal(why.code, CODE_TEXT_DATE);
		assert_true(s == 42);
	}
}

/* TS-0004 6.3.3: m2m:timestamp is the basic form of ISO 8601 in UTC */
static void reads_and_writes_timestamps_of_onem2m(void **state)
{
	static const char *const bad[] = {"", "20141003", "20141003T1120", "20141003T112032Z", "20141003T112032,", "20141003T112032,x",
		"20141003T112032,1234567", "20141003t112032", "2014-10-03T11:20:32", "20141003 112032", "20141303T112032",
		"20141003T240000", "00001003T112032", "2014100xT112032", " 20141003T112032"};
	char out[DATE_TEXT_SIZE];
	int64_t s = 0;

	date_basic(1412335232, out);
	assert_string_equal(out, "20141003T112032");
	for (size_t i = 0; i < 3; i++) {
		static const char *const good[] = {"20141003T112032", "20141003T112032,123456", "20141003T112032.9"};
		struct why why = {0};
		assert_int_equal(date_basic_parse(span_text(good[i]), &s, &why), OK);
		assert_true(s == 1412335232);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct why why = {0};
		s = 42;
		assert_int_equal(date_basic_parse(span_text(bad[i]), &s, &why), ERR_SYNTAX);
		assert_true(s == 42);
	}
}

static void writes_the_form_of_http(void **state)
{
	char out[DATE_TEXT_SIZE];

	/* RFC 9110 5.6.7: fixed length, GMT, names in English */
	date_http(784111777, out);
	assert_string_equal(out, "Sun, 06 Nov 1994 08:49:37 GMT");
	date_http(0, out);
	assert_string_equal(out, "Thu, 01 Jan 1970 00:00:00 GMT");
	date_http(-1, out);
	assert_string_equal(out, "Wed, 31 Dec 1969 23:59:59 GMT");
	date_http(-86400, out);
	assert_string_equal(out, "Wed, 31 Dec 1969 00:00:00 GMT");
	date_http(-86401, out);
	assert_string_equal(out, "Tue, 30 Dec 1969 23:59:59 GMT");
	date_http(1709210096, out);
	assert_string_equal(out, "Thu, 29 Feb 2024 12:34:56 GMT");
}

static void never_writes_past_its_room(void **state)
{
	const int64_t far[] = {INT64_MIN, INT64_MAX, -62135596801, 253402300800};

	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
		char out[DATE_TEXT_SIZE];
		date_text(far[i], out);
		assert_true(strlen(out) < sizeof(out));
		date_basic(far[i], out);
		assert_true(strlen(out) < sizeof(out));
		date_http(far[i], out);
		assert_true(strlen(out) < sizeof(out));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_day_of_every_year_comes_back),
		cmocka_unit_test(knows_fixed_points),
		cmocka_unit_test(knows_which_dates_exist),
		cmocka_unit_test(refuses_fields_one_past_their_range),
		cmocka_unit_test(reads_the_one_form_only),
		cmocka_unit_test(reads_and_writes_timestamps_of_onem2m),
		cmocka_unit_test(writes_the_form_of_http),
		cmocka_unit_test(never_writes_past_its_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
