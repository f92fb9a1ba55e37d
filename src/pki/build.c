#include "pki/build.h"

#include "pki/der.h"
#include "pki/der_nest.h"
#include "pki/oid.h"
#include "pki/signature.h"

#include <openssl/evp.h>

enum {
	TBS_MAX = 12 * 1024, /* leaves room for the signature below CERT_DER_MAX */
	CTX = DER_CONTEXT,
	CTX_CONS = DER_CONTEXT | 0x20,
	URI_NAME = DER_CONTEXT | 6, /* GeneralName: uniformResourceIdentifier */
	DNS_NAME = DER_CONTEXT | 2,
};

/* RFC 5280 4.1.2.5: dates without an end are 99991231235959Z; before 1950 UTCTime cannot tell */
static const int64_t date_min_s = -631152000, date_max_s = 253402300799;

struct ext {
	size_t sequence, octets;
};

static struct ext ext_open(struct buf *out, struct span oid, bool critical)
{
	struct ext e;

	e.sequence = der_open(out, DER_SEQUENCE);
	der_put_oid(out, oid);
	if (critical)
		der_put_bool(out, true);
	e.octets = der_open(out, DER_OCTET_STRING);
	return e;
}

static void ext_close(struct buf *out, struct ext e)
{
	der_close(out, e.octets);
	der_close(out, e.sequence);
}

static void put_basic(struct buf *out, const struct cert_plan *plan)
{
	if (!plan->is_ca)
		return;
	/* RFC 5280 4.2.1.9: critical in CA certificates */
	struct ext e = ext_open(out, OID_CE_BASIC_CONSTRAINTS, true);
	size_t at = der_open(out, DER_SEQUENCE);
	der_put_bool(out, true);
	if (plan->path_len >= 0)
		der_put_small(out, (uint32_t)plan->path_len);
	der_close(out, at);
	ext_close(out, e);
}

static void put_key_usage(struct buf *out, const struct cert_plan *plan)
{
	if (!plan->key_usage)
		return;
	struct ext e = ext_open(out, OID_CE_KEY_USAGE, true);
	der_put_flags(out, plan->key_usage);
	ext_close(out, e);
}

static void put_ekus(struct buf *out, const struct cert_plan *plan)
{
	if (!plan->ekus_n)
		return;
	struct ext e = ext_open(out, OID_CE_EXT_KEY_USAGE, false);
	size_t at = der_open(out, DER_SEQUENCE);
	for (size_t i = 0; i < plan->ekus_n; i++)
		der_put_oid(out, plan->ekus[i]);
	der_close(out, at);
	ext_close(out, e);
}

static void put_key_ids(struct buf *out, const struct cert_plan *plan, struct span own)
{
	struct ext e = ext_open(out, OID_CE_SUBJECT_KEY_ID, false);

	der_put(out, DER_OCTET_STRING, own);
	ext_close(out, e);
	e = ext_open(out, OID_CE_AUTHORITY_KEY_ID, false);
	size_t at = der_open(out, DER_SEQUENCE);
	der_put(out, CTX | 0, plan->akid.n ? plan->akid : own);
	der_close(out, at);
	ext_close(out, e);
}

/* An extension whose value was made elsewhere. */
static void put_value(struct buf *out, struct span oid, bool critical, struct span value)
{
	if (!value.n)
		return;
	struct ext e = ext_open(out, oid, critical);
	buf_put_span(out, value);
	ext_close(out, e);
}

static bool has_text(const char *text)
{
	return text && *text;
}

static void put_cdp(struct buf *out, const char *uri)
{
	if (!has_text(uri))
		return;
	struct ext e = ext_open(out, OID_CE_CRL_DISTRIBUTION_POINTS, false);
	size_t points = der_open(out, DER_SEQUENCE);
	size_t point = der_open(out, DER_SEQUENCE);
	size_t name = der_open(out, CTX_CONS | 0);
	size_t full = der_open(out, CTX_CONS | 0);
	der_put(out, URI_NAME, span_text(uri));
	der_close(out, full);
	der_close(out, name);
	der_close(out, point);
	der_close(out, points);
	ext_close(out, e);
}

static void put_access(struct buf *out, struct span method, const char *uri)
{
	if (!has_text(uri))
		return;
	size_t at = der_open(out, DER_SEQUENCE);
	der_put_oid(out, method);
	der_put(out, URI_NAME, span_text(uri));
	der_close(out, at);
}

static void put_aia(struct buf *out, const struct cert_plan *plan)
{
	if (!has_text(plan->aia_uri) && !has_text(plan->ocsp_uri))
		return;
	struct ext e = ext_open(out, OID_PE_AUTHORITY_INFO_ACCESS, false);
	size_t at = der_open(out, DER_SEQUENCE);
	put_access(out, OID_AD_OCSP, plan->ocsp_uri);
	put_access(out, OID_AD_CA_ISSUERS, plan->aia_uri);
	der_close(out, at);
	ext_close(out, e);
}

