#include "der_mutate.h"

#include "pki/cms.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read lies inside the input; what is written from it reads back the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span certs[CMS_CERTS_MAX], again[CMS_CERTS_MAX];
	struct buf out OWNED_BUF = BUF(1 << 20);
	struct why why = {0};
	size_t n = 0, again_n = 0;

	enum err err = cms_certs_parse(span_of(data, size), certs, CMS_CERTS_MAX, &n, &why);
	if (err != OK) {
		der_refusal_check(err, &why);
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		if (certs[i].p < data || certs[i].p + certs[i].n > data + size)
			abort();
	}
	if (cms_certs_write(certs, n, &out, &why) != OK
		|| cms_certs_parse(buf_span(&out), again, CMS_CERTS_MAX, &again_n, &why) != OK || again_n != n)
		abort();
	for (size_t i = 0; i < n; i++) {
		if (!span_equal(certs[i], again[i]))
			abort();
	}
	return 0;
}
