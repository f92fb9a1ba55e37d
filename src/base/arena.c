#include "base/arena.h"

#include "base/mem.h"

#include <stdalign.h>

enum { BLOCK_MIN = 4096 };

struct arena_block {
	struct arena_block *next;
	size_t used;
	size_t cap;
	alignas(max_align_t) uint8_t bytes[];
};

void arena_fini(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *next = a->blocks->next;
		mem_wipe(a->blocks->bytes, a->blocks->used);
		mem_free(a->blocks);
		a->blocks = next;
	}
	a->used = 0;
}

void *arena_alloc(struct arena *a, size_t size)
{
	size_t align = alignof(max_align_t);

	if (size > a->max || a->used > a->max - size || size > SIZE_MAX / 2)
		return NULL;
	size = (size + align - 1) / align * align;
	if (!a->blocks || a->blocks->cap - a->blocks->used < size) {
		size_t cap = size > BLOCK_MIN ? size : BLOCK_MIN;
		struct arena_block *block = mem_alloc(sizeof(*block) + cap);
		if (!block)
			return NULL;
		block->cap = cap;
		block->next = a->blocks;
		a->blocks = block;
	}
	void *p = a->blocks->bytes + a->blocks->used;
	a->blocks->used += size;
	a->used += size;
	return p;
}

char *arena_text(struct arena *a, struct span s)
{
	char *text = s.n < SIZE_MAX ? arena_alloc(a, s.n + 1) : NULL;

	if (text && s.n)
		memcpy(text, s.p, s.n);
	return text;
}

struct span arena_copy(struct arena *a, struct span s)
{
	uint8_t *p = arena_alloc(a, s.n);

	if (p && s.n)
		memcpy(p, s.p, s.n);
	return (struct span){p, p ? s.n : 0};
}
