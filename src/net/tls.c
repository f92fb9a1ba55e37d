#include "net/tls_inner.h"

#include "base/mem.h"
#include "base/text.h"
#include "net/tls_provider.h"

#include <openssl/err.h>

#include <stdio.h>

const char *tls_reason(void)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(code);

	ERR_clear_error();
	return reason ? reason : "no reason given";
}

static enum err setup_failed(const char *call, struct why *why)
{
	return WHY(why, TLS_SETUP, "", "%s: %s", call, tls_reason());
}

/* RFC 6066 3: a name that is not served is answered with unrecognized_name; no name is fine */
static int on_name(SSL *ssl, int *alert, void *arg)
{
	const struct tls_server *s = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	if (!name || !s->fqdn[0] || span_is_nocase(span_text(name), s->fqdn))
		return SSL_TLSEXT_ERR_OK;
	struct why *why = tls_note(tls_link_of(ssl));
	if (why && WHY(why, TLS_NAME, "RFC 6066 3", "server name: want %s, have %.100s", s->fqdn, name) == OK)
		return SSL_TLSEXT_ERR_OK;
	*alert = SSL_AD_UNRECOGNIZED_NAME;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool choose_protocol(const char *name, struct span offers, const unsigned char **out, unsigned char *out_n)
{
	for (size_t i = 0; i < offers.n; i += 1u + offers.p[i]) {
		struct span offer = span_first(span_from(offers, i + 1), offers.p[i]);
		if (!span_is(offer, name))
			continue;
		*out = offer.p;
		*out_n = (unsigned char)offer.n;
		return true;
	}
	return false;
}

/*
 * RFC 7301 3.2: the server's order counts, and without a common protocol the handshake ends with
 * no_application_protocol. What the HTTP reader reads is what is named here.
 */
static int on_protocols(
	SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in, unsigned int n, void *arg)
{
	const struct span offers = span_of(in, n);

	if (choose_protocol("http/1.1", offers, out, out_n) || choose_protocol("http/1.0", offers, out, out_n))
		return SSL_TLSEXT_ERR_OK;
	struct why *why = tls_note(tls_link_of(ssl));
	if (why && WHY(why, TLS_HANDSHAKE, "RFC 7301 3.2", "ALPN: want http/1.1 or http/1.0, have others only") == OK)
		return SSL_TLSEXT_ERR_NOACK;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* TS-0003 10.2.3: TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256 (here ECDHE-ECDSA-AES128-SHA256) is mandatory */
static const char ciphers_12[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
				 "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-SHA256:"
				 "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305";
static const char ciphers_13[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

static enum err choose_ciphers(SSL_CTX *ctx, bool psk, bool srp, struct why *why)
{
	char list[1024];

	/* The server's order counts: a client that offers such a suite has a key to prove, perhaps nothing else. */
	snprintf(list, sizeof(list), "%s%s%s%s%s", srp ? tls_srp_ciphers : "", srp ? ":" : "", psk ? tls_psk_ciphers : "", psk ? ":" : "", ciphers_12);
	if (SSL_CTX_set_cipher_list(ctx, list) != 1 || SSL_CTX_set_ciphersuites(ctx, ciphers_13) != 1)
		return setup_failed("cipher suites", why);
	return OK;
}

static enum err choose_algorithms(SSL_CTX *ctx, struct why *why)
{
	/* Not const: OpenSSL's macros cast them so. */
	char groups[] = "X25519:P-256:P-384";
	char signatures[] = "ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:"
			    "rsa_pss_rsae_sha512:rsa_pkcs1_sha256:rsa_pkcs1_sha384:rsa_pkcs1_sha512";

	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
		return setup_failed("versions", why);
	if (SSL_CTX_set1_groups_list(ctx, groups) != 1)
		return setup_failed("groups", why);
	if (SSL_CTX_set1_sigalgs_list(ctx, signatures) != 1 || SSL_CTX_set1_client_sigalgs_list(ctx, signatures) != 1)
		return setup_failed("signature algorithms", why);
	return OK;
}

static enum err make_context(struct tls_server *s, struct why *why)
{
	s->ctx = SSL_CTX_new_ex(s->lib, NULL, TLS_server_method());
	if (!s->ctx)
		return setup_failed("SSL_CTX_new_ex", why);
	SSL_CTX_set_options(s->ctx,
		SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE
			| SSL_OP_CLEANSE_PLAINTEXT); /* tokens and keys come in requests */
	SSL_CTX_set_mode(s->ctx, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE
		| SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(s->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(s->ctx, 0);
	SSL_CTX_set_read_ahead(s->ctx, 1);
	SSL_CTX_set_max_cert_list(s->ctx, TLS_CHAIN_BYTES_MAX);
	SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(s->ctx, tls_verify, s);
	SSL_CTX_set_tlsext_servername_callback(s->ctx, on_name);
	SSL_CTX_set_tlsext_servername_arg(s->ctx, s);
	SSL_CTX_set_alpn_select_cb(s->ctx, on_protocols, s);
	TRY(choose_ciphers(s->ctx, s->psk, s->srp, why));
	if (s->srp)
		TRY(tls_srp_setup(s, why));
	if (s->psk)
		TRY(tls_psk_setup(s, why));
	return choose_algorithms(s->ctx, why);
}

static enum err fill(struct tls_server *s, const struct tls_config *config, struct why *why)
{
	if (config->fqdn && !text_copy(s->fqdn, sizeof(s->fqdn), span_text(config->fqdn)))
		return WHY(why, TLS_CONFIG, "", "fqdn: want less than %d bytes", CALL_NAME_MAX);
	s->psk = config->psk;
	s->srp = config->srp;
	s->ems_optional = config->ems_optional;
	s->own_expired_s = config->own_expired_s;
	TRY(tls_provider_new(&s->provider, &s->lib, why));
	s->sha256 = EVP_MD_fetch(s->lib, "SHA256", NULL);
	s->known = tls_known_new();
	if (!s->sha256 || !s->known)
		return setup_failed("SHA-256", why);
	TRY(make_context(s, why));
	TRY(tls_use_identity(s, config, why));
	TRY(why_within(tls_store_new(s, "own CA", config->own_ca_pem, true, &s->own, why), config->own_ca_path, why));
	TRY(why_within(tls_store_new(s, "device anchors", config->device_anchors_pem, false, &s->devices, why),
		config->device_anchors_path, why));
	if (!s->own)
		return WHY(why, TLS_ANCHORS, "", "own CA: want one certificate at least, have none");
	return OK;
}

enum err tls_server_new(const struct tls_config *config, struct tls_server **out, struct why *why)
{
	struct tls_server *s = mem_alloc(sizeof(*s));

	if (!s)
		return WHY(why, NOMEM, "", "TLS server: want %zu bytes", sizeof(*s));
	enum err e = fill(s, config, why);
	if (e != OK) {
		tls_server_free(s);
		return e;
	}
	*out = s;
	return OK;
}

void tls_server_free(struct tls_server *s)
{
	if (!s)
		return;
	X509_STORE_free(s->own);
	X509_STORE_free(s->devices);
	SSL_CTX_free(s->ctx);
	EVP_MD_free(s->sha256);
	tls_known_free(s->known);
	tls_provider_free(s->provider);
	mem_free(s);
}

enum err tls_accept(struct tls_server *s, SSL **out, struct why *why)
{
	struct tls_link *link = mem_alloc(sizeof(*link));
	SSL *ssl = link ? SSL_new(s->ctx) : NULL;

	if (!ssl) {
		mem_free(link);
		return WHY(why, NOMEM, "", "TLS connection: %s", tls_reason());
	}
	link->server = s;
	SSL_set_app_data(ssl, link);
	SSL_set_accept_state(ssl);
	*out = ssl;
	return OK;
}

void tls_free(SSL *ssl)
{
	if (!ssl)
		return;
	struct tls_link *link = tls_link_of(ssl);
	if (link->psk) {
		tls_psk_abort(ssl);
		mem_wipe(link->psk, sizeof(*link->psk));
		mem_free(link->psk);
	}
	tls_srp_free(link->srp);
	mem_free(link->leaf);
	mem_free(link->failure);
	if (link->exported)
		mem_wipe(link, sizeof(*link));
	mem_free(link);
	SSL_free(ssl);
}
