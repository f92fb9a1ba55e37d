#pragma once
/*
 * A library context for TLS alone. OpenSSL 3.0 looks through all decoders and key managers whenever it
 * decodes a public key; a provider that forwards the default one, but lists only those of EC and RSA
 * public keys, saves a fifth of a handshake with client certificate.
 */
#include "base/why.h"

#include <openssl/types.h>

struct tls_provider;

/* *lib is owned by the provider. ERR_CRYPTO, ERR_NOMEM. */
MUST_CHECK enum err tls_provider_new(struct tls_provider **out, OSSL_LIB_CTX **lib, struct why *why);
void tls_provider_free(struct tls_provider *p); /* after everything that was made with its context */
