#include "net/http_server.h"

#include "base/text.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/http_conn.h"
#include "unit/net/certs.h"
#include "unit/net/client.h"

/* The server runs here, the clients of each test in a child, as in test_http_server.c. */
static const char KEY[] = "0123456789abcdef0123456789abcdef";

enum { ASKS_MAX = HTTP_PSK_WAITING_MAX + 1 };

static struct {
	struct loop *loop;
	struct http_server *server;
	struct tls_server *tls;
	struct id ca, cert, device;
	uint16_t port;
	int listen_fd;
	pid_t client;
	bool failed, drained;
	bool at_once;                        /* keys are there when they are asked for */
	struct http_psk *asks[ASKS_MAX];     /* to be answered by the test */
	size_t asks_n;
	size_t answer_after;                 /* calls of others that come first; 0: never */
	unsigned int calls;
	struct peer peer; /* of the last call; spans gone */
	char identity[64], origin[CALL_NAME_MAX + 1];
	size_t exporter_n, exported_n;
	uint8_t exported[CALL_EXPORT_MAX];
} site;

static void answer_asks(const char *key)
{
	struct secret secret = {0};

	assert_true(secret_set(&secret, span_text(key ? key : "")));
	while (site.asks_n)
		http_psk_reply(site.asks[--site.asks_n], key ? &secret : NULL);
}

static void on_psk(void *arg, struct http_psk *ask, struct span identity)
{
	struct secret secret = {0};

	assert_true(text_copy(site.identity, sizeof(site.identity), identity));
	assert_true(secret_set(&secret, span_text(KEY)));
	if (site.at_once)
		http_psk_reply(ask, &secret);
	else
		site.asks[site.asks_n++] = ask;
}

static enum call_export on_exports(void *arg, const struct call *call)
{
	assert_int_equal(call->peer.exporter.n + call->peer.exported.n, 0);
	return span_is(call->path, "/enrolment")  ? EXPORT_ENROLMENT
		: span_is(call->path, "/connect") ? EXPORT_CONNECTION
		: span_is(call->path, "/binding") ? EXPORT_BINDING
						  : EXPORT_NONE;
}

static void on_call(void *arg, struct http_exchange *x, const struct call *call)
{
	char text[64];

	site.calls++;
	site.peer = call->peer;
	site.exporter_n = call->peer.exporter.n;
	site.exported_n = call->peer.exported.n;
	if (call->peer.exported.n)
		memcpy(site.exported, call->peer.exported.p, call->peer.exported.n);
	assert_true(text_copy(site.origin, sizeof(site.origin), call->origin));
	snprintf(text, sizeof(text), "%zu %zu", site.exporter_n, site.exported_n);
	http_exchange_reply(
		x, &(struct reply){.status = 200, .media_type = "text/plain", .body = span_text(text)});
	if (site.answer_after && site.calls >= site.answer_after && site.asks_n)
		answer_asks(KEY);
}

static void on_child(void *arg)
{
	int status = 0;

	if (site.client && waitpid(site.client, &status, WNOHANG) == site.client) {
		site.client = 0;
		site.failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
		loop_stop(site.loop);
	}
}

