#pragma once
/* For pki's own files: CMS objects of OpenSSL whose content may be a secret. */
#include "base/buf.h"

#include <openssl/cms.h>

/* Overwrites the content before it frees. */
void cms_ossl_cleanup(CMS_ContentInfo **cms);
#define OWNED_CMS __attribute__((cleanup(cms_ossl_cleanup)))

void cms_ossl_x509_cleanup(X509 **x);
#define OWNED_X509 __attribute__((cleanup(cms_ossl_x509_cleanup)))

/* NULL unless der is one certificate and nothing else. */
X509 *cms_ossl_x509(struct span der);
/* NULL unless der is one ContentInfo and nothing else. */
CMS_ContentInfo *cms_ossl_parse(struct span der);
bool cms_ossl_set_type(CMS_ContentInfo *cms, struct span type);
bool cms_ossl_is_type(CMS_ContentInfo *cms, struct span type);
/* Runs the content through the message, without the copies that CMS_final leaves on the stack. */
bool cms_ossl_fill(CMS_ContentInfo *cms, struct span content);
/* Appends its DER. */
MUST_CHECK enum err cms_ossl_write(CMS_ContentInfo *cms, struct buf *out, struct why *why);
