#pragma once
/* Certs-only CMS SignedData (RFC 5272 4.1 simple response, RFC 7030 4.1.3 and 4.2.3). */
#include "base/buf.h"

enum { CMS_CERTS_MAX = 32 };

/* In the order given. ERR_LIMIT. */
MUST_CHECK enum err cms_certs_write(const struct span *certs, size_t n, struct buf *out, struct why *why);
/* Spans point into `in`. Consumes exactly; signers, if any, are ignored. ERR_SYNTAX, ERR_LIMIT. */
MUST_CHECK enum err cms_certs_parse(struct span in, struct span *certs_out, size_t max, size_t *n_out, struct why *why);
