#include "pki/seal.h"

#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint8_t key_bytes[SEAL_KEY_SIZE] = {1, 2, 3};
static const uint8_t iv[12] = {9, 8, 7};

static struct span key(void)
{
	return span_of(key_bytes, sizeof(key_bytes));
}

static enum err seal(const char *place, const char *plain, struct buf *out)
{
	struct why why = {0};

	return seal_write(key(), iv, span_text(place), span_text(plain), out, &why);
}

static enum err open_with(struct span with, const char *place, struct span sealed, struct buf *out)
{
	struct why why = {0};

	return seal_open(with, span_text(place), sealed, out, &why);
}

static void opens_what_it_sealed(void **state)
{
	static const char *const texts[] = {"", "x", "a secret of more than one block of the cipher"};

	for (size_t i = 0; i < 3; i++) {
		struct buf sealed OWNED_BUF = BUF(256);
		struct buf out OWNED_BUF = BUF(256);
		assert_int_equal(seal("secret/1", texts[i], &sealed), OK);
		assert_int_equal(sealed.n, strlen(texts[i]) + SEAL_OVERHEAD);
		buf_put_text(&out, "before ");
		assert_int_equal(open_with(key(), "secret/1", buf_span(&sealed), &out), OK);
		assert_true(span_is(span_from(buf_span(&out), 7), texts[i]));
	}
}

static void seals_as_the_gcm_specification_says(void **state)
{
	/* McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, test case 14 */
	static const uint8_t zeros[32];
	uint8_t want[32];
	struct buf sealed OWNED_BUF = BUF(256);
	struct why why = {0};
	size_t n = 0;

	assert_int_equal(hex_parse(span_text("cea7403d4d606b6e074ec5d3baf39d18"
					     "d0d1c8a799996bf0265b98b5d48ab919"),
				 want, sizeof(want), &n, &why),
		OK);
	assert_int_equal(
		seal_write(span_of(zeros, 32), zeros, (struct span){0}, span_of(zeros, 16), &sealed, &why), OK);
	assert_int_equal(sealed.p[0], 0x01);
	assert_memory_equal(sealed.p + 1, zeros, 12);
	assert_memory_equal(sealed.p + 13, want, sizeof(want));
}

static void refuses_another_key_or_place(void **state)
{
	struct buf sealed OWNED_BUF = BUF(256);
	struct buf out OWNED_BUF = BUF(256);
	uint8_t other[SEAL_KEY_SIZE] = {1, 2, 4};

	assert_int_equal(seal("secret/1", "hello", &sealed), OK);
	assert_int_equal(open_with(key(), "secret/2", buf_span(&sealed), &out), ERR_CRYPTO);
	assert_int_equal(open_with(key(), "", buf_span(&sealed), &out), ERR_CRYPTO);
	assert_int_equal(open_with(span_of(other, 32), "secret/1", buf_span(&sealed), &out), ERR_CRYPTO);
	assert_int_equal(out.n, 0);
}

static void refuses_every_changed_bit_and_every_cut(void **state)
{
	struct buf sealed OWNED_BUF = BUF(256);
	struct buf out OWNED_BUF = BUF(256);

	assert_int_equal(seal("secret/1", "hello", &sealed), OK);
	for (size_t bit = 0; bit < sealed.n * 8; bit++) {
		sealed.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(open_with(key(), "secret/1", buf_span(&sealed), &out), ERR_CRYPTO);
		sealed.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t n = 0; n < sealed.n; n++)
		assert_int_equal(
			open_with(key(), "secret/1", span_first(buf_span(&sealed), n), &out), ERR_CRYPTO);
	assert_int_equal(out.n, 0);
	assert_int_equal(open_with(key(), "secret/1", buf_span(&sealed), &out), OK);
}

static void leaves_no_unproven_text_behind(void **state)
{
	struct buf sealed OWNED_BUF = BUF(256);
	struct buf out OWNED_BUF = BUF(256);

	assert_int_equal(seal("secret/1", "hello", &sealed), OK);
	assert_int_equal(open_with(key(), "secret/2", buf_span(&sealed), &out), ERR_CRYPTO);
	assert_true(out.cap >= 5);
	assert_memory_not_equal(out.p, "hello", 5);
}

static void refuses_a_key_of_another_size(void **state)
{
	uint8_t longer[SEAL_KEY_SIZE + 1] = {0};
	struct buf out OWNED_BUF = BUF(256);
	struct why why = {0};

	assert_int_equal(seal_write(span_of(longer, sizeof(longer)), iv, span_text("p"), span_text("t"), &out, &why),
		ERR_CRYPTO);
	assert_int_equal(why.code, CODE_SEAL_KEY);
	assert_int_equal(open_with(span_of(longer, 31), "p", span_of(longer, 33), &out), ERR_CRYPTO);
}

static void stops_at_the_ceiling_of_the_buffer(void **state)
{
	struct buf small OWNED_BUF = BUF(SEAL_OVERHEAD + 4);
	struct buf sealed OWNED_BUF = BUF(256);
	struct buf tiny OWNED_BUF = BUF(4);

	assert_int_equal(seal("p", "hello", &small), ERR_LIMIT);
	assert_int_equal(seal("p", "hello", &sealed), OK);
	assert_int_equal(open_with(key(), "p", buf_span(&sealed), &tiny), ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_what_it_sealed),
		cmocka_unit_test(seals_as_the_gcm_specification_says),
		cmocka_unit_test(refuses_another_key_or_place),
		cmocka_unit_test(refuses_every_changed_bit_and_every_cut),
		cmocka_unit_test(leaves_no_unproven_text_behind),
		cmocka_unit_test(refuses_a_key_of_another_size),
		cmocka_unit_test(stops_at_the_ceiling_of_the_buffer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
