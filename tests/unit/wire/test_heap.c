#include "wire/heap.h"

#include "wire/doc.h"

#include <jansson.h>
#include <libxml/xmlmemory.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* The C library keeps the first octets of what is freed for itself; a document's key is behind them. */
enum { BLOCK = 600, BEHIND = 64 };

static const char SECRET[] = "J7Q2WX4N6RZ3KT5MBV2HCD7YPA";

/* Looked at by the address's number: a freed pointer is nobody's. A sanitizer forbids it, rightly. */
#if defined(__SANITIZE_ADDRESS__)
#define MAY_LOOK false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MAY_LOOK false
#endif
#endif
#ifndef MAY_LOOK
#define MAY_LOOK true
#endif

static bool holds(uintptr_t at)
{
	volatile const char *p = (volatile const char *)at; // NOLINT
	size_t same = 0;

	for (size_t i = 0; i < sizeof(SECRET) - 1; i++)
		same += p[i] == SECRET[i];
	return same == sizeof(SECRET) - 1;
}

static void what_jansson_frees_is_overwritten(void **state)
{
	json_malloc_t take = NULL;
	json_free_t give = NULL;

	json_get_alloc_funcs(&take, &give);
	char *block = take(BLOCK);
	assert_non_null(block);
	memcpy(block + BEHIND, SECRET, sizeof(SECRET));
	uintptr_t at = (uintptr_t)(block + BEHIND);
	assert_true(holds(at));
	give(block);
	if (MAY_LOOK)
		assert_false(holds(at));
}

static void what_libxml2_frees_or_moves_is_overwritten(void **state)
{
	char *block = xmlMalloc(BLOCK);

	assert_non_null(block);
	memcpy(block + BEHIND, SECRET, sizeof(SECRET));
	uintptr_t at = (uintptr_t)(block + BEHIND);
	char *moved = xmlRealloc(block, 4 * BLOCK);
	assert_non_null(moved);
	assert_string_equal(moved + BEHIND, SECRET);
	if (MAY_LOOK)
		assert_false(holds(at));
	at = (uintptr_t)(moved + BEHIND);
	xmlFree(moved);
	if (MAY_LOOK)
		assert_false(holds(at));
	xmlFree(NULL);
}

static void documents_are_read_as_before(void **state)
{
	struct arena arena = ARENA(DOC_ARENA_MAX);
	struct why why = {0};
	struct doc *doc = NULL;

	assert_int_equal(doc_parse(DOC_JSON, span_text("{\"a\":{\"b\":[1,2,3]}}"), &arena, &doc, &why), OK);
	assert_int_equal(doc_parse(DOC_XML, span_text("<a><b>c</b><b>d</b></a>"), &arena, &doc, &why), OK);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_jansson_frees_is_overwritten),
		cmocka_unit_test(what_libxml2_frees_or_moves_is_overwritten),
		cmocka_unit_test(documents_are_read_as_before),
	};

	heap_wipe_freed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