static int listen_free(uint16_t *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(fd, 1024), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static void open_site(const struct http_limits *limits)
{
	struct buf cert = BUF(16384), key = BUF(16384), own = BUF(16384);
	struct why why = {0};

	memset(&site, 0, sizeof(site));
	site.ca = id_new(&(struct id_plan){.cn = "MEF CA", .ca = true});
	site.cert = id_new(&(struct id_plan){.cn = "MEF", .issuer = &site.ca, .san = "DNS:mef.example"});
	site.device = id_new(&(struct id_plan){.cn = "device", .issuer = &site.ca});
	put_cert(&site.cert, &cert);
	put_key(&site.cert, NULL, &key);
	put_cert(&site.ca, &own);
	struct tls_config config = {.cert_pem = buf_span(&cert), .key_pem = buf_span(&key), .own_ca_pem = buf_span(&own),
		.fqdn = "mef.example", .psk = true};
	assert_int_equal(tls_server_new(&config, &site.tls, &why), OK);
	buf_fini(&cert);
	buf_fini(&key);
	buf_fini(&own);
	assert_int_equal(loop_new(&site.loop, &why), OK);
	assert_int_equal(loop_on_signal(site.loop, SIGCHLD, on_child, NULL, &why), OK);
	assert_int_equal(http_server_new(site.loop, limits, on_call, NULL, &site.server, &why), OK);
	http_server_psk(site.server, on_psk, NULL);
	http_server_exports(site.server, on_exports, NULL);
	site.listen_fd = listen_free(&site.port);
	assert_int_equal(http_server_listen(site.server, site.listen_fd, site.tls, &why), OK);
}

static void close_site(void)
{
	http_server_free(site.server);
	answer_asks(KEY);
	loop_free(site.loop);
	tls_server_free(site.tls);
	id_free(&site.ca);
	id_free(&site.cert);
	id_free(&site.device);
}

static void start_client(int (*client)(void))
{
	fflush(NULL);
	site.client = fork();
	if (site.client == 0) {
		close(site.listen_fd);
		alarm(60);
		_exit(client());
	}
}

static void run_client(int (*client)(void))
{
	start_client(client);
	loop_run(site.loop);
	if (site.failed)
		fail_msg("the client did not see what it wanted");
}

/* ---- clients ---- */

static unsigned int show(
	SSL *ssl, const char *hint, char *identity, unsigned int max, unsigned char *key, unsigned int key_max)
{
	snprintf(identity, max, "kpm7@mef.example");
	memcpy(key, KEY, sizeof(KEY) - 1);
	return sizeof(KEY) - 1;
}

/* ciphers NULL: TLS 1.3. */
static SSL *client_new(const char *ciphers, bool psk)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	char name[] = "mef.example";
	int version = ciphers ? TLS1_2_VERSION : TLS1_3_VERSION;

	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	if (ciphers)
		want(SSL_CTX_set_cipher_list(ctx, ciphers) == 1, "its ciphers");
	if (psk)
		SSL_CTX_set_psk_client_callback(ctx, show);
	else
		want(SSL_CTX_use_certificate(ctx, site.device.cert) == 1
				&& SSL_CTX_use_PrivateKey(ctx, site.device.key) == 1,
			"a certificate");
	SSL *ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	SSL_set_fd(ssl, dial(site.port));
	SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name);
	return ssl;
}

static const char *ask(SSL *ssl, const char *request)
{
	static char bytes[4096];

	want(SSL_write(ssl, request, (int)strlen(request)) > 0, "to write");
	int n = SSL_read(ssl, bytes, sizeof(bytes) - 1);
	want(n > 0, "to read");
	bytes[n] = '\0';
	return bytes;
}

static void hang_up(SSL *ssl)
{
	int fd = SSL_get_fd(ssl);

	SSL_free(ssl);
	close(fd);
}

static void get_with(const char *ciphers, bool psk)
{
	SSL *ssl = client_new(ciphers, psk);

	want(SSL_connect(ssl) == 1, "a handshake");
	want_in(ask(ssl, GET("/a") "\r\n"), "200 OK");
	want_in(ask(ssl, GET("/b") "\r\n"), "200 OK");
	hang_up(ssl);
}

static int client_psk_12(void)
{
	get_with("PSK-AES128-CBC-SHA256", true);
	get_with("ECDHE-PSK-CHACHA20-POLY1305", true);
	return 0;
}

static int client_psk_13(void)
{
	get_with(NULL, true);
	return 0;
}

static int client_cert(void)
{
	get_with("ECDHE-ECDSA-AES128-GCM-SHA256", false);
	get_with(NULL, false);
	return 0;
}

static void one_listener_serves_keys_and_certificates(void **state)
{
	open_site(NULL);
	site.at_once = true;
	run_client(client_psk_12);
	assert_int_equal(site.peer.trust, PEER_PSK);
	assert_int_equal(site.peer.tls_version, 0x0303);
	assert_string_equal(site.identity, "kpm7@mef.example");
	run_client(client_psk_13);
	assert_int_equal(site.peer.trust, PEER_PSK);
	assert_int_equal(site.peer.tls_version, 0x0304);
	run_client(client_cert);
	assert_int_equal(site.peer.trust, PEER_OWN);
	assert_int_equal(site.calls, 10);
	close_site();
}

/* One handshake of each version stands still; fifty others are served meanwhile. */
static int client_waits_while_others_are_served(void)
{
	pid_t waiting[2];

	for (int i = 0; i < 2; i++) {
		waiting[i] = fork();
		if (waiting[i] == 0) {
			get_with(i ? "PSK-AES128-GCM-SHA256" : NULL, true);
			_exit(0);
		}
	}
	rest_ms(100);
	for (int i = 0; i < 25; i++)
		client_cert();
	for (int i = 0; i < 2; i++) {
		int status = 0;
		want(waitpid(waiting[i], &status, 0) == waiting[i] && status == 0, "the two that waited to be served");
	}
	return 0;
}

