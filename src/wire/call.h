#pragma once
/*
 * What passes between front and registrar: one call (an HTTP or CoAP request as values, with the
 * peer that sent it) and its reply. Reading and writing of both stand in call.c; frames come from a
 * process that touches the network, so reading trusts nothing.
 */
#include "base/buf.h"
#include "base/cursor.h"

enum {
	CALL_BODY_MAX = 64 * 1024,  /* a 20-certificate CMS with RSA-4096 fits in 48 kB */
	CALL_PATH_MAX = 1024,
	CALL_LEAF_MAX = 16 * 1024,
	REPLY_BODY_MAX = 4 * 1024 * 1024, /* a full CRL of 100,000 entries */
	CALL_MEDIA_MAX = 128,
	CALL_AGENT_MAX = 128,
	CALL_ADDRESS_MAX = 64,
	CALL_NAME_MAX = 256,
	CALL_BINDING_MAX = 64,
	CALL_IDENTITY_MAX = 320, /* psk_identity: HEX32@FQDN, name@FQDN */
	CALL_EXPORT_MAX = 96,    /* two keys with their identifiers, TS-0003 10.3.1 */
};

enum call_method {
	CALL_GET = 1,
	CALL_HEAD,
	CALL_POST,
	CALL_PUT,
	CALL_DELETE,
};

/* How far the front could trust the peer's certificate. */
enum peer_trust {
	PEER_ANONYMOUS = 0,   /* no client certificate */
	PEER_OWN = 1,         /* chain ends at the MEF's own CA: MEF-provisioned certificate */
	PEER_THIRD_PARTY = 2, /* chain ends at the explicit third-party anchor database */
	PEER_RAW_KEY = 3,     /* self-signed end-entity certificate: proves a key, nothing else */
	PEER_PSK = 4,         /* TLS-PSK: holds the key of that identity */
	PEER_SRP = 5,         /* TLS-SRP: knows the password of that user */
};

/* What a call may carry that was exported from its TLS session (RFC 5705): by path, as it costs time. */
enum call_export {
	EXPORT_NONE = 0,
	EXPORT_BINDING,    /* RFC 9266 tls-exporter, into peer.exporter */
	EXPORT_ENROLMENT,  /* 48 octets of M2M_LABEL_BOOTSTRAP, 48 of M2M_LABEL_REAUTH, into peer.exported */
	EXPORT_CONNECTION, /* 48 octets of M2M_LABEL_CONNECTION, into peer.exported */
};

struct peer {
	enum peer_trust trust;
	bool proxied;         /* its TLS ended at a trusted proxy, which told us of it: never PEER_RAW_KEY, PEER_PSK, PEER_SRP,
	                       * exporter, exported or unique */
	bool strong;          /* the TLS suite has a key of 256 bits */
	uint16_t tls_version; /* 0x0303, 0x0304; 0 on a plain connection, or where a proxy did not tell */
	struct span leaf;     /* DER of the peer's certificate; empty for PEER_ANONYMOUS */
	uint8_t anchor[32];   /* SHA-256 of what the peer was known by: the anchor's DER where a chain was verified,
	                       * the key for PEER_PSK, the verifier for PEER_SRP; else zero */
	struct span identity; /* psk_identity or SRP user as shown; empty unless PEER_PSK, PEER_SRP */
	struct span exporter; /* 32 octets, RFC 9266 tls-exporter binding; empty where nobody asked or without TLS */
	struct span exported; /* keys for the call's procedure; empty where nobody asked, or without the extended
	                       * master secret where that is required */
	struct span unique;   /* RFC 5929 tls-unique on TLS 1.2; empty on 1.3 */
	char sni[CALL_NAME_MAX];
	char address[CALL_ADDRESS_MAX]; /* "127.0.0.1", without port */
};

struct call {
	enum call_method method;
	struct span path;  /* as received, undecoded, no query */
	struct span query; /* without '?'; may be empty */
	struct span media_type;        /* Content-Type, as received */
	struct span transfer_encoding; /* Content-Transfer-Encoding, as received (RFC 8951 3.1: ignored) */
	struct span accept;
	struct span user_agent;
	struct span origin; /* X-M2M-Origin, or else From: who the caller says it is */
	struct span body;
	struct peer peer;
};

struct reply {
	uint16_t status;
	char media_type[CALL_MEDIA_MAX]; /* "" when there is no body */
	bool base64;                     /* send Content-Transfer-Encoding: base64 */
	uint32_t retry_after_s;          /* 0: no header */
	uint32_t max_age_s;              /* 0: Cache-Control: no-store */
	bool close;                      /* close the connection after this reply */
	unsigned int allow;              /* for 405: 1u << enum call_method of each that is served; 0: no Allow */
	struct span body;
};

/* The buffer may hold exported keys: buf_fini_wipe. */
void call_write(struct buf *out, const struct call *call);
/* Spans point into `in`. ERR_SYNTAX, ERR_LIMIT. */
MUST_CHECK enum err call_parse(struct span in, struct call *out, struct why *why);
void reply_write(struct buf *out, const struct reply *reply);
MUST_CHECK enum err reply_parse(struct span in, struct reply *out, struct why *why);
