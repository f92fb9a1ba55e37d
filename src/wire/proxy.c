#include "wire/proxy.h"

#include "base/cursor.h"

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

enum { COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21 };
enum { UNSPEC = 0x00, TCP_4 = 0x11, UDP_4 = 0x12, TCP_6 = 0x21, UDP_6 = 0x22, UNIX_STREAM = 0x31, UNIX_DGRAM = 0x32 };
enum { TYPE_SSL = 0x20, SUBTYPE_VERSION = 0x21 };
enum { CLIENT_SSL = 0x01, CLIENT_CERT_CONN = 0x02, CLIENT_CERT_SESS = 0x04 };

static enum err check_start(struct span in, struct why *why)
{
	size_t n = in.n < sizeof(signature) ? in.n : sizeof(signature);

	if (n && memcmp(in.p, signature, n) != 0)
		return WHY(why, PROXY_SYNTAX, "", "PROXY header: want the signature of version 2 first, have other bytes%s",
			span_starts(in, "PROXY ") ? " (those of version 1)" : "");
	if (in.n > 12 && in.p[12] != COMMAND_LOCAL && in.p[12] != COMMAND_PROXY)
		return WHY(why, PROXY_SYNTAX, "", "PROXY header: want version 2 and command LOCAL or PROXY, have 0x%02x",
			in.p[12]);
	return OK;
}

enum err proxy_size(struct span in, size_t *size_out, struct why *why)
{
	*size_out = PROXY_HEAD;
	TRY(check_start(in, why));
	if (in.n < PROXY_HEAD)
		return OK;
	*size_out = PROXY_HEAD + ((size_t)in.p[14] << 8 | in.p[15]);
	if (*size_out > PROXY_MAX)
		return WHY(why, PROXY_LIMIT, "", "PROXY header: want at most %d bytes, have %zu", PROXY_MAX, *size_out);
	return OK;
}

static void take_v4(struct cursor *c, struct proxy_header *out)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct span from = cursor_bytes(c, 4);

	cursor_bytes(c, 4 + 2 + 2);
	if (from.n != 4)
		return;
	memcpy(out->address, mapped, sizeof(mapped));
	memcpy(out->address + sizeof(mapped), from.p, 4);
	out->has_address = true;
}

static void take_v6(struct cursor *c, struct proxy_header *out)
{
	struct span from = cursor_bytes(c, ADDRESS_SIZE);

	cursor_bytes(c, ADDRESS_SIZE + 2 + 2);
	if (from.n != ADDRESS_SIZE)
		return;
	memcpy(out->address, from.p, ADDRESS_SIZE);
	out->has_address = true;
}

static enum err take_addresses(struct cursor *c, uint8_t family, struct proxy_header *out, struct why *why)
{
	switch (family) {
	case TCP_4:
		take_v4(c, out);
		return OK;
	case TCP_6:
		take_v6(c, out);
		return OK;
	case UNSPEC: /* the address is unknown; what stands there is only TLVs */
		return OK;
	case UNIX_STREAM:
		cursor_bytes(c, 108 + 108);
		return OK;
	case UDP_4:
	case UDP_6:
	case UNIX_DGRAM:
	default:
		return WHY(why, PROXY_FAMILY, "", "PROXY header: want a stream over IPv4, IPv6 or a local socket, have 0x%02x",
			family);
	}
}

/* "TLSv1.3", as OpenSSL names it */
static uint16_t version_of(struct span text)
{
	static const struct {
		const char *name;
		uint16_t version;
	} rows[] = {{"TLSv1.3", 0x0304}, {"TLSv1.2", 0x0303}, {"TLSv1.1", 0x0302}, {"TLSv1", 0x0301}, {"TLSv1.0", 0x0301},
		{"SSLv3", 0x0300}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (span_is(text, rows[i].name))
			return rows[i].version;
	}
	return 0;
}

static bool next_tlv(struct cursor *c, unsigned int *count, uint8_t *type, struct span *value)
{
	if (c->left == 0 || c->bad || ++*count > PROXY_TLVS_MAX) {
		c->bad |= c->left > 0;
		return false;
	}
	*type = cursor_u8(c);
	*value = cursor_u16_bytes(c);
	return !c->bad;
}

static bool take_ssl(struct span in, unsigned int *count, struct proxy_header *out)
{
	struct cursor c = cursor_init(in);
	struct span value;
	uint8_t type;

	if (out->has_tls) /* two of them tell two stories */
		return false;
	uint8_t flags = cursor_u8(&c);
	uint32_t verify = cursor_u32(&c);
	out->has_tls = true;
	out->tls = flags & CLIENT_SSL;
	out->cert = flags & (CLIENT_CERT_CONN | CLIENT_CERT_SESS);
	out->verified = out->cert && verify == 0;
	while (next_tlv(&c, count, &type, &value)) {
		if (type == SUBTYPE_VERSION)
			out->tls_version = version_of(value);
	}
	return cursor_done(&c) && (out->tls || !out->cert);
}

enum err proxy_parse(struct span in, struct proxy_header *out, struct why *why)
{
	struct cursor c = cursor_init(span_from(in, PROXY_HEAD));
	unsigned int count = 0;
	struct span value;
	size_t size = 0;
	uint8_t type;

	*out = (struct proxy_header){0};
	TRY(proxy_size(in, &size, why));
	if (in.n != size)
		return WHY(why, PROXY_SYNTAX, "", "PROXY header: want %zu bytes, have %zu", size, in.n);
	out->local = in.p[12] == COMMAND_LOCAL;
	/* A receiver must take a LOCAL header and throw away what it says of addresses. */
	if (out->local)
		return OK;
	TRY(take_addresses(&c, in.p[13], out, why));
	while (next_tlv(&c, &count, &type, &value)) {
		if (type == TYPE_SSL)
			c.bad |= !take_ssl(value, &count, out);
	}
	if (!cursor_done(&c))
		return WHY(why, PROXY_SYNTAX, "", "PROXY header: want whole addresses and TLVs, have %zu bytes that are not", in.n);
	return OK;
}
