#include "base/json_text.h"

#include "base/text.h"

/* Bytes of the well-formed UTF-8 character at the start; 0 when there is none. */
static size_t character(struct span text)
{
	for (size_t n = 1; n <= 4 && n <= text.n; n++) {
		if (text_is_utf8(span_first(text, n)))
			return n;
	}
	return 0;
}

static void put_ascii(struct buf *out, uint8_t c)
{
	if (c == '"' || c == '\\')
		buf_put_fmt(out, "\\%c", c);
	else if (c < 0x20 || c == 0x7f)
		buf_put_fmt(out, "\\u%04x", c);
	else
		buf_put_u8(out, c);
}

/* What would steer a screen is escaped; every such character lies below U+10000. */
static void put_character(struct buf *out, struct span c)
{
	if (text_visible(c))
		buf_put(out, c.p, c.n);
	else if (c.n == 2)
		buf_put_fmt(out, "\\u%04x", (c.p[0] & 0x1fU) << 6 | (c.p[1] & 0x3fU));
	else
		buf_put_fmt(out, "\\u%04x", (c.p[0] & 0x0fU) << 12 | (c.p[1] & 0x3fU) << 6 | (c.p[2] & 0x3fU));
}

void json_text_write(struct buf *out, struct span text)
{
	buf_put_u8(out, '"');
	while (text.n > 0) {
		size_t n = text.p[0] < 0x80 ? 1 : character(text);
		if (n == 0)
			buf_put_text(out, "\\ufffd");
		else if (n == 1)
			put_ascii(out, text.p[0]);
		else
			put_character(out, span_first(text, n));
		text = span_from(text, n ? n : 1);
	}
	buf_put_u8(out, '"');
}
