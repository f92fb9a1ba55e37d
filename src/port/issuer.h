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
	ISSUER_NAME_MAX = 32,
	ISSUER_SUIDS_MAX = 8,
	ISSUER_RESPONSE_MAX = 48 * 1024,
};

struct issue_order {
	char issuer[ISSUER_NAME_MAX]; /* "": the MEF's own CA; else a section [issuer NAME] */
	char profile[ISSUER_PROFILE_MAX];
	struct span csr;     /* DER PKCS#10; the issuer verifies its signature (proof of possession) */
	struct span subject; /* DER Name that the certificate gets; the profile may refuse it */
	struct span sans;    /* DER GeneralNames for subjectAltName; empty for none */
	int64_t not_after_s; /* upper bound, 0 for the profile's own */
	uint8_t suids[ISSUER_SUIDS_MAX]; /* security usage identifiers, turned into EKUs where switched on */
	size_t suids_n;
	/* For whom, where another CA may want to know; borrowed, NULL: nobody said. */
	const char *enrolee_id;
	const char *label;
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
	char ca[ISSUER_NAME_MAX]; /* whose: the name of its configuration; "": the issuing one's */
	uint64_t number;
	int64_t this_update_s;
	int64_t next_update_s;
	const struct crl_entry *entries;
	size_t entries_n;
};

/* A key pair made for a client (RFC 7030 4.4). */
struct key_order {
	int spec;            /* enum key_spec of pki/key.h */
	char profile[ISSUER_PROFILE_MAX]; /* that the certificate will be ordered by, whose kinds of key count; "": any kind */
	struct span subject; /* DER Name of the request that comes with it */
	struct span sans;    /* DER GeneralNames in it, for a CA that reads them there; empty for none */
	bool package;        /* also as signed AsymmetricKeyPackage */
};

struct made_key {
	struct span pkcs8;   /* DER, a secret: whoever copies it wipes the copy */
	struct span package; /* CMS SignedData over an AsymmetricKeyPackage (RFC 5958), by the message key; a secret too */
	struct span csr;     /* DER PKCS#10 signed by that key, for issue() */
};

typedef void (*key_done)(void *arg, enum err err, const struct made_key *key, const struct why *why);
/* der: CMS SignedData by the message key. */
typedef void (*sign_done)(void *arg, enum err err, struct span der, const struct why *why);
typedef void (*issue_done)(void *arg, enum err err, const struct issue_result *result, const struct why *why);
typedef void (*crl_done)(void *arg, enum err err, struct span der, const struct why *why);

struct issuer {
	void *self;
	void (*issue)(void *self, const struct issue_order *order, issue_done done, void *arg);
	void (*sign_crl)(void *self, const struct crl_order *order, crl_done done, void *arg);
	/* Both ERR_UNSUPPORTED where there is no message key. */
	void (*make_key)(void *self, const struct key_order *order, key_done done, void *arg);
	/* pki_response: DER PKIResponse (RFC 5272 3.2.2), at most ISSUER_RESPONSE_MAX octets. */
	void (*sign_cmc)(void *self, struct span pki_response, sign_done done, void *arg);
};
