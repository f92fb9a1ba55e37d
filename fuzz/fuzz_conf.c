#include "app/conf/conf.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 1024 * 1024 };

static const char path[] = "/etc/openmef/openmef.conf";
static struct conf first, again; /* large: off the stack */

/* What was read can be written, read again, and written to the same text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf one OWNED_BUF = BUF(TEXT_MAX);
	struct buf two OWNED_BUF = BUF(TEXT_MAX);
	struct why why = {0};

	if (conf_parse(path, span_of(data, size), &first, &why) != OK) {
		assert(why.kind == ERR_SYNTAX && why.text[0]);
		return 0;
	}
	assert(first.fqdn[0] && first.https_n > 0 && first.profiles.n > 0 && first.labels.n > 0);
	conf_write(&first, &one);
	assert(!one.bad);
	assert(conf_parse(path, buf_span(&one), &again, &why) == OK);
	conf_write(&again, &two);
	assert(!two.bad && span_equal(buf_span(&one), buf_span(&two)));
	return 0;
}
