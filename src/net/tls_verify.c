#include "net/tls_inner.h"

#include "base/date.h"
#include "base/mem.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <time.h>

/* What one attempt at one store found. */
struct finding {
	int error;       /* X509_V_..., X509_V_OK when verified */
	int depth;       /* of the certificate at fault, 0 is the leaf */
	X509 *at_fault;  /* owned */
	uint8_t anchor[32];
};

struct why *tls_note(struct tls_link *link)
{
	if (!link->failure)
		link->failure = mem_alloc(sizeof(*link->failure));
	return link->failure;
}

static bool digest_cert(const struct tls_server *s, X509 *cert, uint8_t out[32])
{
	unsigned int n = 0;

	return cert && X509_digest(cert, s->sha256, out, &n) == 1 && n == 32;
}

static void verify_against(const struct tls_server *s, X509_STORE *store, X509 *leaf, STACK_OF(X509) *chain,
	struct finding *out)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new_ex(s->lib, NULL);

	*out = (struct finding){.error = X509_V_ERR_OUT_OF_MEM};
	if (!ctx || X509_STORE_CTX_init(ctx, store, leaf, chain) != 1) {
		X509_STORE_CTX_free(ctx);
		return;
	}
	int ok = X509_verify_cert(ctx);
	out->error = X509_STORE_CTX_get_error(ctx);
	out->depth = X509_STORE_CTX_get_error_depth(ctx);
	STACK_OF(X509) *verified = X509_STORE_CTX_get0_chain(ctx);
	if (ok == 1 && !digest_cert(s, sk_X509_value(verified, sk_X509_num(verified) - 1), out->anchor))
		out->error = X509_V_ERR_UNSPECIFIED;
	else if (ok != 1 && out->error == X509_V_OK)
		out->error = X509_V_ERR_UNSPECIFIED;
	X509 *at_fault = X509_STORE_CTX_get_current_cert(ctx);
	if (ok != 1 && at_fault && X509_up_ref(at_fault) == 1)
		out->at_fault = at_fault;
	X509_STORE_CTX_free(ctx);
}

/* True when the chain only does not lead to this store; anything else is a fault of the chain. */
static bool leads_elsewhere(int error)
{
	return error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT || error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
		|| error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE || error == X509_V_ERR_CERT_UNTRUSTED
		|| error == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN || error == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT;
}

/* RFC 5280 4.2.1.12: a certificate for servers only, such as the MEF's own, is none for clients */
static bool is_for_servers_only(X509 *cert)
{
	uint32_t uses = X509_get_extended_key_usage(cert);

	return uses != UINT32_MAX && (uses & XKU_SSL_SERVER) && !(uses & XKU_SSL_CLIENT);
}

static int check_dates(X509 *cert)
{
	if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
		return X509_V_ERR_CERT_NOT_YET_VALID;
	if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
		return X509_V_ERR_CERT_HAS_EXPIRED;
	return X509_V_OK;
}

/* X509_V_OK when it proves a key and claims no more; DEPTH_ZERO_SELF_SIGNED_CERT when it is no such. */
static int check_raw_key(X509 *leaf, const STACK_OF(X509) *chain)
{
	/* RFC 5280 4.2.1.9: a CA's certificate is no end entity's */
	if (sk_X509_num(chain) != 1 || X509_check_ca(leaf) == 1 || X509_self_signed(leaf, 1) != 1)
		return X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT;
	/* the same 112 bits as in chains */
	if (EVP_PKEY_get_security_bits(X509_get0_pubkey(leaf)) < 112)
		return X509_V_ERR_EE_KEY_TOO_SMALL;
	return check_dates(leaf);
}

static void decide(const struct tls_server *s, struct tls_link *link, X509 *leaf, STACK_OF(X509) *chain,
	struct finding *found)
{
	verify_against(s, s->own, leaf, chain, found);
	if (found->error == X509_V_OK) {
		link->trust = PEER_OWN;
		if (is_for_servers_only(leaf))
			found->error = X509_V_ERR_INVALID_PURPOSE;
		return;
	}
	if (s->devices && leads_elsewhere(found->error)) {
		X509_free(found->at_fault);
		verify_against(s, s->devices, leaf, chain, found);
		link->trust = PEER_THIRD_PARTY;
	}
	if (found->error == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT) {
		found->error = check_raw_key(leaf, chain);
		link->trust = PEER_RAW_KEY;
	}
}

