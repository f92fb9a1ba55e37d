/* Base64, hexadecimal, dates, numbers and UTF-8: what decodes is encoded again and must decode to the same. */
#include "base/base64.h"
#include "base/date.h"
#include "base/hex.h"
#include "base/json_text.h"
#include "base/text.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_base64(struct span in)
{
	struct why why = {0};
	struct buf OWNED_BUF bytes = BUF(in.n);
	struct buf OWNED_BUF text = BUF(2 * in.n + 8);
	struct buf OWNED_BUF again = BUF(in.n);

	if (base64_parse(in, &bytes, &why) != OK)
		return;
	base64_write(&text, buf_span(&bytes), 64);
	assert(base64_parse(buf_span(&text), &again, &why) == OK);
	assert(span_equal(buf_span(&bytes), buf_span(&again)));
}

static void try_texts(struct span in)
{
	struct why why = {0};
	uint8_t bytes[32];
	size_t n = 0;
	int64_t s = 0;
	uint64_t v = 0;
	char date[DATE_TEXT_SIZE];

	if (hex_parse(in, bytes, sizeof(bytes), &n, &why) == OK)
		assert(n <= sizeof(bytes));
	why_clear(&why);
	if (date_parse(in, &s, &why) == OK) {
		date_text(s, date);
		assert(span_is(in, date));
	}
	why_clear(&why);
	if (text_number(in, 5, 5000, "n", &v, &why) == OK)
		assert(v >= 5 && v <= 5000);
	why_clear(&why);
	if (text_duration(in, "d", &s, &why) == OK)
		assert(s >= 0);
}

static void try_printing(struct span in)
{
	struct why why = {0};
	struct buf OWNED_BUF json = BUF(6 * in.n + 2);

	json_text_write(&json, in);
	assert(!json.bad);
	assert(text_is_utf8(buf_span(&json)));
	(void)WHY(&why, BUG, "", "%.*s", SPAN_FMT(in));
	assert(text_is_utf8(span_text(why.text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);

	try_base64(in);
	try_texts(in);
	try_printing(in);
	return 0;
}
