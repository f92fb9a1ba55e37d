#pragma once
/*
 * What the load generators share: blocking TLS clients of 127.0.0.1, factory devices, time, figures. A
 * failed set-up ends the program: a benchmark has nobody to tell but its user.
 */
#include "base/buf.h"

#include <openssl/ssl.h>

enum { CLIENT_THREADS_MAX = 64, CLIENT_REPLY_MAX = 64 * 1024, CLIENT_REQUEST_MAX = 4096 };

/* A device as it leaves the factory, or one that shows a pre-shared key. */
struct device {
	X509 *cert;
	EVP_PKEY *key;
	char identity[320]; /* psk_identity; "" for a device with a certificate */
	uint8_t psk[32];
};

struct factory; /* its CA: ca.pem and ca.key of a folder */
struct factory *factory_open(const char *dir);
void factory_free(struct factory *f);
/* Subject serialNumber BENCH-%08d. */
void factory_make(const struct factory *f, int number, struct device *out);

void die(const char *what);
double now_ms(void);
/* tls 12 or 13; each context has a library of its own, so threads share no locks. */
SSL_CTX *client_context(int tls, bool psk);
/* Connected to 127.0.0.1, handshake with host not yet done; NULL when nobody listens. The device outlives it. */
SSL *client_open(SSL_CTX *ctx, const char *host, int port, struct device *device, int *fd_out);
void client_close(SSL *ssl, int fd); /* NULL is fine */
/* Sends the request and reads one reply, NUL-terminated; true for a status of 200 or 201. */
bool client_exchange(SSL *ssl, struct span request, char reply[CLIENT_REPLY_MAX]);
/* Body of a reply that client_exchange read. */
const char *client_body(const char *reply);

/* One JSON object on standard output; latencies are sorted. */
void print_figures(int good, int bad, double elapsed_ms, double *latency_ms, size_t n);
