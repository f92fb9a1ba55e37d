#include "net/loop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct scene {
	struct loop *l;
	char seen[64];
	int pipes[2][2];
	struct loop_task tasks[2];
	struct loop_timer *timer;
	struct loop_watch *watch;
	int left;
};

static void note(struct scene *s, const char *what)
{
	strncat(s->seen, what, sizeof(s->seen) - strlen(s->seen) - 1);
}

static void turn_end(void *arg)
{
	note(arg, "T");
}

static void task_a(void *arg)
{
	note(arg, "a");
}

static void stop(void *arg)
{
	struct scene *s = arg;

	note(s, "s");
	loop_stop(s->l);
}

static void readable(void *arg, int ready)
{
	struct scene *s = arg;

	assert_int_equal(ready, LOOP_READ);
	note(s, "r");
	loop_task_arm(s->l, &s->tasks[0]);
	char byte;
	/* Called once for each pipe; each call takes one byte away, whichever pipe it is. */
	if (read(s->pipes[s->left][0], &byte, 1) == 1)
		s->left++;
}

static void scene_init(struct scene *s)
{
	struct why why = {0};

	memset(s, 0, sizeof(*s));
	assert_int_equal(loop_new(&s->l, &why), OK);
}

static void everything_ready_is_handled_before_the_turn_ends(void **state)
{
	struct scene s;
	struct why why = {0};
	struct loop_watch *w[2];

	scene_init(&s);
	s.tasks[0] = (struct loop_task){.fn = task_a, .arg = &s};
	s.tasks[1] = (struct loop_task){.fn = stop, .arg = &s};
	assert_int_equal(loop_after_turn(s.l, turn_end, &s, &why), OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe(s.pipes[i]), 0);
		assert_int_equal(write(s.pipes[i][1], "x", 1), 1);
		assert_int_equal(loop_watch_new(s.l, s.pipes[i][0], LOOP_READ, readable, &s, &w[i], &why), OK);
	}
	assert_int_equal(loop_timer_new(s.l, stop, &s, &s.timer, &why), OK);
	loop_timer_set(s.timer, 30);
	loop_run(s.l);
	assert_string_equal(s.seen, "rrTaTsT");
	for (int i = 0; i < 2; i++) {
		loop_watch_free(w[i]);
		close(s.pipes[i][0]);
		close(s.pipes[i][1]);
	}
	loop_timer_free(s.timer);
	loop_free(s.l);
}

/* A channel that is always readable must not keep the commit from happening. */
static void keep_busy(void *arg, int ready)
{
	struct scene *s = arg;

	note(s, "r");
	if (--s->left == 0)
		loop_stop(s->l);
}

static void a_busy_descriptor_cannot_starve_the_end_of_the_turn(void **state)
{
	struct scene s;
	struct why why = {0};

	scene_init(&s);
	s.left = 3;
	assert_int_equal(loop_after_turn(s.l, turn_end, &s, &why), OK);
	assert_int_equal(pipe(s.pipes[0]), 0);
	assert_int_equal(write(s.pipes[0][1], "x", 1), 1);
	assert_int_equal(loop_watch_new(s.l, s.pipes[0][0], LOOP_READ, keep_busy, &s, &s.watch, &why), OK);
	loop_run(s.l);
	assert_string_equal(s.seen, "rTrTrT");
	loop_watch_free(s.watch);
	close(s.pipes[0][0]);
	close(s.pipes[0][1]);
	loop_free(s.l);
}

static void again(void *arg)
{
	struct scene *s = arg;

	note(s, "g");
	if (--s->left > 0)
		loop_task_arm(s->l, &s->tasks[0]);
	else
		loop_stop(s->l);
}

static void a_task_armed_by_itself_runs_in_the_next_turn_without_waiting(void **state)
{
	struct scene s;

	scene_init(&s);
	s.left = 3;
	s.tasks[0] = (struct loop_task){.fn = again, .arg = &s};
	loop_task_arm(s.l, &s.tasks[0]);
	loop_task_arm(s.l, &s.tasks[0]); /* twice armed is armed once */
	loop_run(s.l);
	assert_string_equal(s.seen, "ggg");
	loop_free(s.l);
}

static void a_disarmed_task_does_not_run(void **state)
{
	struct scene s;

	scene_init(&s);
	s.tasks[0] = (struct loop_task){.fn = task_a, .arg = &s};
	s.tasks[1] = (struct loop_task){.fn = stop, .arg = &s};
	loop_task_arm(s.l, &s.tasks[1]);
	loop_task_arm(s.l, &s.tasks[0]);
	loop_task_disarm(s.l, &s.tasks[0]);
	loop_task_disarm(s.l, &s.tasks[0]);
	loop_run(s.l);
	assert_string_equal(s.seen, "s");
	loop_free(s.l);
}

static void only_one_function_may_end_turns(void **state)
{
	struct scene s;
	struct why why = {0};

	scene_init(&s);
	assert_int_equal(loop_after_turn(s.l, turn_end, &s, &why), OK);
	assert_int_equal(loop_after_turn(s.l, turn_end, &s, &why), ERR_BUG);
	loop_free(s.l);
}

static void a_signal_reaches_its_function(void **state)
{
	struct scene s;
	struct why why = {0};

	scene_init(&s);
	assert_int_equal(loop_on_signal(s.l, SIGUSR1, stop, &s, &why), OK);
	assert_int_equal(raise(SIGUSR1), 0);
	loop_run(s.l);
	assert_string_equal(s.seen, "s");
	loop_free(s.l);
}

static void write_interest_comes_and_goes(void *arg, int ready)
{
	struct scene *s = arg;

	note(s, ready == LOOP_WRITE ? "w" : "?");
	loop_watch_set(s->watch, 0);
	loop_timer_set(s->timer, 1);
}

static void a_watch_without_interest_is_silent(void **state)
{
	struct scene s;
	struct why why = {0};

	scene_init(&s);
	assert_int_equal(pipe(s.pipes[0]), 0);
	assert_int_equal(loop_timer_new(s.l, stop, &s, &s.timer, &why), OK);
	assert_int_equal(
		loop_watch_new(s.l, s.pipes[0][1], 0, write_interest_comes_and_goes, &s, &s.watch, &why), OK);
	loop_watch_set(s.watch, LOOP_WRITE);
	loop_run(s.l);
	assert_string_equal(s.seen, "ws");
	loop_watch_free(s.watch);
	loop_timer_free(s.timer);
	close(s.pipes[0][0]);
	close(s.pipes[0][1]);
	loop_free(s.l);
}

static void a_descriptor_that_is_none_is_refused(void **state)
{
	struct scene s;
	struct why why = {0};

	scene_init(&s);
	assert_int_equal(loop_watch_new(s.l, 9999, LOOP_READ, keep_busy, &s, &s.watch, &why), ERR_SYSTEM);
	loop_free(s.l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_ready_is_handled_before_the_turn_ends),
		cmocka_unit_test(a_busy_descriptor_cannot_starve_the_end_of_the_turn),
		cmocka_unit_test(a_task_armed_by_itself_runs_in_the_next_turn_without_waiting),
		cmocka_unit_test(a_disarmed_task_does_not_run),
		cmocka_unit_test(only_one_function_may_end_turns),
		cmocka_unit_test(a_signal_reaches_its_function),
		cmocka_unit_test(a_watch_without_interest_is_silent),
		cmocka_unit_test(a_descriptor_that_is_none_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
