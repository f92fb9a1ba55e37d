#pragma once
/*
 * RFC 4648 4: the standard alphabet, padded.
 * RFC 8951 3.1: reading skips blanks, tabs, CR and LF anywhere.
 */
#include "base/buf.h"

/* columns: line length, 0 for one line. Every line, also the last, ends with "\n" when columns > 0. */
void base64_write(struct buf *out, struct span bytes, size_t columns);
/* Appends the decoded bytes. Padding may be missing; bits past the end must be zero. ERR_SYNTAX. */
MUST_CHECK enum err base64_parse(struct span text, struct buf *out, struct why *why);
