#include "base/text.h"

enum err text_number(
	struct span text, uint64_t min, uint64_t max, const char *what, uint64_t *out, struct why *why)
{
	uint64_t v = 0;

	if (text.n == 0)
		return WHY(why, TEXT_NUMBER, "", "%s: want a number, have nothing", what);
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];
		if (c < '0' || c > '9' || v > (UINT64_MAX - (uint64_t)(c - '0')) / 10)
			return WHY(why, TEXT_NUMBER, "", "%s: want a whole number, have '%.*s'", what,
				SPAN_FMT(span_first(text, 40)));
		v = v * 10 + (uint64_t)(c - '0');
	}
	if (v < min || v > max)
		return WHY(why, TEXT_NUMBER, "", "%s: want %llu to %llu, have %llu", what,
			(unsigned long long)min, (unsigned long long)max, (unsigned long long)v);
	*out = v;
	return OK;
}

enum err text_duration(struct span text, const char *what, int64_t *seconds_out, struct why *why)
{
	static const struct {
		const char *name;
		int64_t seconds;
	} units[] = {{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}, {"y", 31536000}};
	const uint64_t max = 1000000;
	size_t n = 0;
	uint64_t v = 0;

	while (n < text.n && text.p[n] >= '0' && text.p[n] <= '9')
		n++;
	if (n == 0 || text_number(span_first(text, n), 0, max, what, &v, why) != OK)
		return WHY(why, TEXT_DURATION, "", "%s: want a duration such as 90d, have '%.*s'", what,
			SPAN_FMT(span_first(text, 40)));
	if (v == 0 && n == text.n) {
		*seconds_out = 0;
		return OK;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (span_is(span_from(text, n), units[i].name)) {
			*seconds_out = (int64_t)v * units[i].seconds;
			return OK;
		}
	}
	return WHY(why, TEXT_DURATION, "", "%s: want a unit s, min, h, d, w or y, have '%.*s'", what,
		SPAN_FMT(span_first(text, 40)));
}

bool text_copy(char *out, size_t size, struct span in)
{
	out[0] = '\0';
	if (in.n >= size || span_find(in, 0) != in.n)
		return false;
	if (in.n)
		memcpy(out, in.p, in.n);
	out[in.n] = '\0';
	return true;
}

bool text_is_name(struct span text, const char *also)
{
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!letter && (c == 0 || !strchr(also, c)))
			return false;
	}
	return text.n > 0;
}

/* Length of the sequence that starts with c and the least code point it may carry; 0 for none. */
static size_t utf8_length(uint8_t c, uint32_t *least)
{
	if (c < 0x80) {
		*least = 1;
		return 1;
	}
	if (c >= 0xc2 && c <= 0xdf) {
		*least = 0x80;
		return 2;
	}
	if (c >= 0xe0 && c <= 0xef) {
		*least = 0x800;
		return 3;
	}
	*least = 0x10000;
	return c >= 0xf0 && c <= 0xf4 ? 4 : 0;
}

bool text_is_utf8(struct span text)
{
	for (size_t i = 0; i < text.n;) {
		uint32_t least = 0;
		size_t n = utf8_length(text.p[i], &least);
		if (n == 0 || n > text.n - i)
			return false;
		uint32_t v = n == 1 ? text.p[i] : text.p[i] & (0x7fU >> n);
		for (size_t k = 1; k < n; k++) {
			if ((text.p[i + k] & 0xc0) != 0x80)
				return false;
			v = v << 6 | (text.p[i + k] & 0x3fU);
		}
		if (v < least || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
			return false;
		i += n;
	}
	return true;
}

static bool steers(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || c == 0x200e || c == 0x200f ||
		(c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

size_t text_visible(struct span text)
{
	uint32_t least = 0;
	size_t n = text.n ? utf8_length(text.p[0], &least) : 0;

	if (n == 0 || n > text.n || !text_is_utf8(span_first(text, n)))
		return 0;
	uint32_t c = n == 1 ? text.p[0] : text.p[0] & (0x7fU >> n);
	for (size_t i = 1; i < n; i++)
		c = c << 6 | (text.p[i] & 0x3fU);
	return steers(c) ? 0 : n;
}
