#include "pki/digest.h"

#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct span unhex(const char *text, uint8_t *room, size_t size)
{
	struct why why = {0};
	size_t n = 0;

	assert_int_equal(hex_parse(span_text(text), room, size, &n, &why), OK);
	return span_of(room, n);
}

static void assert_hex(const uint8_t *have, size_t n, const char *want)
{
	uint8_t room[128];

	assert_true(span_equal(span_of(have, n), unhex(want, room, sizeof(room))));
}

static void digests_the_standard_texts(void **state)
{
	uint8_t out[SHA256_SIZE];

	/* FIPS 180-4: its published examples */
	digest_sha256(span_text("abc"), out);
	assert_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_sha256(span_text(""), out);
	assert_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	digest_sha256(span_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), out);
	assert_hex(out, 32, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void digests_parts_as_their_sum(void **state)
{
	const struct span parts[] = {span_text("a"), {NULL, 0}, span_text("bc")};
	uint8_t out[SHA256_SIZE];

	digest_sha256_parts(parts, 3, out);
	assert_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_sha256_parts(NULL, 0, out);
	assert_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void authenticates_as_the_standard_says(void **state)
{
	uint8_t key[131], data[152], out[SHA256_SIZE];
	struct why why = {0};

	/* RFC 4231 4.2: test case 1 */
	memset(key, 0x0b, 20);
	assert_int_equal(digest_hmac_sha256(span_of(key, 20), span_text("Hi There"), out, &why), OK);
	assert_hex(out, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	/* RFC 4231 4.3: test case 2, a short key */
	assert_int_equal(digest_hmac_sha256(span_text("Jefe"), span_text("what do ya want for nothing?"), out, &why), OK);
	assert_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	/* RFC 4231 4.4: test case 3 */
	memset(key, 0xaa, sizeof(key));
	memset(data, 0xdd, 50);
	assert_int_equal(digest_hmac_sha256(span_of(key, 20), span_of(data, 50), out, &why), OK);
	assert_hex(out, 32, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
	/* RFC 4231 4.7: test case 6, a key longer than the block */
	assert_int_equal(digest_hmac_sha256(span_of(key, sizeof(key)),
				 span_text("Test Using Larger Than Block-Size Key - Hash Key First"), out, &why),
		OK);
	assert_hex(out, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void authenticates_nothing_under_no_key(void **state)
{
	uint8_t out[SHA256_SIZE];
	struct why why = {0};

	/* known value of HMAC-SHA256 with empty key and text */
	assert_int_equal(digest_hmac_sha256((struct span){0}, (struct span){0}, out, &why), OK);
	assert_hex(out, 32, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void derives_as_the_standard_says(void **state)
{
	uint8_t key[22], out[42];
	struct why why = {0};

	/* RFC 5869 A.3: no salt, no info */
	memset(key, 0x0b, sizeof(key));
	assert_int_equal(digest_hkdf_sha256(span_of(key, sizeof(key)), "", out, sizeof(out), &why), OK);
	assert_hex(out, sizeof(out),
		"8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

static void derives_another_key_for_another_purpose(void **state)
{
	uint8_t a[32], b[32], block[SHA256_SIZE], prk[SHA256_SIZE];
	static const uint8_t zeros[32];
	struct why why = {0};

	assert_int_equal(digest_hkdf_sha256(span_text("master"), "seal", a, sizeof(a), &why), OK);
	assert_int_equal(digest_hkdf_sha256(span_text("master"), "challenge", b, sizeof(b), &why), OK);
	assert_memory_not_equal(a, b, sizeof(a));
	/* RFC 5869 2.2, 2.3: PRK = HMAC(zeros, key); T(1) = HMAC(PRK, info | 0x01) */
	assert_int_equal(digest_hmac_sha256(span_of(zeros, 32), span_text("master"), prk, &why), OK);
	assert_int_equal(digest_hmac_sha256(span_of(prk, 32), span_of("seal\x01", 5), block, &why), OK);
	assert_memory_equal(a, block, sizeof(a));
}

static void refuses_to_derive_from_nothing_or_too_much(void **state)
{
	static uint8_t out[255 * 32 + 1];
	struct why why = {0};

	assert_int_equal(digest_hkdf_sha256((struct span){0}, "seal", out, 32, &why), ERR_CRYPTO);
	why_clear(&why);
	/* RFC 5869 2.3: at most 255 blocks */
	assert_int_equal(digest_hkdf_sha256(span_text("k"), "seal", out, sizeof(out) - 1, &why), OK);
	assert_int_equal(digest_hkdf_sha256(span_text("k"), "seal", out, sizeof(out), &why), ERR_CRYPTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_the_standard_texts),
		cmocka_unit_test(digests_parts_as_their_sum),
		cmocka_unit_test(authenticates_as_the_standard_says),
		cmocka_unit_test(authenticates_nothing_under_no_key),
		cmocka_unit_test(derives_as_the_standard_says),
		cmocka_unit_test(derives_another_key_for_another_purpose),
		cmocka_unit_test(refuses_to_derive_from_nothing_or_too_much),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
