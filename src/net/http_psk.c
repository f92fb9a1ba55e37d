#include "net/http_conn.h"

#include "base/mem.h"

/* Of an ask that is on the way; its connection may be gone before the answer comes. */
struct http_psk {
	struct http_conn *conn; /* NULL: gone */
};

static void refuse(struct http_conn *c, const struct why *why)
{
	http_server_log(c->server, why->kind, "handshake failed", c->peer.address, why);
	http_conn_cut(c);
}

static struct http_psk *ask_new(struct http_conn *c)
{
	struct http_psk *ask = mem_alloc(sizeof(*ask));

	if (!ask)
		return NULL;
	ask->conn = c;
	c->ask = ask;
	c->server->psk_waiting++;
	return ask;
}

bool http_psk_ask(struct http_conn *c, struct span identity, bool srp)
{
	struct http_server *s = c->server;
	http_psk_handler handler = srp ? s->srp : s->psk;
	struct why why = {0};

	/* The client has nothing to say before its key is known; its deadline goes on. */
	loop_watch_set(c->watch, 0);
	if (s->psk_waiting >= HTTP_PSK_WAITING_MAX) {
		(void)!WHY(&why, TLS_PSK_WAITING, "", "handshakes that wait: want at most %d, have more", HTTP_PSK_WAITING_MAX);
		refuse(c, &why);
		return false;
	}
	struct http_psk *ask = handler ? ask_new(c) : NULL;
	if (!ask) {
		(void)!WHY(&why, TLS_PSK_UNAVAILABLE, "", "psk_identity: want somebody who knows its key, have nobody");
		refuse(c, &why);
		return false;
	}
	handler(srp ? s->srp_arg : s->psk_arg, ask, identity);
	return !c->dead && !c->ask;
}

void http_psk_forget(struct http_conn *c)
{
	if (!c->ask)
		return;
	c->ask->conn = NULL;
	c->ask = NULL;
	c->server->psk_waiting--;
}

void http_srp_reply(struct http_psk *ask, struct span record)
{
	struct http_conn *c = ask->conn;

	if (c) {
		http_psk_forget(c);
		tls_srp_give(c->ssl, record);
		if (!c->running)
			http_conn_run(c);
	}
	mem_free(ask);
}

void http_psk_reply(struct http_psk *ask, const struct secret *key)
{
	struct http_conn *c = ask->conn;

	if (c) {
		http_psk_forget(c);
		tls_psk_give(c->ssl, key);
		if (!c->running)
			http_conn_run(c);
	}
	mem_free(ask);
}
