#include "core/registry/batch.h"

#include "faulty_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* What one deferred call was told. */
struct told {
	unsigned int times;
	enum err err;
	enum code code;
	unsigned int commits; /* of the store at that time */
};

static void on_done(void *arg, enum err err, const struct why *why)
{
	struct told *t = arg;

	assert_non_null(why);
	t->times++;
	t->err = err;
	t->code = why->code;
	t->commits = faults.commits;
}

static int setup(void **state)
{
	*state = faulty_store_new();
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	faulty_store_free(*state);
	return 0;
}

static void add(struct batch *b, struct faulty_store *f, const char *id)
{
	struct why why = {0};
	const struct enrolee e = {.id = id, .entity_type = ENTITY_NODE, .entity_id = id, .state = ENROLEE_ENABLED,
		.label = "", .profile = ""};

	assert_int_equal(batch_enter(b, &why), OK);
	assert_int_equal(f->ops.enrolee_add(f->store.self, &e, &why), OK);
}

static void add_and_defer(struct batch *b, struct faulty_store *f, const char *id, struct told *told)
{
	struct why why = {0};

	add(b, f, id);
	assert_int_equal(batch_leave(b, true, &why), OK);
	assert_int_equal(batch_defer(b, on_done, told, &why), OK);
}

static bool has(struct faulty_store *f, const char *id)
{
	struct arena arena OWNED_ARENA = ARENA(8192);
	struct enrolee e = {0};
	struct why why = {0};

	return f->ops.enrolee_find(f->store.self, id, &arena, &e, &why) == OK;
}

static void answers_wait_for_one_shared_commit(void **state)
{
	struct faulty_store *f = *state;
	struct batch *b = batch_new(&f->store);
	struct told told[3] = {0};

	add_and_defer(b, f, "a", &told[0]);
	add_and_defer(b, f, "b", &told[1]);
	add_and_defer(b, f, "c", &told[2]);
	assert_int_equal(told[0].times, 0);
	assert_int_equal(faults.commits, 0);
	assert_int_equal(batch_waiting(b), 3);
	batch_flush(b);
	assert_int_equal(faults.commits, 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(told[i].times, 1);
		assert_int_equal(told[i].err, OK);
		assert_int_equal(told[i].commits, 1); /* after the commit, not before */
	}
	assert_int_equal(batch_waiting(b), 0);
	batch_flush(b);
	assert_int_equal(told[0].times, 1);
	assert_int_equal(faults.commits, 1);
	batch_free(b);
	assert_true(has(f, "a") && has(f, "b") && has(f, "c"));
}

static void a_request_that_is_not_kept_leaves_no_trace(void **state)
{
	struct faulty_store *f = *state;
	struct batch *b = batch_new(&f->store);
	struct told told[2] = {0};
	struct why why = {0};

	add_and_defer(b, f, "a", &told[0]);
	add(b, f, "bad");
	assert_int_equal(batch_leave(b, false, &why), OK);
	add_and_defer(b, f, "c", &told[1]);
	batch_flush(b);
	assert_int_equal(told[0].err, OK);
	assert_int_equal(told[1].err, OK);
	assert_true(has(f, "a") && has(f, "c"));
	assert_false(has(f, "bad"));
	batch_free(b);
}

static void when_the_commit_fails_all_are_told_and_nothing_stays(void **state)
{
	struct faulty_store *f = *state;
	struct batch *b = batch_new(&f->store);
	struct told told[3] = {0};

	add_and_defer(b, f, "a", &told[0]);
	add_and_defer(b, f, "b", &told[1]);
	faults.commit_fails = true;
	batch_flush(b);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(told[i].times, 1);
		assert_int_equal(told[i].err, ERR_STORE);
		assert_int_equal(told[i].code, CODE_STORE_FULL);
	}
	assert_false(has(f, "a") || has(f, "b"));
	faults.commit_fails = false;
	add_and_defer(b, f, "a", &told[2]);
	batch_flush(b);
	assert_int_equal(told[2].err, OK);
	assert_true(has(f, "a"));
	batch_free(b);
}

