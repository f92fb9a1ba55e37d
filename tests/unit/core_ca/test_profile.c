#include "core/ca/profile.h"

#include "core/ca/names.h"
#include "pki/der_nest.h"
#include "pki/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

static struct profile good(void)
{
	return (struct profile){
		.name = "device",
		.validity_s = 90 * 86400,
		.backdate_s = 3600,
		.key_usage = KU_DIGITAL_SIGNATURE,
		.ekus = {"1.3.6.1.5.5.7.3.2"},
		.ekus_n = 1,
		.keys = {KEY_P256},
		.keys_n = 1,
		.san_kinds = SAN_RULE_DNS | SAN_RULE_URI | SAN_RULE_OTHER | SAN_RULE_IP,
	};
}

static void admit(const struct profile *p)
{
	struct why why = {0};

	if (profile_check(p, &why) != OK)
		fail_msg("%s", why.text);
}

#define refuse(p, code_) \
	do { \
		struct why refuse_why_ = {0}; \
		assert_int_equal(profile_check((p), &refuse_why_), ERR_SYNTAX); \
		assert_int_equal(refuse_why_.code, CODE_##code_); \
	} while (0)

static void profiles_are_found_by_their_whole_name(void **state)
{
	struct profile_set set = {.items = {good(), good()}, .n = 2};

	snprintf(set.items[1].name, sizeof(set.items[1].name), "devices");
	assert_ptr_equal(profile_find(&set, "device"), &set.items[0]);
	assert_ptr_equal(profile_find(&set, "devices"), &set.items[1]);
	assert_null(profile_find(&set, "dev"));
	assert_null(profile_find(&set, ""));
	set.n = 1;
	assert_null(profile_find(&set, "devices"));
}

static void a_name_is_letters_digits_and_hyphens(void **state)
{
	struct profile p = good();

	admit(&p);
	p.name[0] = '\0';
	refuse(&p, PROFILE_NAME);
	snprintf(p.name, sizeof(p.name), "a b");
	refuse(&p, PROFILE_NAME);
	memset(p.name, 'a', sizeof(p.name) - 1);
	p.name[sizeof(p.name) - 1] = '\0';
	admit(&p);
	memset(p.name, 'a', sizeof(p.name));
	refuse(&p, PROFILE_NAME);
}

static void validity_is_a_minute_to_a_hundred_years(void **state)
{
	struct profile p = good();

	p.validity_s = 60;
	admit(&p);
	p.validity_s = 59;
	refuse(&p, PROFILE_VALIDITY);
	p.validity_s = 100LL * 365 * 86400;
	admit(&p);
	p.validity_s++;
	refuse(&p, PROFILE_VALIDITY);
	p = good();
	p.backdate_s = 30 * 86400;
	admit(&p);
	p.backdate_s++;
	refuse(&p, PROFILE_VALIDITY);
	p.backdate_s = -1;
	refuse(&p, PROFILE_VALIDITY);
}

/* RFC 5280 4.2.1.3: end entities sign no certificates */
static void usages_of_cas_are_not_for_profiles(void **state)
{
	struct profile p = good();

	p.key_usage = KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT | KU_KEY_AGREEMENT;
	admit(&p);
	p.key_usage = 0;
	refuse(&p, PROFILE_USAGE);
	p.key_usage = KU_DIGITAL_SIGNATURE | KU_KEY_CERT_SIGN;
	refuse(&p, PROFILE_USAGE);
	p.key_usage = KU_CRL_SIGN;
	refuse(&p, PROFILE_USAGE);
	p.key_usage = 1 << 9;
	refuse(&p, PROFILE_USAGE);
}

static void purposes_are_object_identifiers_each_once(void **state)
{
	struct profile p = good();

	snprintf(p.ekus[0], sizeof(p.ekus[0]), "clientAuth");
	refuse(&p, PROFILE_EKUS);
	p = good();
	p.ekus_n = 2;
	refuse(&p, PROFILE_EKUS);
	snprintf(p.ekus[1], sizeof(p.ekus[1]), "1.3.6.1.5.5.7.3.2");
	refuse(&p, PROFILE_EKUS);
	snprintf(p.ekus[1], sizeof(p.ekus[1]), "1.3.6.1.5.5.7.3.1");
	admit(&p);
	memset(p.ekus[1], '1', sizeof(p.ekus[1]));
	refuse(&p, PROFILE_EKUS);
	p = good();
	p.ekus_n = 0;
	admit(&p);
}

/* Six purposes stay free for the SUIDs of certificates. */
static void the_list_of_purposes_has_a_limit(void **state)
{
	struct profile p = good();

	for (size_t i = 0; i < CERT_EKU_MAX; i++)
		snprintf(p.ekus[i], sizeof(p.ekus[i]), "1.2.%zu", i + 1);
	p.ekus_n = CERT_EKU_MAX;
	admit(&p);
	p.ekus_n = CERT_EKU_MAX + 1;
	refuse(&p, PROFILE_EKUS);
	p.suid_ekus = true;
	snprintf(p.suid_arc, sizeof(p.suid_arc), "2.25.1");
	p.ekus_n = CERT_EKU_MAX - 6;
	admit(&p);
	p.ekus_n++;
	refuse(&p, PROFILE_EKUS);
}

static void the_arc_is_an_object_identifier_when_it_is_used(void **state)
{
	struct profile p = good();

	snprintf(p.suid_arc, sizeof(p.suid_arc), "nonsense");
	admit(&p);
	p.suid_ekus = true;
	refuse(&p, PROFILE_ARC);
	p.suid_arc[0] = '\0';
	refuse(&p, PROFILE_ARC);
	snprintf(p.suid_arc, sizeof(p.suid_arc), "2.25.340282366920938463463374607431768211455");
	admit(&p);
}

static void keys_are_of_the_kinds_that_are_issued_for(void **state)
{
	struct profile p = good();

	p.keys_n = 0;
	refuse(&p, PROFILE_KEYS);
	p.keys_n = PROFILE_KEYS_MAX + 1;
	refuse(&p, PROFILE_KEYS);
	p = good();
	p.keys[0] = KEY_OTHER;
	refuse(&p, PROFILE_KEYS);
	p.keys[0] = KEY_NONE;
	refuse(&p, PROFILE_KEYS);
	p = (struct profile)good();
	p.keys[1] = KEY_RSA3072;
	p.keys_n = 2;
	admit(&p);
}

static void rules_on_names_fit_together(void **state)
{
	struct profile p = good();

	p.san_kinds = 16;
	refuse(&p, PROFILE_SANS);
	p.san_kinds = 0;
	admit(&p);
	p.san_required = true;
	refuse(&p, PROFILE_SANS);
	p = good();
	p.san_kinds = SAN_RULE_OTHER;
	p.suffixes_n = 1;
	snprintf(p.suffixes[0], sizeof(p.suffixes[0]), "example.com");
	refuse(&p, PROFILE_SANS);
	p.san_kinds = SAN_RULE_URI;
	admit(&p);
	p.suffixes_n = PROFILE_SUFFIXES_MAX + 1;
	refuse(&p, PROFILE_SUFFIX);
}

static void a_suffix_is_a_dns_name_or_a_urn_prefix(void **state)
{
	static const char *const right[] = {"example.com", "localhost", "a-b.example", "urn:gsma:imei:", "urn:x"};
	static const char *const wrong[] = {"", ".example.com", "example.com.", "a..b", "*.example.com", "urn:", "urn:a b",
		"https://example.com", "a b"};
	struct profile p = good();

	p.suffixes_n = 1;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		snprintf(p.suffixes[0], sizeof(p.suffixes[0]), "%s", right[i]);
		admit(&p);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(p.suffixes[0], sizeof(p.suffixes[0]), "%s", wrong[i]);
		refuse(&p, PROFILE_SUFFIX);
	}
	memset(p.suffixes[0], 'a', sizeof(p.suffixes[0]));
	refuse(&p, PROFILE_SUFFIX);
}

