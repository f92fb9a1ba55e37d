#include "adapt/sys/fetch_server.h"

#include "base/mem.h"
#include "base/text.h"
#include "wire/uri.h"

#include <curl/curl.h>
#include <stdio.h>

enum { TIMEOUT_DEFAULT_S = 60, HEADER_SIZE = CALL_MEDIA_MAX + 64, CERTS_DER_MAX = FETCH_CERTS_MAX * CERT_DER_MAX };

struct fetch {
	CURL *curl;
	struct curl_slist *connect;
	struct anchors *anchors;
	struct fetch_server server;
	char error[CURL_ERROR_SIZE];
};

void fetch_reply_fini(struct fetch_reply *r)
{
	buf_fini(&r->body);
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
	fetch_server_arm(ssl_ctx, arg);
	return CURLE_OK;
}

/* ERR_UNSUPPORTED where libcurl uses another TLS library: then nobody would check the server as we do. */
static enum err set_tls(struct fetch *f, const struct fetch_config *config, struct why *why)
{
	CURL *curl = f->curl;

	curl_easy_setopt(curl, CURLOPT_SSLVERSION,
		(long)CURL_SSLVERSION_TLSv1_2 | (config->tls12_only ? (long)CURL_SSLVERSION_MAX_TLSv1_2 : 0L));
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
	/* A resumed session would show no chain. */
	curl_easy_setopt(curl, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	/* RFC 7030 3.6.1: the explicit trust anchor database, never the system's */
	curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(curl, CURLOPT_CAINFO, NULL);
	set_blob(curl, CURLOPT_SSLCERT_BLOB, config->cert_pem);
	set_blob(curl, CURLOPT_SSLKEY_BLOB, config->key_pem);
	if (curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, arm) != CURLE_OK
		|| curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, &f->server) != CURLE_OK)
		return WHY(why, AGENT_LIBRARY, "", "libcurl: want one that uses OpenSSL, have %s", curl_version());
	return OK;
}

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
	struct buf *body = arg;

	buf_put(body, data, size * count);
	return body->bad ? 0 : size * count;
}

static void set_http(struct fetch *f, const struct fetch_config *config)
{
	CURL *curl = f->curl;

	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, f->error);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
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

static enum err set_up(struct fetch *f, const struct fetch_config *config, struct why *why)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(f->curl = curl_easy_init()))
		return WHY(why, NOMEM, "", "HTTPS client");
	TRY(anchors_parse_pem(config->anchors_pem, &f->anchors, why));
	f->server = (struct fetch_server){.anchors = f->anchors, .clock = config->clock, .der = BUF(CERTS_DER_MAX)};
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

static bool make_headers(const char *media_type, const char *accept, struct curl_slist **list)
{
	char line[HEADER_SIZE];
	bool good = true;

	snprintf(line, sizeof(line), "Accept: %s", accept ? accept : "*/*");
	put_header(list, &good, line);
	if (!media_type)
		return good;
	snprintf(line, sizeof(line), "Content-Type: %s", media_type);
	put_header(list, &good, line);
	put_header(list, &good, "Content-Transfer-Encoding: base64");
	return good;
}

static void take_head(struct fetch *f, struct fetch_reply *out)
{
	long status = 0;
	const char *media_type = NULL;
	curl_off_t retry_after = 0;

	curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(f->curl, CURLINFO_CONTENT_TYPE, &media_type);
	curl_easy_getinfo(f->curl, CURLINFO_RETRY_AFTER, &retry_after);
	out->status = (unsigned int)status;
	out->retry_after_s = retry_after > 0 ? retry_after : 0; /* a date in the past comes out negative */
	if (!text_copy(out->media_type, sizeof(out->media_type), span_text(media_type ? media_type : "")))
		out->media_type[0] = '\0';
	out->certs = f->server.certs;
	out->certs_n = f->server.certs_n;
}

/* On TLS 1.3 the server judges our certificate behind the handshake: its alert comes with the first read. */
static bool is_refusal(const struct fetch *f, CURLcode code)
{
	static const char *const alerts[] = {"alert certificate", "alert bad certificate", "alert unsupported certificate",
		"alert unknown ca", "alert access denied"};

	if (code != CURLE_SSL_CONNECT_ERROR && code != CURLE_RECV_ERROR && code != CURLE_SEND_ERROR)
		return false;
	for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++) {
		if (strstr(f->error, alerts[i]))
			return true;
	}
	return false;
}

static enum err explain(struct fetch *f, const char *url, CURLcode code, const struct fetch_reply *reply,
	struct why *why)
{
	const struct why *server = &f->server.why;
	const struct code_page *page = code_find((int)server->code);

	if (server->kind != OK)
		return WHY(why, AGENT_SERVER, server->clause, "%s: %s: %s", f->server.host, page ? page->title : "",
			server->text);
	/* RFC 6066 3: a server under another name ends the handshake before it shows a certificate */
	if (strstr(f->error, "unrecognized name"))
		return WHY(why, AGENT_SERVER, "RFC 6066 3", "%s: the server does not serve this name", f->server.host);
	if (reply->body.bad)
		return WHY(why, AGENT_REPLY, "", "%s: body: want at most %d octets, have more", url, FETCH_BODY_MAX);
	if (is_refusal(f, code))
		return WHY(why, AGENT_CLIENT, "RFC 7030 3.3.2", "%s: %s", f->server.host, f->error);
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

static void set_body(struct fetch *f, enum call_method method, struct span body)
{
	if (method == CALL_POST) {
		curl_easy_setopt(f->curl, CURLOPT_POSTFIELDSIZE, (long)body.n);
		curl_easy_setopt(f->curl, CURLOPT_COPYPOSTFIELDS, body.n ? (const char *)body.p : "");
	} else {
		curl_easy_setopt(f->curl, CURLOPT_HTTPGET, 1L);
	}
}

enum err fetch_call(struct fetch *f, enum call_method method, const char *url, const char *media_type,
	const char *accept, struct span body, struct fetch_reply *out, struct why *why)
{
	struct curl_slist *headers = NULL;
	CURLcode code = CURLE_OUT_OF_MEMORY;

	*out = (struct fetch_reply){.body = BUF(FETCH_BODY_MAX)};
	TRY(set_host(f, url, why));
	f->error[0] = '\0';
	f->server.why = (struct why){0};
	set_body(f, method, body);
	curl_easy_setopt(f->curl, CURLOPT_URL, url);
	curl_easy_setopt(f->curl, CURLOPT_WRITEDATA, &out->body);
	if (make_headers(media_type, accept, &headers)) {
		curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, headers);
		code = curl_easy_perform(f->curl);
	}
	curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	if (code != CURLE_OK)
		return explain(f, url, code, out, why);
	take_head(f, out);
	return OK;
}
