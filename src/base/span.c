#include "base/span.h"

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool span_equal_nocase(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	}
	return true;
}

bool span_is_nocase(struct span a, const char *text)
{
	return span_equal_nocase(a, span_text(text));
}

bool span_starts(struct span a, const char *prefix)
{
	struct span want = span_text(prefix);

	return a.n >= want.n && span_equal(span_first(a, want.n), want);
}

size_t span_find(struct span a, uint8_t c)
{
	const uint8_t *at = a.n ? memchr(a.p, c, a.n) : NULL;

	return at ? (size_t)(at - a.p) : a.n;
}

struct span span_from(struct span a, size_t offset)
{
	if (offset >= a.n)
		return (struct span){NULL, 0};
	return (struct span){a.p + offset, a.n - offset};
}

struct span span_first(struct span a, size_t n)
{
	return (struct span){a.p, n < a.n ? n : a.n};
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

struct span span_trim(struct span a)
{
	while (a.n && is_blank(a.p[0])) {
		a.p++;
		a.n--;
	}
	while (a.n && is_blank(a.p[a.n - 1]))
		a.n--;
	return a;
}
