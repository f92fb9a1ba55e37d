#include "unit/core_keys/ring.h"

struct found {
	struct secret key;
	bool known;
	unsigned int key_finds, enrolee_finds;
};

static struct found find(struct ring *r, enum psk_realm realm, const char *identity)
{
	struct found f = {0};
	struct why why = {0};

	port.key_finds = port.enrolee_finds = 0;
	good(psk_find(&r->vault, &r->decoy, realm, span_text(identity), r->now_s, &f.key, &f.known, &why), &why);
	f.key_finds = port.key_finds;
	f.enrolee_finds = port.enrolee_finds;
	return f;
}

static void expect_key(struct ring *r, enum psk_realm realm, const char *identity, uint8_t fill)
{
	const struct secret want = ring_key(fill, 32);
	struct found f = find(r, realm, identity);

	assert_true(f.known);
	assert_true(secret_equal(secret_span(&f.key), secret_span(&want)));
}

static void expect_decoy(struct ring *r, enum psk_realm realm, const char *identity)
{
	struct found f = find(r, realm, identity);

	assert_false(f.known);
	assert_int_equal(f.key.n, 32);
	for (unsigned int fill = 0; fill < 256; fill++) {
		const struct secret real = ring_key((uint8_t)fill, 32);
		assert_false(secret_equal(secret_span(&f.key), secret_span(&real)));
	}
}

static void put(struct ring *r, enum symkey_kind kind, const char *id, const char *owner, uint8_t fill, int64_t expires_s)
{
	const struct symkey row = {.kind = kind, .id = id, .owner = owner, .created_s = r->now_s, .expires_s = expires_s, .info = ""};
	const struct secret key = ring_key(fill, 32);

	RING_WRITE(r, vault_add(&r->vault, &row, &key, &why_));
}

#define KREID "000102030405060708090A0B0C0D0E0F@mef.example.com"

/* TS-0003 8.3.2.1: psk_identity is KpmId at first; seed 003 8.3.3.2: KreId afterwards. */
static void a_mef_knows_kpm_and_kre(void **state)
{
	struct ring *r = *state;

	ring_enrolee(r, "gw7", ENTITY_FQDN, "gw7.example.com");
	ring_kpm(r, "gw7", "gw7@mef.example.com", 1, 0);
	put(r, SYMKEY_KRE, KREID, "gw7", 2, 0);
	put(r, SYMKEY_KE, "0F0102030405060708090A0B0C0D0E0F@mef.example.com", "gw7", 3, 0);
	expect_key(r, PSK_REALM_MEF, "gw7@mef.example.com", 1);
	expect_key(r, PSK_REALM_MEF, "gw7@MEF.Example.COM", 1);
	expect_key(r, PSK_REALM_MEF, KREID, 2);
	expect_key(r, PSK_REALM_MEF, "000102030405060708090a0b0c0d0e0f@mef.example.com", 2);
	expect_decoy(r, PSK_REALM_MEF, "0F0102030405060708090A0B0C0D0E0F@mef.example.com"); /* Ke is no credential */
	expect_decoy(r, PSK_REALM_MAF, "gw7@mef.example.com");
}

static void a_maf_knows_km_by_both_names(void **state)
{
	struct ring *r = *state;

	put(r, SYMKEY_KM, "km1@maf.example.com", "cse1.example.com", 4, 0);
	put(r, SYMKEY_KM_KEID, KREID, "cse1.example.com", 4, 0);
	expect_key(r, PSK_REALM_MAF, "km1@maf.example.com", 4);
	expect_key(r, PSK_REALM_MAF, KREID, 4);
	expect_decoy(r, PSK_REALM_MEF, "km1@maf.example.com");
}

