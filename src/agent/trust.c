#include "agent/run.h"

#include "pki/cms.h"
#include "proto/est/body.h"
#include "wire/media.h"

static enum err reply_certs(struct agent *a, const struct agent_reply *reply, struct span *certs, size_t *n,
	struct why *why)
{
	OWNED_BUF struct buf der = BUF(AGENT_REPLY_MAX);

	if (!media_is(reply->media_type, "application/pkcs7-mime"))
		return WHY(why, AGENT_REPLY, "RFC 7030 4.1.3", "Content-Type: want application/pkcs7-mime, have '%.*s'",
			SPAN_FMT(span_first(reply->media_type, 60)));
	TRY(est_body_der(reply->body, &der, why));
	struct span kept = arena_copy(&a->arena, buf_span(&der));
	if (!kept.p)
		return WHY(why, NOMEM, "", "reply of %zu bytes", der.n);
	return cms_certs_parse(kept, certs, RUN_CERTS_MAX, n, why);
}

static enum err split_ca_certs(struct agent *a, const struct span *certs, size_t n, struct why *why)
{
	for (size_t i = 0; i < n; i++) {
		struct cert c = {0};
		bool self_issued = false;
		TRY(cert_parse(certs[i], &c, why));
		TRY(name_equal(c.issuer, c.subject, &self_issued, why));
		if (!c.is_ca)
			return WHY(why, AGENT_TRUST, "RFC 7030 4.1.3", "cacerts: certificate %zu is no CA certificate", i + 1);
		if (self_issued)
			a->ca.roots[a->ca.roots_n++] = certs[i];
		else
			a->ca.others[a->ca.others_n++] = certs[i];
	}
	return OK;
}

/* Would the MEF that we are talking to still be trusted with the new anchors alone? */
static bool server_fits(const struct agent *a, const struct anchors *anchors, const struct agent_reply *reply)
{
	struct span inner[2 * RUN_CERTS_MAX];
	size_t n = 0;
	uint8_t anchor[32];
	struct why ignored = {0};

	if (reply->server_certs_n == 0)
		return false;
	for (size_t i = 1; i < reply->server_certs_n && n < RUN_CERTS_MAX; i++)
		inner[n++] = reply->server_certs[i];
	for (size_t i = 0; i < a->ca.others_n; i++)
		inner[n++] = a->ca.others[i];
	return chain_check(anchors, reply->server_certs[0], inner, n, CHAIN_SERVER, a->config.now_s, anchor, &ignored)
		== OK;
}

static enum err decide_anchors(struct agent *a, const struct agent_reply *reply, struct why *why)
{
	OWNED_ANCHORS struct anchors *fresh = NULL;

	for (size_t i = 0; i < a->ca.roots_n; i++)
		TRY(cert_write_pem(a->ca.roots[i], &a->anchors_pem, why));
	if (a->ca.roots_n)
		TRY(anchors_parse_pem(buf_span(&a->anchors_pem), &fresh, why));
	/* seed 001 8.3.Z.1: the MEF CA's certificates serve from now on to validate the MEF. Where its TLS
	 * certificate comes from another CA, the anchors that vouched for it must stay. */
	if (!fresh || !server_fits(a, fresh, reply))
		buf_put_span(&a->anchors_pem, a->config.anchors_pem);
	return buf_check(&a->anchors_pem, "trust anchors", why);
}

enum err run_take_ca_certs(struct agent *a, const struct agent_reply *reply, struct why *why)
{
	struct span certs[RUN_CERTS_MAX];
	size_t n = 0;

	a->ca = (struct ca_certs){0};
	buf_clear(&a->anchors_pem);
	TRY(reply_certs(a, reply, certs, &n, why));
	if (n == 0)
		return WHY(why, AGENT_TRUST, "RFC 7030 4.1.3", "cacerts: want at least one certificate, have none");
	TRY(split_ca_certs(a, certs, n, why));
	return decide_anchors(a, reply, why);
}

static enum err check_names(const struct agent *a, const struct cert *cert, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(64 * 1024);
	struct san_list want = {0};
	struct san_list have = {0};

	if (a->sans.n == 0)
		return OK;
	TRY(san_parse(a->sans, &arena, &want, why));
	if (cert->san.n)
		TRY(san_parse(cert->san, &arena, &have, why));
	for (size_t i = 0; i < want.n; i++) {
		if (!san_has(&have, &want.items[i]))
			return WHY(why, AGENT_ISSUED, "RFC 7030 4.2.3", "subjectAltName: want '%.*s', it is not there",
				SPAN_FMT(span_first(want.items[i].value, 120)));
	}
	return OK;
}

static enum err check_ekus(const struct agent *a, const struct cert *cert, struct why *why)
{
	for (size_t i = 0; i < a->attrs.ekus.n; i++) {
		bool found = false;
		for (size_t k = 0; k < cert->ekus.n; k++)
			found |= span_equal(a->attrs.ekus.oids[i], cert->ekus.oids[k]);
		if (!found)
			return WHY(why, AGENT_ISSUED, "seed 003 8.3.3.3 step 9",
				"extended key usage: one that was asked for is missing");
	}
	return OK;
}

static enum err check_chain(struct agent *a, const struct span *extra, size_t extra_n, struct why *why)
{
	OWNED_ANCHORS struct anchors *anchors = NULL;
	struct span inner[2 * RUN_CERTS_MAX];
	size_t n = 0;
	uint8_t anchor[32];

	for (size_t i = 0; i < a->ca.others_n; i++)
		inner[n++] = a->ca.others[i];
	for (size_t i = 0; i < extra_n; i++)
		inner[n++] = extra[i];
	TRY(anchors_parse_pem(buf_span(&a->anchors_pem), &anchors, why));
	TRY(chain_check(anchors, a->issued, inner, n, CHAIN_ANY, a->config.now_s, anchor, why));
	buf_clear(&a->chain_pem);
	for (size_t i = 0; i < a->ca.others_n; i++)
		TRY(cert_write_pem(a->ca.others[i], &a->chain_pem, why));
	return OK;
}

enum err run_take_issued(struct agent *a, const struct agent_reply *reply, struct why *why)
{
	struct span certs[RUN_CERTS_MAX];
	struct span extra[RUN_CERTS_MAX];
	size_t n = 0;
	size_t extra_n = 0;
	struct cert cert = {0};

	a->issued = (struct span){0};
	TRY(reply_certs(a, reply, certs, &n, why));
	for (size_t i = 0; i < n; i++) {
		struct cert c = {0};
		TRY(cert_parse(certs[i], &c, why));
		if (a->issued.n == 0 && key_matches_spki(a->key, c.spki)) {
			a->issued = certs[i];
			cert = c;
		} else {
			extra[extra_n++] = certs[i];
		}
	}
	if (a->issued.n == 0)
		return WHY(why, AGENT_ISSUED, "RFC 7030 4.2.3", "want a certificate for the key of this device, have %zu others", n);
	TRY(check_names(a, &cert, why));
	TRY(check_ekus(a, &cert, why));
	return check_chain(a, extra, extra_n, why);
}
