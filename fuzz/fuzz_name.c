/* Distinguished names and alternative names of any origin; also text that we make names of. */
#include "pki/name.h"

#include "base/text.h"

#include <stdlib.h>

enum { ARENA_MAX = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void names(struct span in, struct arena *arena)
{
	struct why why = {0};
	struct span out = {0};
	const char *text = NULL;
	bool equal = false;

	if (name_equal(in, in, &equal, &why) == OK && !equal)
		abort();
	why_clear(&why);
	if (name_text(in, arena, &text, &why) == OK && !text_is_utf8(span_text(text)))
		abort();
	why_clear(&why);
	if (name_cn(in, arena, &out, &why) == OK && out.n && memchr(out.p, 0, out.n))
		abort();
	why_clear(&why);
	if (name_serial(in, arena, &out, &why) != OK)
		why_clear(&why);
}

static void alternative_names(struct span in, struct arena *arena)
{
	struct buf again OWNED_BUF = BUF(ARENA_MAX);
	struct why why = {0};
	struct san_list list, back;

	if (san_parse(in, arena, &list, &why) != OK)
		return;
	/* what is read can be written, and reads back as the same octets */
	if (san_write(&list, &again, &why) != OK || !span_equal(buf_span(&again), in)
		|| san_parse(buf_span(&again), arena, &back, &why) != OK || !san_same_set(&list, &back))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena OWNED_ARENA = ARENA(ARENA_MAX);
	struct buf made OWNED_BUF = BUF(4096);
	struct why why = {0};

	names(span_of(data, size), &arena);
	alternative_names(span_of(data, size), &arena);
	const char *text = arena_text(&arena, span_of(data, size));
	if (text && name_write_cn(text, NULL, &made, &why) == OK && name_check(buf_span(&made), &why) != OK)
		abort();
	return 0;
}
