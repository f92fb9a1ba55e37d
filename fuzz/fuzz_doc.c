/* The first byte chooses JSON or XML; what was read is written in both forms and read back equal. */
#include "wire/doc.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_trees(const struct doc *a, const struct doc *b)
{
	const struct doc *x = a->first;
	const struct doc *y = b->first;

	for (; x && y; x = x->next, y = y->next) {
		assert(strcmp(x->name, y->name) == 0 && span_equal(x->text, y->text));
		assert((x->first != NULL) == (y->first != NULL));
		if (x->first)
			same_trees(x, y);
	}
	assert(!x && !y);
}

static void comes_back(struct doc *doc, enum doc_form form)
{
	struct arena arena OWNED_ARENA = ARENA(DOC_ARENA_MAX);
	struct buf out OWNED_BUF = BUF(8 * DOC_BYTES_MAX);
	struct doc *back = NULL;
	struct why why = {0};

	/* XML cannot have every name that JSON can, and escapes may outgrow the limit */
	if (doc_write(doc, form, &out, &why) != OK) {
		assert(why.kind == ERR_LIMIT || (why.kind == ERR_SYNTAX && form == DOC_XML));
		return;
	}
	assert(doc_parse(form, buf_span(&out), &arena, &back, &why) == OK);
	same_trees(doc, back);
}

static void getters_agree(const struct doc *doc)
{
	for (const struct doc *f = doc->first; f; f = f->next) {
		struct why why = {0};
		const char *text = NULL;
		bool b = false;
		int64_t n = 7;
		if (doc_number(doc, f->name, -5, 5, &n, &why) == OK)
			assert((n >= -5 && n <= 5) || f->kind == DOC_NULL);
		why_clear(&why);
		if (doc_bool(doc, f->name, &b, &why) != OK)
			assert(!b && why.kind == ERR_SYNTAX);
		why_clear(&why);
		if (doc_text(doc, f->name, 10, &text, &why) == OK && text)
			assert(strlen(text) <= 10);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena OWNED_ARENA = ARENA(DOC_ARENA_MAX);
	struct doc *doc = NULL;
	struct why why = {0};

	if (size == 0)
		return 0;
	enum doc_form form = data[0] & 1 ? DOC_JSON : DOC_XML;
	if (doc_parse(form, span_of(data + 1, size - 1), &arena, &doc, &why) != OK) {
		assert(!doc && (why.kind == ERR_SYNTAX || why.kind == ERR_LIMIT));
		return 0;
	}
	if (!doc->name[0])
		doc->name = "m";
	getters_agree(doc);
	comes_back(doc, DOC_JSON);
	comes_back(doc, DOC_XML);
	return 0;
}
