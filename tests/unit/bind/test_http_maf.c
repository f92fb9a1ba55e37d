/* The MAF's resources as a client sees them; clients by certificate and by Km. */
#include "mef.h"

#include "core/maf/maf.h"
#include "proto/m2m/derive.h"

#define KMID "0F0E0D0C0B0A09080706050403020100@maf.example.com"
#define CSE_A "cse1.example.com"
#define CSE_B "cse2.example.com"
#define RELATIVE "000102030405060708090A0B0C0D0E0F"
#define LATER "\"expirationTime\":\"20270201T000000\""
#define CLIENT "{\"adminFQDN\":\"admin.example.com\"," LATER "}"
#define KEY "{\"adminFQDN\":\"admin.example.com\",\"SUID\":32," LATER ",\"targetIDs\":[\"" CSE_B "\"]}"
#define JSON "application/json"
#define XML "application/xml"

/* Two clients: CSE_A by Km, CSE_B by the certificate that a test asks for. */
struct world {
	struct mef_site *m;
	struct secret seal_key;
	struct vault vault;
	struct psk_decoy decoy;
	struct mef mef;
	struct maf *maf;
	struct key *key_b;
	struct buf cert_b;
	uint8_t exported[M2M_EXPORT_SIZE];
};

static void add_km(struct world *w)
{
	const struct symkey row = {.kind = SYMKEY_KM, .id = KMID, .owner = CSE_A, .created_s = MEF_NOW_S,
		.expires_s = MEF_NOW_S + MEF_YEAR_S, .info = "{}"};
	const struct secret km = {.n = M2M_KEY_SIZE};
	struct store *s = w->m->store;
	struct why why = {0};

	assert_int_equal(s->ops->begin(s->self, &why), OK);
	assert_int_equal(vault_add(&w->vault, &row, &km, &why), OK);
	assert_int_equal(s->ops->commit(s->self, &why), OK);
}

static void no_mef(void *self, const char *keid, unsigned int suid, mef_done done, void *arg)
{
	fail_msg("a MEF is asked for %s, SUID %u", keid, suid);
}

