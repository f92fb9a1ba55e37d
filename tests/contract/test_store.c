/* Every store passes the same suite: what is true of one is true of all. */
#include "contract/suite/store.h"

#include "adapt/store/memory.h"
#include "adapt/store/sqlite.h"

#include <stdlib.h>
#include <unistd.h>

static int setup_memory(void **state)
{
	static struct store_fixture f;

	f = (struct store_fixture){.store = store_memory_new(), .arena = ARENA(1 << 20)};
	*state = &f;
	return f.store ? 0 : -1;
}

static int setup_sqlite(void **state)
{
	static struct store_fixture f;
	char path[96];

	f = (struct store_fixture){.arena = ARENA(1 << 20), .dir = "/tmp/omef-store-XXXXXX"};
	if (!mkdtemp(f.dir))
		return -1;
	snprintf(path, sizeof(path), "%s/db", f.dir);
	*state = &f;
	if (store_sqlite_open(path, STORE_SQLITE_CREATE, &f.store, &f.why) == OK)
		return 0;
	print_error("%s\n", f.why.text);
	return -1;
}

static int teardown(void **state)
{
	struct store_fixture *f = *state;
	static const char *const names[] = {"db", "db-wal", "db-shm"};
	char path[96];

	f->store->ops->free(f->store->self);
	arena_fini(&f->arena);
	for (size_t i = 0; f->dir[0] && i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", f->dir, names[i]);
		unlink(path);
	}
	return f->dir[0] ? rmdir(f->dir) : 0;
}

static int run(const char *store, CMFixtureFunction setup, const struct store_tests *suite)
{
	struct CMUnitTest tests[64];
	char name[64];

	assert_true(suite->n <= sizeof(tests) / sizeof(tests[0]));
	for (size_t i = 0; i < suite->n; i++) {
		tests[i] = suite->tests[i];
		tests[i].setup_func = setup;
		tests[i].teardown_func = teardown;
	}
	snprintf(name, sizeof(name), "%s store: %s", store, suite->name);
	return _cmocka_run_group_tests(name, tests, suite->n, NULL, NULL);
}

int main(void)
{
	static const struct store_tests *const suites[] = {
		&store_enrolee_suite, &store_issued_suite, &store_record_suite, &store_request_suite, &store_symkey_suite, &store_token_suite,
		&store_transaction_suite};
	int failed = 0;

	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++) {
		failed += run("memory", setup_memory, suites[i]);
		failed += run("sqlite", setup_sqlite, suites[i]);
	}
	return failed ? 1 : 0;
}
