#include "proto/m2m/derive.h"
#include "proto/m2m/suid.h"

#include "base/buf.h"
#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define VECTORS "tests/vectors/m2m/derive.txt"

static void ke_of_octets(struct secret *ke)
{
	uint8_t exported[M2M_EXPORT_SIZE];
	uint8_t relative[M2M_RELATIVE_SIZE];
	struct why why = {0};

	for (size_t i = 0; i < sizeof(exported); i++)
		exported[i] = (uint8_t)i;
	assert_int_equal(m2m_split_export(span_of(exported, sizeof(exported)), relative, ke, &why), OK);
}

static void is_hex(const struct secret *key, const char *want)
{
	char have[2 * SECRET_MAX + 1];

	hex_text(key->bytes, key->n, have);
	if (!span_is_nocase(span_text(have), want))
		fail_msg("want %s, have %s", want, have);
}

/* TS-0003 10.3.1: the first 16 octets name the key, the last 32 are it */
static void exporter_output_is_split(void **state)
{
	uint8_t exported[M2M_EXPORT_SIZE + 1];
	uint8_t relative[M2M_RELATIVE_SIZE];
	struct secret ke OWNED_SECRET = {0};
	struct why why = {0};
	char keid[M2M_KEYID_SIZE];
	(void)state;

	for (size_t i = 0; i < sizeof(exported); i++)
		exported[i] = (uint8_t)i;
	assert_int_equal(m2m_split_export(span_of(exported, M2M_EXPORT_SIZE), relative, &ke, &why), OK);
	is_hex(&ke, "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f");
	/* TS-0003 10.3.4: KeId is hexBinary(RelativeKeID)@MEF-FQDN */
	assert_int_equal(m2m_keyid_write(relative, span_text("MEF.example.com"), keid, &why), OK);
	assert_string_equal(keid, "000102030405060708090A0B0C0D0E0F@mef.example.com");
	assert_int_equal(m2m_split_export(span_of(exported, M2M_EXPORT_SIZE - 1), relative, &ke, &why), ERR_SYNTAX);
	assert_int_equal(ke.n, 0);
	assert_int_equal(m2m_split_export(span_of(exported, M2M_EXPORT_SIZE + 1), relative, &ke, &why), ERR_SYNTAX);
}

/* TS-0003 10.3.2, 10.3.3, 10.3.7: check values of our own reading, computed by two other programs */
static void keys_have_their_known_values(void **state)
{
	struct secret ke OWNED_SECRET = {0};
	struct secret key OWNED_SECRET = {0};
	struct why why = {0};
	(void)state;

	ke_of_octets(&ke);
	assert_int_equal(m2m_derive_km(&ke, span_text("maf.example.com"), &key, &why), OK);
	is_hex(&key, "28a823bfe683d7acfed2e53dea75e63f39c5fc4bc3d6ffc2b2aa469237dcf4d8");
	assert_int_equal(m2m_derive_kpsa(&ke, span_text("//m2m.example.com/cse1"), &key, &why), OK);
	is_hex(&key, "2084ee278eb7694682452dfd5d8b326c823d98da179c509785c376e1d786e361");
	assert_int_equal(m2m_derive_constrained(&ke, 21, span_text("maf.example.com"), &key, &why), OK);
	is_hex(&key, "c413740f794f52a10b894dd30d3126f95f06c3c28fea22e7a927a89b10366264");
	assert_int_equal(m2m_derive_constrained(&ke, 22, span_text("cse1.m2m.example.com"), &key, &why), OK);
	is_hex(&key, "7ca5796653cef9259bb1841464623d2dca2d95d61004bc3cd69261622ead1943");
}

/* "km", "kpsa" or the digits of a SUID */
static enum err derive(const char *rule, const struct secret *ke, struct span id, struct secret *out, struct why *why)
{
	if (strcmp(rule, "km") == 0)
		return m2m_derive_km(ke, id, out, why);
	if (strcmp(rule, "kpsa") == 0)
		return m2m_derive_kpsa(ke, id, out, why);
	return m2m_derive_constrained(ke, suid_parse(span_text(rule)), id, out, why);
}

/* TS-0003 10.3: identifiers in NFKC, then UTF-8; vectors by Python's hmac and unicodedata */
static void keys_agree_with_another_implementation(void **state)
{
	char line[4096];
	int n = 0;
	struct secret ke OWNED_SECRET = {0};
	FILE *f = fopen(VECTORS, "r");
	(void)state;

	assert_non_null(f);
	ke_of_octets(&ke);
	while (fgets(line, sizeof(line), f)) {
		char rule[8], id_hex[2 * M2M_ID_MAX + 1], key_hex[80];
		struct secret key OWNED_SECRET = {0};
		uint8_t id[M2M_ID_MAX];
		size_t id_n = 0;
		struct why why = {0};
		if (line[0] == '#' || sscanf(line, "%7s %1024s %79s", rule, id_hex, key_hex) != 3)
			continue;
		assert_int_equal(hex_parse(span_text(id_hex), id, sizeof(id), &id_n, &why), OK);
		if (derive(rule, &ke, span_of(id, id_n), &key, &why) != OK)
			fail_msg("%s %s: %s", rule, id_hex, why.text);
		is_hex(&key, key_hex);
		n++;
	}
	fclose(f);
	assert_true(n >= 60);
}

