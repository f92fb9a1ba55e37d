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
	int64_t from_s, to_s; /* when all of the verified chain are valid */
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

static int64_t time_s(const ASN1_TIME *time, int64_t otherwise)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(time, &tm) != 1)
		return otherwise;
	struct date date = {.year = tm.tm_year + 1900, .month = tm.tm_mon + 1, .day = tm.tm_mday,
		.hour = tm.tm_hour, .minute = tm.tm_min, .second = tm.tm_sec};
	return date_to_s(&date);
}

/* Anchor and validity of a chain that was verified; its leaf counts for late_s after its end. */
static bool note_chain(const struct tls_server *s, const STACK_OF(X509) *chain, int64_t late_s, struct finding *out)
{
	int n = sk_X509_num(chain);

	out->from_s = INT64_MIN;
	out->to_s = INT64_MAX;
	for (int i = 0; i < n; i++) {
		int64_t from_s = time_s(X509_get0_notBefore(sk_X509_value(chain, i)), INT64_MAX);
		int64_t to_s = time_s(X509_get0_notAfter(sk_X509_value(chain, i)), INT64_MIN);
		if (i == 0 && to_s < INT64_MAX - late_s)
			to_s += late_s;
		out->from_s = from_s > out->from_s ? from_s : out->from_s;
		out->to_s = to_s < out->to_s ? to_s : out->to_s;
	}
	return n > 0 && digest_cert(s, sk_X509_value(chain, n - 1), out->anchor);
}

/*
 * RFC 7030 4.2.2: renewal comes before the end; where the operator lets a device that slept come back, its handshake has to
 * get through. Nothing but the end of the leaf's own time is passed over, and only for so long.
 */