static void when_the_store_loses_the_transaction_those_before_are_told(void **state)
{
	struct faulty_store *f = *state;
	struct batch *b = batch_new(&f->store);
	struct told told[2] = {0};
	struct why why = {0};

	add_and_defer(b, f, "a", &told[0]);
	add(b, f, "b");
	WHY(&why, STORE_IO, "", "a write failed");
	assert_int_equal(batch_leave(b, false, &why), OK);
	assert_int_equal(told[0].times, 0); /* told at the flush, not within another's request */
	assert_int_equal(batch_waiting(b), 1);
	add_and_defer(b, f, "c", &told[1]);
	batch_flush(b);
	assert_int_equal(told[0].err, ERR_STORE);
	assert_int_equal(told[0].code, CODE_STORE_IO);
	assert_int_equal(told[1].err, OK);
	assert_false(has(f, "a") || has(f, "b"));
	assert_true(has(f, "c"));
	batch_free(b);
}

static void an_answer_without_writes_needs_no_commit(void **state)
{
	struct faulty_store *f = *state;
	struct batch *b = batch_new(&f->store);
	struct told told = {0};
	struct why why = {0};

	assert_int_equal(batch_defer(b, on_done, &told, &why), OK);
	batch_flush(b);
	assert_int_equal(told.err, OK);
	assert_int_equal(faults.commits, 0);
	batch_free(b);
}

static void when_no_transaction_opens_the_request_is_told(void **state)
{
	struct faulty_store *f = *state;
	struct batch *b = batch_new(&f->store);
	struct told told = {0};
	struct why why = {0};

	faults.begin_fails = true;
	assert_int_equal(batch_enter(b, &why), ERR_STORE);
	assert_int_equal(why.code, CODE_STORE_BUSY);
	batch_flush(b);
	faults.begin_fails = false;
	add_and_defer(b, f, "a", &told);
	batch_flush(b);
	assert_int_equal(told.err, OK);
	batch_free(b);
}

static void enter_and_leave_come_in_pairs(void **state)
{
	struct faulty_store *f = *state;
	struct batch *b = batch_new(&f->store);
	struct why why = {0};

	assert_int_equal(batch_leave(b, true, &why), ERR_BUG);
	why_clear(&why);
	assert_int_equal(batch_enter(b, &why), OK);
	assert_int_equal(batch_enter(b, &why), ERR_BUG);
	batch_free(b);
}

static void a_full_batch_is_flushed_on_entering(void **state)
{
	struct faulty_store *f = *state;
	struct batch *b = batch_new(&f->store);
	static struct told told[BATCH_WAITING_MAX + 1];
	char id[16];

	memset(told, 0, sizeof(told));
	for (int i = 0; i < BATCH_WAITING_MAX; i++) {
		snprintf(id, sizeof(id), "e%d", i);
		add_and_defer(b, f, id, &told[i]);
	}
	assert_int_equal(told[0].times, 0);
	assert_int_equal(batch_waiting(b), BATCH_WAITING_MAX);
	add_and_defer(b, f, "one-more", &told[BATCH_WAITING_MAX]);
	assert_int_equal(told[0].times, 1);
	assert_int_equal(told[BATCH_WAITING_MAX - 1].times, 1);
	assert_int_equal(told[BATCH_WAITING_MAX].times, 0);
	assert_int_equal(batch_waiting(b), 1);
	batch_flush(b);
	assert_int_equal(told[BATCH_WAITING_MAX].err, OK);
	assert_int_equal(faults.commits, 2);
	batch_free(b);
}

static void a_request_that_defers_past_the_limit_is_refused(void **state)
{
	struct faulty_store *f = *state;
	struct batch *b = batch_new(&f->store);
	struct told told = {0};
	struct why why = {0};

	assert_int_equal(batch_enter(b, &why), OK);
	for (int i = 0; i < BATCH_WAITING_MAX; i++)
		assert_int_equal(batch_defer(b, on_done, &told, &why), OK);
	assert_int_equal(batch_defer(b, on_done, &told, &why), ERR_LIMIT);
	assert_int_equal(why.code, CODE_BATCH_FULL);
	why_clear(&why);
	assert_int_equal(batch_leave(b, true, &why), OK);
	batch_flush(b);
	assert_int_equal(told.times, BATCH_WAITING_MAX);
	batch_free(b);
}

/* A deferred call that does more work, as a client on a kept connection would. */
struct chain {
	struct batch *b;
	struct faulty_store *f;
	int left;
	bool flush;
	struct told told;
};

