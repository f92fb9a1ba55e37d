/* Keys and tokens in a file: two processes, a new start, an old version, what stays on the disk. */
#include "unit/adapt_store/sqlite.h"
#include "unit/adapt_store/version_1.h"

#include <fcntl.h>

static const uint8_t hash[32] = {1, 2, 3};

static void add_key(struct store_fixture *f, const char *id, const char *owner, struct span sealed)
{
	struct symkey k = {.kind = SYMKEY_KE, .id = id, .owner = owner, .sealed = sealed, .created_s = 1,
		.expires_s = 9, .info = "{}"};

	WORKS(f, CALL(f, symkey_add, &k));
}

static void add_token(struct store_fixture *f)
{
	struct token t = {.id = "t1", .created_s = 1, .expires_s = 9};

	memcpy(t.hash, hash, sizeof(hash));
	WORKS(f, CALL(f, token_add, &t));
}

static void keys_preferences_and_tokens_outlive_the_process(void **state)
{
	struct store_fixture *f = *state;
	struct symkey k = {0};
	struct token t = {0};
	struct span json = {0};

	WORKS(f, place_open(f, STORE_SQLITE_CREATE));
	WORKS(f, CALL0(f, begin));
	add_key(f, "k1", "a", span_text("sealed"));
	add_token(f);
	WORKS(f, CALL(f, token_claim, hash, "a", 5));
	WORKS(f, CALL(f, prefs_put, PREFS_DEFAULT, "", span_text("{}")));
	WORKS(f, CALL0(f, commit));
	place_close(f);
	WORKS(f, place_open(f, STORE_SQLITE_EXISTING));
	WORKS(f, CALL(f, symkey_find, SYMKEY_KE, "k1", &f->arena, &k));
	assert_true(span_is(k.sealed, "sealed"));
	WORKS(f, CALL(f, token_find, hash, &f->arena, &t));
	assert_string_equal(t.claimed_by, "a");
	WORKS(f, CALL(f, prefs_get, PREFS_DEFAULT, "", &f->arena, &json));
	WORKS(f, CALL0(f, begin));
	FAILS(f, STORE_TOKEN_TAKEN, CALL(f, token_claim, hash, "b", 6));
	WORKS(f, CALL(f, token_claim, hash, "a", 6));
	WORKS(f, CALL(f, token_spend, hash, 7));
	WORKS(f, CALL0(f, commit));
}

/* Both look before either writes; one token serves one of them. */
static void two_processes_cannot_both_claim_a_token(void **state)
{
	struct store_fixture *one = *state;
	struct store_fixture two = {0};
	struct token t = {0};

	WORKS(one, place_open(one, STORE_SQLITE_CREATE));
	WORKS((&two), place_open(&two, STORE_SQLITE_EXISTING));
	WORKS(one, CALL0(one, begin));
	add_token(one);
	WORKS(one, CALL0(one, commit));
	WORKS((&two), CALL(&two, token_find, hash, &two.arena, &t));
	assert_int_equal(t.claimed_s, 0);
	WORKS(one, CALL0(one, begin));
	FAILS((&two), STORE_BUSY, CALL0(&two, begin));
	WORKS(one, CALL(one, token_claim, hash, "a", 5));
	WORKS(one, CALL0(one, commit));
	WORKS((&two), CALL0(&two, begin));
	FAILS((&two), STORE_TOKEN_TAKEN, CALL(&two, token_claim, hash, "b", 6));
	WORKS((&two), CALL(&two, token_claim, hash, "a", 6));
	WORKS((&two), CALL(&two, token_spend, hash, 7));
	WORKS((&two), CALL0(&two, commit));
	WORKS(one, CALL0(one, begin));
	FAILS(one, STORE_TOKEN_SPENT, CALL(one, token_spend, hash, 8));
	FAILS(one, STORE_TOKEN_SPENT, CALL(one, token_claim, hash, "a", 8));
	WORKS(one, CALL0(one, commit));
	place_close(&two);
}

/* A claim that was not committed was none. */
static void a_claim_that_did_not_last_leaves_the_token_free(void **state)
{
	struct store_fixture *one = *state;
	struct store_fixture two = {0};

	WORKS(one, place_open(one, STORE_SQLITE_CREATE));
	WORKS((&two), place_open(&two, STORE_SQLITE_EXISTING));
	WORKS(one, CALL0(one, begin));
	add_token(one);
	WORKS(one, CALL0(one, commit));
	WORKS(one, CALL0(one, begin));
	WORKS(one, CALL(one, token_claim, hash, "a", 5));
	place_close(one);
	WORKS((&two), CALL0(&two, begin));
	WORKS((&two), CALL(&two, token_claim, hash, "b", 6));
	WORKS((&two), CALL0(&two, commit));
	place_close(&two);
}

