#include "proto/m2m/prefs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "wire/doc.h"

#define EXAMPLE \
	"{\"certificate\": \"offer\", \"certificateUsages\": [42], \"estLabel\": \"onem2m\", \"enrolmentExpiry\": 7776000," \
	" \"mafs\": [{\"fqdn\": \"MAF.example.com\", \"uri\": \"https://maf.example.com:8444\", \"credential\": \"symmetricKey\", \"usages\": [33, 32]}]," \
	" \"targets\": [{\"id\": \"CSE1.m2m.example.com\", \"usages\": [22, 23]}]," \
	" \"askSubject\": \"CN, O=Acme\", \"askEkus\": \"clientAuth\", \"askKey\": \"P-384\"}"

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

static struct prefs parse(const char *json)
{
	struct prefs p;
	struct why why = {0};

	if (prefs_parse(span_text(json), &arena, &p, &why) != OK)
		fail_msg("%s: %s", json, why.text);
	return p;
}

static void the_documented_example_is_read(void **state)
{
	struct prefs p = parse(EXAMPLE);
	(void)state;

	assert_int_equal(p.certificate, PREFS_CERT_OFFER);
	assert_true(p.certificate_usages.n == 1 && suid_list_has(&p.certificate_usages, 42));
	assert_string_equal(p.est_label, "onem2m");
	assert_true(p.enrolment_expiry_s == 7776000);
	assert_int_equal(p.mafs_n, 1);
	assert_string_equal(p.mafs[0].fqdn, "maf.example.com");
	assert_string_equal(p.mafs[0].uri, "https://maf.example.com:8444");
	assert_int_equal(p.mafs[0].credential, MAF_BY_SYMMETRIC_KEY);
	assert_int_equal(p.mafs[0].usages.items[0], 32);
	assert_int_equal(p.targets_n, 1);
	assert_string_equal(p.targets[0].id, "cse1.m2m.example.com");
	assert_int_equal(p.targets[0].usages.n, 2);
}

static void absent_and_null_fields_take_the_defaults(void **state)
{
	static const char *const empty[] = {"{}",
		"{\"certificate\":null,\"certificateUsages\":null,\"estLabel\":null,\"enrolmentExpiry\":null,\"mafs\":null,\"targets\":null}", "{\"mafs\":[],\"targets\":[],\"certificateUsages\":[],\"estLabel\":\"\"}"};
	struct prefs d;
	(void)state;

	prefs_defaults(&d);
	assert_int_equal(d.certificate, PREFS_CERT_OFFER);
	assert_true(d.enrolment_expiry_s == PREFS_EXPIRY_DEFAULT_S && d.mafs_n == 0 && d.targets_n == 0 && !d.est_label[0]);
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		struct prefs p = parse(empty[i]);
		assert_int_equal(p.certificate, d.certificate);
		assert_int_equal(p.certificate_usages.n, 0);
		assert_string_equal(p.est_label, "");
		assert_true(p.enrolment_expiry_s == d.enrolment_expiry_s);
		assert_true(p.mafs_n == 0 && p.targets_n == 0);
	}
	struct prefs p = parse("{\"mafs\":[{\"fqdn\":\"m\",\"uri\":\"https://m\"}]}");
	assert_int_equal(p.mafs[0].credential, MAF_BY_SYMMETRIC_KEY);
	assert_int_equal(p.mafs[0].usages.n, 0);
}

