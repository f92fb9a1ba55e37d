#include "base/mem.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void mem_free(void *p)
{
	free(p);
}

void *mem_alloc(size_t size)
{
	return calloc(1, size ? size : 1);
}

void *mem_array(size_t count, size_t size)
{
	return calloc(count ? count : 1, size ? size : 1);
}

char *mem_text(const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = malloc(n);

	if (copy)
		memcpy(copy, text, n);
	return copy;
}

void *mem_resize(void *p, size_t size)
{
	return realloc(p, size ? size : 1);
}

void mem_wipe(void *p, size_t size)
{
	if (p && size)
		explicit_bzero(p, size);
}

void mem_free_wiped(void *p)
{
	if (p)
		mem_wipe(p, malloc_usable_size(p));
	free(p);
}

void *mem_resize_wiped(void *p, size_t size)
{
	size_t before = p ? malloc_usable_size(p) : 0;
	void *moved = malloc(size ? size : 1);

	if (!moved)
		return NULL;
	if (p)
		memcpy(moved, p, before < size ? before : size);
	mem_free_wiped(p);
	return moved;
}

void mem_cleanup(void *pointer_to_pointer)
{
	void *p = NULL;

	memcpy(&p, pointer_to_pointer, sizeof(p));
	free(p);
}
