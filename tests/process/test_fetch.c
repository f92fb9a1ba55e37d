/* The device's HTTPS calls against a TLS server of its own process. */
#include "https_server.h"

#define HOST "mef.example.com"
#define URL "https://" HOST

struct world {
	struct made root, inner, web, leaf, device;
	struct buf anchors_pem, device_pem, device_key;
	int64_t now_s;
};

static int64_t world_unix_s(void *self)
{
	return ((struct world *)self)->now_s;
}

static void server_leaf(struct world *w, struct made *m, const char *cn, const char *dns, const struct made *by)
{
	struct buf sans OWNED_BUF = BUF(NAME_DER_MAX);
	struct cert_plan plan = made_plan(m, KEY_P256, cn);

	if (dns)
		made_dns(&sans, dns);
	plan.sans = buf_span(&sans);
	plan.key_usage = KU_DIGITAL_SIGNATURE;
	plan.not_before_s = w->now_s - DAY_S;
	plan.not_after_s = w->now_s + DAY_S;
	made_sign(m, &plan, by);
}

static int setup(void **state)
{
	struct world *w = mem_alloc(sizeof(*w));
	struct why why = {0};

	assert_non_null(w);
	w->now_s = made_now_s;
	w->anchors_pem = w->device_pem = w->device_key = BUF(64 * 1024);
	made_ca(&w->root, KEY_P256, "MEF Root", NULL);
	made_ca(&w->inner, KEY_P256, "MEF Issuing CA", &w->root);
	made_ca(&w->web, KEY_P256, "Web CA", NULL);
	server_leaf(w, &w->leaf, "mef", HOST, &w->inner);
	server_leaf(w, &w->device, "device 4711", NULL, &w->inner);
	must(cert_write_pem(buf_span(&w->root.der), &w->anchors_pem, &why));
	must(cert_write_pem(buf_span(&w->device.der), &w->device_pem, &why));
	must(cert_write_pem(buf_span(&w->inner.der), &w->device_pem, &why));
	must(key_write_pem(w->device.key, (struct span){NULL, 0}, &w->device_key, &why));
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	made_fini(&w->root);
	made_fini(&w->inner);
	made_fini(&w->web);
	made_fini(&w->leaf);
	made_fini(&w->device);
	buf_fini(&w->anchors_pem);
	buf_fini(&w->device_pem);
	buf_fini(&w->device_key);
	mem_free(w);
	return 0;
}

static struct fetch *client(struct world *w, const struct server *s)
{
	struct fetch *f = NULL;
	struct why why = {0};
	const struct fetch_config config = {.anchors_pem = buf_span(&w->anchors_pem), .cert_pem = buf_span(&w->device_pem),
		.key_pem = buf_span(&w->device_key), .connect = s->address, .timeout_s = 20,
		.clock = {.self = w, .unix_s = world_unix_s}};

	must(fetch_new(&config, &f, &why));
	return f;
}

static enum err get(struct fetch *f, const char *url, struct fetch_reply *out, struct why *why)
{
	fetch_reply_fini(out);
	*why = (struct why){0};
	return fetch_call(f, CALL_GET, url, NULL, "application/pkcs7-mime", (struct span){NULL, 0}, out, why);
}

static void must_get(struct fetch *f, const char *url, struct fetch_reply *out)
{
	struct why why = {0};

	if (get(f, url, out, &why) != OK)
		fail_msg("%s: %s", url, why.text);
}

/* A GET that fails so; no request reached the server. */
static void expect_refused(struct world *w, const struct server_plan *plan, enum code code, const char *text)
{
	struct server s OWNED_SERVER = server_start(plan);
	struct fetch *f OWNED_FETCH = client(w, &s);
	struct fetch_reply reply OWNED_REPLY = {0};
	struct why why = {0};

	assert_int_not_equal(get(f, URL "/echo", &reply, &why), OK);
	if (why.code != code || !strstr(why.text, text))
		fail_msg("want %d '%s', have %d '%s'", (int)code, text, (int)why.code, why.text);
	assert_non_null(strstr(why.text, HOST));
	assert_null(strstr(why.text, "PRIVATE"));
	assert_int_equal(s.counts->requests, 0);
}

static struct server_plan good_plan(const struct world *w)
{
	return (struct server_plan){.chain = {&w->leaf, &w->inner}};
}

