#pragma once
/*
 * Certificates as views: where things lie in the DER, without decoding the key, which is the
 * costly part in OpenSSL 3.0. Nothing here checks a signature; chain.h does.
 */
#include "base/arena.h"
#include "pki/name.h"

enum { CERT_DER_MAX = 16 * 1024, CERT_EKU_MAX = 16 };

enum key_usage {
	KU_DIGITAL_SIGNATURE = 1 << 0,
	KU_NON_REPUDIATION = 1 << 1,
	KU_KEY_ENCIPHERMENT = 1 << 2,
	KU_DATA_ENCIPHERMENT = 1 << 3,
	KU_KEY_AGREEMENT = 1 << 4,
	KU_KEY_CERT_SIGN = 1 << 5,
	KU_CRL_SIGN = 1 << 6,
};

struct eku_list {
	struct span oids[CERT_EKU_MAX]; /* contents octets of each OBJECT IDENTIFIER */
	size_t n;
};

struct cert {
	struct span der;
	struct span tbs;
	struct span serial;  /* big-endian, no sign octet */
	struct span issuer;  /* DER Name */
	struct span subject; /* DER Name */
	struct span spki;    /* DER */
	int64_t not_before_s;
	int64_t not_after_s;
	bool is_ca;
	bool has_key_usage;
	uint16_t key_usage;
	struct eku_list ekus; /* n == 0 when the extension is absent */
	struct span san;      /* DER GeneralNames, empty when absent */
	struct span skid;     /* octets */
	struct span akid;     /* octets of keyIdentifier */
};

/*
 * Version 3 only. Consumes exactly. A critical extension that nobody here knows is chain.h's business.
 * ERR_SYNTAX, ERR_LIMIT.
 */
MUST_CHECK enum err cert_parse(struct span der, struct cert *out, struct why *why);
/* The value of an extension, contents octets of its OCTET STRING, by the contents octets of its OID; empty: not there. */
struct span cert_extension(const struct cert *c, struct span oid);
void cert_sha256(const struct cert *c, uint8_t out[32]);
/*
 * One or more PEM certificates to DER; der is valid during the call. Text around the blocks and blocks of
 * other kinds are passed over. ERR_SYNTAX names which; NOT_FOUND if none; else what `each` returns.
 */
typedef enum err (*cert_each)(void *arg, struct span der, struct why *why);
MUST_CHECK enum err cert_each_pem(struct span pem, cert_each each, void *arg, struct why *why);
/* The first of them, appended to der_out; the others are read too. */
MUST_CHECK enum err cert_first_pem(struct span pem, struct buf *der_out, struct why *why);
MUST_CHECK enum err cert_write_pem(struct span der, struct buf *out, struct why *why);
/* "id-kp-clientAuth" and friends, else dotted; in the arena. */
const char *oid_text(struct span contents, struct arena *arena);
/* Dotted text to contents octets. ERR_SYNTAX. */
/* "clientAuth, 1.3.6.1.5.5.7.3.1": serverAuth, clientAuth, cmcRA or dotted. ERR_SYNTAX, ERR_NOMEM. */
MUST_CHECK enum err eku_list_read(struct span text, struct arena *arena, struct eku_list *out, struct why *why);
MUST_CHECK enum err oid_parse(const char *dotted, struct buf *out, struct why *why);
/* Several lines for people: subject, issuer, serial, validity, names, usage, key, SHA-256. */
MUST_CHECK enum err cert_describe(struct span der, struct buf *out, struct why *why);
