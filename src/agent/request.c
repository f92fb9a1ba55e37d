#include "agent/run.h"

#include "proto/est/body.h"
#include "wire/media.h"

enum err run_take_attrs(struct agent *a, const struct agent_reply *reply, struct why *why)
{
	OWNED_BUF struct buf der = BUF(EST_ATTRS_DER_MAX);

	a->attrs = (struct est_attrs){0};
	if (reply->status == 204 || reply->status == 404 || reply->body.n == 0)
		return OK;
	if (!media_is(reply->media_type, "application/csrattrs"))
		return WHY(why, AGENT_REPLY, "RFC 7030 4.5.2", "Content-Type: want application/csrattrs, have '%.*s'",
			SPAN_FMT(span_first(reply->media_type, 60)));
	TRY(est_body_der(reply->body, &der, why));
	struct span kept = arena_copy(&a->arena, buf_span(&der));
	if (!kept.p)
		return WHY(why, NOMEM, "", "reply of %zu bytes", der.n);
	return est_attrs_parse(kept, &a->attrs, why);
}

enum key_spec run_wanted_key(const struct agent *a)
{
	if (a->config.goal == AGENT_RENEW && a->config.reuse_key)
		return KEY_NONE;
	if (a->attrs.key != KEY_NONE)
		return a->attrs.key;
	/* TS-0003 10.1.1.1: P-256 unless somebody wants another */
	return a->config.key_wish != KEY_NONE ? a->config.key_wish : KEY_P256;
}

/* RFC 7030 4.2.2: a renewal repeats subject and subjectAltName of the certificate that it renews. */
static struct span wanted_sans(const struct agent *a)
{
	if (a->config.goal == AGENT_RENEW && a->current.san.n)
		return a->current.san;
	return a->attrs.sans;
}

enum err run_make_csr(struct agent *a, struct why *why)
{
	static const uint8_t empty_name[] = {0x30, 0x00};
	bool renew = a->config.goal == AGENT_RENEW;

	a->sans = wanted_sans(a);
	/* The identity stands in the subjectAltName (TS-0003 10.1.4: nothing on the subject); without one
	 * the authenticating certificate's subject is all that names the device. */
	bool own_subject = (renew || a->sans.n == 0) && a->current.subject.n;
	struct csr_plan plan = {
		.subject = own_subject ? a->current.subject : span_of(empty_name, sizeof(empty_name)),
		.challenge = a->attrs.challenge,
		.sans = a->sans,
		.ekus = a->attrs.ekus.n ? &a->attrs.ekus : NULL,
		.digital_signature = a->attrs.digital_signature,
	};
	buf_clear(&a->csr);
	buf_clear(&a->body);
	TRY(csr_write(&plan, a->key, &a->csr, why));
	est_body_write_request(&a->body, buf_span(&a->csr));
	return buf_check(&a->body, "request body", why);
}