static int pass_late_leaf(int ok, X509_STORE_CTX *ctx)
{
	const int64_t *late_s = X509_STORE_CTX_get_app_data(ctx);

	if (ok || X509_STORE_CTX_get_error(ctx) != X509_V_ERR_CERT_HAS_EXPIRED || X509_STORE_CTX_get_error_depth(ctx) != 0)
		return ok;
	int64_t end_s = time_s(X509_get0_notAfter(X509_STORE_CTX_get0_cert(ctx)), INT64_MIN);
	if (end_s == INT64_MIN || (int64_t)time(NULL) - end_s > *late_s)
		return ok;
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

static void verify_against(const struct tls_server *s, X509_STORE *store, X509 *leaf, STACK_OF(X509) *chain,
	struct finding *out)
{
	int64_t late_s = store == s->own ? s->own_expired_s : 0;
	X509_STORE_CTX *ctx = X509_STORE_CTX_new_ex(s->lib, NULL);

	*out = (struct finding){.error = X509_V_ERR_OUT_OF_MEM};
	if (!ctx || X509_STORE_CTX_init(ctx, store, leaf, chain) != 1) {
		X509_STORE_CTX_free(ctx);
		return;
	}
	if (late_s) {
		X509_STORE_CTX_set_app_data(ctx, &late_s);
		X509_STORE_CTX_set_verify_cb(ctx, pass_late_leaf);
	}
	int ok = X509_verify_cert(ctx);
	out->error = X509_STORE_CTX_get_error(ctx);
	out->depth = X509_STORE_CTX_get_error_depth(ctx);
	if (ok == 1 && !note_chain(s, X509_STORE_CTX_get0_chain(ctx), late_s, out))
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

/* True when the chain might end in this store: it names one of its subjects as an issuer. */
static bool mentions(X509_STORE *store, const STACK_OF(X509) *chain)
{
	const STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		const X509 *ca = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
		for (int j = 0; ca && j < sk_X509_num(chain); j++) {
			if (X509_NAME_cmp(X509_get_subject_name(ca), X509_get_issuer_name(sk_X509_value(chain, j))) == 0)
				return true;
		}
	}
	return false;
}

static void verify(const struct tls_server *s, X509 *leaf, STACK_OF(X509) *chain, enum peer_trust *trust,
	struct finding *found)
{
	*trust = PEER_OWN;
	*found = (struct finding){.error = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY};
	/* Our store holds one or two CAs, so a glance spares most third parties an attempt. */
	if (!s->devices || mentions(s->own, chain))
		verify_against(s, s->own, leaf, chain, found);
	if (found->error == X509_V_OK) {
		if (is_for_servers_only(leaf))
			found->error = X509_V_ERR_INVALID_PURPOSE;
		return;
	}
	if (s->devices && leads_elsewhere(found->error)) {
		X509_free(found->at_fault);
		verify_against(s, s->devices, leaf, chain, found);
		*trust = PEER_THIRD_PARTY;
	}
	if (found->error == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT) {
		found->error = check_raw_key(leaf, chain);
		*trust = PEER_RAW_KEY;
	}
}

enum { DIGESTS_MAX = TLS_CHAIN_MAX + 2 };

/* One name for the chain as the client sent it. */
static bool name_chain(const struct tls_server *s, const STACK_OF(X509) *chain, uint8_t key[TLS_KNOWN_KEY])
{
	uint8_t digests[DIGESTS_MAX][32];
	int n = sk_X509_num(chain);

	if (n < 1 || n > DIGESTS_MAX)
		return false;
	for (int i = 0; i < n; i++) {
		if (!digest_cert(s, sk_X509_value(chain, i), digests[i]))
			return false;
	}
	return EVP_Digest(digests, (size_t)n * sizeof(digests[0]), key, NULL, s->sha256, NULL) == 1;
}

static void decide(const struct tls_server *s, struct tls_link *link, X509 *leaf, STACK_OF(X509) *chain,
	struct finding *found)
{
	struct tls_known_chain fresh = {0};
	bool named = name_chain(s, chain, fresh.key);
	const struct tls_known_chain *known = named ? tls_known_find(s->known, fresh.key, (int64_t)time(NULL)) : NULL;

	if (!known) {
		verify(s, leaf, chain, &fresh.trust, found);
		if (found->error != X509_V_OK)
			return;
		memcpy(fresh.anchor, found->anchor, sizeof(fresh.anchor));
		fresh.from_s = found->from_s;
		fresh.to_s = found->to_s;
		if (named && fresh.trust != PEER_RAW_KEY)
			tls_known_add(s->known, &fresh);
		known = &fresh;
	}
	X509_free(found->at_fault); /* of an attempt before the one that succeeded */
	*found = (struct finding){.error = X509_V_OK};
	link->trust = known->trust;
	memcpy(link->anchor, known->anchor, sizeof(link->anchor));
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

/* Names the dates and our clock: a wrong clock is the first suspect. */
static void explain_time(X509 *cert, const char *who, struct why *why)
{
	char from[DATE_TEXT_SIZE], to[DATE_TEXT_SIZE], now[DATE_TEXT_SIZE];

	date_text(time_s(X509_get0_notBefore(cert), 0), from);
	date_text(time_s(X509_get0_notAfter(cert), 0), to);
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

int tls_verify_chain(const struct tls_server *s, struct tls_link *link, X509 *leaf, STACK_OF(X509) *chain)
{
	struct finding found = {0};

	decide(s, link, leaf, chain, &found);
	if (found.error != X509_V_OK) {
		link->trust = PEER_ANONYMOUS;
		explain(link, &found, leaf);
	}
	X509_free(found.at_fault);
	/* Failed attempts leave reasons behind that are not those of this connection. */
	ERR_clear_error();
	return found.error;
}

int tls_verify(X509_STORE_CTX *ctx, void *arg)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_link *link = tls_link_of(ssl);
	X509 *leaf = X509_STORE_CTX_get0_cert(ctx);
	int error = tls_verify_chain(arg, link, leaf, X509_STORE_CTX_get0_untrusted(ctx));

	if (error == X509_V_OK && !keep_leaf(link, leaf)) {
		const struct finding found = {.error = X509_V_ERR_INVALID_CALL};
		error = found.error;
		link->trust = PEER_ANONYMOUS;
		explain(link, &found, leaf);
	}
	X509_STORE_CTX_set_error(ctx, error);
	return error == X509_V_OK;
}
