#include "adapt/mef/msg.h"

#include "base/cursor.h"

static enum err malformed(const char *what, struct why *why)
{
	return WHY(why, MAF_MESSAGE, "", "%s: want whole fields within their bounds, have others", what);
}

void mef_ask_write(struct buf *out, const char *keid, unsigned int suid)
{
	buf_put_u16(out, (uint16_t)suid);
	buf_put_u16_bytes(out, span_text(keid));
}

enum err mef_ask_parse(struct span in, struct mef_ask *out, struct why *why)
{
	struct cursor c = cursor_init(in);

	*out = (struct mef_ask){.suid = cursor_u16(&c)};
	cursor_text(&c, out->keid, sizeof(out->keid));
	return cursor_done(&c) && out->keid[0] ? OK : malformed("order to fetch", why);
}

void mef_key_write(struct buf *out, const struct mef_key *key)
{
	buf_put_u16_bytes(out, secret_span(&key->key));
	buf_put_u16_bytes(out, span_text(key->enrolee_id));
	buf_put_u64(out, (uint64_t)key->lifetime_s);
}

enum err mef_key_parse(struct span in, char text[MEF_ENROLEE_SIZE], struct mef_key *out, struct why *why)
{
	struct cursor c = cursor_init(in);
	struct span key = cursor_u16_bytes(&c);

	*out = (struct mef_key){.enrolee_id = text};
	cursor_text(&c, text, MEF_ENROLEE_SIZE);
	uint64_t lifetime_s = cursor_u64(&c);
	if (!cursor_done(&c) || key.n == 0 || !text[0] || lifetime_s > INT64_MAX || !secret_set(&out->key, key))
		return malformed("fetched key", why);
	out->lifetime_s = (int64_t)lifetime_s;
	return OK;
}

void mef_refusal_write(struct buf *out, const struct why *why)
{
	buf_put_u16(out, (uint16_t)why->code);
	buf_put_u16_bytes(out, span_text(why->clause));
	buf_put_u16_bytes(out, span_text(why->text));
}

enum err mef_refusal_parse(struct span in, struct why *refusal, struct why *why)
{
	struct cursor c = cursor_init(in);
	char clause[WHY_CLAUSE_MAX];
	char text[WHY_TEXT_MAX];
	const struct code_page *page = code_find(cursor_u16(&c));

	cursor_text(&c, clause, sizeof(clause));
	cursor_text(&c, text, sizeof(text));
	if (!cursor_done(&c) || !page)
		return malformed("refusal", why);
	(void)!why_set(refusal, page->code, clause, "caller", 0, "%s", text);
	return OK;
}
