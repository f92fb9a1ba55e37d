#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapt/sys/file.h"
#include "adapt/sys/master.h"
#include "base/hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"

static char dir[] = "/tmp/omef-master-XXXXXX";
static char path[64];
static char source[80];
static struct why why;
static struct secret out;

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/omef-master-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/master.key", dir);
	snprintf(source, sizeof(source), "file:%s", path);
	unsetenv("CREDENTIALS_DIRECTORY");
	why_clear(&why);
	secret_wipe(&out);
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	return rmdir(dir);
}

static void load(const char *content, mode_t mode, const char *from, enum code want)
{
	const struct code_page *page = code_find((int)want);

	why_clear(&why);
	secret_wipe(&out);
	if (content)
		assert_int_equal(file_write(path, span_text(content), mode, &why), OK);
	assert_int_equal(master_load(from, &out, &why), page ? page->kind : OK);
	assert_int_equal(why.code, want);
	assert_int_equal(out.n, want == CODE_NONE ? MASTER_SIZE : 0);
}

static void loads_64_digits_from_a_file(void **state)
{
	load(DIGITS "\n", 0600, source, CODE_NONE);
	for (size_t i = 0; i < MASTER_SIZE; i++)
		assert_int_equal(out.bytes[i], i);
	load("\r\n  " DIGITS " \r\n\n", 0400, source, CODE_NONE);
	load(DIGITS, 0600, source, CODE_NONE);
}

static void loads_a_systemd_credential(void **state)
{
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	load(DIGITS, 0400, "credential:master.key", CODE_NONE);
	assert_int_equal(out.bytes[31], 31);
	load(DIGITS, 0440, "credential:master.key", CODE_NONE); /* what an ACL for the service user looks like */
	load(NULL, 0, "credential:other", CODE_FILE_MISSING);
}

static void credentials_stay_within_their_folder(void **state)
{
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	load(DIGITS, 0400, "credential:../master.key", CODE_MASTER_SOURCE);
	load(NULL, 0, "credential:..", CODE_MASTER_SOURCE);
	load(NULL, 0, "credential:", CODE_MASTER_SOURCE);
	load(NULL, 0, "credential:a b", CODE_MASTER_SOURCE);
	setenv("CREDENTIALS_DIRECTORY", "relative", 1);
	load(NULL, 0, "credential:master.key", CODE_MASTER_SOURCE);
	unsetenv("CREDENTIALS_DIRECTORY");
	load(NULL, 0, "credential:master.key", CODE_MASTER_SOURCE);
}

static void refuses_other_sources(void **state)
{
	load(NULL, 0, "", CODE_MASTER_SOURCE);
	load(NULL, 0, "file:", CODE_MASTER_SOURCE);
	load(NULL, 0, path, CODE_MASTER_SOURCE);
	load(NULL, 0, "env:KEY", CODE_MASTER_SOURCE);
	load(NULL, 0, source, CODE_FILE_MISSING);
}

static void refuses_what_is_not_64_digits_and_does_not_quote_it(void **state)
{
	load("", 0600, source, CODE_MASTER_KEY);
	load(DIGITS "0", 0600, source, CODE_MASTER_KEY);
	load(DIGITS "00", 0600, source, CODE_MASTER_KEY);
	load("00:" DIGITS, 0600, source, CODE_MASTER_KEY);
	load("beefbeefbeefbeefbeefbeefbeefbeefbeefbeefbeefbeefbeefbeefbeefbeeg", 0600, source, CODE_MASTER_KEY);
	assert_null(strstr(why.text, "beef"));
	char big[400];
	memset(big, '0', sizeof(big));
	big[399] = '\0';
	load(big, 0600, source, CODE_FILE_LIMIT);
}

static void refuses_a_key_that_others_may_read(void **state)
{
	load(DIGITS, 0640, source, CODE_FILE_EXPOSED);
	load(DIGITS, 0604, source, CODE_FILE_EXPOSED);
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	load(DIGITS, 0460, "credential:master.key", CODE_FILE_EXPOSED);
	load(DIGITS, 0444, "credential:master.key", CODE_FILE_EXPOSED);
}

/* Known answer by Python's hmac: HKDF-SHA256 without salt, info "openmef key file ca-issuing". */
static void derives_one_passphrase_per_label(void **state)
{
	struct secret one = {0};
	struct secret again = {0};
	struct secret other = {0};
	char text[MASTER_SIZE * 2 + 1] = "";

	load(DIGITS, 0600, source, CODE_NONE);
	assert_int_equal(key_file_passphrase(&out, "ca-issuing", &one, &why), OK);
	assert_int_equal(key_file_passphrase(&out, "ca-issuing", &again, &why), OK);
	assert_int_equal(key_file_passphrase(&out, "mef-tls", &other, &why), OK);
	assert_int_equal(one.n, 64);
	assert_true(secret_equal(secret_span(&one), secret_span(&again)));
	assert_false(secret_equal(secret_span(&one), secret_span(&other)));
	memcpy(text, one.bytes, 64);
	assert_string_equal(text, "CFDB037D1D076A1666A6B4C6FB1B6821774B8DBDC40AD7AC3E964E691F1302FA");
	out.bytes[0] ^= 1;
	assert_int_equal(key_file_passphrase(&out, "ca-issuing", &again, &why), OK);
	assert_false(secret_equal(secret_span(&one), secret_span(&again)));
}

static void refuses_a_label_without_end(void **state)
{
	char label[200];

	memset(label, 'l', sizeof(label));
	label[199] = '\0';
	load(DIGITS, 0600, source, CODE_NONE);
	struct secret one = {0};
	assert_int_not_equal(key_file_passphrase(&out, label, &one, &why), OK);
	assert_int_equal(one.n, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(loads_64_digits_from_a_file, setup, teardown),
		cmocka_unit_test_setup_teardown(loads_a_systemd_credential, setup, teardown),
		cmocka_unit_test_setup_teardown(credentials_stay_within_their_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_other_sources, setup, teardown),
		cmocka_unit_test_setup_teardown(
			refuses_what_is_not_64_digits_and_does_not_quote_it, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_a_key_that_others_may_read, setup, teardown),
		cmocka_unit_test_setup_teardown(derives_one_passphrase_per_label, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_a_label_without_end, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
