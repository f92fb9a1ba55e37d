/*
 * A device that keeps its keys itself and makes its own HTTPS calls: the library sees neither a private key nor a
 * socket. "Keys" stands in for a secure element here; what matters is that only sign() touches one.
 *
 *	cc own_store.c $(pkg-config --cflags --libs enrolee libcurl libcrypto)
 */
#include <enrolee.h>

#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- keys and files */

struct device {
	const char *dir;
	const char *factory_key; /* authenticates until there is a certificate of the MEF's */
	EVP_PKEY *pending;
	unsigned char *spki;
	CURL *curl;
	X509 *shown[9]; /* by the server in the last handshake, which later calls on that connection do not repeat */
	int shown_n;
	int calls;
	int naps;
};

static void name(const struct device *d, const char *file, char out[512])
{
	snprintf(out, 512, "%s/%s", d->dir, file);
}

static EVP_PKEY *load(const char *path)
{
	FILE *f = fopen(path, "r");
	EVP_PKEY *key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;
	if (f)
		fclose(f);
	return key;
}

static int make_key(void *arg, const char *kind, struct enrolee_key *out)
{
	struct device *d = arg;
	char path[512];

	if (kind && strcmp(kind, "P-256") != 0)
		return -2; /* this element makes no others */
	EVP_PKEY_free(d->pending);
	name(d, kind ? "pending.key" : "key.pem", path);
	d->pending = load(path);
	if (!d->pending && kind) {
		d->pending = EVP_EC_gen("P-256");
		FILE *f = fopen(path, "w");
		if (!f || !d->pending || PEM_write_PrivateKey(f, d->pending, NULL, NULL, 0, NULL, NULL) != 1 || fclose(f) != 0)
			return -2;
	}
	if (!d->pending)
		return ENROLEE_NONE;
	OPENSSL_free(d->spki);
	d->spki = NULL;
	int n = i2d_PUBKEY(d->pending, &d->spki);
	*out = (struct enrolee_key){.ref = d->pending, .spki = {d->spki, n > 0 ? (size_t)n : 0}};
	return 0;
}

static int sign(void *arg, void *ref, const unsigned char *digest, size_t digest_n, unsigned char *sig, size_t *sig_n)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(ref, NULL);
	int good = ctx && EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_sign(ctx, sig, sig_n, digest, digest_n) == 1;
	EVP_PKEY_CTX_free(ctx);
	return good ? 0 : -2;
}

static int keep(const struct device *d, const char *file, const void *p, size_t n)
{
	char path[512];
	name(d, file, path);
	FILE *f = fopen(path, "w");
	if (!f)
		return -2;
	size_t written = fwrite(p, 1, n, f);
	return fclose(f) == 0 && written == n ? 0 : -2;
}

/* A real device writes all of it elsewhere and switches by one step. */
static int install(void *arg, const struct enrolee_installation *what)
{
	struct device *d = arg;
	char from[512], to[512];

	name(d, "key.pem", to);
	if (what->certificate.n == 0)
		return -2;
	name(d, "request.json", from);
	remove(from);
	name(d, "pending.key", from);
	return keep(d, "anchors.pem", what->anchors.p, what->anchors.n) || keep(d, "chain.pem", what->chain.p, what->chain.n)
		|| keep(d, "mef.uri", what->mef, strlen(what->mef)) || rename(from, to)
		|| keep(d, "cert.pem", what->certificate.p, what->certificate.n) ? -2 : 0;
}

/* A request may wait at the MEF for a person, longer than this device is switched on. */
static int keep_request(void *arg, const void *p, size_t n)
{
	return keep(arg, "request.json", p, n);
}

static int read_item(void *arg, enum enrolee_item item, enrolee_put put, void *to)
{
	static const char *const files[] = {NULL, NULL, "cert.pem", "chain.pem", "anchors.pem", "mef.uri", NULL, "request.json"};
	char path[512], chunk[4096];
	int bad = 0;

	if (!files[item]) /* private keys are not handed out */
		return ENROLEE_NONE;
	name(arg, files[item], path);
	FILE *f = fopen(path, "r");
	if (!f)
		return ENROLEE_NONE;
	for (size_t n = fread(chunk, 1, sizeof(chunk), f); n && !bad; n = fread(chunk, 1, sizeof(chunk), f))
		bad = put(to, chunk, n);
	fclose(f);
	return bad;
}

