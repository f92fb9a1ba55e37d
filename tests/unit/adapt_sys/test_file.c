#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapt/sys/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/omef-file-XXXXXX";
static char path[64];
static struct why why;

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/omef-file-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/f", dir);
	why_clear(&why);
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	return rmdir(dir); /* fails when anything was left beside the file */
}

static mode_t mode_of(const char *p)
{
	struct stat st;

	assert_int_equal(stat(p, &st), 0);
	return st.st_mode & 07777;
}

static void reads_what_was_written(void **state)
{
	static uint8_t content[10000];
	struct buf out OWNED_BUF = BUF(sizeof(content));

	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (uint8_t)(i * 7);
	assert_int_equal(file_write(path, span_of(content, sizeof(content)), 0644, &why), OK);
	assert_int_equal(file_read(path, &out, &why), OK);
	assert_true(span_equal(buf_span(&out), span_of(content, sizeof(content))));
}

static void refuses_a_file_one_past_the_bound(void **state)
{
	struct buf fits OWNED_BUF = BUF(5);
	struct buf small OWNED_BUF = BUF(4);

	assert_int_equal(file_write(path, span_text("12345"), 0600, &why), OK);
	assert_int_equal(file_read(path, &fits, &why), OK);
	assert_true(span_is(buf_span(&fits), "12345"));
	assert_int_equal(file_read(path, &small, &why), ERR_LIMIT);
	assert_int_equal(why.code, CODE_FILE_LIMIT);
}

static void replaces_the_whole_content_and_the_mode(void **state)
{
	struct buf out OWNED_BUF = BUF(100);
	mode_t old = umask(077);

	assert_int_equal(file_write(path, span_text("long old content"), 0600, &why), OK);
	assert_int_equal(mode_of(path), 0600);
	assert_int_equal(file_write(path, span_text("new"), 0644, &why), OK);
	umask(old);
	assert_int_equal(mode_of(path), 0644);
	assert_int_equal(file_read(path, &out, &why), OK);
	assert_true(span_is(buf_span(&out), "new"));
	assert_int_equal(file_write(path, (struct span){0}, 0600, &why), OK);
	buf_clear(&out);
	assert_int_equal(file_read(path, &out, &why), OK);
	assert_int_equal(out.n, 0);
}

static void says_what_cannot_be_written(void **state)
{
	char nowhere[96];

	snprintf(nowhere, sizeof(nowhere), "%s/none/f", dir);
	assert_int_equal(file_write(nowhere, span_text("x"), 0600, &why), ERR_SYSTEM);
	assert_int_equal(why.code, CODE_FILE_WRITE);
	assert_non_null(strstr(why.text, nowhere));
	why_clear(&why);
	/* A folder in the file's place: the rename fails and the file beside it goes. */
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(file_write(path, span_text("x"), 0600, &why), ERR_SYSTEM);
	assert_int_equal(rmdir(path), 0);
}

static void says_what_cannot_be_read(void **state)
{
	struct buf out OWNED_BUF = BUF(100);

	assert_int_equal(file_read(path, &out, &why), ERR_NOT_FOUND);
	assert_int_equal(why.code, CODE_FILE_MISSING);
	why_clear(&why);
	assert_int_equal(file_read(dir, &out, &why), ERR_SYSTEM);
	assert_int_equal(why.code, CODE_FILE_READ);
	why_clear(&why);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(file_read(path, &out, &why), ERR_SYSTEM); /* and does not wait for a writer */
}

static void refuses_secrets_that_others_may_read(void **state)
{
	static const mode_t bad[] = {0640, 0604, 0660, 0666, 0601, 0610};
	struct buf out OWNED_BUF = BUF(100);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(file_write(path, span_text("secret"), bad[i], &why), OK);
		assert_int_equal(file_read_secret(path, &out, &why), ERR_SYSTEM);
		assert_int_equal(why.code, CODE_FILE_EXPOSED);
		assert_non_null(strstr(why.text, "chmod 600"));
		assert_int_equal(out.n, 0);
		why_clear(&why);
	}
	assert_int_equal(file_write(path, span_text("secret"), 0400, &why), OK);
	assert_int_equal(file_read_secret(path, &out, &why), OK);
	assert_true(span_is(buf_span(&out), "secret"));
}

static void writes_a_bare_name_in_the_working_folder(void **state)
{
	char before[4096];
	struct buf out OWNED_BUF = BUF(100);

	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(file_write("f", span_text("here"), 0600, &why), OK);
	assert_int_equal(chdir(before), 0);
	assert_int_equal(file_read(path, &out, &why), OK);
	assert_true(span_is(buf_span(&out), "here"));
}

static void syncs_folders_only(void **state)
{
	assert_int_equal(file_sync_dir(dir, &why), OK);
	assert_int_equal(file_sync_dir(path, &why), ERR_SYSTEM);
	assert_int_equal(why.code, CODE_FILE_WRITE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_what_was_written, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_a_file_one_past_the_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(replaces_the_whole_content_and_the_mode, setup, teardown),
		cmocka_unit_test_setup_teardown(says_what_cannot_be_written, setup, teardown),
		cmocka_unit_test_setup_teardown(says_what_cannot_be_read, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_secrets_that_others_may_read, setup, teardown),
		cmocka_unit_test_setup_teardown(writes_a_bare_name_in_the_working_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(syncs_folders_only, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
