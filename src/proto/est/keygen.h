#pragma once
/*
 * Server-side key generation (RFC 7030 4.4, RFC 8951): how a request asks for an encrypted key, and the answer of two
 * parts. Writing and reading of both stand in keygen.c, for server and device.
 */
#include "pki/cms_envelope.h"

enum {
	EST_KEYGEN_ID_MAX = CMS_KEK_ID_MAX, /* octets of either identifier; a KpmId has at most 318 */
	EST_KEYGEN_BODY_MAX = 512 * 1024,   /* two messages of CMS_ENVELOPE_MAX octets in base64 */
	EST_KEYGEN_BOUNDARY_MAX = 70,       /* RFC 2046 5.1.1 */
	EST_KEYGEN_MEDIA_SIZE = 96,
	EST_KEYGEN_SEED_SIZE = 16,
};

struct est_keygen {
	struct span symmetric;  /* DecryptKeyIdentifier (4.4.1.1), or empty */
	struct span asymmetric; /* AsymmetricDecryptKeyIdentifier (4.4.1.2), or empty; never both */
	enum cms_cipher content; /* the first of smimeCapabilities that we know; without any AES-256, OAEP */
	enum cms_cipher wrap;
	enum cms_transport transport;
};

/* attributes: of struct csr. Spans point into it. ERR_SYNTAX, ERR_UNSUPPORTED. */
MUST_CHECK enum err est_keygen_parse(struct span attributes, struct est_keygen *out, struct why *why);
/* Appends the attributes that say so, DER one behind the other; of algorithms the best of each purpose. */
void est_keygen_put(struct buf *out, const struct est_keygen *ask);

struct est_keygen_parts {
	bool encrypted;   /* key is EnvelopedData instead of PrivateKeyInfo */
	struct span key;  /* writing: DER, a secret. Reading: base64 text inside the body, for est_body_der */
	struct span cert; /* the same of the certs-only message */
};
/* seed: random octets for the boundary. out holds a key: buf_fini_wipe. */
MUST_CHECK enum err est_keygen_write(const struct est_keygen_parts *parts, const uint8_t seed[EST_KEYGEN_SEED_SIZE],
	struct buf *out, char media_type_out[EST_KEYGEN_MEDIA_SIZE], struct why *why);
/* ERR_SYNTAX. */
MUST_CHECK enum err est_keygen_read(
	struct span media_type, struct span body, struct est_keygen_parts *out, struct why *why);
