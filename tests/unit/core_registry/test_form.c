#include "core/registry/form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void good(const char *wrong, const char *have, const char *want)
{
	assert_null(wrong);
	assert_string_equal(have, want);
}

#define DNS_IS(in, want) good(form_dns(span_text(in), out), out, want)
#define DNS_BAD(in) assert_non_null(form_dns(span_text(in), out))
#define URI_IS(in, host, want) good(form_uri(span_text(in), host, out), out, want)
#define URI_BAD(in, host) assert_non_null(form_uri(span_text(in), host, out))
#define CRED_IS(kind, in, want) good(form_credential(kind, span_text(in), out), out, want)
#define CRED_BAD(kind, in) assert_non_null(form_credential(kind, span_text(in), out))

static void host_names_become_lower_case(void **state)
{
	char out[FORM_SIZE];

	DNS_IS("GW7.Example.COM", "gw7.example.com");
	DNS_IS("localhost", "localhost");
	DNS_IS("7.a-b.x1", "7.a-b.x1");
}

/* RFC 1123 2.1, RFC 1035 2.3.4, TS-0003 10.1.1: no wildcards, no addresses, bounded labels. */
static void refuses_what_is_no_host_name(void **state)
{
	char out[FORM_SIZE];

	DNS_BAD("");
	DNS_BAD("*.example.com");
	DNS_BAD("example.com.");
	DNS_BAD(".example.com");
	DNS_BAD("a..b");
	DNS_BAD("-a.b");
	DNS_BAD("a-.b");
	DNS_BAD("a_b.c");
	DNS_BAD("192.0.2.1");
	DNS_BAD("gr\xc3\xbcn.example");
	DNS_BAD("a b.c");
	assert_non_null(form_dns(span_of("a\0b", 3), out));
}

static void host_names_end_at_their_limits(void **state)
{
	char out[FORM_SIZE];
	char label[65];
	char name[300];

	memset(label, 'a', 64);
	label[64] = '\0';
	DNS_BAD(label);
	label[63] = '\0';
	DNS_IS(label, label);
	/* 63 + 1 + 63 + 1 + 63 + 1 + 61 = 253 */
	snprintf(name, sizeof(name), "%s.%s.%s.%.61s", label, label, label, label);
	DNS_IS(name, name);
	snprintf(name, sizeof(name), "%s.%s.%s.%.62s", label, label, label, label);
	DNS_BAD(name);
}

static void scheme_and_host_of_uris_become_lower_case(void **state)
{
	char out[FORM_SIZE];

	URI_IS("URN:gsma:imei:90420156-025763-0", false, "urn:gsma:imei:90420156-025763-0");
	URI_IS("M2M://SP.Example.com/CSE1/Cae7", true, "m2m://sp.example.com/CSE1/Cae7");
	URI_IS("https://A.b:8443?Q=%2F", true, "https://a.b:8443?Q=%2F");
	URI_IS("https://a.b#Frag", true, "https://a.b#Frag");
}

/* RFC 3986 3: scheme ":" hier-part in ASCII; RFC 5280 4.2.1.6: an authority is a host name. */
static void refuses_what_is_no_absolute_uri(void **state)
{
	char out[FORM_SIZE];

	URI_BAD("", false);
	URI_BAD("/cse/ae", false);
	URI_BAD("//sp.example.com/cse", false);
	URI_BAD("urn:", false);
	URI_BAD("1urn:x", false);
	URI_BAD("u\xc3\xbc:x", false);
	URI_BAD("urn:gr\xc3\xbcn", false);
	URI_BAD("urn:a b", false);
	URI_BAD("urn:%4", false);
	URI_BAD("urn:%zz", false);
	URI_BAD("urn:<x>", false);
	URI_BAD("https://user@a.b/", false);
	URI_BAD("https://[::1]/", false);
	URI_BAD("https://192.0.2.1/", false);
	URI_BAD("https:///path", false);
	URI_BAD("https://a.b:80x/", false);
}

static void an_ae_needs_a_host(void **state)
{
	char out[FORM_SIZE];

	URI_IS("urn:x:y", false, "urn:x:y");
	URI_BAD("urn:x:y", true);
	URI_BAD("m2m:/cse1/Cae7", true);
}

static void uris_end_at_their_limit(void **state)
{
	char out[FORM_SIZE];
	char uri[STORE_VALUE_MAX + 2];

	memset(uri, 'x', sizeof(uri));
	memcpy(uri, "urn:", 4);
	uri[STORE_VALUE_MAX + 1] = '\0';
	URI_BAD(uri, false);
	uri[STORE_VALUE_MAX] = '\0';
	URI_IS(uri, false, uri);
}

