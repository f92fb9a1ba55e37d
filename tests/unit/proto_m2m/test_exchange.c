#include "proto/m2m/exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define KEID "000102030405060708090A0B0C0D0E0F@mef.example.com"
#define COMMON "\"keId\":\"" KEID "\",\"lifetime\":60,\"instructionNumber\":1,"

static struct arena arena;

static int fresh_arena(void **state)
{
	(void)state;
	arena = ARENA(2 * DOC_ARENA_MAX);
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

/* In JSON; the reason must name the field and the clause. */
static void refused(enum err err, const struct why *why, const char *text, const char *clause)
{
	if (err != ERR_SYNTAX || !strstr(why->text, text) || strcmp(why->clause, clause) != 0)
		fail_msg("want '%s' (%s), have %s '%s' (%s)", text, clause, err_name(err), why->text, why->clause);
}

/* seed 003 8.3.3.1 step 2: what the enrolee can, and its token */
static void requests_are_read_as_written_in_both_forms(void **state)
{
	static const struct exchange_request cases[] = {{true, false, "A-token & <more>"}, {false, true, ""}, {true, true, ""}};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (enum doc_form form = DOC_JSON; form <= DOC_XML; form++) {
			struct buf out OWNED_BUF = BUF(DOC_BYTES_MAX);
			struct exchange_request back;
			struct why why = {0};
			good(exchange_request_write(&cases[i], form, &out, &why), &why);
			good(exchange_request_parse(form, buf_span(&out), &arena, &back, &why), &why);
			assert_int_equal(back.certificate, cases[i].certificate);
			assert_int_equal(back.maf, cases[i].maf);
			assert_string_equal(back.token, cases[i].token);
		}
	}
}

static void a_request_in_the_words_of_the_text_is_read(void **state)
{
	static const struct {
		enum doc_form form;
		const char *text;
	} docs[] = {
		{DOC_JSON, "{\"x\":[{}],\"certificateEnrolmentIndication\":true,\"mafEnrolmentIndication\":false,\"enrolmentToken\":\"T\",\"y\":1.5}"},
		{DOC_XML, "<enrolmentRequest><certificateEnrolmentIndication>True</certificateEnrolmentIndication><x><y/></x>"
			  "<mafEnrolmentIndication>0</mafEnrolmentIndication><enrolmentToken>T</enrolmentToken></enrolmentRequest>"}};
	(void)state;

	for (size_t i = 0; i < 2; i++) {
		struct exchange_request r;
		struct why why = {0};
		good(exchange_request_parse(docs[i].form, span_text(docs[i].text), &arena, &r, &why), &why);
		assert_true(r.certificate && !r.maf);
		assert_string_equal(r.token, "T");
	}
}

static void wrong_requests_are_refused_with_field_and_clause(void **state)
{
	static const struct {
		const char *json, *text;
	} bad[] = {{"{}", "certificateEnrolmentIndication: want it"}, {"[]", "JSON object"},
		{"{\"certificateEnrolmentIndication\":true}", "mafEnrolmentIndication: want it"},
		{"{\"certificateEnrolmentIndication\":null,\"mafEnrolmentIndication\":true}", "certificateEnrolmentIndication: want it"},
		{"{\"certificateEnrolmentIndication\":\"yes\",\"mafEnrolmentIndication\":true}", "certificateEnrolmentIndication: want true or false"},
		{"{\"certificateEnrolmentIndication\":[true],\"mafEnrolmentIndication\":true}", "certificateEnrolmentIndication: want one value"},
		{"{\"certificateEnrolmentIndication\":true,\"mafEnrolmentIndication\":1}", "mafEnrolmentIndication: want true or false"},
		{"{\"certificateEnrolmentIndication\":true,\"mafEnrolmentIndication\":true,\"enrolmentToken\":7}", "enrolmentToken: want text"},
		{"{\"certificateEnrolmentIndication\":true,\"mafEnrolmentIndication\":true,\"enrolmentToken\":{}}", "enrolmentToken: want text"}};
	struct exchange_request r;
	(void)state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct why why = {0};
		refused(exchange_request_parse(DOC_JSON, span_text(bad[i].json), &arena, &r, &why), &why, bad[i].text, "seed 003 8.3.3.1 step 2");
	}
	struct why why = {0};
	refused(exchange_request_parse(DOC_XML, span_text("<enrolmentReport/>"), &arena, &r, &why), &why, "want element enrolmentRequest",
		"seed 003 8.3.3.1 step 2");
}

