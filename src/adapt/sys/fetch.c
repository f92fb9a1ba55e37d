#include "adapt/sys/fetch.h"

#include "base/mem.h"
#include "base/text.h"
#include "pki/chain.h"
#include "wire/uri.h"

#include <curl/curl.h>
#include <stdio.h>

struct fetch {
	CURL *curl;
	struct curl_slist *connect;
	char error[CURL_ERROR_SIZE];
};

void fetch_reply_fini(struct fetch_reply *r)
{
	buf_fini(&r->body);
	buf_fini(&r->certs_der);
}

static void set_blob(CURL *curl, CURLoption option, struct span bytes)
{
	/* libcurl copies; its field is not const */
	struct curl_blob blob = {(void *)(uintptr_t)bytes.p, bytes.n, CURL_BLOB_COPY};

	if (bytes.n)
		curl_easy_setopt(curl, option, &blob);
}

static void set_tls(CURL *curl, const struct fetch_config *config)
{
	curl_easy_setopt(curl, CURLOPT_SSLVERSION,
		(long)CURL_SSLVERSION_TLSv1_2 | (config->tls12_only ? (long)CURL_SSLVERSION_MAX_TLSv1_2 : 0L));
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(curl, CURLOPT_CERTINFO, 1L);
	/* RFC 7030 3.6.1: the explicit trust anchor database, never the system's */
	curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(curl, CURLOPT_CAINFO, NULL);
	set_blob(curl, CURLOPT_CAINFO_BLOB, config->anchors_pem);
	set_blob(curl, CURLOPT_SSLCERT_BLOB, config->cert_pem);
	set_blob(curl, CURLOPT_SSLKEY_BLOB, config->key_pem);
}

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
	struct buf *body = arg;

	buf_put(body, data, size * count);
	return body->bad ? 0 : size * count;
}

/* "::HOST:PORT": every connection of this handle goes there. */
static bool set_connect(struct fetch *f, const char *to)
{
	char line[512];

	if (!to)
		return true;
	int n = snprintf(line, sizeof(line), "::%s", to);
	f->connect = n > 0 && (size_t)n < sizeof(line) ? curl_slist_append(NULL, line) : NULL;
	curl_easy_setopt(f->curl, CURLOPT_CONNECT_TO, f->connect);
	return f->connect != NULL;
}

enum err fetch_new(const struct fetch_config *config, struct fetch **out, struct why *why)
{
	struct fetch *f = mem_alloc(sizeof(*f));

	if (!f || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(f->curl = curl_easy_init())
		|| !set_connect(f, config->connect)) {
		fetch_free(f);
		return WHY(why, NOMEM, "", "HTTPS client");
	}
	set_tls(f->curl, config);
	curl_easy_setopt(f->curl, CURLOPT_ERRORBUFFER, f->error);
	curl_easy_setopt(f->curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(f->curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(f->curl, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(f->curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(f->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(f->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(f->curl, CURLOPT_USERAGENT, "OpenMEF-enrolee/" OMEF_VERSION);
	curl_easy_setopt(f->curl, CURLOPT_TIMEOUT, (long)(config->timeout_s ? config->timeout_s : 60));
	*out = f;
	return OK;
}

void fetch_free(struct fetch *f)
{
	if (!f)
		return;
	curl_easy_cleanup(f->curl);
	curl_slist_free_all(f->connect);
	mem_free(f);
}

void fetch_cleanup(struct fetch **f)
{
	fetch_free(*f);
}

struct shown {
	struct fetch_reply *reply;
	size_t offsets[FETCH_CERTS_MAX + 1];
};

static enum err keep_cert(void *arg, struct span der, struct why *why)
{
	struct shown *s = arg;

	if (s->reply->certs_n == FETCH_CERTS_MAX)
		return OK;
	buf_put_span(&s->reply->certs_der, der);
	s->offsets[++s->reply->certs_n] = s->reply->certs_der.n;
	return buf_check(&s->reply->certs_der, "server certificates", why);
}

/* libcurl shows each certificate as "Cert:-----BEGIN..." among its decoded fields. */
static enum err take_certs(struct fetch *f, struct fetch_reply *out, struct why *why)
{
	struct curl_certinfo *info = NULL;
	struct shown s = {.reply = out};

	if (curl_easy_getinfo(f->curl, CURLINFO_CERTINFO, &info) != CURLE_OK || !info)
		return OK;
	for (int i = 0; i < info->num_of_certs; i++) {
		for (struct curl_slist *line = info->certinfo[i]; line; line = line->next) {
			if (strncmp(line->data, "Cert:", 5) == 0)
				TRY(cert_each_pem(span_text(line->data + 5), keep_cert, &s, why));
		}
	}
	for (size_t i = 0; i < out->certs_n; i++)
		out->certs[i] = span_of(out->certs_der.p + s.offsets[i], s.offsets[i + 1] - s.offsets[i]);
	return OK;
}

/* libcurl takes wildcards and common names; TS-0003 10.1.1 admits neither. */
static enum err check_host(const char *url, const struct fetch_reply *reply, struct why *why)
{
	struct uri uri = {0};
	struct cert leaf = {0};

	if (reply->certs_n == 0)
		return WHY(why, AGENT_CONNECT, "", "the server's certificate is not known");
	TRY(uri_parse(span_text(url), &uri, why));
	TRY(cert_parse(reply->certs[0], &leaf, why));
	return chain_check_host(&leaf, uri.host, why);
}

static struct curl_slist *make_headers(const char *media_type, const char *accept)
{
	char line[CALL_MEDIA_MAX + 64];
	struct curl_slist *list = NULL;

	snprintf(line, sizeof(line), "Accept: %s", accept ? accept : "*/*");
	list = curl_slist_append(list, line);
	if (media_type) {
		snprintf(line, sizeof(line), "Content-Type: %s", media_type);
		list = curl_slist_append(list, line);
		list = curl_slist_append(list, "Content-Transfer-Encoding: base64");
		list = curl_slist_append(list, "Expect:"); /* bodies are small: no extra round trip */
	}
	return list;
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
	out->retry_after_s = retry_after;
	if (!text_copy(out->media_type, sizeof(out->media_type), span_text(media_type ? media_type : "")))
		out->media_type[0] = '\0';
}

enum err fetch_call(struct fetch *f, enum call_method method, const char *url, const char *media_type,
	const char *accept, struct span body, struct fetch_reply *out, struct why *why)
{
	struct curl_slist *headers = make_headers(media_type, accept);

	*out = (struct fetch_reply){.body = BUF(FETCH_BODY_MAX), .certs_der = BUF(256 * 1024)};
	f->error[0] = '\0';
	curl_easy_setopt(f->curl, CURLOPT_URL, url);
	curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(f->curl, CURLOPT_WRITEDATA, &out->body);
	if (method == CALL_POST) {
		curl_easy_setopt(f->curl, CURLOPT_POSTFIELDSIZE, (long)body.n);
		curl_easy_setopt(f->curl, CURLOPT_COPYPOSTFIELDS, body.n ? (const char *)body.p : "");
	} else {
		curl_easy_setopt(f->curl, CURLOPT_HTTPGET, 1L);
	}
	CURLcode code = curl_easy_perform(f->curl);
	curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	if (code != CURLE_OK)
		return WHY(why, AGENT_CONNECT, "", "%s: %s%s%s", url, curl_easy_strerror(code), f->error[0] ? ": " : "",
			f->error);
	take_head(f, out);
	TRY(take_certs(f, out, why));
	return check_host(url, out, why);
}