static void device_ids_have_a_type_and_a_value(void **state)
{
	char out[FORM_SIZE];

	CRED_IS(CREDENTIAL_DEVICE, "1.2.3;Blue Box 7", "1.2.3;Blue Box 7");
	CRED_IS(CREDENTIAL_DEVICE, "1.2.3;#01ab", "1.2.3;#01AB");
	/* RFC 4108 5: hardwareModuleName, hexadecimal whatever the case */
	CRED_IS(CREDENTIAL_DEVICE, "1.3.6.1.5.5.7.8.4;1.3.6.1.4.1.6175.10.1:01ab", "1.3.6.1.5.5.7.8.4;1.3.6.1.4.1.6175.10.1:01AB");
	CRED_BAD(CREDENTIAL_DEVICE, "1.2.3");
	CRED_BAD(CREDENTIAL_DEVICE, "1.2.3;");
	CRED_BAD(CREDENTIAL_DEVICE, ";x");
	CRED_BAD(CREDENTIAL_DEVICE, "serial;x");
	CRED_BAD(CREDENTIAL_DEVICE, "1..2;x");
	CRED_BAD(CREDENTIAL_DEVICE, "1.;x");
	CRED_BAD(CREDENTIAL_DEVICE, "1;x");
	CRED_BAD(CREDENTIAL_DEVICE, "1.2;\xff");
}

static void serial_numbers_are_text(void **state)
{
	char out[FORM_SIZE];

	CRED_IS(CREDENTIAL_SERIAL, "SN 00-7", "SN 00-7");
	CRED_BAD(CREDENTIAL_SERIAL, "");
	CRED_BAD(CREDENTIAL_SERIAL, "a\nb");
	CRED_BAD(CREDENTIAL_SERIAL, "\xff");
}

#define D43 "UyaQV-Ev4rdLoHyJJWCi11OHfrYv9E1aGQAlMO2X_-Q"

/* RFC 6920 3, TS-0003 10.1.1: sha-256, sha-256-128 and sha-256-120. */
static void keys_are_named_by_digest(void **state)
{
	char out[FORM_SIZE];

	CRED_IS(CREDENTIAL_KEY, "sha-256;" D43, "sha-256;" D43);
	CRED_IS(CREDENTIAL_KEY, "ni:///sha-256;" D43, "sha-256;" D43);
	CRED_IS(CREDENTIAL_KEY, "sha-256-120;UyaQV-Ev4rdLoHyJJWCi", "sha-256-120;UyaQV-Ev4rdLoHyJJWCi");
	CRED_IS(CREDENTIAL_KEY, "sha-256-128;UyaQV-Ev4rdLoHyJJWCi1w", "sha-256-128;UyaQV-Ev4rdLoHyJJWCi1w");
	CRED_BAD(CREDENTIAL_KEY, D43);
	CRED_BAD(CREDENTIAL_KEY, "sha-256;" D43 "A");
	CRED_BAD(CREDENTIAL_KEY, "sha-256;UyaQV");
	CRED_BAD(CREDENTIAL_KEY, "sha-256;UyaQV-Ev4rdLoHyJJWCi11OHfrYv9E1aGQAlMO2X_-R"); /* unused bits set */
	CRED_BAD(CREDENTIAL_KEY, "sha-256-128;UyaQV-Ev4rdLoHyJJWCi1x");
	CRED_BAD(CREDENTIAL_KEY, "sha-256;UyaQV+Ev4rdLoHyJJWCi11OHfrYv9E1aGQAlMO2X/+Q");
	CRED_BAD(CREDENTIAL_KEY, "md5;" D43);
}

static void certificates_are_named_by_digest(void **state)
{
	char out[FORM_SIZE];
	const char *upper = "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF";

	CRED_IS(CREDENTIAL_CERT, upper, upper);
	CRED_IS(CREDENTIAL_CERT, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", upper);
	CRED_IS(CREDENTIAL_CERT, "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff", upper);
	CRED_BAD(CREDENTIAL_CERT, "0011");
	CRED_BAD(CREDENTIAL_CERT, "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF00");
	CRED_BAD(CREDENTIAL_CERT, "xx112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF");
}

static void names_and_uris_pass_their_own_forms(void **state)
{
	char out[FORM_SIZE];
	char longest[STORE_VALUE_MAX + 2];

	CRED_IS(CREDENTIAL_FQDN, "GW.example", "gw.example");
	CRED_BAD(CREDENTIAL_FQDN, "*.example");
	CRED_IS(CREDENTIAL_URI, "URN:dev:ops:1", "urn:dev:ops:1");
	CRED_BAD(CREDENTIAL_URI, "dev");
	CRED_BAD((enum credential_kind)99, "x");
	memset(longest, 's', sizeof(longest));
	longest[STORE_VALUE_MAX + 1] = '\0';
	CRED_BAD(CREDENTIAL_SERIAL, longest);
	longest[STORE_VALUE_MAX] = '\0';
	CRED_IS(CREDENTIAL_SERIAL, longest, longest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_names_become_lower_case),
		cmocka_unit_test(refuses_what_is_no_host_name),
		cmocka_unit_test(host_names_end_at_their_limits),
		cmocka_unit_test(scheme_and_host_of_uris_become_lower_case),
		cmocka_unit_test(refuses_what_is_no_absolute_uri),
		cmocka_unit_test(an_ae_needs_a_host),
		cmocka_unit_test(uris_end_at_their_limit),
		cmocka_unit_test(device_ids_have_a_type_and_a_value),
		cmocka_unit_test(serial_numbers_are_text),
		cmocka_unit_test(keys_are_named_by_digest),
		cmocka_unit_test(certificates_are_named_by_digest),
		cmocka_unit_test(names_and_uris_pass_their_own_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
