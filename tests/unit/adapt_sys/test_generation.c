#include "adapt/sys/generation.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATH_SIZE = 512 };

struct place {
	char root[64];
	char dir[80]; /* root/device, not made yet */
};

static int setup(void **state)
{
	struct place *p = mem_alloc(sizeof(*p));

	assert_non_null(p);
	snprintf(p->root, sizeof(p->root), "/tmp/omef-generation-XXXXXX");
	assert_non_null(mkdtemp(p->root));
	snprintf(p->dir, sizeof(p->dir), "%s/device", p->root);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", p->root);
	assert_int_equal(system(command), 0);
	mem_free(p);
	return 0;
}

static const char *at(const struct place *p, const char *name)
{
	static char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	return path;
}

static mode_t mode_of(const struct place *p, const char *name)
{
	struct stat st;

	if (lstat(at(p, name), &st) != 0)
		fail_msg("%s is missing", name);
	return st.st_mode & 07777;
}

static bool is_there(const struct place *p, const char *name)
{
	struct stat st;

	return lstat(at(p, name), &st) == 0;
}

static void plant(const struct place *p, const char *name, const char *text)
{
	FILE *f = fopen(at(p, name), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(at(p, name), 0600), 0);
}

/* A generation all of whose files tell its number. */
static enum err install(const struct place *p, const char *text, unsigned int *number, struct why *why)
{
	char key[64], cert[64], chain[64], anchors[64], uri[64];

	snprintf(key, sizeof(key), "key %s", text);
	snprintf(cert, sizeof(cert), "cert %s", text);
	snprintf(chain, sizeof(chain), "chain %s", text);
	snprintf(anchors, sizeof(anchors), "anchors %s", text);
	snprintf(uri, sizeof(uri), "uri %s", text);
	const struct generation g = {span_text(key), span_text(cert), span_text(chain), span_text(anchors), uri, {NULL, 0}, NULL};
	return generation_install(p->dir, &g, number, why);
}

static unsigned int must_install(const struct place *p, const char *text)
{
	struct why why = {0};
	unsigned int number = 0;

	if (install(p, text, &number, &why) != OK)
		fail_msg("%s", why.text);
	return number;
}

/* Every file of what is in force is of this generation: never a mixture. */
static void expect_in_force(const struct place *p, const char *text)
{
	static const char *const names[][2] = {{GENERATION_KEY, "key"}, {GENERATION_CERT, "cert"},
		{GENERATION_CHAIN, "chain"}, {GENERATION_ANCHORS, "anchors"}, {GENERATION_MEF, "uri"}};

	for (size_t i = 0; i < 5; i++) {
		struct buf have OWNED_BUF = BUF(128);
		struct why why = {0};
		char want[64];
		snprintf(want, sizeof(want), "%s %s", names[i][1], text);
		if (generation_read(p->dir, names[i][0], &have, &why) != OK)
			fail_msg("%s", why.text);
		assert_string_equal(buf_text(&have), want);
	}
}

static void make_dir(const struct place *p)
{
	struct why why = {0};

	assert_int_equal(generation_dir(p->dir, &why), OK);
}

static void the_first_generation_is_in_force_at_once(void **state)
{
	const struct place *p = *state;

	make_dir(p);
	make_dir(p); /* again: no harm */
	assert_int_equal(must_install(p, "one"), 1);
	expect_in_force(p, "one");
}

static void nobody_else_may_read(void **state)
{
	const struct place *p = *state;
	struct why why = {0};

	umask(0);
	make_dir(p);
	assert_int_equal(generation_keep_pending(p->dir, span_text("key"), &why), OK);
	assert_int_equal(mode_of(p, "pending.pem"), 0600);
	must_install(p, "one");
	assert_int_equal(mode_of(p, ""), 0700);
	assert_int_equal(mode_of(p, "gen-1"), 0700);
	assert_int_equal(mode_of(p, "gen-1/key.pem"), 0600);
	umask(077);
	must_install(p, "two");
	assert_int_equal(mode_of(p, "gen-2"), 0700);
	assert_int_equal(mode_of(p, "gen-2/key.pem"), 0600);
}

static void before_the_first_there_is_nothing(void **state)
{
	const struct place *p = *state;
	struct buf out OWNED_BUF = BUF(128);

	for (int i = 0; i < 2; i++) {
		struct why why = {0};
		assert_int_equal(generation_read(p->dir, GENERATION_CERT, &out, &why), ERR_NOT_FOUND);
		assert_int_equal(why.code, CODE_AGENT_FILES);
		struct why none = {0};
		assert_int_equal(generation_pending(p->dir, &out, &none), ERR_NOT_FOUND);
		make_dir(p);
	}
}

