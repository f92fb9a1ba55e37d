#include "wire/doc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void content_types_name_a_form(void **state)
{
	static const struct {
		const char *type;
		enum doc_form form; /* 0: refused */
	} cases[] = {{"", DOC_JSON}, {"application/json", DOC_JSON}, {"Application/JSON; charset=utf-8", DOC_JSON},
		{"application/vnd.onem2m-res+json; ty=4", DOC_JSON}, {"application/xml", DOC_XML}, {"text/xml", DOC_XML},
		{" application/vnd.onem2m-res+xml ;x=y", DOC_XML}, {"application/vnd.onem2m-res+cbor", 0}, {"text/html", 0},
		{"application/jsonx", 0}, {"application/+xml", DOC_XML}, {"image/svg+xml", 0}, {"json", 0}, {"+json", 0}, {"*/*", 0},
		{"application/x-www-form-urlencoded", 0}};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct why why = {0};
		enum doc_form form = DOC_XML;
		enum err err = doc_form_of(span_text(cases[i].type), &form, &why);
		if (err != (cases[i].form ? OK : ERR_UNSUPPORTED) || (cases[i].form && form != cases[i].form))
			fail_msg("'%s'", cases[i].type);
	}
	assert_string_equal(doc_media_type(DOC_JSON), "application/json");
	assert_string_equal(doc_media_type(DOC_XML), "application/xml");
}

/* RFC 9110 12.5.1: the greater quality wins, a more precise range decides for its type */
static void accept_chooses_the_form_of_the_answer(void **state)
{
	static const struct {
		const char *accept;
		enum doc_form form; /* 0: that of the request */
	} cases[] = {{"", 0}, {"*/*", 0}, {"application/*", 0}, {"text/html", 0}, {"application/json", DOC_JSON},
		{"application/xml", DOC_XML}, {"text/xml", DOC_XML}, {"application/vnd.onem2m-res+xml", DOC_XML},
		{"application/xml, */*", DOC_XML}, {"*/*, application/json", DOC_JSON}, {"application/json, application/xml", 0},
		{"application/json;q=0.5, application/xml", DOC_XML}, {"application/json, application/xml;q=0.999", DOC_JSON},
		{"application/json;q=0", DOC_JSON * 0}, {"application/json;q=0, */*", DOC_XML}, {"*/*;q=0.1, application/xml;q=0.05", DOC_JSON},
		{"application/json;q=0.001, application/xml;q=0.002", DOC_XML}, {"application/json;q=bogus, application/xml;q=0.9", DOC_JSON},
		{",,application/xml,,", DOC_XML}};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (enum doc_form request = DOC_JSON; request <= DOC_XML; request++) {
			enum doc_form want = cases[i].form ? cases[i].form : request;
			if (doc_form_wanted(span_text(cases[i].accept), request) != want)
				fail_msg("'%s'", cases[i].accept);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(content_types_name_a_form),
		cmocka_unit_test(accept_chooses_the_form_of_the_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
