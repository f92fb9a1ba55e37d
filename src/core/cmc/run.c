#include "base/mem.h"
#include "core/cmc/job.h"
#include "core/enrol/behalf.h"
#include "pki/cms_signed.h"
#include "pki/digest.h"

#include <assert.h>

enum {
	RESPONSE_MAX = 256 * 1024, /* ISSUER_RESPONSE_MAX, signer's chain and CMC_REQUESTS_MAX certificates */
};

static void job_free(struct job *j)
{
	arena_fini(&j->arena);
	mem_free(j);
}

static struct job *job_new(const struct cmc_env *env, const struct cmc_ask *ask, cmc_done done, void *arg)
{
	struct job *j = mem_alloc(sizeof(*j));

	if (!j)
		return NULL;
	*j = (struct job){.env = *env, .arena = ARENA(JOB_ARENA_MAX), .done = done, .arg = arg, .now_s = ask->now_s,
		.label = ask->label, .retry_s = ask->label->hold_retry_s, .waiting = 1};
	j->address = arena_text(&j->arena, span_text(ask->address));
	return j;
}

struct job_part *job_part_new(struct job *j, uint32_t outer, uint32_t part)
{
	if (j->parts_n == CMC_STATUSES_MAX)
		return NULL;
	struct job_part *p = &j->parts[j->parts_n++];
	*p = (struct job_part){.job = j, .status = {.path = {outer ? outer : part, part}, .path_n = outer ? 2 : 1,
					.fail = CMC_FAIL_NONE}};
	return p;
}

void job_part_end(struct job_part *p, enum err err, const struct why *why)
{
	struct job *j = p->job;

	p->err = err;
	if (err == OK)
		return;
	p->why = *why;
	p->status.status = status_of(why);
	p->status.fail = fail_of(why);
	p->status.text = status_text(&j->arena, why);
	if (err > ERR_PENDING && j->env.fault)
		j->env.fault(j->env.told_arg, why);
}

void job_hold(struct job *j)
{
	j->waiting++;
}

/* Something was done; or something waits; or the first refusal. */
static enum err verdict(const struct job *j, const struct why **why_out)
{
	const struct job_part *refused = NULL;
	bool pending = false;

	for (size_t i = 0; i < j->parts_n; i++) {
		const struct job_part *p = &j->parts[i];
		if (p->err == OK)
			return OK;
		pending |= p->err == ERR_PENDING;
		if (!refused || (pending && refused->err != ERR_PENDING))
			refused = p;
	}
	if (!refused)
		return OK;
	*why_out = &refused->why;
	return refused->err;
}

static void job_fail(struct job *j, const struct why *why)
{
	j->done(j->arg, why->kind, (struct span){0}, why);
	job_free(j);
}

static size_t collect_certs(const struct job *j, struct span certs[CMC_REQUESTS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < j->parts_n; i++) {
		if (j->parts[i].cert.n && n < CMC_REQUESTS_MAX)
			certs[n++] = j->parts[i].cert;
	}
	return n;
}

static void on_signed(void *arg, enum err err, struct span der, const struct why *why)
{
	struct job *j = arg;
	struct buf message OWNED_BUF = BUF(RESPONSE_MAX);
	struct span certs[CMC_REQUESTS_MAX];
	struct why own = {0};
	const struct why *outcome = &own;

	if (err != OK) {
		job_fail(j, why);
		return;
	}
	size_t n = collect_certs(j, certs);
	/* RFC 5272 4.2: the certificates go into the SignedData around the PKIResponse */
	if (cms_signed_add_certs(der, certs, n, &message, &own) != OK) {
		job_fail(j, &own);
		return;
	}
	err = verdict(j, &outcome);
	j->done(j->arg, err, buf_span(&message), outcome);
	job_free(j);
}

static enum err write_response(struct job *j, struct buf *out, struct why *why)
{
	struct cmc_response *r = arena_alloc(&j->arena, sizeof(*r));

	if (!r)
		return WHY(why, NOMEM, "", "PKIResponse");
	TRY(random_fill(&j->env.random, j->nonce, sizeof(j->nonce), why));
	/* RFC 5272 6.6: transactionId and dataReturn as they came, their senderNonce as our recipientNonce, one of ours */
	r->transaction = j->data.transaction;
	r->recipient_nonce = j->data.sender_nonce;
	if (j->data.sender_nonce.n)
		r->sender_nonce = span_of(j->nonce, sizeof(j->nonce));
	r->has_data_return = j->data.has_data_return;
	r->data_return = j->data.data_return;
	for (size_t i = 0; i < j->parts_n; i++)
		r->parts[r->parts_n++] = j->parts[i].status;
	return cmc_response_write(r, out, why);
}

