#include "wire/unicode.h"

#include "base/mem.h"
#include "base/text.h"

#include <utf8proc.h>

static const utf8proc_option_t nfkc = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_REJECTNA;

static bool is_ascii(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] >= 0x80)
			return false;
	}
	return true;
}

static enum err refused(utf8proc_ssize_t n, struct why *why)
{
	if (n == UTF8PROC_ERROR_NOMEM || n == UTF8PROC_ERROR_OVERFLOW)
		return WHY(why, NOMEM, "", "normal form");
	if (n == UTF8PROC_ERROR_NOTASSIGNED)
		return WHY(why, UNICODE, "TS-0003 10.3", "text: want characters that Unicode %s assigns", utf8proc_unicode_version());
	return WHY(why, UNICODE, "TS-0003 10.3", "text: %s", utf8proc_errmsg(n));
}

enum err unicode_nfkc(struct span in, struct buf *out, struct why *why)
{
	if (in.n > UNICODE_NFKC_MAX)
		return WHY(why, UNICODE_LIMIT, "", "text: want at most %d octets, have %zu", UNICODE_NFKC_MAX, in.n);
	if (!text_is_utf8(in))
		return WHY(why, UNICODE, "TS-0003 10.3", "text: want UTF-8 without NUL");
	if (is_ascii(in)) {
		buf_put_span(out, in);
		return buf_check(out, "normal form", why);
	}
	utf8proc_ssize_t n = utf8proc_decompose(in.p, (utf8proc_ssize_t)in.n, NULL, 0, nfkc);
	if (n < 0)
		return refused(n, why);
	/* one more: the encoder ends its text with a NUL */
	utf8proc_int32_t *points OWNED_MEM = mem_array((size_t)n + 1, sizeof(*points));
	if (!points)
		return WHY(why, NOMEM, "", "normal form");
	n = utf8proc_decompose(in.p, (utf8proc_ssize_t)in.n, points, n, nfkc);
	if (n >= 0)
		n = utf8proc_reencode(points, n, nfkc);
	if (n < 0)
		return refused(n, why);
	buf_put(out, points, (size_t)n);
	return buf_check(out, "normal form", why);
}
