#include "mef.h"

static const char cacerts_path[] = "/.well-known/est/cacerts";

static void want_status(struct mef_site *m, enum call_method method, const char *path, const struct peer *peer,
	unsigned int status, enum code code)
{
	struct got g OWNED_GOT = {0};
	const struct call call = {.method = method, .path = span_text(path),
		.media_type = span_text("application/pkcs10"), .peer = *peer};

	mef_call(m, &call, &g);
	expect_refusal(&g, status, code);
}

/* RFC 7030 4.1.2, 4.1.3: no authentication, certs-only, base64 */
static void cacerts_come_to_anybody(void **state)
{
	struct mef_site *m = *state;
	struct peer peer = mef_anonymous();
	struct got g OWNED_GOT = {0};
	struct buf der OWNED_BUF = BUF(MEF_DER_MAX);
	struct span certs[2] = {{NULL, 0}};
	size_t n = 0;
	struct why why = {0};

	mef_get(m, cacerts_path, &peer, &g);
	assert_int_equal(g.status, 200);
	assert_string_equal(g.media_type, "application/pkcs7-mime; smime-type=certs-only");
	assert_true(g.base64);
	assert_int_equal(est_body_der(buf_span(&g.body), &der, &why), OK);
	assert_int_equal(cms_certs_parse(buf_span(&der), certs, 2, &n, &why), OK);
	assert_int_equal(n, 1);
	assert_true(span_equal(certs[0], buf_span(&m->ca_der)));
	mef_get(m, "/.well-known/est/onem2m/cacerts", &peer, &g);
	assert_int_equal(g.status, 200);
}

/* RFC 8951 3.1: line breaks are left to the sender; libest needs them */
static void libest_gets_lines_of_64_columns(void **state)
{
	struct mef_site *m = *state;
	struct got g OWNED_GOT = {0};
	const struct call call = {.method = CALL_GET, .path = span_text(cacerts_path),
		.user_agent = span_text("Cisco EST client 1.0"), .peer = mef_anonymous()};

	mef_call(m, &call, &g);
	assert_int_equal(g.status, 200);
	assert_int_equal(span_find(buf_span(&g.body), '\n'), 64);
}

/* RFC 7030 3.3 */
static void est_is_refused_without_tls(void **state)
{
	struct peer plain = {.address = "127.0.0.1"};

	want_status(*state, CALL_GET, cacerts_path, &plain, 403, CODE_EST_TLS);
	want_status(*state, CALL_POST, "/.well-known/est/simpleenroll", &plain, 403, CODE_EST_TLS);
}

static void unknown_paths_labels_and_operations_are_404(void **state)
{
	struct peer peer = mef_anonymous();

	want_status(*state, CALL_GET, "/", &peer, 404, CODE_PUB_PATH);
	want_status(*state, CALL_GET, "/crl/issuing.crl/", &peer, 404, CODE_PUB_PATH);
	want_status(*state, CALL_GET, "/.well-known/est", &peer, 404, CODE_PUB_PATH);
	want_status(*state, CALL_GET, "/.well-known/est/", &peer, 404, CODE_EST_PATH);
	want_status(*state, CALL_GET, "/.well-known/est/nobody/cacerts", &peer, 404, CODE_EST_LABEL);
	want_status(*state, CALL_POST, "/.well-known/est/serverkeygen", &peer, 404, CODE_EST_PATH);
	want_status(*state, CALL_POST, "/.well-known/est/fullcmc", &peer, 404, CODE_EST_PATH);
}

