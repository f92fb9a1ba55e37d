#include "der_mutate.h"

#include "proto/est/attrs.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const struct est_attrs *a, const struct est_attrs *b)
{
	assert(span_equal(a->challenge, b->challenge));
	assert(a->asks_challenge == b->asks_challenge || a->challenge.n);
	assert(span_equal(a->sans, b->sans));
	assert(a->ekus.n == b->ekus.n && a->digital_signature == b->digital_signature);
	assert(a->key == b->key || a->key == KEY_OTHER);
	assert(a->asks_linking == b->asks_linking && a->is_template == b->is_template);
	assert(a->subject.n == b->subject.n);
	for (size_t i = 0; i < a->subject.n; i++) {
		assert(span_equal(a->subject.parts[i].type, b->subject.parts[i].type));
		assert(span_equal(a->subject.parts[i].value, b->subject.parts[i].value));
		assert(a->subject.parts[i].joined == b->subject.parts[i].joined);
	}
	for (size_t i = 0; i < a->ekus.n; i++)
		assert(span_equal(a->ekus.oids[i], b->ekus.oids[i]));
}

/* What was understood, written by us, is understood the same way. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf der OWNED_BUF = BUF(2 * EST_ATTRS_DER_MAX);
	struct est_attrs attrs = {0};
	struct est_attrs again = {0};
	struct why why = {0};
	enum err err = est_attrs_parse(span_of(data, size), &attrs, &why);

	if (err != OK) {
		assert(err == ERR_SYNTAX || err == ERR_LIMIT);
		der_refusal_check(err, &why);
		return 0;
	}
	assert(attrs.unknown_n <= EST_ATTRS_MAX);
	assert(attrs.open_n <= EST_ATTRS_MAX && attrs.more_extensions_n <= EST_ATTRS_MAX && attrs.subject.n <= NAME_PARTS_MAX);
	enum est_attrs_form form = attrs.is_template ? EST_ATTRS_TEMPLATE : EST_ATTRS_LIST;
	if (est_attrs_write(&attrs, form, &der, &why) != OK || der.n > EST_ATTRS_DER_MAX)
		return 0; /* a challenge outside PrintableString, or our form is the longer one */
	assert(est_attrs_parse(buf_span(&der), &again, &why) == OK);
	check_same(&attrs, &again);
	return 0;
}
