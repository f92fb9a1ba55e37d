#include "proto/m2m/retrieval.h"

#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEX "000102030405060708090A0B0C0D0E0F"
#define KEY64 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static void sample_key(struct secret *out)
{
	for (size_t i = 0; i < M2M_KEY_SIZE; i++)
		out->bytes[i] = (uint8_t)i;
	out->n = M2M_KEY_SIZE;
}

/* seed 003 8.3.3.6 step 2, TS-0003 8.3.2.1: the two forms of the path */
static void both_forms_of_the_path_are_read(void **state)
{
	static const struct {
		const char *path, *fqdn;
		unsigned int suid;
	} good[] = {{"/fetchCredentials/" HEX, "", 0}, {"/fetchCredentials/000102030405060708090a0b0c0d0e0f", "", 0},
		{"/fetchCredentials/" HEX "@mef.example.com/21", "mef.example.com", 21}, {"/fetchCredentials/" HEX "%40MEF.example.com/22", "mef.example.com", 22},
		{"/fetchCredentials/" HEX "@mef/45", "mef", 45}};
	(void)state;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct retrieval_ask ask;
		struct why why = {0};
		if (retrieval_path_parse(span_text(good[i].path), &ask, &why) != OK)
			fail_msg("%s", why.text);
		assert_int_equal(ask.relative[15], 15);
		assert_string_equal(ask.fqdn, good[i].fqdn);
		assert_int_equal(ask.suid, good[i].suid);
	}
}

static void other_paths_are_refused(void **state)
{
	static const struct {
		const char *path;
		enum err err;
	} bad[] = {{"", ERR_NOT_FOUND}, {"/fetchCredentials", ERR_NOT_FOUND}, {"/fetchcredentials/" HEX, ERR_NOT_FOUND},
		{"/fetchCredentials/", ERR_SYNTAX}, {"/fetchCredentials//", ERR_SYNTAX}, {"/fetchCredentials/" HEX "/", ERR_SYNTAX},
		{"/fetchCredentials/" HEX "/21", ERR_SYNTAX}, {"/fetchCredentials/" HEX "@mef", ERR_SYNTAX}, {"/fetchCredentials/" HEX "@mef/", ERR_SYNTAX},
		{"/fetchCredentials/" HEX "@mef/20", ERR_SYNTAX}, {"/fetchCredentials/" HEX "@mef/021", ERR_SYNTAX},
		{"/fetchCredentials/" HEX "@mef/21/", ERR_SYNTAX}, {"/fetchCredentials/" HEX "@mef/21/x", ERR_SYNTAX},
		{"/fetchCredentials/" HEX "@mef/saef", ERR_SYNTAX}, {"/fetchCredentials/" HEX "%4/21", ERR_SYNTAX},
		{"/fetchCredentials/" HEX "%40mef%2e/21", ERR_SYNTAX}, {"/fetchCredentials/" HEX "%2540mef/21", ERR_SYNTAX},
		{"/fetchCredentials/" HEX "%40%40mef/21", ERR_SYNTAX}, {"/fetchCredentials/%300102030405060708090A0B0C0D0E0F@mef/21", ERR_SYNTAX},
		{"/fetchCredentials/" HEX "@me%66/21", ERR_SYNTAX}, {"/fetchCredentials/" HEX "@mef/2%31", ERR_SYNTAX},
		{"/fetchCredentials/%300102030405060708090A0B0C0D0E0", ERR_SYNTAX}, {"/fetchCredentials/../fetchCredentials/" HEX, ERR_SYNTAX}};
	(void)state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct retrieval_ask ask;
		struct retrieval_ask none = {.suid = 0};
		struct why why = {0};
		if (retrieval_path_parse(span_text(bad[i].path), &ask, &why) != bad[i].err)
			fail_msg("'%s': %s", bad[i].path, why.text);
		assert_memory_equal(ask.relative, none.relative, sizeof(none.relative));
		assert_string_equal(ask.fqdn, "");
	}
	char longest[600];
	struct retrieval_ask ask;
	struct why why = {0};
	snprintf(longest, sizeof(longest), "/fetchCredentials/" HEX "@%0254d/21", 1);
	assert_int_equal(retrieval_path_parse(span_text(longest), &ask, &why), ERR_SYNTAX);
	assert_int_equal(retrieval_path_parse(span_of("/fetchCredentials/\0", 19), &ask, &why), ERR_SYNTAX);
}

static void a_written_path_is_read_back(void **state)
{
	struct buf out OWNED_BUF = BUF(512);
	struct retrieval_ask ask;
	struct why why = {0};
	(void)state;

	assert_int_equal(retrieval_path_write("000102030405060708090a0b0c0d0e0f@MEF.example.com", 21, &out, &why), OK);
	assert_string_equal(buf_text(&out), "/fetchCredentials/" HEX "%40mef.example.com/21");
	assert_int_equal(retrieval_path_parse(buf_span(&out), &ask, &why), OK);
	assert_int_equal(ask.suid, 21);
	assert_int_equal(retrieval_path_write("x", 21, &out, &why), ERR_SYNTAX);
	assert_int_equal(retrieval_path_write(HEX "@mef", 20, &out, &why), ERR_SYNTAX);
}