static void tokens_end_at_128_octets(void **state)
{
	char json[512];
	struct exchange_request r;
	struct why why = {0};
	(void)state;

	for (int over = 0; over < 2; over++) {
		snprintf(json, sizeof(json), "{\"certificateEnrolmentIndication\":true,\"mafEnrolmentIndication\":true,\"enrolmentToken\":\"%0*d\"}",
			M2M_TOKEN_MAX + over, 7);
		assert_int_equal(exchange_request_parse(DOC_JSON, span_text(json), &arena, &r, &why), over ? ERR_SYNTAX : OK);
	}
	assert_null(strstr(why.text, "0000"));
}

/* seed 003 8.3.3.1 step 6, seed 003 8.3.3.1 step 8: success of the instruction that is named */
static void reports_are_read_as_written_in_both_forms(void **state)
{
	static const struct exchange_report cases[] = {
		{1, EXCHANGE_CERTIFICATE, true, ""}, {2, EXCHANGE_MAF, false, "no route to \"maf\" <x>"}, {1000, EXCHANGE_END, true, ""}};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (enum doc_form form = DOC_JSON; form <= DOC_XML; form++) {
			struct buf out OWNED_BUF = BUF(DOC_BYTES_MAX);
			struct exchange_report back;
			struct why why = {0};
			good(exchange_report_write(&cases[i], form, &out, &why), &why);
			good(exchange_report_parse(form, buf_span(&out), &arena, &back, &why), &why);
			assert_int_equal(back.step, cases[i].step);
			assert_int_equal(back.kind, cases[i].kind);
			assert_int_equal(back.success, cases[i].success);
			assert_string_equal(back.error, cases[i].error);
		}
	}
}

static void wrong_reports_are_refused_with_field_and_clause(void **state)
{
	static const struct {
		const char *json, *text, *clause;
	} bad[] = {{"{}", "instructionType: want it", "seed 003 8.3.3.1 step 6"},
		{"{\"instructionType\":\"maf\"}", "instructionType: want certificateEnrolment", "seed 003 8.3.3.1 step 6"},
		{"{\"instructionType\":\"\"}", "instructionType: want text", "seed 003 8.3.3.1 step 6"},
		{"{\"instructionType\":\"mafEnrolment\"}", "instructionNumber: want it", "seed 003 8.3.3.1 step 8"},
		{"{\"instructionType\":\"end\",\"instructionNumber\":0}", "instructionNumber: want 1 to", "seed 003 8.3.3.1 step 6"},
		{"{\"instructionType\":\"end\",\"instructionNumber\":1001}", "instructionNumber: want 1 to", "seed 003 8.3.3.1 step 6"},
		{"{\"instructionType\":\"end\",\"instructionNumber\":1}", "status: want it", "seed 003 8.3.3.1 step 6"},
		{"{\"instructionType\":\"end\",\"instructionNumber\":1,\"status\":2}", "status: want true", "seed 003 8.3.3.1 step 6"},
		{"{\"instructionType\":\"end\",\"instructionNumber\":1,\"status\":true,\"errorString\":1}", "errorString", "seed 003 8.3.3.1 step 6"}};
	struct exchange_report r;
	(void)state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct why why = {0};
		refused(exchange_report_parse(DOC_JSON, span_text(bad[i].json), &arena, &r, &why), &why, bad[i].text, bad[i].clause);
	}
}

static void same_instruction(const struct exchange_instruction *a, const struct exchange_instruction *b)
{
	assert_int_equal(a->step, b->step);
	assert_int_equal(a->kind, b->kind);
	assert_string_equal(a->keid, b->keid);
	assert_true(a->lifetime_s == b->lifetime_s);
	assert_string_equal(a->enrolee_id, b->enrolee_id);
	assert_string_equal(a->est_uri, b->est_uri);
	assert_string_equal(a->maf_fqdn, b->maf_fqdn);
	assert_string_equal(a->maf_uri, b->maf_uri);
	assert_int_equal(a->credential, b->credential);
	assert_int_equal(a->usages.n, b->usages.n);
	assert_memory_equal(a->usages.items, b->usages.items, a->usages.n);
	assert_int_equal(a->pairs_n, b->pairs_n);
	for (size_t i = 0; i < a->pairs_n; i++) {
		assert_string_equal(a->pairs[i].enrolee_b, b->pairs[i].enrolee_b);
		assert_int_equal(a->pairs[i].suid, b->pairs[i].suid);
	}
}

