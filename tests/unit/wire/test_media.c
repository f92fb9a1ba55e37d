#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/media.h"

static bool is(const char *value, const char *type)
{
	return media_is(span_text(value), type);
}

static void compares_without_parameters_blanks_and_case(void **state)
{
	/* RFC 9110 8.3.1: type and subtype are compared without case */
	assert_true(is("application/pkcs10", "application/pkcs10"));
	assert_true(is(" Application/PKCS10 ; charset=x", "application/pkcs10"));
	assert_false(is("application/pkcs10x", "application/pkcs10"));
	assert_false(is("application/pkcs1", "application/pkcs10"));
	assert_false(is("x;application/pkcs10", "application/pkcs10"));
	assert_false(is("", "application/pkcs10"));
}

static struct span param(const char *value, const char *name)
{
	return media_param(span_text(value), name);
}

static void finds_a_parameter_wherever_it_stands(void **state)
{
	const char *value = "application/pkcs7-mime; name=x ;SMIME-type=\"certs-only\";z";

	assert_true(span_is(param(value, "smime-type"), "certs-only"));
	assert_true(span_is(param(value, "name"), "x"));
	assert_int_equal(param(value, "z").n, 0);
	assert_int_equal(param(value, "smime").n, 0);
	assert_int_equal(param("application/pkcs7-mime", "name").n, 0);
	assert_int_equal(param("", "name").n, 0);
	assert_int_equal(param(";", "name").n, 0);
	assert_true(span_is(param("a/b;name=\"", "name"), "\""));
}

static bool accepts(const char *accept)
{
	return media_accepts(span_text(accept), "application/pkcs7-mime; smime-type=certs-only");
}

static void an_absent_accept_admits_all(void **state)
{
	assert_true(accepts(""));
	assert_true(accepts(" \t"));
}

static void a_range_admits_its_types(void **state)
{
	/* RFC 9110 12.5.1: itself, its family, or anything */
	assert_true(accepts("application/pkcs7-mime"));
	assert_true(accepts("APPLICATION/PKCS7-MIME"));
	assert_true(accepts("text/html, application/*;q=0.1"));
	assert_true(accepts("*/*"));
	assert_true(accepts("text/html,,*/* ; q=0.5"));
	assert_false(accepts("text/html"));
	assert_false(accepts("text/*, application/pkcs8"));
	assert_false(accepts("app/*"));
}

static void a_weight_of_zero_refuses(void **state)
{
	/* RFC 9110 12.4.2: zero means not acceptable */
	assert_false(accepts("application/pkcs7-mime;q=0"));
	assert_false(accepts("application/pkcs7-mime; q=0.000"));
	assert_true(accepts("application/pkcs7-mime;q=0.001"));
	assert_false(accepts("*/*;q=0"));
}

static void the_most_precise_range_decides(void **state)
{
	/* RFC 9110 12.5.1: a precise range overrides a wide one, in whatever order they stand */
	assert_false(accepts("application/pkcs7-mime;q=0, */*"));
	assert_false(accepts("*/*, application/pkcs7-mime;q=0"));
	assert_false(accepts("application/*;q=0, */*;q=1"));
	assert_true(accepts("*/*;q=0, application/pkcs7-mime"));
	assert_true(accepts("application/*;q=0, application/pkcs7-mime;q=0.2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares_without_parameters_blanks_and_case),
		cmocka_unit_test(finds_a_parameter_wherever_it_stands),
		cmocka_unit_test(an_absent_accept_admits_all),
		cmocka_unit_test(a_range_admits_its_types),
		cmocka_unit_test(a_weight_of_zero_refuses),
		cmocka_unit_test(the_most_precise_range_decides),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
