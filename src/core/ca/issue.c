#include "core/ca/issue.h"

#include "base/date.h"
#include "core/ca/names.h"
#include "pki/build.h"
#include "pki/csr.h"

enum {
	SERIAL_SIZE = 16,        /* 127 random bits; RFC 5280 4.1.2.2 admits 20 octets */
	SUID_FIRST = 40,         /* TS-0004 6.3.4.2.39: the tens digit 4 means a certificate */
	SUID_LAST = 45,
	EKU_OCTETS_MAX = 2048,   /* CERT_EKU_MAX identifiers of at most 62 characters */
	SERIAL_TRIES = 4,
	CRL_SKEW_S = 300,        /* a list is collected, ordered and signed in seconds; a busy machine takes longer */
};

/* The object identifiers of one certificate; spans point into bytes. */
struct eku_set {
	struct buf bytes;
	size_t ends[CERT_EKU_MAX];
	size_t n;
};

static void eku_set_fini(struct eku_set *set)
{
	buf_fini(&set->bytes);
}

static enum err ca_check_dates(const struct ca *ca, int64_t now_s, struct why *why)
{
	char date[DATE_TEXT_SIZE], now[DATE_TEXT_SIZE];

	date_text(now_s, now);
	if (now_s > ca->cert.not_after_s) {
		date_text(ca->cert.not_after_s, date);
		return WHY(why, CA_EXPIRED, "RFC 5280 6.1.3", "CA certificate: valid until %s, now is %s", date, now);
	}
	if (now_s < ca->cert.not_before_s) {
		date_text(ca->cert.not_before_s, date);
		return WHY(why, CA_NOT_YET, "RFC 5280 6.1.3", "CA certificate: valid from %s, now is %s", date, now);
	}
	return OK;
}

static enum err ca_check_profiles(const struct profile_set *set, struct why *why)
{
	if (!set || set->n == 0 || set->n > PROFILES_MAX)
		return WHY(why, CA_PROFILES, "", "profiles: want 1 to %d, have %zu", PROFILES_MAX, set ? set->n : 0);
	for (size_t i = 0; i < set->n; i++) {
		TRY(profile_check(&set->items[i], why));
		if (profile_find(set, set->items[i].name) != &set->items[i])
			return WHY(why, CA_PROFILES, "", "profiles: want each name once, have '%s' twice", set->items[i].name);
	}
	return OK;
}

enum err ca_check_crl_only(const struct ca *ca, struct why *why)
{
	if (!ca->key || !key_matches_spki(ca->key, ca->cert.spki))
		return WHY(why, CA_KEY, "", "CA key: want the one of the CA certificate, have another");
	/* RFC 5280 4.2.1.3, 4.2.1.9: who signs certificates and CRLs says so */
	if (!ca->cert.is_ca)
		return WHY(why, CA_CERT, "RFC 5280 4.2.1.9", "CA certificate: want basicConstraints cA TRUE, have none");
	if (!(ca->cert.key_usage & KU_KEY_CERT_SIGN) || !(ca->cert.key_usage & KU_CRL_SIGN))
		return WHY(why, CA_CERT, "RFC 5280 4.2.1.3", "CA certificate: want keyUsage keyCertSign and cRLSign, have other bits");
	return OK;
}

enum err ca_check(const struct ca *ca, int64_t now_s, struct why *why)
{
	TRY(ca_check_crl_only(ca, why));
	TRY(ca_check_profiles(ca->profiles, why));
	return ca_check_dates(ca, now_s, why);
}

enum err ca_check_key(const struct profile *p, enum key_spec spec, struct why *why)
{
	for (size_t i = 0; i < p->keys_n; i++) {
		if (p->keys[i] == spec)
			return OK;
	}
	return WHY(why, ISSUE_KEY, "TS-0003 10.1.1.1", "key: profile %s wants %s%s, have %s", p->name, key_spec_name(p->keys[0]),
		p->keys_n > 1 ? " or another of its list" : "", key_spec_name(spec));
}

static enum err check_request(const struct ca *ca, const struct profile *p, const struct issue_order *order, struct csr *csr,
	struct why *why)
{
	TRY(csr_parse(order->csr, csr, why));
	TRY(ca_check_key(p, csr->key_spec, why));
	/* RFC 2986 4.2: the signature proves possession of the key; nobody else's word is taken for it */
	TRY(csr_verify(csr, why));
	if (csr->asks_ca)
		return WHY(why, ISSUE_ASKS_CA, "RFC 5280 4.2.1.9", "request: want an end entity's, have basicConstraints cA TRUE");
	TRY(names_check(p, order->sans, why));
	TRY(subject_check(order->subject, why));
	TRY(hosts_check(ca->own_host, order->subject, order->sans, why));
	/* RFC 5280 4.1.2.6: an empty subject needs a name elsewhere */
	if (name_is_empty(order->subject) && order->sans.n == 0)
		return WHY(why, ISSUE_NAME_NONE, "RFC 5280 4.1.2.6", "subject: want a subject or a subjectAltName, have neither");
	return OK;
}

