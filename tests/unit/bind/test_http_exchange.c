#include "mef.h"

#include "core/keys/register.h"
#include "pki/digest.h"
#include "proto/m2m/derive.h"

#define RELATIVE "000102030405060708090A0B0C0D0E0F"
#define REQUEST_JSON "{\"certificateEnrolmentIndication\":false,\"mafEnrolmentIndication\":false}"
#define REQUEST_XML "<enrolmentRequest><certificateEnrolmentIndication>false</certificateEnrolmentIndication>" \
	"<mafEnrolmentIndication>0</mafEnrolmentIndication></enrolmentRequest>"
#define PREFS "{\"certificate\":\"never\",\"targets\":[{\"id\":\"dev2.example.com\",\"usages\":[22]}]}"

/* The MEF of mef.h with a vault, and two enrolees that hold a Kpm: "dev1" and "dev2". */
struct world {
	struct mef_site *m;
	struct secret seal_key;
	struct vault vault;
	uint8_t exported[2 * M2M_EXPORT_SIZE];
};

#define WRITE(w, call) \
	do { \
		struct why why_ = {0}; \
		struct store *store_ = (w)->m->store; \
		assert_int_equal(store_->ops->begin(store_->self, &why_), OK); \
		if ((call) != OK) \
			fail_msg("%s", why_.text); \
		assert_int_equal(store_->ops->commit(store_->self, &why_), OK); \
	} while (0)

static void add_kpm(struct world *w, const char *enrolee, const char *kpmid)
{
	struct secret kpm = {.n = KPM_NEW};

	memset(kpm.bytes, kpmid[3], kpm.n);
	WRITE(w, register_kpm(&w->vault, enrolee, kpmid, "mef.example.com", &kpm, 0, w->m->now_s, &why_));
}

static int setup(void **state)
{
	struct world *w = mem_alloc(sizeof(*w));
	void *m = NULL;

	assert_non_null(w);
	assert_int_equal(mef_setup(&m), 0);
	w->m = m;
	w->seal_key.n = 32;
	w->vault = (struct vault){.store = w->m->store, .seal_key = &w->seal_key, .random = w->m->random};
	w->m->env.exchange = (struct exchange_env){.store = w->m->store, .batch = w->m->batch, .clock = &w->m->clock,
		.vault = &w->vault, .fqdn = "mef.example.com", .public_https = "https://mef.example.com"};
	for (size_t i = 0; i < sizeof(w->exported); i++)
		w->exported[i] = (uint8_t)i;
	add_kpm(w, "dev1", "dev1@mef.example.com");
	add_kpm(w, "dev2", "dev2@mef.example.com");
	WRITE(w, register_prefs(w->m->store, PREFS_ENROLEE, "dev1", span_text(PREFS), w->m->now_s, &why_));
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	void *m = w->m;

	mef_teardown(&m);
	mem_free(w);
	return 0;
}

static struct peer by_psk(const struct world *w, const char *identity)
{
	struct peer peer = {.trust = PEER_PSK, .tls_version = 0x0303, .identity = span_text(identity),
		.exported = span_of(w->exported, sizeof(w->exported)), .address = "127.0.0.1"};
	uint8_t kpm[KPM_NEW];

	memset(kpm, identity[3], sizeof(kpm));
	digest_sha256(span_of(kpm, sizeof(kpm)), peer.anchor);
	return peer;
}

static struct call post(const struct world *w, const char *path, const char *media, const char *body)
{
	return (struct call){.method = CALL_POST, .path = span_text(path), .media_type = span_text(media), .body = span_text(body),
		.peer = by_psk(w, "dev1@mef.example.com")};
}

static struct call get(const struct world *w, const char *path, const char *origin)
{
	return (struct call){.method = CALL_GET, .path = span_text(path), .origin = span_text(origin),
		.peer = by_psk(w, "dev2@mef.example.com")};
}

static void enrol(struct world *w)
{
	struct got g OWNED_GOT = {0};
	const struct call call = post(w, "/enrolment", "application/json", REQUEST_JSON);

	mef_call(w->m, &call, &g);
	assert_int_equal(g.status, 200);
}

static void want_text(struct got *g, const char *text)
{
	if (!strstr(buf_text(&g->body), text))
		fail_msg("want '%s' in the body, have %s", text, buf_text(&g->body));
}

