/* The device's HTTPS calls by shared key against a TLS server of its own process, and what both ends export. */
#include "https_server.h"

#define HOST "mef.example.com"
#define URL "https://" HOST
#define IDENTITY "device-4711@mef.example.com"

static const uint8_t key_octets[32] = "a key of thirty-two octets here";

static int64_t now(void *self)
{
	return made_now_s;
}

static struct secret key_of(const uint8_t *octets, size_t n)
{
	struct secret s = {0};

	assert_true(secret_set(&s, span_of(octets, n)));
	return s;
}

static struct server_plan psk_plan(void)
{
	return (struct server_plan){.psk_identity = IDENTITY, .psk = key_of(key_octets, sizeof(key_octets))};
}

static struct fetch *client(const struct server *s, const char *identity, const struct secret *key)
{
	struct fetch *f = NULL;
	struct why why = {0};
	const struct fetch_config config = {.psk_identity = identity, .psk = *key, .connect = s->address, .timeout_s = 20,
		.clock = {.unix_s = now}};

	must(fetch_new(&config, &f, &why));
	return f;
}

static struct fetch *good_client(const struct server *s)
{
	const struct secret key = key_of(key_octets, sizeof(key_octets));

	return client(s, IDENTITY, &key);
}

static enum err get(struct fetch *f, const char *path, struct fetch_reply *out, struct why *why)
{
	const struct fetch_ask ask = {.method = CALL_GET, .url = path};

	fetch_reply_fini(out);
	*why = (struct why){0};
	return fetch_send(f, &ask, out, why);
}

static void expect_refused(const struct server_plan *plan, const char *identity, const struct secret *key, enum code code)
{
	struct server s OWNED_SERVER = server_start(plan);
	struct fetch *f OWNED_FETCH = client(&s, identity, key);
	struct fetch_reply reply OWNED_REPLY = {0};
	struct why why = {0};

	assert_int_not_equal(get(f, URL "/echo", &reply, &why), OK);
	if (why.code != code)
		fail_msg("want %d, have %d '%s'", (int)code, (int)why.code, why.text);
	assert_int_equal(s.counts->requests, 0);
	assert_null(strstr(why.text, "thirty-two"));
}

