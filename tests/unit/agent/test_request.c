/* What the agent's request says: the template's wishes, and the value of the TLS session where it is asked for. */
#include "lab.h"

#include "base/base64.h"
#include "pki/oid.h"

static const uint8_t unique[12] = {1, 2, 3};
static const uint8_t exporter[32] = {9, 9};
#define UNIQUE_TEXT "AQIDAAAAAAAAAAAA"

static void feed_attrs(struct lab *lab, const struct est_attrs *attrs, enum est_attrs_form form, bool session)
{
	const struct span shown[] = {buf_span(&lab->tls.der), buf_span(&lab->inner.der)};
	struct buf der OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct why why = {0};

	must(est_attrs_write(attrs, form, &der, &why));
	buf_clear(&lab->body);
	est_body_write(&lab->body, buf_span(&der), span_text("libest"));
	const struct agent_reply reply = {.status = 200, .media_type = span_text("application/csrattrs"),
		.body = buf_span(&lab->body), .server_certs = shown, .server_certs_n = 2,
		.tls_unique = span_of(unique, session ? sizeof(unique) : 0),
		.tls_exporter = span_of(exporter, session ? sizeof(exporter) : 0)};
	agent_feed(lab->agent, &reply);
}

static struct csr posted(struct lab *lab, struct buf *der)
{
	struct csr csr = {0};
	struct why why = {0};

	buf_clear(der);
	must(est_body_csr(span_text("application/pkcs10"), lab_next(lab).body, der, &why));
	must(csr_parse(buf_span(der), &csr, &why));
	return csr;
}

static void ask(struct lab *lab, const struct est_attrs *attrs, enum est_attrs_form form, bool session)
{
	lab_agent(lab);
	lab_to_attrs(lab);
	feed_attrs(lab, attrs, form, session);
	assert_int_equal(lab_next(lab).kind, AGENT_MAKE_KEY);
	agent_feed_key(lab->agent, lab->key);
}

static void fails(struct lab *lab, enum code code)
{
	struct agent_action action;
	struct why why = {0};

	agent_next(lab->agent, &action, &why);
	assert_int_equal(action.kind, AGENT_FAILED);
	if (why.code != code)
		fail_msg("want %d, have %d %s", (int)code, (int)why.code, why.text);
}

/* RFC 7030 3.5, RFC 7894 4 */
static void linking_goes_where_it_is_asked_for(void **state)
{
	static const struct {
		bool challenge, asks_challenge, asks_linking, own;
		const char *password, *attribute;
	} rows[] = {
		{true, false, false, false, "challenge", ""},
		{true, false, true, false, "challenge", UNIQUE_TEXT},
		{true, false, false, true, "challenge", UNIQUE_TEXT},
		{false, true, false, false, UNIQUE_TEXT, ""},
		{false, false, false, true, UNIQUE_TEXT, ""},
		{false, false, true, false, "", UNIQUE_TEXT},
		{false, false, false, false, "", ""},
	};
	struct lab *lab = *state;

	for (int form = EST_ATTRS_LIST; form <= EST_ATTRS_BOTH; form++) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			struct buf der OWNED_BUF = BUF(CSR_DER_MAX);
			struct est_attrs attrs = lab_attrs(lab);
			attrs.challenge = span_text(rows[i].challenge ? "challenge" : "");
			attrs.asks_challenge = rows[i].asks_challenge;
			attrs.asks_linking = rows[i].asks_linking;
			lab->config.link_session = rows[i].own;
			ask(lab, &attrs, (enum est_attrs_form)form, true);
			struct csr csr = posted(lab, &der);
			if (!span_is(csr.challenge, rows[i].password) || !span_is(csr.linking, rows[i].attribute))
				fail_msg("form %d, row %zu", form, i);
		}
	}
}

static void a_session_without_value_cannot_be_linked_to(void **state)
{
	struct lab *lab = *state;
	struct est_attrs attrs = lab_attrs(lab);

	attrs.asks_linking = true;
	ask(lab, &attrs, EST_ATTRS_LIST, false);
	fails(lab, CODE_AGENT_LINKING);
}

/* RFC 7030 3.5: the connection was made anew behind the request: from csrattrs on, once */
static void a_refused_link_is_made_anew_once(void **state)
{
	struct lab *lab = *state;
	struct est_attrs attrs = lab_attrs(lab);

	attrs.challenge = span_text("");
	attrs.asks_challenge = true;
	ask(lab, &attrs, EST_ATTRS_LIST, true);
	lab_feed(lab, 403, "text/plain", span_text("another session"));
	assert_non_null(strstr(lab_next(lab).url, "/csrattrs"));
	feed_attrs(lab, &attrs, EST_ATTRS_LIST, true);
	assert_int_equal(lab_next(lab).method, CALL_POST); /* with the key that it had */
	lab_feed(lab, 403, "text/plain", span_text("another session"));
	fails(lab, CODE_AGENT_REFUSED);
}

