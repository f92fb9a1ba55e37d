/*
 * What OpenSSL 3.0 calls deprecated: there is no other way to SRP, see docs/decisions/0024. libcurl's own options would
 * leave copies of the password that nobody overwrites, and set no floor for the group.
 */
#undef OPENSSL_NO_DEPRECATED
#undef OPENSSL_API_COMPAT
#define OPENSSL_API_COMPAT 10101
#define OPENSSL_SUPPRESS_DEPRECATED
#include "adapt/sys/fetch_srp.h"

#include "base/mem.h"
#include "base/text.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

/* RFC 5054 2.7: those without a certificate of the server, which is known by the verifier that it has */
#define SUITES "SRP-AES-256-CBC-SHA:SRP-AES-128-CBC-SHA"

enum err fetch_srp_take(struct fetch_srp *srp, const char *user, struct span password, struct why *why)
{
	size_t n = strlen(user);

	/* RFC 5054 2.8.1: a name of 1 to 255 octets */
	if (n == 0 || !text_copy(srp->user, sizeof(srp->user), span_text(user)))
		return WHY(why, AGENT_SRP_USE, "RFC 5054 2.8.1", "SRP user: want 1 to %d octets, have %zu", FETCH_SRP_USER_MAX, n);
	if (password.n == 0 || !text_copy(srp->password, sizeof(srp->password), password))
		return WHY(why, AGENT_SRP_USE, "RFC 5054 2.3", "SRP password: want 1 to %d octets without NUL, have %zu",
			FETCH_SRP_PASSWORD_MAX, password.n);
	return OK;
}

void fetch_srp_wipe(struct fetch_srp *srp)
{
	mem_wipe(srp, sizeof(*srp));
}

#ifdef OPENSSL_NO_SRP
enum err fetch_srp_arm(void *ssl_ctx, struct fetch_server *s, struct why *why)
{
	return WHY(why, AGENT_LIBRARY, "RFC 5054", "OpenSSL: want one that has TLS-SRP, have one without");
}
#else

/* OpenSSL overwrites it behind its use, and frees it. */
static char *give_password(SSL *ssl, void *arg)
{
	const struct fetch_srp *srp = arg;

	return OPENSSL_strdup(srp->password);
}

/* A certificate proves no verifier. */
static int refuse_certificate(X509_STORE_CTX *ctx, void *arg)
{
	X509_STORE_CTX_set_error(ctx, X509_V_ERR_CERT_REJECTED);
	return 0;
}

enum err fetch_srp_arm(void *ssl_ctx, struct fetch_server *s, struct why *why)
{
	SSL_CTX *ctx = ssl_ctx;
	const struct fetch_srp *srp = s->srp;

	/* both are OpenSSL's to copy and not to change */
	if (SSL_CTX_set_cipher_list(ctx, SUITES) != 1 || SSL_CTX_set_srp_username(ctx, (char *)(uintptr_t)srp->user) != 1
		|| SSL_CTX_set_srp_cb_arg(ctx, (void *)(uintptr_t)srp) != 1
		|| SSL_CTX_set_srp_client_pwd_callback(ctx, give_password) != 1) {
		ERR_clear_error();
		return WHY(why, AGENT_LIBRARY, "RFC 5054", "OpenSSL: want one whose providers and security level admit TLS-SRP");
	}
	/* RFC 5054 2.5.3: groups of appendix A alone, which OpenSSL sees to, and of these none that is too small */
	SSL_CTX_set_srp_strength(ctx, FETCH_SRP_GROUP_BITS);
	SSL_CTX_set_options(ctx, SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, refuse_certificate, s);
	return OK;
}
#endif

static bool says_one_of(const char *error, const char *const *texts)
{
	for (; *texts; texts++) {
		if (strstr(error, *texts))
			return true;
	}
	return false;
}

enum err fetch_srp_explain(const struct fetch_server *s, const char *error, struct why *why)
{
	/* RFC 5054 2.5.1.3, 2.9: which of them comes tells nothing more */
	static const char *const alerts[] = {"alert bad record mac", "alert decrypt error", "unknown psk identity",
		"alert illegal parameter", "alert handshake failure", "alert access denied", "alert insufficient security",
		"alert protocol version", NULL};
	/* what OpenSSL finds wrong by itself: group, B, Finished */
	static const char *const ours[] = {"insufficient security", "bad data", "bad srp", "decryption failed or bad record mac",
		"digest check failed", NULL};

	if (says_one_of(error, alerts))
		return WHY(why, AGENT_SRP, "RFC 5054 2.5.4", "%s: user '%s': %s", s->host, s->srp->user, error);
	if (!strstr(error, " alert ") && says_one_of(error, ours))
		return WHY(why, AGENT_SRP_SERVER, "RFC 5054 2.5.3", "%s: want a group of RFC 5054 with %d bits or more and proof of the verifier: %s",
			s->host, FETCH_SRP_GROUP_BITS, error);
	return OK;
}
