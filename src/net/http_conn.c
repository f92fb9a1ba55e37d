#include "net/http_conn.h"

#include "base/mem.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum io { IO_DONE, IO_BLOCKED, IO_CLOSED };

static void on_ready(void *arg, int ready);

static enum conn_state first_state(const struct http_conn *c)
{
	return c->ssl ? CONN_HANDSHAKE : CONN_IDLE;
}

enum err http_conn_new(const struct http_listener *l, int fd, const struct http_arrival *from, struct why *why)
{
	struct http_server *s = l->server;
	struct http_conn *c = mem_alloc(sizeof(*c));

	if (!c)
		return WHY(why, NOMEM, "", "connection: want %zu bytes", sizeof(*c));
	*c = (struct http_conn){.server = s, .fd = fd, .rest = BUF(HTTP_READ_SIZE),
		.out = BUF(REPLY_BODY_MAX + HTTP_HEAD_MAX), .parser = http_parser_new(s->limits.body_max)};
	snprintf(c->peer.address, sizeof(c->peer.address), "%s", from->address);
	if (l->proxied)
		c->verifier = l->tls;
	enum err e = c->parser ? OK : WHY(why, NOMEM, "", "connection: want a parser");
	if (e == OK && l->tls && !l->proxied)
		e = tls_accept(l->tls, &c->ssl, why);
	if (e == OK && c->ssl && SSL_set_fd(c->ssl, fd) != 1)
		e = WHY(why, NOMEM, "", "connection: want a BIO");
	if (e == OK)
		e = loop_watch_new(s->loop, fd, LOOP_READ, on_ready, c, &c->watch, why);
	if (e != OK) {
		http_parser_free(c->parser);
		tls_free(c->ssl);
		mem_free(c);
		return e;
	}
	c->source = from->source;
	s->connections++;
	http_queue_add(c, from->header ? CONN_PROXY : first_state(c));
	return OK;
}

static void drop_out(struct http_conn *c)
{
	if (c->wipe_out)
		buf_fini_wipe(&c->out);
	else
		buf_fini(&c->out);
	c->out_at = c->out_mark = 0;
}

static void conn_free(struct http_conn *c)
{
	struct http_server *s = c->server;
	struct http_source *source = c->source;

	http_queue_remove(c);
	s->held -= c->held;
	if (c->exchange)
		c->exchange->conn = NULL;
	http_psk_forget(c);
	loop_watch_free(c->watch);
	tls_free(c->ssl);
	close(c->fd);
	http_parser_free(c->parser);
	buf_fini(&c->rest);
	drop_out(c);
	mem_free(c);
	http_server_gone(s, source);
}

void http_conn_cut(struct http_conn *c)
{
	if (c->running)
		c->dead = true;
	else
		conn_free(c);
}

/* RFC 8446 6.1: each side says close_notify before it stops writing */
static void say_goodbye(struct http_conn *c)
{
	if (!c->ssl || c->tls_broken || !SSL_is_init_finished(c->ssl))
		return;
	ERR_clear_error();
	SSL_shutdown(c->ssl); /* said once; what the peer answers no longer matters */
	c->tls_broken = true;
}

void http_conn_close(struct http_conn *c)
{
	say_goodbye(c);
	http_conn_cut(c);
}

static enum io tls_result(struct http_conn *c, int result)
{
	switch (SSL_get_error(c->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		loop_watch_set(c->watch, LOOP_READ);
		return IO_BLOCKED;
	case SSL_ERROR_WANT_WRITE:
		loop_watch_set(c->watch, LOOP_WRITE);
		return IO_BLOCKED;
	case SSL_ERROR_ZERO_RETURN:
		return IO_CLOSED;
	default:
		c->tls_broken = true;
		return IO_CLOSED;
	}
}

static enum io plain_result(struct http_conn *c, ssize_t n, int interest)
{
	if (n > 0)
		return IO_DONE;
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		return IO_CLOSED;
	loop_watch_set(c->watch, interest);
	return IO_BLOCKED;
}

static enum io conn_read(struct http_conn *c, size_t *n)
{
	struct http_server *s = c->server;