static void make_version_1(void)
{
	sqlite3 *handle = NULL;

	assert_int_equal(sqlite3_open(place.path, &handle), SQLITE_OK);
	place_run(handle, version_1_sql);
	sqlite3_close(handle);
}

static void want_old_rows(struct store_fixture *f)
{
	struct store_counts counts = place_counts(f);
	struct enrolee e = {0};
	struct issued i = {0};
	struct crl_row crl = {0};
	struct span secret = {0};
	struct seen seen = {0};

	assert_int_equal(counts.enrolees, 2);
	assert_int_equal(counts.enrolees_disabled, 1);
	assert_int_equal(counts.issued, 2);
	assert_int_equal(counts.revoked, 1);
	assert_int_equal(counts.audit, 1);
	WORKS(f, CALL(f, enrolee_find, "d1", &f->arena, &e));
	assert_string_equal(e.label, "cellar");
	WORKS(f, CALL(f, credential_match, CREDENTIAL_SERIAL, "SN-1", see_credential, &seen));
	assert_string_equal(seen.text, "d1/2/SN-1/0");
	WORKS(f, CALL(f, issued_find, span_of("\x40\x02", 2), &f->arena, &i));
	assert_string_equal(i.enrolee_id, "d2");
	assert_int_equal(i.state, ISSUED_REVOKED);
	WORKS(f, CALL(f, crl_get, "issuing", &f->arena, &crl));
	assert_int_equal(crl.number, 7);
	WORKS(f, CALL(f, secret_get, "challenge", &f->arena, &secret));
	assert_true(span_equal(secret, span_of("\xab\xcd", 2)));
}

static void a_database_of_version_1_is_brought_up_to_date_without_loss(void **state)
{
	struct store_fixture *f = *state;
	struct audit_row audit = sample_audit(2, "{}");

	make_version_1();
	WORKS(f, place_open(f, STORE_SQLITE_EXISTING));
	assert_int_equal(place_number(place_handle(f), "PRAGMA user_version"), DB_VERSION);
	want_old_rows(f);
	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, audit_add, &audit));
	add_key(f, "k1", "d1", span_text("sealed"));
	add_token(f);
	f->store->ops->rollback(f->store->self);
	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, enrolee_remove, "d2", 1));
	f->store->ops->rollback(f->store->self);
	place_close(f);
	WORKS(f, place_open(f, STORE_SQLITE_EXISTING));
	want_old_rows(f);
	assert_int_equal(place_number(place_handle(f), "SELECT count(*) FROM pragma_integrity_check WHERE "
						       "integrity_check <> 'ok'"), 0);
}

static void schema_of(sqlite3 *handle, char *out, size_t size)
{
	sqlite3_stmt *s = NULL;
	size_t n = 0;

	assert_int_equal(sqlite3_prepare_v2(handle, "SELECT name, sql FROM sqlite_schema ORDER BY name", -1, &s, NULL),
		SQLITE_OK);
	while (sqlite3_step(s) == SQLITE_ROW) {
		const char *sql = (const char *)sqlite3_column_text(s, 1);
		n += (size_t)snprintf(out + n, size - n, "%s: %s\n", (const char *)sqlite3_column_text(s, 0), sql ? sql : "");
		assert_true(n < size);
	}
	sqlite3_finalize(s);
}

/* A step that was released never changes: else old files and new ones would part. */
static void an_old_database_ends_like_a_new_one(void **state)
{
	struct store_fixture *f = *state;
	static char fresh[16384];
	static char upgraded[16384];

	WORKS(f, place_open(f, STORE_SQLITE_CREATE));
	schema_of(place_handle(f), fresh, sizeof(fresh));
	place_close(f);
	assert_int_equal(unlink(place.path), 0);
	make_version_1();
	WORKS(f, place_open(f, STORE_SQLITE_EXISTING));
	schema_of(place_handle(f), upgraded, sizeof(upgraded));
	assert_string_equal(fresh, upgraded);
}

