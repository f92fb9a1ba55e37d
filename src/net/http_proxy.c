#include "net/http_conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

bool http_proxy_trusts(const struct http_server *s, const struct sockaddr *from)
{
	uint8_t address[ADDRESS_SIZE];

	if (!http_source_bytes(from, address))
		return false;
	for (size_t i = 0; i < s->proxies.n; i++) {
		if (prefix_holds(&s->proxies.from[i], address))
			return true;
	}
	return false;
}

static bool refuse(struct http_conn *c, const struct why *why)
{
	http_server_log(c->server, why->kind, "connection refused", c->peer.address, why);
	http_conn_cut(c);
	return false;
}

/* From here on the client of the proxy is who is counted and logged. */
static enum err become_client(struct http_conn *c, struct why *why)
{
	struct http_server *s = c->server;
	struct sockaddr_in6 from = {.sin6_family = AF_INET6};

	memcpy(&from.sin6_addr, c->told.address, sizeof(from.sin6_addr));
	http_source_text((const struct sockaddr *)&from, c->peer.address);
	http_source_leave(s->sources, c->source);
	c->source = http_source_enter(s->sources, (const struct sockaddr *)&from, s->limits.connections_per_source);
	if (!c->source)
		return WHY(why, HTTP_CONNECTIONS, "", "connections of one source: want at most %u, have more",
			s->limits.connections_per_source);
	return OK;
}

/* False when it must wait, or went away. What follows the header is the client's and stays in the socket. */
static bool read_header(struct http_conn *c)
{
	struct why why = {0};
	size_t want = 0;

	for (;;) {
		if (proxy_size(buf_span(&c->rest), &want, &why) != OK)
			return refuse(c, &why);
		if (c->rest.n == want)
			return true;
		ssize_t n = read(c->fd, c->server->scratch, want - c->rest.n);
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			loop_watch_set(c->watch, LOOP_READ);
			return false;
		}
		if (n > 0)
			buf_put(&c->rest, c->server->scratch, (size_t)n);
		if (n <= 0 || c->rest.bad) {
			http_conn_cut(c);
			return false;
		}
	}
}

bool http_proxy_step(struct http_conn *c)
{
	struct why why = {0};

	if (!read_header(c))
		return false;
	enum err e = proxy_parse(buf_span(&c->rest), &c->told, &why);
	buf_fini(&c->rest);
	if (e == OK && c->told.has_address)
		e = become_client(c, &why);
	return e == OK || refuse(c, &why);
}

/* RFC 9440 2: what the fields may look like at all */
static enum err check_fields(const struct http_request *r, struct why *why)
{
	if (r->client_certs > 1)
		return WHY(why, CLIENT_CERT_SYNTAX, "RFC 9440 2.2", "Client-Cert: want one field, have %u", r->client_certs);
	if (r->client_certs == 0 && r->client_chains)
		return WHY(why, CLIENT_CERT_SYNTAX, "RFC 9440 2.3", "Client-Cert-Chain: want Client-Cert beside it, have none");
	if (r->client_chains > CLIENT_CERT_CHAIN_MAX)
		return WHY(why, CLIENT_CERT_LIMIT, "RFC 9440 2.3", "Client-Cert-Chain: want at most %d fields, have %zu",
			CLIENT_CERT_CHAIN_MAX, r->client_chains);
	return OK;
}

/* What the connection's header says and what the request's field says must be one story. */
static enum err check_told(const struct proxy_header *told, struct why *why)
{
	if (!told->has_tls)
		return OK;
	if (!told->cert)
		return WHY(why, PROXIED_TOLD, "", "Client-Cert: want none from a client without certificate, have one");
	if (!told->verified)
		return WHY(why, PROXIED_TOLD, "", "Client-Cert: want a certificate in which the proxy found no fault");
	return OK;
}

enum err http_proxy_peer(const struct http_conn *c, const struct http_request *r, struct buf *bytes,
	struct peer *out, struct why *why)
{
	struct client_cert cert;

	*out = c->peer;
	/* Who came to the proxy without TLS is like anybody on the plain port. */
	out->proxied = !c->told.has_tls || c->told.tls;
	out->tls_version = c->told.tls_version;
	TRY(check_fields(r, why));
	if (r->client_certs == 0)
		return OK;
	TRY(check_told(&c->told, why));
	TRY(client_cert_parse(r->client_cert, r->client_chain, r->client_chains, bytes, &cert, why));
	return tls_proxied(c->verifier, cert.ders, cert.n, out, why);
}