static void instructions_are_read_as_written_in_both_forms(void **state)
{
	static const struct exchange_pair pairs[] = {{"cse1.m2m.example.com", 22}, {"cse1.m2m.example.com", 25}, {"ae.example.com/C1&<>", 23}};
	static const struct exchange_instruction cases[] = {
		{1, EXCHANGE_CERTIFICATE, KEID, 7776000, "cse2.m2m.example.com", "https://mef.example.com:8443/.well-known/est/onem2m",
			{{41, 42}, 2}, "", "", 0, NULL, 0},
		{2, EXCHANGE_MAF, KEID, 0, "", "", {{32, 33}, 2}, "maf.example.com", "https://maf.example.com:8444", MAF_BY_SYMMETRIC_KEY, NULL, 0},
		{3, EXCHANGE_MAF, KEID, 1, "x", "", {{0}, 0}, "maf.example.com", "https://maf.example.com", MAF_BY_CERTIFICATE, NULL, 0},
		{4, EXCHANGE_END, KEID, 60, "x", "", {{0}, 0}, "", "", 0, pairs, 3}, {5, EXCHANGE_END, KEID, 60, "x", "", {{0}, 0}, "", "", 0, pairs, 1},
		{6, EXCHANGE_END, KEID, 60, "x", "", {{0}, 0}, "", "", 0, NULL, 0}};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (enum doc_form form = DOC_JSON; form <= DOC_XML; form++) {
			struct buf out OWNED_BUF = BUF(DOC_BYTES_MAX);
			struct exchange_instruction back;
			struct why why = {0};
			good(exchange_instruction_write(&cases[i], form, &out, &why), &why);
			good(exchange_instruction_parse(form, buf_span(&out), &arena, &back, &why), &why);
			same_instruction(&cases[i], &back);
		}
	}
}

static void wrong_instructions_are_refused_with_field_and_clause(void **state)
{
	static const struct {
		const char *rest, *text, *clause;
	} bad[] = {
		{"\"instructionType\":\"certificateEnrolment\"", "uri: want it", "seed 003 8.3.3.1 step 5"},
		{"\"instructionType\":\"certificateEnrolment\",\"uri\":\"http://mef\"", "uri: want an https URI", "seed 003 8.3.3.1 step 5"},
		{"\"instructionType\":\"certificateEnrolment\",\"uri\":\"x\"", "uri: ", "RFC 3986 3"},
		{"\"instructionType\":\"certificateEnrolment\",\"uri\":\"https://m\",\"securityUsages\":[22]", "securityUsages", "seed 003 8.3.3.1 step 5"},
		{"\"instructionType\":\"mafEnrolment\"", "mafID: want it", "seed 003 8.3.3.4 step 1"},
		{"\"instructionType\":\"mafEnrolment\",\"mafID\":\"-\"", "mafID: FQDN", "TS-0003 10.3.4"},
		{"\"instructionType\":\"mafEnrolment\",\"mafID\":\"m\",\"uri\":\"https://m\",\"credentialType\":\"x\"", "credentialType: want symmetricKey",
			"seed 003 8.3.3.4 step 1"},
		{"\"instructionType\":\"mafEnrolment\",\"mafID\":\"m\",\"uri\":\"https://m\",\"credentialType\":\"certificate\",\"securityUsages\":[\"saef\"]",
			"securityUsages", "seed 003 8.3.3.4 step 1"},
		{"\"instructionType\":\"end\",\"authorizedPairs\":[1]", "enroleeBID: want it", "seed 003 8.3.3.1 step 9"},
		{"\"instructionType\":\"end\",\"authorizedPairs\":[null]", "enroleeBID: want it", "seed 003 8.3.3.1 step 9"},
		{"\"instructionType\":\"end\",\"authorizedPairs\":[{\"enroleeBID\":\"a\"}]", "securityUsage: want it", "seed 003 8.3.3.1 step 9"},
		{"\"instructionType\":\"end\",\"authorizedPairs\":[{\"enroleeBID\":\"a\",\"securityUsage\":21}]", "securityUsage: want 22 to 25",
			"seed 003 8.3.3.1 step 9"},
		{"\"instructionType\":\"end\",\"authorizedPairs\":{\"enroleeBID\":\"a\",\"securityUsage\":26}", "securityUsage", "seed 003 8.3.3.1 step 9"}};
	struct exchange_instruction r;
	(void)state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char json[512];
		struct why why = {0};
		snprintf(json, sizeof(json), "{" COMMON "%s}", bad[i].rest);
		refused(exchange_instruction_parse(DOC_JSON, span_text(json), &arena, &r, &why), &why, bad[i].text, bad[i].clause);
	}
	struct why why = {0};
	refused(exchange_instruction_parse(DOC_JSON, span_text("{\"instructionType\":\"end\",\"instructionNumber\":1,\"keId\":\"x\"}"), &arena, &r, &why),
		&why, "keId: KeId: want 32 hex digits", "TS-0003 10.3.4");
	why_clear(&why);
	refused(exchange_instruction_parse(DOC_JSON, span_text("{\"instructionType\":\"end\",\"instructionNumber\":1,\"keId\":\"" KEID "\"}"), &arena, &r,
			&why), &why, "lifetime: want it", "seed 003 8.3.3.1");
}

