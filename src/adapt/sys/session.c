#include "adapt/sys/session.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* TS-0003 10.2: the mandatory suite last, as it has no forward secrecy */
#define SUITES "ECDHE-PSK-CHACHA20-POLY1305:ECDHE-PSK-AES128-CBC-SHA256:PSK-AES128-GCM-SHA256:PSK-AES128-CBC-SHA256"
#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"

struct session {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	const struct session_plan *plan; /* while it opens */
};

void session_free(struct session *s)
{
	if (!s)
		return;
	if (s->ssl)
		SSL_shutdown(s->ssl);
	SSL_free(s->ssl);
	SSL_CTX_free(s->ctx);
	if (s->fd >= 0)
		close(s->fd);
	mem_free(s);
}

void session_cleanup(struct session **s)
{
	session_free(*s);
}

static const struct session_plan *plan_of(const SSL *ssl)
{
	return ((struct session *)SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->plan;
}

/* RFC 4279 2: on TLS 1.3 OpenSSL takes it as an external key with SHA-256 (RFC 8446 4.2.11) */
static unsigned int show_key(SSL *ssl, const char *hint, char *identity, unsigned int identity_max, unsigned char *key,
	unsigned int key_max)
{
	const struct session_plan *plan = plan_of(ssl);
	size_t n = strlen(plan->identity);

	if (n > identity_max || plan->key->n > key_max)
		return 0;
	memcpy(identity, plan->identity, n + 1);
	memcpy(key, plan->key->bytes, plan->key->n);
	return (unsigned int)plan->key->n;
}

static unsigned int find_key(SSL *ssl, const char *identity, unsigned char *key, unsigned int key_max)
{
	const struct session_plan *plan = plan_of(ssl);

	if (plan->key->n > key_max || !span_equal_nocase(span_text(identity), span_text(plan->identity)))
		return 0;
	memcpy(key, plan->key->bytes, plan->key->n);
	return (unsigned int)plan->key->n;
}

static int refuse_certificate(X509_STORE_CTX *ctx, void *arg)
{
	return 0;
}

static enum err set_up(struct session *s, bool server, struct why *why)
{
	s->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	if (!s->ctx || SSL_CTX_set_min_proto_version(s->ctx, TLS1_2_VERSION) != 1 || SSL_CTX_set_cipher_list(s->ctx, SUITES) != 1
		|| SSL_CTX_set_ciphersuites(s->ctx, SUITES_13) != 1
		|| SSL_CTX_set_max_proto_version(s->ctx, s->plan->tls12_only ? TLS1_2_VERSION : 0) != 1)
		return WHY(why, CRYPTO, "", "TLS by shared key");
	SSL_CTX_set_app_data(s->ctx, s);
	SSL_CTX_set_session_cache_mode(s->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(s->ctx, 0);
	if (server) {
		SSL_CTX_set_psk_server_callback(s->ctx, find_key);
	} else {
		SSL_CTX_set_psk_client_callback(s->ctx, show_key);
		/* no certificate may stand for the key; the listening side has none to show */
		SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_cert_verify_callback(s->ctx, refuse_certificate, NULL);
	}
	s->ssl = SSL_new(s->ctx);
	return s->ssl && SSL_set_fd(s->ssl, s->fd) == 1 ? OK : WHY(why, CRYPTO, "", "TLS by shared key");
}

static enum err unreachable(const char *what, struct why *why)
{
	return WHY(why, AGENT_CONNECT, "", "%s: %s", what, errno == EAGAIN ? "nothing came in time" : strerror(errno));
}

static enum err set_timeouts(int fd, int64_t timeout_s, struct why *why)
{
	const struct timeval limit = {.tv_sec = timeout_s};

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0
		|| setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0)
		return unreachable("socket", why);
	return OK;
}

static enum err handshake(struct session *s, bool server, struct why *why)
{
	char text[160] = "the connection ended";

	ERR_clear_error();
	int done = server ? SSL_accept(s->ssl) : SSL_connect(s->ssl);
	unsigned long code = ERR_peek_last_error();
	if (code)
		ERR_error_string_n(code, text, sizeof(text));
	ERR_clear_error();
	/* on TLS 1.3 a handshake without our key would have ended at the certificate check */
	if (done == 1 && (SSL_version(s->ssl) == TLS1_2_VERSION || SSL_session_reused(s->ssl)))
		return OK;
	if (!code && errno == EAGAIN)
		return unreachable("handshake", why);
	return WHY(why, AGENT_PSK, "RFC 4279 2", "key '%s': %s", s->plan->identity, text);
}

static enum err open_session(int fd, const struct session_plan *plan, bool server, struct session **out, struct why *why)
{
	OWNED_SESSION struct session *s = mem_alloc(sizeof(*s));

	if (!s) {
		close(fd);
		return WHY(why, NOMEM, "", "session");
	}
	s->fd = fd;
	s->plan = plan;
	TRY(set_timeouts(fd, plan->timeout_s, why));
	TRY(set_up(s, server, why));
	enum err err = handshake(s, server, why);
	s->plan = NULL;
	TRY(err);
	*out = s;
	s = NULL;
	return OK;
}

static struct sockaddr_in address_of(uint32_t host, uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = host};
}

