#include "pki/oid.h"

#include "pki/der.h"

#include <openssl/objects.h>

enum { OID_OCTETS_MAX = 64 }; /* two arcs of 128 bits and room; OpenSSL prints such in under 300 characters */

static void object_cleanup(ASN1_OBJECT **object)
{
	ASN1_OBJECT_free(*object);
}

void oid_put_dotted(struct buf *out, struct span contents)
{
	ASN1_OBJECT *object __attribute__((cleanup(object_cleanup))) = NULL;
	struct buf der OWNED_BUF = BUF(OID_OCTETS_MAX + 4);
	char text[320] = "";

	der_put_oid(&der, contents);
	const unsigned char *p = der.p;
	if (!der.bad)
		object = d2i_ASN1_OBJECT(NULL, &p, (long)der.n);
	int n = object ? OBJ_obj2txt(text, sizeof(text), object, 1) : -1;
	if (n <= 0 || (size_t)n >= sizeof(text)) {
		out->bad = true;
		return;
	}
	buf_put_text(out, text);
}
