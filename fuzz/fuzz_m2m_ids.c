/* Identifiers that a peer shows: a normal form stays as it is, and derivations take it. */
#include "proto/m2m/derive.h"
#include "proto/m2m/suid.h"
#include "wire/unicode.h"

#include "base/buf.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_keys(struct span in)
{
	char normal[M2M_KEYID_SIZE], again[M2M_KEYID_SIZE];
	char credential[M2M_CREDENTIAL_ID_SIZE];
	uint8_t relative[M2M_RELATIVE_SIZE];
	struct span fqdn = {NULL, 0};
	struct why why = {0};

	bool is_identity = m2m_psk_identity_parse(in, normal, &why) == OK;
	if (is_identity) {
		assert(m2m_psk_identity_parse(span_text(normal), again, &why) == OK && strcmp(normal, again) == 0);
		assert(m2m_credential_id_write(SUID_RSPF_SAEF, span_text(normal), credential, &why) == OK);
	}
	why_clear(&why);
	if (m2m_keyid_parse(in, relative, again, &fqdn, &why) == OK)
		assert(is_identity && strcmp(normal, again) == 0 && fqdn.n);
	why_clear(&why);
	bool is_name = m2m_named_parse(in, true, again, &fqdn, &why) == OK;
	assert(is_name == is_identity);
}

static void try_entity(struct span in)
{
	char normal[M2M_ID_MAX + 1], again[M2M_ID_MAX + 1];
	struct secret ke OWNED_SECRET = {.n = M2M_KEY_SIZE};
	struct secret a OWNED_SECRET = {0};
	struct secret b OWNED_SECRET = {0};
	struct why why = {0};

	if (m2m_id_normal(in, normal, &why) != OK) {
		assert(why.kind == ERR_SYNTAX);
		assert(m2m_derive_km(&ke, in, &a, &why) != OK && a.n == 0);
		return;
	}
	assert(m2m_id_normal(span_text(normal), again, &why) == OK && strcmp(normal, again) == 0);
	assert(m2m_derive_constrained(&ke, SUID_RSPF_SAEF, in, &a, &why) == OK);
	assert(m2m_derive_constrained(&ke, SUID_RSPF_SAEF, span_text(normal), &b, &why) == OK);
	assert(secret_equal(secret_span(&a), secret_span(&b)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf once OWNED_BUF = BUF(64 * 1024);
	struct buf twice OWNED_BUF = BUF(64 * 1024);
	struct span in = span_of(data, size);
	struct why why = {0};

	try_keys(in);
	try_entity(in);
	(void)suid_parse(in);
	if (unicode_nfkc(in, &once, &why) == OK && once.n <= UNICODE_NFKC_MAX) {
		assert(unicode_nfkc(buf_span(&once), &twice, &why) == OK);
		assert(span_equal(buf_span(&once), buf_span(&twice)));
	}
	return 0;
}
