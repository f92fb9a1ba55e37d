#include "app/openmef/serve.h"

#include "base/mem.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BACKLOG = 4096,  /* the kernel lowers it to net.core.somaxconn */
	FD_MIN = 64,     /* above every descriptor that a child gets by number */
};

struct endpoint {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t n;
};

static enum err endpoint_parse(const char *address, uint16_t port, struct endpoint *out, struct why *why)
{
	*out = (struct endpoint){0};
	if (inet_pton(AF_INET, address, &out->v4.sin_addr) == 1) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = htons(port);
		out->n = sizeof(out->v4);
		return OK;
	}
	if (inet_pton(AF_INET6, address, &out->v6.sin6_addr) == 1) {
		out->v6.sin6_family = AF_INET6;
		out->v6.sin6_port = htons(port);
		out->n = sizeof(out->v6);
		return OK;
	}
	return WHY(why, SERVE_LISTEN, "", "listen address: want an IPv4 or IPv6 address, have %s", address);
}

static int open_socket(const struct endpoint *e, bool share)
{
	const int on = 1;
	int fd = socket(e->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	/* Accepted sockets inherit TCP_NODELAY, which saves a call for each. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
		(!share || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0) &&
		(e->any.sa_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 && bind(fd, &e->any, e->n) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

static uint16_t bound_port(int fd)
{
	struct endpoint e = {.n = sizeof(e.v6)};

	if (getsockname(fd, &e.any, &e.n) != 0)
		return 0;
	return ntohs(e.any.sa_family == AF_INET ? e.v4.sin_port : e.v6.sin6_port);
}

/* Shared ports would let two services split one port without a word, so the first bind is exclusive. */
static enum err probe(const struct conf_listen *c, const struct endpoint *e, struct why *why)
{
	int fd = open_socket(e, false);

	if (fd < 0)
		return WHY(why, SERVE_LISTEN, "", "listen address %s port %u: %s", c->address, c->port, strerror(errno));
	close(fd);
	return OK;
}

static int listen_above(const struct endpoint *e)
{
	int low = open_socket(e, true);

	if (low < 0)
		return -1;
	int fd = fcntl(low, F_DUPFD_CLOEXEC, FD_MIN);
	close(low);
	if (fd >= 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	return -1;
}

/* The addresses of one kind. */
struct list {
	const struct conf_listen *items;
	size_t n;
};

static struct list list_of(const struct conf *conf, enum listen_kind kind)
{
	switch (kind) {
	case LISTEN_HTTPS:
		return (struct list){conf->https, conf->https_n};
	case LISTEN_HTTP:
		return (struct list){conf->http, conf->http_n};
	case LISTEN_PROXY:
		return (struct list){conf->behind_proxy, conf->behind_proxy_n};
	case LISTEN_KINDS:
		break;
	}
	return (struct list){NULL, 0};
}

static struct listener *find(
	const struct listeners *l, const struct conf_listen *c, enum listen_kind kind, unsigned int front)
{
	for (size_t i = 0; i < l->n; i++) {
		struct listener *row = &l->rows[i];
		if (row->kind == kind && row->port == c->port && row->front == front &&
			strcmp(row->address, c->address) == 0)
			return row;
	}
	return NULL;
}

static enum err grow(struct listeners *l, struct why *why)
{
	if (l->n < l->cap)
		return OK;
	size_t cap = l->cap ? 2 * l->cap : 16;
	struct listener *rows = mem_resize(l->rows, cap * sizeof(*rows));
	if (!rows)
		return WHY(why, NOMEM, "", "listening sockets: want room for %zu", cap);
	l->rows = rows;
	l->cap = cap;
	return OK;
}

static enum err open_one(
	struct listeners *l, const struct conf_listen *c, enum listen_kind kind, unsigned int front, struct why *why)
{
	struct endpoint e;

	if (find(l, c, kind, front))
		return OK;
	TRY(grow(l, why));
	const struct listener *first = find(l, c, kind, 0);
	TRY(endpoint_parse(c->address, first ? first->actual : c->port, &e, why));
	if (!first)
		TRY(probe(c, &e, why));
	int fd = listen_above(&e);
	if (fd < 0)
		return WHY(why, SERVE_LISTEN, "", "listen address %s port %u: %s", c->address, c->port, strerror(errno));
	struct listener *row = &l->rows[l->n++];
	*row = (struct listener){
		.port = c->port, .actual = bound_port(fd), .kind = kind, .front = front, .fd = fd, .fresh = true};
	memcpy(row->address, c->address, sizeof(row->address));
	return OK;
}

enum err listeners_open(struct listeners *l, const struct conf *conf, unsigned int fronts, struct why *why)
{
	for (unsigned int i = 0; i < fronts * LISTEN_KINDS; i++) {
		enum listen_kind kind = (enum listen_kind)(i % LISTEN_KINDS);
		struct list list = list_of(conf, kind);
		for (size_t j = 0; j < list.n; j++)
			TRY(open_one(l, &list.items[j], kind, i / LISTEN_KINDS, why));
	}
	return OK;
}

static void remove_row(struct listeners *l, size_t i)
{
	close(l->rows[i].fd);
	memmove(&l->rows[i], &l->rows[i + 1], (l->n - i - 1) * sizeof(l->rows[0]));
	l->n--;
}

void listeners_undo(struct listeners *l)
{
	for (size_t i = l->n; i-- > 0;) {
		if (l->rows[i].fresh)
			remove_row(l, i);
	}
}

static bool wanted(const struct listener *row, const struct conf *conf)
{
	struct list list = list_of(conf, row->kind);

	for (size_t i = 0; i < list.n; i++) {
		if (row->port == list.items[i].port && strcmp(row->address, list.items[i].address) == 0)
			return true;
	}
	return false;
}

void listeners_keep(struct listeners *l, const struct conf *conf, unsigned int fronts)
{
	for (size_t i = l->n; i-- > 0;) {
		struct listener *row = &l->rows[i];
		row->fresh = false;
		if (row->front >= fronts || !wanted(row, conf))
			remove_row(l, i);
	}
}

void listeners_close(struct listeners *l)
{
	while (l->n)
		remove_row(l, l->n - 1);
	mem_free(l->rows);
	*l = (struct listeners){0};
}

size_t listeners_of(const struct listeners *l, const struct conf *conf, unsigned int front,
	int fds[ROLE_LISTEN_MAX], struct buf *kinds)
{
	size_t n = 0;

	for (int kind = 0; kind < LISTEN_KINDS; kind++) {
		struct list list = list_of(conf, (enum listen_kind)kind);
		for (size_t i = 0; i < list.n; i++) {
			const struct listener *row = find(l, &list.items[i], (enum listen_kind)kind, front);
			if (!row)
				continue;
			buf_put_text(kinds, n ? "," : "");
			buf_put_text(kinds, listen_kind_names[kind]);
			fds[n++] = row->fd;
		}
	}
	return n;
}

uint16_t listeners_https_port(const struct listeners *l, const struct conf *conf)
{
	const struct listener *row = conf->https_n ? find(l, &conf->https[0], LISTEN_HTTPS, 0) : NULL;

	return row ? row->actual : 0;
}

void listeners_text(const struct listeners *l, const struct conf *conf, enum listen_kind kind, struct buf *out)
{
	struct list list = list_of(conf, kind);

	for (size_t i = 0; i < list.n; i++) {
		const struct listener *row = find(l, &list.items[i], kind, 0);
		bool v6 = strchr(list.items[i].address, ':') != NULL;
		if (row)
			buf_put_fmt(out, "%s%s%s%s:%u", out->n ? " " : "", v6 ? "[" : "", row->address, v6 ? "]" : "",
				row->actual);
	}
}

static void json_list(const struct listeners *l, struct list list, enum listen_kind kind, struct buf *out)
{
	bool any = false;

	for (size_t i = 0; i < list.n; i++) {
		const struct listener *row = find(l, &list.items[i], kind, 0);
		/* Addresses passed inet_pton: no character in them needs an escape. */
		if (row)
			buf_put_fmt(out, "%s{\"address\": \"%s\", \"port\": %u}", any ? ", " : "", row->address, row->actual);
		any = any || row;
	}
}

void listeners_json(const struct listeners *l, const struct conf *conf, struct buf *out)
{
	for (int kind = 0; kind < LISTEN_KINDS; kind++) {
		buf_put_fmt(out, "%s\"%s\": [", kind ? "], " : "{", listen_kind_names[kind]);
		json_list(l, list_of(conf, (enum listen_kind)kind), (enum listen_kind)kind, out);
	}
	buf_put_text(out, "]}\n");
}