static void job_answer(struct job *j)
{
	struct buf response OWNED_BUF = BUF(ISSUER_RESPONSE_MAX);
	struct issuer *issuer = j->env.enrol.issuer;
	struct why why = {0};

	if (j->revoked && j->env.revoked)
		j->env.revoked(j->env.told_arg);
	if (!j->readable) {
		job_fail(j, &j->why);
		return;
	}
	if (write_response(j, &response, &why) != OK)
		job_fail(j, &why);
	else
		issuer->sign_cmc(issuer->self, buf_span(&response), on_signed, j);
}

void job_release(struct job *j)
{
	assert(j->waiting > 0);
	if (--j->waiting == 0)
		job_answer(j);
}

static void on_enrolled(void *arg, enum err err, struct span cert, const struct why *why)
{
	struct job_part *p = arg;
	struct job *j = p->job;
	struct why own = {0};

	if (err == OK) {
		p->cert = arena_copy(&j->arena, cert);
		if (p->cert.n != cert.n) {
			err = WHY(&own, NOMEM, "", "certificate of the answer");
			why = &own;
		}
	}
	job_part_end(p, err, why);
	/* RFC 5272 6.1.1: pendInfo; the same message asks again */
	if (err == ERR_PENDING) {
		p->status.pend_token = arena_copy(&j->arena, j->data.transaction);
		p->status.pend_s = j->now_s + (why->retry_s ? why->retry_s : j->retry_s);
	}
	job_release(j);
}

/*
 * RFC 7030 4.3: one operation for both: a request with the subject of the certificate that signed renews it. What
 * an RA asks for others is an enrolment each time.
 */
static bool is_renewal(const struct client *signer, struct span csr_der)
{
	struct csr csr = {0};
	struct why ignored = {0};
	bool same = false;

	return signer->provisioned && csr_parse(csr_der, &csr, &ignored) == OK && !name_is_empty(csr.subject)
		&& name_equal(csr.subject, signer->leaf.subject, &same, &ignored) == OK && same;
}

static void ask_one(struct job *j, uint32_t outer, const struct cmc_csr *csr)
{
	struct job_part *p = job_part_new(j, outer, csr->part);

	if (!p)
		return;
	job_hold(j);
	j->env.enrol_one(j->env.enrol_arg, &j->signer, is_renewal(&j->signer, csr->der), csr->der, on_enrolled, p);
}

static void end_part(struct job *j, uint32_t outer, uint32_t part, const struct why *why)
{
	struct job_part *p = job_part_new(j, outer, part);

	if (p)
		job_part_end(p, why->kind, why);
}

/* What this MEF does not do may have been a condition for the rest, so nothing is done. */
static void refuse_rest(struct job *j, uint32_t outer, const struct cmc_data *data)
{
	struct why why = {0};

	for (size_t i = 0; i < data->refused_n; i++) {
		const struct cmc_refused *r = &data->refused[i];
		struct buf dotted OWNED_BUF = BUF(256);
		struct why one = {0};
		oid_put_dotted(&dotted, r->oid);
		(void)!WHY(&one, CMC_UNSUPPORTED, "RFC 5272 3.2.1", "body part %lu: %s %.100s is not supported",
			(unsigned long)r->part, r->what, r->oid.n ? buf_text(&dotted) : "");
		end_part(j, outer, r->part, &one);
		/* RFC 5272 6.1.4: badRequest for a kind of request that is not taken */
		if (r->request && j->parts_n) {
			j->parts[j->parts_n - 1].status.status = CMC_FAILED;
			j->parts[j->parts_n - 1].status.fail = CMC_FAIL_BAD_REQUEST;
		}
	}
	(void)!WHY(&why, CMC_UNSUPPORTED, "RFC 5272 3.2.1", "not done: another body part is not supported");
	for (size_t i = 0; i < data->requests_n; i++)
		end_part(j, outer, data->requests[i].part, &why);
	for (size_t i = 0; i < data->revokes_n; i++)
		end_part(j, outer, data->revokes[i].part, &why);
	for (size_t i = 0; i < data->nested_n; i++)
		end_part(j, outer, data->nested[i].part, &why);
}

/* Revocations and messages of others are not expected inside of a message that an RA passes on. */
static enum err check_inner(const struct cmc_data *data, struct why *why)
{
	if (data->refused_n || data->nested_n || data->revokes_n || data->pending_part)
		return WHY(why, CMC_UNSUPPORTED, "RFC 5272 7", "nested message: want certification requests alone");
	if (data->requests_n == 0)
		return WHY(why, CMC_EMPTY, "RFC 5272 7", "nested message: want a certification request, have none");
	return OK;
}

