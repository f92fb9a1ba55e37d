#include "der_mutate.h"

#include "proto/est/keygen.h"

#include <stdlib.h>

/* First octet: attributes of a request, or an answer: its media type on one line, then the body. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read can be written, and is read again as it was. */
static void attributes(struct span in)
{
	OWNED_BUF struct buf again = BUF(8192);
	struct est_keygen ask, back;
	struct why why = {0};

	enum err err = est_keygen_parse(in, &ask, &why);
	if (err != OK) {
		der_refusal_check(err, &why);
		return;
	}
	est_keygen_put(&again, &ask);
	if (est_keygen_parse(buf_span(&again), &back, &why) != OK || !span_equal(ask.symmetric, back.symmetric)
		|| !span_equal(ask.asymmetric, back.asymmetric))
		abort();
}

static bool is_within(struct span part, struct span all)
{
	return part.n && part.p >= all.p && part.p + part.n <= all.p + all.n;
}

static void answer(struct span in)
{
	size_t line = span_find(in, '\n');
	struct span body = span_from(in, line + 1);
	struct est_keygen_parts parts;
	struct why why = {0};

	enum err err = est_keygen_read(span_first(in, line), body, &parts, &why);
	if (err != OK) {
		der_refusal_check(err, &why);
		return;
	}
	if (!is_within(parts.key, body) || !is_within(parts.cert, body))
		abort();
}

/* A device opens what the network brought, by its own keys. */
static void envelope(struct span in)
{
	static const uint8_t kek[32] = {1};
	OWNED_BUF struct buf out = BUF(CMS_ENVELOPE_MAX);
	const struct cms_opener opener = {.kek = span_of(kek, sizeof(kek)), .kek_id = span_text("pump@localhost")};
	struct key *key = NULL;
	struct why why = {0};

	enum err err = cms_envelope_open(in, &opener, &out, &why);
	if (err != OK)
		der_refusal_check(err, &why);
	else if (out.n == 0)
		abort();
	why_clear(&why);
	err = key_parse_pkcs8(in, &key, &why);
	if (err != OK)
		der_refusal_check(err, &why);
	else if (key_spec_of(key) == KEY_OTHER)
		abort();
	key_free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);

	if (size == 0)
		return 0;
	in = span_from(in, 1);
	switch (data[0] % 3) {
	case 0:
		attributes(in);
		break;
	case 1:
		answer(in);
		break;
	default:
		envelope(in);
		break;
	}
	return 0;
}
