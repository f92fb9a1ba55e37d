#include "wire/heap.h"

#include "base/mem.h"

#include <jansson.h>
#include <libxml/xmlmemory.h>

void heap_wipe_freed(void)
{
	json_set_alloc_funcs(mem_alloc, mem_free_wiped);
	/* refuses nothing but functions that are missing */
	(void)xmlMemSetup(mem_free_wiped, mem_alloc, mem_resize_wiped, mem_text);
}
