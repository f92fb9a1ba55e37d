#include "adapt/sys/fetch.h"

#include "adapt/sys/fetch_psk.h"
#include "adapt/sys/fetch_srp.h"

#include "base/mem.h"
#include "base/text.h"
#include "wire/uri.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>

enum { TIMEOUT_DEFAULT_S = 60, HEADER_SIZE = FETCH_ORIGIN_MAX + 64, CERTS_DER_MAX = FETCH_CERTS_MAX * CERT_DER_MAX };

struct fetch {
	CURL *curl;
	struct curl_slist *connect;
	struct anchors *anchors;
	struct fetch_server server;
	struct fetch_psk psk;
	struct fetch_srp srp;
	/* of the call under way */
	const struct fetch_ask *ask;
	struct fetch_reply *reply;
	struct why why; /* why our callbacks ended it */
	char error[CURL_ERROR_SIZE];
};

void fetch_reply_fini(struct fetch_reply *r)
{
	buf_fini_wipe(&r->body);
	for (size_t i = 0; i < FETCH_EXPORTS_MAX; i++)
		secret_wipe(&r->exported[i]);
}

static void set_blob(CURL *curl, CURLoption option, struct span bytes)
{
	/* libcurl copies; its field is not const */
	struct curl_blob blob = {(void *)(uintptr_t)bytes.p, bytes.n, CURL_BLOB_COPY};

	if (bytes.n)
		curl_easy_setopt(curl, option, &blob);
}

static CURLcode arm(CURL *curl, void *ssl_ctx, void *arg)
{
	struct fetch *f = arg;

	if (f->server.psk)
		return fetch_psk_arm(ssl_ctx, &f->server, &f->why) == OK ? CURLE_OK : CURLE_ABORTED_BY_CALLBACK;
	if (f->server.srp)
		return fetch_srp_arm(ssl_ctx, &f->server, &f->why) == OK ? CURLE_OK : CURLE_ABORTED_BY_CALLBACK;
	fetch_server_arm(ssl_ctx, &f->server);
	return CURLE_OK;
}

/* With a shared key or password there is no certificate to check, and our callback refuses any. */
static void set_peer_check(struct fetch *f)
{
	bool certificates = !f->server.psk && !f->server.srp;
	bool named = certificates && !f->server.provisional;

	curl_easy_setopt(f->curl, CURLOPT_SSL_VERIFYPEER, certificates ? 1L : 0L);
	curl_easy_setopt(f->curl, CURLOPT_SSL_VERIFYHOST, named ? 2L : 0L);
}

/* ERR_UNSUPPORTED where libcurl uses another TLS library: then nobody would check the server as we do. */
static enum err set_tls(struct fetch *f, const struct fetch_config *config, struct why *why)
{
	CURL *curl = f->curl;
	bool tls12_only = config->tls12_only || f->server.srp; /* RFC 8446 has no SRP */

	curl_easy_setopt(curl, CURLOPT_SSLVERSION,
		(long)CURL_SSLVERSION_TLSv1_2 | (tls12_only ? (long)CURL_SSLVERSION_MAX_TLSv1_2 : 0L));
	set_peer_check(f);
	/* A resumed session would show no chain. */
	curl_easy_setopt(curl, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	/* RFC 7030 3.6.1: the explicit trust anchor database, never the system's */
	curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(curl, CURLOPT_CAINFO, NULL);
	set_blob(curl, CURLOPT_SSLCERT_BLOB, config->cert_pem);
	set_blob(curl, CURLOPT_SSLKEY_BLOB, config->key_pem);
	if (curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, arm) != CURLE_OK
		|| curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, f) != CURLE_OK)
		return WHY(why, AGENT_LIBRARY, "", "libcurl: want one that uses OpenSSL, have %s", curl_version());
	return OK;
}

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
	struct buf *body = arg;

	buf_put(body, data, size * count);
	return body->bad ? 0 : size * count;
}

