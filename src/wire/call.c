#include "wire/call.h"

static void put_text(struct buf *out, const char *text)
{
	buf_put_u16_bytes(out, span_text(text));
}

enum { PEER_PROXIED = 0x80, PEER_STRONG = 0x40 }; /* beside the trust */

static void peer_write(struct buf *out, const struct peer *peer)
{
	buf_put_u8(out, (uint8_t)((unsigned int)peer->trust | (peer->proxied ? PEER_PROXIED : 0) | (peer->strong ? PEER_STRONG : 0)));
	buf_put_u16(out, peer->tls_version);
	buf_put_u16_bytes(out, peer->leaf);
	buf_put(out, peer->anchor, sizeof(peer->anchor));
	buf_put_u16_bytes(out, peer->identity);
	buf_put_u16_bytes(out, peer->exporter);
	buf_put_u16_bytes(out, peer->exported);
	buf_put_u16_bytes(out, peer->unique);
	put_text(out, peer->sni);
	put_text(out, peer->address);
}

static void peer_parse(struct cursor *in, struct peer *out)
{
	uint8_t first = cursor_u8(in), trust = first & ~(PEER_PROXIED | PEER_STRONG);

	in->bad |= trust > PEER_SRP;
	out->trust = (enum peer_trust)trust;
	out->proxied = first & PEER_PROXIED;
	out->strong = first & PEER_STRONG;
	out->tls_version = cursor_u16(in);
	out->leaf = cursor_u16_bytes(in);
	struct span anchor = cursor_bytes(in, sizeof(out->anchor));
	if (anchor.n == sizeof(out->anchor))
		memcpy(out->anchor, anchor.p, anchor.n);
	out->identity = cursor_u16_bytes(in);
	out->exporter = cursor_u16_bytes(in);
	out->exported = cursor_u16_bytes(in);
	out->unique = cursor_u16_bytes(in);
	cursor_text(in, out->sni, sizeof(out->sni));
	cursor_text(in, out->address, sizeof(out->address));
	/* nothing of a session that ended elsewhere can have come here */
	bool of_session = out->identity.n || out->exporter.n || out->exported.n || out->unique.n;
	in->bad |= out->proxied && (trust == PEER_RAW_KEY || trust == PEER_PSK || trust == PEER_SRP || of_session);
}

void call_write(struct buf *out, const struct call *call)
{
	buf_put_u8(out, (uint8_t)call->method);
	buf_put_u16_bytes(out, call->path);
	buf_put_u16_bytes(out, call->query);
	buf_put_u16_bytes(out, call->media_type);
	buf_put_u16_bytes(out, call->transfer_encoding);
	buf_put_u16_bytes(out, call->accept);
	buf_put_u16_bytes(out, call->user_agent);
	buf_put_u16_bytes(out, call->origin);
	peer_write(out, &call->peer);
	buf_put_u32_bytes(out, call->body);
}

static enum err check_limit(const char *what, size_t have, size_t max, struct why *why)
{
	if (have <= max)
		return OK;
	return WHY(why, CALL_LIMIT, "", "%s: want at most %zu bytes, have %zu", what, max, have);
}

static enum err check_limits(const struct call *call, struct why *why)
{
	TRY(check_limit("path", call->path.n, CALL_PATH_MAX, why));
	TRY(check_limit("query", call->query.n, CALL_PATH_MAX, why));
	TRY(check_limit("Content-Type", call->media_type.n, CALL_MEDIA_MAX, why));
	TRY(check_limit("Content-Transfer-Encoding", call->transfer_encoding.n, CALL_MEDIA_MAX, why));
	TRY(check_limit("Accept", call->accept.n, CALL_MEDIA_MAX, why));
	TRY(check_limit("User-Agent", call->user_agent.n, CALL_AGENT_MAX, why));
	TRY(check_limit("client certificate", call->peer.leaf.n, CALL_LEAF_MAX, why));
	TRY(check_limit("originator", call->origin.n, CALL_NAME_MAX, why));
	TRY(check_limit("psk_identity", call->peer.identity.n, CALL_IDENTITY_MAX, why));
	TRY(check_limit("exported keys", call->peer.exported.n, CALL_EXPORT_MAX, why));
	TRY(check_limit("tls-exporter", call->peer.exporter.n, CALL_BINDING_MAX, why));
	TRY(check_limit("tls-unique", call->peer.unique.n, CALL_BINDING_MAX, why));
	return check_limit("body", call->body.n, CALL_BODY_MAX, why);
}

enum err call_parse(struct span in, struct call *out, struct why *why)
{
	struct cursor c = cursor_init(in);

	*out = (struct call){0};
	uint8_t method = cursor_u8(&c);
	c.bad |= method < CALL_GET || method > CALL_DELETE;
	out->method = (enum call_method)method;
	out->path = cursor_u16_bytes(&c);
	out->query = cursor_u16_bytes(&c);
	out->media_type = cursor_u16_bytes(&c);
	out->transfer_encoding = cursor_u16_bytes(&c);
	out->accept = cursor_u16_bytes(&c);
	out->user_agent = cursor_u16_bytes(&c);
	out->origin = cursor_u16_bytes(&c);
	peer_parse(&c, &out->peer);
	out->body = cursor_u32_bytes(&c);
	if (!cursor_done(&c))
		return WHY(why, CALL_FRAME, "", "call: want whole fields, have %zu bytes that are not", in.n);
	return check_limits(out, why);
}

/* Behind the two flags the methods of Allow, CALL_GET first. */
enum { REPLY_BASE64 = 1, REPLY_CLOSE = 2, REPLY_ALLOW_SHIFT = 1, REPLY_ALLOW = 0x7c };

void reply_write(struct buf *out, const struct reply *reply)
{
	buf_put_u16(out, reply->status);
	put_text(out, reply->media_type);
	buf_put_u8(out, (uint8_t)((reply->base64 ? REPLY_BASE64 : 0) | (reply->close ? REPLY_CLOSE : 0)
		| (reply->allow << REPLY_ALLOW_SHIFT & REPLY_ALLOW)));
	buf_put_u32(out, reply->retry_after_s);
	buf_put_u32(out, reply->max_age_s);
	buf_put_u32_bytes(out, reply->body);
}

/* Text that becomes an HTTP field: a registrar gone wrong must not split a response. */
static bool is_field_text(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e)
			return false;
	}
	return true;
}

enum err reply_parse(struct span in, struct reply *out, struct why *why)
{
	struct cursor c = cursor_init(in);

	*out = (struct reply){0};
	out->status = cursor_u16(&c);
	cursor_text(&c, out->media_type, sizeof(out->media_type));
	uint8_t flags = cursor_u8(&c);
	out->base64 = flags & REPLY_BASE64;
	out->close = flags & REPLY_CLOSE;
	out->allow = (flags & REPLY_ALLOW) >> REPLY_ALLOW_SHIFT;
	out->retry_after_s = cursor_u32(&c);
	out->max_age_s = cursor_u32(&c);
	out->body = cursor_u32_bytes(&c);
	if (!cursor_done(&c) || flags & 0x80 || out->status < 100 || out->status > 599
		|| !is_field_text(out->media_type))
		return WHY(why, CALL_FRAME, "", "reply: want whole fields and a status, have %zu bytes", in.n);
	return check_limit("reply body", out->body.n, REPLY_BODY_MAX, why);
}
