#pragma once
/* A borrowed run of bytes. Parsers return spans into their input; nothing is owned. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *p;
	size_t n;
};

static inline struct span span_of(const void *p, size_t n)
{
	return (struct span){p, n};
}

static inline struct span span_text(const char *text)
{
	return (struct span){(const uint8_t *)text, text ? strlen(text) : 0};
}

static inline bool span_equal(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool span_is(struct span a, const char *text)
{
	return span_equal(a, span_text(text));
}

/* ASCII letters compare without case; everything else byte for byte. */
bool span_is_nocase(struct span a, const char *text);
bool span_equal_nocase(struct span a, struct span b);
bool span_starts(struct span a, const char *prefix);

/* Index of byte c, or a.n. */
size_t span_find(struct span a, uint8_t c);
/* Bytes from offset on; empty when offset is past the end. */
struct span span_from(struct span a, size_t offset);
/* At most n leading bytes. */
struct span span_first(struct span a, size_t n);
/* Without leading and trailing blanks and tabs. */
struct span span_trim(struct span a);

/* For printf's "%.*s". */
#define SPAN_FMT(s) (int)((s).n), (const char *)((s).n ? (s).p : (const uint8_t *)"")
