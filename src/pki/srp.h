#pragma once
/*
 * Password verifiers of SRP as TLS uses it (RFC 5054), in the group of 3072 bits of its appendix A with g = 5; smaller
 * groups have less strength than what they protect.
 */
#include "base/span.h"
#include "base/why.h"

enum {
	SRP_SALT_SIZE = 16,
	SRP_VERIFIER_SIZE = 384,
	SRP_USER_MAX = 128,      /* RFC 5054 2.8.1: 255 octets at most in the ClientHello */
	SRP_PASSWORD_MIN = 12,   /* nothing slows a guess down but the handshake */
	SRP_PASSWORD_MAX = 256,
};

/* RFC 5054 2.4: v = g^x mod N, x = SHA1(salt | SHA1(user ":" password)). ERR_CRYPTO, ERR_NOMEM. */
MUST_CHECK enum err srp_verifier(struct span user, struct span password, const uint8_t salt[SRP_SALT_SIZE],
	uint8_t out[SRP_VERIFIER_SIZE], struct why *why);
