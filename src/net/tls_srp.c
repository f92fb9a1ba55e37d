/* The only file that calls what OpenSSL 3.0 calls deprecated: there is no other way to SRP, see docs/decisions/0024. */
#undef OPENSSL_NO_DEPRECATED
#undef OPENSSL_API_COMPAT
#define OPENSSL_API_COMPAT 10101
#define OPENSSL_SUPPRESS_DEPRECATED
#include "net/tls_inner.h"

#include "base/mem.h"

#include <openssl/bn.h>
#include <openssl/sha.h>

/* RFC 5054 2.7: those without a certificate of the server, which is known by the verifier that it has */
const char tls_srp_ciphers[] = "SRP-AES-256-CBC-SHA:SRP-AES-128-CBC-SHA";

#ifdef OPENSSL_NO_SRP
enum err tls_srp_setup(struct tls_server *s, struct why *why)
{
	return WHY(why, TLS_SETUP, "RFC 5054", "srp: want a TLS library that has it, have one without");
}

bool tls_srp_proven(const SSL *ssl)
{
	return false;
}
#else

static bool make_params(SSL *ssl, const struct tls_srp *srp)
{
	BIGNUM *n = BN_get_rfc3526_prime_3072(NULL), *g = BN_new();
	BIGNUM *salt = BN_bin2bn(srp->salt, sizeof(srp->salt), NULL);
	BIGNUM *v = BN_bin2bn(srp->verifier, sizeof(srp->verifier), NULL);
	char info[] = "";
	bool fine = n && g && salt && v && BN_set_word(g, 5) == 1 && SSL_set_srp_server_param(ssl, n, g, salt, v, info) == 1;

	BN_free(n);
	BN_free(g);
	BN_free(salt);
	BN_clear_free(v);
	return fine;
}

static struct tls_srp *srp_new(const char *user)
{
	struct tls_srp *srp = mem_alloc(sizeof(*srp));
	size_t n = strlen(user);

	if (!srp)
		return NULL;
	srp->identity_n = n < sizeof(srp->identity) ? n : sizeof(srp->identity); /* RFC 5054 2.8.1: 255 octets at most */
	memcpy(srp->identity, user, srp->identity_n);
	return srp;
}

/* Called until it does not give -1: the handshake stands still meanwhile, with SSL_ERROR_WANT_X509_LOOKUP. */
static int on_user(SSL *ssl, int *alert, void *arg)
{
	struct tls_link *link = tls_link_of(ssl);
	const char *user = SSL_get_srp_username(ssl);

	*alert = SSL_AD_INTERNAL_ERROR;
	if (!link->srp && user)
		link->srp = srp_new(user);
	if (!link->srp || link->srp->state == TLS_PSK_REFUSED)
		return SSL3_AL_FATAL;
	if (link->srp->state == TLS_PSK_UNASKED)
		link->srp->state = TLS_PSK_WAITS;
	if (link->srp->state == TLS_PSK_WAITS)
		return -1;
	return make_params(ssl, link->srp) ? SSL_ERROR_NONE : SSL3_AL_FATAL;
}

enum err tls_srp_setup(struct tls_server *s, struct why *why)
{
	if (SSL_CTX_set_srp_username_callback(s->ctx, on_user) != 1)
		return WHY(why, TLS_SETUP, "RFC 5054", "srp: %s", tls_reason());
	return OK;
}

bool tls_srp_proven(const SSL *ssl)
{
	const struct tls_srp *srp = tls_link_of(ssl)->srp;

	return srp && srp->state == TLS_PSK_GIVEN && SSL_version(ssl) == TLS1_2_VERSION
		&& SSL_CIPHER_get_auth_nid(SSL_get_current_cipher(ssl)) == NID_auth_srp;
}
#endif

bool tls_srp_waits(const SSL *ssl, struct span *user_out)
{
	const struct tls_srp *srp = tls_link_of(ssl)->srp;

	if (!srp || srp->state != TLS_PSK_WAITS)
		return false;
	*user_out = span_of(srp->identity, srp->identity_n);
	return true;
}

void tls_srp_give(SSL *ssl, struct span record)
{
	struct tls_srp *srp = tls_link_of(ssl)->srp;

	if (!srp || srp->state != TLS_PSK_WAITS)
		return;
	srp->state = TLS_PSK_REFUSED;
	if (record.n != sizeof(srp->salt) + sizeof(srp->verifier))
		return;
	memcpy(srp->salt, record.p, sizeof(srp->salt));
	memcpy(srp->verifier, record.p + sizeof(srp->salt), sizeof(srp->verifier));
	if (SHA256(srp->verifier, sizeof(srp->verifier), srp->digest))
		srp->state = TLS_PSK_GIVEN;
}

void tls_srp_free(struct tls_srp *srp)
{
	if (srp)
		mem_wipe(srp, sizeof(*srp));
	mem_free(srp);
}
