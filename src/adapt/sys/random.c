#include "adapt/sys/random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static enum err fill(void *self, uint8_t *out, size_t n, struct why *why)
{
	while (n) {
		ssize_t got = getrandom(out, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return WHY(why, RANDOM, "", "getrandom: %s", strerror(errno));
		out += got;
		n -= (size_t)got;
	}
	return OK;
}

struct random_source random_system(void)
{
	return (struct random_source){.fill = fill};
}
