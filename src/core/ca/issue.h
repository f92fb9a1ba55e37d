#pragma once
/*
 * The CA engine of the signer. It verifies the CSR's signature itself, builds the certificate from the
 * profile, and never signs bytes that a caller made.
 */
#include "base/buf.h"
#include "core/ca/profile.h"
#include "port/random.h"

struct ca {
	const struct profile_set *profiles;
	const struct key *key;      /* borrowed */
	struct span cert_der;       /* issuing CA certificate */
	struct cert cert;           /* the same, parsed */
	char cdp_uri[PROFILE_URI_MAX];
	char aia_uri[PROFILE_URI_MAX];
	char own_host[PROFILE_URI_MAX]; /* the MEF's: in no certificate that is ordered here; "": none */
	int64_t crl_lifetime_max_s;     /* 0: any */
	struct random_source random;
};

/* ERR_UNSUPPORTED: the profile admits no key of that kind. */
MUST_CHECK enum err ca_check_key(const struct profile *p, enum key_spec spec, struct why *why);
/* Checks that key and certificate belong together and may sign. ERR_CRYPTO, ERR_SYSTEM (its dates). */
MUST_CHECK enum err ca_check(const struct ca *ca, int64_t now_s, struct why *why);
/* The same for a CA that only signs its CRLs: it has no profiles, and its dates are looked at with each list. ERR_CRYPTO. */
MUST_CHECK enum err ca_check_crl_only(const struct ca *ca, struct why *why);
/*
 * der_out receives the certificate; result->der points into it. Peer's faults: ERR_SYNTAX,
 * ERR_FORBIDDEN (proof of possession, profile rule), ERR_UNSUPPORTED (key), ERR_NOT_FOUND (profile),
 * ERR_SYSTEM (CA_EXPIRED, CA_NOT_YET: ours, not the asker's).
 */
MUST_CHECK enum err ca_issue(const struct ca *ca, const struct issue_order *order, int64_t now_s,
	struct buf *der_out, struct issue_result *result, struct why *why);
/*
 * Whoever orders it chooses neither how long a list counts nor when it was made: a list without the revoked
 * would outlive the thief. ERR_FORBIDDEN for dates that are not now_s's, ERR_SYSTEM when now lies outside the
 * CA certificate's dates, ERR_SYNTAX, ERR_CRYPTO.
 */
MUST_CHECK enum err ca_sign_crl(const struct ca *ca, const struct crl_order *order, int64_t now_s, struct buf *der_out,
	struct why *why);
