#include "pki/cms_signed.h"

#include "base/mem.h"
#include "pki/cms_ossl.h"
#include "pki/der.h"
#include "pki/der_nest.h"
#include "pki/ossl.h"

#include <openssl/cms.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

enum {
	CTX_CONS_0 = DER_CONTEXT | 0x20 | 0,
	CTX_CONS_1 = DER_CONTEXT | 0x20 | 1,
};

struct cms_signed {
	CMS_ContentInfo *cms;
	CMS_SignerInfo *signer;
	struct buf certs;
	size_t starts[CMS_CERTS_MAX + 1];
	size_t n;
};

static void certs_cleanup(STACK_OF(X509) **list)
{
	sk_X509_pop_free(*list, X509_free);
}

#define OWNED_X509_LIST __attribute__((cleanup(certs_cleanup)))

void cms_signed_free(struct cms_signed *s)
{
	if (!s)
		return;
	cms_ossl_cleanup(&s->cms);
	buf_fini(&s->certs);
	mem_free(s);
}

void cms_signed_cleanup(struct cms_signed **s)
{
	cms_signed_free(*s);
}

static enum err bad(const char *clause, const char *what, struct why *why)
{
	ossl_forget();
	return WHY(why, CMS_SIGNED_SYNTAX, clause, "%s: want it as the clause says, have other bytes", what);
}

static enum err read_certs(struct cms_signed *s, struct why *why)
{
	STACK_OF(X509) *list OWNED_X509_LIST = CMS_get1_certs(s->cms);

	if (sk_X509_num(list) > CMS_CERTS_MAX)
		return WHY(why, CMS_SIGNED_LIMIT, "RFC 5652 5.1", "certificates: want at most %d, have %d", CMS_CERTS_MAX,
			sk_X509_num(list));
	for (int i = 0; i < sk_X509_num(list); i++) {
		unsigned char *der = NULL;
		int n = i2d_X509(sk_X509_value(list, i), &der);
		if (n <= 0)
			return bad("RFC 5652 10.2.2", "certificates", why);
		buf_put(&s->certs, der, (size_t)n);
		OPENSSL_free(der);
		s->starts[++s->n] = s->certs.n;
	}
	ossl_forget();
	return buf_check(&s->certs, "certificates of the message", why);
}

static enum err read_message(struct cms_signed *s, struct span type, struct why *why)
{
	STACK_OF(CMS_SignerInfo) *signers = NULL;
	ASN1_OCTET_STRING **content = NULL;

	if (OBJ_obj2nid(CMS_get0_type(s->cms)) != NID_pkcs7_signed)
		return bad("RFC 5652 5.1", "contentType id-signedData", why);
	if (!cms_ossl_is_type(s->cms, type))
		return bad("RFC 5272 3.2", "eContentType", why);
	content = CMS_get0_content(s->cms);
	if (!content || !*content)
		return bad("RFC 5652 5.2", "eContent", why);
	signers = CMS_get0_SignerInfos(s->cms);
	if (!signers || sk_CMS_SignerInfo_num(signers) == 0)
		return bad("RFC 5652 5.1", "signerInfos", why);
	if (sk_CMS_SignerInfo_num(signers) != 1)
		return WHY(why, CMS_SIGNED_SIGNERS, "RFC 5652 5.1", "signerInfos: want one, have %d",
			sk_CMS_SignerInfo_num(signers));
	s->signer = sk_CMS_SignerInfo_value(signers, 0);
	return read_certs(s, why);
}

enum err cms_signed_parse(struct span in, struct span type, struct cms_signed **out, struct why *why)
{
	struct cms_signed *s OWNED_CMS_SIGNED = NULL;

	if (in.n > CMS_SIGNED_MAX)
		return WHY(why, CMS_SIGNED_LIMIT, "", "signed message: want at most %d octets, have %zu", CMS_SIGNED_MAX, in.n);
	s = mem_alloc(sizeof(*s));
	if (!s)
		return WHY(why, NOMEM, "", "signed message");
	s->certs = BUF(CMS_SIGNED_MAX);
	s->cms = cms_ossl_parse(in);
	if (!s->cms)
		return bad("RFC 5652 3", "ContentInfo", why);
	TRY(read_message(s, type, why));
	*out = s;
	s = NULL;
	return OK;
}