static void what_is_written_is_canonical_and_read_back_equal(void **state)
{
	static const char *const docs[] = {"{}", EXAMPLE, "{\"certificate\":\"never\"}", "{\"certificate\":\"require\",\"enrolmentExpiry\":60}",
		"{\"targets\":[{\"id\":\"a\",\"usages\":25},{\"id\":\"b/\\\"\\u00e9\",\"usages\":[22]}]}",
		"{\"mafs\":[{\"uri\":\"https://m\",\"fqdn\":\"m\",\"credential\":\"certificate\"},{\"fqdn\":\"n\",\"uri\":\"https://n\"}]}"};
	(void)state;

	for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++) {
		struct buf first OWNED_BUF = BUF(PREFS_TEXT_MAX);
		struct buf second OWNED_BUF = BUF(PREFS_TEXT_MAX);
		struct why why = {0};
		struct prefs p = parse(docs[i]);
		assert_int_equal(prefs_write(&p, &first, &why), OK);
		struct prefs back = parse(buf_text(&first));
		assert_int_equal(prefs_write(&back, &second, &why), OK);
		assert_string_equal(buf_text(&first), buf_text(&second));
		assert_int_equal(back.certificate, p.certificate);
		assert_int_equal(back.mafs_n, p.mafs_n);
		assert_int_equal(back.targets_n, p.targets_n);
		assert_true(back.enrolment_expiry_s == p.enrolment_expiry_s);
	}
	struct buf out OWNED_BUF = BUF(PREFS_TEXT_MAX);
	struct why why = {0};
	struct prefs p = parse(EXAMPLE);
	assert_int_equal(prefs_write(&p, &out, &why), OK);
	assert_string_equal(buf_text(&out),
		"{\"certificate\":\"offer\",\"certificateUsages\":[42],\"estLabel\":\"onem2m\",\"enrolmentExpiry\":7776000,"
		"\"mafs\":[{\"fqdn\":\"maf.example.com\",\"uri\":\"https://maf.example.com:8444\",\"credential\":\"symmetricKey\",\"usages\":[32,33]}],"
		"\"targets\":[{\"id\":\"cse1.m2m.example.com\",\"usages\":[22,23]}],"
		"\"askSubject\":\"CN, O=Acme\",\"askEkus\":\"clientAuth\",\"askKey\":\"P-384\"}");
}