/* The session of the call is at hand only while its answer arrives. */
static size_t take_header(char *data, size_t size, size_t count, void *arg)
{
	struct fetch *f = arg;
	const struct curl_tlssessioninfo *session = NULL;

	bool exports = f->ask->labels_n && f->reply->exported[0].n == 0;
	bool bindings = f->ask->bindings && f->reply->unique_n + f->reply->exporter_n == 0;
	if (!exports && !bindings)
		return size * count;
	if (curl_easy_getinfo(f->curl, CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK || !session || !session->internals) {
		(void)WHY(&f->why, AGENT_LIBRARY, "", "libcurl: want the TLS session of a call");
		return 0;
	}
	enum err err = OK;
	if (exports)
		err = fetch_psk_export(session->internals, f->ask->labels, f->ask->labels_n, f->reply->exported, &f->why);
	if (err == OK && bindings)
		err = fetch_bindings(session->internals, f->reply, &f->why);
	return err == OK ? size * count : 0;
}

static void set_http(struct fetch *f, const struct fetch_config *config)
{
	CURL *curl = f->curl;

	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, f->error);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, f);
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* nor one from the environment */
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "OpenMEF-enrolee/" OMEF_VERSION);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)(config->timeout_s ? config->timeout_s : TIMEOUT_DEFAULT_S));
}

/* "::HOST:PORT": every connection of this handle goes there. */
static enum err set_connect(struct fetch *f, const char *to, struct why *why)
{
	char line[FETCH_HOST_SIZE + 16];

	if (!to)
		return OK;
	int n = snprintf(line, sizeof(line), "::%s", to);
	if (n < 0 || (size_t)n >= sizeof(line))
		return WHY(why, AGENT_URI, "", "address to connect to: want less than %d characters", FETCH_HOST_SIZE);
	f->connect = curl_slist_append(NULL, line);
	if (!f->connect)
		return WHY(why, NOMEM, "", "HTTPS client");
	curl_easy_setopt(f->curl, CURLOPT_CONNECT_TO, f->connect);
	return OK;
}

static enum err set_psk(struct fetch *f, const struct fetch_config *config, struct why *why)
{
	size_t n = strlen(config->psk_identity);

	if (n == 0 || !text_copy(f->psk.identity, sizeof(f->psk.identity), span_text(config->psk_identity)))
		return WHY(why, AGENT_PSK_USE, "RFC 4279 5.3", "psk_identity: want 1 to %d octets, have %zu", FETCH_IDENTITY_SIZE - 1, n);
	if (config->psk.n == 0)
		return WHY(why, AGENT_PSK_USE, "RFC 4279 5.3", "psk: want 1 to %d octets, have none", SECRET_MAX);
	f->psk.key = config->psk;
	f->server.psk = &f->psk;
	return OK;
}

static enum err set_srp(struct fetch *f, const struct fetch_config *config, struct why *why)
{
	if (config->psk_identity || config->cert_pem.n || config->key_pem.n)
		return WHY(why, BUG, "RFC 5054 2.7", "a password stands alone");
	TRY(fetch_srp_take(&f->srp, config->srp_user, config->srp_password, why));
	f->server.srp = &f->srp;
	return OK;
}

/* One way in which server and device know each other. */
static enum err set_credential(struct fetch *f, const struct fetch_config *config, struct why *why)
{
	if (config->srp_user)
		return set_srp(f, config, why);
	if (config->psk_identity)
		return set_psk(f, config, why);
	return config->provisional ? OK : anchors_parse_pem(config->anchors_pem, &f->anchors, why);
}

static enum err set_up(struct fetch *f, const struct fetch_config *config, struct why *why)
{
	/* Answers hold keys, and libcurl overwrites nothing that it frees. */
	if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, mem_alloc, mem_free_wiped, mem_resize_wiped, mem_text, mem_array) != CURLE_OK
		|| !(f->curl = curl_easy_init()))
		return WHY(why, NOMEM, "", "HTTPS client");
	f->server = (struct fetch_server){.clock = config->clock, .der = BUF(CERTS_DER_MAX)};
	f->server.provisional = config->provisional;
	if (config->provisional && (config->psk_identity || config->srp_user || config->cert_pem.n || config->key_pem.n))
		return WHY(why, BUG, "", "a provisional connection shows no credential");
	TRY(set_credential(f, config, why));
	f->server.anchors = f->anchors;
	TRY(set_tls(f, config, why));
	set_http(f, config);
	return set_connect(f, config->connect, why);
}

enum err fetch_new(const struct fetch_config *config, struct fetch **out, struct why *why)
{
	OWNED_FETCH struct fetch *f = mem_alloc(sizeof(*f));

	if (!f)
		return WHY(why, NOMEM, "", "HTTPS client");
	TRY(set_up(f, config, why));
	*out = f;
	f = NULL;
	return OK;
}

