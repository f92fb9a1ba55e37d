#define _GNU_SOURCE /* strcasestr */
/*
 * Load for an EST server: THREADS blocking clients, each enrolment with a certificate request of its own.
 *   fresh: a device that the server never saw, new TCP connection, full mutual TLS handshake, POST
 *          simpleenroll, close
 *   keep:  one device and connection per thread, POST after POST
 * Devices (FROM, FROM + STRIDE, ...) get their certificates from the factory CA in DIR. Certificates and
 * requests are made before the clock starts. Prints one JSON object. The server's certificate is not
 * verified: the measured work is the server's.
 */
#include "adapt/sys/file.h"
#include "base/base64.h"
#include "net/tls_provider.h"
#include "base/mem.h"
#include "pki/build.h"
#include "pki/csr.h"
#include "pki/name.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 64, REQUEST_MAX = 4096, REPLY_MAX = 64 * 1024 };

struct device {
	X509 *cert;
	EVP_PKEY *key;
};

struct load {
	int port;
	const char *dir;  /* ca.pem, ca.key of the factory */
	int from, stride; /* numbers of the devices */
	int threads;
	int count; /* enrolments in all */
	int tls;   /* 12 or 13 */
	bool keep;
	SSL_CTX *contexts[THREADS_MAX];
	struct device *devices;
	int devices_n;
	struct buf *requests; /* count HTTP requests */
	double *latency_ms;   /* count */
};

struct worker {
	const struct load *load;
	int index;
	int good, bad;
	char first_bad[256];
};

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void die(const char *what)
{
	fprintf(stderr, "bench_load: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static SSL_CTX *make_context(const struct load *l)
{
	struct tls_provider *provider = NULL; /* lives as long as the program */
	OSSL_LIB_CTX *lib = NULL;             /* one per thread: no shared locks */
	struct why why = {0};
	/* the server's own trick: a load that costs less leaves the machine to what is measured */
	if (tls_provider_new(&provider, &lib, &why) != OK)
		die(why.text);
	SSL_CTX *ctx = SSL_CTX_new_ex(lib, NULL, TLS_client_method());
	int version = l->tls == 12 ? TLS1_2_VERSION : TLS1_3_VERSION;

	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, version) || !SSL_CTX_set_max_proto_version(ctx, version))
		die("TLS context");
	SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	char groups[] = "X25519:P-256"; /* not const: the macro casts it so */
	SSL_CTX_set1_groups_list(ctx, groups);
	return ctx;
}

struct factory {
	struct key *key;
	struct buf der;
	struct cert cert;
};

static enum err keep_der(void *arg, struct span der, struct why *why)
{
	buf_put_span(arg, der);
	return OK;
}

static void open_factory(const char *dir, struct factory *f)
{
	struct why why = {0};
	char path[512];
	OWNED_BUF struct buf pem = BUF(65536);
	OWNED_BUF struct buf key_pem = BUF(65536);

	f->der = BUF(CERT_DER_MAX);
	snprintf(path, sizeof(path), "%s/ca.pem", dir);
	if (file_read(path, &pem, &why) != OK || cert_each_pem(buf_span(&pem), keep_der, &f->der, &why) != OK
		|| cert_parse(buf_span(&f->der), &f->cert, &why) != OK)
		die(why.text);
	snprintf(path, sizeof(path), "%s/ca.key", dir);
	if (file_read(path, &key_pem, &why) != OK
		|| key_parse_pem(buf_span(&key_pem), (struct span){NULL, 0}, &f->key, &why) != OK)
		die(why.text);
}

