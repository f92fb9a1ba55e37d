#include "base/mem.h"

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

void mem_cleanup(void *pointer_to_pointer)
{
	void *p = NULL;

	memcpy(&p, pointer_to_pointer, sizeof(p));
	free(p);
}
