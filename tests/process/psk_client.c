/*
 * A TLS client by pre-shared key for the scripts beside this file (Python's ssl has none before 3.13). First
 * lines of standard input say how to shake hands, "go" ends them; the answer is one line:
 *
 *	ok TLSv1.2 PSK-AES128-CBC-SHA256 ems=1 BOOTSTRAP REAUTH CONNECTION	(exporter values, hex)
 *	fail REASON
 *
 * Then standard input goes to the server, and what comes from there to standard output.
 */
#include "base/hex.h"
#include "base/secret.h"
#include "proto/m2m/ids.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE_MAX_ = 1024, CHUNK = 16 * 1024 };

static struct {
	char version[8], ciphers[256], identity[LINE_MAX_], sni[256];
	size_t identity_n; /* TLS 1.3 sends any octets, TLS 1.2 those before the first NUL */
	struct secret key;
	bool no_ems;
} how = {.version = "1.2", .sni = "localhost"};

static void die(const char *text)
{
	printf("fail %s\n", text);
	exit(1);
}

static void die_ssl(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	die(reason ? reason : "the connection was closed");
}

static void set_key(const char *hex)
{
	struct why why = {0};
	size_t n = 0;

	if (hex_parse(span_text(hex), how.key.bytes, sizeof(how.key.bytes), &n, &why) != OK)
		die(why.text);
	how.key.n = n;
}

static void set_identity(const char *text, bool is_hex)
{
	struct why why = {0};

	how.identity_n = strlen(text);
	if (!is_hex)
		snprintf(how.identity, sizeof(how.identity), "%s", text);
	else if (hex_parse(span_text(text), (uint8_t *)how.identity, sizeof(how.identity), &how.identity_n, &why) != OK)
		die(why.text);
}

static bool set(char *line)
{
	char *value = strchr(line, ' ');

	if (value)
		*value++ = '\0';
	if (!value)
		return strcmp(line, "go") != 0;
	if (strcmp(line, "version") == 0)
		snprintf(how.version, sizeof(how.version), "%s", value);
	else if (strcmp(line, "ciphers") == 0)
		snprintf(how.ciphers, sizeof(how.ciphers), "%s", value);
	else if (strcmp(line, "identity") == 0)
		set_identity(value, false);
	else if (strcmp(line, "identity-hex") == 0)
		set_identity(value, true);
	else if (strcmp(line, "sni") == 0)
		snprintf(how.sni, sizeof(how.sni), "%s", value);
	else if (strcmp(line, "key") == 0)
		set_key(value);
	else if (strcmp(line, "ems") == 0)
		how.no_ems = strcmp(value, "no") == 0;
	else
		die("unknown setting");
	return true;
}

/* By single octets: what follows "go" belongs to the pump. */
static bool read_line(char *line)
{
	size_t n = 0;

	while (n + 1 < LINE_MAX_ && read(0, line + n, 1) == 1) {
		if (line[n] == '\n') {
			line[n] = '\0';
			return true;
		}
		n++;
	}
	return false;
}

static unsigned int on_psk(SSL *ssl, const char *hint, char *identity, unsigned int identity_max, unsigned char *psk,
	unsigned int psk_max)
{
	(void)ssl;
	(void)hint;
	if (strlen(how.identity) + 1 > identity_max || how.key.n > psk_max)
		return 0;
	memcpy(identity, how.identity, strlen(how.identity) + 1);
	memcpy(psk, how.key.bytes, how.key.n);
	return (unsigned int)how.key.n;
}

/* RFC 8446 4.2.11: an external PSK of TLS 1.3 goes with SHA-256. */
static int on_psk_session(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *id_n, SSL_SESSION **out)
{
	static const unsigned char aes128_sha256[] = {0x13, 0x01};
	const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, aes128_sha256);

	*out = NULL;
	*id = (const unsigned char *)how.identity;
	*id_n = how.identity_n;
	if (md && EVP_MD_get_type(md) != NID_sha256)
		return 1;
	SSL_SESSION *s = SSL_SESSION_new();
	if (!s || !cipher || !SSL_SESSION_set1_master_key(s, how.key.bytes, how.key.n)
		|| !SSL_SESSION_set_cipher(s, cipher) || !SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION)) {
		SSL_SESSION_free(s);
		return 0;
	}
	*out = s;
	return 1;
}

static SSL_CTX *context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	bool tls13 = strcmp(how.version, "1.3") == 0;
	int version = tls13 ? TLS1_3_VERSION : TLS1_2_VERSION;

	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, version) || !SSL_CTX_set_max_proto_version(ctx, version))
		die_ssl();
	if (how.ciphers[0] && !(tls13 ? SSL_CTX_set_ciphersuites(ctx, how.ciphers) : SSL_CTX_set_cipher_list(ctx, how.ciphers)))
		die_ssl();
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY); /* a ticket is no reason to wait for data */
	if (how.no_ems)
		SSL_CTX_set_options(ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	if (tls13)
		SSL_CTX_set_psk_use_session_callback(ctx, on_psk_session);
	else
		SSL_CTX_set_psk_client_callback(ctx, on_psk);
	return ctx;
}

static int dial(const char *port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("no connection");
	return fd;
}

static void tell_exports(SSL *ssl)
{
	static const char *const labels[] = {M2M_LABEL_BOOTSTRAP, M2M_LABEL_REAUTH, M2M_LABEL_CONNECTION};

	printf("ok %s %s ems=%d", SSL_get_version(ssl), SSL_get_cipher_name(ssl), (int)SSL_get_extms_support(ssl));
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		uint8_t out[M2M_EXPORT_SIZE];
		char hex[2 * M2M_EXPORT_SIZE + 1];
		if (SSL_export_keying_material(ssl, out, sizeof(out), labels[i], strlen(labels[i]), NULL, 0, 0) != 1)
			die_ssl();
		hex_text(out, sizeof(out), hex);
		printf(" %s", hex);
	}
	printf("\n");
	fflush(stdout);
}

static bool from_server(SSL *ssl)
{
	char bytes[CHUNK];

	do {
		int n = SSL_read(ssl, bytes, sizeof(bytes));
		if (n <= 0)
			return SSL_get_error(ssl, n) == SSL_ERROR_WANT_READ;
		if (write(1, bytes, (size_t)n) != n)
			return false;
	} while (SSL_pending(ssl) > 0);
	return true;
}

static void pump(SSL *ssl)
{
	struct pollfd fds[] = {{.fd = 0, .events = POLLIN}, {.fd = SSL_get_fd(ssl), .events = POLLIN}};
	char bytes[CHUNK];

	while (poll(fds, 2, -1) >= 0) {
		if (fds[1].revents && !from_server(ssl))
			return;
		if (!fds[0].revents)
			continue;
		ssize_t n = read(0, bytes, sizeof(bytes));
		if (n <= 0 || SSL_write(ssl, bytes, (int)n) != n)
			return;
	}
}

int main(int argc, char **argv)
{
	char line[LINE_MAX_];
	bool more = true;

	if (argc != 2)
		die("want a port");
	while (more && read_line(line))
		more = set(line);
	SSL_CTX *ctx = context();
	SSL *ssl = SSL_new(ctx);
	int fd = dial(argv[1]);
	if (!ssl || !SSL_set_fd(ssl, fd) || !SSL_set_tlsext_host_name(ssl, how.sni) || SSL_connect(ssl) != 1)
		die_ssl();
	tell_exports(ssl);
	pump(ssl);
	SSL_shutdown(ssl);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fd);
	return 0;
}
