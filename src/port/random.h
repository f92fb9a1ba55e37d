#pragma once
/* Unpredictable bytes. The kernel's in the product, a counted stream in tests. */
#include "base/why.h"

struct random_source {
	void *self;
	enum err (*fill)(void *self, uint8_t *out, size_t n, struct why *why);
};

MUST_CHECK static inline enum err random_fill(
	const struct random_source *r, uint8_t *out, size_t n, struct why *why)
{
	return r->fill(r->self, out, n, why);
}
