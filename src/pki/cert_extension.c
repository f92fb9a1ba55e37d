/* One extension of a certificate by its identifier; declared in cert.h. */
#include "pki/cert.h"

#include "pki/der.h"

enum { CTX_CONS_3 = DER_CONTEXT | 0x20 | 3 };

/* RFC 5280 4.1: TBSCertificate ends in [3] Extensions */
static struct der extensions_of(const struct cert *c)
{
	struct der all = der_init(c->tbs);
	struct der tbs = der_enter(&all, DER_SEQUENCE);

	while (der_more(&tbs)) {
		struct der_item item = der_next(&tbs);
		if (item.tag != CTX_CONS_3)
			continue;
		struct der wrap = der_init(item.body);
		return der_enter(&wrap, DER_SEQUENCE);
	}
	return der_init((struct span){0});
}

struct span cert_extension(const struct cert *c, struct span oid)
{
	struct der list = extensions_of(c);

	while (der_more(&list)) {
		struct der ext = der_enter(&list, DER_SEQUENCE);
		struct der_item critical;
		struct span have = der_take_oid(&ext);
		der_take_if(&ext, DER_BOOLEAN, &critical);
		struct der_item value = der_take(&ext, DER_OCTET_STRING);
		if (!ext.bad && span_equal(have, oid))
			return value.body;
	}
	return (struct span){0};
}
