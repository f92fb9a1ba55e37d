#include "net/tls_inner.h"

#include "base/mem.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static enum err file_fault(enum code code, const char *what, struct why *why)
{
	return why_set(why, code, "", __FILE__, __LINE__, "%s: %s", what, tls_reason());
}

/* The next certificate of the file; NULL at its end or at a fault, which *broken tells. */
static X509 *next_cert(struct tls_server *s, BIO *in, bool *broken)
{
	X509 *cert = X509_new_ex(s->lib, NULL);

	*broken = !cert;
	if (cert && PEM_read_bio_X509(in, &cert, NULL, NULL))
		return cert;
	*broken |= ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE;
	if (!*broken)
		ERR_clear_error();
	X509_free(cert);
	return NULL;
}

static enum err check_name(const struct tls_server *s, X509 *cert, struct why *why)
{
	/* RFC 9110 4.3.4: clients compare the name with the certificate, so a wrong one helps nobody */
	if (s->fqdn[0] && X509_check_host(cert, s->fqdn, 0, 0, NULL) != 1)
		return WHY(why, TLS_CONFIG, "RFC 9110 4.3.4", "server certificate: want subjectAltName dNSName %s, have none",
			s->fqdn);
	return OK;
}

static enum err use_certs(struct tls_server *s, BIO *in, struct why *why)
{
	bool broken = false;
	X509 *leaf = next_cert(s, in, &broken);

	if (!leaf && !broken)
		return WHY(why, TLS_CONFIG, "", "server certificate: want one as PEM, have none");
	if (!leaf)
		return file_fault(CODE_TLS_CONFIG, "server certificate: want one as PEM", why);
	enum err e = check_name(s, leaf, why);
	if (e == OK && SSL_CTX_use_certificate(s->ctx, leaf) != 1)
		e = file_fault(CODE_TLS_CONFIG, "server certificate", why);
	X509_free(leaf);
	while (e == OK) {
		X509 *above = next_cert(s, in, &broken);
		if (!above)
			break;
		if (SSL_CTX_add0_chain_cert(s->ctx, above) != 1) {
			X509_free(above);
			e = file_fault(CODE_TLS_CONFIG, "server certificate chain", why);
		}
	}
	if (e == OK && broken)
		e = file_fault(CODE_TLS_CONFIG, "server certificate chain", why);
	return e;
}

static int on_pass(char *out, int size, int rw, void *arg)
{
	const struct span *pass = arg;

	if (pass->n == 0 || pass->n > (size_t)size)
		return -1;
	memcpy(out, pass->p, pass->n);
	return (int)pass->n;
}

/* The library context of the connections has no decoders for private keys, so the key is read by
 * another one and carried over as numbers. */
