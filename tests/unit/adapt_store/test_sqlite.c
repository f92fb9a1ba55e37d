/* What is true of the SQLite store alone: its file, its schema, its neighbours. */
#include "unit/adapt_store/sqlite.h"

#include <fcntl.h>

static mode_t mode_of(const char *suffix)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s%s", place.path, suffix);
	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void only_the_owner_may_read_its_files(void **state)
{
	struct store_fixture *f = *state;
	mode_t old = umask(0);

	WORKS(f, place_open(f, STORE_SQLITE_CREATE));
	place_fill(f, 1, 1);
	umask(old);
	assert_int_equal(mode_of(""), 0600);
	assert_int_equal(mode_of("-wal"), 0600);
	assert_int_equal(mode_of("-shm"), 0600);
}

static void makes_no_file_unless_told(void **state)
{
	struct store_fixture *f = *state;

	FAILS(f, STORE_MISSING, place_open(f, STORE_SQLITE_EXISTING));
	assert_int_not_equal(access(place.path, F_OK), 0);
	FAILS(f, STORE_OPEN, store_sqlite_open("/nonexistent/db", STORE_SQLITE_CREATE, &f->store, &f->why));
	FAILS(f, STORE_OPEN, store_sqlite_open(place.dir, STORE_SQLITE_EXISTING, &f->store, &f->why));
}

static void a_path_is_a_path_whatever_it_looks_like(void **state)
{
	struct store_fixture *f = *state;
	static const char *const names[] = {":memory:", "file:db?mode=memory"};
	char before[4096];

	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(place.dir), 0);
	for (size_t i = 0; i < 2; i++) {
		WORKS(f, store_sqlite_open(names[i], STORE_SQLITE_CREATE, &f->store, &f->why));
		place_close(f);
		assert_int_equal(unlink(names[i]), 0);
	}
	assert_int_equal(chdir(before), 0);
}

static void keeps_everything_across_processes_lives(void **state)
{
	struct store_fixture *f = *state;
	struct issued out = {0};
	struct sample_room room;

	WORKS(f, place_open(f, STORE_SQLITE_CREATE));
	place_fill(f, 1, 50);
	place_close(f);
	WORKS(f, place_open(f, STORE_SQLITE_CREATE));
	assert_int_equal(place_counts(f).issued, 50);
	place_fill(f, 51, 60);
	place_close(f);
	WORKS(f, place_open(f, STORE_SQLITE_EXISTING));
	assert_int_equal(place_counts(f).audit, 60);
	WORKS(f, CALL(f, issued_find, sample_issued(33, "", &room).serial, &f->arena, &out));
	assert_string_equal(out.enrolee_id, "d33");
}

static void is_set_up_for_durability_and_little_memory(void **state)
{
	struct store_fixture *f = *state;
	static const struct {
		const char *sql;
		int64_t want;
	} rows[] = {
		{"PRAGMA synchronous", 2},
		{"PRAGMA foreign_keys", 1},
		{"PRAGMA trusted_schema", 0},
		{"PRAGMA cache_size", -2000},
		{"PRAGMA mmap_size", 0},
		{"PRAGMA temp_store", 2},
		{"PRAGMA secure_delete", 1},
		{"PRAGMA busy_timeout", 50},
		{"PRAGMA application_id", DB_APPLICATION_ID},
		{"PRAGMA user_version", DB_VERSION},
		{"PRAGMA page_size", 8192},
		{"SELECT journal_mode = 'wal' FROM pragma_journal_mode", 1},
	};

	WORKS(f, place_open(f, STORE_SQLITE_CREATE));
	place_close(f);
	WORKS(f, place_open(f, STORE_SQLITE_EXISTING));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(place_number(place_handle(f), rows[i].sql), rows[i].want);
}

static sqlite3 *open_raw(void)
{
	sqlite3 *handle = NULL;

	assert_int_equal(sqlite3_open(place.path, &handle), SQLITE_OK);
	return handle;
}

