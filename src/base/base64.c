#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode_group(const uint8_t *in, size_t n, uint8_t out[4])
{
	uint32_t v = (uint32_t)in[0] << 16;

	if (n > 1)
		v |= (uint32_t)in[1] << 8;
	if (n > 2)
		v |= in[2];
	out[0] = (uint8_t)alphabet[v >> 18];
	out[1] = (uint8_t)alphabet[v >> 12 & 63];
	out[2] = n > 1 ? (uint8_t)alphabet[v >> 6 & 63] : '=';
	out[3] = n > 2 ? (uint8_t)alphabet[v & 63] : '=';
}

void base64_write(struct buf *out, struct span bytes, size_t columns)
{
	size_t characters = (bytes.n + 2) / 3 * 4;
	size_t column = 0;
	/* Room for all of it at once: this runs for every certificate that is answered. */
	uint8_t *to = buf_room(out, characters + (columns ? characters / columns + 1 : 0));
	uint8_t *start = to;

	if (!to)
		return;
	for (size_t i = 0; i < bytes.n; i += 3) {
		uint8_t group[4];
		encode_group(bytes.p + i, bytes.n - i, group);
		for (size_t k = 0; k < sizeof(group); k++) {
			*to++ = group[k];
			if (columns && ++column == columns) {
				*to++ = '\n';
				column = 0;
			}
		}
	}
	if (columns && column)
		*to++ = '\n';
	buf_grew(out, (size_t)(to - start));
}

/* Each octet's digit plus one; 0 for what is none. */
static const uint8_t digits[256] = {
	['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8, ['I'] = 9,
	['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17,
	['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25,
	['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33,
	['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41,
	['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49,
	['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56, ['4'] = 57,
	['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

static int value(uint8_t c)
{
	return (int)digits[c] - 1;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What is left after the last whole group: 2 characters are one byte, 3 are two. */
static enum err decode_tail(uint32_t v, size_t have, size_t pads, struct buf *out, struct why *why)
{
	if (have == 0 && pads == 0)
		return OK;
	if (have < 2 || (pads && have + pads != 4))
		return WHY(why, BASE64, "RFC 4648 4", "end: want whole groups of four, have %zu over", have);
	v <<= 6 * (4 - have);
	if (have == 2 ? (v & 0xffff) : (v & 0xff))
		return WHY(why, BASE64, "RFC 4648 3.5", "end: want zero bits behind the last byte");
	buf_put_u8(out, (uint8_t)(v >> 16));
	if (have == 3)
		buf_put_u8(out, (uint8_t)(v >> 8));
	return OK;
}

enum err base64_parse(struct span text, struct buf *out, struct why *why)
{
	uint32_t v = 0;
	size_t have = 0;
	size_t pads = 0;

	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];
		if (is_space(c))
			continue;
		int digit = value(c);
		if (c == '=' && pads < 2) {
			pads++;
			continue;
		}
		if (digit < 0 || pads)
			return WHY(why, BASE64, "RFC 4648 4", "position %zu: want base64, have byte 0x%02x",
				i, (unsigned int)c);
		v = v << 6 | (uint32_t)digit;
		if (++have == 4) {
			uint8_t *to = buf_room(out, 3);
			if (to) {
				to[0] = (uint8_t)(v >> 16);
				to[1] = (uint8_t)(v >> 8);
				to[2] = (uint8_t)v;
				buf_grew(out, 3);
			}
			v = 0;
			have = 0;
		}
	}
	TRY(decode_tail(v, have, pads, out, why));
	return buf_check(out, "decoded base64", why);
}
