/* SPDX-License-Identifier: MIT */
/* runtime_misuse.c - what the caller could have known is wrong ends the process with one sentence.
 *
 * Each case runs in a child process, which ends with 0 where the library lets the misuse pass.
 */
#include "support.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sennit_runtime *new_runtime(unsigned workers)
{
	struct sennit_runtime_options options = { .size = sizeof options,
		                                  .workers = workers,
		                                  .pin = SENNIT_PIN_NONE };
	struct sennit_runtime *runtime;

	if (sennit_runtime_create(&options, &runtime))
		_exit(100);
	if (workers && sennit_runtime_start(runtime))
		_exit(101);
	return runtime;
}

static void on_nothing(struct sennit_task *task, int error)
{
	(void)task;
	(void)error;
}

/* --- tasks ------------------------------------------------------------------------------------ */

static void post_twice(void *argument)
{
	struct sennit_runtime *runtime = new_runtime(0);
	struct sennit_task task = { 0 };

	(void)argument;
	sennit_post(sennit_runtime_executor(runtime), &task, on_nothing);
	sennit_post(sennit_runtime_worker(runtime, 0), &task, on_nothing);
}

static void dispatch_what_is_posted(void *argument)
{
	struct sennit_runtime *runtime = new_runtime(0);
	struct sennit_task task = { 0 };

	(void)argument;
	sennit_post(sennit_runtime_worker(runtime, 0), &task, on_nothing);
	sennit_dispatch(sennit_runtime_worker(runtime, 0), &task, on_nothing);
}

static struct sennit_task victim;

static void on_post_twice(struct sennit_task *task, int error)
{
	struct sennit_executor *executor = sennit_runtime_executor(sennit_runtime_current());

	(void)task;
	(void)error;
	sennit_post(executor, &victim, on_nothing);
	sennit_post(executor, &victim, on_nothing);
}

static void on_dispatch_posted(struct sennit_task *task, int error)
{
	struct sennit_executor *executor = sennit_runtime_executor(sennit_runtime_current());

	(void)task;
	(void)error;
	sennit_post(executor, &victim, on_nothing);
	/* It would run inline, with its post still to come. */
	sennit_dispatch(executor, &victim, on_nothing);
}

static void run_the_function(void *argument)
{
	struct sennit_runtime *runtime = new_runtime(0);
	struct sennit_task task = { 0 };
	sennit_function **function = argument;

	sennit_post(sennit_runtime_executor(runtime), &task, *function);
	sennit_runtime_run(runtime);
}

static void posting_a_task_that_is_posted_is_misuse(void **state)
{
	sennit_function *functions[] = { on_post_twice, on_dispatch_posted };

	(void)state;
	assert_misuse(post_twice, NULL, "sennit_post");
	assert_misuse(dispatch_what_is_posted, NULL, "sennit_dispatch");
	assert_misuse(run_the_function, &functions[0], "sennit_post");
	assert_misuse(run_the_function, &functions[1], "sennit_dispatch");
}

/* The other side: a task may be posted again in its own function, and after it. */
static void on_again(struct sennit_task *task, int error)
{
	static int left = 3;

	(void)error;
	if (left--)
		sennit_post(sennit_runtime_executor(sennit_runtime_current()), task, on_again);
}

static void a_task_may_be_posted_again_from_its_function_on(void **state)
{
	sennit_function *function = on_again;
	struct child child;

	(void)state;
	in_child(&child, run_the_function, &function);
	assert_int_equal(child.status, 0);
	assert_string_equal(child.text, "");
}

/* --- running ---------------------------------------------------------------------------------- */

typedef int64_t run_form(struct sennit_runtime *runtime);

static run_form *inner_form;

static void on_run_inside(struct sennit_task *task, int error)
{
	(void)task;
	(void)error;
	inner_form(sennit_runtime_current());
}

static struct sennit_runtime *outermost;

static void on_run_outermost(struct sennit_task *task, int error)
{
	(void)task;
	(void)error;
	inner_form(outermost);
}

/* Runs a second runtime, in which somebody runs the first. */
static void on_run_another(struct sennit_task *task, int error)
{
	struct sennit_runtime *between = new_runtime(0);
	struct sennit_task inner = { 0 };

	(void)task;
	(void)error;
	outermost = sennit_runtime_current();
	sennit_post(sennit_runtime_executor(between), &inner, on_run_outermost);
	sennit_runtime_run(between);
}

static void running_inside_a_handler_of_the_same_runtime_is_misuse(void **state)
{
	static const struct {
		run_form *form;
		const char *name;
	} forms[] = {
		{ sennit_runtime_run, "sennit_runtime_run:" },
		{ sennit_runtime_run_one, "sennit_runtime_run_one:" },
		{ sennit_runtime_poll, "sennit_runtime_poll:" },
		{ sennit_runtime_poll_one, "sennit_runtime_poll_one:" },
	};
	sennit_function *directly = on_run_inside, *indirectly = on_run_another;

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(forms); i++) {
		inner_form = forms[i].form;
		assert_misuse(run_the_function, &directly, forms[i].name);
		assert_misuse(run_the_function, &indirectly, forms[i].name);
	}
}

static void stop_a_started_one(void *argument)
{
	(void)argument;
	sennit_runtime_stop(new_runtime(1));
}

static void stopping_a_started_runtime_is_misuse(void **state)
{
	(void)state;
	assert_misuse(stop_a_started_one, NULL, "sennit_runtime_stop");
}

