/* subjectAltName entries; declared in name.h. */
#include "pki/name.h"

#include "base/hex.h"
#include "base/text.h"
#include "pki/der_nest.h"
#include "pki/oid.h"

enum {
	GENERAL_NAMES_MAX = 8 * 1024, /* octets of one subjectAltName; sixteen long URIs fit */
	TAG_OTHER = DER_CONTEXT | 0x20 | 0,
	TAG_EMAIL = DER_CONTEXT | 1,
	TAG_DNS = DER_CONTEXT | 2,
	TAG_X400 = DER_CONTEXT | 0x20 | 3,
	TAG_DIRECTORY = DER_CONTEXT | 0x20 | 4,
	TAG_EDI_PARTY = DER_CONTEXT | 0x20 | 5,
	TAG_URI = DER_CONTEXT | 6,
	TAG_IP = DER_CONTEXT | 7,
	TAG_REGISTERED_ID = DER_CONTEXT | 8,
	TAG_EXPLICIT = DER_CONTEXT | 0x20 | 0,
};

static enum err malformed(const char *what, const char *want, struct why *why)
{
	return WHY(why, SAN_SYNTAX, "RFC 5280 4.2.1.6", "%s: want %s, have other bytes", what, want);
}

/* RFC 5280 4.2.1.6: IA5String; blanks and control characters have no place in host names and URIs */
static bool is_visible_ascii(struct span s)
{
	bool good = s.n > 0;

	for (size_t i = 0; good && i < s.n; i++)
		good = s.p[i] > 0x20 && s.p[i] < 0x7f;
	return good;
}

static bool is_clear_text(struct span s)
{
	bool good = s.n > 0 && text_is_utf8(s);

	for (size_t i = 0; good && i < s.n; i++)
		good = s.p[i] >= 0x20 && s.p[i] != 0x7f;
	return good;
}

/* RFC 4108 5: HardwareModuleName ::= SEQUENCE { hwType OBJECT IDENTIFIER, hwSerialNum OCTET STRING } */
static bool put_hardware_module(struct buf *text, struct span value)
{
	struct der outer = der_init(value);
	struct der d = der_enter(&outer, DER_SEQUENCE);
	struct span type = der_take_oid(&d);
	struct span serial = der_take(&d, DER_OCTET_STRING).body;

	if (!der_done(&d) || !der_done(&outer))
		return false;
	oid_put_dotted(text, type);
	buf_put_u8(text, ':');
	hex_write(text, serial);
	return true;
}

static void put_any(struct buf *text, const struct der_item *value)
{
	struct der d = der_init(value->all);
	bool is_text = value->tag == DER_UTF8 || value->tag == DER_PRINTABLE || value->tag == DER_IA5;
	struct span oid = value->tag == DER_OID ? der_take_oid(&d) : (struct span){0};

	if (oid.n) {
		oid_put_dotted(text, oid);
	} else if (is_text && is_clear_text(value->body)) {
		buf_put_span(text, value->body);
	} else {
		buf_put_u8(text, '#');
		hex_write(text, value->all);
	}
}

static enum err read_other(struct span body, struct arena *arena, struct san *out, struct why *why)
{
	struct der d = der_init(body);
	struct span type = der_take_oid(&d);
	struct der explicit = der_enter(&d, TAG_EXPLICIT);
	struct der_item value = der_next(&explicit);
	struct buf text OWNED_BUF = BUF(2 * GENERAL_NAMES_MAX + 1024);

	if (!der_done(&d) || !der_done(&explicit))
		return malformed("otherName", "a type and an explicit value", why);
	oid_put_dotted(&text, type);
	buf_put_u8(&text, ';');
	if (!span_equal(type, OID_ON_HARDWARE_MODULE_NAME) || !put_hardware_module(&text, value.all))
		put_any(&text, &value);
	if (text.bad)
		return malformed("otherName", "object identifiers of ordinary size", why);
	const char *copy = arena_text(arena, buf_span(&text));
	if (!copy)
		return WHY(why, NOMEM, "", "otherName");
	out->kind = SAN_OTHER;
	out->value = span_of(copy, text.n);
	return OK;
}

static enum err read_directory(struct span body, struct san *out, struct why *why)
{
	/* RFC 5280 4.2.1.6: directoryName is tagged explicitly, since Name is a CHOICE */
	TRY(name_check(body, why));
	out->kind = SAN_DIRECTORY;
	out->value = body;
	return OK;
}

static enum err read_ascii(enum san_kind kind, const char *what, struct span body, struct san *out, struct why *why)
{
	if (!is_visible_ascii(body))
		return malformed(what, "visible ASCII characters", why);
	out->kind = kind;
	out->value = body;
	return OK;
}

static enum err read_one(const struct der_item *item, struct arena *arena, struct san *out, struct why *why)
{
	*out = (struct san){.kind = SAN_UNKNOWN, .der = item->all};
	switch (item->tag) {
	case TAG_OTHER:
		return read_other(item->body, arena, out, why);
	case TAG_EMAIL:
		return read_ascii(SAN_EMAIL, "rfc822Name", item->body, out, why);
	case TAG_DNS:
		return read_ascii(SAN_DNS, "dNSName", item->body, out, why);
	case TAG_URI:
		return read_ascii(SAN_URI, "uniformResourceIdentifier", item->body, out, why);
	case TAG_DIRECTORY:
		return read_directory(item->body, out, why);
	case TAG_IP:
		if (item->body.n != 4 && item->body.n != 16)
			return malformed("iPAddress", "4 or 16 octets", why);
		out->kind = SAN_IP;
		out->value = item->body;
		return OK;
	case TAG_X400:
	case TAG_EDI_PARTY:
	case TAG_REGISTERED_ID:
		return OK;
	default:
		return malformed("GeneralName", "one of its nine kinds", why);
	}
}

