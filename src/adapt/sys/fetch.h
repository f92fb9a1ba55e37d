#pragma once
/*
 * HTTPS calls of the device by libcurl: explicit anchors only, client certificate, shared key or password, one connection
 * kept for all calls of a run, redirects told and not followed, no proxies, bounded replies. Blocking. The server's certificate is
 * judged in the handshake, before anything is sent, by the same path validation as everywhere else. With a
 * shared key or a password no certificate counts: the server must hold the key, or the password's verifier.
 */
#include "base/buf.h"
#include "base/secret.h"
#include "pki/chain.h"
#include "port/clock.h"
#include "wire/call.h"

enum {
	FETCH_CERTS_MAX = CHAIN_MAX + 1,
	FETCH_BODY_MAX = 1024 * 1024,
	FETCH_IDENTITY_SIZE = 257, /* OpenSSL's PSK_MAX_IDENTITY_LEN, and a NUL */
	FETCH_SRP_USER_MAX = 255,  /* RFC 5054 2.8.1 */
	FETCH_SRP_PASSWORD_MAX = 256, /* SRP_PASSWORD_MAX of the MEF */
	FETCH_EXPORT_SIZE = 48,    /* TS-0003 10.3.1 */
	FETCH_EXPORTS_MAX = 2,
	FETCH_BINDING_MAX = 64,    /* RFC 5929: a Finished message; RFC 9266: 32 octets */
	FETCH_ORIGIN_MAX = 512,    /* M2M_ID_MAX */
};

struct fetch_config {
	struct span anchors_pem; /* may be empty with a psk, an srp_user, or when provisional */
	/*
	 * RFC 7030 4.1.1: nobody authenticates the server; a person judges what it says. Without client certificate, psk and
	 * password only, so that nothing is told to whoever it is.
	 */
	bool provisional;
	const char *psk_identity; /* NULL: by certificates */
	struct secret psk;       /* 1 to SECRET_MAX octets; wiped by the caller */
	const char *srp_user;    /* RFC 7030 3.3.3: TLS-SRP, so TLS 1.2; without client certificate and psk. NULL: none */
	struct span srp_password; /* 1 to FETCH_SRP_PASSWORD_MAX octets without NUL; wiped by the caller */
	struct span cert_pem; /* client certificate, then intermediates; empty: none */
	struct span key_pem;  /* its key, unencrypted; wiped by the caller */
	struct clock clock;
	const char *connect;  /* "HOST:PORT" to connect to instead of the URL's; NULL: as the URL says */
	int64_t timeout_s;    /* whole call; 0: 60 */
	bool tls12_only;
};

struct fetch_ask {
	enum call_method method; /* not CALL_HEAD */
	const char *url;
	const char *media_type; /* of the body; NULL: no body */
	const char *accept;     /* NULL: anything */
	struct span body;
	bool base64;            /* say Content-Transfer-Encoding: base64 */
	const char *origin;     /* X-M2M-Origin: who asks; NULL: none */
	/* RFC 5705: what to export from the TLS session of this very call, without context */
	const char *labels[FETCH_EXPORTS_MAX];
	size_t labels_n;
	bool bindings; /* tell the channel bindings of the TLS session of this very call */
};

struct fetch_reply {
	unsigned int status;
	char media_type[CALL_MEDIA_MAX];
	int64_t retry_after_s;
	char location[CALL_PATH_MAX]; /* of a redirection, made absolute; "": none, or too long */
	struct buf body; /* may hold a key: wiped */
	struct secret exported[FETCH_EXPORTS_MAX]; /* FETCH_EXPORT_SIZE octets of each label asked for */
	/* RFC 5929, full handshakes of TLS 1.2 alone; RFC 9266, TLS 1.2 only with the extended master secret */
	uint8_t unique[FETCH_BINDING_MAX], exporter[FETCH_BINDING_MAX];
	size_t unique_n, exporter_n; /* 0: none */
	const struct span *certs; /* DER shown by the server, leaf first; valid until the next call */
	size_t certs_n;
};

struct fetch;

void fetch_reply_fini(struct fetch_reply *r);
#define OWNED_REPLY __attribute__((cleanup(fetch_reply_fini)))

/* ERR_NOT_FOUND, ERR_SYNTAX for anchors that cannot be read; ERR_NOMEM; ERR_UNSUPPORTED for a libcurl without OpenSSL. */
MUST_CHECK enum err fetch_new(const struct fetch_config *config, struct fetch **out, struct why *why);
void fetch_free(struct fetch *f);
void fetch_cleanup(struct fetch **f);
#define OWNED_FETCH __attribute__((cleanup(fetch_cleanup)))
/*
 * Any status is OK. AGENT_SERVER, AGENT_PSK_SERVER (ERR_FORBIDDEN): the server's chain, name or key; AGENT_CLIENT,
 * AGENT_PSK (ERR_FORBIDDEN), AGENT_SRP, AGENT_SRP_SERVER likewise by password: the server ended the handshake; AGENT_REPLY (ERR_SYNTAX): body too large; AGENT_EMS
 * (ERR_UNSUPPORTED): nothing may be exported from this session; AGENT_CONNECT (ERR_SYSTEM): the rest.
 */
MUST_CHECK enum err fetch_send(struct fetch *f, const struct fetch_ask *ask, struct fetch_reply *out, struct why *why);
/* The same for EST: a body is base64. */
MUST_CHECK enum err fetch_call(struct fetch *f, enum call_method method, const char *url, const char *media_type,
	const char *accept, struct span body, struct fetch_reply *out, struct why *why);
