/*
 * Load with pre-shared keys.
 *   bench_psk enrol PORT THREADS COUNT 12|13 FROM KEYS       device FROM, FROM + 1, ... of bench_fill: new TCP
 *       connection, PSK handshake, POST /enrolment up to the end; writes "KEID KE" lines to the file KEYS. With
 *       "maf" behind KEYS the device can use a MAF and reports its success
 *   bench_psk fetch PORT THREADS COUNT KEYS FACTORY NUMBER ORIGIN SUID    an enrolment target with the factory
 *       certificate NUMBER fetches the keys of those KeIds over kept-alive connections
 *   bench_psk maf PORT COUNT OTHERS KEYS MAF-FQDN    OTHERS clients are connected to the MAF and served all the time, while
 *       COUNT others make their first contact one after the other; latencies are those of the first handshakes
 * Prints one JSON object.
 */
#include "client.h"

#include "base/hex.h"
#include "base/mem.h"
#include "net/tls.h"
#include "pki/digest.h"
#include "proto/m2m/derive.h"
#include "proto/m2m/suid.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct held_key {
	char keid[M2M_KEYID_SIZE];
	uint8_t ke[M2M_KEY_SIZE];
};

struct load {
	int port, threads, count;
	SSL_CTX *contexts[CLIENT_THREADS_MAX];
	struct device *devices;
	struct held_key *keys;
	struct buf *requests;
	double *latency_ms;
	bool fetch, with_maf;
	atomic_bool stop;
};

struct worker {
	struct load *load;
	int index, good, bad;
	char first_bad[256];
};

static void want_memory(const void *p)
{
	if (!p)
		die("memory");
}

static void count_result(struct worker *w, bool good, const char *reply)
{
	w->good += good;
	if (!good && w->bad++ == 0)
		snprintf(w->first_bad, sizeof(w->first_bad), "%.200s", reply[0] ? reply : "no reply");
}

static struct buf make_request(const char *text, const char *body)
{
	struct buf b = BUF(CLIENT_REQUEST_MAX);

