#include "net/tls_inner.h"

#include "base/mem.h"

#include <openssl/err.h>
#include <openssl/x509.h>

static void chain_free(STACK_OF(X509) **chain)
{
	sk_X509_pop_free(*chain, X509_free);
}

static enum err parse_one(const struct tls_server *s, struct span der, STACK_OF(X509) *chain, struct why *why)
{
	const unsigned char *at = der.p;
	X509 *cert = X509_new_ex(s->lib, NULL);

	if (!cert)
		return WHY(why, NOMEM, "", "certificate: want memory");
	if (der.n > CALL_LEAF_MAX || !d2i_X509(&cert, &at, (long)der.n) || at != der.p + der.n) {
		X509_free(cert); /* NULL after a failure of d2i_X509 */
		ERR_clear_error();
		return WHY(why, PROXIED_CERT, "RFC 9440 2.1", "Client-Cert: want DER of a certificate, have %zu bytes that are not",
			der.n);
	}
	if (sk_X509_push(chain, cert) > 0)
		return OK;
	X509_free(cert);
	return WHY(why, NOMEM, "", "certificate: want memory");
}

static enum err verify(
	const struct tls_server *s, struct tls_link *link, STACK_OF(X509) *chain, struct peer *out, struct why *why)
{
	if (tls_verify_chain(s, link, sk_X509_value(chain, 0), chain) != X509_V_OK) {
		if (link->failure)
			*why = *link->failure;
		return link->failure ? why->kind : WHY(why, NOMEM, "", "certificate: want memory for what is wrong with it");
	}
	/* No CA stands behind a self-signed certificate: whoever has a copy could show it, were the proxy set up to take any. */
	if (link->trust == PEER_RAW_KEY)
		return WHY(why, PROXIED_RAW_KEY, "RFC 9440 3.1",
			"Client-Cert: want a certificate that a CA issued, have a self-signed one");
	out->trust = link->trust;
	memcpy(out->anchor, link->anchor, sizeof(out->anchor));
	return OK;
}

enum err tls_proxied(struct tls_server *s, const struct span *ders, size_t n, struct peer *out, struct why *why)
{
	STACK_OF(X509) *chain __attribute__((cleanup(chain_free))) = sk_X509_new_null();
	struct tls_link link = {.server = s};

	if (!chain)
		return WHY(why, NOMEM, "", "certificate chain: want memory");
	for (size_t i = 0; i < n; i++)
		TRY(parse_one(s, ders[i], chain, why));
	enum err e = n ? verify(s, &link, chain, out, why) : WHY(why, BUG, "", "certificate chain: want a leaf");
	mem_free(link.failure);
	if (e == OK)
		out->leaf = ders[0];
	return e;
}
