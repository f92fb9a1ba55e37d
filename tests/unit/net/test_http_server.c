#include "net/http_server.h"

#include "base/mem.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "unit/net/certs.h"
#include "unit/net/client.h"

/*
 * The server runs in this process, the client of each test in a child that speaks over loopback with
 * blocking calls and exits 0 when it saw what it wanted.
 */
static struct {
	struct loop *loop;
	struct http_server *server;
	uint16_t port;
	int listen_fd;
	pid_t client;
	struct loop_timer *later;
	struct http_exchange *waiting; /* answered by the timer */
	struct http_exchange *held[8]; /* answered by the test */
	size_t held_n;
	unsigned int calls;
	bool drained;
	struct peer peer; /* of the last call; spans gone */
	size_t exporter_n, unique_n, leaf_n;
	struct id ca, cert, device;
	struct tls_server *tls;
} site;

static void reply_text(struct http_exchange *x, const char *text)
{
	struct reply reply = {.status = 200, .media_type = "text/plain", .body = span_text(text)};

	http_exchange_reply(x, &reply);
}

static void on_later(void *arg)
{
	struct http_exchange *x = site.waiting;

	site.waiting = NULL;
	reply_text(x, "later");
}

static void reply_big(struct http_exchange *x)
{
	enum { BIG = 3 * 1024 * 1024 };
	char *text = mem_alloc(BIG);

	assert_non_null(text);
	memset(text, 'b', BIG);
	http_exchange_reply(x, &(struct reply){.status = 200, .media_type = "a/b", .body = span_of(text, BIG)});
	mem_free(text);
}

static void on_drained(void *arg)
{
	site.drained = true;
	if (!site.client)
		loop_stop(site.loop);
}

static void on_call(void *arg, struct http_exchange *x, const struct call *call)
{
	site.calls++;
	site.peer = call->peer;
	site.exporter_n = call->peer.exporter.n;
	site.unique_n = call->peer.unique.n;
	site.leaf_n = call->peer.leaf.n;
	if (span_is(call->path, "/later")) {
		site.waiting = x;
		loop_timer_set(site.later, 30);
	} else if (span_is(call->path, "/held") && site.held_n < 8) {
		site.held[site.held_n++] = x;
	} else if (span_is(call->path, "/echo")) {
		http_exchange_reply(x, &(struct reply){.status = 200, .media_type = "a/b", .body = call->body});
	} else if (span_is(call->path, "/big")) {
		reply_big(x);
	} else if (span_is(call->path, "/agent")) {
		http_exchange_reply(x, &(struct reply){.status = 200, .media_type = "a/b", .body = call->user_agent});
	} else if (span_is(call->path, "/drain")) {
		site.held[site.held_n++] = x;
		http_server_drain(site.server, 5000, on_drained, NULL);
	} else if (span_is(call->path, "/cut")) {
		site.held[site.held_n++] = x;
		http_server_drain(site.server, 50, on_drained, NULL);
	} else {
		char text[64];
		snprintf(text, sizeof(text), "hello %.*s", SPAN_FMT(span_first(call->path, 40)));
		reply_text(x, text);
	}
}

static int listen_free(uint16_t *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), small = 64 * 1024;

	assert_true(fd >= 0);
	/* or the kernel takes whole replies for clients that do not read */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static void on_child(void *arg)
{
	int status = 0;

	if (site.client && waitpid(site.client, &status, WNOHANG) == site.client) {
		site.client = 0;
		site.calls |= WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 0x80000000u;
		loop_stop(site.loop);
	}
}

static void make_tls(void)
{
	struct buf cert = BUF(16384), key = BUF(16384), own = BUF(16384);
	struct why why = {0};

	site.ca = id_new(&(struct id_plan){.cn = "MEF CA", .ca = true});
	site.cert = id_new(&(struct id_plan){.cn = "MEF", .issuer = &site.ca, .san = "DNS:mef.example"});
	site.device = id_new(&(struct id_plan){.cn = "device", .issuer = &site.ca});
	put_cert(&site.cert, &cert);
	put_key(&site.cert, NULL, &key);
	put_cert(&site.ca, &own);
	struct tls_config config = {.cert_pem = buf_span(&cert), .key_pem = buf_span(&key), .own_ca_pem = buf_span(&own),
		.fqdn = "mef.example"};
	assert_int_equal(tls_server_new(&config, &site.tls, &why), OK);
	buf_fini(&cert);
	buf_fini(&key);
	buf_fini(&own);
}