static void expect_leaf_refused(struct world *w, const struct made *leaf, const char *text)
{
	struct server_plan plan = good_plan(w);

	plan.chain[0] = leaf;
	expect_refused(w, &plan, CODE_AGENT_SERVER, text);
}

static void both_versions_of_tls_work_and_show_the_client_certificate(void **state)
{
	struct world *w = *state;
	struct server_plan plan = good_plan(w);
	static const struct {
		long max;
		const char *name;
	} rows[] = {{TLS1_2_VERSION, "TLSv1.2"}, {TLS1_3_VERSION, "TLSv1.3"}};

	for (size_t i = 0; i < 2; i++) {
		plan.version_max = rows[i].max;
		struct server s OWNED_SERVER = server_start(&plan);
		struct fetch *f OWNED_FETCH = client(w, &s);
		struct fetch_reply reply OWNED_REPLY = {0};
		char want[128];
		must_get(f, URL "/echo", &reply);
		assert_int_equal(reply.status, 200);
		assert_string_equal(reply.media_type, "text/plain");
		snprintf(want, sizeof(want), "%s sni=" HOST " client=device 4711 certs=2 suite=", rows[i].name);
		assert_memory_equal(buf_text(&reply.body), want, strlen(want));
		assert_int_equal(reply.certs_n, 2);
		assert_true(span_equal(reply.certs[0], buf_span(&w->leaf.der)));
		assert_true(span_equal(reply.certs[1], buf_span(&w->inner.der)));
	}
}

static void tls_1_2_only_is_obeyed(void **state)
{
	struct world *w = *state;
	struct server_plan plan = good_plan(w);
	struct server s OWNED_SERVER = server_start(&plan);
	struct fetch *f OWNED_FETCH = NULL;
	struct fetch_reply reply OWNED_REPLY = {0};
	struct why why = {0};
	const struct fetch_config config = {.anchors_pem = buf_span(&w->anchors_pem), .connect = s.address,
		.clock = {.self = w, .unix_s = world_unix_s}, .tls12_only = true};

	must(fetch_new(&config, &f, &why));
	must_get(f, URL "/echo", &reply);
	assert_non_null(strstr(buf_text(&reply.body), "TLSv1.2 sni=" HOST " client=none"));
}

/* RFC 7030 3.6.1: the explicit trust anchor database only */
static void an_unknown_anchor_is_refused(void **state)
{
	struct world *w = *state;
	struct made foreign OWNED_MADE = {0};
	struct server_plan plan = {.chain = {&foreign, &w->web}};

	server_leaf(w, &foreign, "mef", HOST, &w->web);
	expect_refused(w, &plan, CODE_AGENT_SERVER, "no trust anchor signs it");
}

static void a_missing_intermediate_is_refused(void **state)
{
	struct world *w = *state;
	struct server_plan plan = {.chain = {&w->leaf}};

	expect_refused(w, &plan, CODE_AGENT_SERVER, "no trust anchor signs it");
}

/* RFC 9525 6.3, TS-0003 10.1.1: the exact name in the subjectAltName, nothing else */
static void a_certificate_for_another_host_is_refused(void **state)
{
	struct world *w = *state;
	struct made other OWNED_MADE = {0};
	struct made wildcard OWNED_MADE = {0};
	struct made cn_only OWNED_MADE = {0};

	server_leaf(w, &other, "other", "other.example.com", &w->inner);
	expect_leaf_refused(w, &other, "have 'other.example.com'");
	server_leaf(w, &wildcard, HOST, "*.example.com", &w->inner);
	expect_leaf_refused(w, &wildcard, "wildcards are not accepted");
	server_leaf(w, &cn_only, HOST, NULL, &w->inner);
	expect_leaf_refused(w, &cn_only, "without any dNSName");
}

/* RFC 5280 4.2.1.12 */
static void a_certificate_for_clients_only_is_refused(void **state)
{
	struct world *w = *state;
	struct made m OWNED_MADE = {0};
	struct buf sans OWNED_BUF = BUF(NAME_DER_MAX);
	struct cert_plan plan = made_plan(&m, KEY_P256, "mef");

	made_dns(&sans, HOST);
	plan.sans = buf_span(&sans);
	plan.ekus[plan.ekus_n++] = span_of("\x2b\x06\x01\x05\x05\x07\x03\x02", 8);
	made_sign(&m, &plan, &w->inner);
	expect_leaf_refused(w, &m, "not made for this use");
}

