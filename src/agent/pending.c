#include "agent/pending.h"

#include "base/base64.h"
#include "base/hex.h"
#include "pki/csr.h"
#include "wire/doc.h"

enum { ARENA_MAX = 4 * AGENT_PENDING_MAX, URI_MAX = 4096, CSR_TEXT_MAX = AGENT_PENDING_CSR_MAX / 3 * 4 };

#define TIME_MAX INT64_C(253402300799) /* the year 9999 */

enum err agent_pending_write(const struct agent_pending *p, struct buf *out, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(ARENA_MAX);
	OWNED_BUF struct buf csr = BUF(CSR_TEXT_MAX);
	struct doc *top = doc_new(&arena, "");
	char hex[2 * sizeof(p->client) + 1];

	base64_write(&csr, p->csr, 0);
	TRY(buf_check(&csr, "CSR", why));
	hex_text(p->client, sizeof(p->client), hex);
	doc_put_text(&arena, top, "uri", span_text(p->uri));
	doc_put_bool(&arena, top, "renew", p->renew);
	doc_put_text(&arena, top, "client", span_text(hex));
	doc_put_text(&arena, top, "csr", buf_span(&csr));
	doc_put_number(&arena, top, "since", p->since_s);
	doc_put_number(&arena, top, "again", p->again_s);
	doc_put_text(&arena, top, "said", span_text(p->said));
	return doc_write(top, DOC_JSON, out, why);
}

static enum err take_csr(const struct doc *top, struct arena *arena, struct span *out, struct why *why)
{
	OWNED_BUF struct buf der = BUF(CSR_DER_MAX);
	const char *text = "";

	TRY(doc_text(top, "csr", CSR_TEXT_MAX, &text, why));
	TRY(base64_parse(span_text(text), &der, why));
	*out = arena_copy(arena, buf_span(&der));
	return out->n == der.n ? OK : WHY(why, NOMEM, "", "CSR of %zu bytes", der.n);
}

enum err agent_pending_parse(struct span json, struct arena *arena, struct agent_pending *out, struct why *why)
{
	struct doc *top = NULL;
	const char *client = "";
	size_t n = 0;

	*out = (struct agent_pending){.uri = "", .said = ""};
	TRY(doc_parse(DOC_JSON, json, arena, &top, why));
	TRY(doc_text(top, "uri", URI_MAX, &out->uri, why));
	TRY(doc_bool(top, "renew", &out->renew, why));
	TRY(doc_text(top, "client", 2 * sizeof(out->client), &client, why));
	TRY(hex_parse(span_text(client), out->client, sizeof(out->client), &n, why));
	TRY(take_csr(top, arena, &out->csr, why));
	TRY(doc_number(top, "since", 0, TIME_MAX, &out->since_s, why));
	TRY(doc_number(top, "again", 0, TIME_MAX, &out->again_s, why));
	TRY(doc_text(top, "said", AGENT_PENDING_SAID_MAX, &out->said, why));
	return out->csr.n && n == sizeof(out->client) ? OK
						      : WHY(why, AGENT_PENDING, "", "want csr and client, have %zu and %zu octets", out->csr.n, n);
}

bool agent_pending_fits(const struct agent_pending *p, const struct agent_pending *asked)
{
	return p->renew == asked->renew && strcmp(p->uri, asked->uri) == 0
		&& memcmp(p->client, asked->client, sizeof(p->client)) == 0;
}

struct span agent_pending_reason(const char *said, size_t max)
{
	const char *next = strstr(said, ". Next: ");

	return span_first(next ? span_of(said, (size_t)(next - said)) : span_text(said), max);
}
