#pragma once
/* Time as a value that tests can turn. */
#include <stdint.h>

struct clock {
	void *self;
	int64_t (*unix_s)(void *self); /* wall clock, may jump */
	int64_t (*mono_ms)(void *self); /* never goes back */
};

static inline int64_t clock_unix_s(const struct clock *c)
{
	return c->unix_s(c->self);
}

static inline int64_t clock_mono_ms(const struct clock *c)
{
	return c->mono_ms(c->self);
}