static int setup(void **state)
{
	struct world *w = mem_alloc(sizeof(*w));
	struct why why = {0};
	void *m = NULL;

	assert_non_null(w);
	assert_int_equal(mef_setup(&m), 0);
	w->m = m;
	w->seal_key.n = 32;
	w->vault = (struct vault){.store = w->m->store, .seal_key = &w->seal_key, .random = w->m->random};
	assert_int_equal(psk_decoy_init(&w->decoy, &w->vault, &why), OK);
	w->mef = (struct mef){w, no_mef};
	const struct maf_env env = {.store = w->m->store, .batch = w->m->batch, .clock = &w->m->clock, .vault = &w->vault,
		.decoy = &w->decoy, .mef = &w->mef, .fqdn = "maf.example.com"};
	w->maf = maf_new(&env);
	assert_non_null(w->maf);
	w->m->env.realm = BIND_MAF;
	w->m->env.maf = w->maf;
	for (size_t i = 0; i < sizeof(w->exported); i++)
		w->exported[i] = (uint8_t)i;
	w->key_b = mef_key();
	w->cert_b = BUF(MEF_DER_MAX);
	add_km(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	void *m = w->m;

	maf_free(w->maf);
	psk_decoy_wipe(&w->decoy);
	key_free(w->key_b);
	buf_fini(&w->cert_b);
	mef_teardown(&m);
	mem_free(w);
	return 0;
}

/* B's certificate of the MEF's CA, with these names. */
static void certify(struct world *w, const struct san *names, size_t n)
{
	struct buf name OWNED_BUF = BUF(NAME_DER_MAX);
	struct buf spki OWNED_BUF = BUF(1024);
	struct buf sans OWNED_BUF = BUF(2048);
	struct san_list list = {.n = n};
	struct why why = {0};

	assert_true(n <= SAN_MAX);
	for (size_t i = 0; i < n; i++)
		list.items[i] = names[i];
	assert_int_equal(name_write_cn("client", NULL, &name, &why), OK);
	assert_int_equal(key_write_spki(w->key_b, &spki, &why), OK);
	if (n)
		assert_int_equal(san_write(&list, &sans, &why), OK);
	const struct cert_plan plan = {.serial = span_text("\x11one"), .issuer = w->m->ca.cert.subject, .subject = buf_span(&name),
		.spki = buf_span(&spki), .not_before_s = MEF_NOW_S - 60, .not_after_s = MEF_NOW_S + 3600, .path_len = -1,
		.key_usage = KU_DIGITAL_SIGNATURE, .sans = buf_span(&sans), .akid = w->m->ca.cert.skid};
	buf_clear(&w->cert_b);
	if (cert_build(&plan, w->m->ca_key, &w->cert_b, &why) != OK)
		fail_msg("certificate: %s", why.text);
}

static struct san dns(const char *name)
{
	return (struct san){.kind = SAN_DNS, .value = span_text(name)};
}

static struct san uri(const char *text)
{
	return (struct san){.kind = SAN_URI, .value = span_text(text)};
}

static struct peer peer_a(const struct world *w)
{
	return (struct peer){.trust = PEER_PSK, .tls_version = 0x0303, .identity = span_text(KMID),
		.exported = span_of(w->exported, sizeof(w->exported)), .address = "127.0.0.1"};
}

static struct peer peer_b(struct world *w)
{
	const struct san name = dns(CSE_B);

	if (!w->cert_b.n)
		certify(w, &name, 1);
	return mef_peer(w->m, PEER_OWN, &w->cert_b);
}

static struct call call_of(enum call_method method, const char *path, const char *body, struct peer peer)
{
	return (struct call){.method = method, .path = span_text(path), .media_type = span_text(body[0] ? JSON : ""),
		.body = span_text(body), .peer = peer};
}

static void answered(struct world *w, const struct call *call, unsigned int status, struct got *g)
{
	mef_call(w->m, call, g);
	if (g->status != status)
		fail_msg("want %u, have %u %s", status, (unsigned int)g->status, buf_text(&g->body));
	assert_int_equal(g->max_age_s, 0); /* never in a cache */
}

static void refused(struct world *w, const struct call *call, unsigned int status, enum code code)
{
	struct got g OWNED_GOT = {0};

	mef_call(w->m, call, &g);
	expect_refusal(&g, status, code);
}

static struct maf_client client_in(struct got *g, enum doc_form form, struct arena *arena)
{
	struct maf_client c = {0};
	struct why why = {0};

	if (maf_client_parse(form, buf_span(&g->body), arena, &c, &why) != OK)
		fail_msg("%s: %s", why.text, buf_text(&g->body));
	return c;
}

/* TS-0003 8.8.2.3, 8.8.2.5, 8.8.2.6 */
static void a_client_registers_changes_and_leaves(void **state)
{
	struct world *w = *state;
	struct arena arena OWNED_ARENA = ARENA(2 * DOC_ARENA_MAX);
	struct got g OWNED_GOT = {0};
	char path[64];

	struct call call = call_of(CALL_POST, "/maf/clientReg", CLIENT, peer_a(w));
	answered(w, &call, 201, &g);
	assert_string_equal(g.media_type, JSON);
	assert_non_null(strstr(buf_text(&g.body), "\"assignedSymmKeyID\":\"" KMID "\""));
	struct maf_client c = client_in(&g, DOC_JSON, &arena);
	assert_string_equal(c.client_id, CSE_A);
	snprintf(path, sizeof(path), "/maf/clientReg/%s", c.id);
	call = call_of(CALL_PUT, path, "{\"labels\":[\"north\"]}", peer_a(w));
	call.accept = span_text(XML);
	answered(w, &call, 200, &g);
	assert_string_equal(g.media_type, XML);
	c = client_in(&g, DOC_XML, &arena);
	assert_true(c.has_labels && strcmp(c.labels.items[0], "north") == 0);
	call = call_of(CALL_DELETE, path, "", peer_b(w));
	refused(w, &call, 404, CODE_MAF_NO_CLIENT);
	expect_audit(w->m, "maf.refused");
	call = call_of(CALL_DELETE, path, "", peer_a(w));
	answered(w, &call, 200, &g);
	assert_int_equal(g.body.n, 0);
	assert_string_equal(g.media_type, "");
	expect_audit(w->m, "maf.client.removed");
	refused(w, &call, 404, CODE_MAF_NO_CLIENT);
}

/* TS-0003 8.8.2.7, 8.8.2.9 */
static void a_key_goes_to_its_target_and_to_nobody_else(void **state)
{
	struct world *w = *state;
	struct arena arena OWNED_ARENA = ARENA(2 * DOC_ARENA_MAX);
	struct got g OWNED_GOT = {0};
	struct maf_key k = {0};
	struct why why = {0};

	struct call call = call_of(CALL_POST, "/maf/symmKeyReg", KEY, peer_a(w));
	answered(w, &call, 201, &g);
	assert_non_null(strstr(buf_text(&g.body), "\"relativeKeyID\":\"" RELATIVE "\""));
	assert_null(strstr(buf_text(&g.body), "keyValue"));
	call = call_of(CALL_GET, "/maf/symmKeyReg/" RELATIVE, "", peer_a(w));
	refused(w, &call, 404, CODE_MAF_NO_KEY);
	call.peer = peer_b(w);
	call.accept = span_text(XML);
	answered(w, &call, 200, &g);
	assert_string_equal(g.media_type, XML);
	assert_int_equal(maf_key_parse(DOC_XML, buf_span(&g.body), &arena, &k, &why), OK);
	assert_true(secret_equal(secret_span(&k.value), span_of(w->exported + M2M_RELATIVE_SIZE, M2M_KEY_SIZE)));
	secret_wipe(&k.value);
	call = call_of(CALL_DELETE, "/maf/symmKeyReg/" RELATIVE, "", peer_b(w));
	refused(w, &call, 404, CODE_MAF_NO_KEY);
	call = call_of(CALL_PUT, "/maf/symmKeyReg/" RELATIVE, "{\"targetIDs\":[\"cse3.example.com\"]}", peer_a(w));
	answered(w, &call, 200, &g);
	call = call_of(CALL_GET, "/maf/symmKeyReg/" RELATIVE, "", peer_b(w));
	refused(w, &call, 404, CODE_MAF_NO_KEY);
	call = call_of(CALL_DELETE, "/maf/symmKeyReg/" RELATIVE, "", peer_a(w));
	answered(w, &call, 200, &g);
	refused(w, &call, 404, CODE_MAF_NO_KEY);
}

/* TS-0003 8.8.2.2 */
static void who_did_no_maf_handshake_is_not_read(void **state)
{
	struct world *w = *state;
	struct call call = call_of(CALL_POST, "/maf/clientReg", "no JSON at all", mef_anonymous());

	refused(w, &call, 403, CODE_MAF_PEER);
	assert_int_equal(w->m->strangers, 1);
	call.peer = peer_b(w);
	call.peer.trust = PEER_THIRD_PARTY;
	refused(w, &call, 403, CODE_MAF_PEER);
	call.peer = peer_a(w);
	call.peer.identity = span_text("nobody@maf.example.com");
	refused(w, &call, 403, CODE_MAF_PEER);
	call.peer.identity = span_text("\xff");
	refused(w, &call, 403, CODE_MAF_PEER);
	assert_int_equal(w->m->strangers, 4);
	call.peer = peer_a(w);
	refused(w, &call, 400, CODE_DOC_SYNTAX);
	assert_int_equal(w->m->strangers, 4);
}

/* TS-0003 10.1.1: one URI or one dNSName says who it is, in any case */
static void a_certificate_names_exactly_one_client(void **state)
{
	const struct {
		struct san names[2];
		size_t n;
		const char *client; /* NULL: refused */
	} rows[] = {
		{{dns("CSE2.Example.com")}, 1, CSE_B},
		{{uri("m2m://sp.example.com/cse1/Cae7")}, 1, "m2m://sp.example.com/cse1/Cae7"},
		{{{.kind = SAN_DNS}}, 0, NULL},
		{{dns(CSE_B), dns("cse3.example.com")}, 2, NULL},
		{{dns(CSE_B), uri("m2m://sp.example.com/cse1/Cae7")}, 2, NULL},
		{{dns("*.example.com")}, 1, NULL},
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena arena OWNED_ARENA = ARENA(DOC_ARENA_MAX);
		struct got g OWNED_GOT = {0};
		certify(w, rows[i].names, rows[i].n);
		const struct call call = call_of(CALL_POST, "/maf/clientReg", CLIENT, mef_peer(w->m, PEER_OWN, &w->cert_b));
		mef_call(w->m, &call, &g);
		if (g.status != (rows[i].client ? 201 : 403))
			fail_msg("row %zu: %u %s", i, (unsigned int)g.status, buf_text(&g.body));
		if (rows[i].client)
			assert_string_equal(client_in(&g, DOC_JSON, &arena).client_id, rows[i].client);
		else
			expect_refusal(&g, 403, CODE_MAF_PEER);
	}
}

/* A session may be older than the end of what opened it. RFC 5280 4.1.2.5, TS-0003 10.7 */
static void a_session_ends_with_its_credential(void **state)
{
	struct world *w = *state;
	struct got g OWNED_GOT = {0};
	struct call call = call_of(CALL_POST, "/maf/clientReg", CLIENT, peer_b(w));

	w->m->now_s = MEF_NOW_S + 3600;
	answered(w, &call, 201, &g);
	w->m->now_s++;
	refused(w, &call, 403, CODE_MAF_PEER_EXPIRED);
	call.peer = peer_a(w);
	w->m->now_s = MEF_NOW_S + MEF_YEAR_S;
	refused(w, &call, 403, CODE_MAF_PEER_EXPIRED);
}

static void nobody_speaks_for_another(void **state)
{
	struct world *w = *state;
	struct got g OWNED_GOT = {0};
	struct call call = call_of(CALL_POST, "/maf/clientReg", CLIENT, peer_a(w));

	call.origin = span_text(CSE_B);
	refused(w, &call, 403, CODE_MAF_ORIGIN);
	assert_int_equal(w->m->strangers, 0);
	call.origin = span_text("CSE1.example.com");
	answered(w, &call, 201, &g);
}

static void paths_methods_and_media(void **state)
{
	static const struct {
		enum call_method method;
		const char *path, *media;
		unsigned int status;
	} rows[] = {
		{CALL_GET, "/maf/clientReg", JSON, 405},
		{CALL_PUT, "/maf/clientReg", JSON, 405},
		{CALL_GET, "/maf/clientReg/" RELATIVE, JSON, 405},
		{CALL_POST, "/maf/clientReg/" RELATIVE, JSON, 405},
		{CALL_DELETE, "/maf/symmKeyReg", JSON, 405},
		{CALL_POST, "/maf/symmKeyReg/" RELATIVE, JSON, 405},
		{CALL_HEAD, "/maf/symmKeyReg/" RELATIVE, JSON, 405},
		{CALL_POST, "/maf/", JSON, 404},
		{CALL_POST, "/maf/elsewhere", JSON, 404},
		{CALL_POST, "/enrolment", JSON, 404},
		{CALL_POST, "/maf/clientReg", "text/plain", 415},
		{CALL_POST, "/maf/symmKeyReg", "text/plain", 415},
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct got g OWNED_GOT = {0};
		struct call call = call_of(rows[i].method, rows[i].path, CLIENT, peer_a(w));
		call.media_type = span_text(rows[i].media);
		mef_call(w->m, &call, &g);
		if (g.status != rows[i].status)
			fail_msg("%s: want %u, have %u %s", rows[i].path, rows[i].status, (unsigned int)g.status, buf_text(&g.body));
	}
}

static void bodies_that_do_not_fit_are_refused_by_field(void **state)
{
	static const struct {
		enum call_method method;
		const char *path, *body;
		unsigned int status;
	} rows[] = {
		{CALL_POST, "/maf/clientReg", "{", 400},
		{CALL_POST, "/maf/clientReg", "{}", 400},
		{CALL_PUT, "/maf/clientReg/" RELATIVE, "[]", 400},
		{CALL_POST, "/maf/symmKeyReg", CLIENT, 400},
		{CALL_POST, "/maf/symmKeyReg", "{\"keyValue\":\"AAAA\",\"keyValue\":\"AAAA\"}", 400},
		{CALL_PUT, "/maf/symmKeyReg/" RELATIVE, "{\"SUID\":\"x\"}", 400},
		{CALL_PUT, "/maf/symmKeyReg/" RELATIVE, "{\"labels\":[\"a\"]}", 404},
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct got g OWNED_GOT = {0};
		const struct call call = call_of(rows[i].method, rows[i].path, rows[i].body, peer_a(w));
		mef_call(w->m, &call, &g);
		if (g.status != rows[i].status)
			fail_msg("row %zu: want %u, have %u %s", i, rows[i].status, (unsigned int)g.status, buf_text(&g.body));
	}
}

/* TS-0003 10.3.1: a session without an exporter gives no key; one of the client's own needs none */
static void a_session_without_an_exporter_gives_no_key(void **state)
{
	struct world *w = *state;
	struct got g OWNED_GOT = {0};
	struct call call = call_of(CALL_POST, "/maf/symmKeyReg", KEY, peer_a(w));

	call.peer.exported = (struct span){NULL, 0};
	refused(w, &call, 403, CODE_MAF_EXPORT);
	call.body = span_text("{\"keyValue\":\"MDEyMzQ1Njc4OWFiY2RlZg==\"," LATER ",\"SUID\":32,\"adminFQDN\":\"admin.example.com\","
		"\"targetIDs\":[\"" CSE_B "\"]}");
	answered(w, &call, 201, &g);
}

static enum err broken_find(void *self, enum symkey_kind kind, const char *id, struct arena *arena, struct symkey *out,
	struct why *why)
{
	return WHY(why, STORE_IO, "", "row: injected");
}

static enum err broken_begin(void *self, struct why *why)
{
	return WHY(why, STORE_IO, "", "begin: injected");
}

/* No detail of our own fault leaves the house, and nobody is a stranger for it. */
static void a_fault_of_ours_is_no_refusal(void **state)
{
	struct world *w = *state;
	struct store_ops find = *w->m->store->ops, begin = *w->m->store->ops;
	const struct store_ops *whole = w->m->store->ops;
	const struct {
		const struct store_ops *ops;
		struct call call;
	} rows[] = {
		{&find, call_of(CALL_POST, "/maf/clientReg", CLIENT, peer_a(w))},
		{&begin, call_of(CALL_POST, "/maf/clientReg", CLIENT, peer_b(w))},
		{&begin, call_of(CALL_POST, "/maf/symmKeyReg", KEY, peer_a(w))},
		{&find, call_of(CALL_GET, "/maf/symmKeyReg/" RELATIVE, "", peer_b(w))},
	};

	find.symkey_find = broken_find;
	begin.begin = broken_begin;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct got g OWNED_GOT = {0};
		w->m->store->ops = rows[i].ops;
		mef_call(w->m, &rows[i].call, &g);
		expect_refusal(&g, 503, CODE_STORE_IO);
		assert_null(strstr(buf_text(&g.body), "injected"));
		assert_int_equal(g.retry_after_s, 30);
	}
	assert_int_equal(w->m->faults, 4);
	assert_int_equal(w->m->strangers, 0);
	w->m->store->ops = whole;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_client_registers_changes_and_leaves),
		TEST(a_key_goes_to_its_target_and_to_nobody_else),
		TEST(who_did_no_maf_handshake_is_not_read),
		TEST(a_certificate_names_exactly_one_client),
		TEST(a_session_ends_with_its_credential),
		TEST(nobody_speaks_for_another),
		TEST(paths_methods_and_media),
		TEST(bodies_that_do_not_fit_are_refused_by_field),
		TEST(a_session_without_an_exporter_gives_no_key),
		TEST(a_fault_of_ours_is_no_refusal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