static void the_form_of_the_answer_is_asked_for_or_that_of_the_request(void **state)
{
	static const struct {
		const char *media, *body, *accept, *answer, *holds;
	} rows[] = {
		{"application/json", REQUEST_JSON, "", "application/json", "\"keId\":\"" RELATIVE "@mef.example.com\""},
		{"application/json; charset=utf-8", REQUEST_JSON, "*/*", "application/json", "\"instructionType\":\"end\""},
		{"application/xml", REQUEST_XML, "", "application/xml", "<keId>" RELATIVE "@mef.example.com</keId>"},
		{"application/json", REQUEST_JSON, "application/xml", "application/xml", "<instructionType>end</instructionType>"},
		{"application/xml", REQUEST_XML, "application/json", "application/json", "\"enroleeBID\":\"dev2.example.com\""},
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct got g OWNED_GOT = {0};
		struct call call = post(w, "/enrolment", rows[i].media, rows[i].body);
		call.accept = span_text(rows[i].accept);
		mef_call(w->m, &call, &g);
		if (g.status != 200)
			fail_msg("row %zu: %u %s", i, (unsigned int)g.status, buf_text(&g.body));
		assert_string_equal(g.media_type, rows[i].answer);
		assert_int_equal(g.max_age_s, 0); /* never in a cache */
		want_text(&g, rows[i].holds);
	}
}

static void refusals_have_their_status_and_leave_an_event(void **state)
{
	struct world *w = *state;
	struct got g OWNED_GOT = {0};
	struct call call = post(w, "/enrolment", "text/plain", REQUEST_JSON);

	mef_call(w->m, &call, &g);
	expect_refusal(&g, 415, CODE_DOC_MEDIA);
	expect_audit(w->m, "enrol.refused");
	call = post(w, "/enrolment", "application/json", "{}");
	mef_call(w->m, &call, &g);
	assert_int_equal(g.status, 400);
	want_text(&g, "seed 003 8.3.3.1");
	call = post(w, "/enrolment", "application/json", REQUEST_JSON);
	call.peer.exported = (struct span){NULL, 0};
	mef_call(w->m, &call, &g);
	expect_refusal(&g, 400, CODE_EXCHANGE_NO_EXPORT);
	expect_audit(w->m, "exchange.refused");
	call = post(w, "/enrolment/" RELATIVE, "application/json", "{\"instructionNumber\":1,\"instructionType\":\"end\",\"status\":true}");
	mef_call(w->m, &call, &g);
	expect_refusal(&g, 404, CODE_EXCHANGE_UNKNOWN);
}

static void who_is_nobody_is_not_read(void **state)
{
	struct world *w = *state;
	struct got g OWNED_GOT = {0};
	struct call call = post(w, "/enrolment", "application/json", "no JSON at all");

	call.peer = mef_anonymous();
	mef_call(w->m, &call, &g);
	expect_refusal(&g, 403, CODE_CLIENT_ANONYMOUS);
	assert_int_equal(w->m->strangers, 1);
	call.peer = by_psk(w, "nobody@mef.example.com");
	mef_call(w->m, &call, &g);
	assert_int_equal(g.status, 403);
	assert_int_equal(w->m->strangers, 2);
}

static void paths_and_methods(void **state)
{
	static const struct {
		enum call_method method;
		const char *path;
		unsigned int status;
	} rows[] = {
		{CALL_GET, "/enrolment", 405},
		{CALL_PUT, "/enrolment", 405},
		{CALL_GET, "/enrolment/" RELATIVE, 405},
		{CALL_POST, "/enrolment/", 404},
		{CALL_POST, "/enrolment/" RELATIVE "0", 404},
		{CALL_POST, "/enrolments", 404},
		{CALL_POST, "/fetchCredentials/" RELATIVE, 405},
		{CALL_HEAD, "/fetchCredentials/" RELATIVE, 405},
		{CALL_GET, "/fetchCredentials", 404},
		{CALL_GET, "/maf/clientReg", 404},
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct got g OWNED_GOT = {0};
		struct call call = post(w, rows[i].path, "application/json", REQUEST_JSON);
		call.method = rows[i].method;
		mef_call(w->m, &call, &g);
		if (g.status != rows[i].status)
			fail_msg("%s: want %u, have %u", rows[i].path, rows[i].status, (unsigned int)g.status);
	}
}

/* docs/decisions/0014: a MAF serves nothing of a MEF */
static void the_other_realm_is_not_there(void **state)
{
	static const char *const paths[] = {"/enrolment", "/enrolment/" RELATIVE, "/fetchCredentials/" RELATIVE, "/crl/issuing.crl",
		"/.well-known/est/cacerts"};
	struct world *w = *state;

	w->m->env.realm = BIND_MAF;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct got g OWNED_GOT = {0};
		const struct call call = post(w, paths[i], "application/json", REQUEST_JSON);
		mef_call(w->m, &call, &g);
		expect_refusal(&g, 404, CODE_PUB_PATH);
	}
}