static void open_site(const struct http_limits *limits, bool tls)
{
	struct why why = {0};

	memset(&site, 0, sizeof(site));
	if (tls)
		make_tls();
	assert_int_equal(loop_new(&site.loop, &why), OK);
	assert_int_equal(loop_timer_new(site.loop, on_later, NULL, &site.later, &why), OK);
	assert_int_equal(loop_on_signal(site.loop, SIGCHLD, on_child, NULL, &why), OK);
	assert_int_equal(http_server_new(site.loop, limits, on_call, NULL, &site.server, &why), OK);
	site.listen_fd = listen_free(&site.port);
	assert_int_equal(http_server_listen(site.server, site.listen_fd, site.tls, &why), OK);
}

static void close_site(void)
{
	http_server_free(site.server);
	for (size_t i = 0; i < site.held_n; i++)
		reply_text(site.held[i], "too late");
	loop_timer_free(site.later);
	loop_free(site.loop);
	tls_server_free(site.tls);
	id_free(&site.ca);
	id_free(&site.cert);
	id_free(&site.device);
}

/* Runs the loop until the client is done. */
static void run_client(int (*client)(void))
{
	fflush(NULL);
	site.client = fork();
	if (site.client == 0) {
		close(site.listen_fd);
		alarm(30);
		_exit(client());
	}
	loop_run(site.loop);
	if (site.calls & 0x80000000u)
		fail_msg("the client did not see what it wanted");
}

/* ---- tests ---- */

static int client_keeps_alive(void)
{
	int fd = dial(site.port);

	for (int i = 0; i < 3; i++) {
		say(fd, GET("/a") "\r\n");
		char *text = hear(fd);
		want_in(text, "HTTP/1.1 200 OK\r\n");
		want_in(text, "hello /a");
		want(!strstr(text, "Connection: close"), "to stay connected");
	}
	say(fd, GET("/b") "Connection: close\r\n\r\n");
	want_in(hear(fd), "Connection: close\r\n");
	want_end(fd);
	fd = dial(site.port);
	say(fd, "GET /old HTTP/1.0\r\n\r\n");
	want_in(hear(fd), "Connection: close\r\n");
	want_end(fd);
	return 0;
}

static void connection_serves_many_requests(void **state)
{
	open_site(NULL, false);
	run_client(client_keeps_alive);
	assert_int_equal(site.calls, 5);
	assert_string_equal(site.peer.address, "127.0.0.1");
	assert_int_equal(site.peer.trust, PEER_ANONYMOUS);
	close_site();
}

static int client_pipelines(void)
{
	int fd = dial(site.port);

	say(fd, GET("/later") "\r\n" GET("/a") "\r\n" GET("/later") "\r\n"
		"POST /echo HTTP/1.1\r\nHost: mef\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n" GET("/b") "\r\n");
	want_in(hear(fd), "\r\nlater");
	want_in(hear(fd), "hello /a");
	want_in(hear(fd), "\r\nlater");
	want_in(hear(fd), "\r\n\r\nabc");
	want_in(hear(fd), "hello /b");
	say(fd, GET("/c") "\r\n");
	want_in(hear(fd), "hello /c");
	close(fd);
	return 0;
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	open_site(NULL, false);
	run_client(client_pipelines);
	assert_int_equal(site.calls, 6);
	close_site();
}

static int client_floods(void)
{
	enum { N = 3000 };
	int fd = dial(site.port);
	struct buf all = BUF(1 << 20);

	for (int i = 0; i < N; i++)
		buf_put_text(&all, GET("/x") "\r\n");
	if (fork() == 0) {
		say(fd, buf_text(&all));
		_exit(0);
	}
	for (int i = 0; i < N; i++)
		want_in(hear(fd), "hello /x");
	return 0;
}

static void thousands_of_pipelined_requests_are_answered(void **state)
{
	open_site(NULL, false);
	run_client(client_floods);
	assert_int_equal(site.calls, 3000);
	close_site();
}

