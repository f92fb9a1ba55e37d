#include "base/prefix.h"

#include "base/hex.h"
#include "base/text.h"

#include <stdio.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool parse_v4(struct span text, uint8_t out[4])
{
	for (int i = 0; i < 4; i++) {
		struct span part = span_first(text, span_find(text, '.'));
		struct why why = {0};
		uint64_t number = 0;
		/* Some readers take 010 for eight. */
		bool odd = part.n > 1 && part.p[0] == '0';
		if (odd || part.n > 3 || text_number(part, 0, 255, "octet", &number, &why) != OK)
			return false;
		out[i] = (uint8_t)number;
		bool last = part.n == text.n;
		if (last != (i == 3))
			return false;
		text = span_from(text, part.n + 1);
	}
	return true;
}

static bool parse_group(struct span text, uint8_t out[2])
{
	unsigned int value = 0;

	if (text.n < 1 || text.n > 4)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		int digit = hex_digit(text.p[i]);
		if (digit < 0)
			return false;
		value = value << 4 | (unsigned int)digit;
	}
	out[0] = (uint8_t)(value >> 8);
	out[1] = (uint8_t)value;
	return true;
}

/* Groups parted by colons, as one side of "::" has them; how many octets, or -1. */
static int parse_groups(struct span text, uint8_t out[ADDRESS_SIZE])
{
	int n = 0;

	while (text.n) {
		struct span part = span_first(text, span_find(text, ':'));
		bool last = part.n == text.n, v4 = last && span_find(part, '.') < part.n;
		if (n + (v4 ? 4 : 2) > ADDRESS_SIZE || !(v4 ? parse_v4(part, out + n) : parse_group(part, out + n)))
			return -1;
		n += v4 ? 4 : 2;
		if (!last && part.n + 1 == text.n) /* a colon at the end */
			return -1;
		text = span_from(text, part.n + 1);
	}
	return n;
}

/* RFC 4291 2.2: "::" once, for one or more groups of zeros */
static bool parse_v6(struct span text, uint8_t out[ADDRESS_SIZE])
{
	uint8_t tail[ADDRESS_SIZE];
	size_t gap = 0;

	while (gap + 1 < text.n && !(text.p[gap] == ':' && text.p[gap + 1] == ':'))
		gap++;
	if (gap + 1 >= text.n)
		return parse_groups(text, out) == ADDRESS_SIZE;
	struct span after = span_from(text, gap + 2);
	int head_n = parse_groups(span_first(text, gap), out);
	int tail_n = after.n && after.p[0] == ':' ? -1 : parse_groups(after, tail);
	if (head_n < 0 || tail_n < 0 || head_n + tail_n > ADDRESS_SIZE - 2)
		return false;
	memset(out + head_n, 0, (size_t)(ADDRESS_SIZE - head_n));
	memcpy(out + ADDRESS_SIZE - tail_n, tail, (size_t)tail_n);
	return true;
}

bool address_parse(struct span text, uint8_t out[ADDRESS_SIZE])
{
	if (span_find(text, ':') < text.n)
		return parse_v6(text, out);
	memcpy(out, mapped, sizeof(mapped));
	return parse_v4(text, out + sizeof(mapped));
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned int bits)
{
	unsigned int whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

static bool ends_in_zeros(const struct prefix *p)
{
	for (unsigned int i = p->bits; i < 8 * ADDRESS_SIZE; i++) {
		if (p->address[i / 8] & 0x80 >> i % 8)
			return false;
	}
	return true;
}

enum err prefix_parse(struct span text, struct prefix *out, struct why *why)
{
	size_t slash = span_find(text, '/');
	struct span address = span_first(text, slash);
	unsigned int offset = span_find(address, ':') < address.n ? 0 : 8 * sizeof(mapped);
	uint64_t bits = 8 * ADDRESS_SIZE - offset;

	if (!address_parse(address, out->address))
		return WHY(why, ADDRESS, "", "network: want 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32, have '%.*s'",
			SPAN_FMT(span_first(text, 60)));
	if (slash < text.n)
		TRY(text_number(span_from(text, slash + 1), 1, bits, "bits of a network", &bits, why));
	out->bits = offset + (unsigned int)bits;
	if (!ends_in_zeros(out))
		return WHY(why, ADDRESS, "RFC 4632 3.1", "network: want zeros after its %llu bits, have '%.*s'",
			(unsigned long long)bits, SPAN_FMT(span_first(text, 60)));
	return OK;
}

void prefix_text(const struct prefix *p, char out[PREFIX_TEXT_SIZE])
{
	const uint8_t *a = p->address;
	bool v4 = p->bits >= 8 * sizeof(mapped) && memcmp(a, mapped, sizeof(mapped)) == 0;
	unsigned int bits = v4 ? p->bits - 8 * (unsigned int)sizeof(mapped) : p->bits;
	int n = 0;

	if (v4)
		n = snprintf(out, PREFIX_TEXT_SIZE, "%u.%u.%u.%u", a[12], a[13], a[14], a[15]);
	for (size_t i = 0; !v4 && i < ADDRESS_SIZE; i += 2)
		n += snprintf(out + n, PREFIX_TEXT_SIZE - (size_t)n, "%s%x", i ? ":" : "", (unsigned int)(a[i] << 8 | a[i + 1]));
	snprintf(out + n, PREFIX_TEXT_SIZE - (size_t)n, "/%u", bits);
}

bool prefix_holds(const struct prefix *p, const uint8_t address[ADDRESS_SIZE])
{
	return same_bits(p->address, address, p->bits);
}
