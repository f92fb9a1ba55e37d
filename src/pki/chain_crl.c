/* Is a certificate on a CRL; declared in chain.h. A walk, so that a long CRL costs no memory. */
#include "pki/chain.h"

#include "base/date.h"
#include "pki/der.h"
#include "pki/oid.h"
#include "pki/signature.h"

enum { CTX_CONS_0 = DER_CONTEXT | 0x20 | 0 };

struct crl {
	struct span tbs, alg, signature;
	struct span issuer;
	struct span revoked; /* contents of revokedCertificates */
	int64_t this_update_s, next_update_s;
};

static enum err bad(const char *clause, const char *what, struct why *why)
{
	return WHY(why, CRL_SYNTAX, clause, "%s: want it in DER as the clause says, have other bytes", what);
}

/* RFC 5280 5.2: a critical extension that is not processed forbids the use of the CRL */
static enum err check_extensions(struct span body, struct why *why)
{
	struct der wrap = der_init(body);
	struct der list = der_enter(&wrap, DER_SEQUENCE);

	while (der_more(&list)) {
		struct der ext = der_enter(&list, DER_SEQUENCE);
		der_take_oid(&ext);
		bool critical = der_peek(&ext) == DER_BOOLEAN && der_take_bool(&ext);
		der_take(&ext, DER_OCTET_STRING);
		if (!der_done(&ext))
			return bad("RFC 5280 5.2", "crlExtensions", why);
		if (critical)
			return WHY(why, CRL_KIND, "RFC 5280 5.2", "CRL: want a complete one without critical extensions, have one");
	}
	return der_done(&list) && der_done(&wrap) ? OK : bad("RFC 5280 5.2", "crlExtensions", why);
}

static enum err parse_tbs(struct span body, struct crl *out, struct why *why)
{
	struct der tbs = der_init(body);
	struct der_item item = {0};
	struct span version = der_take_uint(&tbs);

	/* RFC 5280 5.1.2.1: version 2, written as 1 */
	if (version.n != 1 || version.p[0] != 1)
		return bad("RFC 5280 5.1.2.1", "version", why);
	/* RFC 5280 5.1.2.2: the same algorithm inside and outside */
	if (!span_equal(der_take(&tbs, DER_SEQUENCE).all, out->alg))
		return bad("RFC 5280 5.1.2.2", "signature", why);
	out->issuer = der_take(&tbs, DER_SEQUENCE).all;
	out->this_update_s = der_take_time(&tbs);
	out->next_update_s = der_take_time(&tbs);
	if (tbs.bad)
		return bad("RFC 5280 5.1.2.5", "issuer and dates", why);
	if (der_take_if(&tbs, DER_SEQUENCE, &item))
		out->revoked = item.body;
	item = (struct der_item){0};
	if (der_take_if(&tbs, CTX_CONS_0, &item))
		TRY(check_extensions(item.body, why));
	return der_done(&tbs) ? OK : bad("RFC 5280 5.1.2", "tbsCertList", why);
}

static enum err crl_parse(struct span der, struct crl *out, struct why *why)
{
	struct der all = der_init(der);
	struct der d = der_enter(&all, DER_SEQUENCE);
	struct der_item tbs = der_take(&d, DER_SEQUENCE);

	*out = (struct crl){.tbs = tbs.all};
	out->alg = der_take(&d, DER_SEQUENCE).all;
	out->signature = der_take_bits(&d);
	if (!der_done(&d) || !der_done(&all))
		return bad("RFC 5280 5.1", "CRL", why);
	return parse_tbs(tbs.body, out, why);
}

static enum err check_issuer(const struct crl *crl, struct span issuer_cert, struct why *why)
{
	struct key *key OWNED_KEY = NULL;
	struct cert issuer;
	bool same = false;

	TRY(cert_parse(issuer_cert, &issuer, why));
	TRY(name_equal(crl->issuer, issuer.subject, &same, why));
	if (!same)
		return WHY(why, CRL_ISSUER, "RFC 5280 6.3.3", "CRL issuer: want the subject of the issuing certificate, have another");
	/* RFC 5280 6.3.3 (f): a key usage, where present, must hold cRLSign */
	if (issuer.has_key_usage && !(issuer.key_usage & KU_CRL_SIGN))
		return WHY(why, CRL_ISSUER, "RFC 5280 6.3.3", "issuing certificate: want keyUsage cRLSign, have none");
	TRY(key_parse_spki(issuer.spki, &key, why));
	return signature_check(key, crl->alg, crl->tbs, crl->signature, why);
}

static enum err check_dates(const struct crl *crl, int64_t now_s, struct why *why)
{
	char from[DATE_TEXT_SIZE], to[DATE_TEXT_SIZE], now[DATE_TEXT_SIZE];

	if (now_s >= crl->this_update_s && now_s <= crl->next_update_s)
		return OK;
	date_text(crl->this_update_s, from);
	date_text(crl->next_update_s, to);
	date_text(now_s, now);
	return WHY(why, CRL_STALE, "RFC 5280 6.3.3", "CRL: want one of now, %s, have one of %s to %s", now, from, to);
}

static enum err check_serial(const struct crl *crl, struct span serial, struct why *why)
{
	struct der list = der_init(crl->revoked);
	bool revoked = false;
	char date[DATE_TEXT_SIZE] = "";

	while (der_more(&list)) {
		struct der entry = der_enter(&list, DER_SEQUENCE);
		struct span number = der_take_uint(&entry);
		int64_t since_s = der_take_time(&entry);
		if (entry.bad)
			return bad("RFC 5280 5.1.2.6", "revokedCertificates", why);
		if (span_equal(number, serial)) {
			revoked = true;
			date_text(since_s, date);
		}
	}
	if (!der_done(&list))
		return bad("RFC 5280 5.1.2.6", "revokedCertificates", why);
	if (revoked)
		return WHY(why, CRL_REVOKED, "RFC 5280 6.3.3", "certificate: want one that is not revoked, have one revoked at %s", date);
	return OK;
}

enum err chain_check_crl(struct span crl_der, struct span issuer_cert, struct span serial, int64_t now_s, struct why *why)
{
	struct crl crl;

	TRY(crl_parse(crl_der, &crl, why));
	TRY(check_issuer(&crl, issuer_cert, why));
	TRY(check_dates(&crl, now_s, why));
	return check_serial(&crl, serial, why);
}
