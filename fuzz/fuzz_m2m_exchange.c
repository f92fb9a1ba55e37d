/* The first byte chooses form and message; what was read, written and read again is written the same. */
#include "proto/m2m/exchange.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

union any {
	struct exchange_request request;
	struct exchange_report report;
	struct exchange_instruction instruction;
};

static enum err read(int kind, enum doc_form form, struct span in, struct arena *arena, union any *out, struct why *why)
{
	if (kind == 0)
		return exchange_request_parse(form, in, arena, &out->request, why);
	if (kind == 1)
		return exchange_report_parse(form, in, arena, &out->report, why);
	return exchange_instruction_parse(form, in, arena, &out->instruction, why);
}

static enum err write(int kind, enum doc_form form, const union any *m, struct buf *out, struct why *why)
{
	if (kind == 0)
		return exchange_request_write(&m->request, form, out, why);
	if (kind == 1)
		return exchange_report_write(&m->report, form, out, why);
	return exchange_instruction_write(&m->instruction, form, out, why);
}

static void try_path(struct span path)
{
	uint8_t relative[M2M_RELATIVE_SIZE];
	struct why why = {0};
	bool start = false;

	if (exchange_path_parse(path, &start, relative, &why) == OK)
		assert(start ? path.n == strlen(M2M_EXCHANGE_PATH) : path.n == strlen(M2M_EXCHANGE_PATH) + 1 + 2 * M2M_RELATIVE_SIZE);
	else
		assert(why.kind == ERR_NOT_FOUND && !start);
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
	int kind = (data[0] >> 1) % 3;
	try_path(in);
	if (read(kind, form, in, &arena, &m, &why) != OK) {
		assert(why.kind == ERR_SYNTAX || why.kind == ERR_LIMIT);
		return 0;
	}
	/* XML is longer than JSON, so another form may be too long */
	form = data[0] & 8 ? DOC_JSON : form;
	if (write(kind, form, &m, &first, &why) != OK) {
		assert(why.kind == ERR_LIMIT);
		return 0;
	}
	assert(read(kind, form, buf_span(&first), &arena, &m, &why) == OK);
	assert(write(kind, form, &m, &second, &why) == OK);
	assert(span_equal(buf_span(&first), buf_span(&second)));
	return 0;
}