static bool subject_is_empty(const struct cert_plan *plan)
{
	return plan->subject.n == 2; /* 30 00 */
}

static void put_extensions(struct buf *out, const struct cert_plan *plan, struct span own_key_id)
{
	size_t wrap = der_open(out, CTX_CONS | 3);
	size_t list = der_open(out, DER_SEQUENCE);

	put_basic(out, plan);
	put_key_usage(out, plan);
	put_ekus(out, plan);
	put_key_ids(out, plan, own_key_id);
	/* RFC 5280 4.2.1.6: critical when the subject is empty */
	put_value(out, OID_CE_SUBJECT_ALT_NAME, subject_is_empty(plan), plan->sans);
	/* RFC 5280 4.2.1.10: name constraints are critical */
	put_value(out, OID_CE_NAME_CONSTRAINTS, true, plan->permitted_subtrees);
	put_cdp(out, plan->cdp_uri);
	put_aia(out, plan);
	der_close(out, list);
	der_close(out, wrap);
}

static bool is_sequence(struct span der)
{
	struct der d = der_init(der);

	der_take(&d, DER_SEQUENCE);
	return der_done(&d);
}

static enum err check_serial(struct span serial, struct why *why)
{
	/* RFC 5280 4.1.2.2: positive, at most 20 octets with the sign */
	bool good = serial.n > 0 && serial.n <= ISSUER_SERIAL_MAX && serial.p[0] != 0
		&& !(serial.n == ISSUER_SERIAL_MAX && serial.p[0] & 0x80);

	if (!good)
		return WHY(why, CERT_PLAN, "RFC 5280 4.1.2.2",
			"serial: want 1 to %d octets, positive, without leading zero, have %zu octets", ISSUER_SERIAL_MAX, serial.n);
	return OK;
}

static enum err check_dates(int64_t not_before_s, int64_t not_after_s, struct why *why)
{
	if (not_before_s < date_min_s || not_after_s > date_max_s || not_before_s > not_after_s)
		return WHY(why, CERT_PLAN, "RFC 5280 4.1.2.5", "dates: want a start before an end within 1950 to 9999, have %lld to %lld",
			(long long)not_before_s, (long long)not_after_s);
	return OK;
}

static enum err check_uri(const char *uri, const char *what, struct why *why)
{
	for (const char *p = uri ? uri : ""; *p; p++) {
		if (*p <= 0x20 || *p >= 0x7f)
			return WHY(why, CERT_PLAN, "RFC 5280 4.2.1.13", "%s: want a URI of visible ASCII, have '%.200s'", what, uri);
	}
	return OK;
}

static enum err check_usage(const struct cert_plan *plan, struct why *why)
{
	/* RFC 5280 4.2.1.3: keyCertSign goes with cA and only with it */
	if (plan->is_ca != !!(plan->key_usage & KU_KEY_CERT_SIGN))
		return WHY(why, CERT_PLAN, "RFC 5280 4.2.1.3", "keyUsage: want keyCertSign in CA certificates only");
	if (plan->ekus_n > CERT_EKU_MAX)
		return WHY(why, CERT_PLAN, "RFC 5280 4.2.1.12", "extKeyUsage: want at most %d, have %zu", CERT_EKU_MAX, plan->ekus_n);
	/* RFC 5280 4.2.1.9, 4.2.1.10: path length and name constraints are for CAs */
	if (!plan->is_ca && plan->permitted_subtrees.n)
		return WHY(why, CERT_PLAN, "RFC 5280 4.2.1.10", "name constraints: want them in CA certificates only");
	return OK;
}

static enum err check_plan(const struct cert_plan *plan, struct why *why)
{
	TRY(check_serial(plan->serial, why));
	TRY(check_dates(plan->not_before_s, plan->not_after_s, why));
	/* RFC 5280 4.1.2.4: the issuer has a name; 4.1.2.6: so has a CA, and others may have it in the SAN */
	if (!is_sequence(plan->issuer) || plan->issuer.n == 2)
		return WHY(why, CERT_PLAN, "RFC 5280 4.1.2.4", "issuer: want a DER Name that is not empty");
	if (!is_sequence(plan->subject) || (subject_is_empty(plan) && (plan->is_ca || !plan->sans.n)))
		return WHY(why, CERT_PLAN, "RFC 5280 4.1.2.6", "subject: want a DER Name, not empty without a subjectAltName");
	if (plan->sans.n && !is_sequence(plan->sans))
		return WHY(why, CERT_PLAN, "RFC 5280 4.2.1.6", "subjectAltName: want DER GeneralNames");
	TRY(check_usage(plan, why));
	TRY(check_uri(plan->cdp_uri, "CRL distribution point", why));
	TRY(check_uri(plan->aia_uri, "CA issuers", why));
	return check_uri(plan->ocsp_uri, "OCSP", why);
}

