/* Object identifiers as people read and write them; declared in cert.h. */
#include "pki/cert.h"

#include "pki/oid.h"

enum {
	DOTTED_MAX = 160, /* two arcs of 128 bits and room */
	ARC_OCTETS_MAX = 20, /* 140 bits: an arc below 2.25 is a UUID of 128 */
	OID_TEXT_MAX = 400,
};

/* One arc in base 128, most significant digit last. */
struct arc {
	uint8_t digit[ARC_OCTETS_MAX];
	size_t n;
};

static bool arc_times_plus(struct arc *a, unsigned int factor, unsigned int carry)
{
	for (size_t i = 0; i < a->n; i++) {
		carry += a->digit[i] * factor;
		a->digit[i] = carry & 0x7f;
		carry >>= 7;
	}
	if (!carry)
		return true;
	if (a->n == ARC_OCTETS_MAX)
		return false;
	a->digit[a->n++] = (uint8_t)carry; /* at most 80: one digit */
	return true;
}

/* Reads digits up to a dot or the end; false when there are none, a leading zero, or too many. */
static bool arc_parse(const char **text, struct arc *out)
{
	const char *p = *text;

	*out = (struct arc){.n = 0};
	if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9'))
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (!arc_times_plus(out, 10, (unsigned int)(*p - '0')))
			return false;
	}
	*text = p;
	return true;
}

static void arc_put(struct buf *out, const struct arc *a)
{
	if (a->n == 0)
		buf_put_u8(out, 0);
	for (size_t i = a->n; i-- > 0;)
		buf_put_u8(out, (uint8_t)(a->digit[i] | (i ? 0x80 : 0)));
}

static bool dotted_parse(const char *p, struct buf *out)
{
	struct arc a;

	if (strlen(p) > DOTTED_MAX || p[0] < '0' || p[0] > '2' || p[1] != '.')
		return false;
	unsigned int first = (unsigned int)(p[0] - '0');
	p += 2;
	if (!arc_parse(&p, &a))
		return false;
	/* X.690 8.19.4: the first two arcs share one subidentifier; the second is below 40 under 0 and 1 */
	if ((first < 2 && (a.n > 1 || (a.n == 1 && a.digit[0] >= 40))) || !arc_times_plus(&a, 1, 40 * first))
		return false;
	arc_put(out, &a);
	while (*p == '.') {
		p++;
		if (!arc_parse(&p, &a))
			return false;
		arc_put(out, &a);
	}
	return *p == '\0';
}

enum err oid_parse(const char *dotted, struct buf *out, struct why *why)
{
	size_t before = out->n;

	if (!dotted_parse(dotted, out)) {
		out->n = before;
		return WHY(why, OID_TEXT, "", "object identifier: want numbers with dots such as 1.3.6.1.5.5.7.3.2, have '%.*s'",
			SPAN_FMT(span_first(span_text(dotted), DOTTED_MAX)));
	}
	return buf_check(out, "object identifier", why);
}

const char *oid_text(struct span contents, struct arena *arena)
{
	static const struct {
		const char *octets, *name;
	} names[] = {
		{"\x2b\x06\x01\x05\x05\x07\x03\x01", "id-kp-serverAuth"},
		{"\x2b\x06\x01\x05\x05\x07\x03\x02", "id-kp-clientAuth"},
		{"\x2b\x06\x01\x05\x05\x07\x03\x03", "id-kp-codeSigning"},
		{"\x2b\x06\x01\x05\x05\x07\x03\x04", "id-kp-emailProtection"},
		{"\x2b\x06\x01\x05\x05\x07\x03\x08", "id-kp-timeStamping"},
		{"\x2b\x06\x01\x05\x05\x07\x03\x09", "id-kp-OCSPSigning"},
		{"\x2b\x06\x01\x05\x05\x07\x03\x11", "id-kp-ipsecIKE"},
		{"\x2b\x06\x01\x05\x05\x07\x03\x1b", "id-kp-cmcCA"},
		{"\x2b\x06\x01\x05\x05\x07\x03\x1c", "id-kp-cmcRA"},
		{"\x55\x1d\x25\x00", "anyExtendedKeyUsage"},
	};
	struct buf text OWNED_BUF = BUF(OID_TEXT_MAX);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		/* the last ends in a zero octet, which strlen would drop */
		size_t n = names[i].octets[0] == 0x55 ? 4 : strlen(names[i].octets);
		if (span_equal(contents, span_of(names[i].octets, n)))
			return names[i].name;
	}
	oid_put_dotted(&text, contents);
	const char *out = text.bad ? NULL : arena_text(arena, buf_span(&text));
	return out ? out : "(no object identifier)";
}
