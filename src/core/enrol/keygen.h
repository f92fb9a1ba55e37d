#pragma once
/*
 * Server-side key generation (RFC 7030 4.4): the flow of certificate.h around a key that the signer makes, given away
 * once, plain or encrypted for a key that the enrolee holds. docs/decisions/0016.
 */
#include "core/enrol/certificate.h"
#include "core/keys/vault.h"
#include "pki/cms_envelope.h"

struct keygen_ask {
	const struct enrol_ask *enrol; /* its maker is set here */
	const struct vault *vault;     /* outlives the call */
	struct span symmetric;         /* DecryptKeyIdentifier; empty for none */
	struct span asymmetric;        /* AsymmetricDecryptKeyIdentifier; both empty: the key goes plain */
	bool strong;                   /* the session that a plain key goes over has 256 bits */
	enum cms_cipher content, wrap;
	enum cms_transport transport;
};

struct keygen_answer {
	bool encrypted;
	struct span key; /* PrivateKeyInfo, or EnvelopedData around its signed package; a secret */
	struct span cert;
};

/* a: borrowed, NULL unless err is OK. why is never NULL. */
typedef void (*keygen_done)(void *arg, enum err err, const struct keygen_answer *a, const struct why *why);
/* As enrol_certificate. Policy is that of enrolment, also for a client that has a certificate already. */
void enrol_keygen(const struct enrol_env *env, const struct keygen_ask *ask, keygen_done done, void *arg);