/* Seed 003 8.3.3.6 step 3e */
static void a_target_gets_key_enrolee_and_lifetime(void **state)
{
	struct world *w = *state;
	struct got g OWNED_GOT = {0};
	struct secret ke = {.n = M2M_KEY_SIZE}, key = {0};
	struct arena arena OWNED_ARENA = ARENA(65536);
	struct retrieval_answer a = {0};
	struct why why = {0};

	enrol(w);
	memcpy(ke.bytes, w->exported + M2M_RELATIVE_SIZE, M2M_KEY_SIZE);
	assert_int_equal(m2m_derive_constrained(&ke, 22, span_text("dev2.example.com"), &key, &why), OK);
	for (int xml = 0; xml < 2; xml++) {
		struct call call = get(w, "/fetchCredentials/" RELATIVE "%40mef.example.com/22", "dev2.example.com");
		call.accept = span_text(xml ? "application/xml" : "");
		mef_call(w->m, &call, &g);
		if (g.status != 200)
			fail_msg("%s", buf_text(&g.body));
		assert_string_equal(g.media_type, xml ? "application/xml" : "application/json");
		assert_int_equal(retrieval_answer_parse(xml ? DOC_XML : DOC_JSON, buf_span(&g.body), &arena, &a, &why), OK);
		assert_true(a.status && secret_equal(secret_span(&a.credential), secret_span(&key)));
		assert_string_equal(a.enrolee_id, "dev1.example.com");
		assert_int_equal(a.lifetime_s, PREFS_EXPIRY_DEFAULT_S);
		assert_int_equal(g.max_age_s, 0);
	}
}

static void want_false(struct world *w, const struct call *call, unsigned int status, enum code code)
{
	struct got g OWNED_GOT = {0};
	char text[32];

	mef_call(w->m, call, &g);
	if (g.status != status)
		fail_msg("want %u, have %u %s", status, (unsigned int)g.status, buf_text(&g.body));
	assert_string_equal(g.media_type, "application/json");
	want_text(&g, "{\"Status\":false,\"ErrorString\":\"");
	snprintf(text, sizeof(text), "OMEF-%d:", (int)code);
	want_text(&g, text);
}

/* Seed 003 8.3.3.6 step 4 */
static void refusals_are_documents_too(void **state)
{
	struct world *w = *state;
	struct call call = get(w, "/fetchCredentials/" RELATIVE, "dev1.example.com");

	enrol(w);
	want_false(w, &call, 403, CODE_RETRIEVAL_ORIGIN);
	call = get(w, "/fetchCredentials/" RELATIVE "@mef.example.com/23", "dev2.example.com");
	want_false(w, &call, 403, CODE_RETRIEVAL_REFUSED);
	call = get(w, "/fetchCredentials/FF0102030405060708090A0B0C0D0E0F", "dev2.example.com");
	want_false(w, &call, 403, CODE_RETRIEVAL_REFUSED);
	call.peer = mef_anonymous();
	want_false(w, &call, 403, CODE_CLIENT_ANONYMOUS);
	call = get(w, "/fetchCredentials/" RELATIVE "/22", "dev2.example.com");
	struct got g OWNED_GOT = {0};
	mef_call(w->m, &call, &g);
	assert_int_equal(g.status, 400);
	want_text(&g, "\"Status\":false");
}

static enum err broken_find(void *self, enum symkey_kind kind, const char *id, struct arena *arena, struct symkey *out,
	struct why *why)
{
	(void)self;
	(void)kind;
	(void)id;
	(void)arena;
	(void)out;
	return WHY(why, STORE_IO, "", "row: injected");
}

/* Our own fault is no answer on the key, and no detail of it leaves the house. */
static void a_fault_of_ours_is_no_refusal(void **state)
{
	struct world *w = *state;
	struct store_ops ops = *w->m->store->ops;
	const struct store_ops *whole = w->m->store->ops;
	struct call calls[] = {get(w, "/fetchCredentials/" RELATIVE, "dev2.example.com"),
		post(w, "/enrolment", "application/json", REQUEST_JSON)};

	ops.symkey_find = broken_find;
	w->m->store->ops = &ops;
	for (size_t i = 0; i < 2; i++) {
		struct got g OWNED_GOT = {0};
		mef_call(w->m, &calls[i], &g);
		expect_refusal(&g, 503, CODE_STORE_IO);
		assert_null(strstr(buf_text(&g.body), "injected"));
		assert_int_equal(g.retry_after_s, 30);
	}
	assert_int_equal(w->m->faults, 2);
	w->m->store->ops = whole;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* A KpmId that was given another key: who still has a session by the old one is a stranger. */
static void a_session_by_an_earlier_key_is_nobodys(void **state)
{
	struct world *w = *state;
	struct got g OWNED_GOT = {0};
	struct call call = post(w, "/enrolment", "application/json", REQUEST_JSON);

	call.peer.anchor[31] ^= 1;
	mef_call(w->m, &call, &g);
	assert_int_equal(g.status, 403);
	want_text(&g, "OMEF-1517");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_form_of_the_answer_is_asked_for_or_that_of_the_request),
		TEST(refusals_have_their_status_and_leave_an_event),
		TEST(who_is_nobody_is_not_read),
		TEST(a_session_by_an_earlier_key_is_nobodys),
		TEST(paths_and_methods),
		TEST(the_other_realm_is_not_there),
		TEST(a_target_gets_key_enrolee_and_lifetime),
		TEST(refusals_are_documents_too),
		TEST(a_fault_of_ours_is_no_refusal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
