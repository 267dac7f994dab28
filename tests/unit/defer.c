/* SPDX-License-Identifier: MIT */
/* defer.c - continuations: what is run next, and when defer is but a post. */
#include "support.h"

#include <sennit/error.h>
#include <string.h>

struct trace {
	char text[256];
	size_t length;
};

/* Notes its name, then posts and defers others, in that order. */
struct step {
	struct sennit_task task;
	struct trace *trace;
	struct sennit_executor *to;
	struct step *posts[2];
	struct step *defers[2];
	int error; /* that it is told */
	char name;
};

static void on_step(struct sennit_task *task, int error)
{
	struct step *step = CONTAINER_OF(task, struct step, task);

	RECORD(error == step->error);
	step->trace->text[step->trace->length++] = step->name;
	for (int i = 0; i < 2 && step->posts[i]; i++)
		sennit_post(step->to, &step->posts[i]->task, on_step);
	for (int i = 0; i < 2 && step->defers[i]; i++)
		sennit_defer(step->to, &step->defers[i]->task, on_step);
}

/* Steps named 'a' and on, that give others to the executor. */
static void prepare(struct step *steps, unsigned count, struct trace *trace,
                    struct sennit_executor *to)
{
	*trace = (struct trace){ .length = 0 };
	for (unsigned i = 0; i < count; i++)
		steps[i] = (struct step){ .trace = trace, .to = to, .name = (char)('a' + i) };
}

static void on_each_executor(void (*scenario)(struct sennit_runtime *, struct sennit_executor *))
{
	for (int kind = 0; kind < 2; kind++) {
		struct sennit_runtime *runtime = driven_runtime();

		scenario(runtime, kind ? sennit_runtime_worker(runtime, 0)
		                       : sennit_runtime_executor(runtime));
		end_runtime(runtime);
		recorded();
	}
}

static void before_others(struct sennit_runtime *runtime, struct sennit_executor *executor)
{
	struct trace trace;
	struct step steps[5];

	prepare(steps, 5, &trace, executor);
	steps[0].posts[0] = &steps[2];
	steps[0].defers[0] = &steps[3];
	steps[3].defers[0] = &steps[4];
	/* b waits at the worker, whichever executor the others are on, and d and e overtake it. */
	sennit_post(executor, &steps[0].task, on_step);
	sennit_post(sennit_runtime_worker(runtime, 0), &steps[1].task, on_step);
	assert_int_equal(run_dry(runtime), 5);
	assert_int_equal(trace.length, 5);
	assert_memory_equal(strchr(trace.text, 'a'), "ade", 3);
}

static void a_continuation_is_run_next(void **state)
{
	(void)state;
	on_each_executor(before_others);
}

static void one_each(struct sennit_runtime *runtime, struct sennit_executor *executor)
{
	struct trace trace;
	struct step steps[4];

	prepare(steps, 4, &trace, executor);
	steps[0].posts[0] = &steps[1];
	steps[0].defers[0] = &steps[2];
	steps[0].defers[1] = &steps[3];
	sennit_post(executor, &steps[0].task, on_step);
	assert_int_equal(run_dry(runtime), 4);
	assert_string_equal(trace.text, "acbd");
}

static void a_function_names_one_continuation_and_posts_the_second(void **state)
{
	(void)state;
	on_each_executor(one_each);
}

/* A chain that defers itself, beside one other. */
struct chain {
	struct sennit_task task;
	struct sennit_task other;
	struct sennit_executor *executor;
	unsigned left;
	unsigned ran;
	unsigned ran_before_other;
	bool other_ran;
};

static void on_chain(struct sennit_task *task, int error)
{
	struct chain *chain = CONTAINER_OF(task, struct chain, task);

	(void)error;
	chain->ran++;
	if (--chain->left)
		sennit_defer(chain->executor, task, on_chain);
}

static void on_other(struct sennit_task *task, int error)
{
	struct chain *chain = CONTAINER_OF(task, struct chain, other);

	RECORD(error == 0);
	chain->ran_before_other = chain->ran;
	chain->other_ran = true;
}

static void row_of_16(struct sennit_runtime *runtime, struct sennit_executor *executor)
{
	struct chain chain = { .executor = executor, .left = 1000 };

	sennit_post(executor, &chain.task, on_chain);
	sennit_post(executor, &chain.other, on_other);
	assert_int_equal(run_dry(runtime), 1001);
	assert_int_equal(chain.ran, 1000);
	/* The one that was posted, and 16. */
	assert_int_equal(chain.ran_before_other, 17);
}

static void after_16_continuations_in_a_row_defer_posts(void **state)
{
	(void)state;
	on_each_executor(row_of_16);
}

static void one_at_a_time(struct sennit_runtime *runtime, struct sennit_executor *executor)
{
	struct chain chain = { .executor = executor, .left = 100 };

	sennit_post(executor, &chain.task, on_chain);
	sennit_post(executor, &chain.other, on_other);
	for (unsigned i = 1; i <= 17; i++) {
		assert_int_equal(sennit_runtime_run_one(runtime), 1);
		assert_int_equal(chain.ran, i);
	}
	assert_int_equal(sennit_runtime_run_one(runtime), 1);
	assert_true(chain.other_ran);
	assert_int_equal(run_dry(runtime), 83);
}

static void a_row_goes_on_where_run_one_left_it(void **state)
{
	(void)state;
	on_each_executor(one_at_a_time);
}