static struct est_attrs named(struct lab *lab, const char *text, struct arena *arena)
{
	struct est_attrs attrs = lab_attrs(lab);
	struct why why = {0};

	must(name_template_read(span_text(text), arena, &attrs.subject, &why));
	return attrs;
}

/* RFC 9908 3.4: values that are given are used, the others filled in */
static void the_template_subject_is_filled_in(void **state)
{
	struct lab *lab = *state;
	struct arena arena OWNED_ARENA = ARENA(16384);
	struct buf der OWNED_BUF = BUF(CSR_DER_MAX);
	struct est_attrs attrs = named(lab, "CN, O=Acme, OU", &arena);
	const char *text = NULL;
	struct why why = {0};

	lab->config.subject = "OU=yard 3, O=Mine";
	ask(lab, &attrs, EST_ATTRS_BOTH, true);
	must(name_text(posted(lab, &der).subject, &arena, &text, &why));
	assert_non_null(strstr(text, "OU=yard 3,O=Acme,CN="));
	/* in a list there is no subject to be had */
	ask(lab, &attrs, EST_ATTRS_LIST, true);
	assert_true(name_is_empty(posted(lab, &der).subject));
}

static bool holds(struct span all, const char *text, size_t n)
{
	for (size_t i = 0; i + n <= all.n; i++) {
		if (memcmp(all.p + i, text, n) == 0)
			return true;
	}
	return false;
}

/*
 * RFC 9908 3.4: extKeyUsage, critical, without value; keyUsage, of which nothing is said; subjectAltName and
 * certificatePolicies, critical, with theirs
 */
static void extensions_of_the_template_are_taken_over(void **state)
{
	static const char template[] = "MHQwcgYLKoZIhvcNAQkQAj0xYzBhAgEAoVwwWgYLKoZIhvcNAQkQAj4xSzBJMAgGA1UdJQEB/zALBgNVHQ8EBAMC"
				       "B4AwGAYDVR0RAQH/BA4wDIIKZ3cuZXhhbXBsZTAWBgNVHSABAf8EDDAKMAgGBmeBDAECAQ==";
	static const struct {
		const char *octets;
		size_t n;
	} wanted[] = {
		{"\x06\x03\x55\x1d\x25\x01\x01\xff\x04\x0c\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02", 22},
		{"\x06\x03\x55\x1d\x0f\x01\x01\xff\x04\x04\x03\x02\x07\x80", 14},
		{"\x06\x03\x55\x1d\x11\x01\x01\xff\x04\x0e\x30\x0c\x82\x0agw.example", 24},
		{"\x30\x16\x06\x03\x55\x1d\x20\x01\x01\xff\x04\x0c\x30\x0a\x30\x08\x06\x06\x67\x81\x0c\x01\x02\x01", 24},
	};
	struct lab *lab = *state;
	struct buf attrs OWNED_BUF = BUF(512);
	struct buf der OWNED_BUF = BUF(CSR_DER_MAX);
	struct why why = {0};

	must(base64_parse(span_text(template), &attrs, &why));
	lab->config.goal = AGENT_RENEW; /* with a subject, where nothing else makes names critical */
	lab_agent(lab);
	lab_to_attrs(lab);
	lab_feed_der(lab, "application/csrattrs", buf_span(&attrs));
	agent_feed_key(lab->agent, lab->key);
	struct csr csr = posted(lab, &der);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (!holds(csr.extensions, wanted[i].octets, wanted[i].n))
			fail_msg("row %zu", i);
	}
}

static void what_has_no_value_ends_the_run_before_it_is_sent(void **state)
{
	struct lab *lab = *state;
	struct arena arena OWNED_ARENA = ARENA(16384);
	struct est_attrs attrs = named(lab, "CN, OU", &arena);

	lab->config.subject = NULL;
	ask(lab, &attrs, EST_ATTRS_TEMPLATE, true);
	fails(lab, CODE_AGENT_TEMPLATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(linking_goes_where_it_is_asked_for),
		LAB(a_session_without_value_cannot_be_linked_to),
		LAB(a_refused_link_is_made_anew_once),
		LAB(the_template_subject_is_filled_in),
		LAB(extensions_of_the_template_are_taken_over),
		LAB(what_has_no_value_ends_the_run_before_it_is_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
