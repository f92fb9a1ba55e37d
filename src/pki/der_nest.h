#pragma once
/* Constructed DER written in place: open, write the contents, close. One buffer, no copy per level. */
#include "pki/der.h"

/* Identifier and room for the length; the result goes to der_close, innermost first. */
size_t der_open(struct buf *out, uint8_t tag);
void der_close(struct buf *out, size_t at);