/* TS-0003 10.2: the mandatory suite and those beside it; RFC 8446 2.2 */
static void every_suite_with_a_shared_key_works(void **state)
{
	static const struct {
		const char *suites;
		const char *says;
	} rows[] = {
		{NULL, "TLSv1.3 sni=" HOST " client=none certs=0 suite=TLS_AES_128_GCM_SHA256\n"},
		{"PSK-AES128-CBC-SHA256", "TLSv1.2 sni=" HOST " client=none certs=0 suite=PSK-AES128-CBC-SHA256\n"},
		{"PSK-AES128-GCM-SHA256", "suite=PSK-AES128-GCM-SHA256\n"},
		{"ECDHE-PSK-AES128-CBC-SHA256", "suite=ECDHE-PSK-AES128-CBC-SHA256\n"},
		{"ECDHE-PSK-CHACHA20-POLY1305", "suite=ECDHE-PSK-CHACHA20-POLY1305\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct server_plan plan = psk_plan();
		plan.suites = rows[i].suites;
		plan.version_max = rows[i].suites ? TLS1_2_VERSION : 0;
		struct server s OWNED_SERVER = server_start(&plan);
		struct fetch *f OWNED_FETCH = good_client(&s);
		struct fetch_reply reply OWNED_REPLY = {0};
		struct why why = {0};
		if (get(f, URL "/echo", &reply, &why) != OK)
			fail_msg("%s: %s", rows[i].says, why.text);
		if (!strstr(buf_text(&reply.body), rows[i].says))
			fail_msg("want %s in %s", rows[i].says, buf_text(&reply.body));
		assert_int_equal(reply.certs_n, 0);
	}
}

static void other_suites_are_not_offered(void **state)
{
	struct server_plan plan = psk_plan();

	plan.version_max = TLS1_2_VERSION;
	plan.suites = "PSK-AES256-GCM-SHA384:DHE-PSK-AES128-GCM-SHA256";
	expect_refused(&plan, IDENTITY, &plan.psk, CODE_AGENT_PSK);
}

/* RFC 4279 2 */
static void a_wrong_key_and_a_wrong_identity_are_refused(void **state)
{
	static const long versions[] = {TLS1_2_VERSION, 0};
	struct secret other = key_of((const uint8_t *)"another key, as long as that one", 32);

	for (size_t i = 0; i < 2; i++) {
		struct server_plan plan = psk_plan();
		plan.version_max = versions[i];
		expect_refused(&plan, IDENTITY, &other, CODE_AGENT_PSK);
		plan.version_max = TLS1_2_VERSION; /* on 1.3 an unknown identity is no handshake by key at all */
		expect_refused(&plan, "somebody@mef.example.com", &plan.psk, CODE_AGENT_PSK);
	}
}

static void impostor_leaf(struct made *ca, struct made *leaf)
{
	struct buf sans OWNED_BUF = BUF(NAME_DER_MAX);

	made_ca(ca, KEY_P256, "Root", NULL);
	struct cert_plan plan = made_plan(leaf, KEY_P256, "mef");
	made_dns(&sans, HOST);
	plan.sans = buf_span(&sans);
	plan.key_usage = KU_DIGITAL_SIGNATURE;
	made_sign(leaf, &plan, ca);
}

/* Who does not hold the key cannot take its place with a certificate, not even with a good one for the name. */
static void a_server_with_a_certificate_alone_is_refused(void **state)
{
	static const struct {
		long version;
		enum code code;
	} rows[] = {{TLS1_2_VERSION, CODE_AGENT_PSK}, {TLS1_3_VERSION, CODE_AGENT_PSK_SERVER}, {0, CODE_AGENT_PSK_SERVER}};
	struct made ca OWNED_MADE = {0};
	struct made leaf OWNED_MADE = {0};
	const struct secret key = key_of(key_octets, sizeof(key_octets));

	impostor_leaf(&ca, &leaf);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct server_plan plan = {.chain = {&leaf}, .version_max = rows[i].version};
		expect_refused(&plan, IDENTITY, &key, rows[i].code);
		/* nor one that knows other keys */
		plan.psk_identity = "somebody@mef.example.com";
		plan.psk = key;
		expect_refused(&plan, IDENTITY, &key, rows[i].code);
	}
}

/* One listener serves both kinds of clients. */
static void a_server_with_certificate_and_key_is_spoken_to_by_key(void **state)
{
	struct made ca OWNED_MADE = {0};
	struct made leaf OWNED_MADE = {0};
	static const long versions[] = {TLS1_2_VERSION, 0};

	impostor_leaf(&ca, &leaf);
	for (size_t i = 0; i < 2; i++) {
		struct server_plan plan = psk_plan();
		plan.chain[0] = &leaf;
		plan.version_max = versions[i];
		struct server s OWNED_SERVER = server_start(&plan);
		struct fetch *f OWNED_FETCH = good_client(&s);
		struct fetch_reply reply OWNED_REPLY = {0};
		struct why why = {0};
		assert_int_equal(get(f, URL "/echo", &reply, &why), OK);
		assert_int_equal(reply.certs_n, 0);
	}
}

