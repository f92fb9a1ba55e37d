#include "pki/name_template.h"

#include "base/text.h"
#include "pki/der_nest.h"
#include "pki/name.h"
#include "pki/oid.h"

/* RFC 4519 2, RFC 4514 3: what operators write; RFC 5280 A.1: which characters it takes and how many */
static const struct {
	const char *name;
	struct span oid;
	uint8_t tag;
	size_t max;
} types[] = {
	{"CN", OID_COMMON_NAME, DER_UTF8, 64},
	{"serialNumber", OID_SERIAL_NUMBER, DER_PRINTABLE, 64},
	{"C", OID("\x55\x04\x06"), DER_PRINTABLE, 2},
	{"L", OID("\x55\x04\x07"), DER_UTF8, 128},
	{"ST", OID("\x55\x04\x08"), DER_UTF8, 128},
	{"O", OID("\x55\x04\x0a"), DER_UTF8, 64},
	{"OU", OID("\x55\x04\x0b"), DER_UTF8, 64},
	{"title", OID("\x55\x04\x0c"), DER_UTF8, 64},
	{"DC", OID("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"), DER_IA5, 63},
	{"UID", OID("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01"), DER_UTF8, 256},
};

enum { TYPES = sizeof(types) / sizeof(types[0]) };

static enum err malformed(struct why *why)
{
	return WHY(why, NAME_SYNTAX, "RFC 9908 3.4", "subject: want a DER NameTemplate, have other bytes");
}

static enum err add(struct name_template *t, const struct name_part *part, struct why *why)
{
	if (t->n == NAME_PARTS_MAX)
		return WHY(why, NAME_LIMIT, "", "subject: want at most %d attributes, have more", NAME_PARTS_MAX);
	t->parts[t->n++] = *part;
	return OK;
}

/* SingleAttributeTemplate: SEQUENCE { type, value OPTIONAL } */
static enum err parse_part(struct der *rdn, bool joined, struct name_template *out, struct why *why)
{
	struct der pair = der_enter(rdn, DER_SEQUENCE);
	struct name_part part = {.type = der_take_oid(&pair), .joined = joined};

	if (der_more(&pair)) {
		struct der_item value = der_next(&pair);
		/* an empty one could not be told from one to be filled in, and no attribute of a name may be empty */
		if (value.body.n == 0)
			return malformed(why);
		part.tag = value.tag;
		part.value = value.body;
	}
	return der_done(&pair) ? add(out, &part, why) : malformed(why);
}

enum err name_template_parse(struct span der, struct name_template *out, struct why *why)
{
	struct der outer = der_init(der);
	struct der rdns = der_enter(&outer, DER_SEQUENCE);

	*out = (struct name_template){.n = 0};
	if (der.n > NAME_DER_MAX)
		return WHY(why, NAME_LIMIT, "", "subject: want at most %d octets, have %zu", NAME_DER_MAX, der.n);
	while (der_more(&rdns)) {
		struct der rdn = der_enter(&rdns, DER_SET);
		if (!der_more(&rdn))
			return malformed(why);
		for (bool joined = false; der_more(&rdn); joined = true)
			TRY(parse_part(&rdn, joined, out, why));
		if (!der_done(&rdn))
			return malformed(why);
	}
	return der_done(&rdns) && der_done(&outer) ? OK : malformed(why);
}

void name_template_write(const struct name_template *t, struct buf *out)
{
	size_t all = der_open(out, DER_SEQUENCE);
	size_t rdn = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct name_part *part = &t->parts[i];
		if (!part->joined || i == 0)
			rdn = der_open(out, DER_SET);
		size_t pair = der_open(out, DER_SEQUENCE);
		der_put_oid(out, part->type);
		if (part->value.n)
			der_put(out, part->tag, part->value);
		der_close(out, pair);
		if (i + 1 == t->n || !t->parts[i + 1].joined)
			der_close(out, rdn);
	}
	der_close(out, all);
}

/* Up to a comma that no backslash stands before; the backslashes go. */
static bool take_item(struct span *rest, struct buf *out)
{
	size_t i = 0;

	if (rest->n == 0)
		return false;
	for (; i < rest->n && rest->p[i] != ','; i++) {
		if (rest->p[i] == '\\' && i + 1 < rest->n)
			i++;
		buf_put_u8(out, rest->p[i]);
	}
	*rest = span_from(*rest, i < rest->n ? i + 1 : i);
	return true;
}

static struct span trimmed(struct span s)
{
	while (s.n && s.p[0] == ' ')
		s = span_from(s, 1);
	while (s.n && s.p[s.n - 1] == ' ')
		s.n--;
	return s;
}