void fetch_free(struct fetch *f)
{
	if (!f)
		return;
	curl_easy_cleanup(f->curl);
	curl_slist_free_all(f->connect);
	anchors_free(f->anchors);
	buf_fini(&f->server.der);
	secret_wipe(&f->psk.key);
	fetch_srp_wipe(&f->srp);
	mem_free(f);
}

void fetch_cleanup(struct fetch **f)
{
	fetch_free(*f);
}

static void put_header(struct curl_slist **list, bool *good, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	*good = *good && longer;
	*list = longer ? longer : *list;
}

static bool make_headers(const struct fetch_ask *ask, struct curl_slist **list)
{
	char line[HEADER_SIZE];
	bool good = true;

	snprintf(line, sizeof(line), "Accept: %s", ask->accept ? ask->accept : "*/*");
	put_header(list, &good, line);
	if (ask->origin) {
		snprintf(line, sizeof(line), "X-M2M-Origin: %s", ask->origin);
		put_header(list, &good, line);
	}
	if (!ask->media_type)
		return good;
	snprintf(line, sizeof(line), "Content-Type: %s", ask->media_type);
	put_header(list, &good, line);
	if (ask->base64)
		put_header(list, &good, "Content-Transfer-Encoding: base64");
	return good;
}

/* What stands in a header must not end it. */
static enum err check_origin(const char *origin, struct why *why)
{
	struct span s = span_text(origin);

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
			return WHY(why, AGENT_URI, "TS-0009 6.4.1", "X-M2M-Origin: want visible ASCII, octet %zu is 0x%02x", i + 1, s.p[i]);
	}
	return s.n <= FETCH_ORIGIN_MAX
		? OK : WHY(why, AGENT_URI, "", "X-M2M-Origin: want at most %d octets, have %zu", FETCH_ORIGIN_MAX, s.n);
}

static void take_head(struct fetch *f, struct fetch_reply *out)
{
	long status = 0;
	const char *media_type = NULL;
	char *location = NULL;
	curl_off_t retry_after = 0;

	curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(f->curl, CURLINFO_CONTENT_TYPE, &media_type);
	curl_easy_getinfo(f->curl, CURLINFO_RETRY_AFTER, &retry_after);
	curl_easy_getinfo(f->curl, CURLINFO_REDIRECT_URL, &location);
	out->status = (unsigned int)status;
	out->retry_after_s = retry_after > 0 ? retry_after : 0; /* a date in the past comes out negative */
	if (!text_copy(out->media_type, sizeof(out->media_type), span_text(media_type ? media_type : "")))
		out->media_type[0] = '\0';
	if (!text_copy(out->location, sizeof(out->location), span_text(location ? location : "")))
		out->location[0] = '\0';
	out->certs = f->server.certs;
	out->certs_n = f->server.certs_n;
}

/* On TLS 1.3 the server judges our certificate behind the handshake: its alert comes with the first read. */
static bool is_refusal(const struct fetch *f, CURLcode code)
{
	static const char *const by_certificate[] = {"alert certificate", "alert bad certificate",
		"alert unsupported certificate", "alert unknown ca", "alert access denied", NULL};
	/* RFC 4279 2: which of them comes tells nothing more */
	static const char *const by_key[] = {"alert bad record mac", "alert decrypt error", "unknown psk identity",
		"alert illegal parameter", "alert handshake failure", "alert access denied", NULL};
	const char *const *alerts = f->server.psk ? by_key : by_certificate;

	if (code != CURLE_SSL_CONNECT_ERROR && code != CURLE_RECV_ERROR && code != CURLE_SEND_ERROR)
		return false;
	for (size_t i = 0; alerts[i]; i++) {
		if (strstr(f->error, alerts[i]))
			return true;
	}
	return false;
}

static enum err explain_refusal(const struct fetch *f, struct why *why)
{
	if (f->server.psk)
		return WHY(why, AGENT_PSK, "RFC 4279 2", "%s: key '%s': %s", f->server.host, f->psk.identity, f->error);
	return WHY(why, AGENT_CLIENT, "RFC 7030 3.3.2", "%s: %s", f->server.host, f->error);
}

static enum err explain(struct fetch *f, const char *url, CURLcode code, const struct fetch_reply *reply,
	struct why *why)
{
	const struct why *server = &f->server.why;
	const struct code_page *page = code_find((int)server->code);