	buf_put_fmt(&b, "%s HTTP/1.1\r\nHost: localhost\r\n", text);
	if (body)
		buf_put_fmt(&b, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
	else
		buf_put_text(&b, "\r\n");
	return b;
}

/* KeId as the MEF told it, Ke as the session gives it. */
static bool keep_key(SSL *ssl, const char *reply, struct held_key *out)
{
	static const char label[] = "EXPORTER-oneM2M-Bootstrap";
	uint8_t exported[M2M_EXPORT_SIZE];
	const char *at = strstr(client_body(reply), "\"keId\"");

	at = at ? strchr(at + 6, '"') : NULL;
	size_t n = at ? strcspn(at + 1, "\"") : 0;
	if (n == 0 || n >= sizeof(out->keid)
		|| SSL_export_keying_material(ssl, exported, sizeof(exported), label, sizeof(label) - 1, NULL, 0, 0) != 1)
		return false;
	memcpy(out->keid, at + 1, n);
	memcpy(out->ke, exported + M2M_RELATIVE_SIZE, sizeof(out->ke));
	return true;
}

static bool report_maf(SSL *ssl, const struct held_key *key, char *reply)
{
	static const char body[] = "{\"instructionNumber\": 1, \"instructionType\": \"mafEnrolment\", \"status\": true}";
	char head[128];

	snprintf(head, sizeof(head), "POST /enrolment/%.32s", key->keid);
	struct buf request = make_request(head, body);
	bool good = client_exchange(ssl, buf_span(&request), reply);
	buf_fini(&request);
	return good;
}

static bool enrolled(const struct load *l, SSL *ssl, struct held_key *key, char *reply)
{
	if (!keep_key(ssl, reply, key))
		return false;
	return (!l->with_maf || report_maf(ssl, key, reply)) && strstr(reply, "\"end\"");
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct load *l = w->load;
	char *reply = mem_alloc(CLIENT_REPLY_MAX);
	int fd = -1;
	SSL *ssl = NULL;

	want_memory(reply);
	for (int i = w->index; i < l->count; i += l->threads) {
		double start = now_ms();
		if (!ssl)
			ssl = client_open(l->contexts[w->index], "localhost", l->port, &l->devices[l->fetch ? 0 : i], &fd);
		reply[0] = '\0';
		bool good = ssl && client_exchange(ssl, buf_span(&l->requests[l->fetch ? i : 0]), reply);
		good = good && (l->fetch ? strstr(reply, "true") != NULL : enrolled(l, ssl, &l->keys[i], reply));
		if (!l->fetch || !good) {
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

static int run(struct load *l, void *(*fn)(void *))
{
	struct worker workers[CLIENT_THREADS_MAX] = {0};
	pthread_t threads[CLIENT_THREADS_MAX];
	int good = 0;
	int bad = 0;

	fprintf(stderr, "ready\n");
	double start = now_ms();
	for (int i = 0; i < l->threads; i++) {
		workers[i] = (struct worker){.load = l, .index = i};
		if (pthread_create(&threads[i], NULL, fn, &workers[i]) != 0)
			die("thread");
	}
	for (int i = 0; i < l->threads; i++) {
		pthread_join(threads[i], NULL);
		good += workers[i].good;
		bad += workers[i].bad;
		if (workers[i].bad)
			fprintf(stderr, "bench_psk: first failure: %s\n", workers[i].first_bad);
	}
	print_figures(good, bad, now_ms() - start, l->latency_ms, (size_t)l->count);
	return bad != 0;
}

static void allocate(struct load *l, int devices, int requests)
{
	l->devices = mem_array((size_t)devices, sizeof(*l->devices));
	l->keys = mem_array((size_t)l->count, sizeof(*l->keys));
	l->requests = mem_array((size_t)requests, sizeof(*l->requests));
	l->latency_ms = mem_array((size_t)l->count, sizeof(double));
	want_memory(l->devices);
	want_memory(l->keys);
	want_memory(l->requests);
	want_memory(l->latency_ms);
}

static void write_keys(const struct load *l, const char *path)
{
	FILE *f = fopen(path, "w");

	if (!f)
		die(path);
	for (int i = 0; i < l->count; i++) {
		char hex[2 * M2M_KEY_SIZE + 1];
		hex_text(l->keys[i].ke, sizeof(l->keys[i].ke), hex);
		fprintf(f, "%s %s\n", l->keys[i].keid, hex);
	}
	fclose(f);
}

static void read_keys(struct load *l, const char *path)
{
	FILE *f = fopen(path, "r");
	char hex[2 * M2M_KEY_SIZE + 1];
	struct why why = {0};
	size_t n = 0;

	if (!f)
		die(path);
	for (int i = 0; i < l->count; i++) {
		if (fscanf(f, "%300s %64s", l->keys[i].keid, hex) != 2
			|| hex_parse(span_text(hex), l->keys[i].ke, M2M_KEY_SIZE, &n, &why) != OK)
			die("too few keys");
	}
	fclose(f);
}

static int enrol(char **argv, bool with_maf)
{
	char body[128];
	struct load l = {.port = atoi(argv[2]), .threads = atoi(argv[3]), .count = atoi(argv[4]), .with_maf = with_maf};
	int from = atoi(argv[6]);

	allocate(&l, l.count, 1);
	for (int i = 0; i < l.threads; i++)
		l.contexts[i] = client_context(atoi(argv[5]), true);
	for (int i = 0; i < l.count; i++) {
		struct device *d = &l.devices[i];
		snprintf(d->identity, sizeof(d->identity), "bench-%08d@localhost", from + i);
		digest_sha256(span_text(d->identity), d->psk);
	}
	snprintf(body, sizeof(body), "{\"certificateEnrolmentIndication\": false, \"mafEnrolmentIndication\": %s}",
		with_maf ? "true" : "false");
	l.requests[0] = make_request("POST /enrolment", body);
	int result = run(&l, work);
	write_keys(&l, argv[7]);
	return result;
}

static int fetch(char **argv)
{
	struct load l = {.port = atoi(argv[2]), .threads = atoi(argv[3]), .count = atoi(argv[4]), .fetch = true};
	struct factory *factory = factory_open(argv[6]);

	allocate(&l, 1, l.count);
	read_keys(&l, argv[5]);
	factory_make(factory, atoi(argv[7]), &l.devices[0]);
	factory_free(factory);
	for (int i = 0; i < l.threads; i++)
		l.contexts[i] = client_context(12, false);
	for (int i = 0; i < l.count; i++) {
		char head[1024];
		snprintf(head, sizeof(head), "GET /fetchCredentials/%s/%s", l.keys[i].keid, argv[9]);
		l.requests[i] = BUF(CLIENT_REQUEST_MAX);
		buf_put_fmt(&l.requests[i], "%s HTTP/1.1\r\nHost: localhost\r\nX-M2M-Origin: %s\r\nAccept: application/json\r\n\r\n",
			head, argv[8]);
	}
	return run(&l, work);
}

struct other {
	SSL *ssl;
	int fd;
};

struct others {
	struct load *load;
	struct other *items;
	int n;
	atomic_int served;
};

/* Served all the time: each asks in turn for a key that is not there. */
static void *keep_busy(void *arg)
{
	struct others *o = arg;
	struct buf request = make_request("GET /maf/symmKeyReg/00000000000000000000000000000000", NULL);
	char *reply = mem_alloc(CLIENT_REPLY_MAX);

	want_memory(reply);
	while (!o->load->stop) {
		for (int i = 0; i < o->n && !o->load->stop; i++) {
			client_exchange(o->items[i].ssl, buf_span(&request), reply);
			atomic_fetch_add(&o->served, strncmp(reply, "HTTP/1.1 4", 10) == 0);
		}
	}
	mem_free(reply);
	buf_fini(&request);
	return NULL;
}

static void make_clients(struct load *l, const char *maf)
{
	for (int i = 0; i < l->count; i++) {
		struct device *d = &l->devices[i];
		struct secret ke = {.n = M2M_KEY_SIZE};
		struct secret km = {0};
		struct why why = {0};
		memcpy(ke.bytes, l->keys[i].ke, M2M_KEY_SIZE);
		if (m2m_derive_constrained(&ke, SUID_RSPF_MAF, span_text(maf), &km, &why) != OK)
			die(why.text);
		memcpy(d->psk, km.bytes, sizeof(d->psk));
		snprintf(d->identity, sizeof(d->identity), "%s", l->keys[i].keid);
	}
}

static int maf(char **argv)
{
	struct load l = {.port = atoi(argv[2]), .threads = 1};
	int count = atoi(argv[3]);
	struct others others = {.load = &l, .n = atoi(argv[4])};
	pthread_t thread;
	int bad = 0;

	l.count = count + others.n;
	allocate(&l, l.count, 1);
	read_keys(&l, argv[5]);
	make_clients(&l, argv[6]);
	l.contexts[0] = client_context(12, true);
	SSL_CTX *apart = client_context(12, true);
	others.items = mem_array((size_t)others.n + 1, sizeof(*others.items));
	want_memory(others.items);
	for (int i = 0; i < others.n; i++) {
		others.items[i].ssl = client_open(apart, argv[6], l.port, &l.devices[count + i], &others.items[i].fd);
		if (!others.items[i].ssl || SSL_do_handshake(others.items[i].ssl) != 1)
			die("another client's handshake");
	}
	if (pthread_create(&thread, NULL, keep_busy, &others) != 0)
		die("thread");
	fprintf(stderr, "ready\n");
	double start = now_ms();
	for (int i = 0; i < count; i++) {
		int fd = -1;
		double begun = now_ms();
		SSL *ssl = client_open(l.contexts[0], argv[6], l.port, &l.devices[i], &fd);
		bad += !ssl || SSL_do_handshake(ssl) != 1;
		l.latency_ms[i] = now_ms() - begun;
		client_close(ssl, fd);
	}
	double elapsed = now_ms() - start;
	l.stop = true;
	pthread_join(thread, NULL);
	fprintf(stderr, "bench_psk: %d replies to the others meanwhile\n", atomic_load(&others.served));
	print_figures(count - bad, bad, elapsed, l.latency_ms, (size_t)count);
	return bad != 0;
}

int main(int argc, char **argv)
{
	if (argc == 8 && strcmp(argv[1], "enrol") == 0)
		return enrol(argv, false);
	if (argc == 9 && strcmp(argv[1], "enrol") == 0 && strcmp(argv[8], "maf") == 0)
		return enrol(argv, true);
	if (argc == 10 && strcmp(argv[1], "fetch") == 0)
		return fetch(argv);
	if (argc == 7 && strcmp(argv[1], "maf") == 0)
		return maf(argv);
	fprintf(stderr, "usage: see the head of bench_psk.c\n");
	return 2;
}
