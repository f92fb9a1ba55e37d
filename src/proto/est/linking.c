#include "proto/est/linking.h"

#include "base/base64.h"
#include "base/secret.h"

void linking_write(const struct linking_session *s, struct buf *text_out)
{
	base64_write(text_out, s->unique.n ? s->unique : s->exporter, 0);
}

bool linking_is_value(struct span text)
{
	struct buf octets OWNED_BUF = BUF(LINKING_TEXT_MAX);
	struct why ignored = {0};

	if (text.n > LINKING_TEXT_MAX || base64_parse(text, &octets, &ignored) != OK)
		return false;
	return octets.n == LINKING_UNIQUE_SIZE || octets.n == LINKING_EXPORTER_SIZE;
}

static bool is_text_of(struct span value, struct span text)
{
	struct buf want OWNED_BUF = BUF(LINKING_TEXT_MAX);

	base64_write(&want, value, 0);
	return value.n && !want.bad && secret_equal(buf_span(&want), text);
}

bool linking_is_of(const struct linking_session *s, struct span text)
{
	bool unique = is_text_of(s->unique, text);
	bool exporter = is_text_of(s->exporter, text);

	return unique || exporter;
}
