#include "base/buf.h"

#include "base/mem.h"

#include <stdio.h>

void buf_fini(struct buf *b)
{
	mem_free(b->p);
	*b = (struct buf){.max = b->max};
}

void buf_fini_wipe(struct buf *b)
{
	mem_wipe(b->p, b->cap);
	buf_fini(b);
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->bad = false;
	b->starved = false;
}

void buf_drop(struct buf *b, size_t n)
{
	if (n >= b->n) {
		b->n = 0;
		return;
	}
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}

uint8_t *buf_room(struct buf *b, size_t n)
{
	if (b->bad || b->n > b->max || n > b->max - b->n || n >= SIZE_MAX - b->n) {
		b->bad = true;
		return NULL;
	}
	size_t want = b->n + n + 1; /* one more for buf_text */
	if (want > b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 256;
		if (cap < want)
			cap = want;
		/* Secrets may pass through any buffer, so growth never leaves a copy behind. */
		uint8_t *p = mem_alloc(cap);
		if (!p) {
			b->bad = true;
			b->starved = true;
			return NULL;
		}
		if (b->n)
			memcpy(p, b->p, b->n);
		mem_wipe(b->p, b->n);
		mem_free(b->p);
		b->p = p;
		b->cap = cap;
	}
	return b->p + b->n;
}

void buf_grew(struct buf *b, size_t used)
{
	b->n += used;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
	uint8_t *to = buf_room(b, n);

	if (!to)
		return;
	if (n)
		memcpy(to, p, n);
	b->n += n;
}

void buf_put_span(struct buf *b, struct span s)
{
	buf_put(b, s.p, s.n);
}

void buf_put_text(struct buf *b, const char *text)
{
	buf_put(b, text, strlen(text));
}

void buf_put_fmt(struct buf *b, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	int n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	uint8_t *to = n < 0 ? NULL : buf_room(b, (size_t)n);
	if (!to) {
		b->bad = true;
		return;
	}
	va_start(args, fmt);
	vsnprintf((char *)to, (size_t)n + 1, fmt, args);
	va_end(args);
	b->n += (size_t)n;
}

static void put_be(struct buf *b, uint64_t v, size_t n)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	buf_put(b, bytes, n);
}

void buf_put_u8(struct buf *b, uint8_t v)
{
	put_be(b, v, 1);
}

void buf_put_u16(struct buf *b, uint16_t v)
{
	put_be(b, v, 2);
}

void buf_put_u32(struct buf *b, uint32_t v)
{
	put_be(b, v, 4);
}

void buf_put_u64(struct buf *b, uint64_t v)
{
	put_be(b, v, 8);
}

void buf_put_u16_bytes(struct buf *b, struct span s)
{
	if (s.n > UINT16_MAX) {
		b->bad = true;
		return;
	}
	buf_put_u16(b, (uint16_t)s.n);
	buf_put_span(b, s);
}

void buf_put_u32_bytes(struct buf *b, struct span s)
{
	if (s.n > UINT32_MAX) {
		b->bad = true;
		return;
	}
	buf_put_u32(b, (uint32_t)s.n);
	buf_put_span(b, s);
}

struct span buf_span(const struct buf *b)
{
	return (struct span){b->p, b->n};
}

const char *buf_text(struct buf *b)
{
	if (!b->p)
		return "";
	b->p[b->n] = '\0'; /* buf_room keeps one byte free */
	return (const char *)b->p;
}

enum err buf_check(const struct buf *b, const char *what, struct why *why)
{
	if (!b->bad)
		return OK;
	if (b->starved)
		return WHY(why, NOMEM, "", "%s: want more memory, have %zu bytes", what, b->n);
	return WHY(why, BUF_LIMIT, "", "%s: want at most %zu bytes", what, b->max);
}
