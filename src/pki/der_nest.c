#include "pki/der_nest.h"

size_t der_open(struct buf *out, uint8_t tag)
{
	buf_put_u8(out, tag);
	buf_put_u8(out, 0);
	return out->n;
}

void der_close(struct buf *out, size_t at)
{
	if (out->bad)
		return;
	size_t n = out->n - at;
	size_t octets = 0;
	if (n >= 128) {
		for (size_t rest = n; rest; rest >>= 8)
			octets++;
	}
	if (!buf_room(out, octets))
		return;
	if (octets) {
		memmove(out->p + at + octets, out->p + at, n);
		buf_grew(out, octets);
	}
	out->p[at - 1] = (uint8_t)(octets ? 0x80 | octets : n);
	for (size_t i = 0; i < octets; i++)
		out->p[at + i] = (uint8_t)(n >> (8 * (octets - 1 - i)));
}
