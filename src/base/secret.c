#include "base/secret.h"

#include "base/mem.h"

void secret_wipe(struct secret *s)
{
	mem_wipe(s, sizeof(*s));
}

bool secret_set(struct secret *s, struct span bytes)
{
	secret_wipe(s);
	if (bytes.n > SECRET_MAX)
		return false;
	if (bytes.n)
		memcpy(s->bytes, bytes.p, bytes.n);
	s->n = bytes.n;
	return true;
}

struct span secret_span(const struct secret *s)
{
	return (struct span){s->bytes, s->n};
}

bool secret_equal(struct span a, struct span b)
{
	volatile uint8_t differ = 0;

	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		differ = differ | (uint8_t)(a.p[i] ^ b.p[i]);
	return differ == 0;
}
