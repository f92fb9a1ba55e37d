#include "der_mutate.h"

#include "pki/cert.h"

#include <stdlib.h>

/* What is read lies inside the input, and reading the TBS part again tells the same. */
static void check_inside(struct span in, struct span part)
{
	if (part.n && (part.p < in.p || part.p + part.n > in.p + in.n))
		abort();
}

static enum err each(void *arg, struct span der, struct why *why)
{
	struct cert c;

	return cert_parse(der, &c, why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct buf text OWNED_BUF = BUF(64 * 1024);
	struct why why = {0}, pem_why = {0}, text_why = {0};
	struct cert c;

	enum err err = cert_parse(in, &c, &why);
	if (err == OK) {
		const struct span parts[] = {c.tbs, c.serial, c.issuer, c.subject, c.spki, c.san, c.skid, c.akid};
		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
			check_inside(in, parts[i]);
		if (c.serial.n == 0 || c.serial.n > 20 || c.ekus.n > CERT_EKU_MAX)
			abort();
	} else {
		der_refusal_check(err, &why);
	}
	if (cert_describe(in, &text, &text_why) != OK && text_why.kind == OK)
		abort();
	if (cert_each_pem(in, each, NULL, &pem_why) != OK && pem_why.kind == OK)
		abort();
	return 0;
}
