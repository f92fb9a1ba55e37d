/* Preferences as an operator writes them: what was read is written in one form only, and allows what it names. */
#include "proto/m2m/prefs.h"

#include "wire/doc.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void allows_what_it_names(const struct prefs *p)
{
	for (size_t i = 0; i < p->targets_n; i++) {
		for (size_t k = 0; k < p->targets[i].usages.n; k++)
			assert(prefs_allow(p, span_text(p->targets[i].id), p->targets[i].usages.items[k]));
		assert(!prefs_allow(p, span_text(p->targets[i].id), 42));
	}
	for (size_t i = 0; i < p->mafs_n; i++)
		assert(prefs_allow(p, span_text(p->mafs[i].fqdn), 21) == (p->mafs[i].credential == MAF_BY_SYMMETRIC_KEY));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena OWNED_ARENA = ARENA(2 * DOC_ARENA_MAX);
	struct buf first OWNED_BUF = BUF(8 * PREFS_TEXT_MAX);
	struct buf second OWNED_BUF = BUF(8 * PREFS_TEXT_MAX);
	struct prefs p;
	struct why why = {0};

	if (prefs_parse(span_of(data, size), &arena, &p, &why) != OK) {
		assert(why.kind == ERR_SYNTAX || why.kind == ERR_LIMIT);
		return 0;
	}
	allows_what_it_names(&p);
	/* defaults are written out, so it may grow */
	if (prefs_write(&p, &first, &why) != OK) {
		assert(why.kind == ERR_LIMIT);
		return 0;
	}
	assert(prefs_parse(buf_span(&first), &arena, &p, &why) == OK);
	assert(prefs_write(&p, &second, &why) == OK);
	assert(span_equal(buf_span(&first), buf_span(&second)));
	return 0;
}