static void both_ends_export_the_same(struct server_plan *plan)
{
	struct server s OWNED_SERVER = server_start(plan);
	struct fetch *f OWNED_FETCH = good_client(&s);
	struct fetch_reply reply OWNED_REPLY = {0};
	struct why why = {0};
	const struct fetch_ask ask = {.method = CALL_GET, .url = URL "/export",
		.labels = {"EXPORTER-oneM2M-Bootstrap", "EXPERIMENTAL-OpenMEF-ReAuthentication"}, .labels_n = 2};
	char hex[2 * FETCH_EXPORT_SIZE + 1];

	must(fetch_send(f, &ask, &reply, &why));
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(reply.exported[i].n, FETCH_EXPORT_SIZE);
		hex_text(reply.exported[i].bytes, FETCH_EXPORT_SIZE, hex);
		assert_memory_equal(hex, buf_text(&reply.body) + i * sizeof(hex), sizeof(hex) - 1);
	}
	assert_memory_not_equal(reply.exported[0].bytes, reply.exported[1].bytes, FETCH_EXPORT_SIZE);
	/* a call that does not ask has none */
	must(get(f, URL "/export", &reply, &why));
	assert_int_equal(reply.exported[0].n, 0);
	assert_int_equal(s.counts->connections, 1);
}

/* RFC 5705 4, TS-0003 10.3.1 */
static void exported_keys_are_equal_at_both_ends(void **state)
{
	static const char *const suites[] = {"PSK-AES128-CBC-SHA256", "ECDHE-PSK-CHACHA20-POLY1305", NULL};

	for (size_t i = 0; i < 3; i++) {
		struct server_plan plan = psk_plan();
		plan.suites = suites[i];
		plan.version_max = suites[i] ? TLS1_2_VERSION : 0;
		both_ends_export_the_same(&plan);
	}
}

static void export_of(struct fetch *f, const char *path, struct secret *out)
{
	struct fetch_reply reply OWNED_REPLY = {0};
	struct why why = {0};
	const struct fetch_ask ask = {.method = CALL_GET, .url = path, .labels = {"EXPORTER-oneM2M-Bootstrap"}, .labels_n = 1};

	must(fetch_send(f, &ask, &reply, &why));
	*out = reply.exported[0];
}

static void exported_keys_are_those_of_the_session_of_the_call(void **state)
{
	struct server_plan plan = psk_plan();
	struct server s OWNED_SERVER = server_start(&plan);
	struct fetch *f OWNED_FETCH = good_client(&s);
	struct secret first OWNED_SECRET = {0};
	struct secret again OWNED_SECRET = {0};
	struct secret later OWNED_SECRET = {0};

	export_of(f, URL "/echo", &first);
	export_of(f, URL "/close", &again);
	export_of(f, URL "/echo", &later);
	assert_int_equal(s.counts->connections, 2);
	assert_true(secret_equal(secret_span(&first), secret_span(&again)));
	assert_false(secret_equal(secret_span(&first), secret_span(&later)));
}

/* RFC 7627 5.4 */
static void without_extended_master_secret_nothing_is_exported(void **state)
{
	struct server_plan plan = psk_plan();
	struct fetch_reply reply OWNED_REPLY = {0};
	struct why why = {0};
	const struct fetch_ask ask = {.method = CALL_GET, .url = URL "/echo", .labels = {"EXPORTER-oneM2M-Bootstrap"}, .labels_n = 1};

	plan.no_master_secret = true;
	plan.version_max = TLS1_2_VERSION;
	struct server s OWNED_SERVER = server_start(&plan);
	struct fetch *f OWNED_FETCH = good_client(&s);
	must(get(f, URL "/echo", &reply, &why)); /* whoever asks for no key may go on */
	fetch_reply_fini(&reply);
	assert_int_equal(fetch_send(f, &ask, &reply, &why), ERR_UNSUPPORTED);
	assert_int_equal(why.code, CODE_AGENT_EMS);
	assert_int_equal(reply.exported[0].n, 0);
}

static void expect_echo(struct fetch *f, const struct fetch_ask *ask, const char *const *parts)
{
	struct fetch_reply reply OWNED_REPLY = {0};
	struct why why = {0};

	must(fetch_send(f, ask, &reply, &why));
	for (size_t i = 0; parts[i]; i++) {
		if (!strstr(buf_text(&reply.body), parts[i]))
			fail_msg("want %s in %s", parts[i], buf_text(&reply.body));
	}
	assert_null(strstr(buf_text(&reply.body), "Content-Transfer-Encoding"));
}

