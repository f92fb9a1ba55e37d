#pragma once
/* Unicode as far as oneM2M's key derivation needs it (utf8proc inside). */
#include "base/buf.h"
#include "base/why.h"

enum { UNICODE_NFKC_MAX = 4096 }; /* octets to normalise at once; identifiers have at most 512 */

/*
 * TS-0003 10.3: identifiers enter a derivation as NFKC in UTF-8. Appends. ERR_SYNTAX when in is not
 * UTF-8, holds a NUL, or holds a code point that Unicode does not assign, whose normal form may still change
 * (UAX 15 section 11); ERR_LIMIT past UNICODE_NFKC_MAX; ERR_NOMEM.
 */
MUST_CHECK enum err unicode_nfkc(struct span in, struct buf *out, struct why *why);
