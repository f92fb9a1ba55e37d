#pragma once
/* Inner part of http_server.h: connections, their deadlines and their sources. */
#include "net/http_server.h"
#include "net/http_source.h"
#include "wire/http.h"
#include "wire/proxy.h"

/* A connection is always in exactly one state, and in the queue of that state. */
enum conn_state {
	CONN_PROXY, /* a trusted proxy says for whom it connects */
	CONN_HANDSHAKE,
	CONN_IDLE,    /* between requests */
	CONN_REQUEST, /* part of a request was read */
	CONN_WAIT,    /* the handler has it */
	CONN_WRITE,
	CONN_LINGER,  /* all was said; what the client still sends is thrown away */
	CONN_STATES,
};

enum {
	HTTP_LINGER_MS = 2000,
	HTTP_FIRST_MS = 2000, /* a drain's patience with a client that connected and asked nothing yet */
	HTTP_LINGER_BYTES = 256 * 1024, /* what is thrown away before the connection is cut */
	HTTP_WRITE_STEP = 64 * 1024,    /* a reply that moves this much gets a new deadline */
	HTTP_HELD_MAX = 64 * 1024 * 1024, /* replies that clients have not taken yet, all together */
	HTTP_HELD_RETRY_S = 5,
	HTTP_HELD_SMALL = 64 * 1024,      /* replies up to that are sent nevertheless */
	HTTP_PSK_WAITING_MAX = 1000,      /* handshakes that wait for a key; each has a stack of 32 KiB */
	HTTP_TURN_READS = 16,           /* reads of one connection before others have their turn */
	HTTP_READ_SIZE = 16 * 1024,     /* one TLS record */
};

struct http_conn {
	struct http_server *server;
	struct http_conn *prev, *next; /* in the queue of its state */
	int64_t deadline_ms;
	enum conn_state state;
	int fd;
	SSL *ssl; /* NULL: plain */
	struct tls_server *verifier; /* of the certificates that a proxy tells of; NULL: nobody's word counts */
	struct proxy_header told;    /* by the PROXY protocol; all zero without */
	struct loop_watch *watch;
	struct http_parser *parser;
	struct http_source *source;
	struct http_exchange *exchange; /* CONN_WAIT */
	struct http_psk *ask;           /* CONN_HANDSHAKE, while its key is on the way */
	struct buf rest; /* read ahead of the request under way */
	struct buf out;
	size_t out_at, out_mark; /* written, and at the last new deadline */
	size_t held;             /* counted in the server's sum */
	size_t lingered;
	unsigned int reads; /* in this turn */
	bool running;       /* http_conn_run is on the stack */
	bool dead;          /* to be freed when it returns */
	bool tls_broken;    /* no close_notify any more */
	bool close_after;   /* the reply under way is the last */
	bool answered;      /* had a reply already */
	bool linger;        /* the client may still be sending */
	bool wipe_out;      /* the reply under way may hold a key */
	bool peer_known;
	struct peer peer;
};

struct http_exchange {
	struct http_conn *conn; /* NULL: gone */
	bool head_only, keep_alive;
};

struct conn_queue {
	struct http_conn *first, *last;
	int64_t limit_ms; /* 0: no deadline */
};

struct http_listener {
	struct http_server *server;
	struct http_listener *next;
	int fd;
	struct tls_server *tls;
	bool proxied; /* plain HTTP from proxies only; tls verifies what they tell */
	struct loop_watch *watch;
};

struct http_server {
	struct loop *loop;
	http_handler handler;
	void *arg;
	http_exports exports;
	void *exports_arg;
	http_psk_handler psk, srp;
	void *psk_arg, *srp_arg;
	unsigned int psk_waiting;
	struct http_limits limits;
	struct http_proxies proxies;
	struct http_listener *listeners;
	struct http_sources *sources;
	struct conn_queue queues[CONN_STATES];
	unsigned int connections;
	size_t held; /* bytes of replies that wait for their clients */
	struct loop_timer *timer; /* armed for armed_ms when armed_ms > 0 */
	int64_t armed_ms;
	bool paused; /* no descriptors left: listeners wait for the timer */
	bool draining;
	struct loop_timer *drain_timer;
	loop_fn drained;
	void *drained_arg;
	int64_t log_second; /* at most LOG_PER_S lines in it */
	unsigned int log_lines, log_dropped;
	uint8_t scratch[HTTP_READ_SIZE];
};

/* Who just connected. */
struct http_arrival {
	const char *address;
	struct http_source *source;
	bool header; /* a PROXY header comes first */
};

/* http_conn.c. fd and source belong to the new connection; on failure they are the caller's. */
MUST_CHECK enum err http_conn_new(const struct http_listener *l, int fd, const struct http_arrival *from, struct why *why);
void http_conn_expire(struct http_conn *c); /* its deadline has come */
void http_conn_close(struct http_conn *c);  /* politely; may free it */
void http_conn_cut(struct http_conn *c);    /* at once; may free it */
void http_conn_run(struct http_conn *c);    /* until it has to wait; may free it */

/* http_proxy.c */
bool http_proxy_trusts(const struct http_server *s, const struct sockaddr *from);
/* Reads the PROXY header and not a byte more; true when the connection goes on to its next state. */
bool http_proxy_step(struct http_conn *c);
/* The peer of one request behind a proxy. Its leaf points into bytes. */
MUST_CHECK enum err http_proxy_peer(const struct http_conn *c, const struct http_request *r, struct buf *bytes,
	struct peer *out, struct why *why);

/* http_psk.c */
/* Asks for the key of an identity; true when the handshake can go on at once. May cut the connection. */
bool http_psk_ask(struct http_conn *c, struct span identity, bool srp);
void http_psk_forget(struct http_conn *c); /* the connection goes away */

/* http_queue.c */
int64_t http_now_ms(void);
void http_queue_enter(struct http_conn *c, enum conn_state state); /* not for the first time: see next */
void http_queue_add(struct http_conn *c, enum conn_state state);
void http_queue_remove(struct http_conn *c);
void http_queue_expire(void *server); /* for the timer */
void http_queue_wake(struct http_server *s, int64_t after_ms); /* the timer fires then at the latest */

/* http_server.c */
void http_server_gone(struct http_server *s, struct http_source *source); /* a connection was freed */
void http_server_log(struct http_server *s, enum err kind, const char *event, const char *address, const struct why *why);
void http_server_resume(struct http_server *s);
