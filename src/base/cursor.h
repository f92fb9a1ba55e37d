#pragma once
/*
 * Sticky bounded reader, big-endian. After the first overrun every read yields zero or an empty span;
 * one cursor_done() at the end decides, and leftovers count as failure too.
 */
#include "base/span.h"

struct cursor {
	const uint8_t *p;
	size_t left;
	bool bad;
};

struct cursor cursor_init(struct span in);
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
struct span cursor_bytes(struct cursor *c, size_t n);
struct span cursor_u16_bytes(struct cursor *c); /* u16 length, then that many bytes */
struct span cursor_u32_bytes(struct cursor *c); /* u32 length, then that many bytes */
/* u16-length text copied and terminated; bad when it does not fit in size or holds a NUL. */
void cursor_text(struct cursor *c, char *out, size_t size);
/* True when nothing overran and nothing is left. */
bool cursor_done(const struct cursor *c);
