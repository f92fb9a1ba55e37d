#include "core/ca/message.h"

#include "base/date.h"
#include "pki/cms_signed.h"
#include "pki/csr.h"
#include "pki/der_nest.h"
#include "pki/oid.h"

#define OID_CT_KEY_PACKAGE OID("\x60\x86\x48\x01\x65\x02\x01\x02\x4e\x05") /* RFC 5958 2 */
#define OID_CCT_PKI_RESPONSE OID("\x2b\x06\x01\x05\x05\x07\x0c\x03")       /* RFC 5272 3.2 */

static enum err check_dates(const struct message *m, int64_t now_s, struct why *why)
{
	char from[DATE_TEXT_SIZE], until[DATE_TEXT_SIZE];

	if (now_s >= m->cert.not_before_s && now_s <= m->cert.not_after_s)
		return OK;
	date_text(m->cert.not_before_s, from);
	date_text(m->cert.not_after_s, until);
	return WHY(why, MESSAGE_DATES, "RFC 5280 6.1.3", "message certificate: valid from %s until %s", from, until);
}

enum err message_check(const struct message *m, struct why *why)
{
	if (!m->key || !key_matches_spki(m->key, m->cert.spki))
		return WHY(why, MESSAGE_KEY, "", "message key: want the one of the message certificate, have another");
	if (m->cert.is_ca || (m->cert.has_key_usage && !(m->cert.key_usage & KU_DIGITAL_SIGNATURE)))
		return WHY(why, MESSAGE_KEY, "RFC 5280 4.2.1.3", "message certificate: want an end entity's with digitalSignature, have another");
	return OK;
}

void made_key_bytes_fini(struct made_key_bytes *b)
{
	buf_fini_wipe(&b->pkcs8);
	buf_fini_wipe(&b->package);
	buf_fini(&b->csr);
}

struct made_key made_key_view(const struct made_key_bytes *b)
{
	return (struct made_key){
		.pkcs8 = buf_span(&b->pkcs8), .package = buf_span(&b->package), .csr = buf_span(&b->csr)};
}

static enum err sign(
	const struct message *m, struct span type, struct span content, struct buf *out, struct why *why)
{
	const struct cms_signed_plan plan = {.type = type,
		.content = content,
		.key = m->key,
		.cert = m->cert_der,
		.others = &m->ca_der,
		.others_n = m->ca_der.n ? 1 : 0};

	return cms_signed_write(&plan, out, why);
}

/* A kind that the profile refuses anyway is not made: of RSA keys a few requests would keep the signer busy for seconds. */
static enum err check_profile(const struct message *m, const struct key_order *order, struct why *why)
{
	const struct profile *p = NULL;

	if (!m->profiles || !order->profile[0])
		return OK;
	p = profile_find(m->profiles, order->profile);
	return p ? ca_check_key(p, (enum key_spec)order->spec, why) : OK; /* one that is not there is refused by the CA, in its words */
}

/* RFC 5958 2: AsymmetricKeyPackage ::= SEQUENCE SIZE (1..MAX) OF OneAsymmetricKey */
static enum err put_package(const struct message *m, struct span pkcs8, struct buf *out, struct why *why)
{
	struct buf package __attribute__((cleanup(buf_fini_wipe))) = BUF(KEY_PKCS8_MAX + 16);
	size_t at = der_open(&package, DER_SEQUENCE);

	buf_put_span(&package, pkcs8);
	der_close(&package, at);
	TRY(buf_check(&package, "key package", why));
	return sign(m, OID_CT_KEY_PACKAGE, buf_span(&package), out, why);
}

enum err message_make_key(const struct message *m, const struct key_order *order, int64_t now_s,
	struct made_key_bytes *out, struct why *why)
{
	struct key *key OWNED_KEY = NULL;
	const struct csr_plan plan = {.subject = order->subject, .sans = order->sans, .digital_signature = true};

	TRY(check_dates(m, now_s, why));
	TRY(check_profile(m, order, why));
	TRY(key_new((enum key_spec)order->spec, &key, why));
	TRY(key_write_pkcs8(key, &out->pkcs8, why));
	TRY(csr_write(&plan, key, &out->csr, why));
	return order->package ? put_package(m, buf_span(&out->pkcs8), &out->package, why) : OK;
}

enum err message_sign_cmc(const struct message *m, struct span pki_response, int64_t now_s, struct buf *out, struct why *why)
{
	struct der d = der_init(pki_response);

	TRY(check_dates(m, now_s, why));
	if (pki_response.n > ISSUER_RESPONSE_MAX)
		return WHY(why, MESSAGE_SIZE, "", "PKIResponse: want at most %d octets, have %zu", ISSUER_RESPONSE_MAX,
			pki_response.n);
	der_take(&d, DER_SEQUENCE);
	if (!der_done(&d))
		return WHY(why, MESSAGE_RESPONSE, "RFC 5272 3.2.2", "PKIResponse: want one SEQUENCE, have other bytes");
	return sign(m, OID_CCT_PKI_RESPONSE, pki_response, out, why);
}
