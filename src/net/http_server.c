#define _GNU_SOURCE /* accept4 */
#include "net/http_server.h"

#include "base/mem.h"
#include "net/http_conn.h"
#include "net/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CONNECTIONS = 10000, /* 13 KiB each when idle */
	CONNECTIONS_PER_SOURCE = 256,
	HANDSHAKE_MS = 10 * 1000,
	REQUEST_MS = 30 * 1000,
	IDLE_MS = 60 * 1000,
	ACCEPTS_PER_TURN = 16, /* so that running connections are not starved */
	PAUSE_MS = 100,        /* without free descriptors */
	LOG_PER_S = 20,        /* lines that clients can provoke */
};

static struct http_limits with_defaults(const struct http_limits *given)
{
	struct http_limits l = given ? *given : (struct http_limits){0};

	l.connections = l.connections ? l.connections : CONNECTIONS;
	l.connections_per_source = l.connections_per_source ? l.connections_per_source : CONNECTIONS_PER_SOURCE;
	l.handshake_ms = l.handshake_ms > 0 ? l.handshake_ms : HANDSHAKE_MS;
	l.request_ms = l.request_ms > 0 ? l.request_ms : REQUEST_MS;
	l.idle_ms = l.idle_ms > 0 ? l.idle_ms : IDLE_MS;
	l.body_max = l.body_max && l.body_max < CALL_BODY_MAX ? l.body_max : CALL_BODY_MAX;
	return l;
}

static void on_drain_timer(void *arg);

enum err http_server_new(struct loop *l, const struct http_limits *limits, http_handler handler, void *arg,
	struct http_server **out, struct why *why)
{
	struct http_server *s = mem_alloc(sizeof(*s));

	if (!s)
		return WHY(why, NOMEM, "", "HTTP server: want %zu bytes", sizeof(*s));
	/* A client that is gone shows itself by the result of a write; libssl's writes cannot be told so. */
	signal(SIGPIPE, SIG_IGN);
	s->loop = l;
	s->handler = handler;
	s->arg = arg;
	s->limits = with_defaults(limits);
	s->queues[CONN_PROXY].limit_ms = s->limits.handshake_ms;
	s->queues[CONN_HANDSHAKE].limit_ms = s->limits.handshake_ms;
	s->queues[CONN_IDLE].limit_ms = s->limits.idle_ms;
	s->queues[CONN_REQUEST].limit_ms = s->limits.request_ms;
	s->queues[CONN_WRITE].limit_ms = s->limits.request_ms;
	s->queues[CONN_LINGER].limit_ms = HTTP_LINGER_MS;
	s->sources = http_sources_new();
	enum err e = s->sources ? OK : WHY(why, NOMEM, "", "HTTP server: want a table of sources");
	if (e == OK)
		e = loop_timer_new(l, http_queue_expire, s, &s->timer, why);
	if (e == OK)
		e = loop_timer_new(l, on_drain_timer, s, &s->drain_timer, why);
	if (e != OK) {
		http_server_free(s);
		return e;
	}
	*out = s;
	return OK;
}

/* Clients must not be able to fill a disk with log lines. */
static bool may_log(struct http_server *s)
{
	int64_t second = http_now_ms() / 1000;

	if (second != s->log_second) {
		if (s->log_dropped) {
			char n[16];
			snprintf(n, sizeof(n), "%u", s->log_dropped);
			log_event(LOG_WARN_, "lines about clients dropped", "lines", n, NULL);
		}
		s->log_second = second;
		s->log_lines = s->log_dropped = 0;
	}
	if (s->log_lines++ < LOG_PER_S)
		return true;
	s->log_dropped++;
	return false;
}

void http_server_log(struct http_server *s, enum err kind, const char *event, const char *address, const struct why *why)
{
	char text[1024];

	if (!may_log(s))
		return;
	why_print(why, text, sizeof(text));
	log_event(kind > ERR_PENDING ? LOG_ERROR_ : LOG_WARN_, event, "client", address, "reason", text, NULL);
}

void http_server_gone(struct http_server *s, struct http_source *source)
{
	http_source_leave(s->sources, source);
	s->connections--;
	if (s->draining && s->connections == 0)
		loop_timer_set(s->drain_timer, 0);
}

/* Without room the connection that has been idle longest gives way. */
static bool make_room(struct http_server *s)
{
	struct http_conn *idlest = s->queues[CONN_IDLE].first;

	if (idlest)
		http_conn_close(idlest);
	return idlest != NULL;
}

static void pause_accepting(struct http_server *s)
{
	s->paused = true;
	for (struct http_listener *l = s->listeners; l; l = l->next)
		loop_watch_set(l->watch, 0);
	http_queue_wake(s, PAUSE_MS);
}

void http_server_resume(struct http_server *s)
{
	s->paused = false;
	for (struct http_listener *l = s->listeners; l; l = l->next)
		loop_watch_set(l->watch, LOOP_READ);
}

static enum err admit(struct http_listener *l, int fd, const struct sockaddr *from, const char *address, struct why *why)
{
	struct http_server *s = l->server;
	bool proxy = (l->tls || l->proxied) && http_proxy_trusts(s, from);
	bool header = proxy && s->proxies.protocol;
	/* A proxy brings many clients; those that it tells of are counted by their own addresses. */
	unsigned int max = l->proxied || header ? s->limits.connections : s->limits.connections_per_source;

