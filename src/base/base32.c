#include "base/base32.h"

void base32_write(struct buf *out, struct span bytes)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint32_t bits = 0;
	unsigned int n = 0;

	for (size_t i = 0; i < bytes.n; i++) {
		bits = (bits << 8 | bytes.p[i]) & 0xfff;
		n += 8;
		for (; n >= 5; n -= 5)
			buf_put_u8(out, (uint8_t)alphabet[(bits >> (n - 5)) & 31]);
	}
	if (n)
		buf_put_u8(out, (uint8_t)alphabet[(bits << (5 - n)) & 31]);
}