static void only_the_one_before_is_kept(void **state)
{
	const struct place *p = *state;
	static const char *const texts[] = {"one", "two", "three", "four"};

	make_dir(p);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(must_install(p, texts[i]), i + 1);
	expect_in_force(p, "four");
	assert_false(is_there(p, "gen-1"));
	assert_false(is_there(p, "gen-2"));
	assert_true(is_there(p, "gen-3/key.pem"));
}

static void an_installation_ends_the_pending_key(void **state)
{
	const struct place *p = *state;
	struct buf out OWNED_BUF = BUF(128);
	struct why why = {0};

	make_dir(p);
	assert_int_equal(generation_keep_pending(p->dir, span_text("old"), &why), OK);
	assert_int_equal(generation_keep_pending(p->dir, span_text("pending"), &why), OK);
	assert_int_equal(generation_pending(p->dir, &out, &why), OK);
	assert_string_equal(buf_text(&out), "pending");
	plant(p, "pending.pem.a8Xk2p", "half a key that a crash left");
	must_install(p, "one");
	assert_false(is_there(p, "pending.pem"));
	assert_false(is_there(p, "pending.pem.a8Xk2p"));
}

/* A crash behind the switch: the key must not be offered for the next request, which wants a new one. */
static void the_key_in_force_is_not_pending(void **state)
{
	const struct place *p = *state;
	struct buf out OWNED_BUF = BUF(128);
	struct why why = {0};

	make_dir(p);
	must_install(p, "one");
	plant(p, "pending.pem", "key one");
	assert_int_equal(generation_pending(p->dir, &out, &why), ERR_NOT_FOUND);
	assert_int_equal(out.n, 0);
}

static void a_pending_key_that_others_may_read_is_refused(void **state)
{
	const struct place *p = *state;
	struct buf out OWNED_BUF = BUF(128);
	struct why why = {0};

	make_dir(p);
	plant(p, "pending.pem", "key");
	assert_int_equal(chmod(at(p, "pending.pem"), 0640), 0);
	assert_int_equal(generation_pending(p->dir, &out, &why), ERR_SYSTEM);
}

/* A crash while gen-3 was written: gen-2 stays in force, and is the one kept when gen-4 comes. */
static void a_half_written_generation_is_passed_over_and_swept(void **state)
{
	const struct place *p = *state;

	make_dir(p);
	must_install(p, "one");
	must_install(p, "two");
	assert_int_equal(mkdir(at(p, "gen-3"), 0700), 0);
	plant(p, "gen-3/key.pem", "key three");
	plant(p, "gen-3/cert.pem.Zx81aB", "half a certificate");
	expect_in_force(p, "two");
	assert_int_equal(must_install(p, "four"), 4);
	expect_in_force(p, "four");
	assert_true(is_there(p, "gen-2/key.pem"));
	assert_false(is_there(p, "gen-3"));
	assert_false(is_there(p, "gen-1"));
}

/* A crash between making the new link and renaming it. */
static void a_link_that_was_not_switched_does_no_harm(void **state)
{
	const struct place *p = *state;
	char target[PATH_SIZE];

	make_dir(p);
	must_install(p, "one");
	assert_int_equal(mkdir(at(p, "gen-2"), 0700), 0);
	assert_int_equal(symlink("gen-2", at(p, "current.new")), 0);
	expect_in_force(p, "one");
	must_install(p, "three");
	expect_in_force(p, "three");
	assert_false(is_there(p, "current.new"));
	ssize_t n = readlink(at(p, "current"), target, sizeof(target) - 1);
	assert_true(n > 0);
	target[n] = '\0';
	assert_string_equal(target, "gen-3"); /* relative: the directory may be moved */
}

/* A crash behind the switch, before the sweep. */
static void old_generations_that_were_not_swept_go_the_next_time(void **state)
{
	const struct place *p = *state;

	make_dir(p);
	must_install(p, "one");
	assert_int_equal(mkdir(at(p, "gen-7"), 0700), 0);
	plant(p, "gen-7/key.pem", "key seven");
	assert_int_equal(mkdir(at(p, "gen-x"), 0700), 0); /* somebody else's */
	assert_int_equal(must_install(p, "eight"), 8);
	expect_in_force(p, "eight");
	assert_false(is_there(p, "gen-7"));
	assert_true(is_there(p, "gen-1"));
	assert_true(is_there(p, "gen-x"));
}

