#include "adapt/sys/clock.h"

#include <time.h>

static int64_t unix_s(void *self)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

static int64_t mono_ms(void *self)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct clock clock_system(void)
{
	return (struct clock){.unix_s = unix_s, .mono_ms = mono_ms};
}