enum err san_parse(struct span general_names, struct arena *arena, struct san_list *out, struct why *why)
{
	struct der outer = der_init(general_names);
	struct der d = der_enter(&outer, DER_SEQUENCE);

	if (general_names.n > GENERAL_NAMES_MAX)
		return WHY(why, SAN_LIMIT, "", "subjectAltName: want at most %d octets, have %zu", GENERAL_NAMES_MAX,
			general_names.n);
	out->n = 0;
	while (der_more(&d)) {
		struct der_item item = der_next(&d);
		if (d.bad)
			break;
		if (out->n == SAN_MAX)
			return WHY(why, SAN_LIMIT, "", "subjectAltName: want at most %d entries, have more", SAN_MAX);
		TRY(read_one(&item, arena, &out->items[out->n], why));
		out->n++;
	}
	if (!der_done(&d) || !der_done(&outer) || out->n == 0)
		return malformed("subjectAltName", "a DER sequence of at least one name", why);
	return OK;
}

static enum err put_one(const struct san *san, struct buf *out, struct why *why)
{
	if (san->kind != SAN_DNS && san->kind != SAN_URI) {
		if (san->der.n == 0)
			return malformed("subjectAltName entry", "its encoding", why);
		buf_put_span(out, san->der);
		return OK;
	}
	if (!is_visible_ascii(san->value))
		return malformed(san->kind == SAN_DNS ? "dNSName" : "uniformResourceIdentifier", "visible ASCII characters", why);
	der_put(out, san->kind == SAN_DNS ? TAG_DNS : TAG_URI, san->value);
	return OK;
}

enum err san_write(const struct san_list *list, struct buf *out, struct why *why)
{
	size_t before = out->n;

	if (list->n == 0 || list->n > SAN_MAX)
		return WHY(why, SAN_LIMIT, "RFC 5280 4.2.1.6", "subjectAltName: want 1 to %d entries, have %zu", SAN_MAX, list->n);
	size_t names = der_open(out, DER_SEQUENCE);
	for (size_t i = 0; i < list->n; i++) {
		enum err err = put_one(&list->items[i], out, why);
		if (err != OK) {
			out->n = before;
			return err;
		}
	}
	der_close(out, names);
	return buf_check(out, "subjectAltName", why);
}

struct uri_parts {
	struct span scheme; /* with ':' */
	struct span user;   /* with "//" and '@' */
	struct span host;
	struct span rest; /* port, path and what follows */
};

static size_t find_any(struct span s, const char *set)
{
	size_t i = 0;

	while (i < s.n && !(s.p[i] && strchr(set, s.p[i])))
		i++;
	return i;
}

/* RFC 3986 3: oneM2M identifiers such as "//fqdn/cse" have no scheme */
static struct uri_parts split(struct span uri)
{
	struct uri_parts u = {0};
	size_t end = find_any(uri, ":/?#");

	if (end < uri.n && uri.p[end] == ':') {
		u.scheme = span_first(uri, end + 1);
		uri = span_from(uri, end + 1);
	}
	if (!span_starts(uri, "//")) {
		u.rest = uri;
		return u;
	}
	struct span authority = span_first(uri, 2 + find_any(span_from(uri, 2), "/?#"));
	size_t at = span_find(authority, '@');
	size_t host = at < authority.n ? at + 1 : 2;
	u.user = span_first(uri, host);
	bool literal = host < authority.n && authority.p[host] == '['; /* RFC 3986 3.2.2: IPv6 */
	size_t skip = literal ? span_find(span_from(authority, host), ']') : 0;
	size_t port = find_any(span_from(authority, host + skip), ":");
	u.host = span_first(span_from(authority, host), skip + port);
	u.rest = span_from(uri, host + u.host.n);
	return u;
}

/* RFC 5280 7.4: scheme and host without case, the rest exactly */
static bool uri_equal(struct span a, struct span b)
{
	struct uri_parts x = split(a);
	struct uri_parts y = split(b);

	return span_equal_nocase(x.scheme, y.scheme) && span_equal(x.user, y.user) && span_equal_nocase(x.host, y.host)
		&& span_equal(x.rest, y.rest);
}

bool san_equal(const struct san *a, const struct san *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == SAN_DNS) /* RFC 5280 7.2 */
		return span_equal_nocase(a->value, b->value);
	if (a->kind == SAN_URI)
		return uri_equal(a->value, b->value);
	return span_equal(a->der, b->der);
}

bool san_has(const struct san_list *list, const struct san *one)
{
	for (size_t i = 0; i < list->n; i++) {
		if (san_equal(&list->items[i], one))
			return true;
	}
	return false;
}

static bool within(const struct san_list *inner, const struct san_list *outer)
{
	for (size_t i = 0; i < inner->n; i++) {
		if (!san_has(outer, &inner->items[i]))
			return false;
	}
	return true;
}

bool san_same_set(const struct san_list *a, const struct san_list *b)
{
	return within(a, b) && within(b, a);
}

void san_put_text(struct buf *out, const struct san_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct san *san = &list->items[i];
		buf_put_text(out, i ? ", " : "");
		switch (san->kind) {
		case SAN_DNS:
		case SAN_URI:
		case SAN_OTHER:
		case SAN_EMAIL:
			buf_put_span(out, san->value);
			break;
		case SAN_IP:
		case SAN_DIRECTORY:
		case SAN_UNKNOWN:
			buf_put_text(out, "(another kind)");
			break;
		}
	}
}
