#include "proto/m2m/ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEX "000102030405060708090A0B0C0D0E0F"
#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* TS-0003 10.3.4: hexBinary(RelativeKeID)@MEF-FQDN; either case is read, one is written */
static void keyids_have_one_normal_form(void **state)
{
	static const char *const good[] = {HEX "@mef.example.com", "000102030405060708090a0b0c0d0e0f@MEF.Example.Com",
		"000102030405060708090A0b0C0d0E0f@mef.EXAMPLE.com"};
	(void)state;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint8_t relative[M2M_RELATIVE_SIZE];
		char normal[M2M_KEYID_SIZE], again[M2M_KEYID_SIZE];
		struct span fqdn = {NULL, 0};
		struct why why = {0};
		assert_int_equal(m2m_keyid_parse(span_text(good[i]), relative, normal, &fqdn, &why), OK);
		assert_string_equal(normal, HEX "@mef.example.com");
		assert_true(span_is(fqdn, "mef.example.com"));
		assert_true((const char *)fqdn.p == normal + 33);
		assert_int_equal(relative[15], 15);
		assert_int_equal(m2m_psk_identity_parse(span_text(good[i]), again, &why), OK);
		assert_string_equal(again, normal);
	}
}

static void malformed_keyids_are_refused(void **state)
{
	static const char *const bad[] = {"", "@", HEX, HEX "@", HEX "mef.example.com", HEX "0@mef.example.com", "0102@mef.example.com",
		"00010203040506070809 A0B0C0D0E0F@mef.example.com", "00:01:02:03:04:05:06:07:08:09:A@mef.example.com",
		"G00102030405060708090A0B0C0D0E0F@mef.example.com", HEX "@@mef.example.com", HEX "@mef..example.com", HEX "@.example.com",
		HEX "@mef.example.com.", HEX "@-mef.example.com", HEX "@mef-.example.com", HEX "@mef_1.example.com", HEX "@mef.example.com/x",
		HEX "@mef.example.com ", HEX "@m\xc3\xa9" "f.example.com", HEX "@" L63 "a.example.com"};
	(void)state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t relative[M2M_RELATIVE_SIZE];
		char normal[M2M_KEYID_SIZE];
		struct span fqdn = {NULL, 0};
		struct why why = {0};
		if (m2m_keyid_parse(span_text(bad[i]), relative, normal, &fqdn, &why) != ERR_SYNTAX)
			fail_msg("'%s' is read", bad[i]);
		assert_string_equal(normal, "");
		assert_int_equal(fqdn.n, 0);
	}
	uint8_t relative[M2M_RELATIVE_SIZE];
	assert_true(m2m_relative_parse(span_text(HEX), relative));
	assert_false(m2m_relative_parse(span_text("00:1:02:03:04:05:06:07:08:09:0A"), relative));
	assert_false(m2m_relative_parse(span_text("00:0102030405060708090A0B0C0D0E0"), relative));
}

static void host_names_end_at_253_octets_and_labels_at_63(void **state)
{
	char longest[M2M_FQDN_MAX + 2];
	char normal[M2M_FQDN_MAX + 1];
	char keyid[M2M_KEYID_SIZE];
	const uint8_t relative[M2M_RELATIVE_SIZE] = {0};
	struct why why = {0};
	(void)state;

	snprintf(longest, sizeof(longest), "%s.%s.%s.%.61s", L63, L63, L63, L63);
	assert_int_equal(strlen(longest), M2M_FQDN_MAX);
	assert_int_equal(m2m_fqdn_parse(span_text(longest), normal, &why), OK);
	assert_string_equal(normal, longest);
	assert_int_equal(m2m_keyid_write(relative, span_text(longest), keyid, &why), OK);
	assert_int_equal(strlen(keyid), M2M_KEYID_SIZE - 1);
	strncat(longest, "a", 2);
	assert_int_equal(m2m_fqdn_parse(span_text(longest), normal, &why), ERR_SYNTAX);
	assert_int_equal(m2m_keyid_write(relative, span_text(longest), keyid, &why), ERR_SYNTAX);
	assert_int_equal(m2m_fqdn_parse(span_text(""), normal, &why), ERR_SYNTAX);
	assert_int_equal(m2m_fqdn_parse(span_of("a\0b", 3), normal, &why), ERR_SYNTAX);
	assert_int_equal(m2m_fqdn_parse(span_text("Localhost"), normal, &why), OK);
	assert_string_equal(normal, "localhost");
}