static EVP_PKEY *carry_key(OSSL_LIB_CTX *lib, EVP_PKEY *from)
{
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(lib, EVP_PKEY_get0_type_name(from), NULL);

	if (ctx && EVP_PKEY_todata(from, EVP_PKEY_KEYPAIR, &params) == 1 && EVP_PKEY_fromdata_init(ctx) == 1
		&& EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static EVP_PKEY *read_key(struct tls_server *s, const struct tls_config *config)
{
	struct span pass = config->key_pass;
	BIO *in = BIO_new_mem_buf(config->key_pem.p, (int)config->key_pem.n);
	EVP_PKEY *plain = in ? PEM_read_bio_PrivateKey(in, NULL, on_pass, &pass) : NULL;
	EVP_PKEY *key = plain ? carry_key(s->lib, plain) : NULL;

	EVP_PKEY_free(plain);
	BIO_free(in);
	return key;
}

static enum err use_key(struct tls_server *s, const struct tls_config *config, struct why *why)
{
	EVP_PKEY *key = read_key(s, config);
	enum err e = OK;

	if (!key)
		return file_fault(CODE_TLS_CONFIG, config->key_pass.n
			? "server key: want PEM, encrypted under this master key" : "server key: want PEM that is not encrypted", why);
	if (SSL_CTX_use_PrivateKey(s->ctx, key) != 1 || SSL_CTX_check_private_key(s->ctx) != 1)
		e = file_fault(CODE_TLS_CONFIG, "server key: want the one of the certificate", why);
	EVP_PKEY_free(key);
	return e;
}

enum err tls_use_identity(struct tls_server *s, const struct tls_config *config, struct why *why)
{
	BIO *in = BIO_new_mem_buf(config->cert_pem.p, (int)config->cert_pem.n);

	if (!in)
		return WHY(why, TLS_CONFIG, "", "server certificate: want PEM, have nothing");
	enum err e = use_certs(s, in, why);
	BIO_free(in);
	TRY(why_within(e, config->cert_path, why));
	return why_within(use_key(s, config, why), config->key_path, why);
}

static enum err read_certs(
	struct tls_server *s, const char *what, struct span pem, STACK_OF(X509) *certs, struct why *why)
{
	BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);
	bool broken = !in;
	X509 *cert;

	while (in && (cert = next_cert(s, in, &broken)) != NULL) {
		if (sk_X509_num(certs) >= TLS_ANCHORS_MAX || !sk_X509_push(certs, cert)) {
			X509_free(cert);
			BIO_free(in);
			return WHY(why, TLS_ANCHORS, "", "%s: want at most %d certificates", what, TLS_ANCHORS_MAX);
		}
	}
	int n = sk_X509_num(certs);
	BIO_free(in);
	if (broken)
		return WHY(why, TLS_ANCHORS, "", "%s: want certificates as PEM, certificate %d cannot be read: %s", what,
			n + 1, tls_reason());
	if (n == 0)
		return WHY(why, TLS_ANCHORS, "", "%s: want certificates as PEM, have %zu bytes of something else", what, pem.n);
	return OK;
}

static bool is_self_issued(X509 *cert)
{
	return X509_NAME_cmp(X509_get_subject_name(cert), X509_get_issuer_name(cert)) == 0;
}

/* Another CA of the list stands below it. */
static bool is_above(X509 *root, const STACK_OF(X509) *certs)
{
	for (int i = 0; i < sk_X509_num(certs); i++) {
		X509 *cert = sk_X509_value(certs, i);
		if (!is_self_issued(cert) && X509_NAME_cmp(X509_get_issuer_name(cert), X509_get_subject_name(root)) == 0)
			return true;
	}
	return false;
}

static enum err fill_store(X509_STORE *store, const STACK_OF(X509) *certs, bool own, struct why *why)
{
	X509_VERIFY_PARAM *param = X509_STORE_get0_param(store);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	X509_VERIFY_PARAM_set_depth(param, TLS_CHAIN_MAX);
	/* 112 bits: RSA from 2048, no SHA-1 */
	X509_VERIFY_PARAM_set_auth_level(param, 2);
	/* RFC 5280 4.2.1.12: certificates of others must be meant for TLS clients. Our own carry what our
	 * profiles say, which tls_verify looks at. */
	if (!own)
		X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_CLIENT);
	for (int i = 0; i < sk_X509_num(certs); i++) {
		X509 *cert = sk_X509_value(certs, i);
		/* What a root issued directly is no certificate of its issuing CA, and stopping below the root saves one
		 * signature check at every handshake. */
		bool skip = own && is_self_issued(cert) && is_above(cert, certs);
		if (!skip && X509_STORE_add_cert(store, cert) != 1)
			return file_fault(CODE_TLS_ANCHORS, "trust anchor", why);
	}
	return OK;
}

enum err tls_store_new(
	struct tls_server *s, const char *what, struct span pem, bool own, X509_STORE **out, struct why *why)
{
	if (pem.n == 0)
		return OK;
	STACK_OF(X509) *certs = sk_X509_new_null();
	X509_STORE *store = X509_STORE_new();
	enum err e = certs && store ? read_certs(s, what, pem, certs, why)
				    : WHY(why, NOMEM, "", "%s: want a store of certificates", what);
	if (e == OK)
		e = fill_store(store, certs, own, why);
	sk_X509_pop_free(certs, X509_free);
	if (e != OK) {
		X509_STORE_free(store);
		return e;
	}
	*out = store;
	return OK;
}
