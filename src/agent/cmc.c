#include "agent/cmc.h"

#include "agent/bootstrap.h"
#include "agent/run.h"
#include "pki/cms_signed.h"
#include "pki/der.h"
#include "proto/est/body.h"
#include "wire/media.h"

enum {
	PART = 1,
	TRANSACTION_SIZE = 16,
	NONCE_SIZE = 16,
	TEXT_SHOWN_MAX = 240,
};
_Static_assert(AGENT_CMC_RANDOM == TRANSACTION_SIZE + NONCE_SIZE, "both come from the same octets");

enum err agent_cmc_url(const char *mef_uri, struct buf *out, struct why *why)
{
	TRY(agent_base_write(mef_uri, out, why));
	buf_put_text(out, "/fullcmc");
	return buf_check(out, "URL", why);
}

static struct span nonce_of(const struct agent_cmc *ask)
{
	return span_of(ask->random + TRANSACTION_SIZE, NONCE_SIZE);
}

static void put_transaction(const struct agent_cmc *ask, struct buf *out)
{
	der_put_uint(out, span_of(ask->random, TRANSACTION_SIZE));
}

enum err agent_cmc_write(const struct agent_cmc *ask, struct buf *body_out, struct why *why)
{
	struct buf data_der OWNED_BUF = BUF(CMS_SIGNED_MAX);
	struct buf message OWNED_BUF = BUF(CMS_SIGNED_MAX);
	struct buf transaction OWNED_BUF = BUF(TRANSACTION_SIZE + 8);
	struct cmc_data data = {0};

	put_transaction(ask, &transaction);
	data.transaction = buf_span(&transaction);
	data.sender_nonce = nonce_of(ask);
	if (ask->csr.n)
		data.requests[data.requests_n++] = (struct cmc_csr){PART, ask->csr};
	if (ask->revoke)
		data.revokes[data.revokes_n++] = *ask->revoke;
	TRY(cmc_data_write(&data, &data_der, why));
	const struct cms_signed_plan plan = {.type = OID_CCT_PKI_DATA, .content = buf_span(&data_der), .key = ask->key,
		.cert = ask->cert};
	TRY(cms_signed_write(&plan, &message, why));
	est_body_write_request(body_out, buf_span(&message));
	return buf_check(body_out, "request body", why);
}

bool agent_cmc_is_answer(const struct agent_reply *reply)
{
	return media_is(reply->media_type, "application/pkcs7-mime")
		&& span_is_nocase(media_param(reply->media_type, "smime-type"), "CMC-response");
}

static enum err check_signer(struct cms_signed *cms, const struct agent_cmc_answer *answer, struct why *why)
{
	struct buf signer OWNED_BUF = BUF(CERT_DER_MAX);
	struct span certs[CMS_CERTS_MAX];
	struct span path[CHAIN_MAX];
	uint8_t anchor[32];
	size_t path_n = 0;
	size_t n = cms_signed_certs(cms, certs);

	TRY(cms_signed_verify(cms, (struct span){0}, &signer, why));
	for (size_t i = 0; i < n && path_n < CHAIN_MAX; i++) {
		struct cert c = {0};
		TRY(cert_parse(certs[i], &c, why));
		if (c.is_ca)
			path[path_n++] = certs[i];
	}
	/* RFC 5272 3.2: the answer is the MEF's own word, beyond that of its TLS session */
	return chain_check(answer->anchors, buf_span(&signer), path, path_n, CHAIN_ANY, answer->now_s, anchor, why);
}

static enum err check_echo(const struct agent_cmc *ask, const struct cmc_response *r, struct why *why)
{
	struct buf transaction OWNED_BUF = BUF(TRANSACTION_SIZE + 8);

	put_transaction(ask, &transaction);
	/* RFC 5272 6.6: the answer to this message, not to an earlier one */
	if (!span_equal(r->transaction, buf_span(&transaction)))
		return WHY(why, AGENT_REPLY, "RFC 5272 6.6", "transactionId: want the request's, have %s",
			r->transaction.n ? "another" : "none");
	if (!span_equal(r->recipient_nonce, nonce_of(ask)))
		return WHY(why, AGENT_REPLY, "RFC 5272 6.6", "recipientNonce: want the request's senderNonce, have %s",
			r->recipient_nonce.n ? "another" : "none");
	return OK;
}

static enum err check_statuses(const struct cmc_response *r, struct why *why)
{
	bool told = false;

	for (size_t i = 0; i < r->parts_n; i++) {
		const struct cmc_part *p = &r->parts[i];
		if (p->status != CMC_SUCCESS)
			return WHY(why, AGENT_REFUSED, "RFC 5272 6.1", "fullcmc: status %d, %s: %.*s", (int)p->status,
				p->fail == CMC_FAIL_NONE ? "no failInfo" : cmc_fail_name(p->fail),
				SPAN_FMT(span_first(p->text, TEXT_SHOWN_MAX)));
		told |= p->path[0] == PART || p->path[0] == 0;
	}
	return told ? OK : WHY(why, AGENT_REPLY, "RFC 5272 6.1", "CMCStatusInfoV2: want that of body part %d, have none", PART);
}

static enum err keep_certs(const struct cms_signed *cms, struct agent_cmc_answer *answer, struct why *why)
{
	struct span certs[CMS_CERTS_MAX];
	size_t n = cms_signed_certs(cms, certs);

	for (size_t i = 0; i < n; i++) {
		struct span kept = arena_copy(answer->arena, certs[i]);
		if (!kept.p)
			return WHY(why, NOMEM, "", "certificates of the answer");
		answer->certs[answer->certs_n++] = kept;
	}
	return OK;
}

enum err agent_cmc_read(const struct agent_cmc *ask, const struct agent_reply *reply,
	struct agent_cmc_answer *answer, struct why *why)
{
	struct buf der OWNED_BUF = BUF(AGENT_REPLY_MAX);
	struct cms_signed *cms OWNED_CMS_SIGNED = NULL;
	struct cmc_response response;

	answer->certs_n = 0;
	if (!agent_cmc_is_answer(reply))
		return WHY(why, AGENT_REPLY, "RFC 7030 4.3.2", "Content-Type: want %s, have '%.*s'", CMC_MEDIA_RESPONSE,
			SPAN_FMT(span_first(reply->media_type, 80)));
	TRY(est_body_der(reply->body, &der, why));
	TRY(cms_signed_parse(buf_span(&der), OID_CCT_PKI_RESPONSE, &cms, why));
	TRY(check_signer(cms, answer, why));
	TRY(cmc_response_parse(cms_signed_content(cms), &response, why));
	TRY(check_echo(ask, &response, why));
	TRY(check_statuses(&response, why));
	return keep_certs(cms, answer, why);
}