/* The reason holds the certificate's date and the device's own clock, so that a person sees which is wrong. */
static void a_wrong_clock_is_told_with_both_dates(void **state)
{
	struct world *w = *state;
	struct server_plan plan = good_plan(w);

	w->now_s = made_now_s + 2 * DAY_S;
	expect_refused(w, &plan, CODE_AGENT_SERVER, "valid until 2026-01-02T00:00:00Z, now is 2026-01-03T00:00:00Z");
	w->now_s = 86400;
	expect_refused(w, &plan, CODE_AGENT_SERVER, "now is 1970-01-02T00:00:00Z");
}

static void a_chain_one_past_the_longest_is_refused(void **state)
{
	struct world *w = *state;
	struct server_plan plan = good_plan(w);
	size_t n = 2;

	while (n < FETCH_CERTS_MAX)
		plan.chain[n++] = &w->web;
	{
		struct server s OWNED_SERVER = server_start(&plan);
		struct fetch *f OWNED_FETCH = client(w, &s);
		struct fetch_reply reply OWNED_REPLY = {0};
		must_get(f, URL "/echo", &reply);
		assert_int_equal(reply.certs_n, FETCH_CERTS_MAX);
	}
	plan.chain[n] = &w->web;
	expect_refused(w, &plan, CODE_AGENT_SERVER, "have 10");
}

/* A challenge may be bound to the TLS session: all calls of a run share one connection. */
static void one_connection_serves_all_calls(void **state)
{
	struct world *w = *state;
	struct server_plan plan = good_plan(w);
	struct server s OWNED_SERVER = server_start(&plan);
	struct fetch *f OWNED_FETCH = client(w, &s);
	struct fetch_reply reply OWNED_REPLY = {0};

	for (int i = 0; i < 5; i++) {
		must_get(f, i == 2 ? URL "/later" : URL "/echo", &reply);
		assert_int_equal(reply.certs_n, 2); /* also where no handshake took place */
	}
	assert_int_equal(s.counts->connections, 1);
	must_get(f, URL "/close", &reply);
	must_get(f, URL "/echo", &reply);
	assert_int_equal(s.counts->connections, 2);
	assert_true(span_equal(reply.certs[0], buf_span(&w->leaf.der)));
}

/* The certificate of a second connection is judged as strictly as that of the first, before anything is sent. */
static void a_second_connection_is_checked_again(void **state)
{
	struct world *w = *state;
	struct made wildcard OWNED_MADE = {0};
	struct server_plan plan = good_plan(w);

	server_leaf(w, &wildcard, HOST, "*.example.com", &w->inner);
	plan.later = &wildcard;
	struct server s OWNED_SERVER = server_start(&plan);
	struct fetch *f OWNED_FETCH = client(w, &s);
	struct fetch_reply reply OWNED_REPLY = {0};
	struct why why = {0};
	must_get(f, URL "/close", &reply);
	fetch_reply_fini(&reply);
	assert_int_equal(fetch_call(f, CALL_POST, URL "/echo", "application/pkcs10", NULL, span_text("request"), &reply, &why),
		ERR_FORBIDDEN);
	assert_int_equal(why.code, CODE_AGENT_SERVER);
	assert_int_equal(s.counts->connections, 2);
	assert_int_equal(s.counts->requests, 1);
}

static void a_body_one_past_the_bound_is_refused(void **state)
{
	struct world *w = *state;
	struct server_plan plan = good_plan(w);
	struct server s OWNED_SERVER = server_start(&plan);
	struct fetch *f OWNED_FETCH = client(w, &s);
	struct fetch_reply reply OWNED_REPLY = {0};
	struct why why = {0};

	must_get(f, URL "/fits", &reply);
	assert_int_equal(reply.body.n, FETCH_BODY_MAX);
	assert_int_equal(get(f, URL "/big", &reply, &why), ERR_SYNTAX);
	assert_int_equal(why.code, CODE_AGENT_REPLY);
	assert_non_null(strstr(why.text, "want at most 1048576 octets"));
	must_get(f, URL "/echo", &reply);
}

