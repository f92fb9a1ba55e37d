/* The first byte chooses: a path, or an answer in JSON or XML. What was read comes back. */
#include "proto/m2m/retrieval.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_path(struct span path)
{
	struct buf out OWNED_BUF = BUF(1024);
	struct retrieval_ask ask, back;
	struct why why = {0};
	char keid[M2M_KEYID_SIZE];

	if (retrieval_path_parse(path, &ask, &why) != OK) {
		assert((why.kind == ERR_NOT_FOUND || why.kind == ERR_SYNTAX) && !ask.suid && !ask.fqdn[0]);
		return;
	}
	assert((ask.suid != 0) == (ask.fqdn[0] != '\0'));
	if (!ask.suid)
		return;
	assert(m2m_keyid_write(ask.relative, span_text(ask.fqdn), keid, &why) == OK);
	assert(retrieval_path_write(keid, ask.suid, &out, &why) == OK);
	assert(retrieval_path_parse(buf_span(&out), &back, &why) == OK);
	assert(memcmp(&ask, &back, sizeof(ask)) == 0);
}

static void try_answer(enum doc_form form, struct span in)
{
	struct arena arena OWNED_ARENA = ARENA(2 * DOC_ARENA_MAX);
	struct buf first OWNED_BUF = BUF(4 * DOC_BYTES_MAX);
	struct buf second OWNED_BUF = BUF(4 * DOC_BYTES_MAX);
	struct retrieval_answer a;
	struct why why = {0};

	if (retrieval_answer_parse(form, in, &arena, &a, &why) != OK) {
		assert((why.kind == ERR_SYNTAX || why.kind == ERR_LIMIT) && !a.status && !a.credential.n);
		return;
	}
	assert(a.credential.n == (a.status ? M2M_KEY_SIZE : 0));
	assert(retrieval_answer_write(&a, form, &first, &why) == OK);
	assert(retrieval_answer_parse(form, buf_span(&first), &arena, &a, &why) == OK);
	assert(retrieval_answer_write(&a, form, &second, &why) == OK);
	assert(span_equal(buf_span(&first), buf_span(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct span in = span_of(data + 1, size - 1);
	if (data[0] & 2)
		try_path(in);
	else
		try_answer(data[0] & 1 ? DOC_JSON : DOC_XML, in);
	return 0;
}
