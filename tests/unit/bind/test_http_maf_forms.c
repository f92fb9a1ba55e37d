/* The MAF's resources over HTTP: every path with every method, both forms, every wrong field; keys leave no trace. */
#include "bind/route.h"

#include "adapt/store/memory.h"
#include "core/keys/psk.h"
#include "core/maf/maf.h"
#include "pki/build.h"
#include "proto/m2m/derive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define RELATIVE "000102030405060708090A0B0C0D0E0F"
#define KEID "0102030405060708090A0B0C0D0E0F10@mef.example.com"
#define AE "https://pump.example.com/Cpump"
#define CSE "cse-b.example.com"
#define CLIENTS "/maf/clientReg"
#define KEYS "/maf/symmKeyReg"
#define CLIENT_JSON "{\"adminFQDN\":\"admin.example.com\",\"expirationTime\":\"20270201T000000\"}"
#define CLIENT_XML "<mafClientReg><adminFQDN>admin.example.com</adminFQDN><expirationTime>20270201T000000</expirationTime></mafClientReg>"
#define KEY_JSON "{\"adminFQDN\":\"admin.example.com\",\"expirationTime\":\"20270120T000000\",\"SUID\":32,\"targetIDs\":[\"" CSE "\"]}"
#define KEY_XML "<symmKeyReg><adminFQDN>admin.example.com</adminFQDN><expirationTime>20270120T000000</expirationTime><SUID>32</SUID>" \
	"<targetIDs>" CSE "</targetIDs></symmKeyReg>"
/* base64 of 32 times 'K' */
#define OWN_VALUE "S0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0s="

enum { NOW_S = 1800000000, DAY_S = 86400, KM_LIFE_S = 30 * DAY_S, BODY_MAX = 65536, TEXT_MAX = 512 };

/* A MAF in memory. The AE is its client by Km, whose KmId is in kmid; the CSE by certificate. */
struct world {
	int64_t now_s;
	uint32_t random_n;
	struct clock clock;
	struct store *store;
	struct batch *batch;
	struct secret seal_key;
	struct vault vault;
	struct psk_decoy decoy;
	struct mef mef;
	struct maf *maf;
	struct bind_env env;
	char kmid[M2M_KEYID_SIZE];
	uint8_t exported[M2M_EXPORT_SIZE];
	struct key *key;
	struct buf cert;
};

static int64_t unix_s(void *self)
{
	return ((struct world *)self)->now_s;
}

static int64_t mono_ms(void *self)
{
	return 1000 * ((struct world *)self)->now_s;
}

static enum err fill(void *self, uint8_t *out, size_t n, struct why *why)
{
	struct world *w = self;

	(void)why;
	w->random_n++;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(0x30 + (i < 4 ? w->random_n >> (8 * i) : i));
	return OK;
}

static void give_km(void *self, const char *keid, unsigned int suid, mef_done done, void *arg)
{
	struct mef_key key = {.key = {.n = M2M_KEY_SIZE}, .enrolee_id = AE, .lifetime_s = KM_LIFE_S};
	const struct why none = {0};

	(void)self;
	assert_string_equal(keid, KEID);
	assert_int_equal(suid, SUID_RSPF_MAF);
	done(arg, OK, &key, &none);
}

static void on_km(void *arg, const struct secret *key)
{
	*(unsigned int *)arg += key->n == M2M_KEY_SIZE;
}

static void first_contact(struct world *w)
{
	struct arena arena OWNED_ARENA = ARENA(65536);
	struct maf_peer peer = {0};
	struct why why = {0};
	unsigned int told = 0;

	maf_psk(w->maf, span_text(KEID), on_km, &told);
	batch_flush(w->batch);
	assert_int_equal(told, 1);
	assert_int_equal(maf_peer_by_psk(w->maf, span_text(KEID), &arena, &peer, &why), OK);
	snprintf(w->kmid, sizeof(w->kmid), "%s", peer.key_id);
}

