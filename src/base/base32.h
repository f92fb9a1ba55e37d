#pragma once
/* RFC 4648 6: the alphabet of capital letters and 2 to 7, for codes that people read out and type. Without padding. */
#include "base/buf.h"

void base32_write(struct buf *out, struct span bytes);
