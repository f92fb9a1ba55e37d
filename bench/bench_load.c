/*
 * Load for an EST server: THREADS blocking clients, each enrolment with a certificate request of its own.
 *   fresh: a device that the server never saw, new TCP connection, full mutual TLS handshake, POST
 *          simpleenroll, close
 *   keep:  one device and connection per thread, POST after POST
 * Devices (FROM, FROM + STRIDE, ...) get their certificates from the factory CA in DIR. Certificates and
 * requests are made before the clock starts. Prints one JSON object. The server's certificate is not
 * verified: the measured work is the server's.
 */
#include "client.h"

#include "base/base64.h"
#include "base/mem.h"
#include "pki/csr.h"
#include "pki/key.h"
#include "pki/name.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct load {
	int port;
	const char *dir;  /* ca.pem, ca.key of the factory */
	int from, stride; /* numbers of the devices */
	int threads;
	int count; /* enrolments in all */
	int tls;   /* 12 or 13 */
	bool keep;
	SSL_CTX *contexts[CLIENT_THREADS_MAX];
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

static void make_request(struct buf *out, int device)
{
	struct why why = {0};
	OWNED_KEY struct key *key = NULL;
	OWNED_BUF struct buf subject = BUF(NAME_DER_MAX);
	OWNED_BUF struct buf der = BUF(CSR_DER_MAX);
	OWNED_BUF struct buf body = BUF(CLIENT_REQUEST_MAX);
	char cn[32];

	snprintf(cn, sizeof(cn), "bench-%08d", device);
	if (key_new(KEY_P256, &key, &why) != OK || name_write_cn(cn, NULL, &subject, &why) != OK)
		die(why.text);
	struct csr_plan plan = {.subject = buf_span(&subject)};
	if (csr_write(&plan, key, &der, &why) != OK)
		die(why.text);
	base64_write(&body, buf_span(&der), 64);
	*out = BUF(CLIENT_REQUEST_MAX);
	buf_put_fmt(out, "POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\n"
			 "Content-Type: application/pkcs10\r\nContent-Transfer-Encoding: base64\r\nContent-Length: %zu\r\n\r\n",
		body.n);
	buf_put_span(out, buf_span(&body));
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
	char *reply = mem_alloc(CLIENT_REPLY_MAX);
	int fd = -1;
	SSL *ssl = NULL;

	for (int i = w->index; i < l->count; i += l->threads) {
		double start = now_ms();
		if (!ssl)
			ssl = client_open(l->contexts[w->index], "localhost", l->port, &l->devices[i % l->devices_n], &fd);
		reply[0] = '\0';
		bool good = ssl && client_exchange(ssl, buf_span(&l->requests[i]), reply);
		if (!l->keep || !good) {
			client_close(ssl, fd);
			ssl = NULL;
		}
		l->latency_ms[i] = now_ms() - start;
		count_result(w, good, reply);
	}
	client_close(ssl, fd);
	mem_free(reply);
	return NULL;
}

static void report(const struct load *l, const struct worker *workers, double elapsed_ms)
{
	int good = 0;
	int bad = 0;
	const char *first_bad = "";

	for (int i = 0; i < l->threads; i++) {
		good += workers[i].good;
		bad += workers[i].bad;
		if (workers[i].bad && !first_bad[0])
			first_bad = workers[i].first_bad;
	}
	print_figures(good, bad, elapsed_ms, l->latency_ms, (size_t)l->count);
	if (bad)
		fprintf(stderr, "bench_load: first failure: %s\n", first_bad);
}

static void prepare(struct load *l)
{
	struct factory *factory = factory_open(l->dir);

	l->devices_n = l->keep ? l->threads : l->count;
	l->requests = mem_array((size_t)l->count, sizeof(struct buf));
	l->latency_ms = mem_array((size_t)l->count, sizeof(double));
	l->devices = mem_array((size_t)l->devices_n, sizeof(struct device));
	if (!l->requests || !l->latency_ms || !l->devices)
		die("memory");
	for (int i = 0; i < l->devices_n; i++)
		factory_make(factory, l->from + i * l->stride, &l->devices[i]);
	for (int i = 0; i < l->threads; i++)
		l->contexts[i] = client_context(l->tls, false);
	for (int i = 0; i < l->count; i++)
		make_request(&l->requests[i], l->from + i % l->devices_n * l->stride);
	factory_free(factory);
}

int main(int argc, char **argv)
{
	struct load l = {0};
	struct worker workers[CLIENT_THREADS_MAX] = {0};
	pthread_t threads[CLIENT_THREADS_MAX];

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
	if (l.threads < 1 || l.threads > CLIENT_THREADS_MAX || l.count < 1)
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