/* RFC 7030 3.2.1: where a redirect leads is told; whether to follow is the agent's to decide */
static void redirects_and_logins_are_answers_like_others(void **state)
{
	struct world *w = *state;
	struct server_plan plan = good_plan(w);
	struct server s OWNED_SERVER = server_start(&plan);
	struct fetch *f OWNED_FETCH = client(w, &s);
	struct fetch_reply reply OWNED_REPLY = {0};

	must_get(f, URL "/redirect", &reply);
	assert_int_equal(reply.status, 302);
	assert_string_equal(reply.location, URL "/echo");
	must_get(f, URL "/login", &reply);
	assert_int_equal(reply.status, 401);
	assert_int_equal(s.counts->requests, 2);
}

static void retry_after_is_read_as_seconds(void **state)
{
	struct world *w = *state;
	struct server_plan plan = good_plan(w);
	struct server s OWNED_SERVER = server_start(&plan);
	struct fetch *f OWNED_FETCH = client(w, &s);
	struct fetch_reply reply OWNED_REPLY = {0};

	must_get(f, URL "/later", &reply);
	assert_int_equal(reply.status, 202);
	assert_int_equal(reply.retry_after_s, 123);
	must_get(f, URL "/past", &reply);
	assert_int_equal(reply.status, 503);
	assert_int_equal(reply.retry_after_s, 0);
	must_get(f, URL "/echo", &reply);
	assert_int_equal(reply.retry_after_s, 0);
}

/* Cut short it might look like another type. */
static void a_media_type_too_long_is_none(void **state)
{
	struct world *w = *state;
	struct server_plan plan = good_plan(w);
	struct server s OWNED_SERVER = server_start(&plan);
	struct fetch *f OWNED_FETCH = client(w, &s);
	struct fetch_reply reply OWNED_REPLY = {0};

	must_get(f, URL "/long-type", &reply);
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.media_type, "");
}

/* RFC 7030 4.2.1, RFC 8951 3: what a request carries */
static void a_post_carries_body_and_headers(void **state)
{
	struct world *w = *state;
	struct server_plan plan = good_plan(w);
	struct server s OWNED_SERVER = server_start(&plan);
	struct fetch *f OWNED_FETCH = client(w, &s);
	struct fetch_reply reply OWNED_REPLY = {0};
	struct why why = {0};
	static const char *const parts[] = {"POST /echo HTTP/1.1\r\n", "Content-Type: application/pkcs10\r\n",
		"Content-Transfer-Encoding: base64\r\n", "Accept: application/pkcs7-mime\r\n", "Content-Length: 8\r\n",
		"\r\n\r\nTUVGIQ=="};

	must(fetch_call(f, CALL_POST, URL "/echo", "application/pkcs10", "application/pkcs7-mime", span_text("TUVGIQ=="),
		&reply, &why));
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!strstr(buf_text(&reply.body), parts[i]))
			fail_msg("want %s in %s", parts[i], buf_text(&reply.body));
	}
	must_get(f, URL "/echo", &reply); /* and a GET behind it carries none of it */
	assert_non_null(strstr(buf_text(&reply.body), "GET /echo"));
	assert_null(strstr(buf_text(&reply.body), "Content-"));
}

static void proxies_of_the_environment_are_ignored(void **state)
{
	struct world *w = *state;
	struct server_plan plan = good_plan(w);
	struct server s OWNED_SERVER = server_start(&plan);
	static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};

	for (size_t i = 0; i < 4; i++)
		setenv(names[i], "http://127.0.0.1:1", 1);
	{
		struct fetch *f OWNED_FETCH = client(w, &s);
		struct fetch_reply reply OWNED_REPLY = {0};
		must_get(f, URL "/echo", &reply);
	}
	for (size_t i = 0; i < 4; i++)
		unsetenv(names[i]);
}

/* What the environment or the machine trusts is nothing to us. */
static void anchors_of_the_environment_are_ignored(void **state)
{
	struct world *w = *state;
	struct folder folder OWNED_FOLDER = folder_new();
	struct made foreign OWNED_MADE = {0};
	struct server_plan plan = {.chain = {&foreign, &w->web}};
	char path[128];

	server_leaf(w, &foreign, "mef", HOST, &w->web);
	folder_write_pem(&folder, "web.pem", buf_span(&w->web.der));
	snprintf(path, sizeof(path), "%s/web.pem", folder.path);
	setenv("SSL_CERT_FILE", path, 1);
	setenv("CURL_CA_BUNDLE", path, 1);
	expect_refused(w, &plan, CODE_AGENT_SERVER, "no trust anchor signs it");
	unsetenv("SSL_CERT_FILE");
	unsetenv("CURL_CA_BUNDLE");
}

