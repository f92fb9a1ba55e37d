#include "base/date.h"

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

/* Where year, month, day, hour, minute and second begin; the year has four digits, the others two. */
struct layout {
	const char *form; /* 'd' is a digit */
	size_t at[6];
};

static bool parse_layout(struct span text, const struct layout *l, int64_t *out)
{
	int v[6] = {0};

	if (text.n != strlen(l->form))
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (l->form[i] == 'd' ? text.p[i] < '0' || text.p[i] > '9' : text.p[i] != (uint8_t)l->form[i])
			return false;
	}
	for (size_t i = 0; i < 6; i++) {
		for (size_t k = 0; k < (i == 0 ? 4 : 2); k++)
			v[i] = v[i] * 10 + (text.p[l->at[i] + k] - '0');
	}
	struct date d = {v[0], v[1], v[2], v[3], v[4], v[5]};
	if (!date_is_valid(&d))
		return false;
	*out = date_to_s(&d);
	return true;
}

enum err date_parse(struct span text, int64_t *unix_s_out, struct why *why)
{
	static const struct layout extended = {"dddd-dd-ddTdd:dd:ddZ", {0, 5, 8, 11, 14, 17}};

	if (!parse_layout(text, &extended, unix_s_out))
		return WHY(why, TEXT_DATE, "", "want 2026-01-31T12:00:00Z, have '%.*s'", SPAN_FMT(span_first(text, 40)));
	return OK;
}

void date_basic(int64_t unix_s, char out[DATE_TEXT_SIZE])
{
	struct date d = date_from_s(unix_s);

	snprintf(out, DATE_TEXT_SIZE, "%04d%02d%02dT%02d%02d%02d", d.year, d.month, d.day, d.hour, d.minute, d.second);
}

/* "," or "." and one to six digits, or nothing */
static bool is_fraction(struct span s)
{
	if (s.n == 0)
		return true;
	if (s.n < 2 || s.n > 7 || (s.p[0] != ',' && s.p[0] != '.'))
		return false;
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	return true;
}

enum err date_basic_parse(struct span text, int64_t *unix_s_out, struct why *why)
{
	static const struct layout basic = {"ddddddddTdddddd", {0, 4, 6, 9, 11, 13}};
	size_t n = strlen(basic.form);

	if (!is_fraction(span_from(text, n)) || !parse_layout(span_first(text, n), &basic, unix_s_out))
		return WHY(why, TEXT_DATE, "TS-0004 6.3.3", "want 20260131T120000, have '%.*s'", SPAN_FMT(span_first(text, 40)));
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