struct span cms_signed_content(const struct cms_signed *s)
{
	const ASN1_OCTET_STRING *content = *CMS_get0_content(s->cms);

	return span_of(ASN1_STRING_get0_data(content), (size_t)ASN1_STRING_length(content));
}

size_t cms_signed_certs(const struct cms_signed *s, struct span certs_out[CMS_CERTS_MAX])
{
	for (size_t i = 0; i < s->n; i++)
		certs_out[i] = span_of(s->certs.p + s->starts[i], s->starts[i + 1] - s->starts[i]);
	return s->n;
}

static X509 *x509_of(struct span der)
{
	X509 *x = cms_ossl_x509(der);

	ossl_forget();
	return x;
}

/* Sets the SignerInfo's certificate when this is the one that it names. */
static bool take_signer(struct cms_signed *s, struct span der)
{
	X509 *x OWNED_X509 = x509_of(der);

	if (!x || CMS_SignerInfo_cert_cmp(s->signer, x) != 0)
		return false;
	CMS_SignerInfo_set1_signer_cert(s->signer, x);
	return true;
}

static enum err find_signer(struct cms_signed *s, struct span known, struct span *der_out, struct why *why)
{
	struct span certs[CMS_CERTS_MAX];
	size_t n = cms_signed_certs(s, certs);

	*der_out = known;
	if (take_signer(s, known))
		return OK;
	for (size_t i = 0; i < n; i++) {
		*der_out = certs[i];
		if (take_signer(s, certs[i]))
			return OK;
	}
	return WHY(why, CMS_SIGNED_SIGNER, "RFC 5652 5.3",
		"signer: want its certificate in the message or in the TLS session, have neither");
}

static enum err check_algorithms(struct cms_signed *s, struct span signer, struct why *why)
{
	X509_ALGOR *digest = NULL;
	struct cert cert = {0};

	CMS_SignerInfo_get0_algs(s->signer, NULL, NULL, &digest, NULL);
	int nid = digest ? OBJ_obj2nid(digest->algorithm) : NID_undef;
	if (nid != NID_sha256 && nid != NID_sha384 && nid != NID_sha512)
		return WHY(why, CMS_SIGNED_ALG, "RFC 5754 2", "digest: want SHA-256, SHA-384 or SHA-512, have another");
	TRY(cert_parse(signer, &cert, why));
	enum key_spec spec = key_spec_of_spki(cert.spki);
	if (spec == KEY_OTHER || spec == KEY_NONE)
		return WHY(why, CMS_SIGNED_ALG, "TS-0003 10.1.1.1", "signer's key: want P-256, P-384 or RSA of 2048 to 4096 bits, have another");
	return OK;
}

/* Without them a signature over one content could be shown as that over another's attributes. */
static enum err check_attributes(struct cms_signed *s, struct why *why)
{
	const ASN1_OBJECT *type = CMS_signed_get0_data_by_OBJ(
		s->signer, OBJ_nid2obj(NID_pkcs9_contentType), -3, V_ASN1_OBJECT);
	const ASN1_OBJECT *want = CMS_get0_eContentType(s->cms);

	/* RFC 5652 5.3: signed attributes are there for every content that is not id-data; 11.1: they name its type */
	if (!type || !want || OBJ_cmp(type, want) != 0)
		return WHY(why, CMS_SIGNED_WRONG, "RFC 5652 11.1", "signed attribute contentType: want the eContentType, have %s",
			type ? "another" : "none");
	return OK;
}

enum err cms_signed_verify(struct cms_signed *s, struct span known, struct buf *signer_out, struct why *why)
{
	BIO *out OWNED_BIO = NULL;
	struct span signer = {0};

