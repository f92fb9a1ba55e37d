#include "pki/der.h"

#include "base/date.h"

enum {
	TAG_NUMBER = 0x1f,
	LENGTH_OCTETS_MAX = 4,
	UTC_TIME_SIZE = 13,         /* YYMMDDHHMMSSZ */
	GENERALIZED_TIME_SIZE = 15, /* YYYYMMDDHHMMSSZ */
};

struct der der_init(struct span in)
{
	return (struct der){in.p, in.n, false};
}

bool der_more(const struct der *d)
{
	return !d->bad && d->left > 0;
}

bool der_done(const struct der *d)
{
	return !d->bad && d->left == 0;
}

uint8_t der_peek(const struct der *d)
{
	return der_more(d) ? d->p[0] : 0;
}

static void spoil(struct der *d)
{
	d->bad = true;
	d->left = 0;
}

/* Octets of identifier and length together, 0 when they are not DER. */
static size_t read_header(const struct der *d, size_t *length_out)
{
	if (d->left < 2 || (d->p[0] & TAG_NUMBER) == TAG_NUMBER)
		return 0;
	size_t n = d->p[1];
	if (n < 0x80) {
		*length_out = n;
		return 2;
	}
	size_t octets = n & 0x7f;
	if (octets == 0 || octets > LENGTH_OCTETS_MAX || octets > d->left - 2)
		return 0;
	size_t length = 0;
	for (size_t i = 0; i < octets; i++)
		length = length << 8 | d->p[2 + i];
	/* X.690 10.1: the fewest octets that can hold the length */
	if (length < 0x80 || (octets > 1 && length >> (8 * (octets - 1)) == 0))
		return 0;
	*length_out = length;
	return 2 + octets;
}

struct der_item der_next(struct der *d)
{
	size_t length = 0;
	size_t header = d->bad ? 0 : read_header(d, &length);

	if (header == 0 || length > d->left - header) {
		spoil(d);
		return (struct der_item){0};
	}
	struct der_item item = {
		.tag = d->p[0],
		.body = {d->p + header, length},
		.all = {d->p, header + length},
	};
	d->p += header + length;
	d->left -= header + length;
	return item;
}

struct der_item der_take(struct der *d, uint8_t tag)
{
	if (der_peek(d) != tag) {
		spoil(d);
		return (struct der_item){0};
	}
	return der_next(d);
}

bool der_take_if(struct der *d, uint8_t tag, struct der_item *out)
{
	if (!der_more(d) || d->p[0] != tag)
		return false;
	*out = der_next(d);
	return !d->bad;
}

struct der der_enter(struct der *d, uint8_t tag)
{
	struct der_item item = der_take(d, tag);

	return (struct der){item.body.p, item.body.n, d->bad};
}

bool der_take_bool(struct der *d)
{
	struct span v = der_take(d, DER_BOOLEAN).body;

	/* X.690 11.1: TRUE is all ones */
	if (v.n != 1 || (v.p[0] != 0x00 && v.p[0] != 0xff)) {
		spoil(d);
		return false;
	}
	return v.p[0] != 0;
}

struct span der_take_uint(struct der *d)
{
	struct span v = der_take(d, DER_INTEGER).body;
	bool padded = v.n > 1 && v.p[0] == 0;

	/* X.690 8.3.2: no more than one leading zero octet, and that only as a sign */
	if (v.n == 0 || v.p[0] & 0x80 || (padded && !(v.p[1] & 0x80))) {
		spoil(d);
		return (struct span){0};
	}
	return span_from(v, padded ? 1 : 0);
}

struct span der_take_bits(struct der *d)
{
	struct span v = der_take(d, DER_BIT_STRING).body;

	if (v.n == 0 || v.p[0] != 0) {
		spoil(d);
		return (struct span){0};
	}
	return span_from(v, 1);
}

static uint8_t bits_mirrored(uint8_t octet)
{
	uint8_t out = 0;

	for (int i = 0; i < 8; i++)
		out |= (uint8_t)((octet >> i & 1) << (7 - i));
	return out;
}

uint16_t der_take_flags(struct der *d)
{
	struct span v = der_take(d, DER_BIT_STRING).body;
	unsigned int unused = v.n ? v.p[0] : 8;

	/* X.690 11.2.1: unused bits are zero */
	if (v.n > 3 || unused > 7 || (v.n == 1 && unused) || (v.n > 1 && v.p[v.n - 1] & ((1u << unused) - 1))) {
		spoil(d);
		return 0;
	}
	uint16_t low = v.n > 1 ? bits_mirrored(v.p[1]) : 0;
	uint16_t high = v.n > 2 ? bits_mirrored(v.p[2]) : 0;
	return (uint16_t)(low | high << 8);
}

struct span der_take_oid(struct der *d)
{
	struct span v = der_take(d, DER_OID).body;
	bool good = v.n > 0 && !(v.p[v.n - 1] & 0x80);
	bool starts = true;

