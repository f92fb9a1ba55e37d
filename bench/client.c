#define _GNU_SOURCE /* strcasestr */
#include "client.h"

#include "adapt/sys/file.h"
#include "base/mem.h"
#include "net/tls_provider.h"
#include "pki/build.h"
#include "pki/key.h"
#include "pki/name.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct factory {
	struct key *key;
	struct buf der;
	struct cert cert;
};

double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

void die(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static enum err keep_der(void *arg, struct span der, struct why *why)
{
	buf_put_span(arg, der);
	return OK;
}

struct factory *factory_open(const char *dir)
{
	struct factory *f = mem_alloc(sizeof(*f));
	struct why why = {0};
	char path[512];
	OWNED_BUF struct buf pem = BUF(65536);
	OWNED_BUF struct buf key_pem = BUF(65536);

	if (!f)
		die("memory");
	f->der = BUF(CERT_DER_MAX);
	snprintf(path, sizeof(path), "%s/ca.pem", dir);
	if (file_read(path, &pem, &why) != OK || cert_each_pem(buf_span(&pem), keep_der, &f->der, &why) != OK
		|| cert_parse(buf_span(&f->der), &f->cert, &why) != OK)
		die(why.text);
	snprintf(path, sizeof(path), "%s/ca.key", dir);
	if (file_read(path, &key_pem, &why) != OK
		|| key_parse_pem(buf_span(&key_pem), (struct span){NULL, 0}, &f->key, &why) != OK)
		die(why.text);
	return f;
}

void factory_free(struct factory *f)
{
	key_free(f->key);
	buf_fini(&f->der);
	mem_free(f);
}

void factory_make(const struct factory *f, int number, struct device *out)
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
	*out = (struct device){.cert = d2i_X509(NULL, &at, (long)der.n), .key = key_native(key)};
	if (!out->cert || EVP_PKEY_up_ref(out->key) != 1)
		die("device");
}

static unsigned int give_psk(
	SSL *ssl, const char *hint, char *identity, unsigned int size, unsigned char *psk, unsigned int psk_size)
{
	const struct device *d = SSL_get_app_data(ssl);

	if (strlen(d->identity) >= size || psk_size < sizeof(d->psk))
		return 0;
	memcpy(identity, d->identity, strlen(d->identity) + 1);
	memcpy(psk, d->psk, sizeof(d->psk));
	return sizeof(d->psk);
}

/* External PSK of TLS 1.3: a session that was never held, with its key. */
static int use_psk(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *id_n, SSL_SESSION **out)
{
	static const unsigned char aes_128_gcm_sha256[] = {0x13, 0x01};
	const struct device *d = SSL_get_app_data(ssl);
	SSL_SESSION *s = SSL_SESSION_new();

	if (!s || SSL_SESSION_set1_master_key(s, d->psk, sizeof(d->psk)) != 1
		|| SSL_SESSION_set_cipher(s, SSL_CIPHER_find(ssl, aes_128_gcm_sha256)) != 1
		|| SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION) != 1)
		die("TLS 1.3 PSK");
	*id = (const unsigned char *)d->identity;
	*id_n = strlen(d->identity);
	*out = s;
	return 1;
}

static void use_psks(SSL_CTX *ctx)
{
	if (SSL_CTX_set_cipher_list(ctx, "ECDHE-PSK-CHACHA20-POLY1305") != 1)
		die("PSK suites");
	SSL_CTX_set_psk_client_callback(ctx, give_psk);
	SSL_CTX_set_psk_use_session_callback(ctx, use_psk);
}

SSL_CTX *client_context(int tls, bool psk)
{
	struct tls_provider *provider = NULL; /* lives as long as the program */
	OSSL_LIB_CTX *lib = NULL;
	struct why why = {0};
	/* the server's own trick: a load that costs less leaves the machine to what is measured */
	if (tls_provider_new(&provider, &lib, &why) != OK)
		die(why.text);
	SSL_CTX *ctx = SSL_CTX_new_ex(lib, NULL, TLS_client_method());
	int version = tls == 12 ? TLS1_2_VERSION : TLS1_3_VERSION;

	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, version) || !SSL_CTX_set_max_proto_version(ctx, version))
		die("TLS context");
	SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	char groups[] = "X25519:P-256"; /* not const: the macro casts it so */
	SSL_CTX_set1_groups_list(ctx, groups);
	if (psk)
		use_psks(ctx);
	return ctx;
}

SSL *client_open(SSL_CTX *ctx, const char *host, int port, struct device *device, int *fd_out)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SSL *ssl = SSL_new(ctx);
	char name[256]; /* RFC 1035 2.3.4: at most 255 octets */

	snprintf(name, sizeof(name), "%s", host);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || !ssl || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		if (fd >= 0)
			close(fd);
		SSL_free(ssl);
		return NULL;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	SSL_set_connect_state(ssl);
	SSL_set_app_data(ssl, device);
	if (device->cert) {
		SSL_use_certificate(ssl, device->cert);
		SSL_use_PrivateKey(ssl, device->key);
	}
	SSL_set_fd(ssl, fd);
	/* what SSL_set_tlsext_host_name does, without its cast */
	SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name);
	*fd_out = fd;
	return ssl;
}

void client_close(SSL *ssl, int fd)
{
	struct linger now = {1, 0}; /* no TIME_WAIT: a million connections from one address */

	if (!ssl)
		return;
	SSL_shutdown(ssl);
	SSL_free(ssl);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static bool read_reply(SSL *ssl, char *reply)
{
	size_t have = 0;

	while (have < CLIENT_REPLY_MAX - 1) {
		int n = SSL_read(ssl, reply + have, (int)(CLIENT_REPLY_MAX - 1 - have));
		if (n <= 0)
			return false;
		have += (size_t)n;
		reply[have] = '\0';
		char *end = strstr(reply, "\r\n\r\n");
		char *length = end ? strcasestr(reply, "content-length:") : NULL;
		if (length && have >= (size_t)(end + 4 - reply) + strtoul(length + 15, NULL, 10))
			return strncmp(reply, "HTTP/1.1 20", 11) == 0;
	}
	return false;
}

bool client_exchange(SSL *ssl, struct span request, char reply[CLIENT_REPLY_MAX])
{
	reply[0] = '\0';
	return SSL_write(ssl, request.p, (int)request.n) == (int)request.n && read_reply(ssl, reply);
}

const char *client_body(const char *reply)
{
	const char *end = strstr(reply, "\r\n\r\n");

	return end ? end + 4 : "";
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

void print_figures(int good, int bad, double elapsed_ms, double *latency_ms, size_t n)
{
	qsort(latency_ms, n, sizeof(double), by_size);
	printf("{\"good\": %d, \"bad\": %d, \"seconds\": %.3f, \"per_s\": %.1f, \"p50_ms\": %.3f, \"p99_ms\": %.3f}\n",
		good, bad, elapsed_ms / 1e3, good / (elapsed_ms / 1e3), latency_ms[n / 2], latency_ms[n * 99 / 100]);
}
