#include "base/hex.h"

static const char digits[] = "0123456789ABCDEF";

void hex_text(const uint8_t *bytes, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

void hex_write(struct buf *out, struct span bytes)
{
	for (size_t i = 0; i < bytes.n; i++) {
		buf_put_u8(out, (uint8_t)digits[bytes.p[i] >> 4]);
		buf_put_u8(out, (uint8_t)digits[bytes.p[i] & 15]);
	}
}

int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

enum err hex_parse(struct span text, uint8_t *out, size_t max, size_t *n_out, struct why *why)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n;) {
		if (text.p[i] == ':' && n && i + 1 < text.n && text.p[i - 1] != ':') {
			i++;
			continue;
		}
		int high = hex_digit(text.p[i]);
		int low = i + 1 < text.n ? hex_digit(text.p[i + 1]) : -1;
		if (high < 0 || low < 0)
			return WHY(why, HEX, "", "position %zu: want two hexadecimal digits", i);
		if (n == max)
			return WHY(why, HEX, "", "want at most %zu bytes", max);
		out[n++] = (uint8_t)(high << 4 | low);
		i += 2;
	}
	*n_out = n;
	return OK;
}