static void an_empty_file_is_brought_up_to_date(void **state)
{
	struct store_fixture *f = *state;
	sqlite3 *handle = open_raw();

	place_run(handle, "PRAGMA application_id = 1330464070");
	assert_int_equal(place_number(handle, "PRAGMA user_version"), 0);
	sqlite3_close(handle);
	WORKS(f, place_open(f, STORE_SQLITE_EXISTING));
	assert_int_equal(place_number(place_handle(f), "PRAGMA user_version"), DB_VERSION);
	place_fill(f, 1, 3);
}

static void a_store_that_lost_everything_is_not_taken_for_a_new_one(void **state)
{
	struct store_fixture *f = *state;
	int fd = open(place.path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	close(fd);
	FAILS(f, STORE_DAMAGED, place_open(f, STORE_SQLITE_EXISTING));
	assert_null(f->store);
	WORKS(f, place_open(f, STORE_SQLITE_CREATE));
	place_fill(f, 1, 3);
}

static void a_failed_migration_leaves_the_old_version(void **state)
{
	struct store_fixture *f = *state;
	sqlite3 *handle = open_raw();

	/* A table in the way of the last but one statement. */
	place_run(handle, "PRAGMA application_id = 1330464070; CREATE TABLE audit (x); INSERT INTO audit VALUES (7)");
	sqlite3_close(handle);
	FAILS(f, STORE_FAILED, place_open(f, STORE_SQLITE_EXISTING));
	assert_null(f->store);
	handle = open_raw();
	assert_int_equal(place_number(handle, "PRAGMA user_version"), 0);
	assert_int_equal(place_number(handle, "SELECT count(*) FROM sqlite_schema"), 1);
	assert_int_equal(place_number(handle, "SELECT x FROM audit"), 7);
	sqlite3_close(handle);
}

static void a_version_from_the_future_is_refused_and_left_alone(void **state)
{
	struct store_fixture *f = *state;
	sqlite3 *handle = NULL;
	char now[64];

	snprintf(now, sizeof(now), "PRAGMA user_version = %d", DB_VERSION);
	WORKS(f, place_open(f, STORE_SQLITE_CREATE));
	place_fill(f, 1, 3);
	place_close(f);
	handle = open_raw();
	place_run(handle, "PRAGMA user_version = 1000");
	sqlite3_close(handle);
	assert_int_equal(place_open(f, STORE_SQLITE_EXISTING), ERR_STORE);
	assert_non_null(strstr(f->why.text, "have 1000"));
	FAILS(f, STORE_FUTURE, place_open(f, STORE_SQLITE_CREATE));
	handle = open_raw();
	assert_int_equal(place_number(handle, "PRAGMA user_version"), 1000);
	assert_int_equal(place_number(handle, "SELECT count(*) FROM issued"), 3);
	place_run(handle, now);
	sqlite3_close(handle);
	WORKS(f, place_open(f, STORE_SQLITE_EXISTING));
	assert_int_equal(place_counts(f).issued, 3);
}

static void the_database_of_another_program_is_refused_and_left_alone(void **state)
{
	struct store_fixture *f = *state;
	sqlite3 *handle = open_raw();

	place_run(handle, "CREATE TABLE theirs (x)");
	sqlite3_close(handle);
	FAILS(f, STORE_FOREIGN, place_open(f, STORE_SQLITE_CREATE));
	handle = open_raw();
	assert_int_equal(place_number(handle, "SELECT journal_mode = 'delete' FROM pragma_journal_mode"), 1);
	assert_int_equal(place_number(handle, "SELECT count(*) FROM sqlite_schema"), 1);
	place_run(handle, "DROP TABLE theirs; PRAGMA application_id = 77");
	sqlite3_close(handle);
	FAILS(f, STORE_FOREIGN, place_open(f, STORE_SQLITE_CREATE));
}

static void a_writer_waits_then_says_who_is_in_the_way(void **state)
{
	struct store_fixture *one = *state;
	struct store_fixture two = {0};
	struct enrolee out = {0};

	WORKS(one, place_open(one, STORE_SQLITE_CREATE));
	WORKS((&two), place_open(&two, STORE_SQLITE_EXISTING));
	WORKS(one, CALL0(one, begin));
	add_enrolee(one, "a", "urn:a");
	assert_int_equal(CALL0(&two, begin), ERR_STORE);
	assert_non_null(strstr(two.why.text, place.path));
	FAILS((&two), STORE_BUSY, CALL0(&two, begin));
	/* Readers see the last commit meanwhile. */
	FAILS((&two), STORE_NO_ENROLEE, CALL(&two, enrolee_find, "a", &two.arena, &out));
	assert_int_equal(place_counts(&two).enrolees, 0);
	WORKS(one, CALL0(one, commit));
	WORKS((&two), CALL(&two, enrolee_find, "a", &two.arena, &out));
	WORKS((&two), CALL0(&two, begin));
	add_enrolee(&two, "b", "urn:b");
	WORKS((&two), CALL0(&two, commit));
	assert_int_equal(place_counts(one).enrolees, 2);
	place_close(&two);
}

/* The lock holds up everybody in a process that waits for it, so only the first one waits. */
static void who_waited_in_vain_does_not_wait_again(void **state)
{
	struct store_fixture *one = *state;
	struct store_fixture two = {0};

	WORKS(one, place_open(one, STORE_SQLITE_CREATE));
	WORKS((&two), place_open(&two, STORE_SQLITE_EXISTING));
	assert_int_equal(place_number(place_handle(&two), "PRAGMA busy_timeout"), 50);
	WORKS(one, CALL0(one, begin));
	FAILS((&two), STORE_BUSY, CALL0(&two, begin));
	assert_int_equal(place_number(place_handle(&two), "PRAGMA busy_timeout"), 0);
	FAILS((&two), STORE_BUSY, CALL0(&two, begin));
	assert_int_equal(place_number(place_handle(&two), "PRAGMA busy_timeout"), 0);
	WORKS(one, CALL0(one, commit));
	WORKS((&two), CALL0(&two, begin));
	assert_int_equal(place_number(place_handle(&two), "PRAGMA busy_timeout"), 50);
	WORKS((&two), CALL0(&two, commit));
	place_close(&two);
}

static void audit_events_of_two_processes_make_one_chain(void **state)
{
	struct store_fixture *one = *state;
	struct store_fixture two = {0};
	struct audit_row row = sample_audit(1, "{}");

	WORKS(one, place_open(one, STORE_SQLITE_CREATE));
	WORKS((&two), place_open(&two, STORE_SQLITE_EXISTING));
	WORKS(one, CALL0(one, begin));
	WORKS(one, CALL(one, audit_add, &row));
	WORKS(one, CALL0(one, commit));
	WORKS((&two), CALL0(&two, begin));
	FAILS((&two), STORE_AUDIT_ORDER, CALL(&two, audit_add, &row));
	row = sample_audit(2, "{}");
	WORKS((&two), CALL(&two, audit_add, &row));
	WORKS((&two), CALL0(&two, commit));
	place_close(&two);
}

static enum err list_again(void *arg, const struct enrolee *e, struct why *why)
{
	const struct store_fixture *f = arg;
	struct enrolee_filter filter = {.limit = 1};
	struct seen seen = {0};

	return f->store->ops->enrolee_list(f->store->self, &filter, see_enrolee, &seen, why);
}

static void a_list_cannot_run_within_itself(void **state)
{
	struct store_fixture *f = *state;
	struct enrolee_filter filter = {.limit = 9};
	struct seen seen = {0};

	WORKS(f, place_open(f, STORE_SQLITE_CREATE));
	place_fill(f, 1, 3);
	FAILS(f, STORE_USE, CALL(f, enrolee_list, &filter, list_again, f));
	WORKS(f, CALL(f, enrolee_list, &filter, see_enrolee, &seen));
	assert_int_equal(seen.n, 3);
}

static void history_cannot_be_changed_by_a_slip(void **state)
{
	struct store_fixture *f = *state;
	static const char *const slips[] = {"DELETE FROM audit", "UPDATE audit SET event = '{}'",
		"DELETE FROM issued", "DELETE FROM enrolee", "INSERT INTO issued (serial) VALUES (x'01')"};

	WORKS(f, place_open(f, STORE_SQLITE_CREATE));
	place_fill(f, 1, 3);
	for (size_t i = 0; i < sizeof(slips) / sizeof(slips[0]); i++)
		assert_int_equal(sqlite3_exec(place_handle(f), slips[i], NULL, NULL, NULL) & 0xff, SQLITE_CONSTRAINT);
}

/* Each answer must cost the same at a thousand and at a million rows. */
static void every_look_up_goes_by_an_index(void **state)
{
	struct store_fixture *f = *state;
	static const enum sql quick[] = {SQL_WORD_FIND, SQL_ENROLEE_NUMBER, SQL_ENROLEE_FIND, SQL_ENTITY_FIND,
		SQL_ENROLEE_HAS_CERT, SQL_ENROLEE_LIST, SQL_CREDENTIAL_FIND, SQL_CREDENTIAL_LIST, SQL_CREDENTIAL_MATCH,
		SQL_CREDENTIAL_MATCH_ANY,
		SQL_CREDENTIAL_CLEAR, SQL_ISSUED_FIND, SQL_ISSUED_BY_NONCE, SQL_ISSUED_LIST, SQL_ISSUED_LIST_OF,
		SQL_ISSUED_REVOKE, SQL_SYMKEY_COUNT, SQL_SYMKEY_SET, SQL_SYMKEY_REMOVE, SQL_SYMKEY_FIND, SQL_SYMKEY_LIST,
		SQL_SYMKEY_LIST_OF, SQL_SYMKEY_DUE, SQL_SYMKEY_CLEAR, SQL_PREFS_GET, SQL_PREFS_REMOVE, SQL_TOKEN_FIND,
		SQL_TOKEN_CLAIM, SQL_TOKEN_SPEND, SQL_TOKEN_LIST, SQL_TOKEN_REMOVE, SQL_TOKEN_CLEAR,
		SQL_TOKEN_PREFS_CLEAR, SQL_SECRET_GET, SQL_AUDIT_LIST, SQL_ENROLEE_DROP};
	char sql[2048];

	WORKS(f, place_open(f, STORE_SQLITE_CREATE));
	for (size_t i = 0; i < sizeof(quick) / sizeof(quick[0]); i++) {
		sqlite3_stmt *s = NULL;
		snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", sqlite_sql[quick[i]]);
		assert_int_equal(sqlite3_prepare_v2(place_handle(f), sql, -1, &s, NULL), SQLITE_OK);
		while (sqlite3_step(s) == SQLITE_ROW) {
			const char *plan = (const char *)sqlite3_column_text(s, 3);
			if (strstr(plan, "SCAN") && !strstr(plan, "CONSTANT ROW") && strcmp(plan, "SCAN q") != 0)
				fail_msg("%s\n%s", sql, plan);
		}
		sqlite3_finalize(s);
	}
}

static void an_enrolment_takes_little_room(void **state)
{
	struct store_fixture *f = *state;

	WORKS(f, place_open(f, STORE_SQLITE_CREATE));
	WORKS(f, CALL0(f, begin));
	for (uint32_t n = 0; n < 5000; n++)
		add_issued(f, n * 2654435761U, "meter");
	WORKS(f, CALL0(f, commit));
	int64_t pages = place_number(place_handle(f), "PRAGMA page_count");
	assert_in_range(pages * 8192 / 5000, 600, 877); /* with a certificate of 600 octets */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)
	static const struct CMUnitTest tests[] = {
		TEST(only_the_owner_may_read_its_files),
		TEST(makes_no_file_unless_told),
		TEST(a_path_is_a_path_whatever_it_looks_like),
		TEST(keeps_everything_across_processes_lives),
		TEST(is_set_up_for_durability_and_little_memory),
		TEST(an_empty_file_is_brought_up_to_date),
		TEST(a_store_that_lost_everything_is_not_taken_for_a_new_one),
		TEST(a_failed_migration_leaves_the_old_version),
		TEST(a_version_from_the_future_is_refused_and_left_alone),
		TEST(the_database_of_another_program_is_refused_and_left_alone),
		TEST(a_writer_waits_then_says_who_is_in_the_way),
		TEST(who_waited_in_vain_does_not_wait_again),
		TEST(audit_events_of_two_processes_make_one_chain),
		TEST(a_list_cannot_run_within_itself),
		TEST(history_cannot_be_changed_by_a_slip),
		TEST(every_look_up_goes_by_an_index),
		TEST(an_enrolment_takes_little_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
