#include "adapt/sys/fetch_many.h"

#include "adapt/sys/fetch_server.h"
#include "base/mem.h"
#include "base/text.h"
#include "wire/uri.h"

#include <arpa/inet.h>
#include <assert.h>
#include <curl/curl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
	CERTS_DER_MAX = FETCH_CERTS_MAX * CERT_DER_MAX,
	URL_MAX = 1024,
	ADDRESSES_MAX = 8,
	RESOLVE_MAX = FETCH_HOST_SIZE + 16 + ADDRESSES_MAX * (INET6_ADDRSTRLEN + 3),
};

#define OWNED_SECRET_BUF __attribute__((cleanup(buf_fini_wipe)))

struct server {
	char base[FETCH_HOST_SIZE + 16];
	struct curl_slist *connect;
	struct curl_slist *resolve; /* NULL for an address */
	bool reachable;             /* it has an address */
	struct fetch_server check;  /* outlives every connection to it */
};

struct get {
	struct fetch_many *many;
	struct server *server;
	CURL *curl;
	struct buf body;
	fetch_many_done done; /* one of both */
	fetch_many_told told;
	void *arg;
	struct buf post;
	struct curl_slist *headers; /* NULL: those of all */
	struct get *next, **at;
	char error[CURL_ERROR_SIZE];
};

struct fetch_many {
	struct fetch_many_config config; /* without spans */
	CURLM *multi;
	struct buf cert, key;
	struct anchors *anchors;
	struct curl_slist *headers;
	struct server servers[FETCH_MANY_SERVERS_MAX];
	size_t servers_n;
	struct get *gets;
	size_t gets_n;
};

/* ---- set-up */

static enum err no_memory(struct why *why)
{
	return WHY(why, NOMEM, "", "HTTPS client");
}

static int on_socket(CURL *curl, curl_socket_t fd, int what, void *arg, void *had)
{
	struct fetch_many *f = arg;
	int interest = 0;

	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		interest |= FETCH_MANY_READ;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		interest |= FETCH_MANY_WRITE;
	curl_multi_assign(f->multi, fd, f->config.watch(f->config.arg, had, fd, interest));
	return 0;
}

static int on_timer(CURLM *multi, long after_ms, void *arg)
{
	struct fetch_many *f = arg;

	f->config.timer(f->config.arg, after_ms);
	return 0;
}

static enum err make_headers(struct fetch_many *f, const struct fetch_many_config *config, struct why *why)
{
	char line[FETCH_HOST_SIZE + 32];

	snprintf(line, sizeof(line), "Accept: %s", config->accept);
	f->headers = curl_slist_append(NULL, line);
	if (!f->headers || !config->origin)
		return f->headers ? OK : no_memory(why);
	snprintf(line, sizeof(line), "X-M2M-Origin: %s", config->origin);
	return curl_slist_append(f->headers, line) ? OK : no_memory(why);
}

static enum err set_up(struct fetch_many *f, const struct fetch_many_config *config, struct why *why)
{
	f->config = *config;
	f->config.agent = config->agent ? config->agent : "OpenMEF-maf/" OMEF_VERSION;
	f->config.body_max = config->body_max ? config->body_max : FETCH_MANY_BODY_MAX;
	f->config.anchors_pem = f->config.cert_pem = f->config.key_pem = (struct span){0};
	f->cert = BUF(config->cert_pem.n);
	f->key = BUF(config->key_pem.n);
	buf_put_span(&f->cert, config->cert_pem);
	buf_put_span(&f->key, config->key_pem);
	if (f->cert.bad || f->key.bad)
		return no_memory(why);
	/* Answers hold keys, and libcurl overwrites nothing that it frees. */
	if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, mem_alloc, mem_free_wiped, mem_resize_wiped, mem_text, mem_array) != CURLE_OK
		|| !(f->multi = curl_multi_init()))
		return no_memory(why);
	TRY(make_headers(f, config, why));
	TRY(anchors_parse_pem(config->anchors_pem, &f->anchors, why));
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
	curl_multi_setopt(f->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)FETCH_MANY_CONNECTIONS_MAX);
	curl_multi_setopt(f->multi, CURLMOPT_MAXCONNECTS, (long)(FETCH_MANY_CONNECTIONS_MAX * FETCH_MANY_SERVERS_MAX));
	return OK;
}

enum err fetch_many_new(const struct fetch_many_config *config, struct fetch_many **out, struct why *why)
{
	struct fetch_many *f = mem_alloc(sizeof(*f));

	if (!f)
		return no_memory(why);
	enum err err = set_up(f, config, why);
	if (err != OK) {
		fetch_many_free(f);
		return err;
	}
	*out = f;
	return OK;
}