static void put_tbs(struct buf *out, const struct cert_plan *plan, struct span alg, struct span own_key_id)
{
	size_t all = der_open(out, DER_SEQUENCE);
	size_t version = der_open(out, CTX_CONS | 0);

	der_put_small(out, 2);
	der_close(out, version);
	der_put_uint(out, plan->serial);
	buf_put_span(out, alg);
	buf_put_span(out, plan->issuer);
	size_t validity = der_open(out, DER_SEQUENCE);
	der_put_time(out, plan->not_before_s);
	der_put_time(out, plan->not_after_s);
	der_close(out, validity);
	buf_put_span(out, plan->subject);
	buf_put_span(out, plan->spki);
	put_extensions(out, plan, own_key_id);
	der_close(out, all);
}

enum err cert_build(const struct cert_plan *plan, const struct key *signer, struct buf *der_out, struct why *why)
{
	struct buf tbs OWNED_BUF = BUF(TBS_MAX);
	uint8_t key_id[20];
	struct span alg;

	TRY(check_plan(plan, why));
	TRY(spki_key_id(plan->spki, key_id, why));
	TRY(signature_alg(signer, &alg, why));
	put_tbs(&tbs, plan, alg, span_of(key_id, sizeof(key_id)));
	TRY(buf_check(&tbs, "certificate", why));
	return signed_write(buf_span(&tbs), signer, der_out, why);
}

enum err spki_key_id(struct span spki, uint8_t out[20], struct why *why)
{
	struct der all = der_init(spki);
	struct der d = der_enter(&all, DER_SEQUENCE);

	der_take(&d, DER_SEQUENCE);
	struct span bits = der_take_bits(&d);
	if (!der_done(&d) || !der_done(&all) || bits.n == 0)
		return WHY(why, CERT_PLAN, "RFC 5280 4.1.2.7", "subjectPublicKeyInfo: want it in DER, have other bytes");
	/* RFC 5280 4.2.1.2 (1): SHA-1 of the bits; a name for the key, no protection */
	if (EVP_Digest(bits.p, bits.n, out, NULL, EVP_sha1(), NULL) != 1)
		return WHY(why, CHAIN_LIBRARY, "", "SHA-1 for key identifiers");
	return OK;
}

static bool suffix_is_good(const char *suffix)
{
	size_t n = strlen(suffix);

	if (n == 0 || n > 253 || suffix[0] == '.' || suffix[n - 1] == '.')
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = suffix[i];
		bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
		if (!good)
			return false;
	}
	return true;
}

static void put_subtree(struct buf *out, uint8_t tag, const char *dot, const char *name)
{
	size_t at = der_open(out, DER_SEQUENCE);
	size_t base = der_open(out, tag);

	buf_put_text(out, dot);
	buf_put_text(out, name);
	der_close(out, base);
	der_close(out, at);
}

static bool is_urn(const char *suffix)
{
	return span_starts(span_text(suffix), "urn:");
}

enum err name_constraints_write(const char *const *suffixes, size_t n, struct buf *out, struct why *why)
{
	bool uris = true;
	size_t names = 0;

	for (size_t i = 0; i < n; i++) {
		if (is_urn(suffixes[i]))
			uris = false;
		else if (suffix_is_good(suffixes[i]))
			names++;
		else
			return WHY(why, CERT_PLAN, "RFC 5280 4.2.1.10", "name constraint: want a DNS name, have '%.200s'", suffixes[i]);
	}
	if (names == 0)
		return WHY(why, CERT_PLAN, "RFC 5280 4.2.1.10", "name constraints: want at least one DNS name, have none");
	size_t all = der_open(out, DER_SEQUENCE);
	size_t permitted = der_open(out, CTX_CONS | 0);
	for (size_t i = 0; i < n; i++) {
		if (is_urn(suffixes[i]))
			continue;
		put_subtree(out, DNS_NAME, "", suffixes[i]);
		/* RFC 5280 4.2.1.10: a URI constraint is one host, or with a leading dot all below it; a URI
		 * without a host fails any, so none is set where URNs are to be certified */
		if (uris) {
			put_subtree(out, URI_NAME, "", suffixes[i]);
			put_subtree(out, URI_NAME, ".", suffixes[i]);
		}
	}
	der_close(out, permitted);
	der_close(out, all);
	return buf_check(out, "name constraints", why);
}
