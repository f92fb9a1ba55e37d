#include "agent/run.h"

#include "base/text.h"
#include "proto/est/body.h"

enum err run_take_csr(struct agent *a, struct span der, struct why *why)
{
	struct span kept = arena_copy(&a->arena, der);
	struct csr csr = {0};

	if (kept.n != der.n)
		return WHY(why, NOMEM, "", "CSR of %zu bytes", der.n);
	TRY(csr_parse(kept, &csr, why));
	if (!key_matches_spki(a->key, csr.spki))
		return WHY(why, AGENT_KEY, "", "CSR under way: want one of this key");
	buf_clear(&a->csr);
	buf_clear(&a->body);
	buf_put_span(&a->csr, kept);
	if (a->config.cmc_key)
		TRY(run_wrap_cmc(a, why));
	else
		est_body_write_request(&a->body, kept);
	TRY(buf_check(&a->body, "request body", why));
	/* what is asked for now may differ from what this CSR was made for, and that is what comes back */
	a->sans = csr.san;
	a->attrs.ekus = csr.ekus;
	a->resumed = true;
	return OK;
}

/* The number behind "OMEF-", with which a refusal of this project's MEF begins; 0: none. */
static uint64_t said_code(struct span body)
{
	static const char prefix[] = "OMEF-";
	struct why ignored = {0};
	uint64_t code = 0;

	if (!span_starts(body, prefix))
		return 0;
	struct span rest = span_from(body, sizeof(prefix) - 1);
	(void)!text_number(span_first(rest, span_find(rest, ':')), 1, 9999, "code", &code, &ignored);
	return code;
}

bool run_may_ask_anew(const struct agent *a, const struct agent_reply *reply)
{
	if (reply->status != 403 && reply->status != 409)
		return false;
	/* RFC 7030 4.2.3: a person's no is no reason for another request */
	if (said_code(reply->body) == CODE_REQUEST_DENIED)
		return false;
	return a->resumed || a->linked || a->attrs.challenge.n;
}
