#include "pki/cms_ossl.h"

#include "pki/der.h"
#include "pki/ossl.h"

#include <limits.h>

enum { OID_DER_MAX = 64 };

void cms_ossl_cleanup(CMS_ContentInfo **cms)
{
	ASN1_OCTET_STRING **content = *cms ? CMS_get0_content(*cms) : NULL;

	if (content && *content && ASN1_STRING_length(*content) > 0)
		OPENSSL_cleanse((void *)(uintptr_t)ASN1_STRING_get0_data(*content), (size_t)ASN1_STRING_length(*content));
	CMS_ContentInfo_free(*cms);
}

void cms_ossl_x509_cleanup(X509 **x)
{
	X509_free(*x);
}

X509 *cms_ossl_x509(struct span der)
{
	const unsigned char *p = der.p;
	X509 *x = der.n && der.n < INT_MAX ? d2i_X509(NULL, &p, (long)der.n) : NULL;

	if (x && p == der.p + der.n)
		return x;
	X509_free(x);
	return NULL;
}

CMS_ContentInfo *cms_ossl_parse(struct span der)
{
	const unsigned char *p = der.p;
	CMS_ContentInfo *cms = der.n && der.n < INT_MAX ? d2i_CMS_ContentInfo(NULL, &p, (long)der.n) : NULL;

	if (cms && p == der.p + der.n)
		return cms;
	if (cms)
		cms_ossl_cleanup(&cms);
	return NULL;
}

static ASN1_OBJECT *object_of(struct span oid)
{
	struct buf der OWNED_BUF = BUF(OID_DER_MAX);

	der_put_oid(&der, oid);
	const unsigned char *p = der.p;
	return der.bad ? NULL : d2i_ASN1_OBJECT(NULL, &p, (long)der.n);
}

bool cms_ossl_set_type(CMS_ContentInfo *cms, struct span type)
{
	ASN1_OBJECT *object = object_of(type);
	bool good = object && CMS_set1_eContentType(cms, object) == 1;

	ASN1_OBJECT_free(object);
	return good;
}

bool cms_ossl_is_type(CMS_ContentInfo *cms, struct span type)
{
	const ASN1_OBJECT *have = CMS_get0_eContentType(cms);

	return have && span_equal(span_of(OBJ_get0_data(have), OBJ_length(have)), type);
}

bool cms_ossl_fill(CMS_ContentInfo *cms, struct span content)
{
	BIO *bio OWNED_BIO = content.n < INT_MAX ? CMS_dataInit(cms, NULL) : NULL;

	return bio && BIO_write(bio, content.p, (int)content.n) == (int)content.n && BIO_ctrl(bio, BIO_CTRL_FLUSH, 0, NULL) == 1
		&& CMS_dataFinal(cms, bio) == 1;
}

enum err cms_ossl_write(CMS_ContentInfo *cms, struct buf *out, struct why *why)
{
	int n = i2d_CMS_ContentInfo(cms, NULL);
	unsigned char *to = n > 0 ? buf_room(out, (size_t)n) : NULL;

	if (n <= 0)
		return ossl_failed("writing a CMS message", why);
	if (!to)
		return buf_check(out, "CMS message", why);
	if (i2d_CMS_ContentInfo(cms, &to) != n)
		return ossl_failed("writing a CMS message", why);
	buf_grew(out, (size_t)n);
	return OK;
}