/* Self-signed: which CA made it is what the front has found out. */
static void make_cert(struct world *w)
{
	struct buf subject OWNED_BUF = BUF(NAME_DER_MAX);
	struct buf spki OWNED_BUF = BUF(1024);
	struct buf sans OWNED_BUF = BUF(4096);
	const struct san_list list = {.n = 1, .items = {{.kind = SAN_DNS, .value = {(const uint8_t *)CSE, sizeof(CSE) - 1}}}};
	struct why why = {0};

	w->cert = BUF(16384);
	assert_int_equal(name_write_cn("client", NULL, &subject, &why), OK);
	assert_int_equal(key_write_spki(w->key, &spki, &why), OK);
	assert_int_equal(san_write(&list, &sans, &why), OK);
	const struct cert_plan plan = {
		.serial = span_text("\x11\x22\x33\x44\x55\x66\x77\x77"),
		.issuer = buf_span(&subject),
		.subject = buf_span(&subject),
		.spki = buf_span(&spki),
		.not_before_s = NOW_S - DAY_S,
		.not_after_s = NOW_S + 60 * DAY_S,
		.path_len = -1,
		.key_usage = KU_DIGITAL_SIGNATURE,
		.sans = buf_span(&sans),
	};
	if (cert_build(&plan, w->key, &w->cert, &why) != OK)
		fail_msg("certificate: %s", why.text);
}

static void make_maf(struct world *w)
{
	const struct maf_env env = {.store = w->store, .batch = w->batch, .clock = &w->clock, .vault = &w->vault, .decoy = &w->decoy,
		.mef = &w->mef, .fqdn = "maf.example.com"};

	w->maf = maf_new(&env);
	assert_non_null(w->maf);
	w->env = (struct bind_env){.realm = BIND_MAF, .enrol = {w->store, w->batch, NULL, &w->clock}, .maf = w->maf,
		.random = w->vault.random};
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct why why = {0};

	assert_non_null(w);
	w->now_s = NOW_S;
	w->clock = (struct clock){w, unix_s, mono_ms};
	w->store = store_memory_new();
	w->batch = batch_new(w->store);
	w->seal_key.n = 32;
	w->vault = (struct vault){.store = w->store, .seal_key = &w->seal_key, .random = {w, fill}};
	w->mef = (struct mef){w, give_km};
	assert_int_equal(psk_decoy_init(&w->decoy, &w->vault, &why), OK);
	assert_int_equal(key_new(KEY_P256, &w->key, &why), OK);
	for (size_t i = 0; i < sizeof(w->exported); i++)
		w->exported[i] = (uint8_t)i;
	make_maf(w);
	make_cert(w);
	first_contact(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	maf_free(w->maf);
	batch_free(w->batch);
	w->store->ops->free(w->store->self);
	psk_decoy_wipe(&w->decoy);
	key_free(w->key);
	buf_fini(&w->cert);
	free(w);
	return 0;
}

/* ---- calls */

struct got {
	unsigned int calls, status;
	char media_type[CALL_MEDIA_MAX];
	char body[BODY_MAX];
};

static struct got got;

static void take_reply(void *arg, const struct reply *reply)
{
	(void)arg;
	got.calls++;
	got.status = reply->status;
	memcpy(got.media_type, reply->media_type, sizeof(got.media_type));
	assert_true(reply->body.n < BODY_MAX);
	memcpy(got.body, reply->body.p ? reply->body.p : (const uint8_t *)"", reply->body.n);
	got.body[reply->body.n] = '\0';
	assert_int_equal(reply->max_age_s, 0); /* never in a cache */
}

static struct peer by_km(const struct world *w)
{
	return (struct peer){.trust = PEER_PSK, .tls_version = 0x0303, .identity = span_text(w->kmid),
		.exported = span_of(w->exported, sizeof(w->exported)), .address = "192.0.2.1"};
}

static struct peer by_certificate(const struct world *w)
{
	return (struct peer){.trust = PEER_OWN, .tls_version = 0x0304, .leaf = buf_span(&w->cert), .address = "192.0.2.2"};
}

struct ask {
	enum call_method method;
	const char *path, *media, *body, *accept, *origin;
};

static void ask_as(struct world *w, const struct peer *peer, const struct ask *a)
{
	const struct call call = {.method = a->method, .path = span_text(a->path), .media_type = span_text(a->media ? a->media : ""),
		.body = span_text(a->body ? a->body : ""), .accept = span_text(a->accept ? a->accept : ""),
		.origin = span_text(a->origin ? a->origin : ""), .peer = *peer};

	memset(&got, 0, sizeof(got));
	bind_call(&w->env, &call, take_reply, NULL);
	batch_flush(w->batch);
	assert_int_equal(got.calls, 1);
}

static void ask(struct world *w, enum call_method method, const char *path, const char *body)
{
	const struct peer peer = by_km(w);
	const struct ask a = {.method = method, .path = path, .media = body ? "application/json" : NULL, .body = body};

	ask_as(w, &peer, &a);
}

static void want_status(const char *what, unsigned int status)
{
	if (got.status != status)
		fail_msg("%s: want %u, have %u %s", what, status, got.status, got.body);
}

static void want_text(const char *text)
{
	if (!strstr(got.body, text))
		fail_msg("want '%s' in the body, have %s", text, got.body);
}

static void want_refusal(unsigned int status, enum code code, const char *clause)
{
	char text[32];

	snprintf(text, sizeof(text), "OMEF-%d:", (int)code);
	want_status(text, status);
	assert_string_equal(got.media_type, "text/plain; charset=utf-8");
	want_text(text);
	want_text(clause);
}

/* The value of a field of the JSON in the body. */
static void field(const char *name, char out[TEXT_MAX])
{
	char mark[64];

	snprintf(mark, sizeof(mark), "\"%s\":\"", name);
	const char *at = strstr(got.body, mark);
	if (!at)
		fail_msg("want %s in the body, have %s", name, got.body);
	at += strlen(mark);
	snprintf(out, TEXT_MAX, "%.*s", (int)strcspn(at, "\""), at);
}

/* ---- routes */

static void clients_register_change_and_go_in_both_forms(void **state)
{
	static const struct {
		const char *media, *body, *accept, *answer, *holds;
	} rows[] = {
		{"application/json", CLIENT_JSON, "", "application/json", "\"clientID\":\"" AE "\""},
		{"application/json; charset=utf-8", CLIENT_JSON, "*/*", "application/json", "\"adminFQDN\":\"admin.example.com\""},
		{"application/xml", CLIENT_XML, "", "application/xml", "<clientID>" AE "</clientID>"},
		{"application/json", CLIENT_JSON, "application/xml", "application/xml", "<expirationTime>20270201T000000"},
		{"application/xml", CLIENT_XML, "application/json", "application/json", "\"assignedSymmKeyID\":\""},
	};
	struct world *w = *state;
	const struct peer peer = by_km(w);
	char path[TEXT_MAX + 32], id[TEXT_MAX];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct ask a = {CALL_POST, CLIENTS, rows[i].media, rows[i].body, rows[i].accept, AE};
		ask_as(w, &peer, &a);
		want_status(rows[i].holds, 201);
		assert_string_equal(got.media_type, rows[i].answer);
		want_text(rows[i].holds);
	}
	field("clientRegID", id);
	snprintf(path, sizeof(path), CLIENTS "/%s", id);
	ask(w, CALL_PUT, path, "{\"labels\":[\"hall 3\"]}");
	want_status("update", 200);
	assert_string_equal(got.body, "{\"labels\":[\"hall 3\"]}");
	ask(w, CALL_DELETE, path, NULL);
	want_status("removal", 200);
	assert_string_equal(got.body, "");
	ask(w, CALL_DELETE, path, NULL);
	want_refusal(404, CODE_MAF_NO_CLIENT, "TS-0003 8.8.2.5");
}