/* ---- HTTPS */

static size_t take(char *p, size_t size, size_t n, void *response)
{
	return enrolee_response_body(response, p, size * n) == 0 ? size * n : 0;
}

static void keep_certificates(struct device *d)
{
	struct curl_certinfo *info = NULL;

	if (curl_easy_getinfo(d->curl, CURLINFO_CERTINFO, &info) != CURLE_OK || !info || info->num_of_certs == 0)
		return;
	while (d->shown_n)
		X509_free(d->shown[--d->shown_n]);
	for (int i = 0; i < info->num_of_certs && i < 9; i++) {
		for (struct curl_slist *l = info->certinfo[i]; l; l = l->next) {
			if (strncmp(l->data, "Cert:", 5) != 0)
				continue;
			BIO *bio = BIO_new_mem_buf(l->data + 5, -1);
			X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
			BIO_free(bio);
			if (x)
				d->shown[d->shown_n++] = x;
		}
	}
}

static int show_certificates(const struct device *d, struct enrolee_response *r)
{
	int bad = 0;

	for (int i = 0; i < d->shown_n && !bad; i++) {
		unsigned char *der = NULL;
		int n = i2d_X509(d->shown[i], &der);
		bad = n < 0 || enrolee_response_certificate(r, der, (size_t)n);
		OPENSSL_free(der);
	}
	return bad;
}

static void blob(CURL *curl, CURLoption option, struct enrolee_octets o)
{
	struct curl_blob b = {(void *)o.p, o.n, CURL_BLOB_COPY};
	curl_easy_setopt(curl, option, &b);
}