/* 21 replies of 3 MiB fit below HTTP_HELD_MAX. */
static int client_hoards(void)
{
	int fds[22];

	for (int i = 0; i < 22; i++) {
		fds[i] = dial(site.port);
		say(fds[i], GET("/big") "\r\n");
		want_in(hear_head(fds[i]), i < 21 ? "HTTP/1.1 200 OK\r\n" : "Retry-After: ");
	}
	for (int i = 0; i < 21; i++)
		close(fds[i]);
	for (int i = 0; i < 1000; i++) {
		say(fds[21], GET("/big") "\r\n");
		if (strstr(hear_head(fds[21]), "200 OK"))
			return 0;
	}
	return 1;
}

static void replies_that_nobody_takes_have_a_limit(void **state)
{
	open_site(NULL, false);
	run_client(client_hoards);
	close_site();
}

static int client_asks_for_head(void)
{
	int fd = dial(site.port);

	say(fd, "HEAD /a HTTP/1.1\r\nHost: mef\r\n\r\n");
	/* RFC 9110 9.3.2: fields as for GET, no body */
	want_in(hear_head(fd), "Content-Length: 8\r\n");
	say(fd, GET("/b") "\r\n");
	want_in(hear(fd), "HTTP/1.1 200 OK\r\n");
	close(fd);
	return 0;
}

static void head_is_answered_without_body(void **state)
{
	open_site(NULL, false);
	run_client(client_asks_for_head);
	close_site();
}

