#pragma once
/* UTC dates as seconds since 1970, without the C library's time zones. Years 1 to 9999. */
#include "base/span.h"
#include "base/why.h"

struct date {
	int year, month, day, hour, minute, second;
};

enum { DATE_TEXT_SIZE = 32 };

struct date date_from_s(int64_t unix_s);
int64_t date_to_s(const struct date *d);
bool date_is_valid(const struct date *d);
/* "2026-01-31T12:00:00Z" */
void date_text(int64_t unix_s, char out[DATE_TEXT_SIZE]);
/* The same form back. ERR_SYNTAX. */
MUST_CHECK enum err date_parse(struct span text, int64_t *unix_s_out, struct why *why);
/* TS-0004 6.3.3: m2m:timestamp, ISO 8601 basic form in UTC: "20260131T120000" */
void date_basic(int64_t unix_s, char out[DATE_TEXT_SIZE]);
/* That form back; a fraction of a second behind ',' or '.' is read and dropped. ERR_SYNTAX. */
MUST_CHECK enum err date_basic_parse(struct span text, int64_t *unix_s_out, struct why *why);
/* "Sat, 31 Jan 2026 12:00:00 GMT" (RFC 9110 5.6.7) */
void date_http(int64_t unix_s, char out[DATE_TEXT_SIZE]);
