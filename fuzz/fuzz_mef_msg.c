#include "adapt/mef/msg.h"

#include <stdlib.h>

/* First octet: which message; the rest: its bytes. What is read is written again and must be the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(struct span in, const struct buf *again)
{
	if (!again->bad && !span_equal(in, buf_span(again)))
		abort();
}

static void ask(struct span in, struct buf *again)
{
	struct mef_ask out;
	struct why why = {0};

	if (mef_ask_parse(in, &out, &why) != OK)
		return;
	mef_ask_write(again, out.keid, out.suid);
	same(in, again);
}

static void key(struct span in, struct buf *again)
{
	char text[MEF_ENROLEE_SIZE];
	struct mef_key out;
	struct why why = {0};

	if (mef_key_parse(in, text, &out, &why) != OK)
		return;
	mef_key_write(again, &out);
	same(in, again);
}

/* Control bytes of a refusal are replaced, so only its form is checked. */
static void refusal(struct span in, struct buf *again)
{
	struct why refusal = {0}, why = {0};

	if (mef_refusal_parse(in, &refusal, &why) != OK)
		return;
	mef_refusal_write(again, &refusal);
	if (again->n != in.n || refusal.kind == OK)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWNED_BUF struct buf again = BUF(1 << 20);
	struct span in = span_of(data, size);

	if (size == 0)
		return 0;
	in = span_from(in, 1);
	if (data[0] % 3 == 0)
		ask(in, &again);
	else if (data[0] % 3 == 1)
		key(in, &again);
	else
		refusal(in, &again);
	return 0;
}
