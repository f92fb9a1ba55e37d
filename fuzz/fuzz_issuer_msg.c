#include "adapt/issuer/msg.h"
#include "base/mem.h"

#include <stdlib.h>

/* First octet: which message; the rest: its bytes. What is read is written again and must be the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(struct span in, const struct buf *again)
{
	if (!again->bad && !span_equal(in, buf_span(again)))
		abort();
}

static void order(struct span in, struct buf *again)
{
	struct issue_order out;
	struct why why = {0};

	if (msg_order_parse(in, &out, &why) != OK)
		return;
	msg_order_write(again, &out);
	same(in, again);
}

static void issued(struct span in, struct buf *again)
{
	struct issue_result out;
	struct why why = {0};

	if (msg_issued_parse(in, &out, &why) != OK)
		return;
	msg_issued_write(again, &out);
	same(in, again);
}

static void crl_order(struct span in, struct buf *again)
{
	OWNED_MEM struct crl_entry *entries = NULL;
	struct crl_order out;
	struct why why = {0};

	if (msg_crl_order_parse(in, &out, &entries, &why) != OK)
		return;
	msg_crl_order_write(again, &out);
	same(in, again);
}

/* Control bytes of a refusal are replaced, so only its form is checked. */
static void refused(struct span in, struct buf *again)
{
	struct why refusal = {0}, why = {0};

	if (msg_refused_parse(in, &refusal, &why) != OK)
		return;
	msg_refused_write(again, &refusal);
	if (again->n != in.n || refusal.kind == OK)
		abort();
}

static void key_order(struct span in, struct buf *again)
{
	struct key_order out;
	struct why why = {0};

	if (msg_key_order_parse(in, &out, &why) != OK)
		return;
	msg_key_order_write(again, &out);
	same(in, again);
}

static void made_key(struct span in, struct buf *again)
{
	struct made_key out;
	struct why why = {0};

	if (msg_key_parse(in, &out, &why) != OK)
		return;
	msg_key_write(again, &out);
	same(in, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWNED_BUF struct buf again = BUF(1 << 24);
	struct span in = span_of(data, size);

	if (size == 0)
		return 0;
	in = span_from(in, 1);
	switch (data[0] & 7) {
	case 0:
		order(in, &again);
		break;
	case 1:
		issued(in, &again);
		break;
	case 2:
		crl_order(in, &again);
		break;
	case 4:
		key_order(in, &again);
		break;
	case 5:
		made_key(in, &again);
		break;
	default:
		refused(in, &again);
		break;
	}
	return 0;
}
