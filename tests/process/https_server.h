#pragma once
/* A small TLS server in a process of its own, that shows what certificates a test gives it and counts. */
#include "unit/pki/made.h"

#include "adapt/sys/fetch.h"
#include "base/hex.h"

#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { CHAIN_LONGEST = FETCH_CERTS_MAX + 2, REQUEST_MAX = 64 * 1024 };

/* What the two processes share. */
struct counts {
	volatile int connections; /* accepted */
	volatile int requests;    /* heads read whole, in the clear behind TLS */
};

struct server_plan {
	const struct made *chain[CHAIN_LONGEST]; /* leaf first */
	const struct made *later;                /* the leaf shown from the second connection on */
	bool refuses_clients;                    /* refuses every client certificate */
	bool plain;                              /* speaks no TLS */
	long version_max;                        /* TLS1_2_VERSION; 0: any */
	const char *psk_identity;                /* takes a shared key too; chain may then be empty */
	struct secret psk;
	const char *suites;                      /* of TLS 1.2; NULL: the library's */
	bool no_master_secret;                   /* without the extended master secret on TLS 1.2 */
};

struct server {
	pid_t pid;
	char address[32]; /* "127.0.0.1:PORT" */
	struct counts *counts;
};

static inline int server_verify(X509_STORE_CTX *ctx, void *arg)
{
	const struct server_plan *plan = arg;

	X509_STORE_CTX_set_error(ctx, plan->refuses_clients ? X509_V_ERR_CERT_REVOKED : X509_V_OK);
	return !plan->refuses_clients;
}

static inline const struct server_plan *server_plan_of(SSL *ssl)
{
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static inline unsigned int server_psk(SSL *ssl, const char *identity, unsigned char *out, unsigned int max)
{
	const struct server_plan *plan = server_plan_of(ssl);

	if (strcmp(identity, plan->psk_identity) != 0)
		return 0;
	memcpy(out, plan->psk.bytes, plan->psk.n);
	return (unsigned int)plan->psk.n;
}

static inline void server_arm_psk(SSL_CTX *ctx, const struct server_plan *plan)
{
	union {
		const struct server_plan *in;
		void *out;
	} arg = {plan};

	SSL_CTX_set_app_data(ctx, arg.out);
	/* on TLS 1.3 too: OpenSSL takes it for an external key with SHA-256 */
	SSL_CTX_set_psk_server_callback(ctx, server_psk);
}

static inline SSL_CTX *server_ctx(const struct server_plan *plan, const struct made *leaf)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	for (size_t i = 0; plan->chain[i]; i++) {
		const struct made *m = i ? plan->chain[i] : leaf;
		const unsigned char *p = m->der.p;
		X509 *x = d2i_X509(NULL, &p, (long)m->der.n);
		if (i)
			SSL_CTX_add0_chain_cert(ctx, x);
		else if (SSL_CTX_use_certificate(ctx, x) == 1)
			X509_free(x);
	}
	if (leaf)
		SSL_CTX_use_PrivateKey(ctx, key_native(leaf->key));
	if (plan->psk_identity)
		server_arm_psk(ctx, plan);
	if (plan->suites)
		assert_int_equal(SSL_CTX_set_cipher_list(ctx, plan->suites), 1);
	if (plan->no_master_secret)
		SSL_CTX_set_options(ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	union {
		const struct server_plan *in;
		void *out;
	} arg = {plan};
	SSL_CTX_set_cert_verify_callback(ctx, server_verify, arg.out);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"test", 4);
	if (plan->version_max)
		SSL_CTX_set_max_proto_version(ctx, (int)plan->version_max);
	return ctx;
}

static inline bool server_read(SSL *ssl, char *request, size_t size)
{
	size_t n = 0;
	size_t body = 0;

	for (char *end = NULL; !end || strlen(end + 4) < body;) {
		int got = n < size - 1 ? SSL_read(ssl, request + n, (int)(size - 1 - n)) : 0;
		if (got <= 0)
			return false;
		n += (size_t)got;
		request[n] = '\0';
		end = strstr(request, "\r\n\r\n");
		const char *length = strstr(request, "Content-Length: ");
		body = length && length < end ? strtoul(length + 16, NULL, 10) : 0;
	}
	return true;
}

