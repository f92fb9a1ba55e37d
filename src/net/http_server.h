#pragma once
/*
 * Listening sockets to calls: accepts, runs the TLS handshake, frames HTTP/1.1, hands each request to
 * one function and writes its reply. Knows nothing of EST. Limits are named here and tested.
 */
#include "net/loop.h"
#include "net/tls.h"
#include "wire/call.h"

struct http_limits {
	unsigned int connections;            /* in all, default 10000 */
	unsigned int connections_per_source; /* per address, default 256 */
	int64_t handshake_ms;                /* default 10 s */
	int64_t request_ms;                  /* first byte to last byte of a request, default 30 s */
	int64_t idle_ms;                     /* between requests, default 60 s */
	size_t body_max;
};

struct http_server;
/* One request under way; stays valid until answered, also when its connection is gone. */
struct http_exchange;

typedef void (*http_handler)(void *arg, struct http_exchange *x, const struct call *call);

MUST_CHECK enum err http_server_new(struct loop *l, const struct http_limits *limits, http_handler handler, void *arg,
	struct http_server **out, struct why *why);
/* Takes a listening socket; tls NULL: plain HTTP. */
MUST_CHECK enum err http_server_listen(struct http_server *s, int fd, struct tls_server *tls, struct why *why);
/* Exactly once for each exchange. */
void http_exchange_reply(struct http_exchange *x, const struct reply *reply);
/* Stops accepting, closes idle connections, answers what is under way, then calls done. */
void http_server_drain(struct http_server *s, int64_t limit_ms, loop_fn done, void *arg);
void http_server_free(struct http_server *s);