static int client_expects(void)
{
	int fd = dial(site.port);

	/* RFC 9110 10.1.1 */
	say(fd, "POST /echo HTTP/1.1\r\nHost: mef\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	want_in(hear_head(fd), "HTTP/1.1 100 Continue\r\n\r\n");
	say(fd, "xyz");
	want_in(hear(fd), "\r\n\r\nxyz");
	say(fd, "POST /echo HTTP/1.1\r\nHost: mef\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nuvw");
	want_in(hear(fd), "HTTP/1.1 200 OK");
	close(fd);
	return 0;
}

static void expectation_is_answered_when_the_client_waits(void **state)
{
	open_site(NULL, false);
	run_client(client_expects);
	close_site();
}

static int client_errs(void)
{
	static const struct {
		const char *request, *status;
	} rows[] = {
		{"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
		{"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 501 Not Implemented\r\n"},
		{"GET / HTTP/3.0\r\nHost: a\r\n\r\n", "HTTP/1.1 505 HTTP Version Not Supported\r\n"},
		{"POST / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 411 Length Required\r\n"},
		{"\x16\x03\x01", "HTTP/1.1 400 Bad Request\r\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = dial(site.port);
		say(fd, rows[i].request);
		char *text = hear(fd);
		want_in(text, rows[i].status);
		want_in(text, "Connection: close\r\n");
		want_in(text, "\r\n\r\nOMEF-11");
		want_in(text, "Next: ");
		shutdown(fd, SHUT_WR);
		want_end(fd);
	}
	return 0;
}

static void unreadable_requests_get_status_and_reason(void **state)
{
	open_site(NULL, false);
	run_client(client_errs);
	assert_int_equal(site.calls, 0);
	close_site();
}

static int client_sends_too_much(void)
{
	static char big[200 * 1024];
	int fd = dial(site.port);

	say(fd, "POST /echo HTTP/1.1\r\nHost: mef\r\nContent-Length: 2000\r\n\r\n");
	/* goes on sending although the answer is there: it must still be readable */
	send(fd, big, sizeof(big), MSG_NOSIGNAL);
	rest_ms(50);
	want_in(hear(fd), "HTTP/1.1 413 Content Too Large\r\n");
	want_end(fd);
	fd = dial(site.port);
	say(fd, "POST /echo HTTP/1.1\r\nHost: mef\r\nContent-Length: 1000\r\n\r\n");
	memset(big, 'x', 1000);
	big[1000] = '\0';
	say(fd, big);
	want_in(hear(fd), "HTTP/1.1 200 OK\r\n");
	close(fd);
	return 0;
}

static void too_large_a_body_is_refused_readably(void **state)
{
	open_site(&(struct http_limits){.body_max = 1000}, false);
	run_client(client_sends_too_much);
	assert_int_equal(site.calls, 1);
	close_site();
}

static int client_drips(void)
{
	int fd = dial(site.port);
	const char *text = GET("/slow");

	/* one byte each 20 ms never ends in time, although the line is never silent */
	for (size_t i = 0; i < 12; i++) {
		if (send(fd, text + i, 1, MSG_NOSIGNAL) != 1)
			break;
		rest_ms(20);
	}
	want_in(hear(fd), "HTTP/1.1 408 Request Timeout\r\n");
	want_end(fd);
	return 0;
}

static void slow_request_is_cut_with_408(void **state)
{
	open_site(&(struct http_limits){.request_ms = 100}, false);
	run_client(client_drips);
	assert_int_equal(site.calls, 0);
	close_site();
}

static int client_idles(void)
{
	int fd = dial(site.port);

	want_end(fd);
	fd = dial(site.port);
	say(fd, GET("/a") "\r\n");
	hear(fd);
	want_end(fd);
	return 0;
}

static void idle_connection_is_closed(void **state)
{
	open_site(&(struct http_limits){.idle_ms = 60}, false);
	run_client(client_idles);
	assert_int_equal(site.calls, 1);
	assert_int_equal(http_server_connections(site.server), 0);
	close_site();
}

static int client_never_shakes(void)
{
	int fd = dial(site.port);

	want_end(fd);
	fd = dial(site.port);
	say(fd, "\x16\x03\x01\x02"); /* the start of a hello */
	want_end(fd);
	fd = dial(site.port);
	say(fd, GET("/plain") "\r\n");
	want_end(fd);
	return 0;
}

static void handshake_that_does_not_end_is_cut(void **state)
{
	open_site(&(struct http_limits){.handshake_ms = 60}, true);
	run_client(client_never_shakes);
	assert_int_equal(site.calls, 0);
	assert_int_equal(http_server_connections(site.server), 0);
	close_site();
}

static int client_comes_often(void)
{
	int a = dial(site.port), b = dial(site.port);

	say(a, GET("/a") "\r\n");
	say(b, GET("/b") "\r\n");
	hear(a);
	hear(b);
	int c = dial(site.port);
	want_end(c); /* one past the limit */
	close(a);
	rest_ms(50);
	c = dial(site.port);
	say(c, GET("/c") "\r\n");
	want_in(hear(c), "hello /c");
	return 0;
}

static void source_has_no_more_than_its_connections(void **state)
{
	open_site(&(struct http_limits){.connections_per_source = 2}, false);
	run_client(client_comes_often);
	assert_int_equal(site.calls, 3);
	close_site();
}

static int client_crowds(void)
{
	int a = dial(site.port), b = dial(site.port);

	say(a, GET("/a") "\r\n");
	hear(a);
	say(b, GET("/b") "\r\n");
	hear(b);
	int c = dial(site.port);
	say(c, GET("/held") "\r\n");
	want_end(a); /* idle longest: gives way */
	int d = dial(site.port);
	say(d, GET("/held") "\r\n");
	want_end(b);
	rest_ms(100); /* until the request of d is read */
	int e = dial(site.port);
	want_end(e); /* all are busy */
	return 0;
}

static void idle_connections_make_room_and_busy_ones_do_not(void **state)
{
	open_site(&(struct http_limits){.connections = 2}, false);
	run_client(client_crowds);
	assert_int_equal(site.calls, 4);
	assert_int_equal(site.held_n, 2);
	close_site();
}

static int client_leaves(void)
{
	int fd = dial(site.port);

	say(fd, GET("/later") "\r\n");
	rest_ms(5);
	struct linger at_once = {.l_onoff = 1};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
	rest_ms(60);
	fd = dial(site.port);
	say(fd, GET("/a") "\r\n");
	want_in(hear(fd), "hello /a");
	return 0;
}

static void reply_to_a_client_that_left_is_dropped(void **state)
{
	open_site(NULL, false);
	run_client(client_leaves);
	assert_int_equal(site.calls, 2);
	assert_null(site.waiting);
	close_site();
}

static int client_reads_slowly(void)
{
	static char bytes[100 * 1024];
	int fd = dial(site.port);
	size_t all = 0;
	ssize_t n;

	say(fd, GET("/big") "Connection: close\r\n\r\n");
	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
		all += (size_t)n;
		if (all < 200 * 1024)
			rest_ms(2);
	}
	want(all > 3 * 1024 * 1024 && all < 3 * 1024 * 1024 + 1000, "3 MiB and a head");
	return 0;
}

static void large_reply_reaches_a_slow_reader(void **state)
{
	open_site(NULL, false);
	run_client(client_reads_slowly);
	close_site();
}

static int client_does_not_read(void)
{
	int fd = dial(site.port), small = 4096;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	say(fd, GET("/big") "\r\n");
	rest_ms(300);
	/* a socket that nobody holds any more answers with a reset */
	send(fd, "x", 1, MSG_NOSIGNAL);
	rest_ms(50);
	want(send(fd, "x", 1, MSG_NOSIGNAL) < 0, "a reset");
	return 0;
}

static void client_that_does_not_read_is_cut(void **state)
{
	open_site(&(struct http_limits){.request_ms = 80}, false);
	run_client(client_does_not_read);
	assert_int_equal(http_server_connections(site.server), 0);
	close_site();
}

static int client_sees_the_end(void)
{
	int idle = dial(site.port), half = dial(site.port), busy = dial(site.port);

	say(idle, GET("/a") "\r\n");
	hear(idle);
	say(half, "GET /half HTTP/1.1\r\nHo");
	rest_ms(30);
	say(busy, GET("/drain") "\r\n");
	want_end(idle);
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(site.port)};
	int late = socket(AF_INET, SOCK_STREAM, 0);
	want(connect(late, (struct sockaddr *)&to, sizeof(to)) != 0, "no new connections");
	say(half, "st: mef\r\n\r\n");
	char *text = hear(half);
	want_in(text, "hello /half");
	want_in(text, "Connection: close\r\n");
	want_end(half);
	return 0;
}

static void drain_answers_what_is_under_way_then_tells(void **state)
{
	open_site(NULL, false);
	run_client(client_sees_the_end);
	assert_false(site.drained);
	assert_int_equal(site.held_n, 1);
	site.held_n = 0;
	reply_text(site.held[0], "last");
	loop_run(site.loop);
	assert_true(site.drained);
	assert_int_equal(http_server_connections(site.server), 0);
	close_site();
}

static void drain_of_an_empty_server_tells_from_the_loop(void **state)
{
	open_site(NULL, false);
	http_server_drain(site.server, 5000, on_drained, NULL);
	assert_false(site.drained);
	loop_run(site.loop);
	assert_true(site.drained);
	close_site();
}

static int client_is_cut(void)
{
	int fd = dial(site.port);

	say(fd, GET("/cut") "\r\n");
	want_end(fd);
	return 0;
}

static void drain_cuts_what_lasts_too_long(void **state)
{
	open_site(NULL, false);
	run_client(client_is_cut);
	assert_true(site.drained);
	close_site();
}

static int client_speaks_tls(int version, bool cert)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	char name[] = "mef.example", bytes[2048];
	SSL *ssl;
	int fd = dial(site.port);

	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	if (cert)
		want(SSL_CTX_use_certificate(ctx, site.device.cert) == 1 && SSL_CTX_use_PrivateKey(ctx, site.device.key) == 1,
			"a certificate");
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name);
	want(SSL_connect(ssl) == 1, "a handshake");
	for (int i = 0; i < 3; i++) {
		const char *text = i < 2 ? GET("/a") "\r\n" GET("/later") "\r\n" : GET("/a") "Connection: close\r\n\r\n";
		want(SSL_write(ssl, text, (int)strlen(text)) > 0, "to write");
		for (int replies = i < 2 ? 2 : 1; replies > 0;) {
			int n = SSL_read(ssl, bytes, sizeof(bytes) - 1);
			want(n > 0, "to read");
			bytes[n] = '\0';
			want_in(bytes, "HTTP/1.1 200 OK");
			replies -= strstr(bytes, "hello /a") && strstr(bytes, "later") ? 2 : 1;
		}
	}
	want(SSL_read(ssl, bytes, sizeof(bytes)) == 0, "an end");
	/* RFC 8446 6.1 */
	want(SSL_get_error(ssl, 0) == SSL_ERROR_ZERO_RETURN, "close_notify");
	return 0;
}

