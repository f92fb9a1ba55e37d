#include "pki/cms.h"

#include "pki/der.h"
#include "pki/der_nest.h"
#include "pki/oid.h"

#define OID_DATA OID("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01")
#define OID_SIGNED_DATA OID("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02")

enum {
	CTX_CONS_0 = DER_CONTEXT | 0x20 | 0,
	CTX_CONS_1 = DER_CONTEXT | 0x20 | 1,
};

enum err cms_certs_write(const struct span *certs, size_t n, struct buf *out, struct why *why)
{
	if (n > CMS_CERTS_MAX)
		return WHY(why, CMS_LIMIT, "RFC 5272 4.1", "certificates: want at most %d, have %zu", CMS_CERTS_MAX, n);
	size_t info = der_open(out, DER_SEQUENCE);
	der_put_oid(out, OID_SIGNED_DATA);
	size_t wrap = der_open(out, CTX_CONS_0);
	size_t data = der_open(out, DER_SEQUENCE);
	/* RFC 5652 5.1: version 1 when there is nothing but X.509 certificates and the content is data */
	der_put_small(out, 1);
	der_put(out, DER_SET, (struct span){0});
	size_t content = der_open(out, DER_SEQUENCE);
	der_put_oid(out, OID_DATA);
	der_close(out, content);
	/* RFC 5272 4.1: the certificates and no signer */
	size_t list = der_open(out, CTX_CONS_0);
	for (size_t i = 0; i < n; i++)
		buf_put_span(out, certs[i]);
	der_close(out, list);
	der_put(out, DER_SET, (struct span){0});
	der_close(out, data);
	der_close(out, wrap);
	der_close(out, info);
	return buf_check(out, "certs-only message", why);
}

static enum err bad(const char *clause, const char *what, struct why *why)
{
	return WHY(why, CMS_SYNTAX, clause, "%s: want it in DER as the clause says, have other bytes", what);
}

/* EncapsulatedContentInfo: id-data with no content, or an empty one. */
static enum err parse_content(struct der *data, struct why *why)
{
	struct der content = der_enter(data, DER_SEQUENCE);
	struct der_item wrap = {0};

	if (!span_equal(der_take_oid(&content), OID_DATA))
		return bad("RFC 5652 5.2", "encapContentInfo", why);
	if (der_take_if(&content, CTX_CONS_0, &wrap)) {
		struct der inner = der_init(wrap.body);
		if (der_take(&inner, DER_OCTET_STRING).body.n != 0)
			return WHY(why, CMS_SYNTAX, "RFC 5272 4.1", "eContent: want none in a certs-only message, have some");
		if (!der_done(&inner))
			return bad("RFC 5652 5.2", "eContent", why);
	}
	return der_done(&content) ? OK : bad("RFC 5652 5.2", "encapContentInfo", why);
}

static enum err parse_certs(struct span body, struct span *certs_out, size_t max, size_t *n_out, struct why *why)
{
	struct der list = der_init(body);

	while (der_more(&list)) {
		struct span cert = der_take(&list, DER_SEQUENCE).all;
		if (list.bad)
			break;
		if (*n_out == max || *n_out == CMS_CERTS_MAX)
			return WHY(why, CMS_LIMIT, "RFC 5652 5.1", "certificates: want at most %zu, have more",
				max < CMS_CERTS_MAX ? max : (size_t)CMS_CERTS_MAX);
		certs_out[(*n_out)++] = cert;
	}
	return der_done(&list) ? OK : bad("RFC 5652 10.2.2", "certificates", why);
}

static enum err parse_signed_data(struct der *d, struct span *certs_out, size_t max, size_t *n_out, struct why *why)
{
	struct der data = der_enter(d, DER_SEQUENCE);
	struct span version = der_take_uint(&data);
	struct der_item item = {0};

	/* RFC 5652 5.1: 1, or 3 when something other than plain data or X.509 is inside */
	if (version.n != 1 || (version.p[0] != 1 && version.p[0] != 3))
		return WHY(why, CMS_SYNTAX, "RFC 5652 5.1", "version: want 1 or 3, have another");
	der_take(&data, DER_SET); /* digestAlgorithms */
	if (data.bad)
		return bad("RFC 5652 5.1", "digestAlgorithms", why);
	TRY(parse_content(&data, why));
	if (der_take_if(&data, CTX_CONS_0, &item))
		TRY(parse_certs(item.body, certs_out, max, n_out, why));
	der_take_if(&data, CTX_CONS_1, &item); /* crls */
	der_take(&data, DER_SET);              /* signerInfos */
	return der_done(&data) ? OK : bad("RFC 5652 5.1", "SignedData", why);
}

enum err cms_certs_parse(struct span in, struct span *certs_out, size_t max, size_t *n_out, struct why *why)
{
	*n_out = 0;
	if (in.n >= 2 && in.p[0] == DER_SEQUENCE && in.p[1] == 0x80)
		return WHY(why, CMS_INDEFINITE, "X.690 10.1", "length: want it definite (DER), have BER's indefinite form");
	struct der all = der_init(in);
	struct der info = der_enter(&all, DER_SEQUENCE);
	if (!span_equal(der_take_oid(&info), OID_SIGNED_DATA))
		return bad("RFC 5652 3", "contentType", why);
	struct der wrap = der_enter(&info, CTX_CONS_0);
	TRY(parse_signed_data(&wrap, certs_out, max, n_out, why));
	if (!der_done(&wrap) || !der_done(&info) || !der_done(&all))
		return bad("RFC 5652 3", "contentInfo", why);
	return OK;
}
