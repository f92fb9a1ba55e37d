#include "proto/m2m/maf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEX "000102030405060708090A0B0C0D0E0F"

static struct arena arena;

static int fresh_arena(void **state)
{
	(void)state;
	arena = ARENA(DOC_ARENA_MAX);
	return 0;
}

static int drop_arena(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static void good(enum err err, const struct why *why)
{
	if (err != OK)
		fail_msg("%s (%s)", why->text, why->clause);
}

static void paths_name_registrations_and_keys(void **state)
{
	static const struct {
		const char *path;
		enum maf_path kind;
		const char *id;
	} cases[] = {{"/maf/clientReg", MAF_PATH_CLIENTS, ""}, {"/maf/clientReg/A.b_c-1", MAF_PATH_CLIENT, "A.b_c-1"}, {"/maf/symmKeyReg", MAF_PATH_KEYS, ""},
		{"/maf/symmKeyReg/000102030405060708090a0b0c0d0e0f", MAF_PATH_KEY, HEX}, {"/maf/symmKeyReg/" HEX, MAF_PATH_KEY, HEX}};
	static const struct {
		const char *path;
		enum err err;
	} bad[] = {{"", ERR_NOT_FOUND}, {"/maf/", ERR_NOT_FOUND}, {"/maf", ERR_NOT_FOUND}, {"/maf/x", ERR_NOT_FOUND}, {"/maf/clientreg", ERR_NOT_FOUND},
		{"/mafxclientReg", ERR_NOT_FOUND}, {"/maf//clientReg", ERR_NOT_FOUND}, {"/maf/clientReg/", ERR_SYNTAX}, {"/maf/clientReg/a/", ERR_SYNTAX},
		{"/maf/clientReg/a%41", ERR_SYNTAX}, {"/maf/symmKeyReg/a b", ERR_SYNTAX}, {"/maf/symmKeyReg/" HEX "0", ERR_SYNTAX}};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum maf_path kind = 0;
		char id[MAF_ID_SIZE];
		struct why why = {0};
		good(maf_path_parse(span_text(cases[i].path), &kind, id, &why), &why);
		assert_int_equal(kind, cases[i].kind);
		assert_string_equal(id, cases[i].id);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		enum maf_path kind = 0;
		char id[MAF_ID_SIZE];
		struct why why = {0};
		if (maf_path_parse(span_text(bad[i].path), &kind, id, &why) != bad[i].err)
			fail_msg("'%s': %s", bad[i].path, why.text);
		assert_string_equal(id, "");
	}
}

static void same_texts(const struct maf_texts *a, const struct maf_texts *b)
{
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++)
		assert_string_equal(a->items[i], b->items[i]);
}

/* TS-0003 8.8.2.3: client registration */
static void client_registrations_are_read_as_written_in_both_forms(void **state)
{
	static const struct maf_client cases[] = {
		{.id = "1", .client_id = "cse2.example.com", .key_id = HEX "@maf.example.com", .admin_fqdn = "admin.example.com", .expires_s = 1412335232,
			.has_labels = true, .labels = {{"one", "two & <three>"}, 2}},
		{.id = "", .client_id = "", .key_id = "", .admin_fqdn = "", .expires_s = 0, .has_labels = true, .labels = {{0}, 0}},
		{.id = "", .client_id = "", .key_id = "name@maf", .admin_fqdn = "a", .expires_s = 1, .has_labels = true, .labels = {{"one"}, 1}},
		{.id = "", .client_id = "", .key_id = "", .admin_fqdn = "a", .expires_s = 1}};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (enum doc_form form = DOC_JSON; form <= DOC_XML; form++) {
			struct buf out OWNED_BUF = BUF(4096);
			struct maf_client back;
			struct why why = {0};
			good(maf_client_write(&cases[i], form, &out, &why), &why);
			good(maf_client_parse(form, buf_span(&out), &arena, &back, &why), &why);
			assert_string_equal(back.id, cases[i].id);
			assert_string_equal(back.client_id, cases[i].client_id);
			assert_string_equal(back.key_id, cases[i].key_id);
			assert_string_equal(back.admin_fqdn, cases[i].admin_fqdn);
			assert_true(back.expires_s == cases[i].expires_s);
			assert_int_equal(back.has_labels, cases[i].has_labels);
			same_texts(&back.labels, &cases[i].labels);
		}
	}
}

