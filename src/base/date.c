#include "base/date.h"

#include "base/text.h"

#include <stdio.h>

enum { DAY_S = 86400 };

/* Days since 1970-01-01 of the proleptic Gregorian calendar, counted in 400-year eras from March. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t of_era = year - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct date date_from_s(int64_t unix_s)
{
	int64_t days = unix_s / DAY_S;
	int64_t rest = unix_s % DAY_S;

	if (rest < 0) {
		rest += DAY_S;
		days--;
	}
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t of_era = days - era * 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t m = (5 * of_year + 2) / 153;
	int month = (int)(m < 10 ? m + 3 : m - 9);

	return (struct date){
		.year = (int)(year + era * 400 + (month <= 2)),
		.month = month,
		.day = (int)(of_year - (153 * m + 2) / 5 + 1),
		.hour = (int)(rest / 3600),
		.minute = (int)(rest / 60 % 60),
		.second = (int)(rest % 60),
	};
}

int64_t date_to_s(const struct date *d)
{
	return days_from_civil(d->year, d->month, d->day) * DAY_S + d->hour * 3600 + d->minute * 60
		+ d->second;
}

bool date_is_valid(const struct date *d)
{
	if (d->year < 1 || d->year > 9999 || d->month < 1 || d->month > 12 || d->day < 1 || d->day > 31
		|| d->hour < 0 || d->hour > 23 || d->minute < 0 || d->minute > 59 || d->second < 0 || d->second > 59)
		return false;
	struct date back = date_from_s(date_to_s(d));
	return back.day == d->day && back.month == d->month;
}

void date_text(int64_t unix_s, char out[DATE_TEXT_SIZE])
{
	struct date d = date_from_s(unix_s);

	snprintf(out, DATE_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02dZ", d.year, d.month, d.day, d.hour,
		d.minute, d.second);
}

enum err date_parse(struct span text, int64_t *unix_s_out, struct why *why)
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
	static const struct {
		size_t at, n;
	} parts[] = {{0, 4}, {5, 2}, {8, 2}, {11, 2}, {14, 2}, {17, 2}};
	uint64_t v[6] = {0};
	bool good = text.n == sizeof(form) - 1;

	for (size_t i = 0; good && i < text.n; i++)
		good = form[i] == 'd' ? text.p[i] >= '0' && text.p[i] <= '9' : text.p[i] == (uint8_t)form[i];
	for (size_t i = 0; good && i < 6; i++)
		good = text_number(span_first(span_from(text, parts[i].at), parts[i].n), 0, 9999, "date",
			&v[i], why) == OK;
	struct date d = {(int)v[0], (int)v[1], (int)v[2], (int)v[3], (int)v[4], (int)v[5]};
	if (!good || !date_is_valid(&d))
		return WHY(why, TEXT_DATE, "", "want 2026-01-31T12:00:00Z, have '%.*s'",
			SPAN_FMT(span_first(text, 40)));
	*unix_s_out = date_to_s(&d);
	return OK;
}

void date_http(int64_t unix_s, char out[DATE_TEXT_SIZE])
{
	static const char *const days[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
		"Sep", "Oct", "Nov", "Dec"};
	struct date d = date_from_s(unix_s);
	int64_t day = unix_s / DAY_S - (unix_s % DAY_S < 0);

	snprintf(out, DATE_TEXT_SIZE, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[((day % 7) + 7) % 7],
		d.day, months[d.month - 1], d.year, d.hour, d.minute, d.second);
}
