/* The first byte chooses: a path, or a registration of a client or a key in JSON or XML. What was read comes back. */
#include "proto/m2m/maf.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

union any {
	struct maf_client client;
	struct maf_key key;
};

static enum err read(bool key, enum doc_form form, struct span in, struct arena *arena, union any *out, struct why *why)
{
	return key ? maf_key_parse(form, in, arena, &out->key, why) : maf_client_parse(form, in, arena, &out->client, why);
}

static enum err write(bool key, enum doc_form form, const union any *m, struct buf *out, struct why *why)
{
	return key ? maf_key_write(&m->key, form, out, why) : maf_client_write(&m->client, form, out, why);
}

static void try_path(struct span path)
{
	enum maf_path kind = 0;
	char id[MAF_ID_SIZE];
	struct why why = {0};

	if (maf_path_parse(path, &kind, id, &why) == OK)
		assert((id[0] != '\0') == (kind == MAF_PATH_CLIENT || kind == MAF_PATH_KEY));
	else
		assert((why.kind == ERR_NOT_FOUND || why.kind == ERR_SYNTAX) && !id[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena OWNED_ARENA = ARENA(3 * DOC_ARENA_MAX);
	struct buf first OWNED_BUF = BUF(4 * DOC_BYTES_MAX);
	struct buf second OWNED_BUF = BUF(4 * DOC_BYTES_MAX);
	struct why why = {0};
	union any m;

	if (size == 0)
		return 0;
	struct span in = span_of(data + 1, size - 1);
	enum doc_form form = data[0] & 1 ? DOC_JSON : DOC_XML;
	bool key = data[0] & 4;
	if (data[0] & 2) {
		try_path(in);
		return 0;
	}
	if (read(key, form, in, &arena, &m, &why) != OK) {
		assert(why.kind == ERR_SYNTAX || why.kind == ERR_LIMIT);
		return 0;
	}
	if (write(key, form, &m, &first, &why) != OK) {
		assert(why.kind == ERR_LIMIT);
		return 0;
	}
	assert(read(key, form, buf_span(&first), &arena, &m, &why) == OK);
	assert(write(key, form, &m, &second, &why) == OK);
	assert(span_equal(buf_span(&first), buf_span(&second)));
	return 0;
}
