#pragma once
/*
 * The certificate authority as the business sees it: an order that names a profile goes out, a
 * certificate or a reason comes back later. Never blocks. `done` runs exactly once, possibly before
 * issue() returns; result and reason are borrowed for that call only.
 */
#include "base/span.h"
#include "base/why.h"

enum {
	ISSUER_SERIAL_MAX = 20, /* RFC 5280 4.1.2.2 */
	ISSUER_PROFILE_MAX = 32,
	ISSUER_SUIDS_MAX = 8,
};

struct issue_order {
	char profile[ISSUER_PROFILE_MAX];
	struct span csr;     /* DER PKCS#10; the issuer verifies its signature (proof of possession) */
	struct span subject; /* DER Name that the certificate gets; the profile may refuse it */
	struct span sans;    /* DER GeneralNames for subjectAltName; empty for none */
	int64_t not_after_s; /* upper bound, 0 for the profile's own */
	uint8_t suids[ISSUER_SUIDS_MAX]; /* security usage identifiers, turned into EKUs where switched on */
	size_t suids_n;
};

struct issue_result {
	struct span der;
	uint8_t serial[ISSUER_SERIAL_MAX]; /* big-endian, no sign octet */
	size_t serial_n;
	int64_t not_before_s;
	int64_t not_after_s;
};

struct crl_entry {
	uint8_t serial[ISSUER_SERIAL_MAX];
	size_t serial_n;
	int64_t revoked_s;
	uint8_t reason; /* RFC 5280 5.3.1 */
};

struct crl_order {
	uint64_t number;
	int64_t this_update_s;
	int64_t next_update_s;
	const struct crl_entry *entries;
	size_t entries_n;
};

typedef void (*issue_done)(void *arg, enum err err, const struct issue_result *result, const struct why *why);
typedef void (*crl_done)(void *arg, enum err err, struct span der, const struct why *why);

struct issuer {
	void *self;
	void (*issue)(void *self, const struct issue_order *order, issue_done done, void *arg);
	void (*sign_crl)(void *self, const struct crl_order *order, crl_done done, void *arg);
};