/* RFC 9110 15.5.6 */
static void the_wrong_method_is_405(void **state)
{
	struct peer peer = mef_anonymous();

	want_status(*state, CALL_POST, cacerts_path, &peer, 405, CODE_EST_METHOD);
	want_status(*state, CALL_POST, "/.well-known/est/csrattrs", &peer, 405, CODE_EST_METHOD);
	want_status(*state, CALL_GET, "/.well-known/est/simpleenroll", &peer, 405, CODE_EST_METHOD);
	want_status(*state, CALL_PUT, "/.well-known/est/simplereenroll", &peer, 405, CODE_EST_METHOD);
	want_status(*state, CALL_POST, "/crl/issuing.crl", &peer, 405, CODE_EST_METHOD);
	want_status(*state, CALL_DELETE, "/ca/issuing.cer", &peer, 405, CODE_EST_METHOD);
}

static void want_allow(struct mef_site *m, enum call_method method, const char *path, unsigned int allow)
{
	struct got g OWNED_GOT = {0};
	const struct call call = {.method = method, .path = span_text(path), .peer = mef_anonymous()};

	mef_call(m, &call, &g);
	assert_int_equal(g.status, 405);
	assert_int_equal(g.allow, allow);
}

/* RFC 9110 15.5.6: a 405 lists what is served; 9.3.2: HEAD wherever GET */
static void a_wrong_method_is_told_the_right_ones(void **state)
{
	const unsigned int get = 1u << CALL_GET | 1u << CALL_HEAD, post = 1u << CALL_POST;
	struct got g OWNED_GOT = {0};
	const struct call head = {.method = CALL_HEAD, .path = span_text(cacerts_path), .peer = mef_anonymous()};

	want_allow(*state, CALL_POST, cacerts_path, get);
	want_allow(*state, CALL_PUT, "/ca/issuing.cer", get);
	want_allow(*state, CALL_GET, "/.well-known/est/simpleenroll", post);
	want_allow(*state, CALL_GET, "/enrolment", post);
	want_allow(*state, CALL_POST, "/fetchCredentials/x", 1u << CALL_GET);
	mef_call(*state, &head, &g);
	assert_int_equal(g.status, 200);
	assert_int_equal(g.allow, 0);
}

/* docs/decisions/0022 */
static void proxied_clients_count_where_a_label_says_so(void **state)
{
	struct mef_site *m = *state;
	struct peer peer = {.proxied = true, .address = "192.0.2.7"};

	want_status(m, CALL_GET, cacerts_path, &peer, 403, CODE_EST_PROXIED);
	want_status(m, CALL_POST, "/.well-known/est/simpleenroll", &peer, 403, CODE_EST_PROXIED);
	want_status(m, CALL_POST, "/enrolment", &peer, 403, CODE_PROXIED_PATH);
	want_status(m, CALL_POST, "/enrolment/x", &peer, 403, CODE_PROXIED_PATH);
	want_status(m, CALL_GET, "/fetchCredentials/x", &peer, 403, CODE_PROXIED_PATH);
	for (size_t i = 0; i < m->labels.n; i++)
		m->labels.items[i].proxied = true;
	struct got g OWNED_GOT = {0};
	mef_get(m, cacerts_path, &peer, &g);
	assert_int_equal(g.status, 200);
	peer.tls_version = 0x0302;
	want_status(m, CALL_GET, cacerts_path, &peer, 403, CODE_EST_TLS);
	peer = (struct peer){.address = "192.0.2.7"};
	want_status(m, CALL_GET, cacerts_path, &peer, 403, CODE_EST_TLS);
}

static void bodies_that_cannot_be_read_get_their_own_status(void **state)
{
	struct mef_site *m = *state;
	struct got g OWNED_GOT = {0};
	static uint8_t large[CSR_DER_MAX + 1] = {0x30};
	struct peer peer = mef_anonymous();
	struct call call = {.method = CALL_POST, .path = span_text("/.well-known/est/simpleenroll"),
		.media_type = span_text("application/x-www-form-urlencoded"), .body = span_text("MAA="), .peer = peer};

	mef_call(m, &call, &g);
	expect_refusal(&g, 415, CODE_EST_MEDIA);
	call.media_type = span_text("application/pkcs10");
	call.body = span_text("{}");
	mef_call(m, &call, &g);
	expect_refusal(&g, 400, CODE_EST_BODY);
	call.body = span_of(large, sizeof(large));
	mef_call(m, &call, &g);
	expect_refusal(&g, 413, CODE_EST_BODY_LIMIT);
}