/* TS-0003 10.5, 10.6: name@FQDN; a KmId's name has no case */
static void named_identifiers_are_read(void **state)
{
	char normal[M2M_KEYID_SIZE];
	struct span fqdn = {NULL, 0};
	struct why why = {0};
	char longest[M2M_NAME_MAX + 32];
	(void)state;

	assert_int_equal(m2m_named_parse(span_text("This.Key_1-a@MyMEF.com"), false, normal, &fqdn, &why), OK);
	assert_string_equal(normal, "This.Key_1-a@mymef.com");
	assert_true(span_is(fqdn, "mymef.com"));
	assert_int_equal(m2m_psk_identity_parse(span_text("This.Key_1-a@MyMEF.com"), normal, &why), OK);
	assert_string_equal(normal, "This.Key_1-a@mymef.com");
	assert_int_equal(m2m_named_parse(span_text("This.Key_1-a@MAF.com"), true, normal, &fqdn, &why), OK);
	assert_string_equal(normal, "this.key_1-a@maf.com");
	/* a name that looks like a RelativeKeyID is written like one, whoever reads it */
	assert_int_equal(m2m_named_parse(span_text("000102030405060708090a0b0c0d0e0f@maf.com"), true, normal, &fqdn, &why), OK);
	assert_string_equal(normal, HEX "@maf.com");
	assert_true(span_is(fqdn, "maf.com"));
	static const char *const bad[] = {"", "@", "a", "a@", "@a", "a b@c", "a/b@c", "a@b@c", "a%40b", "a@b.", "\xc3\xa4@b", "a@b\n"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why_clear(&why);
		if (m2m_named_parse(span_text(bad[i]), false, normal, &fqdn, &why) != ERR_SYNTAX)
			fail_msg("'%s' is read", bad[i]);
		assert_int_equal(m2m_psk_identity_parse(span_text(bad[i]), normal, &why), ERR_SYNTAX);
	}
	assert_int_equal(m2m_named_parse(span_of("a\0@b", 4), false, normal, &fqdn, &why), ERR_SYNTAX);
	snprintf(longest, sizeof(longest), "%0*d@maf.com", M2M_NAME_MAX, 1);
	assert_int_equal(m2m_named_parse(span_text(longest), false, normal, &fqdn, &why), OK);
	snprintf(longest, sizeof(longest), "%0*d@maf.com", M2M_NAME_MAX + 1, 1);
	assert_int_equal(m2m_named_parse(span_text(longest), false, normal, &fqdn, &why), ERR_SYNTAX);
}

static void entities_have_one_normal_form(void **state)
{
	static const char *const cases[][2] = {{"CSE1.M2M.example.com", "cse1.m2m.example.com"}, {"//SP.Example.com/Cse1/C1", "//sp.example.com/Cse1/C1"},
		{"Cse1.Example.com/CAb", "cse1.example.com/CAb"}, {"CAbc12", "CAbc12"}, {"/Cse1/CAb", "/Cse1/CAb"}, {"//Host/A", "//host/A"},
		{"urn:GSMA:imei:1", "urn:GSMA:imei:1"}, {"http://SP.com/A", "http://SP.com/A"}, {"A\xcc\x8a", "\xc3\x85"}, {"//", "//"}};
	char normal[M2M_ID_MAX + 1];
	char longest[M2M_ID_MAX + 1];
	struct why why = {0};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(m2m_id_normal(span_text(cases[i][0]), normal, &why), OK);
		assert_string_equal(normal, cases[i][1]);
		assert_int_equal(m2m_id_normal(span_text(cases[i][1]), normal, &why), OK);
		assert_string_equal(normal, cases[i][1]);
	}
	memset(longest, 'x', sizeof(longest));
	assert_int_equal(m2m_id_normal(span_of(longest, M2M_ID_MAX), normal, &why), OK);
	assert_int_equal(strlen(normal), M2M_ID_MAX);
	assert_int_equal(m2m_id_normal(span_of(longest, M2M_ID_MAX + 1), normal, &why), ERR_SYNTAX);
	assert_int_equal(m2m_id_normal(span_text(""), normal, &why), ERR_SYNTAX);
	assert_string_equal(normal, "");
}

/* TS-0003 10.4, 12.3.2.1: the type's number, a hyphen, the key's identifier */
static void credential_ids_name_the_type_of_key(void **state)
{
	static const struct {
		unsigned int suid;
		const char *id;
	} good[] = {{10, "10-thiskey@mymef.com"}, {11, "11-thiskey@mymef.com"}, {21, "11-thiskey@mymef.com"}, {22, "12-thiskey@mymef.com"},
		{12, "12-thiskey@mymef.com"}, {32, "12-thiskey@mymef.com"}, {23, "13-thiskey@mymef.com"}, {33, "13-thiskey@mymef.com"},
		{24, "14-thiskey@mymef.com"}, {25, "16-thiskey@mymef.com"}};
	static const unsigned int bad[] = {0, 20, 26, 30, 40, 42, 45, 99};
	char out[M2M_CREDENTIAL_ID_SIZE];
	struct why why = {0};
	(void)state;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(m2m_credential_id_write(good[i].suid, span_text("thiskey@mymef.com"), out, &why), OK);
		assert_string_equal(out, good[i].id);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(m2m_credential_id_write(bad[i], span_text("thiskey@mymef.com"), out, &why), ERR_SYNTAX);
	assert_int_equal(m2m_credential_id_write(22, span_text("a b@c"), out, &why), ERR_SYNTAX);
	assert_int_equal(m2m_credential_id_write(22, span_text(""), out, &why), ERR_SYNTAX);
	assert_string_equal(out, "");
	char longest[M2M_KEYID_SIZE];
	memset(longest, 'a', sizeof(longest));
	assert_int_equal(m2m_credential_id_write(22, span_of(longest, M2M_KEYID_SIZE - 1), out, &why), OK);
	assert_int_equal(m2m_credential_id_write(22, span_of(longest, M2M_KEYID_SIZE), out, &why), ERR_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keyids_have_one_normal_form),
		cmocka_unit_test(malformed_keyids_are_refused),
		cmocka_unit_test(host_names_end_at_253_octets_and_labels_at_63),
		cmocka_unit_test(named_identifiers_are_read),
		cmocka_unit_test(entities_have_one_normal_form),
		cmocka_unit_test(credential_ids_name_the_type_of_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
