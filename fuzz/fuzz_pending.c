/* A request under way as the device finds it on its disk, written by an earlier run, or by who had the disk meanwhile. */
#include "agent/pending.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read is written and read back the same, and fits itself. */
static void comes_back(const struct agent_pending *p)
{
	struct arena arena OWNED_ARENA = ARENA(4 * AGENT_PENDING_MAX);
	struct buf json OWNED_BUF = BUF(AGENT_PENDING_MAX);
	struct agent_pending back;
	struct why why = {0};

	assert(agent_pending_write(p, &json, &why) == OK);
	assert(agent_pending_parse(buf_span(&json), &arena, &back, &why) == OK);
	assert(agent_pending_fits(p, &back) && span_equal(p->csr, back.csr));
	assert(p->since_s == back.since_s && p->again_s == back.again_s && strcmp(p->said, back.said) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena OWNED_ARENA = ARENA(4 * AGENT_PENDING_MAX);
	struct agent_pending p;
	struct why why = {0};
	enum err err = agent_pending_parse(span_of(data, size), &arena, &p, &why);

	if (err != OK) {
		assert(err == ERR_SYNTAX || err == ERR_LIMIT);
		assert(why.kind == err && why.code != CODE_NONE && why.text[0]);
		return 0;
	}
	assert(p.csr.n && p.csr.n <= AGENT_PENDING_CSR_MAX && strlen(p.said) <= AGENT_PENDING_SAID_MAX);
	assert(p.since_s >= 0 && p.again_s >= 0);
	comes_back(&p);
	return 0;
}
