#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hex.h"
#include "pki/digest.h"
#include "pki/srp.h"

static const uint8_t salt[SRP_SALT_SIZE] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static void verifier_of(const char *user, const char *password, char out[65])
{
	uint8_t v[SRP_VERIFIER_SIZE], digest[32];
	struct why why = {0};

	assert_int_equal(srp_verifier(span_text(user), span_text(password), salt, v, &why), OK);
	digest_sha256(span_of(v, sizeof(v)), digest);
	hex_text(digest, sizeof(digest), out);
}

/* RFC 5054 2.4: 5^x mod N; known by the SHA-256 of its 384 octets, computed without OpenSSL */
static void a_verifier_is_that_of_rfc_5054(void **state)
{
	char have[65];

	verifier_of("alice", "password123456", have);
	assert_string_equal(have, "E717A07E19A7874411121B8A4B811ECBF04E5B809CA7CFFEA13DBB3C35B86999");
}

static void user_and_password_are_parted(void **state)
{
	char first[65], second[65];

	verifier_of("alice", "password", first);
	verifier_of("alicep", "assword", second);
	assert_string_not_equal(first, second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_verifier_is_that_of_rfc_5054),
		cmocka_unit_test(user_and_password_are_parted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
