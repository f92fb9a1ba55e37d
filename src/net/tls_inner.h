#pragma once
/* Shared by tls.c, tls_files.c, tls_verify.c and tls_peer.c only. */
#include "net/tls.h"
#include "net/tls_known.h"

#include <openssl/ssl.h>

struct tls_server {
	OSSL_LIB_CTX *lib;
	struct tls_provider *provider;
	SSL_CTX *ctx;
	X509_STORE *own;
	X509_STORE *devices; /* NULL: no third-party anchors */
	EVP_MD *sha256;
	struct tls_known *known;
	char fqdn[CALL_NAME_MAX];
};

/* What hangs on each SSL. */
struct tls_link {
	const struct tls_server *server;
	enum peer_trust trust;
	uint8_t anchor[32];
	uint8_t *leaf; /* DER */
	size_t leaf_n;
	uint8_t exporter[32];
	uint8_t unique[CALL_BINDING_MAX];
	struct why *failure; /* set when we refused the peer */
};

static inline struct tls_link *tls_link_of(const SSL *ssl)
{
	return SSL_get_app_data(ssl);
}

/* OpenSSL's newest reason as a text; empties its queue. */
const char *tls_reason(void);
/* Where a refusal of this connection is noted; NULL without memory. */
struct why *tls_note(struct tls_link *link);

/* tls_files.c */
MUST_CHECK enum err tls_use_identity(struct tls_server *s, const struct tls_config *config, struct why *why);
/* own: of an issuing CA and its root only the issuing CA counts. *out stays NULL without certificates. */
MUST_CHECK enum err tls_store_new(
	struct tls_server *s, const char *what, struct span pem, bool own, X509_STORE **out, struct why *why);

/* tls_verify.c: for SSL_CTX_set_cert_verify_callback. */
int tls_verify(X509_STORE_CTX *ctx, void *arg);
