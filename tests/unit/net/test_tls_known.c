#include "net/tls_known.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct tls_known_chain chain_of(uint8_t set, uint8_t rest)
{
	struct tls_known_chain c = {.trust = PEER_OWN, .from_s = 100, .to_s = 200};

	memset(c.key, rest, sizeof(c.key));
	c.key[0] = 0;
	c.key[1] = set;
	c.anchor[0] = rest;
	return c;
}

static void chain_is_found_again_while_it_is_valid(void **state)
{
	struct tls_known *k = tls_known_new();
	struct tls_known_chain c = chain_of(1, 7);

	assert_null(tls_known_find(k, c.key, 150));
	tls_known_add(k, &c);
	assert_int_equal(tls_known_find(k, c.key, 150)->anchor[0], 7);
	/* RFC 5280 4.1.2.5: valid from notBefore through notAfter, both included */
	assert_non_null(tls_known_find(k, c.key, 100));
	assert_non_null(tls_known_find(k, c.key, 200));
	assert_null(tls_known_find(k, c.key, 99));
	assert_null(tls_known_find(k, c.key, 201));
	tls_known_free(k);
}

static void other_key_of_the_same_set_is_not_taken_for_it(void **state)
{
	struct tls_known *k = tls_known_new();
	struct tls_known_chain c = chain_of(1, 7), other = chain_of(1, 8);

	tls_known_add(k, &c);
	assert_null(tls_known_find(k, other.key, 150));
	other = c;
	other.key[31] ^= 1;
	assert_null(tls_known_find(k, other.key, 150));
	tls_known_free(k);
}

static void one_past_its_ways_drops_the_oldest_of_a_set(void **state)
{
	struct tls_known *k = tls_known_new();
	struct tls_known_chain elsewhere = chain_of(2, 0);

	tls_known_add(k, &elsewhere);
	for (uint8_t i = 1; i <= TLS_KNOWN_WAYS + 1; i++) {
		struct tls_known_chain c = chain_of(1, i);
		tls_known_add(k, &c);
	}
	struct tls_known_chain oldest = chain_of(1, 1);
	assert_null(tls_known_find(k, oldest.key, 150));
	for (uint8_t i = 2; i <= TLS_KNOWN_WAYS + 1; i++) {
		struct tls_known_chain c = chain_of(1, i);
		assert_non_null(tls_known_find(k, c.key, 150));
	}
	assert_non_null(tls_known_find(k, elsewhere.key, 150));
	tls_known_free(k);
}

static void empty_place_matches_nothing(void **state)
{
	struct tls_known *k = tls_known_new();
	const uint8_t zero[TLS_KNOWN_KEY] = {0};

	assert_null(tls_known_find(k, zero, 0));
	tls_known_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chain_is_found_again_while_it_is_valid),
		cmocka_unit_test(other_key_of_the_same_set_is_not_taken_for_it),
		cmocka_unit_test(one_past_its_ways_drops_the_oldest_of_a_set),
		cmocka_unit_test(empty_place_matches_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
