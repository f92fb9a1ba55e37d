#pragma once
/* Shared by tls.c, tls_files.c, tls_verify.c, tls_psk.c and tls_peer.c only. */
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
	bool psk, srp;
	int64_t own_expired_s;
	bool ems_optional;
	char fqdn[CALL_NAME_MAX];
};

/* Of a connection whose client offers pre-shared keys. */
struct tls_psk {
	enum { TLS_PSK_UNASKED, TLS_PSK_WAITS, TLS_PSK_GIVEN, TLS_PSK_REFUSED } state;
	struct secret key; /* wiped when the handshake is over */
	uint8_t digest[32]; /* its SHA-256, by which the registrar knows it again */
	size_t identity_n;
	uint8_t identity[CALL_IDENTITY_MAX];
};

/* Of a connection whose client shows an SRP user. */
struct tls_srp {
	int state; /* as of tls_psk */
	uint8_t salt[TLS_SRP_SALT];
	uint8_t verifier[TLS_SRP_VERIFIER];
	uint8_t digest[32]; /* of the verifier */
	size_t identity_n;
	uint8_t identity[CALL_IDENTITY_MAX];
};

/* What hangs on each SSL. */
struct tls_link {
	const struct tls_server *server;
	enum peer_trust trust;
	uint8_t anchor[32];
	uint8_t *leaf; /* DER */
	size_t leaf_n;
	struct tls_psk *psk; /* NULL: the client offers certificates only */
	struct tls_srp *srp; /* NULL: the client shows no SRP user */
	unsigned int exported; /* bit of each enum call_export that was computed */
	uint8_t exporter[32];
	uint8_t enrolment[CALL_EXPORT_MAX];
	uint8_t connection[48];
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
/*
 * chain: all that the client showed, leaf first. Fills trust and anchor of the link; an X509_V_ERR_... otherwise, with the
 * reason in the link.
 */
int tls_verify_chain(const struct tls_server *s, struct tls_link *link, X509 *leaf, STACK_OF(X509) *chain);

/* tls_srp.c */
extern const char tls_srp_ciphers[];
MUST_CHECK enum err tls_srp_setup(struct tls_server *s, struct why *why);
bool tls_srp_proven(const SSL *ssl);
void tls_srp_free(struct tls_srp *srp);

/* tls_psk.c */
/* Suites of TLS 1.2, best first. */
extern const char tls_psk_ciphers[];
MUST_CHECK enum err tls_psk_setup(struct tls_server *s, struct why *why);
/* True when the client proved the key of the identity it showed. */
bool tls_psk_proven(const SSL *ssl);
/* Ends a handshake that waits, so that its stack can be used again. */
void tls_psk_abort(SSL *ssl);