/* ---- servers */

/* "203.0.113.1,[2001:db8::1]" */
static size_t put_addresses(const struct addrinfo *list, struct buf *out)
{
	size_t n = 0;

	for (const struct addrinfo *a = list; a && n < ADDRESSES_MAX; a = a->ai_next) {
		char text[INET6_ADDRSTRLEN];
		bool six = a->ai_family == AF_INET6;
		if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) != 0 || strchr(text, '%'))
			continue;
		buf_put_fmt(out, "%s%s%s%s", n ? "," : "", six ? "[" : "", text, six ? "]" : "");
		n++;
	}
	return n;
}

static bool is_address(const char *host)
{
	uint8_t bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static enum err resolve(struct server *s, const char *host, unsigned int port, struct why *why)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct buf line OWNED_BUF = BUF(RESOLVE_MAX);
	struct addrinfo *list = NULL;

	s->reachable = is_address(host);
	if (s->reachable || getaddrinfo(host, NULL, &hints, &list) != 0)
		return OK;
	buf_put_fmt(&line, "%s:%u:", host, port);
	s->reachable = put_addresses(list, &line) > 0;
	freeaddrinfo(list);
	if (!s->reachable)
		return OK;
	s->resolve = curl_slist_append(NULL, buf_text(&line));
	return s->resolve && !line.bad ? OK : no_memory(why);
}

/* "192.0.2.1:8443", "[2001:db8::1]:8443" */
static enum err set_connect(struct server *s, const char *connect, struct uri *to, char host[FETCH_HOST_SIZE], struct why *why)
{
	char line[FETCH_HOST_SIZE + 16];
	char as_uri[FETCH_HOST_SIZE + 16];

	snprintf(line, sizeof(line), "::%s", connect);
	snprintf(as_uri, sizeof(as_uri), "https://%s", connect);
	TRY(uri_parse(span_text(as_uri), to, why));
	if (!text_copy(host, FETCH_HOST_SIZE, to->host))
		return WHY(why, AGENT_URI, "RFC 1035 2.3.4", "host: want less than %d characters", FETCH_HOST_SIZE);
	s->connect = curl_slist_append(NULL, line);
	return s->connect ? OK : no_memory(why);
}

enum err fetch_many_add(struct fetch_many *f, const char *base, const char *connect, struct why *why)
{
	struct server *s = &f->servers[f->servers_n];
	char host[FETCH_HOST_SIZE];
	struct uri uri = {0};

	if (f->servers_n == FETCH_MANY_SERVERS_MAX)
		return WHY(why, BUF_LIMIT, "", "servers: want at most %d", FETCH_MANY_SERVERS_MAX);
	TRY(uri_parse(span_text(base), &uri, why));
	if (!text_copy(s->base, sizeof(s->base), span_text(base)) || !text_copy(host, sizeof(host), uri.host))
		return WHY(why, AGENT_URI, "RFC 1035 2.3.4", "host: want less than %d characters", FETCH_HOST_SIZE);
	s->check = (struct fetch_server){.anchors = f->anchors, .clock = f->config.clock, .der = BUF(CERTS_DER_MAX)};
	memcpy(s->check.host, host, sizeof(host));
	f->servers_n++;
	unsigned int port = uri.port;
	if (connect) {
		TRY(set_connect(s, connect, &uri, host, why));
		port = uri.port;
	}
	return resolve(s, host, port, why);
}

/* ---- one GET */

static void get_free(struct get *g)
{
	if (g->curl) {
		curl_multi_remove_handle(g->many->multi, g->curl);
		curl_easy_cleanup(g->curl);
	}
	curl_slist_free_all(g->headers);
	buf_fini_wipe(&g->body);
	buf_fini(&g->post);
	mem_free(g);
}

static void get_leave(struct get *g)
{
	*g->at = g->next;
	if (g->next)
		g->next->at = g->at;
	g->many->gets_n--;
}

static void get_tell(const struct get *g, const struct fetch_many_reply *reply, const struct why *why)
{
	assert(g->told || g->done);
	if (g->told)
		g->told(g->arg, why->kind, reply, why);
	else
		g->done(g->arg, why->kind, reply->status, reply->media_type, reply->body, why);
}

static void get_fail(struct get *g, const struct why *why)
{
	struct fetch_many_reply reply = {.media_type = ""};
	long size = 0;

	get_leave(g);
	if (g->curl)
		curl_easy_getinfo(g->curl, CURLINFO_REQUEST_SIZE, &size);
	reply.sent = size > 0;
	get_tell(g, &reply, why);
	get_free(g);
}