	TRY(find_signer(s, known, &signer, why));
	TRY(check_algorithms(s, signer, why));
	TRY(check_attributes(s, why));
	out = BIO_new(BIO_s_mem());
	if (!out)
		return WHY(why, NOMEM, "", "signed message");
	int good = CMS_verify(s->cms, NULL, NULL, NULL, out, CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY);
	ossl_forget();
	if (good != 1)
		return WHY(why, CMS_SIGNED_WRONG, "RFC 5652 5.6",
			"signature: want one over this content by the key of the signer's certificate, have another");
	buf_put_span(signer_out, signer);
	return buf_check(signer_out, "signer's certificate", why);
}

static enum err add_signer(CMS_ContentInfo *cms, const struct cms_signed_plan *plan, struct why *why)
{
	const EVP_MD *md = key_spec_of(plan->key) == KEY_P384 ? EVP_sha384() : EVP_sha256();
	X509 *x OWNED_X509 = x509_of(plan->cert);

	if (!x || !cms_ossl_set_type(cms, plan->type))
		return WHY(why, CMS_SIGNED_PLAN, "", "%s: cannot be read", x ? "content type" : "signer's certificate");
	if (!CMS_add1_signer(cms, x, key_native(plan->key), md, CMS_BINARY | CMS_NOSMIMECAP))
		return ossl_failed("signer of the message", why);
	for (size_t i = 0; i < plan->others_n; i++) {
		X509 *other OWNED_X509 = x509_of(plan->others[i]);
		if (!other)
			return WHY(why, CMS_SIGNED_PLAN, "", "certificate %zu: cannot be read", i);
		if (CMS_add1_cert(cms, other) != 1)
			return ossl_failed("certificate of the message", why);
	}
	return OK;
}

enum err cms_signed_write(const struct cms_signed_plan *plan, struct buf *out, struct why *why)
{
	CMS_ContentInfo *cms OWNED_CMS = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | CMS_BINARY);

	if (!cms)
		return ossl_failed("signed message", why);
	TRY(add_signer(cms, plan, why));
	/* the content may be a key: no copy of it stays behind */
	if (!cms_ossl_fill(cms, plan->content))
		return ossl_failed("signing a message", why);
	return cms_ossl_write(cms, out, why);
}

enum err cms_signed_add_certs(struct span in, const struct span *certs, size_t n, struct buf *out, struct why *why)
{
	struct der all = der_init(in);
	struct der info = der_enter(&all, DER_SEQUENCE);
	struct span type = der_take_oid(&info);
	struct der wrap = der_enter(&info, CTX_CONS_0);
	struct der data = der_enter(&wrap, DER_SEQUENCE);
	struct span version = der_take(&data, DER_INTEGER).all;
	struct span digests = der_take(&data, DER_SET).all;
	struct span content = der_take(&data, DER_SEQUENCE).all;
	struct der_item have = {0};
	struct der_item crls = {0};

	der_take_if(&data, CTX_CONS_0, &have);
	der_take_if(&data, CTX_CONS_1, &crls);
	struct span signers = der_take(&data, DER_SET).all;
	if (!der_done(&data) || !der_done(&wrap) || !der_done(&info) || !der_done(&all))
		return bad("RFC 5652 5.1", "SignedData", why);
	size_t outer = der_open(out, DER_SEQUENCE);
	der_put_oid(out, type);
	size_t inner = der_open(out, CTX_CONS_0);
	size_t body = der_open(out, DER_SEQUENCE);
	buf_put_span(out, version);
	buf_put_span(out, digests);
	buf_put_span(out, content);
	size_t list = der_open(out, CTX_CONS_0);
	buf_put_span(out, have.body);
	for (size_t i = 0; i < n; i++)
		buf_put_span(out, certs[i]);
	der_close(out, list);
	buf_put_span(out, crls.all);
	buf_put_span(out, signers);
	der_close(out, body);
	der_close(out, inner);
	der_close(out, outer);
	return buf_check(out, "signed message", why);
}
