#pragma once
/* RFC 4648 section 4. Reading skips blanks, tabs, CR and LF anywhere (RFC 8951 section 3.1). */
#include "base/buf.h"

/* columns: line length, 0 for one line. Every line, also the last, ends with "\n" when columns > 0. */
void base64_write(struct buf *out, struct span bytes, size_t columns);
/* Appends the decoded bytes. Padding may be missing; bits past the end must be zero. ERR_SYNTAX. */
MUST_CHECK enum err base64_parse(struct span text, struct buf *out, struct why *why);
