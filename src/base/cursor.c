#include "base/cursor.h"

struct cursor cursor_init(struct span in)
{
	return (struct cursor){in.p, in.n, false};
}

struct span cursor_bytes(struct cursor *c, size_t n)
{
	if (c->bad || n > c->left) {
		c->bad = true;
		c->left = 0;
		return (struct span){NULL, 0};
	}
	struct span out = {c->p, n};
	if (n)
		c->p += n;
	c->left -= n;
	return out;
}

static uint64_t read_be(struct cursor *c, size_t n)
{
	struct span s = cursor_bytes(c, n);
	uint64_t v = 0;

	for (size_t i = 0; i < s.n; i++)
		v = v << 8 | s.p[i];
	return v;
}

uint8_t cursor_u8(struct cursor *c)
{
	return (uint8_t)read_be(c, 1);
}

uint16_t cursor_u16(struct cursor *c)
{
	return (uint16_t)read_be(c, 2);
}

uint32_t cursor_u32(struct cursor *c)
{
	return (uint32_t)read_be(c, 4);
}

uint64_t cursor_u64(struct cursor *c)
{
	return read_be(c, 8);
}

struct span cursor_u16_bytes(struct cursor *c)
{
	return cursor_bytes(c, cursor_u16(c));
}

struct span cursor_u32_bytes(struct cursor *c)
{
	return cursor_bytes(c, cursor_u32(c));
}

void cursor_text(struct cursor *c, char *out, size_t size)
{
	struct span s = cursor_u16_bytes(c);

	out[0] = '\0';
	if (s.n >= size || (s.n && memchr(s.p, 0, s.n))) {
		c->bad = true;
		c->left = 0;
		return;
	}
	if (s.n)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
}

bool cursor_done(const struct cursor *c)
{
	return !c->bad && c->left == 0;
}
