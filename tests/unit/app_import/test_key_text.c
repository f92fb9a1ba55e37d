#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/import/key_text.h"

static void gives(struct span text, enum key_form form, size_t n, uint8_t first)
{
	OWNED_SECRET struct secret key = {0};
	struct why why = {0};

	if (key_text_parse(text, form, &key, &why) != OK)
		fail_msg("%.*s: %s", SPAN_FMT(text), why.text);
	assert_int_equal(key.n, n);
	assert_int_equal(key.bytes[0], first);
}

/* The reason must not hold the key, nor part of it. */
static void refuses(struct span text, enum key_form form)
{
	struct secret key = {0};
	struct why why = {0};
	char head[9] = "";

	assert_int_equal(key_text_parse(text, form, &key, &why), ERR_SYNTAX);
	assert_int_equal(why.code, CODE_PSK_FORM);
	assert_int_equal(key.n, 0);
	for (size_t i = 0; i < sizeof(key.bytes); i++)
		assert_int_equal(key.bytes[i], 0);
	if (text.n >= 8) {
		memcpy(head, text.p, 8);
		assert_null(strstr(why.text, head));
	}
}

#define HEX16 "A1b2c3d4e5f60718293a4b5c6d7e8f90"
static const char raw[] = "\xff\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
	"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f"
	"\x20\x21\x22\x23\x24\x25\x26\x27\x28\x29\x2a\x2b\x2c\x2d\x2e\x2f"
	"\x30\x31\x32\x33\x34\x35\x36\x37\x38\x39\x3a\x3b\x3c\x3d\x3e\x3f\x40";

static void tells_forms_apart(void **state)
{
	gives(span_text(HEX16), 0, 16, 0xa1);
	gives(span_text(" \n" HEX16 HEX16 "\r\n"), 0, 32, 0xa1);
	gives(span_text("obLD1OX2BxgpOktcbX6PkA==\n"), 0, 16, 0xa1);
	gives(span_of(raw, 16), 0, 16, 0xff);
	gives(span_of(raw, 64), 0, 64, 0xff);
}

static void does_not_guess(void **state)
{
	/* base64 of 24 octets, or a passphrase of 32 */
	static const char either[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

	refuses(span_text(either), 0);
	gives(span_text(either), KEY_FORM_BASE64, 24, 0x00);
	gives(span_text(either), KEY_FORM_RAW, 32, 'A');
	refuses(span_text("correct horse battery staple"), 0);
	/* hex by its looks; raw only when that is said */
	gives(span_text(HEX16), KEY_FORM_RAW, 32, 'A');
}

static void wants_16_to_64_octets(void **state)
{
	refuses(span_of(raw, 15), KEY_FORM_RAW);
	gives(span_of(raw, 16), KEY_FORM_RAW, 16, 0xff);
	gives(span_of(raw, 64), KEY_FORM_RAW, 64, 0xff);
	refuses(span_of(raw, 65), KEY_FORM_RAW);
	refuses(span_of(HEX16, 30), 0);
	gives(span_text(HEX16 HEX16 HEX16 HEX16), 0, 64, 0xa1);
	refuses(span_text(HEX16 HEX16 HEX16 HEX16 "00"), 0);
	refuses(span_text("AAAAAAAAAAAAAAAAAAAA"), KEY_FORM_BASE64); /* 15 */
	refuses(span_text(""), 0);
	refuses(span_text("\n"), 0);
}

static void refuses_what_is_cut_or_mistyped(void **state)
{
	refuses(span_of(HEX16, 31), 0);
	refuses(span_text("A1b2c3d4 e5f60718 293a4b5c 6d7e8f90"), KEY_FORM_HEX);
	refuses(span_text("A1:b2:c3:d4:e5:f6:07:18:29:3a:4b:5c:6d:7e:8f:90"), KEY_FORM_HEX);
	refuses(span_text("G1b2c3d4e5f60718293a4b5c6d7e8f90"), KEY_FORM_HEX);
	refuses(span_text("obLD1OX2BxgpOktcbX6PkA="), 0);
	refuses(span_text("obLD1OX2BxgpOktcbX6PkA"), KEY_FORM_BASE64);
	refuses(span_text("obLD1OX2BxgpOktcbX6PkB=="), 0); /* bits behind the end */
	refuses(span_text("obLD1OX2BxgpOktcbX6P*A=="), 0);
}

static void knows_the_names_of_forms(void **state)
{
	enum key_form form = KEY_FORM_TOLD_APART;

	assert_true(key_form_parse(span_text("Base64"), &form));
	assert_int_equal(form, KEY_FORM_BASE64);
	assert_false(key_form_parse(span_text("pem"), &form));
	assert_false(key_form_parse(span_text(""), &form));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_forms_apart),
		cmocka_unit_test(does_not_guess),
		cmocka_unit_test(wants_16_to_64_octets),
		cmocka_unit_test(refuses_what_is_cut_or_mistyped),
		cmocka_unit_test(knows_the_names_of_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
