/* Every place that keeps private keys passes the same suite. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapt/keys/files.h"
#include "adapt/keys/memory.h"
#include "pki/key.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fixture {
	struct keys keys;
	struct keys_memory memory;
	struct keys_files files;
	struct keys_file table[3];
	char dir[64];
	char paths[3][96];
	uint8_t spki[2][600]; /* of "ca-issuing" and "mef-tls" */
	size_t spki_n[2];
	struct why why;
} f;

static const char *const labels[2] = {"ca-issuing", "mef-tls"};

static enum err passphrase(void *arg, const char *label, struct secret *out, struct why *why)
{
	return secret_set(out, span_text(label)) ? OK : WHY(why, BUG, "", "label");
}

static struct key *make_key(size_t i)
{
	struct key *key = NULL;
	struct buf spki OWNED_BUF = BUF(sizeof(f.spki[i]));

	assert_int_equal(key_new(i ? KEY_P384 : KEY_P256, &key, &f.why), OK);
	assert_int_equal(key_write_spki(key, &spki, &f.why), OK);
	memcpy(f.spki[i], spki.p, spki.n);
	f.spki_n[i] = spki.n;
	return key;
}

static int setup_memory(void **state)
{
	memset(&f, 0, sizeof(f));
	keys_memory_init(&f.memory);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(keys_memory_take(&f.memory, labels[i], make_key(i), &f.why), OK);
	f.keys = keys_memory_port(&f.memory);
	return 0;
}

static void write_file(const char *path, struct span content, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content.p, content.n), content.n);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int setup_files(void **state)
{
	memset(&f, 0, sizeof(f));
	snprintf(f.dir, sizeof(f.dir), "/tmp/omef-keys-XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	for (size_t i = 0; i < 2; i++) {
		struct key *key OWNED_KEY = make_key(i);
		struct buf pem OWNED_BUF = BUF(8192);
		snprintf(f.paths[i], sizeof(f.paths[i]), "%s/%s.pem", f.dir, labels[i]);
		f.table[i] = (struct keys_file){labels[i], f.paths[i]};
		assert_int_equal(key_write_pem(key, span_text(labels[i]), &pem, &f.why), OK);
		write_file(f.paths[i], buf_span(&pem), 0600);
	}
	snprintf(f.paths[2], sizeof(f.paths[2]), "%s/missing.pem", f.dir);
	f.table[2] = (struct keys_file){"missing", f.paths[2]};
	keys_files_init(&f.files, f.table, 3, passphrase, NULL);
	f.keys = keys_files_port(&f.files);
	return 0;
}

static int teardown(void **state)
{
	keys_memory_fini(&f.memory);
	for (size_t i = 0; f.dir[0] && i < 3; i++)
		unlink(f.paths[i]);
	return f.dir[0] ? rmdir(f.dir) : 0;
}

static void fails(const char *label, enum code code)
{
	struct key *key = NULL;

	assert_int_equal(f.keys.open(f.keys.self, label, &key, &f.why), code_find((int)code)->kind);
	assert_int_equal(f.why.code, code);
	assert_null(key);
	why_clear(&f.why);
}

static void opens_the_key_of_each_label(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		struct key *key OWNED_KEY = NULL;
		assert_int_equal(f.keys.open(f.keys.self, labels[i], &key, &f.why), OK);
		assert_true(key_matches_spki(key, span_of(f.spki[i], f.spki_n[i])));
		assert_false(key_matches_spki(key, span_of(f.spki[!i], f.spki_n[!i])));
	}
}

static void gives_each_caller_a_key_of_its_own(void **state)
{
	struct key *one = NULL;
	struct key *two OWNED_KEY = NULL;

	assert_int_equal(f.keys.open(f.keys.self, labels[0], &one, &f.why), OK);
	assert_int_equal(f.keys.open(f.keys.self, labels[0], &two, &f.why), OK);
	key_free(one);
	assert_true(key_matches_spki(two, span_of(f.spki[0], f.spki_n[0])));
}

static void knows_no_other_label(void **state)
{
	fails("ca-root", CODE_KEYS_LABEL);
	fails("", CODE_KEYS_LABEL);
	fails("ca-issuin", CODE_KEYS_LABEL);
	fails("missing", CODE_KEYS_LABEL);
}

