#include "pki/chain.h"

#include "base/date.h"
#include "base/mem.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

enum {
	AUTH_LEVEL = 2,    /* OpenSSL: 112 bits: RSA from 2048, SHA-2; no MD5, no SHA-1 */
	SUBJECT_MAX = 160, /* of the reason's text */
};

struct anchors {
	X509_STORE *store;
};

struct chain {
	X509 *leaf;
	STACK_OF(X509) *others;
	X509_STORE_CTX *ctx;
};

static void chain_cleanup(struct chain *c)
{
	X509_STORE_CTX_free(c->ctx);
	sk_X509_pop_free(c->others, X509_free);
	X509_free(c->leaf);
	ERR_clear_error();
}

void anchors_free(struct anchors *a)
{
	if (!a)
		return;
	X509_STORE_free(a->store);
	mem_free(a);
}

void anchors_cleanup(struct anchors **a)
{
	anchors_free(*a);
}

static enum err library(const char *what, struct why *why)
{
	ERR_clear_error();
	return WHY(why, CHAIN_LIBRARY, "", "%s", what);
}

/* Our own walk first: it bounds sizes and refuses what OpenSSL's lenient decoder lets pass. */
static enum err x509_parse(struct span der, X509 **out, struct why *why)
{
	struct cert view;
	const unsigned char *p = der.p;

	TRY(cert_parse(der, &view, why));
	*out = d2i_X509(NULL, &p, (long)der.n);
	if (!*out || p != der.p + der.n) {
		X509_free(*out);
		*out = NULL;
		ERR_clear_error();
		return WHY(why, CERT_SYNTAX, "RFC 5280 4.1", "certificate: want one that OpenSSL can decode, have another");
	}
	return OK;
}

static enum err anchors_new(struct anchors **out, struct why *why)
{
	struct anchors *a = mem_alloc(sizeof(*a));

	if (!a)
		return WHY(why, NOMEM, "", "trust anchors");
	a->store = X509_STORE_new();
	if (!a->store) {
		anchors_free(a);
		return library("a store for trust anchors", why);
	}
	*out = a;
	return OK;
}

enum err anchors_add(struct anchors *a, struct span der, struct why *why)
{
	X509 *cert = NULL;

	TRY(x509_parse(der, &cert, why));
	int added = X509_STORE_add_cert(a->store, cert);
	X509_free(cert);
	return added == 1 ? OK : library("adding a trust anchor", why);
}

static enum err anchors_each(void *arg, struct span der, struct why *why)
{
	return anchors_add(arg, der, why);
}

enum err anchors_parse_pem(struct span pem, struct anchors **out, struct why *why)
{
	struct anchors *a OWNED_ANCHORS = NULL;

	TRY(anchors_new(&a, why));
	TRY(cert_each_pem(pem, anchors_each, a, why));
	*out = a;
	a = NULL;
	return OK;
}

enum err chain_self_signed(struct span der, bool *out, struct why *why)
{
	X509 *cert = NULL;

	TRY(x509_parse(der, &cert, why));
	*out = X509_self_signed(cert, 1) == 1;
	X509_free(cert);
	ERR_clear_error();
	return OK;
}

/*
 * RFC 5280 6.1: path validation does not ask for what OpenSSL's strict mode asks of the profile in clause 4; factory
 * certificates often lack it, and no check that follows depends on it.
 */
static bool is_tolerable(int error)
{
	static const int tolerated[] = {
		X509_V_ERR_MISSING_AUTHORITY_KEY_IDENTIFIER,
		X509_V_ERR_MISSING_SUBJECT_KEY_IDENTIFIER,
		X509_V_ERR_AUTHORITY_KEY_IDENTIFIER_CRITICAL,
		X509_V_ERR_SUBJECT_KEY_IDENTIFIER_CRITICAL,
		X509_V_ERR_CA_BCONS_NOT_CRITICAL,
		X509_V_ERR_CA_CERT_MISSING_KEY_USAGE,
		X509_V_ERR_EMPTY_SUBJECT_SAN_NOT_CRITICAL,
	};

	for (size_t i = 0; i < sizeof(tolerated) / sizeof(tolerated[0]); i++) {
		if (tolerated[i] == error)
			return true;
	}
	return false;
}