	/* X.690 8.19.2: a subidentifier does not start with 0x80 */
	for (size_t i = 0; good && i < v.n; i++) {
		good = !(starts && v.p[i] == 0x80);
		starts = !(v.p[i] & 0x80);
	}
	if (!good) {
		spoil(d);
		return (struct span){0};
	}
	return v;
}

static bool two_digits(const uint8_t *p, int *out)
{
	if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
		return false;
	*out = (p[0] - '0') * 10 + (p[1] - '0');
	return true;
}

static bool read_time(struct span v, bool utc, int64_t *out)
{
	struct date t = {0};
	int century = 0;
	const uint8_t *p = v.p;

	if (v.n != (size_t)(utc ? UTC_TIME_SIZE : GENERALIZED_TIME_SIZE) || v.p[v.n - 1] != 'Z')
		return false;
	if (!utc) {
		if (!two_digits(p, &century))
			return false;
		p += 2;
	}
	int *const fields[] = {&t.year, &t.month, &t.day, &t.hour, &t.minute, &t.second};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (!two_digits(p + 2 * i, fields[i]))
			return false;
	}
	/* RFC 5280 4.1.2.5.1: two-digit years from 50 on are of the twentieth century */
	t.year += utc ? (t.year >= 50 ? 1900 : 2000) : century * 100;
	if (!date_is_valid(&t))
		return false;
	*out = date_to_s(&t);
	return true;
}

/* RFC 5280 4.1.2.5: seconds present, Zulu, no fraction */
int64_t der_take_time(struct der *d)
{
	bool utc = der_peek(d) == DER_UTC_TIME;
	struct der_item item = der_take(d, utc ? DER_UTC_TIME : DER_GENERALIZED_TIME);
	int64_t at_s = 0;

	if (d->bad || !read_time(item.body, utc, &at_s))
		spoil(d);
	return at_s;
}

/* X.680 41.4 */
bool der_is_printable(struct span s)
{
	static const char also[] = " '()+,-./:=?";

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!letter && (c == '\0' || !strchr(also, c)))
			return false;
	}
	return true;
}

static void put_header(struct buf *out, uint8_t tag, size_t n)
{
	size_t octets = 0;

	buf_put_u8(out, tag);
	if (n < 0x80) {
		buf_put_u8(out, (uint8_t)n);
		return;
	}
	for (size_t rest = n; rest; rest >>= 8)
		octets++;
	buf_put_u8(out, (uint8_t)(0x80 | octets));
	while (octets--)
		buf_put_u8(out, (uint8_t)(n >> (8 * octets)));
}

void der_put(struct buf *out, uint8_t tag, struct span body)
{
	put_header(out, tag, body.n);
	buf_put_span(out, body);
}

void der_put_uint(struct buf *out, struct span big_endian)
{
	struct span v = big_endian;

	while (v.n && v.p[0] == 0)
		v = span_from(v, 1);
	bool sign = v.n == 0 || v.p[0] & 0x80;
	put_header(out, DER_INTEGER, v.n + sign);
	if (sign)
		buf_put_u8(out, 0);
	buf_put_span(out, v);
}

void der_put_small(struct buf *out, uint32_t v)
{
	const uint8_t bytes[] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};

	der_put_uint(out, span_of(bytes, sizeof(bytes)));
}

void der_put_oid(struct buf *out, struct span contents)
{
	der_put(out, DER_OID, contents);
}

void der_put_bits(struct buf *out, struct span bytes, unsigned int unused)
{
	put_header(out, DER_BIT_STRING, bytes.n + 1);
	buf_put_u8(out, (uint8_t)unused);
	buf_put_span(out, bytes);
}

void der_put_bool(struct buf *out, bool v)
{
	const uint8_t octet = v ? 0xff : 0x00;

	der_put(out, DER_BOOLEAN, span_of(&octet, 1));
}

void der_put_flags(struct buf *out, uint16_t flags)
{
	const uint8_t octets[2] = {bits_mirrored((uint8_t)flags), bits_mirrored((uint8_t)(flags >> 8))};
	size_t n = octets[1] ? 2 : octets[0] ? 1 : 0;
	unsigned int unused = 0;

	/* X.690 11.2.2: a named bit list ends with its last one bit */
	while (n && !(octets[n - 1] >> unused & 1))
		unused++;
	der_put_bits(out, span_of(octets, n), unused);
}

void der_put_time(struct buf *out, int64_t unix_s)
{
	struct date t = date_from_s(unix_s);
	struct buf text OWNED_BUF = BUF(32);
	bool utc = t.year >= 1950 && t.year <= 2049;

	if (!date_is_valid(&t)) {
		out->bad = true;
		return;
	}
	if (utc)
		buf_put_fmt(&text, "%02d", t.year % 100);
	else
		buf_put_fmt(&text, "%04d", t.year);
	buf_put_fmt(&text, "%02d%02d%02d%02d%02dZ", t.month, t.day, t.hour, t.minute, t.second);
	out->bad |= text.bad;
	der_put(out, utc ? DER_UTC_TIME : DER_GENERALIZED_TIME, buf_span(&text));
}
