#include "proto/est/body.h"

#include "pki/csr.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_forms(struct span der)
{
	static const char *const agents[] = {"", "curl/8", "Cisco EST client 1.0"};

	for (size_t i = 0; i < sizeof(agents) / sizeof(agents[0]); i++) {
		struct buf text OWNED_BUF = BUF(2 * CALL_BODY_MAX);
		struct buf back OWNED_BUF = BUF(2 * CALL_BODY_MAX);
		struct why why = {0};
		est_body_write(&text, der, span_text(agents[i]));
		if (text.n > CALL_BODY_MAX)
			continue;
		assert(est_body_der(buf_span(&text), &back, &why) == OK);
		assert(span_equal(buf_span(&back), der));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf der OWNED_BUF = BUF(CALL_BODY_MAX);
	struct why why = {0};
	enum err err = est_body_csr(span_text(EST_MEDIA_PKCS10), span_of(data, size), &der, &why);

	if (err != OK) {
		assert(err == ERR_SYNTAX || err == ERR_LIMIT);
		return 0;
	}
	assert(der.n > 0 && der.n <= CSR_DER_MAX);
	check_forms(buf_span(&der));
	return 0;
}