static inline void server_answer(SSL *ssl, const char *head, const char *body, size_t n)
{
	char text[512];
	int length = snprintf(text, sizeof(text), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", head, n);

	SSL_write(ssl, text, length);
	if (n)
		SSL_write(ssl, body, (int)n);
}

static inline void server_echo(SSL *ssl, const char *request)
{
	char body[REQUEST_MAX + 512];
	char name[128] = "none";
	X509 *peer = SSL_get1_peer_certificate(ssl);

	if (peer)
		X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, name, sizeof(name));
	STACK_OF(X509) *shown = SSL_get_peer_cert_chain(ssl);
	int n = snprintf(body, sizeof(body), "%s sni=%s client=%s certs=%d suite=%s\n%s", SSL_get_version(ssl),
		SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name), name, peer ? sk_X509_num(shown) + 1 : 0,
		SSL_get_cipher_name(ssl), request);
	X509_free(peer);
	server_answer(ssl, "200 OK\r\nContent-Type: text/plain", body, (size_t)n);
}

/* What this end exports from the session: "HEX HEX", as the client should have it. */
static inline void server_export(SSL *ssl)
{
	static const char *const labels[] = {"EXPORTER-oneM2M-Bootstrap", "EXPERIMENTAL-OpenMEF-ReAuthentication"};
	char text[2 * (2 * FETCH_EXPORT_SIZE + 1)];
	uint8_t octets[FETCH_EXPORT_SIZE];
	size_t n = 0;

	for (size_t i = 0; i < 2; i++) {
		SSL_export_keying_material(ssl, octets, sizeof(octets), labels[i], strlen(labels[i]), NULL, 0, 0);
		hex_text(octets, sizeof(octets), text + n);
		n += 2 * sizeof(octets);
		text[n++] = i ? '\0' : ' ';
	}
	server_answer(ssl, "200 OK", text, n - 1);
}

static inline bool is_for(const char *request, const char *path)
{
	const char *space = strchr(request, ' ');

	return space && strncmp(space + 1, path, strlen(path)) == 0 && space[1 + strlen(path)] == ' ';
}

/* False: the connection ends. */
static inline bool server_turn(SSL *ssl, const char *request)
{
	static char big[FETCH_BODY_MAX + 1];

	if (is_for(request, "/fits"))
		server_answer(ssl, "200 OK", big, FETCH_BODY_MAX);
	else if (is_for(request, "/big"))
		server_answer(ssl, "200 OK", big, FETCH_BODY_MAX + 1);
	else if (is_for(request, "/redirect"))
		server_answer(ssl, "302 Found\r\nLocation: /echo", "", 0);
	else if (is_for(request, "/later"))
		server_answer(ssl, "202 Accepted\r\nRetry-After: 123", "", 0);
	else if (is_for(request, "/past"))
		server_answer(ssl, "503 Busy\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT", "", 0);
	else if (is_for(request, "/close"))
		server_answer(ssl, "200 OK\r\nConnection: close", "", 0);
	else if (is_for(request, "/login"))
		server_answer(ssl, "401 Unauthorized\r\nWWW-Authenticate: Basic realm=x", "", 0);
	else if (is_for(request, "/long-type"))
		server_answer(ssl, "200 OK\r\nContent-Type: application/"
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			"aaaaaaaaaaaaaaaaaaaaaaaa", "", 0);
	else if (is_for(request, "/silent"))
		sleep(30);
	else if (is_for(request, "/export"))
		server_export(ssl);
	else
		server_echo(ssl, request);
	return !is_for(request, "/close");
}

static inline void server_connection(const struct server_plan *plan, struct counts *counts, int fd)
{
	char request[REQUEST_MAX];
	SSL_CTX *ctx = server_ctx(plan, plan->later && counts->connections > 1 ? plan->later : plan->chain[0]);
	SSL *ssl = SSL_new(ctx);

	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1) {
		while (server_read(ssl, request, sizeof(request))) {
			counts->requests++;
			if (!server_turn(ssl, request))
				break;
		}
		SSL_shutdown(ssl);
	}
	/* Closed with data unread, the kernel would reset the connection, and an alert might not arrive. */
	shutdown(fd, SHUT_WR);
	while (read(fd, request, sizeof(request)) > 0)
		;
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

static inline void server_loop(const struct server_plan *plan, struct counts *counts, int listener)
{
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that failed stops nobody */
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			continue;
		counts->connections++;
		if (plan->plain)
			(void)!write(fd, "220 mail.example.com\r\n", 22);
		else
			server_connection(plan, counts, fd);
		close(fd);
	}
}

static inline struct server server_start(const struct server_plan *plan)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	struct server s = {.pid = -1};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	s.counts = mmap(NULL, sizeof(*s.counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(s.counts != MAP_FAILED);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	snprintf(s.address, sizeof(s.address), "127.0.0.1:%u", ntohs(address.sin_port));
	s.pid = fork();
	if (s.pid == 0)
		server_loop(plan, s.counts, fd);
	close(fd);
	return s;
}

static inline void server_stop(struct server *s)
{
	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
		munmap(s->counts, sizeof(*s->counts));
	}
	s->pid = -1;
}
#define OWNED_SERVER __attribute__((cleanup(server_stop)))