	if (l->proxied && !proxy)
		return WHY(why, PROXY_STRANGER, "RFC 9440 4", "connection: want one from an address of proxy_from, have %s", address);
	if (s->connections >= s->limits.connections && !make_room(s))
		return WHY(why, HTTP_CONNECTIONS, "", "connections: want at most %u, all busy", s->limits.connections);
	struct http_arrival arrival = {
		.address = address, .source = http_source_enter(s->sources, from, max), .header = header};
	if (!arrival.source)
		return WHY(why, HTTP_CONNECTIONS, "", "connections of one source: want at most %u, have more", max);
	enum err e = http_conn_new(l, fd, &arrival, why);
	if (e != OK)
		http_source_leave(s->sources, arrival.source);
	return e;
}

static void welcome(struct http_listener *l, int fd, const struct sockaddr *from)
{
	char address[HTTP_ADDRESS_MAX];
	struct why why = {0};

	http_source_text(from, address);
	enum err e = admit(l, fd, from, address, &why);
	if (e == OK)
		return;
	close(fd);
	http_server_log(l->server, e, "connection refused", address, &why);
}

/* True when the next one may be tried. */
static bool on_accept_error(struct http_server *s)
{
	struct why why = {0};

	if (errno == EAGAIN)
		return false;
	/* accept(2): these belong to a connection that died while it waited */
	if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
		return true;
	enum err e = WHY(&why, HTTP_SERVER, "", "accept: %s", strerror(errno));
	http_server_log(s, e, "no descriptor for a connection", "", &why);
	if (!make_room(s))
		pause_accepting(s);
	return !s->paused;
}

static void on_accept(void *arg, int ready)
{
	struct http_listener *l = arg;

	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage from = {0};
		socklen_t size = sizeof(from);
		int fd = accept4(l->fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			welcome(l, fd, (const struct sockaddr *)&from);
		else if (!on_accept_error(l->server))
			return;
	}
}

static enum err listen_on(struct http_server *s, int fd, struct tls_server *tls, bool proxied, struct why *why)
{
	struct http_listener *l = mem_alloc(sizeof(*l));
	int on = 1;

	if (!l) {
		close(fd);
		return WHY(why, NOMEM, "", "listener: want %zu bytes", sizeof(*l));
	}
	*l = (struct http_listener){.server = s, .next = s->listeners, .fd = fd, .tls = tls, .proxied = proxied};
	/* Accepted sockets inherit it: one record, one packet, at once. Not a TCP socket: no harm. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	enum err e = loop_watch_new(s->loop, fd, LOOP_READ, on_accept, l, &l->watch, why);
	if (e != OK) {
		close(fd);
		mem_free(l);
		return e;
	}
	s->listeners = l;
	return OK;
}

enum err http_server_listen(struct http_server *s, int fd, struct tls_server *tls, struct why *why)
{
	return listen_on(s, fd, tls, false, why);
}

enum err http_server_listen_proxied(struct http_server *s, int fd, struct tls_server *tls, struct why *why)
{
	return listen_on(s, fd, tls, true, why);
}

void http_server_proxies(struct http_server *s, const struct http_proxies *proxies)
{
	s->proxies = *proxies;
}

void http_server_exports(struct http_server *s, http_exports exports, void *arg)
{
	s->exports = exports;
	s->exports_arg = arg;
}

void http_server_srp(struct http_server *s, http_psk_handler handler, void *arg)
{
	s->srp = handler;
	s->srp_arg = arg;
}

void http_server_psk(struct http_server *s, http_psk_handler handler, void *arg)
{
	s->psk = handler;
	s->psk_arg = arg;
}

static void stop_listening(struct http_server *s)
{
	while (s->listeners) {
		struct http_listener *l = s->listeners;
		s->listeners = l->next;
		loop_watch_free(l->watch);
		close(l->fd);
		mem_free(l);
	}
}

static void cut_all(struct http_server *s)
{
	for (size_t i = 0; i < CONN_STATES; i++) {
		while (s->queues[i].first)
			http_conn_cut(s->queues[i].first);
	}
}

static void on_drain_timer(void *arg)
{
	struct http_server *s = arg;
	loop_fn done = s->drained;

	cut_all(s);
	loop_timer_stop(s->drain_timer);
	s->drained = NULL;
	if (done)
		done(s->drained_arg);
}

/*
 * RFC 9112 9.3.1: a client may repeat a request on which a used connection closes; one that was just
 * opened is expected to answer once, so it gets a moment to ask.
 */
static void end_idle(struct http_server *s)
{
	const struct http_conn *last = s->queues[CONN_IDLE].last;
	bool more = last != NULL;

	s->queues[CONN_IDLE].limit_ms = HTTP_FIRST_MS;
	while (more) {
		struct http_conn *c = s->queues[CONN_IDLE].first;
		more = c != last;
		if (c->answered)
			http_conn_close(c);
		else
			http_queue_enter(c, CONN_IDLE);
	}
}

void http_server_drain(struct http_server *s, int64_t limit_ms, loop_fn done, void *arg)
{
	s->draining = true;
	s->drained = done;
	s->drained_arg = arg;
	stop_listening(s);
	loop_timer_set(s->drain_timer, s->connections ? limit_ms : 0);
	end_idle(s);
}

unsigned int http_server_connections(const struct http_server *s)
{
	return s->connections;
}

void http_server_free(struct http_server *s)
{
	if (!s)
		return;
	s->draining = false;
	stop_listening(s);
	cut_all(s);
	loop_timer_free(s->timer);
	loop_timer_free(s->drain_timer);
	http_sources_free(s->sources);
	mem_free(s);
}