static int decide(int good, X509_STORE_CTX *ctx)
{
	if (!good && is_tolerable(X509_STORE_CTX_get_error(ctx))) {
		X509_STORE_CTX_set_error(ctx, X509_V_OK);
		return 1;
	}
	return good;
}

static enum err chain_fill(struct chain *c, struct span leaf, const struct span *intermediates, size_t n, struct why *why)
{
	if (n > CHAIN_MAX)
		return WHY(why, CHAIN_LIMIT, "", "intermediate certificates: want at most %d, have %zu", CHAIN_MAX, n);
	TRY(x509_parse(leaf, &c->leaf, why));
	c->others = sk_X509_new_null();
	c->ctx = X509_STORE_CTX_new();
	if (!c->others || !c->ctx)
		return library("a certificate chain", why);
	for (size_t i = 0; i < n; i++) {
		X509 *cert = NULL;
		TRY(x509_parse(intermediates[i], &cert, why));
		if (!sk_X509_push(c->others, cert)) {
			X509_free(cert);
			return library("a certificate chain", why);
		}
	}
	return OK;
}

static int purpose_of(enum chain_use use)
{
	switch (use) {
	case CHAIN_CLIENT:
		return X509_PURPOSE_SSL_CLIENT;
	case CHAIN_SERVER:
		return X509_PURPOSE_SSL_SERVER;
	case CHAIN_ANY:
		break;
	}
	return X509_PURPOSE_ANY;
}

static enum err chain_arm(struct chain *c, const struct anchors *a, enum chain_use use, int64_t now_s, struct why *why)
{
	if (X509_STORE_CTX_init(c->ctx, a->store, c->leaf, c->others) != 1)
		return library("starting path validation", why);
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(c->ctx);
	/* RFC 5280 6.1.1 (d): an anchor is a name and a key; that it signs itself is not asked */
	if (X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_X509_STRICT) != 1
		|| X509_STORE_CTX_set_purpose(c->ctx, purpose_of(use)) != 1)
		return library("the rules of path validation", why);
	X509_VERIFY_PARAM_set_time(param, (time_t)now_s);
	X509_VERIFY_PARAM_set_depth(param, CHAIN_MAX);
	X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
	X509_STORE_CTX_set_verify_cb(c->ctx, decide);
	return OK;
}

static void subject_text(const X509 *cert, char out[SUBJECT_MAX])
{
	BIO *bio = cert ? BIO_new(BIO_s_mem()) : NULL;
	int n = 0;

	if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0)
		n = BIO_read(bio, out, SUBJECT_MAX - 1);
	out[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
}

static int64_t time_s(const ASN1_TIME *t)
{
	struct tm tm = {0};

	if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
		return 0;
	struct date d = {tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec};
	return date_to_s(&d);
}

static enum err chain_reason(X509_STORE_CTX *ctx, int64_t now_s, struct why *why)
{
	static const char clause[] = "RFC 5280 6.1";
	int error = X509_STORE_CTX_get_error(ctx);
	int depth = X509_STORE_CTX_get_error_depth(ctx);
	const X509 *cert = X509_STORE_CTX_get_current_cert(ctx);
	const char *reason = X509_verify_cert_error_string(error);
	char subject[SUBJECT_MAX], now[DATE_TEXT_SIZE], date[DATE_TEXT_SIZE];