static enum err names_of(const struct profile *p, enum san_kind kind, const char *text, struct why *why)
{
	struct buf der OWNED_BUF = BUF(1024);
	size_t at = der_open(&der, DER_SEQUENCE);

	der_put(&der, kind == SAN_DNS ? 0x82 : 0x86, span_text(text));
	der_close(&der, at);
	return names_check(p, buf_span(&der), why);
}

static void names_admitted(const struct profile *p, enum san_kind kind, const char *text)
{
	struct why why = {0};

	if (names_of(p, kind, text, &why) != OK)
		fail_msg("%s: %s", text, why.text);
}

static void names_refused(const struct profile *p, enum san_kind kind, const char *text)
{
	struct why why = {0};

	if (names_of(p, kind, text, &why) == OK)
		fail_msg("%s: admitted", text);
	/* a name that is none at all falls in pki/name.h already */
	if (why.code != CODE_SAN_SYNTAX)
		assert_int_equal(why.code, CODE_ISSUE_NAME);
}

static void dns_names_lie_under_a_suffix(void **state)
{
	static const char *const right[] = {"example.com", "EXAMPLE.com", "a.example.com", "a.b.Example.COM", "x.example.org"};
	static const char *const wrong[] = {"xample.com", "badexample.com", "example.com.evil.org", "com", "example.org.",
		".example.com", "a..example.com", "-a.example.com", "a-.example.com", "*.example.com", "a_b.example.com", "a b.example.com"};
	struct profile p = good();

	p.suffixes_n = 2;
	snprintf(p.suffixes[0], sizeof(p.suffixes[0]), "example.com");
	snprintf(p.suffixes[1], sizeof(p.suffixes[1]), "example.org");
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		names_admitted(&p, SAN_DNS, right[i]);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		names_refused(&p, SAN_DNS, wrong[i]);
	p.suffixes_n = 0;
	names_admitted(&p, SAN_DNS, "any.where.net");
	names_refused(&p, SAN_DNS, "*.where.net"); /* TS-0003 10.1.1 */
}