static enum enrolee_outcome exchange(void *arg, const struct enrolee_request *q, struct enrolee_response *r)
{
	struct device *d = arg;
	char line[256], own_key[512], connect[300], error[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = NULL, *to = NULL;
	long status = 0;
	curl_off_t retry = 0;
	const char *media = NULL;

	d->calls++;
	curl_easy_reset(d->curl);
	curl_easy_setopt(d->curl, CURLOPT_URL, q->url);
	curl_easy_setopt(d->curl, CURLOPT_ERRORBUFFER, error);
	curl_easy_setopt(d->curl, CURLOPT_CERTINFO, 1L);
	curl_easy_setopt(d->curl, CURLOPT_SSL_SESSIONID_CACHE, 0L); /* a resumed session shows no certificates */
	curl_easy_setopt(d->curl, CURLOPT_CAPATH, NULL);
	blob(d->curl, CURLOPT_CAINFO_BLOB, q->anchors);
	blob(d->curl, CURLOPT_SSLCERT_BLOB, q->certificate);
	name(d, "key.pem", own_key);
	FILE *renewing = fopen(own_key, "r"); /* the certificate in the request tells; a device knows which of its keys fits */
	curl_easy_setopt(d->curl, CURLOPT_SSLKEY, renewing ? own_key : d->factory_key);
	if (renewing)
		fclose(renewing);
	curl_easy_setopt(d->curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(d->curl, CURLOPT_WRITEDATA, r);
	if (q->connect) {
		snprintf(connect, sizeof(connect), "::%s", q->connect);
		curl_easy_setopt(d->curl, CURLOPT_CONNECT_TO, to = curl_slist_append(NULL, connect));
	}
	snprintf(line, sizeof(line), "Accept: %s", q->accept ? q->accept : "*/*");
	headers = curl_slist_append(headers, line);
	if (q->media_type) {
		snprintf(line, sizeof(line), "Content-Type: %s", q->media_type);
		headers = curl_slist_append(headers, line);
		curl_easy_setopt(d->curl, CURLOPT_POSTFIELDSIZE, (long)q->body.n);
		curl_easy_setopt(d->curl, CURLOPT_POSTFIELDS, q->body.p);
	}
	curl_easy_setopt(d->curl, CURLOPT_HTTPHEADER, headers);
	CURLcode code = curl_easy_perform(d->curl);
	curl_slist_free_all(headers);
	curl_slist_free_all(to);
	if (code != CURLE_OK) {
		enrolee_response_reason(r, error[0] ? error : curl_easy_strerror(code));
		return code == CURLE_PEER_FAILED_VERIFICATION ? ENROLEE_REFUSED : ENROLEE_LOST;
	}
	curl_easy_getinfo(d->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(d->curl, CURLINFO_CONTENT_TYPE, &media);
	curl_easy_getinfo(d->curl, CURLINFO_RETRY_AFTER, &retry);
	enrolee_response_status(r, (unsigned int)status);
	enrolee_response_media_type(r, media ? media : "");
	enrolee_response_retry_after(r, retry);
	keep_certificates(d);
	return show_certificates(d, r) ? ENROLEE_LOST : ENROLEE_ANSWERED;
}

/* ---- time, waiting, randomness */

static int64_t unix_s(void *arg)
{
	return time(NULL);
}

static int64_t mono_ms(void *arg)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A device without a source of its own leaves this to the kernel. */
static int fill(void *arg, unsigned char *out, size_t n)
{
	FILE *f = fopen("/dev/urandom", "r");
	size_t got = f ? fread(out, 1, n, f) : 0;
	if (f)
		fclose(f);
	return got == n ? 0 : -1;
}

static int set_up(struct enrolee *e, struct device *d, char **argv)
{
	const struct enrolee_clock clock = {sizeof(clock), NULL, unix_s, mono_ms};
	const struct enrolee_transport transport = {sizeof(transport), d, exchange};
	const struct enrolee_keystore store = {sizeof(store), d, make_key, sign, keep_request, install, read_item};

	return enrolee_set_text(e, ENROLEE_MEF, argv[1]) || enrolee_set_file(e, ENROLEE_ANCHORS, argv[2])
		|| enrolee_set_file(e, ENROLEE_CERTIFICATE, argv[3]) || enrolee_set_text(e, ENROLEE_CONNECT, argv[6])
		|| enrolee_set_clock(e, &clock) || enrolee_set_random(e, fill, NULL) || enrolee_set_transport(e, &transport)
		|| enrolee_set_keystore(e, &store);
}

/* In steps: this loop could as well be the device's own, and the call an asynchronous one. */
static int step_through(struct enrolee *e, struct device *d, enum enrolee_goal goal)
{
	enrolee_begin(e, goal);
	for (;;) {
		const struct enrolee_action *a = enrolee_next(e);
		if (a->kind == ENROLEE_ACTION_DONE)
			return 0;
		if (a->kind == ENROLEE_ACTION_FAILED)
			return enrolee_error_code(e);
		printf("  %s\n", a->step);
		if (a->kind == ENROLEE_ACTION_WAIT) {
			d->naps++;
			enrolee_feed_waited(e);
		} else if (a->kind == ENROLEE_ACTION_CALL) {
			struct enrolee_response *r = enrolee_response(e);
			if (exchange(d, a->request, r) == ENROLEE_ANSWERED)
				enrolee_feed_response(e);
			else
				enrolee_feed_lost(e, "no answer");
		} else {
			enrolee_perform(e);
		}
	}
}

int main(int argc, char **argv)
{
	struct device d = {0};
	struct enrolee_status status = {.size = sizeof(status)};

	if (argc < 7) {
		fprintf(stderr, "usage: own_store MEF-URI ANCHORS CERTIFICATE KEY DIR HOST:PORT [no-wait]\n");
		return 2;
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	d.factory_key = argv[4];
	d.dir = argv[5];
	d.curl = curl_easy_init();
	struct enrolee *e = enrolee_new();
	int bad = !e || !d.curl || set_up(e, &d, argv) || enrolee_set_number(e, ENROLEE_NO_WAIT, argc > 7) || enrolee_run(e, ENROLEE_ENROL) || enrolee_status(e, &status);
	if (!bad)
		printf("Enrolled: serial %s, %d calls\n", status.serial, d.calls);
	bad = bad || step_through(e, &d, ENROLEE_RENEW) || enrolee_status(e, &status);
	if (!bad)
		printf("Renewed: serial %s\n", status.serial);
	else if (e)
		fprintf(stderr, "%s\n", enrolee_error_text(e));
	enrolee_free(e);
	EVP_PKEY_free(d.pending);
	OPENSSL_free(d.spki);
	while (d.shown_n)
		X509_free(d.shown[--d.shown_n]);
	curl_easy_cleanup(d.curl);
	curl_global_cleanup();
	return bad != 0;
}