static void key_that_comes_late_holds_up_nobody(void **state)
{
	open_site(NULL);
	site.answer_after = 100;
	run_client(client_waits_while_others_are_served);
	assert_int_equal(site.calls, 104);
	close_site();
}

/* Closed without an alert: nothing was decided about it. */
static void want_no_handshake(const char *ciphers)
{
	SSL *ssl = client_new(ciphers, true);

	want(SSL_connect(ssl) != 1, "no handshake");
	want(ERR_GET_REASON(ERR_peek_last_error()) < SSL_AD_REASON_OFFSET, "no alert");
	ERR_clear_error();
	hang_up(ssl);
}

static int client_is_left_alone(void)
{
	want_no_handshake("PSK-AES128-CBC-SHA256");
	return 0;
}

static int clients_are_left_alone(void)
{
	want_no_handshake(NULL);
	return client_is_left_alone();
}

static void waiting_handshake_has_its_deadline(void **state)
{
	open_site(&(struct http_limits){.handshake_ms = 200});
	run_client(clients_are_left_alone);
	assert_int_equal(http_server_connections(site.server), 0);
	assert_int_equal(site.asks_n, 2);
	answer_asks(KEY); /* into nothing */
	close_site();
}

static int client_leaves(void)
{
	for (int i = 0; i < 3; i++) {
		SSL *ssl = client_new(i == 0 ? NULL : "PSK-AES256-GCM-SHA384", true);
		struct timeval brief = {.tv_usec = 100000};
		setsockopt(SSL_get_fd(ssl), SOL_SOCKET, SO_RCVTIMEO, &brief, sizeof(brief));
		SSL_connect(ssl);
		hang_up(ssl);
	}
	return 0;
}

static void keys_for_clients_that_left_change_nothing(void **state)
{
	open_site(NULL);
	run_client(client_leaves);
	assert_int_equal(site.asks_n, 3);
	answer_asks(KEY);
	run_client(client_leaves);
	assert_int_equal(http_server_connections(site.server), 3);
	assert_int_equal(site.asks_n, 3); /* they outlive their server */
	close_site();
}

static int client_fails(void)
{
	for (int i = 0; i < 2; i++) {
		SSL *ssl = client_new(i ? NULL : "PSK-AES128-CBC-SHA256", true);
		want(SSL_connect(ssl) != 1, "no handshake");
		want(SSL_get_error(ssl, -1) == SSL_ERROR_SSL || SSL_get_error(ssl, -1) == SSL_ERROR_SYSCALL, "the end");
		hang_up(ssl);
	}
	return 0;
}

static void server_without_keys_closes_the_connection(void **state)
{
	open_site(NULL);
	http_server_psk(site.server, NULL, NULL);
	run_client(client_fails);
	assert_int_equal(http_server_connections(site.server), 0);
	assert_int_equal(site.calls, 0);
	close_site();
}

static void on_drained(void *arg)
{
	site.drained = true;
	if (!site.client)
		loop_stop(site.loop);
}

static void on_begin_drain(void *arg)
{
	http_server_drain(site.server, 3000, on_drained, NULL);
	answer_asks(KEY);
}

static int client_asks_during_drain(void)
{
	SSL *ssl = client_new("ECDHE-PSK-AES128-CBC-SHA256", true);

	want(SSL_connect(ssl) == 1, "a handshake");
	want_in(ask(ssl, GET("/a") "\r\n"), "Connection: close");
	return 0;
}

static void drain_lets_a_waiting_handshake_ask_once(void **state)
{
	struct loop_timer *timer = NULL;
	struct why why = {0};

	open_site(NULL);
	assert_int_equal(loop_timer_new(site.loop, on_begin_drain, NULL, &timer, &why), OK);
	loop_timer_set(timer, 400);
	run_client(client_asks_during_drain);
	if (!site.drained)
		loop_run(site.loop);
	assert_int_equal(http_server_connections(site.server), 0);
	loop_timer_free(timer);
	close_site();
}

static void on_cut_drain(void *arg)
{
	http_server_drain(site.server, 50, on_drained, NULL);
}

