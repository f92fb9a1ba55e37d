#include "agent/bootstrap.h"

#include <stdlib.h>

/* First octet odd: a fingerprint is asked for, the 32 octets behind it; the rest: the body of a cacerts answer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PEM_MAX = 4 * 1024 * 1024, PRINT = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWNED_BUF struct buf pem = BUF(PEM_MAX);
	const uint8_t *print = size > PRINT && data[0] % 2 ? data + 1 : NULL;
	struct span in = span_of(data, size);
	struct why why = {0};

	if (size == 0)
		return 0;
	in = span_from(in, print ? PRINT + 1 : 1);
	enum err err = agent_bootstrap(span_text("application/pkcs7-mime"), in, print, &pem, &why);
	/* anchors come out, or a reason and none */
	if ((err == OK) != (pem.n > 0) || (err != OK && why.kind != err))
		abort();
	return 0;
}