static void slips_are_refused_by_their_place(void **state)
{
	static const struct {
		const char *json, *text;
	} bad[] = {{"{\"certificat\":\"offer\"}", "certificat: no such field"}, {"{\"Certificate\":\"offer\"}", "Certificate: no such field"},
		{"{\"mafs\":[{\"fqdn\":\"m\",\"uri\":\"https://m\",\"usage\":[32]}]}", "mafs[0].usage: no such field"},
		{"{\"targets\":[{\"id\":\"a\",\"usages\":[22]},{\"id\":\"b\",\"usages\":[22],\"x\":null}]}", "targets[1].x: no such field"},
		{"{\"certificate\":\"always\"}", "certificate: want never, offer, require, have 'always'"}, {"{\"certificate\":true}", "certificate: want text"},
		{"{\"certificateUsages\":[22]}", "certificateUsages: want SUIDs"}, {"{\"certificateUsages\":[true]}", "certificateUsages: want SUIDs"},
		{"{\"askSubject\":\"CN, X\"}", "askSubject: attribute: want CN"}, {"{\"askSubject\":[\"CN\"]}", "askSubject: want"},
		{"{\"askEkus\":\"clientAut\"}", "askEkus: "}, {"{\"askKey\":\"P-257\"}", "askKey: want P-256"},
		{"{\"certificateUsages\":\"saef\"}", "certificateUsages: want SUIDs"}, {"{\"estLabel\":\"a/b\"}", "estLabel: want letters"},
		{"{\"estLabel\":\"..\"}", "estLabel: want letters"}, {"{\"enrolmentExpiry\":59}", "enrolmentExpiry: want 60 to"},
		{"{\"enrolmentExpiry\":315360001}", "enrolmentExpiry: want 60 to 315360000"}, {"{\"enrolmentExpiry\":\"90d\"}", "enrolmentExpiry: want a whole"},
		{"{\"mafs\":{\"fqdn\":\"m\"}}", "mafs[0]: uri: want it"}, {"{\"mafs\":[1]}", "mafs[0]: want an object"}, {"{\"mafs\":\"m\"}", "mafs[0]: want an object"},
		{"{\"mafs\":[{\"fqdn\":\"m\",\"uri\":\"http://m\"}]}", "mafs[0]: uri: want an https URI"},
		{"{\"mafs\":[{\"fqdn\":\"m_\",\"uri\":\"https://m\"}]}", "mafs[0]: fqdn: FQDN"},
		{"{\"mafs\":[{\"fqdn\":\"m\",\"uri\":\"https://m\",\"credential\":\"psk\"}]}", "mafs[0]: credential: want symmetricKey, certificate"},
		{"{\"mafs\":[{\"fqdn\":\"m\",\"uri\":\"https://m\",\"usages\":[22]}]}", "mafs[0]: usages: want SUIDs"},
		{"{\"mafs\":[{\"fqdn\":\"m\",\"uri\":\"https://m\"},{\"fqdn\":\"M\",\"uri\":\"https://m\"}]}", "mafs[1].fqdn: want each once"},
		{"{\"certificate\":\"never\",\"mafs\":[{\"fqdn\":\"m\",\"uri\":\"https://m\",\"credential\":\"certificate\"}]}", "mafs[0].credential: want symmetricKey"},
		{"{\"targets\":[{\"usages\":[22]}]}", "targets[0]: id: want it"}, {"{\"targets\":[{\"id\":\"a\"}]}", "targets[0]: usages: want one or more"},
		{"{\"targets\":[{\"id\":\"a\",\"usages\":[21]}]}", "targets[0]: usages: want one or more of 22"},
		{"{\"targets\":[{\"id\":\"a\",\"usages\":[32]}]}", "targets[0]: usages: want SUIDs"},
		{"{\"targets\":[{\"id\":\"A.b\",\"usages\":[22]},{\"id\":\"a.b\",\"usages\":[23]}]}", "targets[1].id: want each once"},
		{"{\"targets\":[{\"id\":\"a\",\"usages\":[22]}],\"targets\":[]}", "duplicate"}, {"", "line 1"}, {"[]", "JSON object"}};
	(void)state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct prefs p;
		struct why why = {0};
		enum err err = prefs_parse(span_text(bad[i].json), &arena, &p, &why);
		if (err != ERR_SYNTAX || !strstr(why.text, bad[i].text))
			fail_msg("%s: want '%s', have %s '%s'", bad[i].json, bad[i].text, err_name(err), why.text);
	}
}

static enum err with_entries(const char *name, const char *form, int n)
{
	struct buf json OWNED_BUF = BUF(DOC_BYTES_MAX);
	struct prefs p;
	struct why why = {0};

	buf_put_fmt(&json, "{\"%s\":[", name);
	for (int i = 0; i < n; i++) {
		buf_put_text(&json, i ? "," : "");
		buf_put_fmt(&json, "{\"%s\":\"%s%d", strcmp(name, "mafs") == 0 ? "fqdn" : "id", form, i);
		buf_put_text(&json, strcmp(name, "mafs") == 0 ? "\",\"uri\":\"https://m\"}" : "\",\"usages\":[22,23,24,25]}");
	}
	buf_put_text(&json, "]}");
	arena_fini(&arena);
	return prefs_parse(buf_span(&json), &arena, &p, &why);
}