static void pairs_end_at_their_limit(void **state)
{
	struct exchange_pair *pairs = calloc(EXCHANGE_PAIRS_MAX + 1, sizeof(*pairs));
	struct exchange_instruction m = {.step = 1, .kind = EXCHANGE_END, .keid = KEID, .pairs = pairs, .pairs_n = EXCHANGE_PAIRS_MAX};
	struct exchange_instruction back;
	struct why why = {0};
	(void)state;

	assert_non_null(pairs);
	for (size_t i = 0; i <= EXCHANGE_PAIRS_MAX; i++)
		pairs[i] = (struct exchange_pair){"a-cse-with-a-rather-long-name.of-a-node.m2m.example.com", 22};
	for (enum doc_form form = DOC_JSON; form <= DOC_XML; form++) {
		struct buf out OWNED_BUF = BUF(DOC_BYTES_MAX);
		m.pairs_n = EXCHANGE_PAIRS_MAX;
		good(exchange_instruction_write(&m, form, &out, &why), &why);
		good(exchange_instruction_parse(form, buf_span(&out), &arena, &back, &why), &why);
		assert_int_equal(back.pairs_n, EXCHANGE_PAIRS_MAX);
		m.pairs_n++;
		buf_clear(&out);
		good(exchange_instruction_write(&m, form, &out, &why), &why);
		assert_int_equal(exchange_instruction_parse(form, buf_span(&out), &arena, &back, &why), ERR_LIMIT);
		why_clear(&why);
	}
	free(pairs);
}

static void paths_name_an_exchange(void **state)
{
	static const char *const bad[] = {"", "/", "/enrolment/", "/enrolmentX", "/enrolment/00", "/enrolment/000102030405060708090A0B0C0D0E0F/",
		"/enrolment/000102030405060708090A0B0C0D0E0", "/enrolment/000102030405060708090A0B0C0D0E0F0", "/Enrolment",
		"/enrolment/000102030405060708090A0B0C0D0E0G", "/enrolment/%30%30102030405060708090A0B0C0D0E0", "enrolment"};
	uint8_t relative[M2M_RELATIVE_SIZE];
	const uint8_t zero[M2M_RELATIVE_SIZE] = {0};
	struct why why = {0};
	bool start = false;
	(void)state;

	good(exchange_path_parse(span_text("/enrolment"), &start, relative, &why), &why);
	assert_true(start);
	assert_memory_equal(relative, zero, sizeof(zero));
	good(exchange_path_parse(span_text("/enrolment/000102030405060708090a0B0C0D0E0F"), &start, relative, &why), &why);
	assert_false(start);
	assert_int_equal(relative[10], 10);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why_clear(&why);
		if (exchange_path_parse(span_text(bad[i]), &start, relative, &why) != ERR_NOT_FOUND)
			fail_msg("'%s'", bad[i]);
		assert_false(start);
		assert_memory_equal(relative, zero, sizeof(zero));
	}
	assert_string_equal(exchange_kind_name(EXCHANGE_MAF), "mafEnrolment");
	assert_string_equal(exchange_kind_name(0), "none");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh_arena, drop_arena)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(requests_are_read_as_written_in_both_forms),
		TEST(a_request_in_the_words_of_the_text_is_read),
		TEST(wrong_requests_are_refused_with_field_and_clause),
		TEST(tokens_end_at_128_octets),
		TEST(reports_are_read_as_written_in_both_forms),
		TEST(wrong_reports_are_refused_with_field_and_clause),
		TEST(instructions_are_read_as_written_in_both_forms),
		TEST(wrong_instructions_are_refused_with_field_and_clause),
		TEST(pairs_end_at_their_limit),
		TEST(paths_name_an_exchange),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
