#include "pki/heap.h"

#include "base/mem.h"

#include <openssl/crypto.h>

static void *take(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return size ? mem_alloc(size) : NULL;
}

/* realloc(p, 0) frees, realloc(NULL, n) allocates: OpenSSL relies on both */
static void *move(void *p, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	if (size)
		return mem_resize_wiped(p, size);
	mem_free_wiped(p);
	return NULL;
}

static void give(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	mem_free_wiped(p);
}

bool pki_heap_wipe_freed(void)
{
	return CRYPTO_set_mem_functions(take, move, give) == 1;
}
