/* A certificate in words; declared in cert.h. */
#include "pki/cert.h"

#include "base/date.h"
#include "base/hex.h"
#include "base/text.h"
#include "pki/key.h"

enum { DESCRIBE_ARENA_MAX = 64 * 1024 };

static void put_octets(struct buf *out, const char *title, struct span octets)
{
	buf_put_fmt(out, "%-12s ", title);
	hex_write(out, octets);
	buf_put_text(out, "\n");
}

/* What would steer a terminal never reaches it from a foreign certificate. */
static void put_visible(struct buf *out, struct span text)
{
	while (text.n) {
		size_t n = text_visible(text);
		if (n)
			buf_put(out, text.p, n);
		else
			buf_put_u8(out, '?');
		text = span_from(text, n ? n : 1);
	}
}

static enum err put_name(struct buf *out, const char *title, struct span name, struct arena *arena, struct why *why)
{
	const char *text = NULL;

	TRY(name_text(name, arena, &text, why));
	buf_put_fmt(out, "%-12s ", title);
	put_visible(out, span_text(*text ? text : "(empty)"));
	buf_put_u8(out, '\n');
	return OK;
}

static const char *san_kind_text(enum san_kind kind)
{
	switch (kind) {
	case SAN_DNS:
		return "DNS";
	case SAN_URI:
		return "URI";
	case SAN_OTHER:
		return "otherName";
	case SAN_EMAIL:
		return "email";
	case SAN_IP:
		return "IP";
	case SAN_DIRECTORY:
		return "directory";
	case SAN_UNKNOWN:
		break;
	}
	return "unknown";
}

static void put_ip(struct buf *out, struct span ip)
{
	for (size_t i = 0; i < ip.n; i++)
		buf_put_fmt(out, ip.n == 4 ? "%s%d" : "%s%02x", i && (ip.n == 4 || i % 2 == 0) ? (ip.n == 4 ? "." : ":") : "",
			ip.p[i]);
}

static enum err put_sans(struct buf *out, struct span sans, struct arena *arena, struct why *why)
{
	struct san_list list;

	if (sans.n == 0)
		return OK;
	TRY(san_parse(sans, arena, &list, why));
	for (size_t i = 0; i < list.n; i++) {
		const struct san *san = &list.items[i];
		const char *text = "";
		buf_put_fmt(out, "%-12s %s:", "Name", san_kind_text(san->kind));
		if (san->kind == SAN_IP) {
			put_ip(out, san->value);
		} else if (san->kind == SAN_DIRECTORY) {
			TRY(name_text(san->value, arena, &text, why));
			put_visible(out, span_text(text));
		} else if (san->kind == SAN_UNKNOWN) {
			hex_write(out, san->der);
		} else {
			put_visible(out, san->value);
		}
		buf_put_text(out, "\n");
	}
	return OK;
}

static void put_usage(struct buf *out, const struct cert *c, struct arena *arena)
{
	static const char *const names[] = {"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment",
		"keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"};

	if (c->has_key_usage) {
		buf_put_fmt(out, "%-12s", "Usage");
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			if (c->key_usage & 1u << i)
				buf_put_fmt(out, " %s", names[i]);
		}
		buf_put_text(out, "\n");
	}
	for (size_t i = 0; i < c->ekus.n; i++)
		buf_put_fmt(out, "%-12s %s\n", "Purpose", oid_text(c->ekus.oids[i], arena));
}

enum err cert_describe(struct span der, struct buf *out, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(DESCRIBE_ARENA_MAX);
	struct cert c;
	char from[DATE_TEXT_SIZE], to[DATE_TEXT_SIZE];
	uint8_t digest[32];

	TRY(cert_parse(der, &c, why));
	TRY(put_name(out, "Subject", c.subject, &arena, why));
	TRY(put_name(out, "Issuer", c.issuer, &arena, why));
	put_octets(out, "Serial", c.serial);
	date_text(c.not_before_s, from);
	date_text(c.not_after_s, to);
	buf_put_fmt(out, "%-12s %s to %s\n", "Valid", from, to);
	TRY(put_sans(out, c.san, &arena, why));
	buf_put_fmt(out, "%-12s %s%s\n", "Key", key_spec_name(key_spec_of_spki(c.spki)), c.is_ca ? ", a CA's" : "");
	put_usage(out, &c, &arena);
	cert_sha256(&c, digest);
	put_octets(out, "SHA-256", span_of(digest, sizeof(digest)));
	return buf_check(out, "certificate description", why);
}