/* TS-0003 8.8.2.7: key registration */
static void key_registrations_are_read_as_written_in_both_forms(void **state)
{
	struct maf_key cases[] = {
		{.relative_id = HEX, .source_id = "cse1.example.com", .admin_fqdn = "admin.example.com", .suid = 32, .expires_s = 1412335232, .has_labels = true,
			.has_targets = true, .labels = {{"l"}, 1}, .targets = {{"cse2.example.com", "//sp.example.com/Cse3"}, 2}, .value = {.n = SECRET_MAX}},
		{.relative_id = "", .source_id = "", .admin_fqdn = "a", .suid = 33, .value = {.n = 16}},
		{.relative_id = "", .source_id = "", .admin_fqdn = "", .has_targets = true}};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (enum doc_form form = DOC_JSON; form <= DOC_XML; form++) {
			struct buf out __attribute__((cleanup(buf_fini_wipe))) = BUF(4096);
			struct maf_key back;
			struct why why = {0};
			memset(cases[i].value.bytes, 0xa7, cases[i].value.n);
			good(maf_key_write(&cases[i], form, &out, &why), &why);
			good(maf_key_parse(form, buf_span(&out), &arena, &back, &why), &why);
			assert_string_equal(back.relative_id, cases[i].relative_id);
			assert_string_equal(back.source_id, cases[i].source_id);
			assert_string_equal(back.admin_fqdn, cases[i].admin_fqdn);
			assert_int_equal(back.suid, cases[i].suid);
			assert_true(back.expires_s == cases[i].expires_s);
			assert_int_equal(back.has_labels, cases[i].has_labels);
			assert_int_equal(back.has_targets, cases[i].has_targets);
			same_texts(&back.labels, &cases[i].labels);
			same_texts(&back.targets, &cases[i].targets);
			assert_true(secret_equal(secret_span(&back.value), secret_span(&cases[i].value)));
		}
	}
}

static void identifiers_are_read_in_their_normal_form(void **state)
{
	static const char client[] = "{\"adminFQDN\":\"ADMIN.example.com\",\"clientID\":\"CSE.example.com\",\"assignedSymmKeyID\":\"Name@MAF.com\","
				     "\"expirationTime\":\"20141003T112032,5\",\"unknown\":{\"a\":1}}";
	static const char key[] = "{\"targetIDs\":[\"CSE2.Example.com\"],\"relativeKeyID\":\"000102030405060708090a0b0c0d0e0f\",\"labels\":null}";
	struct maf_client c;
	struct maf_key k;
	struct why why = {0};
	(void)state;

	good(maf_client_parse(DOC_JSON, span_text(client), &arena, &c, &why), &why);
	assert_string_equal(c.admin_fqdn, "admin.example.com");
	assert_string_equal(c.client_id, "cse.example.com");
	/* TS-0003 10.6: a KmId's name has no case */
	assert_string_equal(c.key_id, "name@maf.com");
	assert_true(c.expires_s == 1412335232 && !c.has_labels);
	good(maf_key_parse(DOC_JSON, span_text(key), &arena, &k, &why), &why);
	assert_string_equal(k.targets.items[0], "cse2.example.com");
	assert_string_equal(k.relative_id, HEX);
	assert_true(k.has_labels && k.labels.n == 0);
}

