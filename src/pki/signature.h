#pragma once
/*
 * The SIGNED form of X.509: SEQUENCE { what is signed, AlgorithmIdentifier, BIT STRING }. The
 * algorithm follows the key: ECDSA with SHA-256 (P-256) or SHA-384 (P-384), RSA PKCS#1 v1.5 with SHA-256.
 */
#include "pki/key.h"

/* DER AlgorithmIdentifier for that key, static. ERR_UNSUPPORTED for other kinds of key. */
MUST_CHECK enum err signature_alg(const struct key *k, struct span *der_out, struct why *why);
/* Appends the SIGNED form of tbs; out is as it was when anything fails. */
MUST_CHECK enum err signed_write(struct span tbs, const struct key *k, struct buf *out, struct why *why);
/*
 * alg: DER AlgorithmIdentifier. SHA-2 with ECDSA or RSA PKCS#1 v1.5 only. ERR_UNSUPPORTED for another
 * algorithm, ERR_FORBIDDEN when the signature does not belong to this text and key.
 */
MUST_CHECK enum err signature_check(const struct key *k, struct span alg, struct span signed_bytes, struct span signature,
	struct why *why);