	if (!c->ssl) {
		ssize_t got = read(c->fd, s->scratch, sizeof(s->scratch));
		*n = got > 0 ? (size_t)got : 0;
		return plain_result(c, got, LOOP_READ);
	}
	ERR_clear_error();
	int result = SSL_read_ex(c->ssl, s->scratch, sizeof(s->scratch), n);
	return result == 1 ? IO_DONE : tls_result(c, result);
}

static enum io conn_write(struct http_conn *c, struct span bytes, size_t *n)
{
	if (!c->ssl) {
		ssize_t put = send(c->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
		*n = put > 0 ? (size_t)put : 0;
		return plain_result(c, put, LOOP_WRITE);
	}
	ERR_clear_error();
	int result = SSL_write_ex(c->ssl, bytes.p, bytes.n, n);
	return result == 1 ? IO_DONE : tls_result(c, result);
}

/* Level-triggered readiness tells of bytes in the socket, not of those that were read ahead. */
static bool has_input(const struct http_conn *c)
{
	return c->rest.n > 0 || (c->ssl && SSL_has_pending(c->ssl));
}

static enum io flush(struct http_conn *c)
{
	while (c->out_at < c->out.n) {
		size_t n = 0;
		enum io io = conn_write(c, span_from(buf_span(&c->out), c->out_at), &n);
		if (io != IO_DONE)
			return io;
		c->out_at += n;
	}
	drop_out(c);
	c->server->held -= c->held;
	c->held = 0;
	return IO_DONE;
}

static bool become_idle(struct http_conn *c)
{
	http_queue_enter(c, CONN_IDLE);
	loop_watch_set(c->watch, LOOP_READ);
	return has_input(c);
}

/*
 * The last flight of a TLS 1.3 handshake is the client's and gets no answer. Its request would wait for our
 * delayed acknowledgement (40 ms) whenever the client runs Nagle's algorithm (RFC 9293 3.7.4).
 */
static void acknowledge_now(const struct http_conn *c)
{
	int on = 1;

	if (SSL_version(c->ssl) >= TLS1_3_VERSION && !has_input(c))
		setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

static bool step_proxy(struct http_conn *c)
{
	if (!http_proxy_step(c))
		return false;
	http_queue_enter(c, first_state(c));
	return true;
}

static bool step_handshake(struct http_conn *c)
{
	struct why why = {0};
	struct span identity;

	if (c->ask)
		return false;
	ERR_clear_error();
	int result = tls_handshake(c->ssl);
	if (tls_psk_waits(c->ssl, &identity))
		return http_psk_ask(c, identity, false);
	if (tls_srp_waits(c->ssl, &identity))
		return http_psk_ask(c, identity, true);
	if (result == 1) {
		acknowledge_now(c);
		return become_idle(c);
	}
	if (tls_result(c, result) == IO_BLOCKED)
		return false;
	http_server_log(c->server, tls_failure(c->ssl, &why), "handshake failed", c->peer.address, &why);
	http_conn_cut(c);
	return false;
}

static void start_reply(struct http_conn *c, const struct reply *reply, bool head_only, bool keep_alive)
{
	static const struct reply busy = {.status = 503, .retry_after_s = HTTP_HELD_RETRY_S};
	bool keep = keep_alive && !reply->close && !c->server->draining;

	/* Who asks for large files and does not read them must not cost us our memory. RFC 9110 15.6.4 */
	if (reply->body.n > HTTP_HELD_SMALL && c->server->held + reply->body.n > HTTP_HELD_MAX)
		reply = &busy;
	http_reply_write(&c->out, reply, head_only, keep, (int64_t)time(NULL));
	c->held += c->out.n;
	c->server->held += c->out.n;
	c->close_after = !keep;
	c->answered = true;
	c->wipe_out = reply->max_age_s == 0; /* what nobody may store may be a key */
	c->linger |= !keep && c->rest.n > 0;
	http_queue_enter(c, CONN_WRITE);
}

static struct reply reason_reply(unsigned int status, const struct why *why, char *text, size_t size)
{
	size_t n = why_print(why, text, size - 1);

	text[n++] = '\n';
	return (struct reply){.status = (uint16_t)status, .media_type = "text/plain; charset=utf-8",
		.body = span_of(text, n)};
}

enum { REASON_SIZE = 1024 };

/* The request cannot be read to its end: what follows it has no known beginning. */
static bool refuse(struct http_conn *c, unsigned int status, const struct why *why)
{
	char text[REASON_SIZE];
	struct reply reply = reason_reply(status, why, text, sizeof(text));

	http_server_log(c->server, why->kind, "request refused", c->peer.address, why);
	c->linger = true;
	start_reply(c, &reply, false, false);
	return true;
}

static struct span fitting(struct span value, size_t max)
{
	return value.n <= max ? value : span_of(NULL, 0);
}

/* Only for calls that need them: an exporter costs as much as everything else that a small call does. */
static enum err export_keys(struct http_conn *c, struct call *call, struct why *why)
{
	const struct http_server *s = c->server;
	enum call_export what = c->ssl && s->exports ? s->exports(s->exports_arg, call) : EXPORT_NONE;

	return what == EXPORT_NONE ? OK : tls_export(c->ssl, what, &call->peer, why);
}

/* cert: where the certificate that a proxy tells of is kept. */
static enum err find_peer(struct http_conn *c, const struct http_request *r, struct buf *cert, struct peer *out, struct why *why)
{
	/* A proxy's connection serves one client after the other. */
	if (c->verifier)
		return http_proxy_peer(c, r, cert, out, why);
	if (c->ssl && !c->peer_known)
		TRY(tls_peer(c->ssl, &c->peer, why));
	c->peer_known = true;
	*out = c->peer;
	return OK;
}

static enum err build_call(
	struct http_conn *c, const struct http_request *r, struct buf *cert, struct call *out, struct why *why)
{
	if (r->media_type.n > CALL_MEDIA_MAX)
		return WHY(why, HTTP_HEAD_LIMIT, "RFC 9110 8.3", "Content-Type: want at most %d bytes, have %zu",
			CALL_MEDIA_MAX, r->media_type.n);
	/* A name that is cut short is another name. */
	if (r->origin.n > CALL_NAME_MAX)
		return WHY(why, HTTP_HEAD_LIMIT, "TS-0009 6.4.1", "X-M2M-Origin: want at most %d bytes, have %zu",
			CALL_NAME_MAX, r->origin.n);
	*out = (struct call){
		.method = r->method,
		.path = r->path,
		.query = r->query,
		.media_type = r->media_type,
		/* Preferences and remarks that do not fit are not worth a refusal. */
		.transfer_encoding = fitting(r->transfer_encoding, CALL_MEDIA_MAX),
		.accept = fitting(r->accept, CALL_MEDIA_MAX),
		.user_agent = span_first(r->user_agent, CALL_AGENT_MAX),
		.origin = r->origin,
		.body = r->body,
	};
	TRY(find_peer(c, r, cert, &out->peer, why));
	return export_keys(c, out, why);
}

static bool dispatch(struct http_conn *c)
{
	const struct http_request *r = http_parser_request(c->parser);
	struct http_exchange *x = mem_alloc(sizeof(*x));
	struct buf cert OWNED_BUF = BUF(HTTP_HEAD_MAX);
	struct call call;
	struct why why = {0};

	if (!x) {
		http_conn_cut(c);
		return false;
	}
	*x = (struct http_exchange){.conn = c, .head_only = r->method == CALL_HEAD, .keep_alive = r->keep_alive};
	c->exchange = x;
	http_queue_enter(c, CONN_WAIT);
	if (build_call(c, r, &cert, &call, &why) == OK)
		c->server->handler(c->server->arg, x, &call);
	else
		http_exchange_refuse(x, &why, 0);
	http_parser_next(c->parser);
	return true;
}

/* RFC 9110 10.1.1: a client that waits for 100 gets it once its head is accepted */
static void say_continue(struct http_conn *c)
{
	buf_put_text(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
	if (flush(c) == IO_CLOSED)
		http_conn_cut(c);
	loop_watch_set(c->watch, LOOP_READ); /* what is left goes with the reply */
}

/* Feeds until a request is whole, refused, or `in` is used up. */
static enum http_state feed(struct http_conn *c, struct span in, size_t *used, struct why *why)
{
	enum http_state state = HTTP_NEED_MORE;

	while (*used < in.n && (state == HTTP_NEED_MORE || state == HTTP_HEAD_DONE)) {
		size_t n = 0;
		state = http_parser_feed(c->parser, span_from(in, *used), &n, why);
		*used += n;
		if (state == HTTP_HEAD_DONE && *used == in.n && http_parser_request(c->parser)->expect_continue)
			say_continue(c);
	}
	return state;
}

static bool step_read(struct http_conn *c)
{
	struct why why = {0};
	struct span in = buf_span(&c->rest);
	size_t used = 0;

	if (c->reads++ >= HTTP_TURN_READS) {
		/* A socket that can be written to brings us back in the next turn. */
		loop_watch_set(c->watch, LOOP_READ | LOOP_WRITE);
		return false;
	}
	bool fresh = in.n == 0;
	if (fresh) {
		enum io io = conn_read(c, &in.n);
		if (io == IO_CLOSED)
			http_conn_close(c);
		if (io != IO_DONE)
			return false;
		in.p = c->server->scratch;
	}
	enum http_state state = feed(c, in, &used, &why);
	if (fresh) {
		buf_put_span(&c->rest, span_from(in, used));
		mem_wipe(c->server->scratch, in.n); /* a body may hold a key, and the next read may be shorter */
	} else {
		buf_drop(&c->rest, used);
	}
	if (c->rest.n == 0)
		buf_fini(&c->rest);
	if (state == HTTP_COMPLETE)
		return dispatch(c);
	if (state == HTTP_FAILED)
		return refuse(c, http_parser_status(c->parser), &why);
	if (c->state == CONN_IDLE && !http_parser_is_idle(c->parser))
		http_queue_enter(c, CONN_REQUEST);
	return true;
}

static bool step_wait(struct http_conn *c)
{
	return false;
}

static bool start_linger(struct http_conn *c)
{
	/* RFC 9112 9.6: closing with unread bytes resets the connection and may destroy the reply */
	say_goodbye(c);
	shutdown(c->fd, SHUT_WR);
	buf_fini(&c->rest);
	http_queue_enter(c, CONN_LINGER);
	loop_watch_set(c->watch, LOOP_READ);
	return true;
}

static bool step_write(struct http_conn *c)
{
	enum io io = c->out.bad ? IO_CLOSED : flush(c); /* bad: no memory for the reply */

	if (io == IO_BLOCKED && c->out_at - c->out_mark >= HTTP_WRITE_STEP) {
		c->out_mark = c->out_at;
		http_queue_enter(c, CONN_WRITE); /* a client that reads gets more time */
	}
	if (io == IO_CLOSED)
		http_conn_cut(c);
	if (io != IO_DONE)
		return false;
	if (!c->close_after)
		return become_idle(c);
	if (c->linger)
		return start_linger(c);
	http_conn_close(c);
	return false;
}

static bool step_linger(struct http_conn *c)
{
	ssize_t n = read(c->fd, c->server->scratch, sizeof(c->server->scratch));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	c->lingered += n > 0 ? (size_t)n : 0;
	if (n <= 0 || c->lingered > HTTP_LINGER_BYTES)
		http_conn_cut(c);
	return n > 0;
}

void http_conn_run(struct http_conn *c)
{
	static bool (*const steps[CONN_STATES])(struct http_conn *c) = {
		[CONN_PROXY] = step_proxy,
		[CONN_HANDSHAKE] = step_handshake,
		[CONN_IDLE] = step_read,
		[CONN_REQUEST] = step_read,
		[CONN_WAIT] = step_wait,
		[CONN_WRITE] = step_write,
		[CONN_LINGER] = step_linger,
	};

	c->running = true;
	c->reads = 0;
	while (!c->dead && steps[c->state](c))
		;
	c->running = false;
	if (c->dead)
		conn_free(c);
}

static void on_ready(void *arg, int ready)
{
	struct http_conn *c = arg;

	/* The next request has to wait for the reply of this one. */
	if (c->state == CONN_WAIT)
		loop_watch_set(c->watch, 0);
	else
		http_conn_run(c);
}

void http_conn_expire(struct http_conn *c)
{
	static const char *const whats[CONN_STATES] = {
		[CONN_PROXY] = "PROXY header", [CONN_HANDSHAKE] = "handshake", [CONN_REQUEST] = "request", [CONN_WRITE] = "taking the reply"};
	struct why why = {0};

	if (c->state == CONN_IDLE) {
		http_conn_close(c);
		return;
	}
	if (whats[c->state]) {
		enum err e = WHY(&why, HTTP_TIMEOUT, "RFC 9110 15.5.9", "%s: want less than %lld ms", whats[c->state],
			(long long)c->server->queues[c->state].limit_ms);
		http_server_log(c->server, e, "client too slow", c->peer.address, &why);
	}
	if (c->state != CONN_REQUEST) {
		http_conn_cut(c);
		return;
	}
	refuse(c, 408, &why);
	http_conn_run(c);
}

void http_exchange_reply(struct http_exchange *x, const struct reply *reply)
{
	struct http_conn *c = x->conn;

	if (c && !c->dead) {
		c->exchange = NULL;
		start_reply(c, reply, x->head_only, x->keep_alive);
		if (!c->running)
			http_conn_run(c);
	}
	mem_free(x);
}

void http_exchange_refuse(struct http_exchange *x, const struct why *why, uint32_t retry_after_s)
{
	char text[REASON_SIZE];
	struct reply reply = reason_reply(http_status_of(why->kind), why, text, sizeof(text));

	reply.retry_after_s = retry_after_s;
	http_exchange_reply(x, &reply);
}
