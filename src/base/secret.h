#pragma once
/* A key held in memory: fixed room, wiped by cleanup, compared in constant time, never printed. */
#include "base/span.h"

enum { SECRET_MAX = 64 };

struct secret {
	size_t n;
	uint8_t bytes[SECRET_MAX];
};

#define OWNED_SECRET __attribute__((cleanup(secret_wipe)))

void secret_wipe(struct secret *s);
bool secret_set(struct secret *s, struct span bytes); /* false when longer than SECRET_MAX */
struct span secret_span(const struct secret *s);
/* Time depends on lengths only. */
bool secret_equal(struct span a, struct span b);