static void wrong_messages_are_refused_with_field_and_clause(void **state)
{
	static const struct {
		bool key;
		const char *json, *text;
	} bad[] = {{false, "{\"adminFQDN\":\"a b\"}", "adminFQDN: FQDN"}, {false, "{\"adminFQDN\":1}", "adminFQDN: want text"},
		{false, "{\"expirationTime\":\"2014-10-03T11:20:32Z\"}", "expirationTime: want 2"}, {false, "{\"expirationTime\":5}", "expirationTime: want text"},
		{false, "{\"labels\":[1]}", "labels: want texts"}, {false, "{\"labels\":[\"a\",\"\"]}", "labels: want texts"},
		{false, "{\"labels\":{\"a\":1}}", "labels: want texts"}, {false, "{\"clientRegID\":\"a/b\"}", "clientRegID: want letters"},
		{false, "{\"assignedSymmKeyID\":\"x\"}", "assignedSymmKeyID: key identifier"}, {true, "{\"SUID\":20}", "SUID: want a known one"},
		{true, "{\"SUID\":100}", "SUID: want 0 to 99"}, {true, "{\"SUID\":\"saef\"}", "SUID: want a whole number"},
		{true, "{\"targetIDs\":[\"\",\"b\"]}", "targetIDs: want texts"}, {true, "{\"keyValue\":\"AAECAwQFBgcICQoLDA0O\"}", "keyValue: want 16 to 64 octets, have 15"},
		{true, "{\"keyValue\":7}", "keyValue: want text"}, {true, "{\"keyValue\":\"?\"}", "keyValue: position 0"}, {true, "[]", "JSON object"}};
	(void)state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct maf_client c;
		struct maf_key k;
		struct why why = {0};
		struct span in = span_text(bad[i].json);
		enum err err = bad[i].key ? maf_key_parse(DOC_JSON, in, &arena, &k, &why) : maf_client_parse(DOC_JSON, in, &arena, &c, &why);
		if (err != ERR_SYNTAX || !strstr(why.text, bad[i].text) || !why.clause[0])
			fail_msg("%s: %s '%s' (%s)", bad[i].json, err_name(err), why.text, why.clause);
	}
	struct maf_key k;
	struct why why = {0};
	assert_int_equal(maf_key_parse(DOC_XML, span_text("<mafClientReg/>"), &arena, &k, &why), ERR_SYNTAX);
	assert_int_equal(why.code, CODE_MESSAGE_NAME);
}

static void lists_and_their_texts_end_at_their_limits(void **state)
{
	static const struct {
		const char *name;
		int most, octets;
	} lists[] = {{"labels", MAF_LABELS_MAX, MAF_LABEL_MAX}, {"targetIDs", MAF_TARGETS_MAX, M2M_ID_MAX}};
	(void)state;

	for (size_t i = 0; i < 2; i++) {
		for (int over = 0; over < 2; over++) {
			struct buf json OWNED_BUF = BUF(DOC_BYTES_MAX);
			struct maf_key k;
			struct why why = {0};
			buf_put_fmt(&json, "{\"%s\":[\"a\"", lists[i].name);
			for (int n = 1; n < lists[i].most + over; n++)
				buf_put_text(&json, ",\"b\"");
			buf_put_text(&json, "]}");
			assert_int_equal(maf_key_parse(DOC_JSON, buf_span(&json), &arena, &k, &why), over ? ERR_LIMIT : OK);
			buf_clear(&json);
			why_clear(&why);
			buf_put_fmt(&json, "{\"%s\":[\"%0*d\"]}", lists[i].name, lists[i].octets + over, 1);
			assert_int_equal(maf_key_parse(DOC_JSON, buf_span(&json), &arena, &k, &why), over ? ERR_SYNTAX : OK);
		}
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh_arena, drop_arena)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(paths_name_registrations_and_keys),
		TEST(client_registrations_are_read_as_written_in_both_forms),
		TEST(key_registrations_are_read_as_written_in_both_forms),
		TEST(identifiers_are_read_in_their_normal_form),
		TEST(wrong_messages_are_refused_with_field_and_clause),
		TEST(lists_and_their_texts_end_at_their_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
