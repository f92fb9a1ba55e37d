#pragma once
/* Inside of fetch: what the server shows in the handshake, and whether it may be talked to. */
#include "adapt/sys/fetch.h"

enum { FETCH_HOST_SIZE = 256 };

struct fetch_psk;
struct fetch_srp;

struct fetch_server {
	const struct fetch_psk *psk; /* NULL: by certificates; borrowed */
	const struct fetch_srp *srp; /* likewise, by user and password */
	bool provisional;        /* any server will do */
	struct anchors *anchors; /* borrowed */
	struct clock clock;
	char host[FETCH_HOST_SIZE]; /* of the URL being called */
	struct why why;             /* why the last handshake was refused */
	struct buf der;
	struct span certs[FETCH_CERTS_MAX]; /* of the last handshake, inside of der; leaf first */
	size_t certs_n;
};

/* Puts our check in place of OpenSSL's for the connections of this SSL_CTX. */
void fetch_server_arm(void *ssl_ctx, struct fetch_server *s);