static void defer_off_the_workers_is_a_post(void **state)
{
	struct sennit_runtime *runtime = driven_runtime(), *other = driven_runtime();
	struct sennit_executor *executor = sennit_runtime_worker(runtime, 0);
	struct trace trace;
	struct step steps[4];

	(void)state;
	prepare(steps, 4, &trace, executor);
	for (int i = 0; i < 3; i++)
		sennit_defer(executor, &steps[i].task, on_step);
	assert_int_equal(run_dry(runtime), 3);
	assert_string_equal(trace.text, "abc");
	/* And so on a worker of another runtime. */
	prepare(steps, 4, &trace, executor);
	steps[0].defers[0] = &steps[1];
	steps[0].defers[1] = &steps[2];
	sennit_post(sennit_runtime_worker(other, 0), &steps[0].task, on_step);
	assert_int_equal(run_dry(other), 1);
	assert_string_equal(trace.text, "a");
	assert_int_equal(run_dry(runtime), 2);
	assert_string_equal(trace.text, "abc");
	end_runtime(runtime);
	end_runtime(other);
}

static void defer_to_a_strand_is_a_post(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct sennit_strand strand;
	struct trace trace;
	struct step steps[4];

	(void)state;
	sennit_strand_init(&strand, sennit_runtime_executor(runtime));
	prepare(steps, 4, &trace, sennit_strand_executor(&strand));
	steps[0].posts[0] = &steps[1];
	steps[0].defers[0] = &steps[2];
	steps[0].defers[1] = &steps[3];
	sennit_post(sennit_strand_executor(&strand), &steps[0].task, on_step);
	assert_int_equal(run_dry(runtime), 4);
	assert_string_equal(trace.text, "abcd");
	/* What a strand's function defers to the worker runs when the strand's turn is over. */
	prepare(steps, 3, &trace, sennit_runtime_executor(runtime));
	steps[0].defers[0] = &steps[2];
	sennit_post(sennit_strand_executor(&strand), &steps[0].task, on_step);
	sennit_post(sennit_strand_executor(&strand), &steps[1].task, on_step);
	assert_int_equal(run_dry(runtime), 3);
	assert_string_equal(trace.text, "abc");
	sennit_strand_fini(&strand);
	end_runtime(runtime);
}

/* A row that the end of a turn cuts is not lost when the runtime is stopped or destroyed then. */
static void a_row_that_was_cut_ends_with_shutdown(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct chain chain = { .left = 1000 };

	(void)state;
	chain.executor = sennit_runtime_executor(runtime);
	sennit_post(chain.executor, &chain.task, on_chain);
	for (int i = 0; i < 5; i++)
		assert_int_equal(sennit_runtime_run_one(runtime), 1);
	assert_int_equal(chain.ran, 5);
	end_runtime(runtime);
	assert_int_equal(chain.ran, 1000);
}

static void on_stop(struct sennit_task *task, int error)
{
	struct chain *chain = CONTAINER_OF(task, struct chain, task);

	RECORD(error == 0);
	sennit_defer(chain->executor, &chain->other, on_other);
	sennit_runtime_stop(sennit_runtime_current());
}

static void a_continuation_waits_where_the_runtime_is_stopped(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct chain chain = { .executor = sennit_runtime_executor(runtime) };

	(void)state;
	sennit_post(chain.executor, &chain.task, on_stop);
	assert_int_equal(sennit_runtime_run(runtime), 1);
	assert_false(chain.other_ran);
	sennit_runtime_restart(runtime);
	assert_int_equal(sennit_runtime_run(runtime), 1);
	assert_true(chain.other_ran);
	end_runtime(runtime);
}

/* --- misuse ----------------------------------------------------------------------------------- */

static void on_nothing(struct sennit_task *task, int error)
{
	(void)task;
	(void)error;
}

static void defer_twice(void *argument)
{
	struct sennit_runtime *runtime;
	struct sennit_task task = { 0 };

	(void)argument;
	sennit_runtime_create(NULL, &runtime);
	sennit_defer(sennit_runtime_executor(runtime), &task, on_nothing);
	sennit_defer(sennit_runtime_executor(runtime), &task, on_nothing);
}

static void defer_inline(void *argument)
{
	struct sennit_task task = { 0 };

	(void)argument;
	sennit_defer(sennit_inline_executor(), &task, on_nothing);
}

static void post_inline(void *argument)
{
	struct sennit_task task = { 0 };

	(void)argument;
	sennit_post(sennit_inline_executor(), &task, on_nothing);
}

static void strand_over_inline(void *argument)
{
	struct sennit_strand strand;

	(void)argument;
	sennit_strand_init(&strand, sennit_inline_executor());
}

static void open_inline(void *argument)
{
	struct sennit_descriptor descriptor;

	(void)argument;
	sennit_descriptor_init(&descriptor, sennit_inline_executor());
	sennit_descriptor_assign(&descriptor, sennit_inline_executor(), 0);
}

static void misuse_is_reported(void **state)
{
	(void)state;
	assert_misuse(defer_twice, NULL, "sennit_defer: the task is posted already");
	assert_misuse(defer_inline, NULL, "inline executor takes");
	assert_misuse(post_inline, NULL, "inline executor takes");
	assert_misuse(strand_over_inline, NULL, "inner executor");
	assert_misuse(open_inline, NULL, "executor");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_continuation_is_run_next),
		TEST(a_function_names_one_continuation_and_posts_the_second),
		TEST(after_16_continuations_in_a_row_defer_posts),
		TEST(a_row_goes_on_where_run_one_left_it),
		TEST(defer_off_the_workers_is_a_post),
		TEST(defer_to_a_strand_is_a_post),
		TEST(a_row_that_was_cut_ends_with_shutdown),
		TEST(a_continuation_waits_where_the_runtime_is_stopped),
		TEST(misuse_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
