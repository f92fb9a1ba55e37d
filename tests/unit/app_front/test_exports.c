#include "app/front/front.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct label_set labels = {.items = {{.name = ""}, {.name = "bound", .bind_tls = true}, {.name = "free"},
	{.name = "linked", .linking = LINKING_ACCEPTED}}, .n = 4};
static const struct label_set bound_default = {.items = {{.name = "", .bind_tls = true}, {.name = "free"}}, .n = 2};

/* TS-0003 10.3.1, RFC 7030 3.2.2 */
static void only_calls_that_need_them_get_exported_keys(void **state)
{
	static const struct {
		const char *path;
		enum call_export what, with_bound_default;
	} rows[] = {
		{"/.well-known/est/simpleenroll", EXPORT_NONE, EXPORT_BINDING},
		{"/.well-known/est/csrattrs", EXPORT_NONE, EXPORT_BINDING},
		{"/.well-known/est/bound/csrattrs", EXPORT_BINDING, EXPORT_NONE},
		{"/.well-known/est/bound/simpleenroll", EXPORT_BINDING, EXPORT_NONE},
		{"/.well-known/est/free/simpleenroll", EXPORT_NONE, EXPORT_NONE},
		{"/.well-known/est/linked/simpleenroll", EXPORT_BINDING, EXPORT_NONE}, /* RFC 7030 3.5 */
		{"/.well-known/est/linked/fullcmc", EXPORT_BINDING, EXPORT_NONE},
		{"/.well-known/est/linked/cacerts", EXPORT_NONE, EXPORT_NONE},
		{"/.well-known/est/linked/csrattrs", EXPORT_NONE, EXPORT_NONE},
		{"/.well-known/est/unknown/simpleenroll", EXPORT_NONE, EXPORT_NONE},
		{"/.well-known/est//simpleenroll", EXPORT_NONE, EXPORT_BINDING},
		{"/.well-known/est", EXPORT_NONE, EXPORT_NONE},
		{"/enrolment", EXPORT_ENROLMENT, EXPORT_ENROLMENT},
		{"/enrolment/", EXPORT_ENROLMENT, EXPORT_ENROLMENT},
		{"/enrolment/17/status", EXPORT_ENROLMENT, EXPORT_ENROLMENT},
		{"/enrolments", EXPORT_NONE, EXPORT_NONE},
		{"/Enrolment", EXPORT_NONE, EXPORT_NONE},
		{"/maf/symmKeyReg", EXPORT_CONNECTION, EXPORT_CONNECTION},
		{"/maf/symmKeyReg/1", EXPORT_NONE, EXPORT_NONE},
		{"/maf", EXPORT_NONE, EXPORT_NONE},
		{"/fetchCredentials/ab", EXPORT_NONE, EXPORT_NONE},
		{"/", EXPORT_NONE, EXPORT_NONE},
	};
	struct front one = {.labels = &labels}, two = {.labels = &bound_default};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct call call = {.method = CALL_POST, .path = span_text(rows[i].path)};
		if (front_exports(&one, &call) != rows[i].what || front_exports(&two, &call) != rows[i].with_bound_default)
			fail_msg("%s", rows[i].path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_calls_that_need_them_get_exported_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
