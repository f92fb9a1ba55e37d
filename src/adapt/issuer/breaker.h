#pragma once
/*
 * Circuit breaker of one issuer. Pure: time comes as an argument. After BREAKER_FAILURES failures in a row nobody asks
 * for a pause that doubles up to its bound; then one order probes, and its outcome closes the circuit or pauses anew.
 */
#include <stdbool.h>
#include <stdint.h>

enum {
	BREAKER_FAILURES = 5, /* one bad order must not stop all others, and 5 timeouts of 30 s are long enough */
	BREAKER_PAUSE_MIN_MS = 5 * 1000,
	BREAKER_PAUSE_MAX_MS = 5 * 60 * 1000,
};

struct breaker {
	unsigned int failures; /* in a row */
	int64_t pause_ms;      /* 0: closed, everybody may ask */
	int64_t until_ms;      /* nobody asks before */
	bool probing;
};

/* May this order be sent? When not, *wait_s says when to come again, at least 1. */
bool breaker_admit(struct breaker *b, int64_t now_ms, uint32_t *wait_s);
/* The outcome of every order that was admitted: the issuer answered, or it was not reached or failed. */
void breaker_good(struct breaker *b);
void breaker_bad(struct breaker *b, int64_t now_ms);