static CURLcode arm(CURL *curl, void *ssl_ctx, void *arg)
{
	fetch_server_arm(ssl_ctx, arg);
	return CURLE_OK;
}

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
	struct buf *body = arg;

	buf_put(body, data, size * count);
	return body->bad ? 0 : size * count;
}

static void set_blob(CURL *curl, CURLoption option, const struct buf *bytes)
{
	struct curl_blob blob = {bytes->p, bytes->n, CURL_BLOB_NOCOPY}; /* lives as long as all handles */

	if (bytes->n)
		curl_easy_setopt(curl, option, &blob);
}

static enum err set_tls(struct get *g, struct why *why)
{
	CURL *curl = g->curl;

	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
	/* A resumed session would show no chain. */
	curl_easy_setopt(curl, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	/* TS-0003 10.1.1: explicit anchors, never the system's */
	curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(curl, CURLOPT_CAINFO, NULL);
	set_blob(curl, CURLOPT_SSLCERT_BLOB, &g->many->cert);
	set_blob(curl, CURLOPT_SSLKEY_BLOB, &g->many->key);
	if (curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, arm) != CURLE_OK
		|| curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, &g->server->check) != CURLE_OK)
		return WHY(why, AGENT_LIBRARY, "", "libcurl: want one that uses OpenSSL, have %s", curl_version());
	return OK;
}

static void set_http(struct get *g)
{
	CURL *curl = g->curl;

	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, g->error);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &g->body);
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* nor one from the environment */
	curl_easy_setopt(curl, CURLOPT_USERAGENT, g->many->config.agent);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)FETCH_MANY_DEADLINE_MS);
	curl_easy_setopt(curl, CURLOPT_DNS_CACHE_TIMEOUT, -1L);
	curl_easy_setopt(curl, CURLOPT_CONNECT_TO, g->server->connect);
	curl_easy_setopt(curl, CURLOPT_RESOLVE, g->server->resolve);
	curl_easy_setopt(curl, CURLOPT_PRIVATE, g);
}

static enum err set_post(struct get *g, const struct fetch_many_ask *ask, struct why *why)
{
	char line[128];

	g->post = BUF(ask->body.n);
	buf_put_span(&g->post, ask->body);
	/* RFC 8951 3.1: servers ignore the transfer encoding, older ones want it named */
	snprintf(line, sizeof(line), "Content-Type: %s", ask->media_type);
	g->headers = curl_slist_append(NULL, line);
	for (const struct curl_slist *h = g->many->headers; h && g->headers; h = h->next) {
		if (!curl_slist_append(g->headers, h->data))
			return no_memory(why);
	}
	if (!g->headers || !curl_slist_append(g->headers, "Content-Transfer-Encoding: base64") || g->post.bad)
		return no_memory(why);
	curl_easy_setopt(g->curl, CURLOPT_POST, 1L);
	curl_easy_setopt(g->curl, CURLOPT_POSTFIELDS, g->post.p);
	curl_easy_setopt(g->curl, CURLOPT_POSTFIELDSIZE, (long)g->post.n);
	curl_easy_setopt(g->curl, CURLOPT_HTTPHEADER, g->headers);
	return OK;
}

static enum err get_start(struct get *g, const struct fetch_many_ask *ask, struct why *why)
{
	struct fetch_many *f = g->many;
	char url[URL_MAX];

	if (!g->server->reachable)
		return WHY(why, AGENT_CONNECT, "", "%s: the name has no address", g->server->check.host);
	int n = snprintf(url, sizeof(url), "%s%s", g->server->base, ask->path);
	if (n < 0 || (size_t)n >= sizeof(url))
		return WHY(why, BUF_LIMIT, "", "URL: want less than %d characters", URL_MAX);
	g->server->check.why = (struct why){0};
	g->curl = curl_easy_init();
	if (!g->curl)
		return no_memory(why);
	TRY(set_tls(g, why));
	set_http(g);
	if (ask->timeout_ms)
		curl_easy_setopt(g->curl, CURLOPT_TIMEOUT_MS, (long)ask->timeout_ms);
	curl_easy_setopt(g->curl, CURLOPT_HTTPHEADER, f->headers);
	curl_easy_setopt(g->curl, CURLOPT_URL, url);
	if (ask->media_type)
		TRY(set_post(g, ask, why));
	return curl_multi_add_handle(f->multi, g->curl) == CURLM_OK ? OK : no_memory(why);
}