static void name_text(X509 *cert, char *out, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n = 0;

	if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0)
		n = BIO_read(bio, out, (int)size - 1);
	out[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
}

static void time_text(const ASN1_TIME *time, char out[DATE_TEXT_SIZE])
{
	struct tm tm;

	out[0] = '\0';
	if (ASN1_TIME_to_tm(time, &tm) != 1)
		return;
	struct date date = {.year = tm.tm_year + 1900, .month = tm.tm_mon + 1, .day = tm.tm_mday,
		.hour = tm.tm_hour, .minute = tm.tm_min, .second = tm.tm_sec};
	date_text(date_to_s(&date), out);
}

/* Names the dates and our clock: a wrong clock is the first suspect. */
static void explain_time(X509 *cert, const char *who, struct why *why)
{
	char from[DATE_TEXT_SIZE], to[DATE_TEXT_SIZE], now[DATE_TEXT_SIZE];

	time_text(X509_get0_notBefore(cert), from);
	time_text(X509_get0_notAfter(cert), to);
	date_text((int64_t)time(NULL), now);
	enum err e = WHY(why, TLS_PEER_TIME, "RFC 5280 4.1.2.5", "%s: want a time from %s to %s, our clock has %s", who, from,
		to, now);
	(void)e;
}

static void explain(struct tls_link *link, const struct finding *found, X509 *leaf)
{
	struct why *why = tls_note(link);
	X509 *cert = found->at_fault ? found->at_fault : leaf;
	const char *reason = X509_verify_cert_error_string(found->error);
	char subject[128], who[192];
	enum err e = OK;

	if (!why)
		return;
	name_text(cert, subject, sizeof(subject));
	snprintf(who, sizeof(who), "%s \"%s\"", found->depth ? "issuer certificate" : "client certificate", subject);
	if (found->error == X509_V_ERR_CERT_HAS_EXPIRED || found->error == X509_V_ERR_CERT_NOT_YET_VALID)
		explain_time(cert, who, why);
	else if (found->error == X509_V_ERR_INVALID_PURPOSE)
		e = WHY(why, TLS_PEER_PURPOSE, "RFC 5280 4.2.1.12", "%s: want use clientAuth, have another", who);
	else if (leads_elsewhere(found->error))
		e = WHY(why, TLS_PEER_UNKNOWN, "RFC 5280 6.1", "%s: want a chain to a trust anchor: %s", who, reason);
	else
		e = WHY(why, TLS_PEER_INVALID, "RFC 5280 6.1", "%s: %s", who, reason);
	(void)e;
}

/* The leaf's DER is kept: the registrar reads it, and libssl would encode it anew. */
static bool keep_leaf(struct tls_link *link, X509 *leaf)
{
	unsigned char *at;
	int n = i2d_X509(leaf, NULL);

	if (n <= 0 || n > CALL_LEAF_MAX)
		return false;
	link->leaf = at = mem_alloc((size_t)n);
	if (!at)
		return false;
	link->leaf_n = (size_t)i2d_X509(leaf, &at);
	return true;
}

int tls_verify(X509_STORE_CTX *ctx, void *arg)
{
	const struct tls_server *s = arg;
	const SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_link *link = tls_link_of(ssl);
	X509 *leaf = X509_STORE_CTX_get0_cert(ctx);
	struct finding found;

	decide(s, link, leaf, X509_STORE_CTX_get0_untrusted(ctx), &found);
	if (found.error == X509_V_OK && !keep_leaf(link, leaf))
		found.error = X509_V_ERR_INVALID_CALL;
	if (found.error == X509_V_OK)
		memcpy(link->anchor, found.anchor, sizeof(link->anchor));
	else
		link->trust = PEER_ANONYMOUS;
	X509_STORE_CTX_set_error(ctx, found.error);
	if (found.error != X509_V_OK)
		explain(link, &found, leaf);
	X509_free(found.at_fault);
	/* Failed attempts leave reasons behind that are not those of this connection. */
	ERR_clear_error();
	return found.error == X509_V_OK;
}