static void methods_and_origin_reach_the_server(void **state)
{
	struct server_plan plan = psk_plan();
	struct server s OWNED_SERVER = server_start(&plan);
	struct fetch *f OWNED_FETCH = good_client(&s);
	struct fetch_ask ask = {.url = URL "/echo", .origin = "cse1.m2m.example.com"};

	ask.method = CALL_DELETE;
	expect_echo(f, &ask, (const char *const[]){"DELETE /echo ", "X-M2M-Origin: cse1.m2m.example.com\r\n", NULL});
	ask.method = CALL_PUT;
	ask.media_type = "application/json";
	ask.body = span_text("{}");
	expect_echo(f, &ask, (const char *const[]){"PUT /echo ", "Content-Type: application/json\r\n", "\r\n\r\n{}", NULL});
	ask.method = CALL_POST;
	expect_echo(f, &ask, (const char *const[]){"POST /echo ", "\r\n\r\n{}", NULL});
	ask = (struct fetch_ask){.method = CALL_GET, .url = URL "/echo"};
	expect_echo(f, &ask, (const char *const[]){"GET /echo ", NULL});
	assert_int_equal(s.counts->connections, 1);
}

static void an_origin_that_would_end_its_header_is_refused(void **state)
{
	struct server_plan plan = psk_plan();
	struct server s OWNED_SERVER = server_start(&plan);
	struct fetch *f OWNED_FETCH = good_client(&s);
	struct fetch_reply reply OWNED_REPLY = {0};
	struct why why = {0};
	char longest[FETCH_ORIGIN_MAX + 2];
	struct fetch_ask ask = {.method = CALL_GET, .url = URL "/echo", .origin = "a\r\nX-Admin: 1"};

	assert_int_equal(fetch_send(f, &ask, &reply, &why), ERR_SYNTAX);
	memset(longest, 'a', sizeof(longest) - 1);
	longest[FETCH_ORIGIN_MAX + 1] = '\0';
	ask.origin = longest;
	why_clear(&why);
	assert_int_equal(fetch_send(f, &ask, &reply, &why), ERR_SYNTAX);
	assert_int_equal(s.counts->connections, 0);
	longest[FETCH_ORIGIN_MAX] = '\0';
	why_clear(&why);
	must(fetch_send(f, &ask, &reply, &why));
}

static void identities_and_keys_past_their_bounds_are_refused(void **state)
{
	char identity[FETCH_IDENTITY_SIZE + 1];
	struct fetch *f OWNED_FETCH = NULL;
	struct fetch_config config = {.psk_identity = identity, .clock = {.unix_s = now}};
	struct why why = {0};

	memset(identity, 'a', sizeof(identity) - 1);
	identity[FETCH_IDENTITY_SIZE] = '\0';
	assert_int_equal(fetch_new(&config, &f, &why), ERR_SYNTAX);
	identity[FETCH_IDENTITY_SIZE - 1] = '\0';
	why_clear(&why);
	assert_int_equal(fetch_new(&config, &f, &why), ERR_SYNTAX); /* no key */
	assert_non_null(strstr(why.text, "have none"));
	config.psk.n = 1;
	why_clear(&why);
	must(fetch_new(&config, &f, &why));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_suite_with_a_shared_key_works),
		cmocka_unit_test(other_suites_are_not_offered),
		cmocka_unit_test(a_wrong_key_and_a_wrong_identity_are_refused),
		cmocka_unit_test(a_server_with_a_certificate_alone_is_refused),
		cmocka_unit_test(a_server_with_certificate_and_key_is_spoken_to_by_key),
		cmocka_unit_test(exported_keys_are_equal_at_both_ends),
		cmocka_unit_test(exported_keys_are_those_of_the_session_of_the_call),
		cmocka_unit_test(without_extended_master_secret_nothing_is_exported),
		cmocka_unit_test(methods_and_origin_reach_the_server),
		cmocka_unit_test(an_origin_that_would_end_its_header_is_refused),
		cmocka_unit_test(identities_and_keys_past_their_bounds_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