static void a_dns_label_has_at_most_63_octets(void **state)
{
	struct profile p = good();
	char name[80];

	snprintf(name, sizeof(name), "%063d.example.com", 1);
	names_admitted(&p, SAN_DNS, name);
	snprintf(name, sizeof(name), "%064d.example.com", 1);
	names_refused(&p, SAN_DNS, name);
}

static void uri_hosts_lie_under_a_suffix(void **state)
{
	static const char *const right[] = {"https://example.com", "https://ae1.example.com/path?x#y", "coap://A.Example.com:5683/",
		"m2m://example.com/cse/CAE1"};
	static const char *const wrong[] = {"https://badexample.com/", "https://example.org/", "https://evil.org/example.com",
		"https://evil.org#.example.com", "https://evil.org?.example.com", "https://example.com@evil.org/",
		"https://user@example.com/", "https://example.com:x/", "https:///example.com", "https:example.com", "//example.com",
		"example.com", ":", "mailto:a@example.com", "https://[::1]/", "urn:gsma:imei:1", "https://*.example.com/",
		"https://example.com/a b", "https://evil.org\\.example.com"};
	struct profile p = good();

	p.suffixes_n = 1;
	snprintf(p.suffixes[0], sizeof(p.suffixes[0]), "example.com");
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		names_admitted(&p, SAN_URI, right[i]);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		names_refused(&p, SAN_URI, wrong[i]);
}

static void urns_need_no_suffix_or_a_urn_prefix(void **state)
{
	struct profile p = good();

	names_admitted(&p, SAN_URI, "urn:gsma:imei:350000000000001-0");
	p.suffixes_n = 1;
	snprintf(p.suffixes[0], sizeof(p.suffixes[0]), "urn:gsma:imei:");
	names_admitted(&p, SAN_URI, "urn:gsma:imei:350000000000001-0");
	names_admitted(&p, SAN_URI, "URN:gsma:imei:1");
	names_refused(&p, SAN_URI, "urn:gsma:ime");
	names_refused(&p, SAN_URI, "urn:uuid:1");
	names_refused(&p, SAN_URI, "https://example.com/"); /* a prefix of URNs admits no host */
}

/* A subject: one SET of one attribute of that string type. */
static enum err subject_of(const char *octets, size_t n)
{
	struct why why = {0};
	enum err err = subject_check(span_of(octets, n), &why);

	if (err != OK)
		assert_int_equal(why.code, CODE_ISSUE_SUBJECT);
	return err;
}
#define SUBJECT(octets) subject_of(octets, sizeof(octets) - 1)

/* RFC 5280 4.1.2.4 */
static void a_subject_is_a_well_formed_name(void **state)
{
	assert_int_equal(SUBJECT("\x30\x00"), OK);
	assert_int_equal(SUBJECT("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01x"), OK);
	assert_int_equal(SUBJECT("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x13\x01x"), OK);
	assert_int_equal(SUBJECT(""), ERR_SYNTAX);
	assert_int_equal(SUBJECT("\x31\x00"), ERR_SYNTAX);
	assert_int_equal(SUBJECT("\x30\x00\x00"), ERR_SYNTAX);                                              /* tail */
	assert_int_equal(SUBJECT("\x30\x02\x31\x00"), ERR_SYNTAX);                                          /* empty SET */
	assert_int_equal(SUBJECT("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x04\x01x"), ERR_SYNTAX);     /* octets */
	assert_int_equal(SUBJECT("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x13\x01*"), ERR_SYNTAX);     /* X.680 41.4 */
	assert_int_equal(SUBJECT("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01\xff"), ERR_SYNTAX);  /* UTF-8 */
	assert_int_equal(SUBJECT("\x30\x0b\x31\x09\x30\x07\x06\x03\x55\x04\x03\x0c\x00"), ERR_SYNTAX);      /* nothing */
	assert_int_equal(SUBJECT("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x83\x0c\x01x"), ERR_SYNTAX);     /* OID */
	assert_int_equal(SUBJECT("\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x01x\x05"), ERR_SYNTAX); /* third */
}

