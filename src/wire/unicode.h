#pragma once
/* Unicode as far as oneM2M's key derivation needs it (utf8proc inside). */
#include "base/buf.h"
#include "base/why.h"

/* TS-0003 10.3: identifiers enter a derivation as NFKC in UTF-8. ERR_SYNTAX when in is not UTF-8. */
MUST_CHECK enum err unicode_nfkc(struct span in, struct buf *out, struct why *why);
