#pragma once
/*
 * HTTPS calls of the device by libcurl: explicit anchors only, client certificate, one connection kept
 * for all calls of a run, no redirects, bounded replies. Blocking.
 */
#include "base/buf.h"
#include "pki/cert.h"
#include "wire/call.h"

enum { FETCH_CERTS_MAX = 8, FETCH_BODY_MAX = 1024 * 1024 };

struct fetch_config {
	struct span anchors_pem;
	struct span cert_pem; /* client certificate, then intermediates; empty: none */
	struct span key_pem;  /* its key, unencrypted PKCS#8; wiped by the caller */
	const char *connect;  /* "HOST:PORT" to connect to instead of the URL's; NULL: as the URL says */
	int64_t timeout_s;    /* whole call; 0: 60 */
	bool tls12_only;
};

struct fetch_reply {
	unsigned int status;
	char media_type[CALL_MEDIA_MAX];
	int64_t retry_after_s;
	struct buf body;
	struct span certs[FETCH_CERTS_MAX]; /* DER shown by the server, leaf first; inside of certs_der */
	size_t certs_n;
	struct buf certs_der;
};

struct fetch;

void fetch_reply_fini(struct fetch_reply *r);
#define OWNED_REPLY __attribute__((cleanup(fetch_reply_fini)))

MUST_CHECK enum err fetch_new(const struct fetch_config *config, struct fetch **out, struct why *why);
void fetch_free(struct fetch *f);
void fetch_cleanup(struct fetch **f);
#define OWNED_FETCH __attribute__((cleanup(fetch_cleanup)))
/* ERR_SYSTEM with libcurl's reason; a certificate without the exact host name is refused too. */
MUST_CHECK enum err fetch_call(struct fetch *f, enum call_method method, const char *url, const char *media_type,
	const char *accept, struct span body, struct fetch_reply *out, struct why *why);