static void a_refused_client_certificate_is_told_apart(void **state)
{
	struct world *w = *state;
	struct server_plan plan = good_plan(w);
	static const long versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	plan.refuses_clients = true;
	for (size_t i = 0; i < 2; i++) {
		plan.version_max = versions[i];
		expect_refused(w, &plan, CODE_AGENT_CLIENT, "certificate revoked");
	}
}

static void other_schemes_are_refused(void **state)
{
	struct world *w = *state;
	struct server_plan plan = good_plan(w);
	struct server s OWNED_SERVER = server_start(&plan);
	struct fetch *f OWNED_FETCH = client(w, &s);
	struct fetch_reply reply OWNED_REPLY = {0};
	struct why why = {0};

	assert_int_equal(get(f, "http://" HOST "/echo", &reply, &why), ERR_SYSTEM);
	assert_int_equal(s.counts->connections, 0);
}

static void silence_noise_and_nobody_are_told_as_unreachable(void **state)
{
	struct world *w = *state;
	struct server_plan plan = {.plain = true};
	struct server_plan quiet = good_plan(w);
	struct fetch_reply reply OWNED_REPLY = {0};
	struct why why = {0};

	expect_refused(w, &plan, CODE_AGENT_CONNECT, URL "/echo");
	{
		struct server gone = server_start(&plan);
		struct fetch *f OWNED_FETCH = client(w, &gone);
		server_stop(&gone);
		assert_int_equal(get(f, URL "/echo", &reply, &why), ERR_SYSTEM);
		assert_int_equal(why.code, CODE_AGENT_CONNECT);
	}
	struct server s OWNED_SERVER = server_start(&quiet);
	const struct fetch_config config = {.anchors_pem = buf_span(&w->anchors_pem), .connect = s.address, .timeout_s = 1,
		.clock = {.self = w, .unix_s = world_unix_s}};
	struct fetch *f OWNED_FETCH = NULL;
	why_clear(&why);
	must(fetch_new(&config, &f, &why));
	assert_int_equal(get(f, URL "/silent", &reply, &why), ERR_SYSTEM);
	assert_int_equal(why.code, CODE_AGENT_CONNECT);
	assert_non_null(strstr(why.text, "imeout"));
}

static void without_anchors_there_is_no_client(void **state)
{
	struct world *w = *state;
	struct fetch *f = NULL;
	struct why why = {0};
	const struct fetch_config config = {.clock = {.self = w, .unix_s = world_unix_s}};

	assert_int_equal(fetch_new(&config, &f, &why), ERR_NOT_FOUND);
	assert_null(f);
}

#define WORLD(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD(both_versions_of_tls_work_and_show_the_client_certificate),
		WORLD(tls_1_2_only_is_obeyed),
		WORLD(an_unknown_anchor_is_refused),
		WORLD(a_missing_intermediate_is_refused),
		WORLD(a_certificate_for_another_host_is_refused),
		WORLD(a_certificate_for_clients_only_is_refused),
		WORLD(a_wrong_clock_is_told_with_both_dates),
		WORLD(a_chain_one_past_the_longest_is_refused),
		WORLD(one_connection_serves_all_calls),
		WORLD(a_second_connection_is_checked_again),
		WORLD(a_body_one_past_the_bound_is_refused),
		WORLD(redirects_and_logins_are_answers_like_others),
		WORLD(retry_after_is_read_as_seconds),
		WORLD(a_media_type_too_long_is_none),
		WORLD(a_post_carries_body_and_headers),
		WORLD(proxies_of_the_environment_are_ignored),
		WORLD(anchors_of_the_environment_are_ignored),
		WORLD(a_refused_client_certificate_is_told_apart),
		WORLD(other_schemes_are_refused),
		WORLD(silence_noise_and_nobody_are_told_as_unreachable),
		WORLD(without_anchors_there_is_no_client),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
