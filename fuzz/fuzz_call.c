/* Frames between front and registrar: what was read is written back and read again to the same. */
#include "wire/call.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_call(struct span in)
{
	struct call call;
	struct why why = {0};

	if (call_parse(in, &call, &why) != OK)
		return;
	struct buf OWNED_BUF out = BUF(in.n);
	call_write(&out, &call);
	assert(span_equal(buf_span(&out), in)); /* one value, one frame */
}

static void try_reply(struct span in)
{
	struct reply reply;
	struct why why = {0};

	if (reply_parse(in, &reply, &why) != OK)
		return;
	struct buf OWNED_BUF out = BUF(in.n);
	reply_write(&out, &reply);
	assert(span_equal(buf_span(&out), in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_call(span_of(data, size));
	try_reply(span_of(data, size));
	return 0;
}
