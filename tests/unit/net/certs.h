#pragma once
/* Certificates made on the spot for the TLS tests: a key and a certificate, signed by another such pair. */
#include "base/buf.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

struct id {
	EVP_PKEY *key;
	X509 *cert;
};

struct id_plan {
	const char *cn;
	const struct id *issuer; /* NULL: self-signed */
	bool ca;
	bool no_constraints; /* without basicConstraints at all */
	const char *eku;     /* "clientAuth" */
	const char *san;     /* "DNS:mef.example" */
	long from_s, to_s;   /* relative to now; 0, 0: an hour before to an hour after */
	EVP_PKEY *key;       /* NULL: a fresh P-256 key */
	const EVP_MD *md;    /* NULL: SHA-256 */
};

static inline void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (!ext || X509_add_ext(cert, ext, -1) != 1)
		abort();
	X509_EXTENSION_free(ext);
}

static inline struct id id_new(const struct id_plan *plan)
{
	static long serial = 1;
	struct id id = {.key = plan->key ? plan->key : EVP_EC_gen("P-256"), .cert = X509_new()};
	X509 *issuer = plan->issuer ? plan->issuer->cert : id.cert;
	X509_NAME *name = X509_get_subject_name(id.cert);

	X509_set_version(id.cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(id.cert), serial++);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)plan->cn, -1, -1, 0);
	X509_set_issuer_name(id.cert, X509_get_subject_name(issuer));
	X509_gmtime_adj(X509_getm_notBefore(id.cert), plan->from_s || plan->to_s ? plan->from_s : -3600);
	X509_gmtime_adj(X509_getm_notAfter(id.cert), plan->from_s || plan->to_s ? plan->to_s : 3600);
	X509_set_pubkey(id.cert, id.key);
	if (!plan->no_constraints)
		add_extension(id.cert, issuer, NID_basic_constraints, plan->ca ? "critical,CA:TRUE" : "CA:FALSE");
	if (plan->ca)
		add_extension(id.cert, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
	if (plan->eku)
		add_extension(id.cert, issuer, NID_ext_key_usage, plan->eku);
	if (plan->san)
		add_extension(id.cert, issuer, NID_subject_alt_name, plan->san);
	if (X509_sign(id.cert, plan->issuer ? plan->issuer->key : id.key, plan->md ? plan->md : EVP_sha256()) <= 0)
		abort();
	return id;
}

static inline void id_free(struct id *id)
{
	EVP_PKEY_free(id->key);
	X509_free(id->cert);
	*id = (struct id){0};
}

static inline void put_bio(BIO *bio, struct buf *out)
{
	char *p = NULL;
	long n = BIO_get_mem_data(bio, &p);

	buf_put(out, p, (size_t)n);
	BIO_free(bio);
}

static inline void put_cert(const struct id *id, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());

	PEM_write_bio_X509(bio, id->cert);
	put_bio(bio, out);
}

static inline void put_key(const struct id *id, const char *pass, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());

	PEM_write_bio_PKCS8PrivateKey(bio, id->key, pass ? EVP_aes_256_cbc() : NULL, pass, pass ? (int)strlen(pass) : 0,
		NULL, NULL);
	put_bio(bio, out);
}
