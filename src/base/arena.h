#pragma once
/* Memory of one request: capped, never freed piecewise, dropped whole. */
#include "base/span.h"

struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t used;
	size_t max;
};

#define ARENA(max_bytes) ((struct arena){.max = (max_bytes)})
#define OWNED_ARENA __attribute__((cleanup(arena_fini)))

void arena_fini(struct arena *a); /* wipes and frees all; usable again */
/* Zeroed, aligned for any type; NULL past the cap or without memory. */
void *arena_alloc(struct arena *a, size_t size) __attribute__((warn_unused_result));
char *arena_text(struct arena *a, struct span s) __attribute__((warn_unused_result)); /* terminated */
struct span arena_copy(struct arena *a, struct span s); /* p is NULL when it failed and s.n > 0 */