static int client_12(void)
{
	return client_speaks_tls(TLS1_2_VERSION, true);
}

static int client_13(void)
{
	return client_speaks_tls(TLS1_3_VERSION, true);
}

static int client_13_anonymous(void)
{
	return client_speaks_tls(TLS1_3_VERSION, false);
}

static void tls_peer_reaches_the_handler(void **state)
{
	open_site(NULL, true);
	run_client(client_12);
	assert_int_equal(site.calls, 5);
	assert_int_equal(site.peer.trust, PEER_OWN);
	assert_int_equal(site.peer.tls_version, 0x0303);
	assert_int_equal(site.exporter_n, 0);
	assert_int_equal(site.unique_n, 12);
	assert_true(site.leaf_n > 100);
	assert_string_equal(site.peer.sni, "mef.example");
	assert_string_equal(site.peer.address, "127.0.0.1");
	run_client(client_13);
	assert_int_equal(site.peer.trust, PEER_OWN);
	assert_int_equal(site.peer.tls_version, 0x0304);
	assert_int_equal(site.unique_n, 0);
	run_client(client_13_anonymous);
	assert_int_equal(site.peer.trust, PEER_ANONYMOUS);
	assert_int_equal(site.leaf_n, 0);
	close_site();
}

static int client_has_a_long_agent(void)
{
	char text[2048], agent[CALL_AGENT_MAX + 2], media[CALL_MEDIA_MAX + 2];
	int fd = dial(site.port);

	memset(agent, 'u', sizeof(agent));
	agent[sizeof(agent) - 1] = '\0';
	memset(media, 'm', sizeof(media));
	media[sizeof(media) - 1] = '\0';
	snprintf(text, sizeof(text), GET("/agent") "User-Agent: %s\r\nAccept: %s\r\n\r\n", agent, media);
	say(fd, text);
	want_in(hear(fd), "Content-Length: 128\r\n");
	snprintf(text, sizeof(text), "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Type: %s\r\n\r\n", media);
	say(fd, text);
	want_in(hear(fd), "HTTP/1.1 413 "); /* one past CALL_MEDIA_MAX */
	media[CALL_MEDIA_MAX] = '\0';
	snprintf(text, sizeof(text), "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Type: %s\r\n\r\n", media);
	say(fd, text);
	want_in(hear(fd), "HTTP/1.1 200 ");
	return 0;
}

