#include "adapt/issuer/msg.h"

#include "base/cursor.h"
#include "base/mem.h"

enum { ENTRY_LEAST = 2 + 1 + 8 + 1 }; /* length, one octet of serial, time, reason */

static enum err malformed(const char *what, struct why *why)
{
	return WHY(why, ISSUER_MESSAGE, "", "%s: want its fields within their bounds and nothing after them", what);
}

/* RFC 5280 4.1.2.2: a serial number is positive and has at most 20 octets. */
static void read_serial(struct cursor *c, uint8_t out[ISSUER_SERIAL_MAX], size_t *n)
{
	struct span s = cursor_u16_bytes(c);

	if (s.n == 0 || s.n > ISSUER_SERIAL_MAX) {
		c->bad = true;
		c->left = 0;
		return;
	}
	memcpy(out, s.p, s.n);
	*n = s.n;
}

void msg_order_write(struct buf *out, const struct issue_order *order)
{
	buf_put_u16_bytes(out, span_text(order->profile));
	buf_put_u32_bytes(out, order->csr);
	buf_put_u32_bytes(out, order->subject);
	buf_put_u32_bytes(out, order->sans);
	buf_put_u64(out, (uint64_t)order->not_after_s);
	buf_put_u16_bytes(out, span_of(order->suids, order->suids_n));
}

enum err msg_order_parse(struct span in, struct issue_order *out, struct why *why)
{
	struct cursor c = cursor_init(in);

	*out = (struct issue_order){0};
	cursor_text(&c, out->profile, sizeof(out->profile));
	out->csr = cursor_u32_bytes(&c);
	out->subject = cursor_u32_bytes(&c);
	out->sans = cursor_u32_bytes(&c);
	out->not_after_s = (int64_t)cursor_u64(&c);
	struct span suids = cursor_u16_bytes(&c);
	if (!cursor_done(&c) || suids.n > ISSUER_SUIDS_MAX || out->not_after_s < 0)
		return malformed("order", why);
	if (suids.n)
		memcpy(out->suids, suids.p, suids.n);
	out->suids_n = suids.n;
	return OK;
}

void msg_issued_write(struct buf *out, const struct issue_result *result)
{
	buf_put_u32_bytes(out, result->der);
	buf_put_u16_bytes(out, span_of(result->serial, result->serial_n));
	buf_put_u64(out, (uint64_t)result->not_before_s);
	buf_put_u64(out, (uint64_t)result->not_after_s);
}

enum err msg_issued_parse(struct span in, struct issue_result *out, struct why *why)
{
	struct cursor c = cursor_init(in);

	*out = (struct issue_result){0};
	out->der = cursor_u32_bytes(&c);
	read_serial(&c, out->serial, &out->serial_n);
	out->not_before_s = (int64_t)cursor_u64(&c);
	out->not_after_s = (int64_t)cursor_u64(&c);
	if (!cursor_done(&c) || out->der.n == 0)
		return malformed("issued", why);
	return OK;
}

void msg_crl_order_write(struct buf *out, const struct crl_order *order)
{
	buf_put_u64(out, order->number);
	buf_put_u64(out, (uint64_t)order->this_update_s);
	buf_put_u64(out, (uint64_t)order->next_update_s);
	buf_put_u32(out, (uint32_t)order->entries_n);
	if (order->entries_n > MSG_CRL_ENTRIES_MAX)
		out->bad = true;
	for (size_t i = 0; i < order->entries_n && !out->bad; i++) {
		const struct crl_entry *e = &order->entries[i];
		buf_put_u16_bytes(out, span_of(e->serial, e->serial_n));
		buf_put_u64(out, (uint64_t)e->revoked_s);
		buf_put_u8(out, e->reason);
	}
	buf_put_u16_bytes(out, span_text(order->ca));
}

enum err msg_crl_order_parse(
	struct span in, struct crl_order *out, struct crl_entry **entries_out, struct why *why)
{
	struct cursor c = cursor_init(in);

	*entries_out = NULL;
	*out = (struct crl_order){.number = cursor_u64(&c)};
	out->this_update_s = (int64_t)cursor_u64(&c);
	out->next_update_s = (int64_t)cursor_u64(&c);
	size_t n = cursor_u32(&c);
	/* No room is made for more entries than the bytes that came could hold. */
	if (c.bad || n > MSG_CRL_ENTRIES_MAX || n > c.left / ENTRY_LEAST)
		return malformed("CRL order", why);
	struct crl_entry *entries = n ? mem_array(n, sizeof(*entries)) : NULL;
	if (n && !entries)
		return WHY(why, NOMEM, "", "CRL order: want room for %zu entries", n);
	*entries_out = entries;
	for (size_t i = 0; i < n; i++) {
		read_serial(&c, entries[i].serial, &entries[i].serial_n);
		entries[i].revoked_s = (int64_t)cursor_u64(&c);
		entries[i].reason = cursor_u8(&c);
	}
	out->entries = entries;
	out->entries_n = n;
	cursor_text(&c, out->ca, sizeof(out->ca));
	return cursor_done(&c) ? OK : malformed("CRL order", why);
}

void msg_key_order_write(struct buf *out, const struct key_order *order)
{
	buf_put_u16(out, (uint16_t)order->spec);
	buf_put_u8(out, order->package ? 1 : 0);
	buf_put_u32_bytes(out, order->subject);
	buf_put_u32_bytes(out, order->sans);
	buf_put_u16_bytes(out, span_text(order->profile));
}

enum err msg_key_order_parse(struct span in, struct key_order *out, struct why *why)
{
	struct cursor c = cursor_init(in);

	*out = (struct key_order){.spec = cursor_u16(&c)};
	uint8_t package = cursor_u8(&c);
	out->package = package == 1;
	out->subject = cursor_u32_bytes(&c);
	out->sans = cursor_u32_bytes(&c);
	cursor_text(&c, out->profile, sizeof(out->profile));
	if (!cursor_done(&c) || package > 1 || out->subject.n == 0)
		return malformed("key order", why);
	return OK;
}

void msg_key_write(struct buf *out, const struct made_key *key)
{
	buf_put_u32_bytes(out, key->pkcs8);
	buf_put_u32_bytes(out, key->package);
	buf_put_u32_bytes(out, key->csr);
}

enum err msg_key_parse(struct span in, struct made_key *out, struct why *why)
{
	struct cursor c = cursor_init(in);

	*out = (struct made_key){.pkcs8 = cursor_u32_bytes(&c)};
	out->package = cursor_u32_bytes(&c);
	out->csr = cursor_u32_bytes(&c);
	if (!cursor_done(&c) || out->pkcs8.n == 0 || out->csr.n == 0)
		return malformed("made key", why);
	return OK;
}

void msg_refused_write(struct buf *out, const struct why *why)
{
	buf_put_u16(out, (uint16_t)why->code);
	buf_put_u16_bytes(out, span_text(why->clause));
	buf_put_u16_bytes(out, span_text(why->text));
}

enum err msg_refused_parse(struct span in, struct why *refusal, struct why *why)
{
	struct cursor c = cursor_init(in);
	char clause[WHY_CLAUSE_MAX];
	char text[WHY_TEXT_MAX];
	const struct code_page *page = code_find(cursor_u16(&c));

	cursor_text(&c, clause, sizeof(clause));
	cursor_text(&c, text, sizeof(text));
	if (!cursor_done(&c) || !page)
		return malformed("refusal", why);
	(void)!why_set(refusal, page->code, clause, "signer", 0, "%s", text);
	return OK;
}
