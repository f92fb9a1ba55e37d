#pragma once
/* Writing JSON strings where the JSON library may not go (audit events, log lines). */
#include "base/buf.h"

/*
 * "..." with quotes. RFC 8259 7: quote, backslash and control characters are escaped; the rest stays
 * as it is. Bytes that are no UTF-8 become U+FFFD, so the result is always valid JSON. At most six
 * bytes out for one byte in.
 */
void json_text_write(struct buf *out, struct span text);
