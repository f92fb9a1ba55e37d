#include "der_mutate.h"

#include "pki/cms_signed.h"
#include "proto/cmc/cmc.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A message as a client sends it: opened, its signature looked at, its content read. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cms_signed *s OWNED_CMS_SIGNED = NULL;
	struct buf signer OWNED_BUF = BUF(CERT_DER_MAX);
	struct buf more OWNED_BUF = BUF(1 << 20);
	struct span in = span_of(data, size), certs[CMS_CERTS_MAX];
	struct cmc_data content;
	struct why why = {0};

	enum err err = cms_signed_add_certs(in, NULL, 0, &more, &why);
	if (err != OK)
		der_refusal_check(err, &why);
	why_clear(&why);
	err = cms_signed_parse(in, OID_CCT_PKI_DATA, &s, &why);
	if (err != OK) {
		der_refusal_check(err, &why);
		assert(!s);
		return 0;
	}
	assert(cms_signed_certs(s, certs) <= CMS_CERTS_MAX);
	err = cms_signed_verify(s, (struct span){0}, &signer, &why);
	if (err != OK)
		der_refusal_check(err, &why);
	assert(err != OK || signer.n > 0);
	why_clear(&why);
	err = cmc_data_parse(cms_signed_content(s), &content, &why);
	if (err != OK)
		der_refusal_check(err, &why);
	return 0;
}
