/* A full disk, a failing disk, a damaged file, a killed process. */
#include "unit/adapt_store/sqlite.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void limit_pages(struct store_fixture *f, int64_t pages)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %lld", (long long)pages);
	place_run(place_handle(f), sql);
}

/* Leaves the transaction open after the failure; the number that did not fit. */
static uint32_t enrol_until_full(struct store_fixture *f, uint32_t from)
{
	enum err err = OK;

	WORKS(f, CALL0(f, begin));
	while (err == OK && from < 100000) {
		err = place_enrol(f, from);
		from++;
	}
	FAILS(f, STORE_FULL, err);
	return from - 1;
}

static void check_whole(struct store_fixture *f, uint64_t rows)
{
	struct store_counts counts = place_counts(f);

	assert_int_equal(counts.enrolees, rows);
	assert_int_equal(counts.issued, rows);
	assert_int_equal(counts.audit, rows);
	assert_int_equal(place_number(place_handle(f), "SELECT count(*) FROM issued"), rows);
	assert_int_equal(place_number(place_handle(f), "SELECT count(*) FROM enrolee WHERE state > 0"), rows);
	assert_int_equal(place_number(place_handle(f), "SELECT count(*) FROM pragma_integrity_check"), 1);
}

static void a_full_disk_undoes_the_batch_and_ends_with_its_cause(void **state)
{
	struct store_fixture *f = *state;

	WORKS(f, place_open(f, STORE_SQLITE_CREATE));
	place_fill(f, 1, 20);
	limit_pages(f, place_number(place_handle(f), "PRAGMA page_count") + 4);
	enrol_until_full(f, 21);
	FAILS(f, STORE_ROLLED_BACK, place_enrol(f, 21));
	FAILS(f, STORE_ROLLED_BACK, CALL0(f, mark));
	FAILS(f, STORE_ROLLED_BACK, CALL0(f, commit));
	check_whole(f, 20);
	enrol_until_full(f, 21); /* still full, and still an error of its own */
	f->store->ops->rollback(f->store->self);
	check_whole(f, 20);
	limit_pages(f, 100000);
	place_fill(f, 21, 200);
	check_whole(f, 200);
}

static void a_full_disk_within_a_mark_spoils_the_whole_batch(void **state)
{
	struct store_fixture *f = *state;

	WORKS(f, place_open(f, STORE_SQLITE_CREATE));
	place_fill(f, 1, 20);
	limit_pages(f, place_number(place_handle(f), "PRAGMA page_count") + 4);
	enum err err = CALL0(f, begin);
	for (uint32_t n = 21; err == OK && n < 100000; n++) {
		WORKS(f, CALL0(f, mark));
		err = place_enrol(f, n);
		if (err == OK)
			WORKS(f, CALL0(f, release));
	}
	FAILS(f, STORE_FULL, err);
	f->store->ops->undo(f->store->self); /* what a caller does with a failed request */
	FAILS(f, STORE_ROLLED_BACK, CALL0(f, mark));
	FAILS(f, STORE_ROLLED_BACK, CALL0(f, commit)); /* so none of the batch is answered */
	check_whole(f, 20);
	limit_pages(f, 100000);
	place_fill(f, 21, 30);
	check_whole(f, 30);
}

/* A commit that cannot write its log: the file may not grow beyond what it has. */
static void a_failing_disk_at_commit_keeps_nothing(void **state)
{
	struct store_fixture *f = *state;
	struct rlimit old;
	struct rlimit tight;

	WORKS(f, place_open(f, STORE_SQLITE_CREATE));
	place_fill(f, 1, 5);
	WORKS(f, CALL0(f, begin));
	for (uint32_t n = 6; n <= 50; n++)
		WORKS(f, place_enrol(f, n));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	tight = (struct rlimit){.rlim_cur = 8192, .rlim_max = old.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	enum err err = CALL0(f, commit);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_DFL);
	FAILS(f, STORE_IO, err);
	check_whole(f, 5);
	place_fill(f, 6, 50);
	check_whole(f, 50);
}

static void a_database_that_may_only_be_read_says_so(void **state)
{
	struct store_fixture *f = *state;

	WORKS(f, place_open(f, STORE_SQLITE_CREATE));
	place_fill(f, 1, 5);
	WORKS(f, CALL0(f, begin));
	WORKS(f, place_enrol(f, 6));
	place_run(place_handle(f), "PRAGMA query_only = ON");
	FAILS(f, STORE_READONLY, place_enrol(f, 7));
	check_whole(f, 5); /* the failure has undone what came before it, too */
	place_run(place_handle(f), "PRAGMA query_only = OFF");
	FAILS(f, STORE_ROLLED_BACK, CALL0(f, commit));
	place_fill(f, 6, 10);
	check_whole(f, 10);
}

static void overwrite(off_t from, off_t to)
{
	uint8_t noise[512];
	int fd = open(place.path, O_WRONLY);

	memset(noise, 0xdb, sizeof(noise));
	assert_true(fd >= 0);
	for (off_t at = from; at < to; at += (off_t)sizeof(noise))
		assert_int_equal(pwrite(fd, noise, sizeof(noise), at), sizeof(noise));
	close(fd);
}