static enum err check_text(size_t type, struct span value, struct why *why)
{
	bool good = types[type].tag == DER_PRINTABLE ? der_is_printable(value) : text_is_utf8(value);

	if (!good || value.n > types[type].max)
		return WHY(why, ASK_SUBJECT, "RFC 5280 A.1", "%s: want at most %zu octets of %s, have '%.*s'", types[type].name,
			types[type].max, types[type].tag == DER_PRINTABLE ? "PrintableString" : "UTF-8",
			SPAN_FMT(span_first(value, 60)));
	return OK;
}

static enum err read_part(struct span item, struct arena *arena, struct name_template *out, struct why *why)
{
	size_t equals = span_find(item, '=');
	struct span name = trimmed(span_first(item, equals));
	struct span value = trimmed(span_from(item, equals < item.n ? equals + 1 : equals));
	struct name_part part = {.tag = 0};
	size_t type = 0;

	while (type < TYPES && !span_is_nocase(name, types[type].name))
		type++;
	if (type == TYPES)
		return WHY(why, ASK_SUBJECT, "", "attribute: want CN, serialNumber, C, L, ST, O, OU, title, DC or UID, have '%.*s'",
			SPAN_FMT(span_first(name, 60)));
	if (equals < item.n && value.n == 0)
		return WHY(why, ASK_SUBJECT, "", "%s: want a value behind '=', or neither", types[type].name);
	TRY(check_text(type, value, why));
	part.type = types[type].oid;
	part.tag = types[type].tag;
	part.value = arena_copy(arena, value);
	if (part.value.n != value.n)
		return WHY(why, NOMEM, "", "subject template");
	return add(out, &part, why);
}

enum err name_template_read(struct span text, struct arena *arena, struct name_template *out, struct why *why)
{
	struct buf item OWNED_BUF = BUF(NAME_DER_MAX);

	*out = (struct name_template){.n = 0};
	while (take_item(&text, &item)) {
		TRY(buf_check(&item, "subject template", why));
		TRY(read_part(trimmed(buf_span(&item)), arena, out, why));
		buf_clear(&item);
	}
	return OK;
}

/* A Name is a template without gaps. */
static bool read_name(struct span name, struct name_template *out)
{
	struct why ignored = {0};

	return name_template_parse(name, out, &ignored) == OK;
}

static bool same_value(const struct name_part *a, const struct name_part *b)
{
	struct buf a_name OWNED_BUF = BUF(NAME_DER_MAX);
	struct buf b_name OWNED_BUF = BUF(NAME_DER_MAX);
	struct name_template one = {.parts = {*a}, .n = 1};
	struct why ignored = {0};
	bool equal = false;

	one.parts[0].joined = false;
	name_template_write(&one, &a_name);
	one.parts[0] = *b;
	one.parts[0].joined = false;
	name_template_write(&one, &b_name);
	return !a_name.bad && !b_name.bad
		&& name_equal(buf_span(&a_name), buf_span(&b_name), &equal, &ignored) == OK && equal;
}

bool name_template_fits(const struct name_template *t, struct span name, size_t *at_out)
{
	struct name_template have;

	*at_out = 0;
	if (!read_name(name, &have))
		return false;
	for (size_t i = 0; i < t->n; i++, *at_out = i) {
		const struct name_part *want = &t->parts[i];
		if (i >= have.n || have.parts[i].joined != want->joined || !span_equal(have.parts[i].type, want->type))
			return false;
		if (have.parts[i].value.n == 0 || (want->value.n && !same_value(want, &have.parts[i])))
			return false;
	}
	return have.n == t->n;
}

bool name_find(struct span name, struct span type, struct name_part *out)
{
	struct name_template have;

	for (size_t i = 0; read_name(name, &have) && i < have.n; i++) {
		if (span_equal(have.parts[i].type, type)) {
			*out = have.parts[i];
			return true;
		}
	}
	return false;
}

void name_part_put(struct buf *out, const struct name_part *part)
{
	size_t type = 0;

	while (type < TYPES && !span_equal(part->type, types[type].oid))
		type++;
	if (type < TYPES)
		buf_put_text(out, types[type].name);
	else
		oid_put_dotted(out, part->type);
	if (part->value.n)
		buf_put_fmt(out, "=%.*s", SPAN_FMT(part->value));
}

uint8_t name_tag(struct span type)
{
	for (size_t i = 0; i < TYPES; i++) {
		if (span_equal(type, types[i].oid))
			return types[i].tag;
	}
	return DER_UTF8;
}
