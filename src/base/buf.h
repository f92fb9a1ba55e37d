#pragma once
/*
 * A growable run of bytes with a ceiling. Sticky: once a write does not fit (ceiling or memory) the
 * buffer is bad, later writes do nothing, and buf_check() at the end decides.
 */
#include "base/span.h"
#include "base/why.h"

#include <stdarg.h>

struct buf {
	uint8_t *p;
	size_t n;
	size_t cap;
	size_t max;
	bool bad;
	bool starved; /* bad for want of memory, not for its ceiling */
};

#define BUF(max_bytes) ((struct buf){.max = (max_bytes)})
#define OWNED_BUF __attribute__((cleanup(buf_fini)))

void buf_fini(struct buf *b);           /* frees; the buffer is empty and usable again */
void buf_fini_wipe(struct buf *b);      /* the same for secrets */
void buf_clear(struct buf *b);          /* n = 0, keeps memory, clears bad */
void buf_drop(struct buf *b, size_t n); /* removes n leading bytes */

void buf_put(struct buf *b, const void *p, size_t n);
void buf_put_span(struct buf *b, struct span s);
void buf_put_text(struct buf *b, const char *text);
void buf_put_fmt(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16(struct buf *b, uint16_t v); /* big-endian */
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
void buf_put_u16_bytes(struct buf *b, struct span s); /* u16 length first; bad above 65535 */
void buf_put_u32_bytes(struct buf *b, struct span s);

/* Room for n more bytes at the end; NULL and bad when it does not fit. Then buf_grew(b, used). */
uint8_t *buf_room(struct buf *b, size_t n);
void buf_grew(struct buf *b, size_t used);

struct span buf_span(const struct buf *b);
/* Terminated view of the bytes; "" when empty. Appends a NUL that does not count. */
const char *buf_text(struct buf *b);
/* ERR_LIMIT past the ceiling, ERR_NOMEM. */
MUST_CHECK enum err buf_check(const struct buf *b, const char *what, struct why *why);
