/* Symmetric keys in the device's generations: with and without a certificate, replaced, erased, older directories. */
#include "adapt/sys/erase.h"
#include "adapt/sys/file.h"
#include "adapt/sys/generation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[64];
static char dir[80];

static int setup(void **state)
{
	snprintf(root, sizeof(root), "/tmp/omef-generation-XXXXXX");
	assert_non_null(mkdtemp(root));
	snprintf(dir, sizeof(dir), "%s/device", root);
	struct why why = {0};
	return generation_dir(dir, &why) == OK ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command);
}

static const char *at(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static bool is_there(const char *name)
{
	return access(at(name), F_OK) == 0;
}

static void install(const struct generation *g, unsigned int want)
{
	struct why why = {0};
	unsigned int number = 0;

	if (generation_install(dir, g, &number, &why) != OK)
		fail_msg("%s", why.text);
	assert_int_equal(number, want);
}

static void expect(const char *name, const char *text)
{
	struct buf have __attribute__((cleanup(buf_fini_wipe))) = BUF(4096);
	struct why why = {0};

	if (generation_read(dir, name, &have, &why) != OK)
		fail_msg("%s", why.text);
	assert_string_equal(buf_text(&have), text);
}

static const struct generation certificate = {.key_pem = {(const uint8_t *)"key", 3}, .cert_pem = {(const uint8_t *)"cert", 4},
	.chain_pem = {(const uint8_t *)"", 0}, .anchors_pem = {(const uint8_t *)"anchors", 7}, .mef_uri = "https://est"};

static struct generation keys(const char *json)
{
	return (struct generation){.mef_uri = "https://mef", .keys_json = span_text(json)};
}

static void a_device_without_a_certificate_has_a_generation(void **state)
{
	struct generation g = keys("{1}");
	struct stat st;

	install(&g, 1);
	expect(GENERATION_KEYS, "{1}");
	expect(GENERATION_MEF, "https://mef");
	assert_false(is_there("current/cert.pem"));
	assert_false(is_there("current/key.pem"));
	assert_false(is_there("current/anchors.pem"));
	assert_int_equal(stat(at("current/keys.json"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void keys_join_the_certificate_in_force(void **state)
{
	struct generation g = keys("{1}");

	install(&certificate, 1);
	assert_false(is_there("current/keys.json")); /* as generations of older versions are */
	install(&g, 2);
	expect(GENERATION_KEYS, "{1}");
	expect(GENERATION_KEY, "key");
	expect(GENERATION_CERT, "cert");
	expect(GENERATION_CHAIN, "");
	expect(GENERATION_ANCHORS, "anchors");
	expect(GENERATION_MEF, "https://est");
}

static void a_renewed_certificate_keeps_the_keys(void **state)
{
	struct generation g = keys("{1}");

	install(&g, 1);
	install(&certificate, 2);
	expect(GENERATION_KEYS, "{1}");
	expect(GENERATION_CERT, "cert");
}

/* An old certificate does no harm; an old key does. */
static void no_older_generation_keeps_keys(void **state)
{
	struct generation first = keys("{1}");
	struct generation second = keys("{2}");

	install(&first, 1);
	install(&second, 2);
	assert_true(is_there("gen-1/mef.uri"));
	assert_false(is_there("gen-1/keys.json"));
	expect(GENERATION_KEYS, "{2}");
}

static void keys_are_replaced_and_erased_in_place(void **state)
{
	struct generation g = keys("{1}");
	struct why why = {0};
	struct buf none OWNED_BUF = BUF(64);

	install(&g, 1);
	assert_int_equal(generation_write_keys(dir, span_text("{22}"), &why), OK);
	expect(GENERATION_KEYS, "{22}");
	assert_int_equal(generation_erase_keys(dir, &why), OK);
	assert_int_equal(generation_erase_keys(dir, &why), OK); /* again: nothing to do */
	assert_int_equal(generation_read(dir, GENERATION_KEYS, &none, &why), ERR_NOT_FOUND);
	expect(GENERATION_MEF, "https://mef");
}

static void keys_that_others_may_read_are_refused(void **state)
{
	struct generation g = keys("{1}");
	struct buf out OWNED_BUF = BUF(64);
	struct why why = {0};

	install(&g, 1);
	assert_int_equal(chmod(at("current/keys.json"), 0640), 0);
	assert_int_equal(generation_read(dir, GENERATION_KEYS, &out, &why), ERR_SYSTEM);
	assert_int_equal(why.code, CODE_FILE_EXPOSED);
}

/* The octets go before the name does: a second name of the same file shows it. */
static void erasing_overwrites(void **state)
{
	struct why why = {0};
	struct buf left OWNED_BUF = BUF(16384);
	char secret[9001];
	char other[256];

	memset(secret, 's', sizeof(secret));
	assert_int_equal(file_write(at("secret"), span_of(secret, sizeof(secret)), 0600, &why), OK);
	snprintf(other, sizeof(other), "%s", at("other"));
	assert_int_equal(link(at("secret"), other), 0);
	assert_int_equal(erase_file(at("secret"), &why), OK);
	assert_false(is_there("secret"));
	assert_int_equal(file_read(other, &left, &why), OK);
	for (size_t i = 0; i < sizeof(secret); i++)
		assert_int_equal(left.p[i], 0);
}

static void a_link_is_removed_and_not_followed(void **state)
{
	struct why why = {0};
	struct buf left OWNED_BUF = BUF(64);
	char target[256];

	assert_int_equal(file_write(at("target"), span_text("kept"), 0600, &why), OK);
	snprintf(target, sizeof(target), "%s", at("target"));
	assert_int_equal(symlink(target, at("link")), 0);
	assert_int_equal(erase_file(at("link"), &why), OK);
	assert_false(is_there("link"));
	assert_int_equal(file_read(target, &left, &why), OK);
	assert_string_equal(buf_text(&left), "kept");
}

#define PLACE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLACE(a_device_without_a_certificate_has_a_generation),
		PLACE(keys_join_the_certificate_in_force),
		PLACE(a_renewed_certificate_keeps_the_keys),
		PLACE(no_older_generation_keeps_keys),
		PLACE(keys_are_replaced_and_erased_in_place),
		PLACE(keys_that_others_may_read_are_refused),
		PLACE(erasing_overwrites),
		PLACE(a_link_is_removed_and_not_followed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