static void sixteen_attributes_are_a_subject_and_seventeen_are_not(void **state)
{
	static const uint8_t rdn[] = {0x31, 0x0a, 0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x0b, 0x0c, 0x01, 'x'};

	for (size_t n = 16; n <= 17; n++) {
		struct buf name OWNED_BUF = BUF(1024);
		struct why why = {0};
		buf_put(&name, "\x30\x81", 2);
		buf_put_u8(&name, (uint8_t)(n * sizeof(rdn)));
		for (size_t i = 0; i < n; i++)
			buf_put(&name, rdn, sizeof(rdn));
		assert_int_equal(subject_check(buf_span(&name), &why), n == 16 ? OK : ERR_SYNTAX);
	}
}

/* What a reader would see otherwise than it is written. */
static void a_subject_steers_no_screen(void **state)
{
	assert_int_equal(SUBJECT("\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02\xc3\xa4"), OK);         /* U+00E4 */
	assert_int_equal(SUBJECT("\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02\xc2\x9b"), ERR_SYNTAX); /* CSI */
	assert_int_equal(SUBJECT("\x30\x0e\x31\x0c\x30\x0a\x06\x03\x55\x04\x03\x0c\x03\xe2\x80\xae"), ERR_SYNTAX); /* RLO */
	assert_int_equal(SUBJECT("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01\n"), ERR_SYNTAX);
}

static enum err hosts_of(const char *cn, const char *dns, struct why *why)
{
	struct buf subject OWNED_BUF = BUF(512);
	struct buf sans OWNED_BUF = BUF(512);

	assert_int_equal(name_write_cn(cn, "SN-1", &subject, why), OK);
	if (dns) {
		size_t at = der_open(&sans, DER_SEQUENCE);
		der_put(&sans, 0x86, span_text("urn:x:1"));
		der_put(&sans, 0x82, span_text(dns));
		der_close(&sans, at);
	}
	return hosts_check("mef.example.com", buf_span(&subject), buf_span(&sans), why);
}

/* RFC 9525 2: for software that looks for hosts in the common name when there is no dNSName. */
static void a_common_name_claims_no_host_that_is_not_there(void **state)
{
	static const struct {
		const char *cn, *dns;
		enum code code; /* 0: admitted */
	} rows[] = {
		{"device 7", NULL, 0}, {"gw7", NULL, 0}, {"urn:dev:ops:7", NULL, 0}, {"gw7.example.com", "gw7.example.com", 0},
		{"GW7.Example.com", "gw7.example.com", 0}, {"M\xc3\xbcller.example.com", NULL, 0},
		{"gw8.example.com", "gw7.example.com", CODE_ISSUE_CN}, {"gw7.example.com", NULL, CODE_ISSUE_CN},
		{"*.example.com", "gw7.example.com", CODE_ISSUE_CN}, {"192.0.2.1", NULL, CODE_ISSUE_CN},
		{"gw7.example.com.", "gw7.example.com", CODE_ISSUE_CN}, {"mef.example.com", NULL, CODE_ISSUE_OWN_NAME},
		{"MEF.example.COM", "gw7.example.com", CODE_ISSUE_OWN_NAME}, {"gw7", "mef.Example.com", CODE_ISSUE_OWN_NAME},
		{"mef.example.com", "mef.example.com", CODE_ISSUE_OWN_NAME},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct why why = {0};
		enum err err = hosts_of(rows[i].cn, rows[i].dns, &why);
		if (err != (rows[i].code ? ERR_FORBIDDEN : OK) || why.code != rows[i].code)
			fail_msg("%s beside %s: %s", rows[i].cn, rows[i].dns ? rows[i].dns : "nothing", why.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(profiles_are_found_by_their_whole_name),
		cmocka_unit_test(a_subject_steers_no_screen),
		cmocka_unit_test(a_common_name_claims_no_host_that_is_not_there),
		cmocka_unit_test(a_name_is_letters_digits_and_hyphens),
		cmocka_unit_test(validity_is_a_minute_to_a_hundred_years),
		cmocka_unit_test(usages_of_cas_are_not_for_profiles),
		cmocka_unit_test(purposes_are_object_identifiers_each_once),
		cmocka_unit_test(the_list_of_purposes_has_a_limit),
		cmocka_unit_test(the_arc_is_an_object_identifier_when_it_is_used),
		cmocka_unit_test(keys_are_of_the_kinds_that_are_issued_for),
		cmocka_unit_test(rules_on_names_fit_together),
		cmocka_unit_test(a_suffix_is_a_dns_name_or_a_urn_prefix),
		cmocka_unit_test(dns_names_lie_under_a_suffix),
		cmocka_unit_test(a_dns_label_has_at_most_63_octets),
		cmocka_unit_test(uri_hosts_lie_under_a_suffix),
		cmocka_unit_test(urns_need_no_suffix_or_a_urn_prefix),
		cmocka_unit_test(a_subject_is_a_well_formed_name),
		cmocka_unit_test(sixteen_attributes_are_a_subject_and_seventeen_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