static void keys_are_registered_handed_out_changed_and_removed_in_both_forms(void **state)
{
	struct world *w = *state;
	const struct peer ae = by_km(w), cse = by_certificate(w);

	for (int xml = 0; xml < 2; xml++) {
		const char *media = xml ? "application/xml" : "application/json";
		w->exported[15] = (uint8_t)(0x0F + xml);
		const char *path = xml ? KEYS "/000102030405060708090A0B0C0D0E10" : KEYS "/" RELATIVE;
		const struct ask enter = {CALL_POST, KEYS, media, xml ? KEY_XML : KEY_JSON, NULL, NULL};
		const struct ask fetch = {CALL_GET, path, NULL, NULL, media, CSE};
		const struct ask change = {CALL_PUT, path, media, xml ? "<symmKeyReg><labels>a</labels></symmKeyReg>" : "{\"labels\":[\"a\"]}", NULL, NULL};
		const struct ask gone = {.method = CALL_DELETE, .path = path};
		ask_as(w, &ae, &enter);
		want_status("registration", 201);
		want_text(xml ? "<sourceClientID>" AE : "\"sourceClientID\":\"" AE);
		assert_null(strstr(got.body, "keyValue"));
		ask_as(w, &cse, &fetch);
		want_status("retrieval", 200);
		assert_string_equal(got.media_type, media);
		want_text(xml ? "<keyValue>EBESExQV" : "\"keyValue\":\"EBESExQV");
		assert_null(strstr(got.body, "targetIDs"));
		ask_as(w, &ae, &change);
		want_status("update", 200);
		assert_null(strstr(got.body, "relativeKeyID"));
		want_text(xml ? "<labels>a</labels>" : "{\"labels\":[\"a\"]}");
		ask_as(w, &ae, &fetch);
		want_refusal(403, CODE_MAF_ORIGIN, "TS-0003 8.8.2");
		ask_as(w, &cse, &gone);
		want_refusal(404, CODE_MAF_NO_KEY, "TS-0003 8.8.2.9");
		ask_as(w, &ae, &gone);
		want_status("removal", 200);
		ask_as(w, &cse, &fetch);
		want_refusal(404, CODE_MAF_NO_KEY, "TS-0003 8.8.2.9");
	}
}

