#pragma once
/*
 * The message key: signs CMC answers and the keys that the MEF makes (docs/decisions/0016). Its certificate is an end
 * entity's under the issuing CA, so that neither needs the CA key.
 */
#include "base/buf.h"
#include "core/ca/issue.h"
#include "pki/csr.h"

enum { MESSAGE_SIGNED_MAX = ISSUER_RESPONSE_MAX + 2 * CERT_DER_MAX + 4096 };

struct message {
	const struct key *key; /* borrowed */
	struct span cert_der;
	struct cert cert;      /* the same, parsed */
	struct span ca_der;    /* its issuer, sent along */
	const struct profile_set *profiles; /* borrowed; NULL: keys are made whatever profile is named */
};

/* Key and certificate belong together, and the certificate may sign. ERR_CRYPTO. */
MUST_CHECK enum err message_check(const struct message *m, struct why *why);
/* A made key as octets; all of it secret. */
struct made_key_bytes {
	struct buf pkcs8, package, csr;
};
#define MADE_KEY_BYTES \
	((struct made_key_bytes){.pkcs8 = BUF(KEY_PKCS8_MAX), .package = BUF(MESSAGE_SIGNED_MAX), .csr = BUF(CSR_DER_MAX)})
void made_key_bytes_fini(struct made_key_bytes *b); /* wipes */
struct made_key made_key_view(const struct made_key_bytes *b);
/* Both ERR_SYSTEM outside the certificate's dates at now_s; ERR_UNSUPPORTED for a spec that no key is made of. */
MUST_CHECK enum err message_make_key(const struct message *m, const struct key_order *order, int64_t now_s,
	struct made_key_bytes *out, struct why *why);
/* ERR_SYNTAX: no SEQUENCE; ERR_LIMIT. */
MUST_CHECK enum err message_sign_cmc(const struct message *m, struct span pki_response, int64_t now_s, struct buf *out, struct why *why);
