#pragma once
/*
 * HTTPS calls of the device by libcurl: explicit anchors only, client certificate, one connection kept
 * for all calls of a run, no redirects, no proxies, bounded replies. Blocking. The server's certificate is
 * judged in the handshake, before anything is sent, by the same path validation as everywhere else.
 */
#include "base/buf.h"
#include "pki/chain.h"
#include "port/clock.h"
#include "wire/call.h"

enum { FETCH_CERTS_MAX = CHAIN_MAX + 1, FETCH_BODY_MAX = 1024 * 1024 };

struct fetch_config {
	struct span anchors_pem;
	struct span cert_pem; /* client certificate, then intermediates; empty: none */
	struct span key_pem;  /* its key, unencrypted; wiped by the caller */
	struct clock clock;
	const char *connect;  /* "HOST:PORT" to connect to instead of the URL's; NULL: as the URL says */
	int64_t timeout_s;    /* whole call; 0: 60 */
	bool tls12_only;
};

struct fetch_reply {
	unsigned int status;
	char media_type[CALL_MEDIA_MAX];
	int64_t retry_after_s;
	struct buf body;
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
 * Any status is OK. AGENT_SERVER (ERR_FORBIDDEN): the server's chain or name; AGENT_CLIENT (ERR_FORBIDDEN):
 * the server ended the handshake; AGENT_REPLY (ERR_SYNTAX): body too large; AGENT_CONNECT (ERR_SYSTEM): the rest.
 */
MUST_CHECK enum err fetch_call(struct fetch *f, enum call_method method, const char *url, const char *media_type,
	const char *accept, struct span body, struct fetch_reply *out, struct why *why);