	if (f->why.kind != OK) {
		*why = f->why;
		return why->kind;
	}
	if (server->code == CODE_AGENT_PSK_SERVER)
		return WHY(why, AGENT_PSK_SERVER, server->clause, "%s: %s", f->server.host, server->text);
	if (server->kind != OK)
		return WHY(why, AGENT_SERVER, server->clause, "%s: %s: %s", f->server.host, page ? page->title : "",
			server->text);
	/* RFC 6066 3: a server under another name ends the handshake before it shows a certificate */
	if (strstr(f->error, "unrecognized name"))
		return WHY(why, AGENT_SERVER, "RFC 6066 3", "%s: the server does not serve this name", f->server.host);
	if (f->server.srp && code == CURLE_SSL_CONNECT_ERROR)
		TRY(fetch_srp_explain(&f->server, f->error, why));
	if (reply->body.bad)
		return WHY(why, AGENT_REPLY, "", "%s: body: want at most %d octets, have more", url, FETCH_BODY_MAX);
	if (is_refusal(f, code))
		return explain_refusal(f, why);
	return WHY(why, AGENT_CONNECT, "", "%s: %s%s%s", url, curl_easy_strerror(code), f->error[0] ? ": " : "",
		f->error);
}

static enum err set_host(struct fetch *f, const char *url, struct why *why)
{
	struct uri uri = {0};

	TRY(uri_parse(span_text(url), &uri, why));
	if (!text_copy(f->server.host, sizeof(f->server.host), uri.host))
		return WHY(why, AGENT_URI, "RFC 1035 2.3.4", "host: want less than %d characters", FETCH_HOST_SIZE);
	return OK;
}

static void set_body(struct fetch *f, const struct fetch_ask *ask)
{
	const char *verb = ask->method == CALL_PUT ? "PUT" : ask->method == CALL_DELETE ? "DELETE" : NULL;

	if (ask->method == CALL_POST || ask->method == CALL_PUT) {
		curl_easy_setopt(f->curl, CURLOPT_POSTFIELDSIZE, (long)ask->body.n);
		/* borrowed for the call: a copy of what may be a secret would not be wiped */
		curl_easy_setopt(f->curl, CURLOPT_POSTFIELDS, ask->body.n ? (const char *)ask->body.p : "");
	} else {
		curl_easy_setopt(f->curl, CURLOPT_HTTPGET, 1L);
	}
	curl_easy_setopt(f->curl, CURLOPT_CUSTOMREQUEST, verb);
}

static void begin_call(struct fetch *f, const struct fetch_ask *ask, struct fetch_reply *out)
{
	f->error[0] = '\0';
	f->why = f->server.why = (struct why){0};
	f->ask = ask;
	f->reply = out;
	set_body(f, ask);
	curl_easy_setopt(f->curl, CURLOPT_URL, ask->url);
	curl_easy_setopt(f->curl, CURLOPT_WRITEDATA, &out->body);
}

static CURLcode perform(struct fetch *f, const struct fetch_ask *ask)
{
	struct curl_slist *headers = NULL;
	CURLcode code = CURLE_OUT_OF_MEMORY;

	if (make_headers(ask, &headers)) {
		curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, headers);
		code = curl_easy_perform(f->curl);
	}
	curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	return code;
}

enum err fetch_send(struct fetch *f, const struct fetch_ask *ask, struct fetch_reply *out, struct why *why)
{
	*out = (struct fetch_reply){.body = BUF(FETCH_BODY_MAX)};
	TRY(set_host(f, ask->url, why));
	if (ask->origin)
		TRY(check_origin(ask->origin, why));
	assert(ask->labels_n <= FETCH_EXPORTS_MAX);
	begin_call(f, ask, out);
	CURLcode code = perform(f, ask);
	if (code != CURLE_OK)
		return explain(f, ask->url, code, out, why);
	take_head(f, out);
	return OK;
}

enum err fetch_call(struct fetch *f, enum call_method method, const char *url, const char *media_type,
	const char *accept, struct span body, struct fetch_reply *out, struct why *why)
{
	const struct fetch_ask ask = {
		.method = method, .url = url, .media_type = media_type, .accept = accept, .body = body, .base64 = true};

	return fetch_send(f, &ask, out, why);
}