static void drain_cuts_what_waits_too_long(void **state)
{
	struct loop_timer *timer = NULL;
	struct why why = {0};

	open_site(NULL);
	assert_int_equal(loop_timer_new(site.loop, on_cut_drain, NULL, &timer, &why), OK);
	loop_timer_set(timer, 400);
	run_client(client_is_left_alone);
	assert_true(site.drained);
	assert_int_equal(http_server_connections(site.server), 0);
	loop_timer_free(timer);
	close_site();
}

static int client_asks_for_exports(void)
{
	SSL *ssl = client_new("PSK-AES128-GCM-SHA256", true);

	want(SSL_connect(ssl) == 1, "a handshake");
	want_in(ask(ssl, GET("/binding") "\r\n"), "\r\n\r\n32 0");
	want_in(ask(ssl, GET("/connect") "\r\n"), "\r\n\r\n0 48");
	want_in(ask(ssl, GET("/enrolment") "\r\n"), "\r\n\r\n0 96");
	want_in(ask(ssl, GET("/other") "\r\n"), "\r\n\r\n0 0");
	want_in(ask(ssl, GET("/enrolment") "\r\n"), "\r\n\r\n0 96");
	hang_up(ssl);
	return 0;
}

static void exported_keys_come_with_the_calls_that_need_them(void **state)
{
	open_site(NULL);
	site.at_once = true;
	run_client(client_asks_for_exports);
	assert_int_equal(site.calls, 5);
	assert_int_equal(site.exported_n, 96);
	close_site();
}

static int client_names_itself(void)
{
	char text[1024], name[CALL_NAME_MAX + 2];
	SSL *ssl = client_new(NULL, false);

	want(SSL_connect(ssl) == 1, "a handshake");
	want_in(ask(ssl, GET("/a") "From: //b.example/1\r\nX-M2M-Origin: //a.example/1\r\n\r\n"), "200 OK");
	memset(name, 'n', sizeof(name));
	name[CALL_NAME_MAX + 1] = '\0';
	snprintf(text, sizeof(text), GET("/a") "X-M2M-Origin: %s\r\n\r\n", name);
	want_in(ask(ssl, text), "HTTP/1.1 413 "); /* one past CALL_NAME_MAX */
	name[CALL_NAME_MAX] = '\0';
	snprintf(text, sizeof(text), GET("/a") "From: %s\r\n\r\n", name);
	want_in(ask(ssl, text), "HTTP/1.1 200 ");
	hang_up(ssl);
	return 0;
}

/* TS-0009 6.4.1 */
static void originator_reaches_the_handler(void **state)
{
	open_site(NULL);
	run_client(client_names_itself);
	assert_int_equal(site.calls, 2);
	assert_int_equal(strlen(site.origin), CALL_NAME_MAX);
	close_site();
}

static int client_crowds(void)
{
	static SSL *all[ASKS_MAX];

	for (int i = 0; i < ASKS_MAX; i++) {
		all[i] = client_new("PSK-AES128-CBC-SHA256", true);
		int flags = fcntl(SSL_get_fd(all[i]), F_GETFL);
		fcntl(SSL_get_fd(all[i]), F_SETFL, flags | O_NONBLOCK);
	}
	for (int turn = 0; turn < 100; turn++) {
		int ended = 0;
		for (int i = 0; i < ASKS_MAX; i++) {
			int result = SSL_connect(all[i]);
			ended += SSL_get_error(all[i], result) != SSL_ERROR_WANT_READ;
			ERR_clear_error();
		}
		want(ended < 2, "one to be refused, not more");
		if (ended == 1)
			return 0;
		rest_ms(50);
	}
	return 1;
}

static void waiting_handshakes_have_a_limit(void **state)
{
	open_site(&(struct http_limits){.connections_per_source = 2000, .handshake_ms = 60000});
	run_client(client_crowds);
	assert_int_equal(site.asks_n, HTTP_PSK_WAITING_MAX);
	answer_asks(NULL);
	assert_int_equal(http_server_connections(site.server), 0);
	close_site();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_listener_serves_keys_and_certificates),
		cmocka_unit_test(key_that_comes_late_holds_up_nobody),
		cmocka_unit_test(waiting_handshake_has_its_deadline),
		cmocka_unit_test(keys_for_clients_that_left_change_nothing),
		cmocka_unit_test(server_without_keys_closes_the_connection),
		cmocka_unit_test(drain_lets_a_waiting_handshake_ask_once),
		cmocka_unit_test(drain_cuts_what_waits_too_long),
		cmocka_unit_test(exported_keys_come_with_the_calls_that_need_them),
		cmocka_unit_test(originator_reaches_the_handler),
		cmocka_unit_test(waiting_handshakes_have_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