/* None of the done functions runs before this returns, but for failures. */
static void get_new(struct fetch_many *f, size_t server, const struct fetch_many_ask *ask, const struct get *like)
{
	struct get *g = f->gets_n < FETCH_MANY_UNDER_WAY_MAX ? mem_alloc(sizeof(*g)) : NULL;
	struct fetch_many_reply none = {.media_type = ""};
	struct why why = {0};

	if (!g) {
		(void)!WHY(&why, AGENT_CONNECT, "", "calls: want at most %d under way", FETCH_MANY_UNDER_WAY_MAX);
		get_tell(like, &none, &why);
		return;
	}
	*g = *like;
	g->many = f;
	g->server = &f->servers[server];
	g->body = BUF(f->config.body_max);
	g->next = f->gets;
	g->at = &f->gets;
	if (f->gets)
		f->gets->at = &g->next;
	f->gets = g;
	f->gets_n++;
	if (get_start(g, ask, &why) != OK)
		get_fail(g, &why);
}

void fetch_many_get(struct fetch_many *f, size_t server, const char *path, fetch_many_done done, void *arg)
{
	const struct fetch_many_ask ask = {.path = path};
	const struct get like = {.done = done, .arg = arg};

	get_new(f, server, &ask, &like);
}

void fetch_many_send(struct fetch_many *f, size_t server, const struct fetch_many_ask *ask, fetch_many_told told, void *arg)
{
	const struct get like = {.told = told, .arg = arg};

	get_new(f, server, ask, &like);
}

/* ---- its end */

static enum err explain(const struct get *g, CURLcode code, struct why *why)
{
	const struct why *server = &g->server->check.why;
	const char *host = g->server->check.host;

	if (g->body.bad)
		return WHY(why, AGENT_REPLY, "", "%s: body: want at most %zu octets, have more", host, g->body.max);
	if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR) {
		if (server->kind != OK)
			return WHY(why, AGENT_SERVER, server->clause, "%s: %s", host, server->text);
	}
	return WHY(why, AGENT_CONNECT, "", "%s: %s%s%s", host, curl_easy_strerror(code), g->error[0] ? ": " : "", g->error);
}

static void get_end(struct get *g, CURLcode code)
{
	const char *media_type = NULL;
	struct why why = {0};
	curl_off_t retry_after_s = 0;
	long status = 0;

	if (code != CURLE_OK) {
		(void)!explain(g, code, &why);
		get_fail(g, &why);
		return;
	}
	curl_easy_getinfo(g->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(g->curl, CURLINFO_CONTENT_TYPE, &media_type);
	curl_easy_getinfo(g->curl, CURLINFO_RETRY_AFTER, &retry_after_s);
	get_leave(g);
	const struct fetch_many_reply reply = {.status = (unsigned int)status,
		.media_type = media_type ? media_type : "",
		.retry_after_s = retry_after_s,
		.sent = true,
		.body = buf_span(&g->body)};
	get_tell(g, &reply, &why);
	get_free(g);
}

static void collect(struct fetch_many *f)
{
	const CURLMsg *msg;
	int left = 0;

	while ((msg = curl_multi_info_read(f->multi, &left))) {
		char *private = NULL;
		CURLcode code = msg->data.result;
		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private);
		get_end((struct get *)(void *)private, code);
	}
}

static void act(struct fetch_many *f, curl_socket_t fd, int ready)
{
	int running = 0;

	curl_multi_socket_action(f->multi, fd, ready, &running);
	collect(f);
}

void fetch_many_ready(struct fetch_many *f, int fd, int ready)
{
	act(f, fd, (ready & FETCH_MANY_READ ? CURL_CSELECT_IN : 0) | (ready & FETCH_MANY_WRITE ? CURL_CSELECT_OUT : 0));
}

void fetch_many_time(struct fetch_many *f)
{
	act(f, CURL_SOCKET_TIMEOUT, 0);
}

size_t fetch_many_under_way(const struct fetch_many *f)
{
	return f->gets_n;
}

static void server_fini(struct server *s)
{
	curl_slist_free_all(s->connect);
	curl_slist_free_all(s->resolve);
	buf_fini(&s->check.der);
}

void fetch_many_free(struct fetch_many *f)
{
	struct why why = {0};

	if (!f)
		return;
	(void)!WHY(&why, AGENT_CONNECT, "", "the HTTPS client ends");
	while (f->gets)
		get_fail(f->gets, &why);
	curl_multi_cleanup(f->multi);
	for (size_t i = 0; i < f->servers_n; i++)
		server_fini(&f->servers[i]);
	curl_slist_free_all(f->headers);
	anchors_free(f->anchors);
	buf_fini(&f->cert);
	buf_fini_wipe(&f->key);
	mem_free(f);
}
