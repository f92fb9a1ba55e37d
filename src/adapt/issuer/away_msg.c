#include "adapt/issuer/away_msg.h"

#include "base/cursor.h"

static enum err malformed(const char *what, struct why *why)
{
	return WHY(why, AWAY_MESSAGE, "", "%s: want whole fields within their bounds, have others", what);
}

void away_order_write(struct buf *out, const struct away_order *order)
{
	buf_put_u16_bytes(out, span_text(order->issuer));
	buf_put_u16_bytes(out, span_text(order->profile));
	buf_put_u16_bytes(out, span_text(order->label));
	buf_put_u16_bytes(out, span_text(order->enrolee));
	buf_put_u32_bytes(out, order->csr);
}

enum err away_order_parse(struct span in, struct away_order *out, struct why *why)
{
	struct cursor c = cursor_init(in);

	*out = (struct away_order){0};
	cursor_text(&c, out->issuer, sizeof(out->issuer));
	cursor_text(&c, out->profile, sizeof(out->profile));
	cursor_text(&c, out->label, sizeof(out->label));
	cursor_text(&c, out->enrolee, sizeof(out->enrolee));
	out->csr = cursor_u32_bytes(&c);
	return cursor_done(&c) && out->issuer[0] && out->csr.n ? OK : malformed("order", why);
}

void away_refusal_write(struct buf *out, const struct why *why)
{
	buf_put_u16(out, (uint16_t)why->code);
	buf_put_u32(out, why->retry_s);
	buf_put_u16_bytes(out, span_text(why->clause));
	buf_put_u16_bytes(out, span_text(why->text));
}

enum err away_refusal_parse(struct span in, struct why *refusal, struct why *why)
{
	struct cursor c = cursor_init(in);
	char clause[WHY_CLAUSE_MAX];
	char text[WHY_TEXT_MAX];
	const struct code_page *page = code_find(cursor_u16(&c));
	uint32_t retry_s = cursor_u32(&c);

	cursor_text(&c, clause, sizeof(clause));
	cursor_text(&c, text, sizeof(text));
	if (!cursor_done(&c) || !page)
		return malformed("refusal", why);
	(void)!why_set(refusal, page->code, clause, "away", 0, "%s", text);
	refusal->retry_s = retry_s < AWAY_RETRY_MAX_S ? retry_s : AWAY_RETRY_MAX_S;
	return OK;
}