static void expired_keys_and_disabled_enrolees_get_a_decoy(void **state)
{
	struct ring *r = *state;

	ring_enrolee(r, "gw7", ENTITY_FQDN, "gw7.example.com");
	ring_enrolee(r, "gw8", ENTITY_FQDN, "gw8.example.com");
	ring_kpm(r, "gw7", "gw7@mef.example.com", 1, r->now_s + 10);
	ring_kpm(r, "gw8", "gw8@mef.example.com", 2, 0);
	r->now_s += 9;
	expect_key(r, PSK_REALM_MEF, "gw7@mef.example.com", 1);
	r->now_s += 1;
	expect_decoy(r, PSK_REALM_MEF, "gw7@mef.example.com");
	ring_set_state(r, "gw8", ENROLEE_DISABLED);
	expect_decoy(r, PSK_REALM_MEF, "gw8@mef.example.com");
	ring_set_state(r, "gw8", ENROLEE_ENABLED);
	expect_key(r, PSK_REALM_MEF, "gw8@mef.example.com", 2);
}

/* RFC 4279 3: neither the answer nor the work done for it tells whether an identity exists. */
static void every_identity_costs_the_same_steps(void **state)
{
	static const char *const identities[] = {"gw7@mef.example.com", "none@mef.example.com", "", "no form at all", "\xff\xfe",
		KREID, "old@mef.example.com", "off@mef.example.com", "nobody@decoy.invalid"};
	struct ring *r = *state;

	ring_enrolee(r, "gw7", ENTITY_FQDN, "gw7.example.com");
	ring_enrolee(r, "off", ENTITY_FQDN, "off.example.com");
	ring_kpm(r, "gw7", "gw7@mef.example.com", 1, 0);
	ring_kpm(r, "gw7", "old@mef.example.com", 1, r->now_s + 1);
	ring_kpm(r, "off", "off@mef.example.com", 1, 0);
	ring_set_state(r, "off", ENROLEE_DISABLED);
	r->now_s += 1;
	for (size_t i = 0; i < sizeof(identities) / sizeof(identities[0]); i++) {
		struct found mef = find(r, PSK_REALM_MEF, identities[i]);
		struct found maf = find(r, PSK_REALM_MAF, identities[i]);
		assert_int_equal(mef.known, i == 0);
		assert_int_equal(mef.key_finds, 2);
		assert_int_equal(mef.enrolee_finds, 1);
		assert_int_equal(maf.key_finds, 2);
		assert_int_equal(maf.enrolee_finds, 0);
	}
}

/* A peer that tries one name twice must not tell a decoy by its changing. */
static void a_decoy_is_the_same_each_time_and_another_for_each_name(void **state)
{
	struct ring *r = *state;
	struct found a = find(r, PSK_REALM_MEF, "a@mef.example.com");
	struct found b = find(r, PSK_REALM_MEF, "b@mef.example.com");
	struct found again = find(r, PSK_REALM_MEF, "a@mef.example.com");

	assert_true(secret_equal(secret_span(&a.key), secret_span(&again.key)));
	assert_false(secret_equal(secret_span(&a.key), secret_span(&b.key)));
	assert_false(secret_equal(secret_span(&a.key), secret_span(&r->decoy.key)));
}

static void faults_of_ours_are_told(void **state)
{
	struct ring *r = *state;
	struct secret out OWNED_SECRET = {0};
	struct why why = {0};
	bool known = true;

	r->seal_key.bytes[0] ^= 1;
	assert_int_equal(psk_find(&r->vault, &r->decoy, PSK_REALM_MEF, span_text("a@mef.example.com"), r->now_s, &out, &known, &why),
		ERR_CRYPTO);
	assert_false(known);
	assert_int_equal(out.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RING_TEST(a_mef_knows_kpm_and_kre),
		RING_TEST(a_maf_knows_km_by_both_names),
		RING_TEST(expired_keys_and_disabled_enrolees_get_a_decoy),
		RING_TEST(every_identity_costs_the_same_steps),
		RING_TEST(a_decoy_is_the_same_each_time_and_another_for_each_name),
		RING_TEST(faults_of_ours_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