static void a_damaged_head_is_refused_at_once(void **state)
{
	struct store_fixture *f = *state;

	WORKS(f, place_open(f, STORE_SQLITE_CREATE));
	place_fill(f, 1, 50);
	place_close(f);
	overwrite(0, 512);
	assert_int_equal(place_open(f, STORE_SQLITE_EXISTING), ERR_STORE);
	assert_non_null(strstr(f->why.text, place.path));
	FAILS(f, STORE_DAMAGED, place_open(f, STORE_SQLITE_EXISTING));
	assert_null(f->store);
}

static void damaged_rows_are_an_error_not_an_answer(void **state)
{
	struct store_fixture *f = *state;
	struct issued_filter filter = {.limit = 1000};
	struct seen seen = {0};

	WORKS(f, place_open(f, STORE_SQLITE_CREATE));
	place_fill(f, 1, 500);
	int64_t pages = place_number(place_handle(f), "PRAGMA page_count");
	place_close(f);
	overwrite(8192 * 12, 8192 * pages); /* all but the schema and the roots */
	WORKS(f, place_open(f, STORE_SQLITE_EXISTING));
	FAILS(f, STORE_DAMAGED, CALL(f, issued_list, &filter, see_issued, &seen));
	WORKS(f, CALL0(f, begin));
	FAILS(f, STORE_DAMAGED, CALL(f, issued_list, &filter, see_issued, &seen));
	FAILS(f, STORE_ROLLED_BACK, CALL0(f, commit));
}

static void nothing_is_written_into_a_file_that_has_lost_its_name(void **state)
{
	struct store_fixture *f = *state;
	char aside[sizeof(place.path) + 8];

	WORKS(f, place_open(f, STORE_SQLITE_CREATE));
	place_fill(f, 1, 3);
	snprintf(aside, sizeof(aside), "%s.aside", place.path);
	assert_int_equal(rename(place.path, aside), 0);
	FAILS(f, STORE_MOVED, CALL0(f, begin));
	/* another file in its place is another store */
	int fd = open(place.path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	FAILS(f, STORE_MOVED, CALL0(f, begin));
	assert_int_equal(rename(aside, place.path), 0);
	place_fill(f, 4, 5);
	check_whole(f, 5);
}

/* Commits one enrolment after the other and reports each after its commit, until it is killed. */
static void enrol_for_ever(int out)
{
	struct store *store = NULL;
	struct store_fixture f = {.arena = ARENA(1 << 20)};
	uint8_t hash[32];
	uint64_t seq = 0;

	if (store_sqlite_open(place.path, STORE_SQLITE_CREATE, &store, &f.why) != OK)
		_exit(1);
	f.store = store;
	if (CALL(&f, audit_head, &seq, hash) != OK)
		_exit(2);
	for (uint32_t n = (uint32_t)seq + 1;; n++) {
		if (CALL0(&f, begin) != OK || place_enrol(&f, n) != OK || CALL0(&f, commit) != OK)
			_exit(3);
		if (write(out, &n, sizeof(n)) != sizeof(n))
			_exit(4);
	}
}

/* The last number that a child reported before it was killed, after about `reports` of them. */
static uint32_t run_and_kill(int reports)
{
	int ends[2];
	uint32_t n = 0;
	uint32_t last = 0;
	int status = 0;

	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0) {
		close(ends[0]);
		enrol_for_ever(ends[1]);
	}
	close(ends[1]);
	while (reports-- > 0 && read(ends[0], &n, sizeof(n)) == sizeof(n))
		last = n;
	kill(child, SIGKILL);
	while (read(ends[0], &n, sizeof(n)) == sizeof(n))
		last = n;
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return last;
}

static void a_killed_process_loses_nothing_that_it_reported(void **state)
{
	struct store_fixture *f = *state;
	uint32_t before = 0;

	for (int round = 0; round < 20; round++) {
		uint32_t last = run_and_kill(1 + round * 13 % 40);
		assert_true(last > before);
		WORKS(f, place_open(f, STORE_SQLITE_EXISTING));
		uint64_t rows = place_counts(f).audit;
		assert_in_range(rows, last, last + 1); /* the one more was committed, but not reported yet */
		check_whole(f, rows);
		for (uint32_t n = before + 1; n <= last; n++) {
			struct sample_room room;
			struct issued out = {0};
			WORKS(f, CALL(f, issued_find, sample_issued(n, "", &room).serial, &f->arena, &out));
		}
		place_close(f);
		before = last;
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)
	static const struct CMUnitTest tests[] = {
		TEST(a_full_disk_undoes_the_batch_and_ends_with_its_cause),
		TEST(a_full_disk_within_a_mark_spoils_the_whole_batch),
		TEST(a_failing_disk_at_commit_keeps_nothing),
		TEST(a_database_that_may_only_be_read_says_so),
		TEST(a_damaged_head_is_refused_at_once),
		TEST(damaged_rows_are_an_error_not_an_answer),
		TEST(nothing_is_written_into_a_file_that_has_lost_its_name),
		TEST(a_killed_process_loses_nothing_that_it_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
