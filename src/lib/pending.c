#include "lib/inner.h"

#include "adapt/sys/generation.h"
#include "pki/digest.h"

#include <stdio.h>

enum { PENDING_ARENA_MAX = 4 * AGENT_PENDING_MAX };

void lib_pending_init(struct enrolee *e, const char *uri, struct span leaf)
{
	struct lib_run *run = &e->run;

	run->pending = (struct agent_pending){.uri = uri, .renew = run->goal == ENROLEE_RENEW, .said = run->said};
	run->said[0] = '\0';
	buf_clear(&run->kept);
	if (leaf.n)
		digest_sha256(leaf, run->pending.client);
}

static enum err read_any(struct enrolee *e, struct arena *arena, struct agent_pending *out, struct why *why)
{
	OWNED_BUF struct buf json = BUF(AGENT_PENDING_MAX);

	TRY(lib_read(e, ENROLEE_ITEM_REQUEST, &json, why));
	return agent_pending_parse(buf_span(&json), arena, out, why);
}

void lib_pending_find(struct enrolee *e, struct buf *csr_out)
{
	OWNED_ARENA struct arena arena = ARENA(PENDING_ARENA_MAX);
	struct lib_run *run = &e->run;
	struct agent_pending found = {0};
	struct why ignored = {0};

	/* a record that cannot be read is one that does not help: a new request is made */
	if (read_any(e, &arena, &found, &ignored) != OK || !agent_pending_fits(&found, &run->pending))
		return;
	buf_put_span(csr_out, found.csr);
	buf_clear(&run->kept);
	buf_put_span(&run->kept, found.csr);
	run->pending.since_s = found.since_s;
	run->pending.again_s = found.again_s;
	snprintf(run->said, sizeof(run->said), "%s", found.said);
}

static enum err write(struct enrolee *e, struct why *why)
{
	OWNED_BUF struct buf json = BUF(AGENT_PENDING_MAX);

	e->run.pending.csr = buf_span(&e->run.kept);
	TRY(buf_check(&e->run.kept, "CSR", why));
	TRY(agent_pending_write(&e->run.pending, &json, why));
	if (!e->store.read)
		return generation_keep_request(lib_text(e, ENROLEE_DIR), buf_span(&json), why);
	if (!e->store.keep_request || e->store.keep_request(e->store.arg, json.p, json.n) == 0)
		return OK;
	return lib_caller_failed("key store: keep_request", NULL, why);
}

enum err lib_pending_keep(struct enrolee *e, struct span csr, struct why *why)
{
	struct lib_run *run = &e->run;

	if (span_equal(buf_span(&run->kept), csr))
		return OK;
	buf_clear(&run->kept);
	buf_put_span(&run->kept, csr);
	run->pending.since_s = clock_unix_s(&e->clock);
	run->pending.again_s = 0;
	run->said[0] = '\0';
	return write(e, why);
}

enum err lib_pending_told(struct enrolee *e, struct why *why)
{
	const struct enrolee_response *r = &e->response;
	struct span line = span_first(buf_span(&r->body), span_find(buf_span(&r->body), '\n'));
	struct why shown = {0};

	/* a reason's text holds nothing that steers a screen */
	(void)WHY(&shown, AGENT_LATER, "", "%.*s", SPAN_FMT(span_first(line, AGENT_PENDING_SAID_MAX - 1)));
	snprintf(e->run.said, sizeof(e->run.said), "%s", shown.text);
	e->run.pending.again_s = clock_unix_s(&e->clock) + r->retry_after_s;
	return e->run.kept.n ? write(e, why) : OK;
}

enum err lib_pending_status(struct enrolee *e, struct enrolee_status *out, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(PENDING_ARENA_MAX);
	struct agent_pending p = {0};
	struct why none = {0};
	enum err err = read_any(e, &arena, &p, &none);

	if (err == ERR_NOT_FOUND || err == ERR_SYNTAX)
		return OK;
	if (err != OK) {
		*why = none;
		return err;
	}
	out->has_request = 1;
	out->request_since_s = p.since_s;
	out->request_again_s = p.again_s;
	snprintf(out->request_said, sizeof(out->request_said), "%s", p.said);
	return OK;
}
