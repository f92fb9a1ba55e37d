/* A certificate request from a socket: read, its names, its proof of possession, its PEM form. */
#include "der_mutate.h"

#include "pki/csr.h"

#include <stdlib.h>

enum { ARENA_MAX = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct span part, struct span whole)
{
	return part.n == 0 || (part.p >= whole.p && part.n <= whole.n && part.p - whole.p <= (ptrdiff_t)(whole.n - part.n));
}

static void use(const struct csr *csr, struct span in)
{
	struct arena arena OWNED_ARENA = ARENA(ARENA_MAX);
	struct why why = {0};
	struct san_list sans;
	struct span cn;
	const char *text = NULL;

	if (!is_inside(csr->subject, in) || !is_inside(csr->challenge, in) || !is_inside(csr->san, in)
		|| csr->challenge.n > CSR_CHALLENGE_MAX || csr->ekus.n > CERT_EKU_MAX)
		abort();
	if (csr->san.n) {
		enum err san = san_parse(csr->san, &arena, &sans, &why);
		if (san != OK)
			der_refusal_check(san, &why);
		else if (!san_same_set(&sans, &sans))
			abort();
	}
	why_clear(&why);
	enum err err = name_cn(csr->subject, &arena, &cn, &why);
	if (err != OK)
		der_refusal_check(err, &why);
	why_clear(&why);
	err = name_text(csr->subject, &arena, &text, &why);
	if (err != OK)
		der_refusal_check(err, &why);
	struct why verdict = {0};
	err = csr_verify(csr, &verdict);
	if (err != OK)
		der_refusal_check(err, &verdict);
	else if (verdict.kind != OK)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct buf der OWNED_BUF = BUF(CSR_DER_MAX);
	struct why why = {0};
	struct csr csr;

	enum err err = csr_parse(in, &csr, &why);
	if (err == OK)
		use(&csr, in);
	else
		der_refusal_check(err, &why);
	why_clear(&why);
	if (csr_parse_pem(in, &der, &why) == OK && csr_parse(buf_span(&der), &csr, &why) == OK)
		use(&csr, buf_span(&der));
	return 0;
}