/* The child may write no file longer than a few octets: as a full disk, in the middle of an installation. */
static int install_on_full_disk(const struct place *p, rlim_t octets)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		struct rlimit limit = {octets, octets};
		struct why why = {0};
		unsigned int number = 0;
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		_exit(install(p, "two", &number, &why) == ERR_SYSTEM ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void a_full_disk_leaves_the_old_generation_and_no_halves(void **state)
{
	const struct place *p = *state;

	make_dir(p);
	must_install(p, "one");
	for (rlim_t octets = 0; octets < 11; octets++) { /* "anchors two" has 11 */
		assert_int_equal(install_on_full_disk(p, octets), 0);
		expect_in_force(p, "one");
		assert_false(is_there(p, "gen-2"));
	}
	assert_int_equal(must_install(p, "two"), 2);
}

/* Killed at any moment: what is in force is whole, and the next installation works. */
static void a_kill_at_any_moment_leaves_a_whole_generation(void **state)
{
	const struct place *p = *state;

	make_dir(p);
	must_install(p, "same");
	for (useconds_t after_us = 0; after_us < 4000; after_us += 100) {
		pid_t child = fork();
		if (child == 0) {
			struct why why = {0};
			unsigned int number = 0;
			while (install(p, "same", &number, &why) == OK)
				;
			_exit(1);
		}
		usleep(after_us);
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, NULL, 0), child);
		expect_in_force(p, "same");
	}
	must_install(p, "last");
	expect_in_force(p, "last");
}

static void a_directory_in_the_place_of_the_link_is_told(void **state)
{
	const struct place *p = *state;
	struct why why = {0};
	unsigned int number = 0;

	make_dir(p);
	assert_int_equal(mkdir(at(p, "current"), 0700), 0);
	assert_int_equal(install(p, "one", &number, &why), ERR_SYSTEM);
	assert_non_null(strstr(why.text, "current"));
	assert_false(is_there(p, "gen-1"));
}

static void one_works_at_a_time(void **state)
{
	const struct place *p = *state;
	struct why why = {0};
	struct why held = {0};
	char pid[32];
	int first OWNED_LOCK = -1;
	int second OWNED_LOCK = -1;

	assert_int_equal(generation_lock(p->dir, &first, &why), ERR_NOT_FOUND);
	why_clear(&why);
	make_dir(p);
	assert_int_equal(generation_lock(p->dir, &first, &why), OK);
	assert_int_equal(generation_lock(p->dir, &second, &held), ERR_CONFLICT);
	assert_int_equal(held.code, CODE_AGENT_BUSY);
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	assert_non_null(strstr(held.text, pid));
	assert_int_equal(second, -1);
	generation_unlock(&first);
	assert_int_equal(generation_lock(p->dir, &second, &why), OK);
	assert_int_equal(mode_of(p, "lock"), 0600);
}

static void the_lock_ends_with_its_process(void **state)
{
	const struct place *p = *state;
	struct why why = {0};
	int lock OWNED_LOCK = -1;
	int status = 0;

	make_dir(p);
	pid_t child = fork();
	if (child == 0)
		_exit(generation_lock(p->dir, &lock, &why) == OK ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(generation_lock(p->dir, &lock, &why), OK);
}

static void a_link_in_the_place_of_the_lock_is_not_followed(void **state)
{
	const struct place *p = *state;
	struct why why = {0};
	int lock OWNED_LOCK = -1;

	make_dir(p);
	assert_int_equal(symlink("elsewhere", at(p, "lock")), 0);
	assert_int_equal(generation_lock(p->dir, &lock, &why), ERR_SYSTEM);
	assert_false(is_there(p, "elsewhere"));
}

#define PLACE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLACE(the_first_generation_is_in_force_at_once),
		PLACE(nobody_else_may_read),
		PLACE(before_the_first_there_is_nothing),
		PLACE(only_the_one_before_is_kept),
		PLACE(an_installation_ends_the_pending_key),
		PLACE(the_key_in_force_is_not_pending),
		PLACE(a_pending_key_that_others_may_read_is_refused),
		PLACE(a_half_written_generation_is_passed_over_and_swept),
		PLACE(a_link_that_was_not_switched_does_no_harm),
		PLACE(old_generations_that_were_not_swept_go_the_next_time),
		PLACE(a_full_disk_leaves_the_old_generation_and_no_halves),
		PLACE(a_kill_at_any_moment_leaves_a_whole_generation),
		PLACE(a_directory_in_the_place_of_the_link_is_told),
		PLACE(one_works_at_a_time),
		PLACE(the_lock_ends_with_its_process),
		PLACE(a_link_in_the_place_of_the_lock_is_not_followed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