static size_t requests_under_way(const struct job *j)
{
	size_t n = 0;

	for (size_t i = 0; i < j->parts_n; i++)
		n += j->parts[i].status.path_n == 2;
	return n;
}

static enum err open_nested(struct job *j, const struct cmc_nested *nested, struct cmc_data *inner, struct why *why)
{
	/* RFC 5272 7: whoever passes messages on is an RA */
	if (!j->label->ra || !behalf_is_ra(&j->signer))
		return WHY(why, CMC_NESTED, "RFC 5272 7", "cmsSequence: want it empty but from a registration authority");
	TRY(signer_open_nested(j, nested->der, inner, why));
	TRY(check_inner(inner, why));
	if (j->data.requests_n + requests_under_way(j) + inner->requests_n > CMC_REQUESTS_MAX)
		return WHY(why, CMC_LIMIT, "", "certification requests: want at most %d, have more", CMC_REQUESTS_MAX);
	return OK;
}

static void ask_nested(struct job *j, const struct cmc_nested *nested)
{
	struct cmc_data *inner = arena_alloc(&j->arena, sizeof(*inner));
	struct why why = {0};
	enum err err = inner ? open_nested(j, nested, inner, &why) : WHY(&why, NOMEM, "", "nested message");

	if (err != OK) {
		end_part(j, 0, nested->part, &why);
		return;
	}
	for (size_t i = 0; i < inner->requests_n; i++)
		ask_one(j, nested->part, &inner->requests[i]);
}

static void ask_all(struct job *j)
{
	const struct cmc_data *data = &j->data;

	for (size_t i = 0; i < data->requests_n; i++)
		ask_one(j, 0, &data->requests[i]);
	for (size_t i = 0; i < data->nested_n; i++)
		ask_nested(j, &data->nested[i]);
	for (size_t i = 0; i < data->revokes_n; i++) {
		struct job_part *p = job_part_new(j, 0, data->revokes[i].part);
		if (p)
			revoke_one(j, &data->revokes[i], p);
	}
}

/* Up to here nothing can be answered by a PKIResponse. */
static enum err read_message(struct job *j, const struct cmc_ask *ask, struct cms_signed **cms, struct why *why)
{
	TRY(cms_signed_parse(ask->message, OID_CCT_PKI_DATA, cms, why));
	struct span content = arena_copy(&j->arena, cms_signed_content(*cms));
	if (!content.p)
		return WHY(why, NOMEM, "", "CMC message");
	TRY(cmc_data_parse(content, &j->data, why));
	j->readable = true;
	return OK;
}

/* Signature, signer, and that something is asked. */
static enum err check_message(struct job *j, const struct cmc_ask *ask, struct cms_signed *cms, struct why *why)
{
	const struct cmc_data *data = &j->data;
	struct buf signer OWNED_BUF = BUF(CERT_DER_MAX);

	TRY(cms_signed_verify(cms, ask->client->leaf.der, &signer, why));
	TRY(signer_find(j, ask->client, buf_span(&signer), why));
	if (data->pending_part)
		return WHY(why, CMC_UNSUPPORTED, "RFC 5272 6.8", "queryPending: not supported, send the request itself again");
	if (data->requests_n + data->revokes_n + data->nested_n + data->refused_n == 0)
		return WHY(why, CMC_EMPTY, "RFC 5272 3.2.1", "PKIData: want a request, have none");
	return OK;
}

/* The refusal of the whole message, audited. */
static void on_refused(void *arg, enum err err, struct span cert, const struct why *why)
{
	struct job *j = arg;
	(void)cert;

	if (j->readable)
		end_part(j, 0, 0, why);
	else
		j->why = *why;
	(void)err;
	job_release(j);
}

static void job_refuse(struct job *j, const struct cmc_ask *ask, const struct why *why)
{
	const struct enrol_refusal refusal = {.enrolee_id = ask->client->enrolee.id, .address = ask->address, .why = why};

	job_hold(j);
	enrol_refuse(&j->env.enrol, &refusal, on_refused, j);
}

void cmc_run(const struct cmc_env *env, const struct cmc_ask *ask, cmc_done done, void *arg)
{
	struct cms_signed *cms OWNED_CMS_SIGNED = NULL;
	struct job *j = job_new(env, ask, done, arg);
	struct why why = {0};

	if (!j) {
		done(arg, WHY(&why, NOMEM, "", "CMC message"), (struct span){0}, &why);
		return;
	}
	enum err err = read_message(j, ask, &cms, &why);
	if (err == OK)
		err = check_message(j, ask, cms, &why);
	if (err != OK)
		job_refuse(j, ask, &why);
	else if (j->data.refused_n)
		refuse_rest(j, 0, &j->data);
	else
		ask_all(j);
	job_release(j);
}