static void make_device(const struct factory *f, int number, struct device *out)
{
	struct why why = {0};
	OWNED_BUF struct buf subject = BUF(NAME_DER_MAX);
	OWNED_BUF struct buf spki = BUF(1024);
	OWNED_BUF struct buf der = BUF(CERT_DER_MAX);
	OWNED_KEY struct key *key = NULL;
	char name[32];
	uint8_t serial[8] = {0x01};

	memcpy(serial + 4, &number, sizeof(number));
	snprintf(name, sizeof(name), "BENCH-%08d", number);
	if (key_new(KEY_P256, &key, &why) != OK || key_write_spki(key, &spki, &why) != OK
		|| name_write_cn(NULL, name, &subject, &why) != OK)
		die(why.text);
	struct cert_plan plan = {.serial = span_of(serial, sizeof(serial)), .issuer = f->cert.subject,
		.subject = buf_span(&subject), .spki = buf_span(&spki), .not_before_s = time(NULL) - 3600,
		.not_after_s = time(NULL) + 86400, .path_len = -1, .key_usage = KU_DIGITAL_SIGNATURE, .akid = f->cert.skid};
	if (cert_build(&plan, f->key, &der, &why) != OK)
		die(why.text);
	const unsigned char *at = der.p;
	out->cert = d2i_X509(NULL, &at, (long)der.n);
	out->key = key_native(key);
	if (!out->cert || EVP_PKEY_up_ref(out->key) != 1)
		die("device");
}

static void make_request(struct buf *out, int device)
{
	struct why why = {0};
	OWNED_KEY struct key *key = NULL;
	OWNED_BUF struct buf subject = BUF(NAME_DER_MAX);
	OWNED_BUF struct buf der = BUF(CSR_DER_MAX);
	OWNED_BUF struct buf body = BUF(REQUEST_MAX);
	char cn[32];

	snprintf(cn, sizeof(cn), "bench-%08d", device);
	if (key_new(KEY_P256, &key, &why) != OK || name_write_cn(cn, NULL, &subject, &why) != OK)
		die(why.text);
	struct csr_plan plan = {.subject = buf_span(&subject)};
	if (csr_write(&plan, key, &der, &why) != OK)
		die(why.text);
	base64_write(&body, buf_span(&der), 64);
	*out = BUF(REQUEST_MAX);
	buf_put_fmt(out, "POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\n"
			 "Content-Type: application/pkcs10\r\nContent-Transfer-Encoding: base64\r\nContent-Length: %zu\r\n\r\n",
		body.n);
	buf_put_span(out, buf_span(&body));
}

static SSL *open_connection(const struct load *l, SSL_CTX *ctx, const struct device *device, int *fd_out)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)l->port)};
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SSL *ssl = SSL_new(ctx);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || !ssl || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		if (fd >= 0)
			close(fd);
		SSL_free(ssl);
		return NULL;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	SSL_set_connect_state(ssl);
	SSL_use_certificate(ssl, device->cert);
	SSL_use_PrivateKey(ssl, device->key);
	SSL_set_fd(ssl, fd);
	char name[] = "localhost"; /* not const: the macro casts it so */
	SSL_set_tlsext_host_name(ssl, name);
	*fd_out = fd;
	return ssl;
}