static void limits_are_kept(void **state)
{
	char json[PREFS_TEXT_MAX + 2];
	struct prefs p;
	struct why why = {0};
	char id[M2M_ID_MAX];
	(void)state;

	assert_int_equal(with_entries("mafs", "m", PREFS_MAFS_MAX), OK);
	assert_int_equal(with_entries("mafs", "m", PREFS_MAFS_MAX + 1), ERR_LIMIT);
	assert_int_equal(with_entries("targets", "t", PREFS_TARGETS_MAX), OK);
	assert_int_equal(with_entries("targets", "t", PREFS_TARGETS_MAX + 1), ERR_LIMIT);
	/* an instruction with these pairs would be larger than a document may be */
	memset(id, 'a', 460);
	id[460] = '\0';
	assert_int_equal(with_entries("targets", id, 21), OK);
	assert_int_equal(with_entries("targets", id, 22), ERR_LIMIT);
	memset(json, ' ', sizeof(json));
	memcpy(json, "{}", 2);
	assert_int_equal(prefs_parse(span_of(json, PREFS_TEXT_MAX), &arena, &p, &why), OK);
	assert_int_equal(prefs_parse(span_of(json, PREFS_TEXT_MAX + 1), &arena, &p, &why), ERR_LIMIT);
	for (int over = 0; over < 2; over++) {
		why_clear(&why);
		snprintf(json, sizeof(json), "{\"estLabel\":\"%0*d\"}", PREFS_LABEL_MAX + over, 1);
		assert_int_equal(prefs_parse(span_text(json), &arena, &p, &why), over ? ERR_SYNTAX : OK);
		snprintf(json, sizeof(json), "{\"askSubject\":\"CN,UID=%0*d\"}", PREFS_ASK_MAX - 7 + over, 1);
		assert_int_equal(prefs_parse(span_text(json), &arena, &p, &why), over ? ERR_SYNTAX : OK);
		snprintf(json, sizeof(json), "{\"mafs\":[{\"fqdn\":\"m\",\"uri\":\"https://m/%0*d\"}]}", PREFS_URI_MAX - 10 + over, 1);
		assert_int_equal(prefs_parse(span_text(json), &arena, &p, &why), over ? ERR_SYNTAX : OK);
	}
}

/* seed 003 8.3.3.6 step 3: only a target that the preferences name, and only for the usage they name */
static void only_named_targets_and_usages_are_allowed(void **state)
{
	struct prefs p = parse("{\"mafs\":[{\"fqdn\":\"maf.example.com\",\"uri\":\"https://m\"},{\"fqdn\":\"cert.example.com\",\"uri\":\"https://m\","
			       "\"credential\":\"certificate\"}],\"targets\":[{\"id\":\"cse1.example.com\",\"usages\":[22,25]},"
			       "{\"id\":\"//sp.example.com/Cse2\",\"usages\":[23]}]}");
	static const struct {
		const char *id;
		unsigned int suid;
		bool allowed;
	} cases[] = {{"maf.example.com", 21, true}, {"MAF.Example.com", 21, true}, {"maf.example.com", 22, false}, {"cert.example.com", 21, false},
		{"cse1.example.com", 21, false}, {"cse1.example.com", 22, true}, {"CSE1.example.COM", 25, true}, {"cse1.example.com", 23, false},
		{"cse1.example.com", 0, false}, {"cse1.example.com", 42, false}, {"cse1.example.com", 22 + 256, false}, {"//SP.example.com/Cse2", 23, true},
		{"//sp.example.com/cse2", 23, false}, {"sp.example.com/Cse2", 23, false}, {"", 22, false}, {"", 21, false}, {"cse1.example.com.", 22, false},
		{"cse1.example.co", 22, false}, {"\xff", 22, false}, {"\xef\xbd\x83se1.example.com", 22, true}};
	struct prefs none;
	(void)state;

	prefs_defaults(&none);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (prefs_allow(&p, span_text(cases[i].id), cases[i].suid) != cases[i].allowed)
			fail_msg("%s %u", cases[i].id, cases[i].suid);
		assert_false(prefs_allow(&none, span_text(cases[i].id), cases[i].suid));
	}
	assert_false(prefs_allow(&p, span_of("cse1.example.com\0", 17), 22));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh_arena, drop_arena)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_documented_example_is_read),
		TEST(absent_and_null_fields_take_the_defaults),
		TEST(what_is_written_is_canonical_and_read_back_equal),
		TEST(slips_are_refused_by_their_place),
		TEST(limits_are_kept),
		TEST(only_named_targets_and_usages_are_allowed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