/* RFC 5280 4.1.2.2: positive and unique; 127 bits from the kernel make a repetition improbable */
static enum err make_serial(const struct ca *ca, struct issue_result *result, struct why *why)
{
	uint8_t octets[SERIAL_SIZE];

	for (int i = 0; i < SERIAL_TRIES; i++) {
		size_t zeros = 0;
		TRY(random_fill(&ca->random, octets, sizeof(octets), why));
		octets[0] &= 0x7f;
		while (zeros < SERIAL_SIZE && octets[zeros] == 0)
			zeros++;
		if (zeros == SERIAL_SIZE)
			continue;
		result->serial_n = SERIAL_SIZE - zeros;
		memcpy(result->serial, octets + zeros, result->serial_n);
		return OK;
	}
	return WHY(why, CA_RANDOM, "RFC 5280 4.1.2.2", "serial: want a positive number, have zero %d times", SERIAL_TRIES);
}

static enum err make_dates(const struct ca *ca, const struct profile *p, const struct issue_order *order, int64_t now_s,
	struct issue_result *result, struct why *why)
{
	TRY(ca_check_dates(ca, now_s, why));
	result->not_before_s = now_s - p->backdate_s;
	result->not_after_s = now_s + p->validity_s;
	if (order->not_after_s && order->not_after_s < result->not_after_s)
		result->not_after_s = order->not_after_s;
	if (ca->cert.not_after_s < result->not_after_s)
		result->not_after_s = ca->cert.not_after_s;
	if (result->not_after_s <= now_s) {
		char end[DATE_TEXT_SIZE], now[DATE_TEXT_SIZE];
		date_text(result->not_after_s, end);
		date_text(now_s, now);
		return WHY(why, ISSUE_DATES, "RFC 5280 4.1.2.5", "end date: want one after %s, have %s", now, end);
	}
	return OK;
}

static enum err eku_add(struct eku_set *set, const char *dotted, struct why *why)
{
	if (set->n == CERT_EKU_MAX)
		return WHY(why, PROFILE_EKUS, "RFC 5280 4.2.1.12", "extended key usages: want at most %d, have more", CERT_EKU_MAX);
	TRY(oid_parse(dotted, &set->bytes, why));
	set->ends[set->n++] = set->bytes.n;
	return OK;
}

static enum err suids_add(const struct profile *p, const struct issue_order *order, struct eku_set *set, struct why *why)
{
	bool done[SUID_LAST - SUID_FIRST + 1] = {false};

	if (order->suids_n > ISSUER_SUIDS_MAX)
		return WHY(why, BUG, "", "suids: want at most %d, have %zu", ISSUER_SUIDS_MAX, order->suids_n);
	for (size_t i = 0; i < order->suids_n; i++) {
		uint8_t suid = order->suids[i];
		/* TS-0004 6.3.4.2.39: only 40 to 45 are uses of a certificate */
		if (suid < SUID_FIRST || suid > SUID_LAST)
			return WHY(why, ISSUE_SUID, "TS-0004 6.3.4.2.39", "SUID: want %d to %d, have %d", SUID_FIRST, SUID_LAST, suid);
		if (done[suid - SUID_FIRST])
			continue;
		done[suid - SUID_FIRST] = true;
		struct buf dotted OWNED_BUF = BUF(128);
		buf_put_fmt(&dotted, "%s.%d", p->suid_arc, suid);
		TRY(eku_add(set, buf_text(&dotted), why));
	}
	return OK;
}

static enum err make_ekus(const struct profile *p, const struct issue_order *order, struct eku_set *set, struct cert_plan *plan,
	struct why *why)
{
	for (size_t i = 0; i < p->ekus_n; i++)
		TRY(eku_add(set, p->ekus[i], why));
	if (p->suid_ekus)
		TRY(suids_add(p, order, set, why));
	for (size_t i = 0; i < set->n; i++) {
		size_t from = i ? set->ends[i - 1] : 0;
		plan->ekus[i] = span_of(set->bytes.p + from, set->ends[i] - from);
	}
	plan->ekus_n = set->n;
	return OK;
}