static void fields_are_cut_to_what_a_call_holds(void **state)
{
	open_site(NULL, false);
	run_client(client_has_a_long_agent);
	assert_int_equal(site.calls, 2);
	close_site();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connection_serves_many_requests),
		cmocka_unit_test(pipelined_requests_are_answered_in_order),
		cmocka_unit_test(thousands_of_pipelined_requests_are_answered),
		cmocka_unit_test(replies_that_nobody_takes_have_a_limit),
		cmocka_unit_test(head_is_answered_without_body),
		cmocka_unit_test(expectation_is_answered_when_the_client_waits),
		cmocka_unit_test(unreadable_requests_get_status_and_reason),
		cmocka_unit_test(too_large_a_body_is_refused_readably),
		cmocka_unit_test(slow_request_is_cut_with_408),
		cmocka_unit_test(idle_connection_is_closed),
		cmocka_unit_test(handshake_that_does_not_end_is_cut),
		cmocka_unit_test(source_has_no_more_than_its_connections),
		cmocka_unit_test(idle_connections_make_room_and_busy_ones_do_not),
		cmocka_unit_test(reply_to_a_client_that_left_is_dropped),
		cmocka_unit_test(large_reply_reaches_a_slow_reader),
		cmocka_unit_test(client_that_does_not_read_is_cut),
		cmocka_unit_test(drain_answers_what_is_under_way_then_tells),
		cmocka_unit_test(drain_of_an_empty_server_tells_from_the_loop),
		cmocka_unit_test(drain_cuts_what_lasts_too_long),
		cmocka_unit_test(tls_peer_reaches_the_handler),
		cmocka_unit_test(fields_are_cut_to_what_a_call_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
