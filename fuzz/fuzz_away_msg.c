#include "adapt/issuer/away_msg.h"

#include <stdlib.h>

/* First octet: which message; the rest: its bytes. What is read is written again and must be the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void order(struct span in, struct buf *again)
{
	struct away_order out;
	struct why why = {0};

	if (away_order_parse(in, &out, &why) != OK)
		return;
	away_order_write(again, &out);
	if (!again->bad && !span_equal(in, buf_span(again)))
		abort();
}

/* Control bytes of a refusal are replaced, so only its form is checked. */
static void refusal(struct span in, struct buf *again)
{
	struct why refused = {0}, why = {0};

	if (away_refusal_parse(in, &refused, &why) != OK)
		return;
	away_refusal_write(again, &refused);
	if (again->n != in.n || refused.kind == OK)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWNED_BUF struct buf again = BUF(1 << 20);
	struct span in = span_of(data, size);

	if (size == 0)
		return 0;
	in = span_from(in, 1);
	if (data[0] % 2 == 0)
		order(in, &again);
	else
		refusal(in, &again);
	return 0;
}