static void methods_and_paths(void **state)
{
	static const struct {
		const char *path;
		enum call_method fits[4];
	} rows[] = {
		{CLIENTS, {CALL_POST}},
		{CLIENTS "/abc", {CALL_PUT, CALL_DELETE}},
		{KEYS, {CALL_POST}},
		{KEYS "/" RELATIVE, {CALL_GET, CALL_PUT, CALL_DELETE}},
	};
	static const enum call_method methods[] = {CALL_GET, CALL_HEAD, CALL_POST, CALL_PUT, CALL_DELETE};
	static const char *const nowhere[] = {"/maf", "/maf/", "/maf/clientRegs", "/maf/clientreg", "/maf/other/x"};
	static const char *const malformed[] = {CLIENTS "/", CLIENTS "/a/b", KEYS "/" RELATIVE "0", KEYS "/a%20b"};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t k = 0; k < sizeof(methods) / sizeof(methods[0]); k++) {
			bool fits = false;
			for (size_t j = 0; j < 4 && rows[i].fits[j]; j++)
				fits |= rows[i].fits[j] == methods[k];
			ask(w, methods[k], rows[i].path, "{}");
			if ((got.status == 405) == fits)
				fail_msg("%s with method %d: %u %s", rows[i].path, (int)methods[k], got.status, got.body);
		}
	}
	for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
		ask(w, CALL_GET, nowhere[i], NULL);
		want_status(nowhere[i], 404);
	}
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		ask(w, CALL_DELETE, malformed[i], NULL);
		want_refusal(400, CODE_M2M_PATH_SYNTAX, "TS-0003 12.2");
	}
}

static void bodies_of_another_kind_are_not_read(void **state)
{
	static const char *const medias[] = {"text/plain", "application/cbor", "application/x-www-form-urlencoded"};
	struct world *w = *state;
	const struct peer peer = by_km(w);

	for (size_t i = 0; i < sizeof(medias) / sizeof(medias[0]); i++) {
		const struct ask a = {CALL_POST, i % 2 ? KEYS : CLIENTS, medias[i], CLIENT_JSON, NULL, NULL};
		ask_as(w, &peer, &a);
		want_refusal(415, CODE_DOC_MEDIA, medias[i]);
	}
}

static void wrong_fields_are_refused_with_their_clause(void **state)
{
	static const struct {
		const char *path, *body, *clause, *text;
		unsigned int status;
	} rows[] = {
		{CLIENTS, "{}", "TS-0003 8.8.2.3", "adminFQDN", 400},
		{CLIENTS, "{\"adminFQDN\":\"not a name\",\"expirationTime\":\"20270201T000000\"}", "(", "adminFQDN", 400},
		{CLIENTS, "{\"adminFQDN\":\"a.example.com\"}", "TS-0003 8.8.2", "expirationTime", 400},
		{CLIENTS, "{\"adminFQDN\":\"a.example.com\",\"expirationTime\":\"20200101T000000\"}", "TS-0003 8.8.2", "expirationTime", 400},
		{CLIENTS, "{\"adminFQDN\":\"a.example.com\",\"expirationTime\":\"tomorrow\"}", "(TS-000", "expirationTime", 400},
		{CLIENTS, "{\"labels\":[\"\"],\"adminFQDN\":\"a.example.com\",\"expirationTime\":\"20270201T000000\"}", "", "", 201},
		{CLIENTS, "{\"labels\":[7],\"adminFQDN\":\"a.example.com\",\"expirationTime\":\"20270201T000000\"}", "TS-0003 8.8.2.3", "labels", 400},
		{KEYS, "{}", "(TS-000", "SUID", 400},
		{KEYS, "{\"adminFQDN\":\"a.example.com\",\"SUID\":22,\"expirationTime\":\"20270201T000000\",\"targetIDs\":[\"" CSE "\"]}",
			"TS-0004 6.3.4.2.39", "SUID", 400},
		{KEYS, "{\"adminFQDN\":\"a.example.com\",\"SUID\":99,\"expirationTime\":\"20270201T000000\"}", "TS-0004 6.3.4.2.39", "SUID", 400},
		{KEYS, "{\"adminFQDN\":\"a.example.com\",\"SUID\":32,\"expirationTime\":\"20270120T000000\"}", "TS-0003 8.8.2.7", "targetIDs", 400},
		{KEYS, "{\"adminFQDN\":\"a.example.com\",\"SUID\":32,\"expirationTime\":\"20270120T000000\",\"targetIDs\":[\"a.b\",\"c.d\"]}",
			"TS-0003 8.8.2.7", "targetIDs", 400},
		{KEYS, "{\"adminFQDN\":\"a.example.com\",\"SUID\":32,\"expirationTime\":\"20270120T000000\",\"targetIDs\":[\"" CSE
			"\"],\"keyValue\":\"S0tL\"}", "TS-0003 8.8.2.7", "keyValue", 400},
		{CLIENTS, "{\"adminFQDN\":", "", "", 400},
		{KEYS, "<symmKeyReg>", "", "", 400},
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask(w, CALL_POST, rows[i].path, rows[i].body);
		want_status(rows[i].body, rows[i].status);
		if (rows[i].status == 400)
			assert_string_equal(got.media_type, "text/plain; charset=utf-8");
		want_text(rows[i].clause);
		want_text(rows[i].text);
		assert_null(strstr(got.body, "S0tL"));
	}
	ask(w, CALL_PUT, KEYS "/" RELATIVE, "{}");
	want_refusal(400, CODE_MAF_FIELD, "TS-0003 8.8.2.8");
	ask(w, CALL_PUT, CLIENTS "/abc", "{}");
	want_refusal(400, CODE_MAF_FIELD, "TS-0003 8.8.2.5");
}