static void memory_takes_no_label_twice_and_no_more_than_its_room(void **state)
{
	char label[KEYS_MEMORY_LABEL_MAX + 1];

	memset(label, 'x', KEYS_MEMORY_LABEL_MAX);
	label[KEYS_MEMORY_LABEL_MAX] = '\0';
	assert_int_equal(keys_memory_take(&f.memory, labels[0], make_key(0), &f.why), ERR_CONFLICT);
	why_clear(&f.why);
	assert_int_equal(keys_memory_take(&f.memory, label, make_key(0), &f.why), ERR_LIMIT);
	why_clear(&f.why);
	for (size_t i = 2; i < KEYS_MEMORY_MAX; i++) {
		snprintf(label, sizeof(label), "k%d", (int)i);
		assert_int_equal(keys_memory_take(&f.memory, label, make_key(0), &f.why), OK);
	}
	assert_int_equal(keys_memory_take(&f.memory, "more", make_key(0), &f.why), ERR_LIMIT);
}

static void refuses_a_file_that_others_may_read(void **state)
{
	static const mode_t bad[] = {0640, 0604, 0620, 0602, 0610, 0644};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(chmod(f.paths[0], bad[i]), 0);
		fails(labels[0], CODE_KEYS_EXPOSED);
	}
	assert_int_equal(chmod(f.paths[0], 0640), 0);
	struct key *key OWNED_KEY = NULL;
	assert_int_equal(f.keys.open(f.keys.self, labels[0], &key, &f.why), ERR_SYSTEM);
	assert_non_null(strstr(f.why.text, "chmod 600"));
	assert_non_null(strstr(f.why.text, f.paths[0]));
	why_clear(&f.why);
	assert_int_equal(chmod(f.paths[0], 0400), 0);
	assert_int_equal(f.keys.open(f.keys.self, labels[0], &key, &f.why), OK);
}

static void refuses_what_is_no_file_of_a_key(void **state)
{
	static uint8_t big[16385];
	struct key *key OWNED_KEY = NULL;

	write_file(f.paths[2], span_of(big, sizeof(big)), 0600);
	fails("missing", CODE_KEYS_FILE);
	write_file(f.paths[2], span_of(big, sizeof(big) - 1), 0600);
	assert_int_not_equal(f.keys.open(f.keys.self, "missing", &key, &f.why), OK);
	assert_null(key);
	why_clear(&f.why);
	unlink(f.paths[2]);
	assert_int_equal(mkfifo(f.paths[2], 0600), 0);
	fails("missing", CODE_KEYS_FILE);
	f.table[2].path = f.dir;
	fails("missing", CODE_KEYS_FILE);
}

static void refuses_a_wrong_passphrase(void **state)
{
	struct key *key OWNED_KEY = NULL;

	f.table[0].path = f.paths[1];
	assert_int_not_equal(f.keys.open(f.keys.self, labels[0], &key, &f.why), OK);
	assert_null(key);
}

#define SHARED(setup) \
	cmocka_unit_test_setup_teardown(opens_the_key_of_each_label, setup, teardown), \
		cmocka_unit_test_setup_teardown(gives_each_caller_a_key_of_its_own, setup, teardown), \
		cmocka_unit_test_setup_teardown(knows_no_other_label, setup, teardown)

int main(void)
{
	static const struct CMUnitTest memory[] = {
		SHARED(setup_memory),
		cmocka_unit_test_setup_teardown(
			memory_takes_no_label_twice_and_no_more_than_its_room, setup_memory, teardown),
	};
	static const struct CMUnitTest files[] = {
		SHARED(setup_files),
		cmocka_unit_test_setup_teardown(refuses_a_file_that_others_may_read, setup_files, teardown),
		cmocka_unit_test_setup_teardown(refuses_what_is_no_file_of_a_key, setup_files, teardown),
		cmocka_unit_test_setup_teardown(refuses_a_wrong_passphrase, setup_files, teardown),
	};
	int failed = cmocka_run_group_tests_name("keys in memory", memory, NULL, NULL);

	return failed + cmocka_run_group_tests_name("keys in files", files, NULL, NULL);
}