static enum err make_usage(const struct profile *p, const struct csr *csr, struct cert_plan *plan, struct why *why)
{
	bool ec = csr->key_spec == KEY_P256 || csr->key_spec == KEY_P384;

	plan->key_usage = p->key_usage;
	/* RFC 8813 3: an EC key never enciphers */
	if (ec)
		plan->key_usage &= (uint16_t)~(KU_KEY_ENCIPHERMENT | KU_DATA_ENCIPHERMENT);
	else
		plan->key_usage &= (uint16_t)~KU_KEY_AGREEMENT; /* RFC 3279 2.3.1: an RSA key never agrees on one */
	if (plan->key_usage == 0)
		return WHY(why, ISSUE_USAGE, "RFC 8813 3", "key usage: want one in profile %s that a %s key can have, have none", p->name,
			key_spec_name(csr->key_spec));
	return OK;
}

/* The issuer's key identifier: as its certificate says, else the one that any verifier would compute. */
static enum err issuer_key_id(const struct ca *ca, uint8_t room[20], struct span *out, struct why *why)
{
	*out = ca->cert.skid;
	if (out->n)
		return OK;
	TRY(spki_key_id(ca->cert.spki, room, why));
	*out = span_of(room, 20);
	return OK;
}

static enum err build(const struct ca *ca, const struct profile *p, const struct issue_order *order, const struct csr *csr,
	const struct issue_result *result, struct buf *der_out, struct why *why)
{
	struct eku_set ekus __attribute__((cleanup(eku_set_fini))) = {.bytes = BUF(EKU_OCTETS_MAX)};
	uint8_t key_id[20];
	struct cert_plan plan = {
		.serial = span_of(result->serial, result->serial_n),
		.issuer = ca->cert.subject,
		.subject = order->subject,
		.spki = csr->spki,
		.not_before_s = result->not_before_s,
		.not_after_s = result->not_after_s,
		.path_len = -1,
		.sans = order->sans,
		.cdp_uri = ca->cdp_uri,
		.aia_uri = ca->aia_uri,
	};

	TRY(make_usage(p, csr, &plan, why));
	TRY(make_ekus(p, order, &ekus, &plan, why));
	TRY(issuer_key_id(ca, key_id, &plan.akid, why));
	return cert_build(&plan, ca->key, der_out, why);
}

enum err ca_issue(const struct ca *ca, const struct issue_order *order, int64_t now_s, struct buf *der_out,
	struct issue_result *result, struct why *why)
{
	const struct profile *p = ca->profiles ? profile_find(ca->profiles, order->profile) : NULL;
	size_t before = der_out->n;
	struct csr csr;

	*result = (struct issue_result){0};
	if (!p)
		return WHY(why, PROFILE_UNKNOWN, "", "profile: want one that is configured, have '%.*s'", ISSUER_PROFILE_MAX,
			order->profile);
	TRY(check_request(ca, p, order, &csr, why));
	TRY(make_serial(ca, result, why));
	TRY(make_dates(ca, p, order, now_s, result, why));
	TRY(build(ca, p, order, &csr, result, der_out, why));
	result->der = span_from(buf_span(der_out), before);
	return OK;
}

/* RFC 5280 5.1.2.4, 5.1.2.5: thisUpdate is when the list is issued, nextUpdate when the next one is due */
static enum err check_crl_dates(const struct ca *ca, const struct crl_order *order, int64_t now_s, struct why *why)
{
	int64_t life_s = 0;

	if (order->this_update_s < now_s - CRL_SKEW_S || order->this_update_s > now_s + CRL_SKEW_S)
		return WHY(why, CA_CRL_DATES, "RFC 5280 5.1.2.4", "thisUpdate: want now, %lld, have %lld", (long long)now_s,
			(long long)order->this_update_s);
	if (ca->crl_lifetime_max_s && (__builtin_sub_overflow(order->next_update_s, order->this_update_s, &life_s) ||
		life_s > ca->crl_lifetime_max_s))
		return WHY(why, CA_CRL_DATES, "RFC 5280 5.1.2.5", "nextUpdate: want at most %lld s after thisUpdate, have %lld",
			(long long)ca->crl_lifetime_max_s, (long long)life_s);
	return OK;
}

enum err ca_sign_crl(const struct ca *ca, const struct crl_order *order, int64_t now_s, struct buf *der_out, struct why *why)
{
	uint8_t room[20];
	struct span key_id;

	TRY(check_crl_dates(ca, order, now_s, why));
	TRY(ca_check_dates(ca, order->this_update_s, why));
	TRY(issuer_key_id(ca, room, &key_id, why));
	return crl_build(order, ca->cert.subject, key_id, ca->key, der_out, why);
}