/* seed 003 8.3.3.6 step 3, seed 003 8.3.3.6 step 4: Status with Credential, EnroleeID, Lifetime, or with ErrorString */
static void answers_are_read_as_written_in_both_forms(void **state)
{
	struct retrieval_answer cases[] = {{.status = true, .enrolee_id = "cse2.example.com", .lifetime_s = 3600}, {.status = true, .lifetime_s = 0},
		{.status = false, .error = "no key for <you> & \"this\""}, {.status = false}};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (enum doc_form form = DOC_JSON; form <= DOC_XML; form++) {
			struct arena arena OWNED_ARENA = ARENA(DOC_ARENA_MAX);
			struct buf out __attribute__((cleanup(buf_fini_wipe))) = BUF(4096);
			struct retrieval_answer back;
			struct why why = {0};
			sample_key(&cases[i].credential);
			assert_int_equal(retrieval_answer_write(&cases[i], form, &out, &why), OK);
			assert_int_equal(strstr(buf_text(&out), KEY64) != NULL, cases[i].status);
			assert_int_equal(retrieval_answer_parse(form, buf_span(&out), &arena, &back, &why), OK);
			assert_int_equal(back.status, cases[i].status);
			assert_int_equal(back.credential.n, cases[i].status ? M2M_KEY_SIZE : 0);
			if (back.status)
				assert_true(secret_equal(secret_span(&back.credential), secret_span(&cases[i].credential)));
			assert_string_equal(back.enrolee_id, cases[i].enrolee_id ? cases[i].enrolee_id : "");
			assert_string_equal(back.error, cases[i].error ? cases[i].error : "");
			assert_true(back.lifetime_s == cases[i].lifetime_s);
		}
	}
}

static void an_answer_in_the_words_of_the_text_is_read(void **state)
{
	static const char xml[] = "<fetchedCredential><Status>True</Status><Credential>\n  AAECAwQFBgcICQoLDA0ODxAREhMU\n  FRYXGBkaGxwdHh8=\n</Credential>"
				  "<EnroleeID>//M2M.example.com/Cse2</EnroleeID><Lifetime>60</Lifetime></fetchedCredential>";
	struct arena arena OWNED_ARENA = ARENA(DOC_ARENA_MAX);
	struct retrieval_answer a;
	struct why why = {0};
	(void)state;

	assert_int_equal(retrieval_answer_parse(DOC_XML, span_text(xml), &arena, &a, &why), OK);
	assert_true(a.status && a.lifetime_s == 60 && a.credential.n == 32 && a.credential.bytes[31] == 31);
	assert_string_equal(a.enrolee_id, "//m2m.example.com/Cse2");
}

static void wrong_answers_are_refused_and_leave_no_key(void **state)
{
	static const struct {
		const char *json, *text;
	} bad[] = {{"{}", "Status: want it"}, {"{\"Status\":1}", "Status: want true"}, {"{\"status\":true}", "Status: want it"},
		{"{\"Status\":true}", "Credential: want it"}, {"{\"Status\":true,\"Credential\":\"\",\"Lifetime\":1}", "Credential: want"},
		{"{\"Status\":true,\"Credential\":\"AAEC\",\"Lifetime\":1}", "Credential: want 32 to 32 octets, have 3"},
		{"{\"Status\":true,\"Credential\":\"!\",\"Lifetime\":1}", "Credential: position 0"},
		{"{\"Status\":true,\"Credential\":\"" KEY64 KEY64 "\",\"Lifetime\":1}", "Credential"},
		{"{\"Status\":true,\"Credential\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g\",\"Lifetime\":1}", "Credential: want 32 to 32 octets, have 33"},
		{"{\"Status\":true,\"Credential\":\"" KEY64 "\"}", "Lifetime: want it"},
		{"{\"Status\":true,\"Credential\":\"" KEY64 "\",\"Lifetime\":-1}", "Lifetime: want 0"},
		{"{\"Status\":true,\"Credential\":\"" KEY64 "\",\"Lifetime\":3153600001}", "Lifetime: want 0 to 3153600000"},
		{"{\"Status\":true,\"Credential\":\"" KEY64 "\",\"Lifetime\":1,\"EnroleeID\":2}", "EnroleeID: want text"},
		{"{\"Status\":false,\"ErrorString\":[]}{", "line 1"}, {"{\"Status\":false,\"ErrorString\":1}", "ErrorString: want text"}};
	(void)state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct arena arena OWNED_ARENA = ARENA(DOC_ARENA_MAX);
		struct retrieval_answer a;
		struct why why = {0};
		enum err err = retrieval_answer_parse(DOC_JSON, span_text(bad[i].json), &arena, &a, &why);
		if (err != ERR_SYNTAX || !strstr(why.text, bad[i].text) || strstr(why.text, "AAEC") || !why.clause[0])
			fail_msg("%s: %s '%s' (%s)", bad[i].json, err_name(err), why.text, why.clause);
		assert_false(a.status);
		assert_int_equal(a.credential.n, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_forms_of_the_path_are_read),
		cmocka_unit_test(other_paths_are_refused),
		cmocka_unit_test(a_written_path_is_read_back),
		cmocka_unit_test(answers_are_read_as_written_in_both_forms),
		cmocka_unit_test(an_answer_in_the_words_of_the_text_is_read),
		cmocka_unit_test(wrong_answers_are_refused_and_leave_no_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