static void put_a_guard_too_many(void *argument)
{
	struct sennit_runtime *runtime = new_runtime(*(unsigned *)argument);

	sennit_runtime_guard_get(runtime);
	sennit_runtime_guard_put(runtime);
	if (*(unsigned *)argument)
		sennit_runtime_join(runtime);
	sennit_runtime_guard_put(runtime);
}

static void giving_back_more_guards_than_were_taken_is_misuse(void **state)
{
	unsigned workers;

	(void)state;
	for (workers = 0; workers < 3; workers++)
		assert_misuse(put_a_guard_too_many, &workers, "sennit_runtime_guard_put");
}

static void ask_for_a_worker(void *argument)
{
	sennit_runtime_worker(new_runtime(2), *(unsigned *)argument);
}

static void a_worker_that_is_not_there_is_misuse(void **state)
{
	unsigned numbers[] = { 2, 3, 1024, UINT_MAX };
	unsigned last = 1;
	struct child child;

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(numbers); i++)
		assert_misuse(ask_for_a_worker, &numbers[i], "sennit_runtime_worker");
	in_child(&child, ask_for_a_worker, &last);
	assert_int_equal(child.status, 0);
}

/* --- destroying ------------------------------------------------------------------------------- */

static void on_for_ever(struct sennit_task *task, int error)
{
	(void)error;
	sennit_post(sennit_runtime_executor(sennit_runtime_current()), task, on_for_ever);
}

static unsigned repeats;

static void on_repeat(struct sennit_task *task, int error)
{
	(void)error;
	if (repeats--)
		sennit_post(sennit_runtime_executor(sennit_runtime_current()), task, on_repeat);
}

static sennit_function *destroyed_function;

static void destroy_with_the_function(void *argument)
{
	struct sennit_runtime *runtime = new_runtime(*(unsigned *)argument);
	struct sennit_task task = { 0 };

	repeats = 900;
	sennit_post(sennit_runtime_executor(runtime), &task, destroyed_function);
	if (sennit_runtime_destroy(runtime))
		_exit(102);
}

static void a_handler_that_never_stops_starting_work_is_misuse_in_destroy(void **state)
{
	struct child child;

	(void)state;
	for (unsigned workers = 0; workers < 3; workers++) {
		destroyed_function = on_for_ever;
		assert_misuse(destroy_with_the_function, &workers, "sennit_runtime_destroy");
		/* 900 rounds are not yet too many. */
		destroyed_function = on_repeat;
		in_child(&child, destroy_with_the_function, &workers);
		assert_int_equal(child.status, 0);
		assert_string_equal(child.text, "");
	}
}

/* --- fork ------------------------------------------------------------------------------------- */

static void post_to_whole(void *argument)
{
	static struct sennit_task task;

	sennit_post(sennit_runtime_executor(argument), &task, on_nothing);
}

static void post_to_worker(void *argument)
{
	static struct sennit_task task;

	sennit_post(sennit_runtime_worker(argument, 0), &task, on_nothing);
}

static void dispatch_to_whole(void *argument)
{
	static struct sennit_task task;

	sennit_dispatch(sennit_runtime_executor(argument), &task, on_nothing);
}

static void dispatch_to_worker(void *argument)
{
	static struct sennit_task task;

	sennit_dispatch(sennit_runtime_worker(argument, 0), &task, on_nothing);
}

static void run_here(void *argument)
{
	sennit_runtime_run(argument);
}

static void start_here(void *argument)
{
	sennit_runtime_start(argument);
}

static void use_in_child(struct sennit_runtime *runtime)
{
	assert_misuse(post_to_whole, runtime, "fork");
	assert_misuse(post_to_worker, runtime, "fork");
	assert_misuse(dispatch_to_whole, runtime, "fork");
	assert_misuse(dispatch_to_worker, runtime, "fork");
	assert_misuse(run_here, runtime, "fork");
	assert_misuse(start_here, runtime, "fork");
}

static void a_forked_child_that_uses_its_parents_runtime_is_misuse(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();

	(void)state;
	use_in_child(runtime);
	assert_int_equal(sennit_runtime_run(runtime), 0);
	use_in_child(runtime);
	end_runtime(runtime);
	runtime = started_runtime(2);
	use_in_child(runtime);
	/* The parent's is none the worse. */
	assert_int_equal(sennit_runtime_join(runtime), 0);
	end_runtime(runtime);
}

static void live_in_child(void *argument)
{
	struct sennit_runtime *runtime = new_runtime(0);
	struct sennit_task task = { 0 };

	(void)argument;
	sennit_post(sennit_runtime_executor(runtime), &task, on_nothing);
	if (sennit_runtime_run(runtime) != 1 || sennit_runtime_destroy(runtime))
		_exit(103);
}

static void a_forked_child_may_have_a_runtime_of_its_own(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct child child;

	(void)state;
	assert_int_equal(sennit_runtime_run(runtime), 0);
	in_child(&child, live_in_child, NULL);
	assert_int_equal(child.status, 0);
	assert_string_equal(child.text, "");
	end_runtime(runtime);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(posting_a_task_that_is_posted_is_misuse),
		TEST(a_task_may_be_posted_again_from_its_function_on),
		TEST(running_inside_a_handler_of_the_same_runtime_is_misuse),
		TEST(stopping_a_started_runtime_is_misuse),
		TEST(giving_back_more_guards_than_were_taken_is_misuse),
		TEST(a_worker_that_is_not_there_is_misuse),
		TEST(a_handler_that_never_stops_starting_work_is_misuse_in_destroy),
		TEST(a_forked_child_that_uses_its_parents_runtime_is_misuse),
		TEST(a_forked_child_may_have_a_runtime_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