static void close_connection(SSL *ssl, int fd)
{
	struct linger now = {1, 0}; /* no TIME_WAIT: a million connections from one address */

	if (!ssl)
		return;
	SSL_shutdown(ssl);
	SSL_free(ssl);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

/* Reads one reply; true for status 200. */
static bool read_reply(SSL *ssl, char *reply)
{
	size_t have = 0;

	while (have < REPLY_MAX - 1) {
		int n = SSL_read(ssl, reply + have, (int)(REPLY_MAX - 1 - have));
		if (n <= 0)
			return false;
		have += (size_t)n;
		reply[have] = '\0';
		char *end = strstr(reply, "\r\n\r\n");
		char *length = end ? strcasestr(reply, "content-length:") : NULL;
		if (length && have >= (size_t)(end + 4 - reply) + strtoul(length + 15, NULL, 10))
			return strncmp(reply, "HTTP/1.1 200", 12) == 0;
	}
	return false;
}

static bool exchange(SSL *ssl, const struct buf *request, char *reply)
{
	reply[0] = '\0';
	return SSL_write(ssl, request->p, (int)request->n) == (int)request->n && read_reply(ssl, reply);
}

static void count_result(struct worker *w, bool good, const char *reply)
{
	if (good) {
		w->good++;
		return;
	}
	if (w->bad++ == 0)
		snprintf(w->first_bad, sizeof(w->first_bad), "%.200s", reply[0] ? reply : "no reply");
}

static void *work(void *arg)
{
	struct worker *w = arg;
	const struct load *l = w->load;
	char *reply = mem_alloc(REPLY_MAX);
	int fd = -1;
	SSL *ssl = NULL;

	for (int i = w->index; i < l->count; i += l->threads) {
		double start = now_ms();
		if (!ssl)
			ssl = open_connection(l, l->contexts[w->index], &l->devices[i % l->devices_n], &fd);
		reply[0] = '\0';
		bool good = ssl && exchange(ssl, &l->requests[i], reply);
		if (!l->keep || !good) {
			close_connection(ssl, fd);
			ssl = NULL;
		}
		l->latency_ms[i] = now_ms() - start;
		count_result(w, good, reply);
	}
	close_connection(ssl, fd);
	mem_free(reply);
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void report(const struct load *l, const struct worker *workers, double elapsed_ms)
{
	struct rusage used;
	int good = 0;
	int bad = 0;
	const char *first_bad = "";

	for (int i = 0; i < l->threads; i++) {
		good += workers[i].good;
		bad += workers[i].bad;
		if (workers[i].bad && !first_bad[0])
			first_bad = workers[i].first_bad;
	}
	qsort(l->latency_ms, (size_t)l->count, sizeof(double), by_size);
	getrusage(RUSAGE_SELF, &used);
	printf("{\"good\": %d, \"bad\": %d, \"seconds\": %.3f, \"per_s\": %.1f, \"p50_ms\": %.3f, \"p99_ms\": %.3f}\n",
		good, bad, elapsed_ms / 1e3, good / (elapsed_ms / 1e3), l->latency_ms[l->count / 2],
		l->latency_ms[(size_t)l->count * 99 / 100]);
	if (bad)
		fprintf(stderr, "bench_load: first failure: %s\n", first_bad);
}

static void prepare(struct load *l)
{
	struct factory factory = {0};

	l->devices_n = l->keep ? l->threads : l->count;
	l->requests = mem_array((size_t)l->count, sizeof(struct buf));
	l->latency_ms = mem_array((size_t)l->count, sizeof(double));
	l->devices = mem_array((size_t)l->devices_n, sizeof(struct device));
	if (!l->requests || !l->latency_ms || !l->devices)
		die("memory");
	open_factory(l->dir, &factory);
	for (int i = 0; i < l->devices_n; i++)
		make_device(&factory, l->from + i * l->stride, &l->devices[i]);
	for (int i = 0; i < l->threads; i++)
		l->contexts[i] = make_context(l);
	for (int i = 0; i < l->count; i++)
		make_request(&l->requests[i], l->from + i % l->devices_n * l->stride);
	key_free(factory.key);
	buf_fini(&factory.der);
}

int main(int argc, char **argv)
{
	struct load l = {0};
	struct worker workers[THREADS_MAX] = {0};
	pthread_t threads[THREADS_MAX];

	if (argc != 9) {
		fprintf(stderr, "usage: bench_load PORT FACTORY-DIR FROM STRIDE THREADS COUNT 12|13 fresh|keep\n");
		return 2;
	}
	l.port = atoi(argv[1]);
	l.dir = argv[2];
	l.from = atoi(argv[3]);
	l.stride = atoi(argv[4]);
	l.threads = atoi(argv[5]);
	l.count = atoi(argv[6]);
	l.tls = atoi(argv[7]);
	l.keep = strcmp(argv[8], "keep") == 0;
	if (l.threads < 1 || l.threads > THREADS_MAX || l.count < 1)
		die("threads or count out of range");
	prepare(&l);
	fprintf(stderr, "ready\n");
	double start = now_ms();
	for (int i = 0; i < l.threads; i++) {
		workers[i] = (struct worker){.load = &l, .index = i};
		if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0)
			die("thread");
	}
	for (int i = 0; i < l.threads; i++)
		pthread_join(threads[i], NULL);
	report(&l, workers, now_ms() - start);
	return 0;
}
