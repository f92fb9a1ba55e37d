#include "proto/est/path.h"

#include "base/buf.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A path that was read can be written again from what was understood. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf again OWNED_BUF = BUF(1 << 20);
	struct est_path path = {0};
	struct why why = {0};

	if (est_path_parse(span_of(data, size), &path, &why) != OK) {
		assert(why.kind == ERR_NOT_FOUND && path.operation == EST_NONE);
		return 0;
	}
	buf_put_text(&again, "/.well-known/est/");
	buf_put_span(&again, path.label);
	buf_put_text(&again, path.label.n ? "/" : "");
	buf_put_text(&again, est_operation_name(path.operation));
	assert(path.label.n <= EST_LABEL_MAX && span_equal(buf_span(&again), span_of(data, size)));
	return 0;
}
