#pragma once
/*
 * EST bodies (RFC 7030 4, RFC 8951 3): base64 in any line form, or raw DER where the first octet is
 * 0x30 and the content is no base64; Content-Transfer-Encoding is ignored on reading.
 */
#include "base/buf.h"
#include "wire/call.h"

#define EST_MEDIA_PKCS10 "application/pkcs10"
#define EST_MEDIA_CERTS "application/pkcs7-mime; smime-type=certs-only"
#define EST_MEDIA_CSRATTRS "application/csrattrs"

/*
 * A CSR from a POST: media type, then body to DER; PEM is read too, since that is what people's tools
 * print. ERR_UNSUPPORTED (415), ERR_SYNTAX, ERR_LIMIT.
 */
MUST_CHECK enum err est_body_csr(struct span media_type, struct span body, struct buf *der_out, struct why *why);
/* Any EST body to DER, not empty, not parsed. ERR_SYNTAX, ERR_LIMIT above CALL_BODY_MAX. */
MUST_CHECK enum err est_body_der(struct span body, struct buf *der_out, struct why *why);
/*
 * base64 as the deployed clients read it: one line and a final newline for
 * short bodies, 64 columns for long ones and for libest. A client without User-Agent may be
 * strongSwan's pki, which before 5.9.11 read no line breaks: it always gets one line.
 */
void est_body_write(struct buf *out, struct span der, struct span user_agent);
/* Client's side: 64 columns, final newline. */
void est_body_write_request(struct buf *out, struct span der);