static void the_host_of_an_identifier_has_no_case(void **state)
{
	static const char *const same[][2] = {{"maf.example.com", "MAF.Example.COM"},
		{"//m2m.example.com/Cse1", "//M2M.EXAMPLE.COM/Cse1"}, {"cse1.example.com/C12Ab", "CSE1.example.com/C12Ab"},
		{"maf.example.com", "\xef\xbd\x8d" "af.example.com"}};
	static const char *const other[][2] = {{"//m2m.example.com/cse1", "//m2m.example.com/CSE1"}, {"C12Ab", "C12AB"},
		{"/cse1/C1", "/CSE1/C1"}, {"//host/a", "host/a"}, {"urn:gsma:imei:1.a", "URN:gsma:imei:1.a"}};
	struct secret ke OWNED_SECRET = {0};
	struct secret a OWNED_SECRET = {0};
	struct secret b OWNED_SECRET = {0};
	struct why why = {0};
	(void)state;

	ke_of_octets(&ke);
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_int_equal(m2m_derive_kpsa(&ke, span_text(same[i][0]), &a, &why), OK);
		assert_int_equal(m2m_derive_kpsa(&ke, span_text(same[i][1]), &b, &why), OK);
		assert_true(secret_equal(secret_span(&a), secret_span(&b)));
	}
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		assert_int_equal(m2m_derive_kpsa(&ke, span_text(other[i][0]), &a, &why), OK);
		assert_int_equal(m2m_derive_kpsa(&ke, span_text(other[i][1]), &b, &why), OK);
		assert_false(secret_equal(secret_span(&a), secret_span(&b)));
	}
}

static void other_rules_and_usages_give_other_keys(void **state)
{
	struct secret ke OWNED_SECRET = {0};
	struct secret keys[7] = {{0}};
	struct why why = {0};
	struct span id = span_text("x.example.com");
	(void)state;

	ke_of_octets(&ke);
	assert_int_equal(m2m_derive_km(&ke, id, &keys[0], &why), OK);
	assert_int_equal(m2m_derive_kpsa(&ke, id, &keys[1], &why), OK);
	for (unsigned int suid = 21; suid <= 25; suid++)
		assert_int_equal(m2m_derive_constrained(&ke, suid, id, &keys[suid - 19], &why), OK);
	for (size_t i = 0; i < 7; i++) {
		for (size_t k = 0; k < i; k++)
			assert_false(secret_equal(secret_span(&keys[i]), secret_span(&keys[k])));
	}
}

static void what_cannot_be_derived_is_refused_and_leaves_no_key(void **state)
{
	static const struct {
		const char *id;
		size_t n;
	} bad[] = {{"", 0}, {"a\0b", 3}, {"\xff", 1}, {"\xc3", 1}, {"\xed\xa0\x80", 3}, {"\xc0\xaf", 2}, {"\xf4\x90\x80\x80", 4},
		{"\xe0\x80\xaf", 3}, {"\xcd\xb8", 2 /* U+0378 is assigned to nothing */}, {"\xef\xbf\xbf", 3}};
	char longest[M2M_ID_MAX + 2];
	struct secret ke OWNED_SECRET = {0};
	struct secret key OWNED_SECRET = {0};
	struct why why = {0};
	(void)state;

	ke_of_octets(&ke);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why_clear(&why);
		assert_int_equal(m2m_derive_km(&ke, span_of(bad[i].id, bad[i].n), &key, &why), ERR_SYNTAX);
		assert_int_equal(key.n, 0);
	}
	memset(longest, 'a', sizeof(longest));
	assert_int_equal(m2m_derive_km(&ke, span_of(longest, M2M_ID_MAX), &key, &why), OK);
	assert_int_equal(m2m_derive_km(&ke, span_of(longest, M2M_ID_MAX + 1), &key, &why), ERR_SYNTAX);
	/* U+FDFA: one character of three octets becomes eighteen of thirty-three */
	for (size_t i = 0; i < M2M_ID_MAX / 3; i++)
		memcpy(longest + 3 * i, "\xef\xb7\xba", 3);
	assert_int_equal(m2m_derive_km(&ke, span_of(longest, 15 * 3), &key, &why), OK);
	assert_int_equal(m2m_derive_km(&ke, span_of(longest, 16 * 3), &key, &why), ERR_SYNTAX);
	static const unsigned int suids[] = {0, 10, 12, 20, 26, 32, 40, 42, 99, 2100};
	for (size_t i = 0; i < sizeof(suids) / sizeof(suids[0]); i++)
		assert_int_equal(m2m_derive_constrained(&ke, suids[i], span_text("a"), &key, &why), ERR_SYNTAX);
	ke.n = M2M_KEY_SIZE - 1;
	why_clear(&why);
	assert_int_equal(m2m_derive_kpsa(&ke, span_text("a"), &key, &why), ERR_SYNTAX);
	assert_string_equal(why.text, "Ke: want 32 octets, have 31");
	ke.n = M2M_KEY_SIZE + 1;
	assert_int_equal(m2m_derive_kpsa(&ke, span_text("a"), &key, &why), ERR_SYNTAX);
	assert_int_equal(key.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exporter_output_is_split),
		cmocka_unit_test(keys_have_their_known_values),
		cmocka_unit_test(keys_agree_with_another_implementation),
		cmocka_unit_test(the_host_of_an_identifier_has_no_case),
		cmocka_unit_test(other_rules_and_usages_give_other_keys),
		cmocka_unit_test(what_cannot_be_derived_is_refused_and_leaves_no_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
