#pragma once
/*
 * RFC 4180: records of comma-parted fields. A line end within a quoted field belongs to the field; both CRLF
 * and LF end a record. Fields are UTF-8 without NUL.
 */
#include "base/arena.h"
#include "base/why.h"

enum {
	CSV_RECORD_MAX = 64 * 1024, /* octets of one record: some hundred times a usual row */
	CSV_FIELDS_MAX = 32,        /* more than there are columns */
};

enum csv_end {
	CSV_COMPLETE = 1, /* a whole record */
	CSV_UNFINISHED,   /* more octets are needed */
	CSV_OPEN_QUOTE,   /* the same, within a quoted field */
};

struct csv_fields {
	const char *items[CSV_FIELDS_MAX];
	size_t n;
};

/* Length of the first record with its line end, and the line ends in it; lengths of an unfinished one are of all. */
enum csv_end csv_scan(struct span in, size_t *length_out, size_t *lines_out);
/* One record, with or without its line end; fields in the arena. Reasons quote no content. ERR_SYNTAX, ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK enum err csv_parse(struct span record, struct arena *arena, struct csv_fields *out, struct why *why);
