#pragma once
/*
 * Keys derived from the Enrolment Key (TS-0003 10.3.2, 10.3.3, 10.3.7): HMAC-SHA-256 over a label and
 * NFKC-normalised identifiers. What the text leaves open is decided in docs/decisions/0013.
 */
#include "base/secret.h"
#include "base/why.h"
#include "proto/m2m/ids.h"

/* out gets M2M_KEY_SIZE octets. ERR_SYNTAX: identifier not UTF-8, empty, or above M2M_ID_MAX; ERR_CRYPTO. */
MUST_CHECK enum err m2m_derive_km(const struct secret *ke, struct span maf_id, struct secret *out, struct why *why);
MUST_CHECK enum err m2m_derive_kpsa(const struct secret *ke, struct span enrolee_b_id, struct secret *out, struct why *why);
/* The key for that use with that target; a CSE or AE by the FQDN form of its absolute identifier. */
MUST_CHECK enum err m2m_derive_constrained(const struct secret *ke, unsigned int suid, struct span target_id,
	struct secret *out, struct why *why);
/* Parts of an exporter's output (10.3.1): first 16 octets identifier, last 32 key. */
MUST_CHECK enum err m2m_split_export(struct span exported, uint8_t relative_out[M2M_RELATIVE_SIZE],
	struct secret *key_out, struct why *why);
