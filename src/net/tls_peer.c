#include "net/tls_inner.h"

#include "base/text.h"

#include <openssl/err.h>

static const char exporter_label[] = "EXPORTER-Channel-Binding";

static enum err export_binding(SSL *ssl, struct tls_link *link, struct peer *out, struct why *why)
{
	/* RFC 9266 2: below TLS 1.3 the binding is defined only with the extended master secret */
	if (out->tls_version < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1)
		return OK;
	/* RFC 9266 2: the context is given and empty, which differs from no context in TLS 1.2 (RFC 5705 4) */
	if (SSL_export_keying_material(ssl, link->exporter, sizeof(link->exporter), exporter_label,
		    sizeof(exporter_label) - 1, (const unsigned char *)"", 0, 1)
		!= 1)
		return WHY(why, TLS_SETUP, "RFC 9266 2", "tls-exporter: %s", tls_reason());
	out->exporter = span_of(link->exporter, sizeof(link->exporter));
	return OK;
}

static void find_unique(SSL *ssl, struct tls_link *link, struct peer *out)
{
	/* RFC 5929 3.1: the first Finished message of the handshake; ours are full ones, so the client's. There
	 * is neither resumption nor renegotiation, which the attacks on tls-unique need. RFC 9266 3: none in 1.3 */
	if (out->tls_version >= TLS1_3_VERSION)
		return;
	size_t n = SSL_get_peer_finished(ssl, link->unique, sizeof(link->unique));
	if (n <= sizeof(link->unique))
		out->unique = span_of(link->unique, n);
}

enum err tls_peer(SSL *ssl, struct peer *out, struct why *why)
{
	struct tls_link *link = tls_link_of(ssl);
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	out->trust = link->trust;
	out->tls_version = (uint16_t)SSL_version(ssl);
	out->leaf = span_of(link->leaf, link->leaf_n);
	memcpy(out->anchor, link->anchor, sizeof(out->anchor));
	if (name && !text_copy(out->sni, sizeof(out->sni), span_text(name)))
		return WHY(why, TLS_NAME, "RFC 6066 3", "server name: want less than %d bytes", CALL_NAME_MAX);
	find_unique(ssl, link, out);
	return export_binding(ssl, link, out, why);
}

enum err tls_failure(SSL *ssl, struct why *why)
{
	const struct tls_link *link = tls_link_of(ssl);
	unsigned long code = ERR_peek_last_error();

	if (link->failure && link->failure->kind != OK) {
		*why = *link->failure;
		ERR_clear_error();
		return why->kind;
	}
	if (code == 0 || ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return WHY(why, TLS_HANDSHAKE, "", "handshake: the client closed the connection");
	if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) > SSL_AD_REASON_OFFSET)
		return WHY(why, TLS_HANDSHAKE, "", "handshake: the client refused it: %s", tls_reason());
	return WHY(why, TLS_HANDSHAKE, "", "handshake: %s", tls_reason());
}
