#include "adapt/issuer/breaker.h"

static bool refuse(int64_t wait_ms, uint32_t *wait_s)
{
	*wait_s = (uint32_t)((wait_ms + 999) / 1000);
	if (*wait_s == 0)
		*wait_s = 1;
	return false;
}

bool breaker_admit(struct breaker *b, int64_t now_ms, uint32_t *wait_s)
{
	*wait_s = 0;
	if (b->pause_ms == 0)
		return true;
	if (now_ms < b->until_ms)
		return refuse(b->until_ms - now_ms, wait_s);
	if (b->probing)
		return refuse(BREAKER_PAUSE_MIN_MS, wait_s);
	b->probing = true;
	return true;
}

void breaker_good(struct breaker *b)
{
	*b = (struct breaker){0};
}

/* Orders that were sent before the circuit opened make its pause no longer when they fail as well. */
void breaker_bad(struct breaker *b, int64_t now_ms)
{
	bool open = b->pause_ms != 0;

	if (open && !b->probing)
		return;
	if (!open && ++b->failures < BREAKER_FAILURES)
		return;
	b->pause_ms = open ? b->pause_ms * 2 : BREAKER_PAUSE_MIN_MS;
	if (b->pause_ms > BREAKER_PAUSE_MAX_MS)
		b->pause_ms = BREAKER_PAUSE_MAX_MS;
	b->until_ms = now_ms + b->pause_ms;
	b->probing = false;
}
