#include "agent/cmc.h"
#include "agent/run.h"

#include "pki/der_nest.h"
#include "pki/oid.h"
#include "proto/est/body.h"
#include "wire/media.h"

enum err run_take_attrs(struct agent *a, const struct agent_reply *reply, struct why *why)
{
	OWNED_BUF struct buf der = BUF(EST_ATTRS_DER_MAX);

	const struct linking_session session = {.unique = reply->tls_unique, .exporter = reply->tls_exporter};

	a->attrs = (struct est_attrs){0};
	buf_clear(&a->linking);
	linking_write(&session, &a->linking);
	TRY(buf_check(&a->linking, "value of the TLS session", why));
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
	bool own = (a->config.goal == AGENT_RENEW || a->attrs.open_sans) && a->current.san.n;

	return own ? a->current.san : a->attrs.sans;
}

static enum err cannot_fill(struct span oid, struct why *why)
{
	struct buf dotted OWNED_BUF = BUF(512);

	oid_put_dotted(&dotted, oid);
	return WHY(why, AGENT_TEMPLATE, "RFC 9908 3.4", "csrattrs: want a value for %.100s, have none", buf_text(&dotted));
}

/* What the template leaves to the client and we have no value for ends here, not at the MEF. */
static enum err check_open(const struct agent *a, struct why *why)
{
	if (a->attrs.open_n)
		return cannot_fill(a->attrs.open[0], why);
	if (a->attrs.open_sans && a->sans.n == 0)
		return cannot_fill(OID_CE_SUBJECT_ALT_NAME, why);
	return OK;
}

/* The usages asked for; where they are left to us, those that we have, or else a client's. */
static struct eku_list wanted_ekus(const struct agent *a)
{
	const struct eku_list client = {.oids = {OID("\x2b\x06\x01\x05\x05\x07\x03\x02")}, .n = 1};

	if (!a->attrs.open_ekus)
		return a->attrs.ekus;
	return a->current.ekus.n ? a->current.ekus : client;
}

/* RFC 7030 3.5, RFC 7894 4: where the value of the TLS session goes, where it goes at all */
static enum err plan_linking(struct agent *a, struct csr_plan *plan, struct why *why)
{
	bool password = a->attrs.challenge.n == 0 && (a->attrs.asks_challenge || a->config.link_session);
	bool attribute = a->attrs.asks_linking || (a->attrs.challenge.n && a->config.link_session);

	a->linked = password || attribute;
	plan->challenge = a->attrs.challenge;
	if (!a->linked)
		return OK;
	if (a->linking.n == 0)
		return WHY(why, AGENT_LINKING, "RFC 7030 3.5", "request: want a value of the TLS session, it has none");
	if (password)
		plan->challenge = buf_span(&a->linking);
	if (attribute)
		plan->linking = buf_span(&a->linking);
	return OK;
}

static void put_all(struct buf *out, const struct span *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_put_span(out, items[i]);
}

static enum err write_csr(struct agent *a, struct csr_plan *plan, struct why *why)
{
	struct buf extensions OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct buf attributes OWNED_BUF = BUF(EST_ATTRS_DER_MAX);

	put_all(&extensions, a->attrs.more_extensions, a->attrs.more_extensions_n);
	put_all(&attributes, a->attrs.more_attributes, a->attrs.more_attributes_n);
	TRY(run_put_decrypt(a, &attributes, why));
	TRY(buf_check(&extensions, "extensions of the template", why));
	TRY(buf_check(&attributes, "attributes of the template", why));
	plan->more_extensions = buf_span(&extensions);
	plan->attributes = buf_span(&attributes);
	return csr_write(plan, a->key, &a->csr, why);
}

enum err run_wrap_cmc(struct agent *a, struct why *why)
{
	const struct agent_cmc ask = {.key = a->config.cmc_key, .cert = a->config.client_cert, .csr = buf_span(&a->csr),
		.random = a->config.cmc_random};

	return agent_cmc_write(&ask, &a->body, why);
}

enum err run_make_csr(struct agent *a, struct why *why)
{
	struct buf subject OWNED_BUF = BUF(NAME_DER_MAX);
	const struct eku_list ekus = wanted_ekus(a);
	struct csr_plan plan = {.ekus = &ekus, .digital_signature = a->attrs.digital_signature,
		.critical_sans = a->attrs.critical_sans, .critical_ekus = a->attrs.critical_ekus};

	a->sans = wanted_sans(a);
	TRY(check_open(a, why));
	TRY(run_put_subject(a, &subject, why));
	plan.subject = buf_span(&subject);
	plan.sans = a->sans;
	TRY(plan_linking(a, &plan, why));
	a->resumed = false;
	buf_clear(&a->csr);
	buf_clear(&a->body);
	TRY(write_csr(a, &plan, why));
	if (a->config.cmc_key)
		return run_wrap_cmc(a, why);
	est_body_write_request(&a->body, buf_span(&a->csr));
	return buf_check(&a->body, "request body", why);
}