static void a_failed_step_leaves_version_1_as_it_was(void **state)
{
	struct store_fixture *f = *state;
	sqlite3 *handle = NULL;

	make_version_1();
	assert_int_equal(sqlite3_open(place.path, &handle), SQLITE_OK);
	place_run(handle, "CREATE TABLE token (x)"); /* in the way of the last but two statements */
	FAILS(f, STORE_FAILED, place_open(f, STORE_SQLITE_EXISTING));
	assert_int_equal(place_number(handle, "PRAGMA user_version"), 1);
	assert_int_equal(place_number(handle, "SELECT count(*) FROM sqlite_schema WHERE name = 'symkey'"), 0);
	place_run(handle, "DROP TABLE token");
	sqlite3_close(handle);
	WORKS(f, place_open(f, STORE_SQLITE_EXISTING));
	want_old_rows(f);
}

enum { KEYS = 600, MARK = 24 };

/* An own run of octets for every key. */
static struct span secret_of(int n, char room[MARK + 1])
{
	snprintf(room, MARK + 1, "<<SECRET-%06d-SECRET>>", n);
	return span_text(room);
}

static size_t left_in_file(const char *suffix, const char *what)
{
	char path[128];
	char *bytes = NULL;
	size_t n = 0;
	size_t found = 0;

	snprintf(path, sizeof(path), "%s%s", place.path, suffix);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	fseek(file, 0, SEEK_END);
	bytes = malloc((size_t)ftell(file) + 1);
	assert_non_null(bytes);
	rewind(file);
	while (!feof(file) && !ferror(file))
		n += fread(bytes + n, 1, 65536, file);
	fclose(file);
	for (size_t i = 0; i + strlen(what) <= n; i++)
		found += memcmp(bytes + i, what, strlen(what)) == 0;
	free(bytes);
	return found;
}

static void write_keys(struct store_fixture *f)
{
	char id[24];
	char owner[16];
	char room[MARK + 1];

	for (int n = 0; n < KEYS; n++) {
		snprintf(id, sizeof(id), "%08x@mef", (unsigned)n * 2654435761U);
		snprintf(owner, sizeof(owner), "d%d", n / 8);
		add_key(f, id, owner, secret_of(n, room));
	}
}

static void empty_the_log(struct store_fixture *f)
{
	place_run(place_handle(f), "PRAGMA wal_checkpoint(TRUNCATE)");
}

/* Of the keys with these numbers. */
static void remove_keys(struct store_fixture *f, int first, int step)
{
	char id[24];

	WORKS(f, CALL0(f, begin));
	for (int n = first; n < KEYS; n += step) {
		snprintf(id, sizeof(id), "%08x@mef", (unsigned)n * 2654435761U);
		WORKS(f, CALL(f, symkey_remove, SYMKEY_KE, id));
	}
	WORKS(f, CALL0(f, commit));
	empty_the_log(f);
}

/* Zeros take the place of what was removed or replaced, in the file and in its log. */
static void erased_keys_are_overwritten_on_the_disk(void **state)
{
	struct store_fixture *f = *state;
	struct symkey changed = {.kind = SYMKEY_KE, .id = "00000000@mef", .sealed = span_text("new"), .info = ""};
	char room[MARK + 1];

	WORKS(f, place_open(f, STORE_SQLITE_CREATE));
	WORKS(f, CALL0(f, begin));
	write_keys(f);
	WORKS(f, CALL0(f, commit));
	empty_the_log(f);
	assert_int_equal(left_in_file("", (const char *)secret_of(0, room).p), 1);
	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, symkey_set, &changed));
	WORKS(f, CALL0(f, commit));
	remove_keys(f, 1, 2);
	assert_int_equal(left_in_file("", "-SECRET>>"), KEYS / 2 - 1);
	remove_keys(f, 2, 2);
	assert_int_equal(left_in_file("", "-SECRET>>"), 0);
	assert_int_equal(left_in_file("-wal", "-SECRET>>"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)
	static const struct CMUnitTest tests[] = {
		TEST(keys_preferences_and_tokens_outlive_the_process),
		TEST(two_processes_cannot_both_claim_a_token),
		TEST(a_claim_that_did_not_last_leaves_the_token_free),
		TEST(a_database_of_version_1_is_brought_up_to_date_without_loss),
		TEST(an_old_database_ends_like_a_new_one),
		TEST(a_failed_step_leaves_version_1_as_it_was),
		TEST(erased_keys_are_overwritten_on_the_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
