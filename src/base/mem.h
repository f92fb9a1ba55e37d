#pragma once
/* The only door to the heap. Zeroed memory; sizes that overflow fail. */
#include <stddef.h>

/* clang knows no malloc attribute with a deallocator */
#if defined(__GNUC__) && !defined(__clang__)
#define MEM_NEW __attribute__((malloc, malloc(mem_free, 1), warn_unused_result))
#else
#define MEM_NEW __attribute__((malloc, warn_unused_result))
#endif

void mem_free(void *p);
void *mem_alloc(size_t size) MEM_NEW;
void *mem_array(size_t count, size_t size) MEM_NEW;
char *mem_text(const char *text) MEM_NEW;
/* As realloc: NULL leaves the old block as it was. New bytes are not zeroed. */
void *mem_resize(void *p, size_t size) __attribute__((warn_unused_result));
/* Overwrites and is not optimised away. */
void mem_wipe(void *p, size_t size);
/* mem_free and mem_resize that leave nothing behind, for libraries that keep no account of sizes. */
void mem_free_wiped(void *p);
void *mem_resize_wiped(void *p, size_t size) __attribute__((warn_unused_result));

/* Locals that own: `char *p __attribute__((cleanup(mem_cleanup))) = NULL;` */
void mem_cleanup(void *pointer_to_pointer);
#define OWNED_MEM __attribute__((cleanup(mem_cleanup)))