	subject_text(cert, subject);
	date_text(now_s, now);
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		date_text(time_s(cert ? X509_get0_notAfter(cert) : NULL), date);
		return WHY(why, CHAIN_EXPIRED, clause, "'%s' at depth %d: valid until %s, now is %s", subject, depth, date, now);
	case X509_V_ERR_CERT_NOT_YET_VALID:
		date_text(time_s(cert ? X509_get0_notBefore(cert) : NULL), date);
		return WHY(why, CHAIN_NOT_YET, clause, "'%s' at depth %d: valid from %s, now is %s", subject, depth, date, now);
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_UNTRUSTED:
		return WHY(why, CHAIN_UNKNOWN_ISSUER, clause, "'%s' at depth %d: no trust anchor signs it (%s)", subject, depth, reason);
	case X509_V_ERR_INVALID_PURPOSE:
		return WHY(why, CHAIN_USE, "RFC 5280 4.2.1.12", "'%s' at depth %d: %s", subject, depth, reason);
	case X509_V_ERR_PERMITTED_VIOLATION:
	case X509_V_ERR_EXCLUDED_VIOLATION:
	case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
	case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
	case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
		return WHY(why, CHAIN_NAMES, "RFC 5280 4.2.1.10", "'%s' at depth %d: %s", subject, depth, reason);
	case X509_V_ERR_OUT_OF_MEM:
		return library("path validation: out of memory", why);
	default:
		return WHY(why, CHAIN_FAILED, clause, "'%s' at depth %d: %s", subject, depth, reason);
	}
}

static enum err check_once(const struct anchors *a, struct span leaf, const struct span *intermediates, size_t n,
	enum chain_use use, int64_t now_s, uint8_t anchor_out[32], struct why *why)
{
	struct chain c __attribute__((cleanup(chain_cleanup))) = {0};

	TRY(chain_fill(&c, leaf, intermediates, n, why));
	TRY(chain_arm(&c, a, use, now_s, why));
	if (X509_verify_cert(c.ctx) != 1 || X509_STORE_CTX_get_error(c.ctx) != X509_V_OK)
		return chain_reason(c.ctx, now_s, why);
	STACK_OF(X509) *path = X509_STORE_CTX_get0_chain(c.ctx);
	const X509 *anchor = sk_X509_value(path, sk_X509_num(path) - 1);
	if (!anchor || X509_digest(anchor, EVP_sha256(), anchor_out, NULL) != 1)
		return library("the digest of the trust anchor", why);
	return OK;
}

/* Does another of them bear its name and key? */
static bool has_twin(const struct span *certs, size_t n, size_t at)
{
	struct cert one = {0};
	struct cert other = {0};
	struct why ignored = {0};

	if (cert_parse(certs[at], &one, &ignored) != OK)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (i != at && cert_parse(certs[i], &other, &ignored) == OK && span_equal(one.subject, other.subject)
			&& span_equal(one.spki, other.spki))
			return true;
	}
	return false;
}

/*
 * RFC 4210 4.4: around a CA rollover one CA has several certificates, and OpenSSL follows the first that fits, never
 * another. Where that way ends nowhere, each of the twins is left out in turn.
 */
static bool check_without(const struct anchors *a, struct span leaf, const struct span *intermediates, size_t n, enum chain_use use,
	int64_t now_s, uint8_t anchor_out[32])
{
	for (size_t out = 0; out < n; out++) {
		struct span fewer[CHAIN_MAX];
		struct why ignored = {0};
		size_t k = 0;
		if (!has_twin(intermediates, n, out))
			continue;
		for (size_t i = 0; i < n; i++) {
			if (i != out)
				fewer[k++] = intermediates[i];
		}
		if (check_once(a, leaf, fewer, k, use, now_s, anchor_out, &ignored) == OK)
			return true;
	}
	return false;
}

enum err chain_check(const struct anchors *a, struct span leaf, const struct span *intermediates, size_t n,
	enum chain_use use, int64_t now_s, uint8_t anchor_out[32], struct why *why)
{
	struct why first = {0};
	enum err err = check_once(a, leaf, intermediates, n, use, now_s, anchor_out, &first);

	if (err == OK)
		return OK;
	if (first.code == CODE_CHAIN_UNKNOWN_ISSUER && check_without(a, leaf, intermediates, n, use, now_s, anchor_out))
		return OK;
	*why = first;
	return err;
}
