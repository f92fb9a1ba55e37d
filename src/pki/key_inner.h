#pragma once
/* Inside of a key; private to pki/. */
#include "pki/key.h"

#include <openssl/evp.h>

struct key {
	EVP_PKEY *pkey;
	enum key_spec spec;
	key_sign sign; /* NULL: pkey holds the private key */
	void *sign_arg;
};

bool key_is_remote(const struct key *k);
MUST_CHECK enum err key_sign_remote(const struct key *k, struct span digest, uint8_t *sig, size_t *sig_n, struct why *why);
