/* Tokens as an enrolee types them: case, blanks and hyphens never change what the token is. */
#include "base/buf.h"
#include "core/keys/register.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same token in small letters, with a hyphen behind every fourth octet. */
static void write_other(struct span token, struct buf *out)
{
	for (size_t i = 0; i < token.n; i++) {
		uint8_t c = token.p[i];
		buf_put_u8(out, c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c);
		if (i % 4 == 3)
			buf_put_u8(out, '-');
	}
}

static size_t significant(struct span token)
{
	size_t n = 0;

	for (size_t i = 0; i < token.n; i++)
		n += token.p[i] != ' ' && token.p[i] != '-';
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWNED_BUF struct buf other = BUF(2 * size + 1);
	uint8_t hash[32] = {0}, again[32] = {0};
	struct why why = {0}, same = {0};
	struct span token = span_of(data, size);

	enum err err = token_hash(token, hash, &why);
	write_other(token, &other);
	assert(token_hash(buf_span(&other), again, &same) == err && same.code == why.code);
	assert(err == OK || err == ERR_SYNTAX);
	size_t n = significant(token);
	assert(err != OK || (n > 0 && n <= TOKEN_CHARS_MAX && memcmp(hash, again, sizeof(hash)) == 0));
	return 0;
}
