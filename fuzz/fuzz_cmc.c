#include "der_mutate.h"

#include "proto/cmc/cmc.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct span all, struct span part)
{
	assert(part.n == 0 || (part.p >= all.p && part.p + part.n <= all.p + all.n));
}

static void check_data(struct span in)
{
	struct cmc_data d, again;
	struct buf der OWNED_BUF = BUF(1 << 20);
	struct why why = {0};
	enum err err = cmc_data_parse(in, &d, &why);

	if (err != OK) {
		assert(err == ERR_SYNTAX || err == ERR_LIMIT);
		der_refusal_check(err, &why);
		return;
	}
	assert(d.requests_n <= CMC_REQUESTS_MAX && d.revokes_n <= CMC_REVOKES_MAX && d.nested_n <= CMC_NESTED_MAX);
	inside(in, d.transaction);
	inside(in, d.sender_nonce);
	for (size_t i = 0; i < d.requests_n; i++)
		inside(in, d.requests[i].der);
	for (size_t i = 0; i < d.nested_n; i++)
		inside(in, d.nested[i].der);
	/* what was understood, written by us, is understood the same way */
	for (size_t i = 0; i < d.requests_n; i++) {
		if (d.requests[i].part > UINT32_MAX - CMC_BODY_PARTS_MAX)
			return; /* no room above it for the controls */
	}
	for (size_t i = 0; i < d.revokes_n; i++) {
		if (d.revokes[i].part > UINT32_MAX - CMC_BODY_PARTS_MAX)
			return;
	}
	for (size_t i = 0; i < d.nested_n; i++) {
		if (d.nested[i].part > UINT32_MAX - CMC_BODY_PARTS_MAX)
			return;
	}
	if (cmc_data_write(&d, &der, &why) != OK)
		return; /* a date outside of what is written */
	why_clear(&why);
	assert(cmc_data_parse(buf_span(&der), &again, &why) == OK);
	assert(span_equal(d.transaction, again.transaction) && span_equal(d.sender_nonce, again.sender_nonce));
	assert(d.requests_n == again.requests_n && d.revokes_n == again.revokes_n && d.nested_n == again.nested_n);
	for (size_t i = 0; i < d.requests_n; i++)
		assert(d.requests[i].part == again.requests[i].part && span_equal(d.requests[i].der, again.requests[i].der));
	for (size_t i = 0; i < d.revokes_n; i++)
		assert(span_equal(d.revokes[i].serial, again.revokes[i].serial) && d.revokes[i].reason == again.revokes[i].reason);
}

static void check_response(struct span in)
{
	static struct cmc_response r, again;
	struct buf der OWNED_BUF = BUF(1 << 20);
	struct why why = {0};
	enum err err = cmc_response_parse(in, &r, &why);

	if (err != OK) {
		assert(err == ERR_SYNTAX || err == ERR_LIMIT);
		der_refusal_check(err, &why);
		return;
	}
	for (size_t i = 0; i < r.parts_n; i++) {
		inside(in, r.parts[i].text);
		assert(r.parts[i].path_n == 1 || r.parts[i].path_n == 2);
	}
	if (cmc_response_write(&r, &der, &why) != OK)
		return;
	assert(cmc_response_parse(buf_span(&der), &again, &why) == OK);
	assert(r.parts_n == again.parts_n);
	for (size_t i = 0; i < r.parts_n; i++)
		assert(r.parts[i].status == again.parts[i].status && span_equal(r.parts[i].text, again.parts[i].text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_data(span_of(data, size));
	check_response(span_of(data, size));
	return 0;
}