/* ---- keys leave no trace */

static enum err no_value(void *arg, const struct audit_row *row, struct why *why)
{
	(void)arg;
	(void)why;
	assert_null(strstr(row->event, "KKKKKKKK"));
	assert_null(strstr(row->event, "S0tLS0tL"));
	assert_null(strstr(row->event, "4B4B4B4B"));
	return OK;
}

static const uint8_t *told_at;
static size_t told_n;

static void note_place(void *arg, const struct reply *reply)
{
	take_reply(arg, reply);
	told_at = reply->body.p;
	told_n = reply->body.n;
}

/* What was given back is read on purpose: it must not hold the value any more. */
__attribute__((no_sanitize("address"))) static bool is_still_there(const char *text)
{
	const volatile uint8_t *at = told_at;
	size_t n = strlen(text), same = 0;

	for (size_t i = 0; i + n <= told_n && same < n; i++) {
		for (same = 0; same < n && at[i + same] == (uint8_t)text[same];)
			same++;
	}
	return same == n;
}

static void a_value_is_told_to_its_target_and_kept_nowhere_else(void **state)
{
	struct world *w = *state;
	const struct peer cse = by_certificate(w);
	char path[TEXT_MAX + 32], id[TEXT_MAX];
	struct why why = {0};

	ask(w, CALL_POST, KEYS, "{\"adminFQDN\":\"a.example.com\",\"SUID\":32,\"expirationTime\":\"20270120T000000\",\"targetIDs\":[\"" CSE
		"\"],\"keyValue\":\"" OWN_VALUE "\"}");
	want_status("a value of its own", 201);
	assert_null(strstr(got.body, "keyValue"));
	field("relativeKeyID", id);
	snprintf(path, sizeof(path), KEYS "/%s", id);
	const struct call call = {.method = CALL_GET, .path = span_text(path), .peer = cse};
	memset(&got, 0, sizeof(got));
	bind_call(&w->env, &call, note_place, NULL);
	batch_flush(w->batch);
	want_status("its target", 200);
	want_text("\"keyValue\":\"" OWN_VALUE "\"");
	assert_true(told_n > 0 && !is_still_there("S0tLS0tLS0tL"));
	assert_int_equal(w->store->ops->audit_list(w->store->self, 0, STORE_PAGE_MAX, no_value, NULL, &why), OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(clients_register_change_and_go_in_both_forms, setup, teardown),
		cmocka_unit_test_setup_teardown(keys_are_registered_handed_out_changed_and_removed_in_both_forms, setup, teardown),
		cmocka_unit_test_setup_teardown(methods_and_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(bodies_of_another_kind_are_not_read, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_fields_are_refused_with_their_clause, setup, teardown),
		cmocka_unit_test_setup_teardown(a_value_is_told_to_its_target_and_kept_nowhere_else, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