static void on_done_go_on(void *arg, enum err err, const struct why *why)
{
	struct chain *c = arg;
	struct why mine = {0};
	char id[16];

	on_done(&c->told, err, why);
	if (c->left-- == 0)
		return;
	snprintf(id, sizeof(id), "x%d", c->left);
	add(c->b, c->f, id);
	assert_int_equal(batch_leave(c->b, true, &mine), OK);
	assert_int_equal(batch_defer(c->b, on_done_go_on, c, &mine), OK);
	if (c->flush) {
		unsigned int before = c->told.times;
		batch_flush(c->b);
		assert_int_equal(c->told.times, before); /* the running flush tells it, no recursion */
	}
}

static void a_deferred_call_may_fill_the_next_batch(void **state)
{
	struct faulty_store *f = *state;
	struct batch *b = batch_new(&f->store);
	struct chain c = {.b = b, .f = f, .left = 2};
	struct told other = {0};
	struct why why = {0};

	add(b, f, "a");
	assert_int_equal(batch_leave(b, true, &why), OK);
	assert_int_equal(batch_defer(b, on_done_go_on, &c, &why), OK);
	add_and_defer(b, f, "b", &other);
	batch_flush(b);
	assert_int_equal(c.told.times, 1);
	assert_int_equal(other.times, 1);
	assert_int_equal(batch_waiting(b), 1);
	batch_flush(b);
	batch_flush(b);
	assert_int_equal(c.told.times, 3);
	assert_int_equal(faults.commits, 3);
	batch_free(b);
}

static void a_deferred_call_may_flush(void **state)
{
	struct faulty_store *f = *state;
	struct batch *b = batch_new(&f->store);
	struct chain c = {.b = b, .f = f, .left = 3, .flush = true};
	struct why why = {0};

	add(b, f, "a");
	assert_int_equal(batch_leave(b, true, &why), OK);
	assert_int_equal(batch_defer(b, on_done_go_on, &c, &why), OK);
	batch_flush(b);
	assert_int_equal(c.told.times, 4);
	assert_int_equal(faults.commits, 4);
	assert_true(has(f, "x0"));
	batch_free(b);
}

static void freeing_tells_those_who_wait(void **state)
{
	struct faulty_store *f = *state;
	struct batch *b = batch_new(&f->store);
	struct chain c = {.b = b, .f = f, .left = 0};
	struct told told = {0};
	struct why why = {0};

	add_and_defer(b, f, "a", &told);
	assert_int_equal(batch_defer(b, on_done_go_on, &c, &why), OK);
	batch_free(b);
	assert_int_equal(told.times, 1);
	assert_int_equal(told.err, ERR_STORE);
	assert_int_equal(told.code, CODE_BATCH_CLOSED);
	assert_false(has(f, "a"));
	batch_free(NULL);
}

static void on_done_try_again(void *arg, enum err err, const struct why *why)
{
	struct chain *c = arg;
	struct why mine = {0};

	on_done(&c->told, err, why);
	assert_int_equal(batch_enter(c->b, &mine), ERR_STORE);
	assert_int_equal(batch_defer(c->b, on_done_try_again, c, &mine), ERR_STORE);
}

static void a_batch_that_is_being_freed_takes_nothing_new(void **state)
{
	struct faulty_store *f = *state;
	struct batch *b = batch_new(&f->store);
	struct chain c = {.b = b, .f = f};
	struct why why = {0};

	assert_int_equal(batch_defer(b, on_done_try_again, &c, &why), OK);
	batch_free(b);
	assert_int_equal(c.told.times, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_wait_for_one_shared_commit),
		TEST(a_request_that_is_not_kept_leaves_no_trace),
		TEST(when_the_commit_fails_all_are_told_and_nothing_stays),
		TEST(when_the_store_loses_the_transaction_those_before_are_told),
		TEST(an_answer_without_writes_needs_no_commit),
		TEST(when_no_transaction_opens_the_request_is_told),
		TEST(enter_and_leave_come_in_pairs),
		TEST(a_full_batch_is_flushed_on_entering),
		TEST(a_request_that_defers_past_the_limit_is_refused),
		TEST(a_deferred_call_may_fill_the_next_batch),
		TEST(a_deferred_call_may_flush),
		TEST(freeing_tells_those_who_wait),
		TEST(a_batch_that_is_being_freed_takes_nothing_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
