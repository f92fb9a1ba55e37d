#include "net/tls_inner.h"

#include "base/text.h"

#include <openssl/err.h>

/*
 * The same as in proto/m2m/ids.h, which this folder may not know.
 * TS-0003 10.3.1: no context, which in TLS 1.2 is not an empty one (RFC 5705 4).
 */
static const char label_enrolment[] = "EXPORTER-oneM2M-Bootstrap";
static const char label_again[] = "EXPERIMENTAL-OpenMEF-ReAuthentication";
static const char label_connection[] = "EXPORTER-oneM2M-Connection";
/* RFC 9266 2: the context is given and empty */
static const char label_binding[] = "EXPORTER-Channel-Binding";

enum { EXPORT_SIZE = 48 }; /* TS-0003 10.3.1: 16 octets of identifier, 32 of key */

static bool export(SSL *ssl, const char *label, bool context, uint8_t *out, size_t n)
{
	return SSL_export_keying_material(ssl, out, n, label, strlen(label), (const unsigned char *)"", 0, context) == 1;
}

static bool compute(SSL *ssl, struct tls_link *link, enum call_export what)
{
	switch (what) {
	case EXPORT_NONE:
		return true;
	case EXPORT_BINDING:
		return export(ssl, label_binding, true, link->exporter, sizeof(link->exporter));
	case EXPORT_ENROLMENT:
		return export(ssl, label_enrolment, false, link->enrolment, EXPORT_SIZE)
			&& export(ssl, label_again, false, link->enrolment + EXPORT_SIZE, EXPORT_SIZE);
	case EXPORT_CONNECTION:
		return export(ssl, label_connection, false, link->connection, sizeof(link->connection));
	}
	return false;
}

/* RFC 7627 1: without the extended master secret two sessions may share what they export. */
static bool is_exportable(SSL *ssl, const struct tls_link *link, enum call_export what)
{
	if (SSL_version(ssl) >= TLS1_3_VERSION || SSL_get_extms_support(ssl) == 1)
		return true;
	/* RFC 9266 2: below TLS 1.3 the binding is defined only with it */
	return link->server->ems_optional && what != EXPORT_BINDING;
}

enum err tls_export(SSL *ssl, enum call_export what, struct peer *out, struct why *why)
{
	struct tls_link *link = tls_link_of(ssl);

	if (!is_exportable(ssl, link, what))
		return OK;
	if (!(link->exported & 1u << what) && !compute(ssl, link, what))
		return WHY(why, TLS_SETUP, "RFC 5705 4", "exporter: %s", tls_reason());
	link->exported |= 1u << what;
	if (what == EXPORT_BINDING)
		out->exporter = span_of(link->exporter, sizeof(link->exporter));
	else if (what == EXPORT_ENROLMENT)
		out->exported = span_of(link->enrolment, sizeof(link->enrolment));
	else if (what == EXPORT_CONNECTION)
		out->exported = span_of(link->connection, sizeof(link->connection));
	return OK;
}

static void find_unique(SSL *ssl, struct tls_link *link, struct peer *out)
{
	/* RFC 5929 3.1: the first Finished message of the handshake; ours are full ones, so the client's. There
	 * is neither resumption nor renegotiation, which the attacks on tls-unique need. RFC 9266 3: none in 1.3 */
	if (out->tls_version >= TLS1_3_VERSION || SSL_session_reused(ssl))
		return;
	size_t n = SSL_get_peer_finished(ssl, link->unique, sizeof(link->unique));
	if (n <= sizeof(link->unique))
		out->unique = span_of(link->unique, n);
}

static const uint8_t *known_by(const struct tls_link *link, enum peer_trust trust)
{
	if (trust == PEER_SRP)
		return link->srp->digest;
	return trust == PEER_PSK ? link->psk->digest : link->anchor;
}

enum { STRONG_BITS = 256 };

enum err tls_peer(SSL *ssl, struct peer *out, struct why *why)
{
	struct tls_link *link = tls_link_of(ssl);
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	out->trust = link->trust;
	if (tls_psk_proven(ssl)) {
		out->trust = PEER_PSK;
		out->identity = span_of(link->psk->identity, link->psk->identity_n);
	}
	if (tls_srp_proven(ssl)) {
		out->trust = PEER_SRP;
		out->identity = span_of(link->srp->identity, link->srp->identity_n);
	}
	out->tls_version = (uint16_t)SSL_version(ssl);
	out->strong = SSL_get_cipher_bits(ssl, NULL) >= STRONG_BITS;
	out->leaf = span_of(link->leaf, link->leaf_n);
	memcpy(out->anchor, known_by(link, out->trust), sizeof(out->anchor));
	if (name && !text_copy(out->sni, sizeof(out->sni), span_text(name)))
		return WHY(why, TLS_NAME, "RFC 6066 3", "server name: want less than %d bytes", CALL_NAME_MAX);
	find_unique(ssl, link, out);
	return OK;
}

enum { IDENTITY_SHOWN = 100 };

enum err tls_failure(SSL *ssl, struct why *why)
{
	const struct tls_link *link = tls_link_of(ssl);
	unsigned long code = ERR_peek_last_error();
	struct span shown = link->psk ? span_of(link->psk->identity, link->psk->identity_n) : span_of(NULL, 0);

	if (link->failure && link->failure->kind != OK) {
		*why = *link->failure;
		ERR_clear_error();
		return why->kind;
	}
	if (link->psk && link->psk->state == TLS_PSK_REFUSED)
		return WHY(why, TLS_PSK_UNAVAILABLE, "", "psk_identity %.*s: want its key, have none from the registrar",
			SPAN_FMT(span_first(shown, IDENTITY_SHOWN)));
	if (link->srp && link->srp->state == TLS_PSK_REFUSED)
		return WHY(why, TLS_PSK_UNAVAILABLE, "", "SRP user: want its verifier, have none from the registrar");
	if (code == 0 || ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return WHY(why, TLS_HANDSHAKE, "", "handshake: the client closed the connection");
	if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) > SSL_AD_REASON_OFFSET)
		return WHY(why, TLS_HANDSHAKE, "", "handshake: the client refused it: %s", tls_reason());
	/* RFC 4279 2: the client's Finished does not fit; RFC 8446 4.2.11.2: its binder does not */
	if (link->psk && link->psk->state == TLS_PSK_GIVEN)
		return WHY(why, TLS_PSK_WRONG, "RFC 4279 2", "psk_identity %.*s: want proof of its key: %s",
			SPAN_FMT(span_first(shown, IDENTITY_SHOWN)), tls_reason());
	/* RFC 5054 2.5.4: the client's Finished does not fit */
	if (link->srp && link->srp->state == TLS_PSK_GIVEN)
		return WHY(why, TLS_SRP_WRONG, "RFC 5054 2.5.4", "SRP user %.*s: want proof of its password: %s",
			SPAN_FMT(span_first(span_of(link->srp->identity, link->srp->identity_n), IDENTITY_SHOWN)), tls_reason());
	return WHY(why, TLS_HANDSHAKE, "", "handshake: %s", tls_reason());
}
