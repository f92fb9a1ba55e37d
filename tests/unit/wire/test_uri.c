#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/uri.h"

static void expect(const char *text, const char *host, unsigned int port, const char *path, const char *query)
{
	struct uri uri;
	struct why why = {0};

	if (uri_parse(span_text(text), &uri, &why) != OK)
		fail_msg("%s: %s", text, why.text);
	assert_true(span_is(uri.host, host));
	assert_int_equal(uri.port, port);
	assert_true(span_is(uri.path, path));
	assert_true(span_is(uri.query, query));
}

static void takes_a_uri_apart(void **state)
{
	/* RFC 3986 3: scheme, authority, path, query */
	expect("https://mef.example.com/.well-known/est/onem2m", "mef.example.com", 443, "/.well-known/est/onem2m", "");
	expect("http://mef.example.com", "mef.example.com", 80, "", "");
	expect("HTTPS://MEF.example.com:8443", "MEF.example.com", 8443, "", "");
	expect("http://127.0.0.1:1/a?b=c?d", "127.0.0.1", 1, "/a", "b=c?d");
	expect("https://h?q", "h", 443, "", "q");
	expect("https://h/?", "h", 443, "/", "");
	expect("https://h:65535/a@b:c", "h", 65535, "/a@b:c", "");
}

static void reads_ipv6_in_brackets(void **state)
{
	/* RFC 3986 3.2.2: IP literals stand in brackets */
	expect("https://[::1]:8443/x", "::1", 8443, "/x", "");
	expect("https://[2001:db8::1]", "2001:db8::1", 443, "", "");
}

static void refuse(const char *text)
{
	struct uri uri;
	struct why why = {0};

	if (uri_parse(span_text(text), &uri, &why) != ERR_SYNTAX)
		fail_msg("%s: want a refusal", text);
	assert_true(why.text[0] != '\0');
}

static void refuses_what_is_no_http_uri(void **state)
{
	const char *bad[] = {"", "https", "https:", "https:/h", "https//h", "ftp://h", "httpsx://h", "://h",
		"mef.example.com", "/path", "https://", "https:///path", "https://:443", "https://h:0", "https://h:65536",
		"https://h:", "https://h:1a", "https://h:-1", "https://h h/", "https://h/ a", "https://h\t", "https://h\r\n",
		"https://h\xc3\xa4", "https://h%20", "https://h\x7f/"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuse(bad[i]);
}

static void refuses_names_passwords_and_fragments(void **state)
{
	/* RFC 9110 4.2.4: user information in a URI is treated as an error */
	refuse("https://user@h/");
	refuse("https://user:pw@h/");
	refuse("https://h/#f");
	refuse("https://h#f");
}

static void refuses_odd_brackets(void **state)
{
	const char *bad[] = {"https://[::1", "https://::1]", "https://[]", "https://[::1]x", "https://[::1]8443",
		"https://[h%eth0]", "https://[[::1]]"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuse(bad[i]);
}

static void refuses_bytes_of_zero(void **state)
{
	struct uri uri;
	struct why why = {0};

	assert_int_equal(uri_parse(span_of("https://a\0b/", 12), &uri, &why), ERR_SYNTAX);
}

static enum err decode(const char *text, char *out, size_t size)
{
	struct why why = {0};

	return uri_decode(span_text(text), out, size, &why);
}

static void decodes_escapes_once(void **state)
{
	char out[16];

	/* RFC 3986 2.4: decoded once, never again */
	assert_int_equal(decode("a%2Fb%2f%25%32%35", out, sizeof(out)), OK);
	assert_string_equal(out, "a/b/%25");
	assert_int_equal(decode("", out, sizeof(out)), OK);
	assert_string_equal(out, "");
	assert_int_equal(decode("+%c3%A4", out, sizeof(out)), OK);
	assert_string_equal(out, "+\xc3\xa4");
}

static void refuses_escapes_that_are_none(void **state)
{
	const char *bad[] = {"%", "a%", "%4", "%4g", "%g4", "%%41", "%00", "%-1", "% 1"};
	char out[16];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(decode(bad[i], out, sizeof(out)), ERR_SYNTAX);
	struct why why = {0};
	assert_int_equal(uri_decode(span_of("a\0b", 3), out, sizeof(out), &why), ERR_SYNTAX);
}

static void decodes_into_its_room_and_not_past(void **state)
{
	char out[5] = "zzzz";

	assert_int_equal(decode("abc", out, 4), OK);
	assert_string_equal(out, "abc");
	assert_int_equal(decode("abc%64", out, 4), ERR_SYNTAX);
	assert_true(strlen(out) < 4); /* what there is has an end */
	assert_int_equal(out[4], '\0');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_a_uri_apart),
		cmocka_unit_test(reads_ipv6_in_brackets),
		cmocka_unit_test(refuses_what_is_no_http_uri),
		cmocka_unit_test(refuses_names_passwords_and_fragments),
		cmocka_unit_test(refuses_odd_brackets),
		cmocka_unit_test(refuses_bytes_of_zero),
		cmocka_unit_test(decodes_escapes_once),
		cmocka_unit_test(refuses_escapes_that_are_none),
		cmocka_unit_test(decodes_into_its_room_and_not_past),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
