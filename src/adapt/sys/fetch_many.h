#pragma once
/*
 * HTTPS calls to a few known servers, many at a time, without blocking: libcurl's multi interface on its
 * owner's event loop. Explicit anchors only, client certificate, connections kept and shared, no redirects, no proxies,
 * small bounded replies. Host names are resolved when a server is added, so that nothing opens a file afterwards.
 */
#include "base/buf.h"
#include "port/clock.h"

enum {
	FETCH_MANY_SERVERS_MAX = 16,
	FETCH_MANY_BODY_MAX = 16 * 1024,
	FETCH_MANY_CONNECTIONS_MAX = 32, /* to one server; what is above waits for one, within its deadline */
	FETCH_MANY_DEADLINE_MS = 10 * 1000,
	FETCH_MANY_UNDER_WAY_MAX = 1024,
};

enum { FETCH_MANY_READ = 1, FETCH_MANY_WRITE = 2 };

struct fetch_many_config {
	struct span anchors_pem;
	struct span cert_pem; /* client certificate, then intermediates */
	struct span key_pem;  /* its key, unencrypted; copied, wiped by the caller */
	const char *origin;   /* X-M2M-Origin; NULL: none */
	const char *accept;
	const char *agent;    /* User-Agent; NULL: a MAF's */
	size_t body_max;      /* of an answer; 0: FETCH_MANY_BODY_MAX */
	struct clock clock;
	/*
	 * Watches fd for interest; had: what the last call for this fd returned, or NULL. Interest 0: stop, return
	 * NULL. When it is ready: fetch_many_ready.
	 */
	void *(*watch)(void *arg, void *had, int fd, int interest);
	/* One timer, set anew by each call; negative: stop. When it is over: fetch_many_time. */
	void (*timer)(void *arg, int64_t after_ms);
	void *arg;
};

struct fetch_many;

/* body is borrowed and wiped afterwards. status 0 unless err is OK. */
typedef void (*fetch_many_done)(void *arg, enum err err, unsigned int status, const char *media_type, struct span body,
	const struct why *why);

/* More than a GET. */
struct fetch_many_ask {
	const char *path;
	const char *media_type; /* NULL: a GET */
	struct span body;       /* copied */
	int64_t timeout_ms;     /* 0: FETCH_MANY_DEADLINE_MS */
};

struct fetch_many_reply {
	unsigned int status; /* 0: there is none */
	const char *media_type;
	int64_t retry_after_s;
	bool sent; /* octets of the request have left, so that the server may have acted on it, whatever came back */
	struct span body;
};

/* reply is borrowed, its body wiped afterwards; never NULL. */
typedef void (*fetch_many_told)(void *arg, enum err err, const struct fetch_many_reply *reply, const struct why *why);

/* ERR_SYNTAX for anchors that cannot be read; ERR_NOMEM; ERR_UNSUPPORTED for a libcurl without OpenSSL. */
MUST_CHECK enum err fetch_many_new(const struct fetch_many_config *config, struct fetch_many **out, struct why *why);
void fetch_many_free(struct fetch_many *f); /* what is under way fails */
/*
 * base: "https://HOST[:PORT]"; connect: "HOST:PORT" instead of the URL's, or NULL. Blocks while the name is
 * resolved; a name that has no address now is no failure: its GETs fail. The number of a server is its place.
 */
MUST_CHECK enum err fetch_many_add(struct fetch_many *f, const char *base, const char *connect, struct why *why);
/* Any status is OK. ERR_FORBIDDEN: the server is not who it should be; ERR_SYSTEM: not reached in time. */
void fetch_many_get(struct fetch_many *f, size_t server, const char *path, fetch_many_done done, void *arg);
void fetch_many_send(struct fetch_many *f, size_t server, const struct fetch_many_ask *ask, fetch_many_told told, void *arg);
void fetch_many_ready(struct fetch_many *f, int fd, int ready);
void fetch_many_time(struct fetch_many *f);
size_t fetch_many_under_way(const struct fetch_many *f);
