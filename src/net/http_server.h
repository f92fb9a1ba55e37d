#pragma once
/*
 * Listening sockets to calls: accepts, runs the TLS handshake, frames HTTP/1.1, hands each request to
 * one function and writes its reply. Knows nothing of EST. Limits are named here and tested.
 *
 * A source past its limit is closed at once, before its handshake. When all connections are taken, the one
 * that has been idle longest makes room; if none is idle, the new one is closed at once: a handshake only
 * to say 503 would cost more than the request. Requests that come pipelined are handled one by one, in
 * order. A request that cannot be read is answered with its status and a reason, then closed.
 * With no connection open there is no timer and no wake-up.
 */
#include "base/prefix.h"
#include "base/secret.h"
#include "net/loop.h"
#include "net/tls.h"
#include "wire/call.h"

struct http_limits { /* 0: the default */
	unsigned int connections;            /* in all, default 10000 */
	unsigned int connections_per_source; /* per IPv4 address or IPv6 /64, default 256 */
	int64_t handshake_ms;                /* default 10 s */
	int64_t request_ms;                  /* first byte to last byte of a request, default 30 s; then 408. Also
	                                      * for each 64 KiB of a reply that the client takes */
	int64_t idle_ms;                     /* between requests, default 60 s */
	size_t body_max;                     /* default CALL_BODY_MAX, never more */
};

struct http_server;
/* One request under way; stays valid until answered, also when its connection is gone. */
struct http_exchange;

/* call is borrowed until the handler returns. The handler may reply at once or at any later time. */
typedef void (*http_handler)(void *arg, struct http_exchange *x, const struct call *call);

/* limits NULL: all defaults. */
MUST_CHECK enum err http_server_new(struct loop *l, const struct http_limits *limits, http_handler handler, void *arg,
	struct http_server **out, struct why *why);
/* Takes a listening socket, also when it fails; tls NULL: plain HTTP. tls must outlive the server. */
MUST_CHECK enum err http_server_listen(struct http_server *s, int fd, struct tls_server *tls, struct why *why);
/*
 * Who may speak for others, copied; before listening. Without this call: nobody. protocol: connections of these addresses
 * to TLS listeners and to those below begin with a PROXY header of version 2, which tells the client's address. Nobody
 * else's header is read.
 */
enum { HTTP_PROXIES_MAX = 16 };
struct http_proxies {
	struct prefix from[HTTP_PROXIES_MAX];
	size_t n;
	bool protocol;
};
void http_server_proxies(struct http_server *s, const struct http_proxies *proxies);
/*
 * The same for plain HTTP from such proxies, which may tell of a client's certificate by RFC 9440; tls verifies it. A
 * connection from elsewhere is closed at once.
 */
MUST_CHECK enum err http_server_listen_proxied(struct http_server *s, int fd, struct tls_server *tls, struct why *why);
/* Exactly once for each exchange; dropped when the connection is gone. */
void http_exchange_reply(struct http_exchange *x, const struct reply *reply);
/* The same with the reason as a text body, by the status of its kind. retry_after_s 0: no such field. */
void http_exchange_refuse(struct http_exchange *x, const struct why *why, uint32_t retry_after_s);
/*
 * Which exported values this call needs (wire/call.h), asked before the handler gets it; the call has no
 * exported values yet. NULL, the default: none.
 */
typedef enum call_export (*http_exports)(void *arg, const struct call *call);
void http_server_exports(struct http_server *s, http_exports exports, void *arg);
/*
 * A TLS-PSK handshake that waits for its key, while other connections go on; stays valid until answered, also
 * when its connection is gone. Without a handler no PSK suite is offered (tls_config.psk must agree).
 */
struct http_psk;
typedef void (*http_psk_handler)(void *arg, struct http_psk *ask, struct span identity);
void http_server_psk(struct http_server *s, http_psk_handler handler, void *arg);
/* The same for the verifier of an SRP user (tls_config.srp must agree); answered by http_srp_reply. */
void http_server_srp(struct http_server *s, http_psk_handler handler, void *arg);
/* record: salt and verifier, as tls_srp_give; empty: nobody can tell now. */
void http_srp_reply(struct http_psk *ask, struct span record);
/* Exactly once, at once or later. key NULL: nobody can tell now, the connection is closed. */
void http_psk_reply(struct http_psk *ask, const struct secret *key);
/*
 * Stops accepting, closes idle connections, answers what is under way, then calls done (from the loop,
 * never from inside this call). After limit_ms what is left is cut. The server stays to be freed.
 */
void http_server_drain(struct http_server *s, int64_t limit_ms, loop_fn done, void *arg);
unsigned int http_server_connections(const struct http_server *s);
/* Not from inside the handler. Exchanges that are still open may be answered later, into nothing. */
void http_server_free(struct http_server *s);