enum err session_listen(uint16_t port, int *fd_out, uint16_t *port_out, struct why *why)
{
	struct sockaddr_in address = address_of(htonl(INADDR_LOOPBACK), port);
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0
		|| bind(fd, (const struct sockaddr *)&address, size) != 0 || listen(fd, 1) != 0
		|| getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
		enum err err = unreachable("listening on 127.0.0.1", why);
		if (fd >= 0)
			close(fd);
		return err;
	}
	*fd_out = fd;
	*port_out = ntohs(address.sin_port);
	return OK;
}

enum err session_accept(int fd, const struct session_plan *plan, struct session **out, struct why *why)
{
	TRY(set_timeouts(fd, plan->timeout_s, why));
	int peer = accept(fd, NULL, NULL);

	if (peer < 0)
		return unreachable("waiting for the other side", why);
	return open_session(peer, plan, true, out, why);
}

enum err session_connect(const char *address, uint16_t port, const struct session_plan *plan, struct session **out, struct why *why)
{
	struct sockaddr_in to = address_of(0, port);

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
		return WHY(why, AGENT_URI, "", "want an IPv4 address, have '%.40s'", address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
		enum err err = unreachable(address, why);
		if (fd >= 0)
			close(fd);
		return err;
	}
	return open_session(fd, plan, false, out, why);
}

static enum err ended(const char *what, struct why *why)
{
	ERR_clear_error();
	return WHY(why, AGENT_CONNECT, "", "%s: the session ended", what);
}

enum err session_say(struct session *s, const char *line, struct why *why)
{
	char text[SESSION_LINE_SIZE];
	size_t n = strlen(line);

	if (n > SESSION_LINE_SIZE - 2 || strchr(line, '\n'))
		return WHY(why, AGENT_LIMIT, "", "line: want one of at most %d octets", SESSION_LINE_SIZE - 2);
	memcpy(text, line, n);
	text[n] = '\n';
	return SSL_write(s->ssl, text, (int)n + 1) == (int)n + 1 ? OK : ended("sending", why);
}

enum err session_hear(struct session *s, char out[SESSION_LINE_SIZE], struct why *why)
{
	size_t n = 0;

	while (n < SESSION_LINE_SIZE - 1) {
		if (SSL_read(s->ssl, out + n, 1) != 1)
			return ended("listening", why);
		if (out[n] == '\n') {
			out[n] = '\0';
			return OK;
		}
		n++;
	}
	return WHY(why, AGENT_LIMIT, "", "line: want at most %d octets, have more", SESSION_LINE_SIZE - 2);
}

const char *session_version(const struct session *s)
{
	return SSL_get_version(s->ssl);
}

const char *session_suite(const struct session *s)
{
	return SSL_get_cipher_name(s->ssl);
}
