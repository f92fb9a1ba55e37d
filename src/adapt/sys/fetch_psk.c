#include "adapt/sys/fetch_psk.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

/* TS-0003 10.2: the mandatory suite last, as it has no forward secrecy; ECDHE-PSK with AES-GCM is not built. */
#define SUITES \
	"ECDHE-PSK-CHACHA20-POLY1305:ECDHE-PSK-AES128-CBC-SHA256:PSK-AES128-GCM-SHA256:PSK-AES128-CBC-SHA256"
/* Those of TLS 1.3 that go with the hash of an external key. */
#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"

static const struct fetch_server *server_of(const SSL *ssl)
{
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

/* RFC 4279 2: TLS 1.2; the identity hint decides nothing. */
static unsigned int show_key(SSL *ssl, const char *hint, char *identity, unsigned int identity_max, unsigned char *key,
	unsigned int key_max)
{
	const struct fetch_psk *psk = server_of(ssl)->psk;
	size_t n = strlen(psk->identity);

	if (n > identity_max || psk->key.n > key_max)
		return 0;
	memcpy(identity, psk->identity, n + 1);
	memcpy(key, psk->key.bytes, psk->key.n);
	return (unsigned int)psk->key.n;
}

static SSL_SESSION *session_of(SSL *ssl, const struct fetch_psk *psk)
{
	static const unsigned char aes_128_gcm_sha256[] = {0x13, 0x01};
	SSL_SESSION *session = SSL_SESSION_new();

	if (session && SSL_SESSION_set1_master_key(session, psk->key.bytes, psk->key.n) == 1
		&& SSL_SESSION_set_cipher(session, SSL_CIPHER_find(ssl, aes_128_gcm_sha256)) == 1
		&& SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1)
		return session;
	SSL_SESSION_free(session);
	return NULL;
}

/* RFC 8446 4.2.11: an external key without a hash of its own goes with SHA-256 */
static int use_session(SSL *ssl, const EVP_MD *md, const unsigned char **identity, size_t *n, SSL_SESSION **out)
{
	const struct fetch_psk *psk = server_of(ssl)->psk;

	*out = NULL;
	*identity = NULL;
	*n = 0;
	if (md && !EVP_MD_is_a(md, "SHA2-256"))
		return 1;
	*out = session_of(ssl, psk);
	if (!*out)
		return 0;
	*identity = (const unsigned char *)psk->identity;
	*n = strlen(psk->identity);
	return 1;
}

/* A certificate proves no key: on TLS 1.3 anybody could answer with one instead of our key. */
static int refuse_certificate(X509_STORE_CTX *ctx, void *arg)
{
	struct fetch_server *s = arg;

	s->why = (struct why){0};
	(void)WHY(&s->why, AGENT_PSK_SERVER, "RFC 8446 4.2.11", "want a server that holds the key, have one that shows a certificate");
	X509_STORE_CTX_set_error(ctx, X509_V_ERR_CERT_REJECTED);
	return 0;
}

enum err fetch_psk_arm(void *ssl_ctx, struct fetch_server *s, struct why *why)
{
	SSL_CTX *ctx = ssl_ctx;

	if (SSL_CTX_set_cipher_list(ctx, SUITES) != 1 || SSL_CTX_set_ciphersuites(ctx, SUITES_13) != 1)
		return WHY(why, CRYPTO, "TS-0003 10.2", "want the suites with shared keys, this OpenSSL has none");
	SSL_CTX_set_app_data(ctx, s);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, refuse_certificate, s);
	SSL_CTX_set_psk_client_callback(ctx, show_key);
	SSL_CTX_set_psk_use_session_callback(ctx, use_session);
	/* RFC 8446 4.2.9: psk_dhe_ke, never the mode without forward secrecy */
	SSL_CTX_clear_options(ctx, SSL_OP_ALLOW_NO_DHE_KEX);
	return OK;
}

static enum err check_master_secret(SSL *ssl, struct why *why)
{
	/* RFC 7627 5.4: without it two sessions may have the same master secret, so the same keys */
	if (SSL_version(ssl) == TLS1_2_VERSION && SSL_get_extms_support(ssl) != 1)
		return WHY(why, AGENT_EMS, "RFC 7627 5.4", "TLS 1.2 session: want the extended master secret, have none");
	return OK;
}

enum err fetch_psk_export(void *ssl, const char *const *labels, size_t labels_n, struct secret *out, struct why *why)
{
	if (labels_n == 0)
		return OK;
	TRY(check_master_secret(ssl, why));
	for (size_t i = 0; i < labels_n; i++) {
		/* TS-0003 10.3.1: no context, which on TLS 1.2 differs from an empty one (RFC 5705 4) */
		if (SSL_export_keying_material(ssl, out[i].bytes, FETCH_EXPORT_SIZE, labels[i], strlen(labels[i]), NULL, 0, 0) != 1) {
			ERR_clear_error();
			return WHY(why, CRYPTO, "RFC 5705 4", "exporter of %s", labels[i]);
		}
		out[i].n = FETCH_EXPORT_SIZE;
	}
	return OK;
}

enum err fetch_bindings(void *ssl, struct fetch_reply *out, struct why *why)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	bool old = SSL_version(ssl) == TLS1_2_VERSION;

	/* RFC 5929 3.1: the first Finished, which in a full handshake is ours; RFC 9266 3: none on TLS 1.3 */
	if (old && !SSL_session_reused(ssl)) {
		size_t n = SSL_get_finished(ssl, out->unique, sizeof(out->unique));
		out->unique_n = n <= sizeof(out->unique) ? n : 0;
	}
	/* RFC 9266 2: on TLS 1.2 only with the extended master secret */
	if (old && SSL_get_extms_support(ssl) != 1)
		return OK;
	/* RFC 9266 2: 32 octets, the context is given and empty */
	if (SSL_export_keying_material(ssl, out->exporter, 32, label, strlen(label), (const unsigned char *)"", 0, 1) != 1) {
		ERR_clear_error();
		return WHY(why, CRYPTO, "RFC 5705 4", "exporter of %s", label);
	}
	out->exporter_n = 32;
	return OK;
}