static void ca_files_are_served_on_plain_http_too(void **state)
{
	struct mef_site *m = *state;
	struct peer plain = {.address = "127.0.0.1"};
	struct got g OWNED_GOT = {0};

	mef_get(m, "/ca/issuing.cer", &plain, &g);
	assert_int_equal(g.status, 200);
	assert_string_equal(g.media_type, "application/pkix-cert"); /* RFC 5280 4.2.2.1 */
	assert_true(span_equal(buf_span(&g.body), buf_span(&m->ca_der)));
	assert_true(g.max_age_s > 0);
	mef_get(m, "/ca/chain.p7c", &plain, &g);
	assert_string_equal(g.media_type, "application/pkcs7-mime; smime-type=certs-only");
	assert_true(span_equal(buf_span(&g.body), buf_span(&m->chain)));
	const struct call head = {.method = CALL_HEAD, .path = span_text("/ca/issuing.cer"), .peer = plain};
	mef_call(m, &head, &g);
	assert_int_equal(g.status, 200);
}

/* RFC 5280 4.2.1.13 */
static void the_crl_is_served_once_it_is_published(void **state)
{
	struct mef_site *m = *state;
	struct peer plain = {.address = "127.0.0.1"};
	struct got g OWNED_GOT = {0};
	struct why why = {0};
	const struct crl_row row = {.ca = "issuing", .number = 1, .this_update_s = MEF_NOW_S, .next_update_s = MEF_NOW_S + 7200,
		.der = span_text("0: stands for a CRL")};

	want_status(m, CALL_GET, "/crl/issuing.crl", &plain, 404, CODE_PUB_CRL);
	assert_int_equal(m->store->ops->begin(m->store->self, &why), OK);
	assert_int_equal(m->store->ops->crl_put(m->store->self, &row, &why), OK);
	assert_int_equal(m->store->ops->commit(m->store->self, &why), OK);
	mef_get(m, "/crl/issuing.crl", &plain, &g);
	assert_int_equal(g.status, 200);
	assert_string_equal(g.media_type, "application/pkix-crl");
	assert_true(span_equal(buf_span(&g.body), row.der));
	assert_int_equal(g.max_age_s, 3600);
	m->now_s = row.next_update_s - 10;
	mef_get(m, "/crl/issuing.crl", &plain, &g);
	assert_int_equal(g.max_age_s, 10);
	m->now_s = row.next_update_s + 1;
	mef_get(m, "/crl/issuing.crl", &plain, &g);
	assert_int_equal(g.max_age_s, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(cacerts_come_to_anybody, mef_setup, mef_teardown),
		cmocka_unit_test_setup_teardown(libest_gets_lines_of_64_columns, mef_setup, mef_teardown),
		cmocka_unit_test_setup_teardown(est_is_refused_without_tls, mef_setup, mef_teardown),
		cmocka_unit_test_setup_teardown(unknown_paths_labels_and_operations_are_404, mef_setup, mef_teardown),
		cmocka_unit_test_setup_teardown(the_wrong_method_is_405, mef_setup, mef_teardown),
		cmocka_unit_test_setup_teardown(a_wrong_method_is_told_the_right_ones, mef_setup, mef_teardown),
		cmocka_unit_test_setup_teardown(proxied_clients_count_where_a_label_says_so, mef_setup, mef_teardown),
		cmocka_unit_test_setup_teardown(bodies_that_cannot_be_read_get_their_own_status, mef_setup, mef_teardown),
		cmocka_unit_test_setup_teardown(ca_files_are_served_on_plain_http_too, mef_setup, mef_teardown),
		cmocka_unit_test_setup_teardown(the_crl_is_served_once_it_is_published, mef_setup, mef_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
