/* SPDX-License-Identifier: MIT */
/* scheduler.c - the cases about running, stopping and the two kinds of runtime, with one worker.
 *
 * Each test begins with the number of its case, or of the rule where there is no case. A driven
 * runtime is tried with both of its executors: the runtime's and its worker's.
 */
#include "support.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

/* A task that counts its calls, and what its calls may need. */
struct counter {
	struct sennit_task task;
	struct sennit_executor *executor;
	struct sennit_runtime *runtime;
	struct counter *then; /* posted by on_counted_then */
	struct latch *latch;
	unsigned calls;
	unsigned depth;
	unsigned left;
};

static void on_counted(struct sennit_task *task, int error)
{
	struct counter *counter = CONTAINER_OF(task, struct counter, task);

	RECORD(error == 0);
	counter->calls++;
	if (counter->latch)
		latch_down(counter->latch);
}

/* Runs the scenario on a driven runtime with each of its executors. */
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

/* --- running ---------------------------------------------------------------------------------- */

static void post_one(struct sennit_runtime *runtime, struct sennit_executor *executor)
{
	struct counter counter = { 0 };

	sennit_post(executor, &counter.task, on_counted);
	assert_int_equal(counter.calls, 0);
	assert_false(sennit_runtime_stopped(runtime));
	assert_int_equal(sennit_runtime_run(runtime), 1);
	assert_int_equal(counter.calls, 1);
	assert_true(sennit_runtime_stopped(runtime));
}

static void C001_a_posted_function_runs_once_in_run(void **state)
{
	(void)state;
	on_each_executor(post_one);
}

static void post_five_after_restart(struct sennit_runtime *runtime,
                                    struct sennit_executor *executor)
{
	struct counter counters[5] = { 0 };

	assert_int_equal(sennit_runtime_run(runtime), 0);
	assert_true(sennit_runtime_stopped(runtime));
	sennit_runtime_restart(runtime);
	assert_false(sennit_runtime_stopped(runtime));
	for (unsigned i = 0; i < 5; i++)
		sennit_post(executor, &counters[i].task, on_counted);
	assert_int_equal(sennit_runtime_run(runtime), 5);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(counters[i].calls, 1);
}

static void C002_five_functions_posted_after_restart_run(void **state)
{
	(void)state;
	on_each_executor(post_five_after_restart);
}

static void on_stop(struct sennit_task *task, int error)
{
	struct counter *counter = CONTAINER_OF(task, struct counter, task);

	RECORD(error == 0);
	counter->calls++;
	sennit_runtime_stop(counter->runtime);
}

static void stop_in_function(struct sennit_runtime *runtime, struct sennit_executor *executor)
{
	struct counter stopper = { .runtime = runtime }, behind = { 0 }, later = { 0 };

	sennit_runtime_guard_get(runtime);
	sennit_post(executor, &stopper.task, on_stop);
	sennit_post(executor, &behind.task, on_counted);
	assert_int_equal(sennit_runtime_run(runtime), 1);
	assert_int_equal(stopper.calls, 1);
	assert_true(sennit_runtime_stopped(runtime));
	sennit_post(executor, &later.task, on_counted);
	assert_int_equal(sennit_runtime_run(runtime), 0);
	assert_int_equal(sennit_runtime_run_one(runtime), 0);
	assert_int_equal(sennit_runtime_poll(runtime), 0);
	assert_int_equal(sennit_runtime_poll_one(runtime), 0);
	assert_int_equal(behind.calls + later.calls, 0);

	sennit_runtime_guard_put(runtime);
	sennit_runtime_restart(runtime);
	assert_int_equal(sennit_runtime_run(runtime), 2);
	assert_int_equal(behind.calls, 1);
	assert_int_equal(later.calls, 1);
	assert_int_equal(stopper.calls, 1);
}

static void C003_what_is_posted_after_stop_waits_for_restart(void **state)
{
	(void)state;
	on_each_executor(stop_in_function);
}

/* A thread that does something to a runtime once another thread sleeps, in run if all is well. */
struct meddler {
	struct sennit_runtime *runtime;
	struct sennit_executor *executor;
	struct counter counter;
	pid_t runner;
};

static void *put_guard(void *argument)
{
	struct meddler *meddler = argument;

	wait_until_asleep(meddler->runner);
	sennit_runtime_guard_put(meddler->runtime);
	return NULL;
}

static void C004_giving_back_the_last_guard_ends_a_blocked_run(void **state)
{
	struct meddler meddler = { .runtime = driven_runtime(), .runner = gettid() };
	pthread_t thread;

	(void)state;
	sennit_runtime_guard_get(meddler.runtime);
	thread = spawn(put_guard, &meddler);
	assert_int_equal(sennit_runtime_run(meddler.runtime), 0);
	assert_true(sennit_runtime_stopped(meddler.runtime));
	join(thread);
	end_runtime(meddler.runtime);
}

static void on_post_itself(struct sennit_task *task, int error)
{
	struct counter *counter = CONTAINER_OF(task, struct counter, task);
	unsigned left;

	RECORD(error == 0);
	RECORD(counter->depth == 0);
	counter->depth++;
	counter->calls++;
	if (counter->left) {
		left = --counter->left;
		sennit_post(counter->executor, task, on_post_itself);
		RECORD(counter->left == left);
	}
	counter->depth--;
}

static void post_itself_ten_times(struct sennit_runtime *runtime, struct sennit_executor *executor)
{
	struct counter counter = { .executor = executor, .left = 10 };

	sennit_post(executor, &counter.task, on_post_itself);
	assert_int_equal(counter.left, 10);
	assert_int_equal(sennit_runtime_run(runtime), 11);
	assert_int_equal(counter.left, 0);
	assert_int_equal(counter.calls, 11);
}

static void C005_a_function_that_posts_itself_never_nests(void **state)
{
	(void)state;
	on_each_executor(post_itself_ten_times);
}

static void on_dispatch_itself(struct sennit_task *task, int error)
{
	struct counter *counter = CONTAINER_OF(task, struct counter, task);
	unsigned calls = ++counter->calls;

	RECORD(error == 0);
	RECORD(sennit_executor_runs_here(counter->executor));
	if (counter->left) {
		unsigned left = --counter->left;

		sennit_dispatch(counter->executor, task, on_dispatch_itself);
		RECORD(counter->left == 0);
		RECORD(counter->calls == calls + left + 1);
	}
}

static void dispatch_itself_ten_times(struct sennit_runtime *runtime,
                                      struct sennit_executor *executor)
{
	struct counter counter = { .executor = executor, .left = 10 };

	sennit_post(executor, &counter.task, on_dispatch_itself);
	assert_int_equal(counter.calls, 0);
	assert_true(sennit_runtime_run(runtime) >= 1);
	assert_int_equal(counter.left, 0);
	assert_int_equal(counter.calls, 11);
}

static void C006_a_dispatch_inside_completes_before_its_caller_goes_on(void **state)
{
	(void)state;
	on_each_executor(dispatch_itself_ten_times);
}

static void dispatch_outside(struct sennit_runtime *runtime, struct sennit_executor *executor)
{
	struct counter counter = { 0 };

	assert_false(sennit_executor_runs_here(executor));
	sennit_dispatch(executor, &counter.task, on_counted);
	assert_int_equal(counter.calls, 0);
	assert_int_equal(sennit_runtime_run(runtime), 1);
	assert_int_equal(counter.calls, 1);
}

static void C007_a_dispatch_from_outside_runs_nothing_until_run(void **state)
{
	(void)state;
	on_each_executor(dispatch_outside);
}

static void on_dispatch_then(struct sennit_task *task, int error)
{
	struct counter *counter = CONTAINER_OF(task, struct counter, task);

	RECORD(error == 0);
	counter->calls++;
	RECORD(!sennit_executor_runs_here(counter->then->executor));
	sennit_dispatch(counter->then->executor, &counter->then->task, on_counted);
	RECORD(counter->then->calls == 0);
}

static void C009_a_dispatch_to_another_runtime_waits_until_that_one_runs(void **state)
{
	struct sennit_runtime *first = driven_runtime(), *second = driven_runtime();

	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		struct counter target = { .executor = kind ? sennit_runtime_worker(second, 0)
			                                   : sennit_runtime_executor(second) };
		struct counter counter = { .then = &target };

		sennit_dispatch(sennit_runtime_executor(first), &counter.task, on_dispatch_then);
		assert_int_equal(run_dry(first), 1);
		assert_int_equal(counter.calls, 1);
		assert_int_equal(target.calls, 0);
		assert_int_equal(run_dry(second), 1);
		assert_int_equal(target.calls, 1);
	}
	end_runtime(first);
	end_runtime(second);
}

static void on_put_guard(struct sennit_task *task, int error)
{
	struct counter *counter = CONTAINER_OF(task, struct counter, task);

	RECORD(error == 0);
	counter->calls++;
	sennit_runtime_guard_put(counter->runtime);
}

static void *post_to_sleeper(void *argument)
{
	struct meddler *meddler = argument;

	wait_until_asleep(meddler->runner);
	sennit_post(meddler->executor, &meddler->counter.task, on_put_guard);
	return NULL;
}

static void post_from_another_thread(struct sennit_runtime *runtime,
                                     struct sennit_executor *executor)
{
	struct meddler meddler = { .runtime = runtime,
		                   .executor = executor,
		                   .counter.runtime = runtime,
		                   .runner = gettid() };
	pthread_t thread;

	sennit_runtime_guard_get(runtime);
	thread = spawn(post_to_sleeper, &meddler);
	assert_int_equal(sennit_runtime_run(runtime), 1);
	assert_int_equal(meddler.counter.calls, 1);
	join(thread);
}

static void C013_a_post_from_another_thread_wakes_a_blocked_run(void **state)
{
	(void)state;
	on_each_executor(post_from_another_thread);
}

static void *stop_sleeper(void *argument)
{
	struct meddler *meddler = argument;

	wait_until_asleep(meddler->runner);
	sennit_runtime_stop(meddler->runtime);
	return NULL;
}

static void C014_stop_ends_a_blocked_run(void **state)
{
	int64_t (*const forms[])(struct sennit_runtime *) = { sennit_runtime_run,
		                                              sennit_runtime_run_one };

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(forms); i++) {
		struct meddler meddler = { .runtime = driven_runtime(), .runner = gettid() };
		pthread_t thread;

		sennit_runtime_guard_get(meddler.runtime);
		thread = spawn(stop_sleeper, &meddler);
		assert_int_equal(forms[i](meddler.runtime), 0);
		assert_true(sennit_runtime_stopped(meddler.runtime));
		join(thread);
		sennit_runtime_guard_put(meddler.runtime);
		end_runtime(meddler.runtime);
	}
}

static void C016_poll_with_a_pending_read_neither_blocks_nor_stops(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct sennit_descriptor first = { 0 }, second = { 0 };
	struct sennit_op op = { 0 };
	struct result result;
	char byte;

	(void)state;
	assert_int_equal(sennit_descriptor_pair(&first, &second, sennit_runtime_executor(runtime)),
	                 0);
	expect_result(&op, &result, sennit_runtime_executor(runtime));
	sennit_async_read_some(&first.stream, &byte, 1, &op, on_result);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sennit_runtime_poll(runtime), 0);
		assert_int_equal(sennit_runtime_poll_one(runtime), 0);
		assert_false(sennit_runtime_stopped(runtime));
	}
	assert_int_equal(result.calls, 0);
	sennit_close(&first.stream);
	sennit_close(&second.stream);
	assert_int_equal(sennit_runtime_run(runtime), 1);
	assert_int_equal(result.calls, 1);
	assert_int_equal(result.error, -ECANCELED);
	end_runtime(runtime);
}

static void G2_run_without_work_returns_0_and_stops(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct counter counter = { 0 };

	(void)state;
	assert_int_equal(sennit_runtime_run(runtime), 0);
	assert_true(sennit_runtime_stopped(runtime));
	sennit_post(sennit_runtime_executor(runtime), &counter.task, on_counted);
	assert_int_equal(sennit_runtime_run(runtime), 0);
	assert_int_equal(counter.calls, 0);
	sennit_runtime_restart(runtime);
	assert_int_equal(sennit_runtime_run(runtime), 1);
	assert_int_equal(counter.calls, 1);
	end_runtime(runtime);
}

static void G2_poll_that_finds_no_work_stops_and_under_a_guard_does_not(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct counter counter = { 0 };

	(void)state;
	sennit_runtime_guard_get(runtime);
	assert_int_equal(sennit_runtime_poll(runtime), 0);
	assert_false(sennit_runtime_stopped(runtime));
	sennit_post(sennit_runtime_executor(runtime), &counter.task, on_counted);
	assert_int_equal(sennit_runtime_poll(runtime), 1);
	assert_false(sennit_runtime_stopped(runtime));
	sennit_runtime_guard_put(runtime);
	assert_int_equal(sennit_runtime_poll(runtime), 0);
	assert_true(sennit_runtime_stopped(runtime));
	end_runtime(runtime);
}

static void G1_run_one_and_poll_one_run_one_function_at_a_time_in_order(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct counter counters[4] = { 0 };

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(counters); i++)
		sennit_post(sennit_runtime_worker(runtime, 0), &counters[i].task, on_counted);
	for (unsigned i = 0; i < COUNT_OF(counters); i++) {
		assert_int_equal(counters[i].calls, 0);
		assert_int_equal(
		    i % 2 ? sennit_runtime_poll_one(runtime) : sennit_runtime_run_one(runtime), 1);
		assert_int_equal(counters[i].calls, 1);
	}
	assert_int_equal(sennit_runtime_run_one(runtime), 0);
	assert_true(sennit_runtime_stopped(runtime));
	end_runtime(runtime);
}

/* --- a pool of one thread --------------------------------------------------------------------- */

static void C021_a_pool_of_one_runs_plain_posting_and_dispatching_functions(void **state)
{
	struct sennit_runtime *runtime = started_runtime(1);

	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		struct sennit_executor *executor =
		    kind ? sennit_runtime_worker(runtime, 0) : sennit_runtime_executor(runtime);
		struct counter plain[3] = { 0 };
		struct counter posting = { .executor = executor, .left = 10 };
		struct counter dispatching = { .executor = executor, .left = 10 };

		sennit_post(executor, &posting.task, on_post_itself);
		sennit_post(executor, &dispatching.task, on_dispatch_itself);
		for (unsigned i = 0; i < COUNT_OF(plain); i++)
			sennit_post(executor, &plain[i].task, on_counted);
		assert_int_equal(sennit_runtime_join(runtime), 0);
		for (unsigned i = 0; i < COUNT_OF(plain); i++)
			assert_int_equal(plain[i].calls, 1);
		assert_int_equal(posting.calls, 11);
		assert_int_equal(dispatching.calls, 11);
	}
	end_runtime(runtime);
}

/* A tree of tasks: each call posts two more until the depth is used up. */
struct tree {
	struct counter nodes[127];
	struct sennit_executor *executors[2];
};

static struct tree tree;

static void on_tree(struct sennit_task *task, int error)
{
	struct counter *counter = CONTAINER_OF(task, struct counter, task);
	size_t index = (size_t)(counter - tree.nodes);

	RECORD(error == 0);
	counter->calls++;
	for (size_t child = 2 * index + 1; child <= 2 * index + 2; child++) {
		if (child < COUNT_OF(tree.nodes))
			sennit_post(tree.executors[child % 2], &tree.nodes[child].task, on_tree);
	}
}

static void C022_functions_that_add_functions_are_joined_and_joined_again(void **state)
{
	(void)state;
	for (unsigned workers = 1; workers <= 4; workers++) {
		struct sennit_runtime *runtime = started_runtime(workers);

		tree =
		    (struct tree){ .executors = { sennit_runtime_executor(runtime),
			                          sennit_runtime_worker(runtime, workers - 1) } };
		sennit_post(tree.executors[0], &tree.nodes[0].task, on_tree);
		assert_int_equal(sennit_runtime_join(runtime), 0);
		for (unsigned i = 0; i < COUNT_OF(tree.nodes); i++)
			assert_int_equal(tree.nodes[i].calls, 1);
		assert_int_equal(sennit_runtime_join(runtime), 0);
		/* The threads stay: what is posted after a join runs, and can be joined. */
		sennit_post(tree.executors[1], &tree.nodes[126].task, on_tree);
		assert_int_equal(sennit_runtime_join(runtime), 0);
		assert_int_equal(tree.nodes[126].calls, 2);
		end_runtime(runtime);
	}
}

/* --- executors of handlers -------------------------------------------------------------------- */

static void C153_a_handler_runs_on_the_executor_that_it_was_bound_to(void **state)
{
	struct sennit_runtime *runtime = started_runtime(2);
	struct sennit_executor *owner = sennit_runtime_worker(runtime, 0);
	struct sennit_executor *other = sennit_runtime_worker(runtime, 1);
	struct sennit_descriptor first = { 0 }, second = { 0 };
	struct sennit_op op = { 0 };
	struct result result;
	char byte = 'x';

	(void)state;
	assert_int_equal(sennit_descriptor_pair(&first, &second, owner), 0);
	expect_result(&op, &result, owner);
	sennit_async_write(&first.stream, &byte, 1, &op, on_result);
	wait_result(&result);
	/* It stays bound over several starts, until bound otherwise. */
	sennit_op_bind_executor(&op, other);
	for (int i = 0; i < 2; i++) {
		expect_result(&op, &result, other);
		sennit_async_write(&first.stream, &byte, 1, &op, on_result);
		wait_result(&result);
		assert_int_equal(result.error, 0);
		assert_int_equal(result.bytes, 1);
	}
	sennit_op_bind_executor(&op, NULL);
	expect_result(&op, &result, owner);
	sennit_async_write(&first.stream, &byte, 1, &op, on_result);
	wait_result(&result);
	sennit_close(&first.stream);
	sennit_close(&second.stream);
	end_runtime(runtime);
}

struct drive {
	struct sennit_runtime *runtime;
	int64_t ran;
};

static void *drive(void *argument)
{
	struct drive *drive = argument;

	drive->ran = sennit_runtime_run(drive->runtime);
	return NULL;
}

/* The handler's runtime cannot run dry while the operation is in flight on another. */
static void A9_an_operation_is_work_of_the_runtime_that_its_handler_is_bound_to(void **state)
{
	struct sennit_runtime *objects = started_runtime(1);
	struct drive drive_handlers = { .runtime = driven_runtime() };
	struct sennit_executor *bound = sennit_runtime_executor(drive_handlers.runtime);
	struct sennit_descriptor first = { 0 }, second = { 0 };
	struct sennit_op read = { 0 }, write = { 0 };
	struct result read_result, write_result;
	pthread_t thread;
	char byte;

	(void)state;
	assert_int_equal(sennit_descriptor_pair(&first, &second, sennit_runtime_executor(objects)),
	                 0);
	sennit_op_bind_executor(&read, bound);
	expect_result(&read, &read_result, bound);
	sennit_async_read_some(&first.stream, &byte, 1, &read, on_result);
	thread = spawn(drive, &drive_handlers);
	expect_result(&write, &write_result, NULL);
	sennit_async_write(&second.stream, "x", 1, &write, on_result);
	wait_result(&write_result);
	join(thread);
	assert_int_equal(drive_handlers.ran, 1);
	assert_int_equal(read_result.calls, 1);
	assert_int_equal(read_result.error, 0);
	assert_int_equal(read_result.bytes, 1);
	assert_ptr_equal(read_result.runtime, drive_handlers.runtime);
	sennit_close(&first.stream);
	sennit_close(&second.stream);
	end_runtime(objects);
	end_runtime(drive_handlers.runtime);
}

struct refused {
	struct sennit_runtime *runtime;
	int error;
};

static void destroy_here(void *argument)
{
	struct refused *refused = argument;

	refused->error = sennit_runtime_destroy(refused->runtime);
}

static void S18_destroy_on_a_worker_of_any_runtime_is_refused(void **state)
{
	struct sennit_runtime *runtime = started_runtime(2), *other = driven_runtime();
	struct refused own = { .runtime = runtime }, foreign = { .runtime = other };
	struct counter counter = { 0 };

	(void)state;
	call_on(sennit_runtime_worker(runtime, 1), destroy_here, &own);
	assert_int_equal(own.error, -EDEADLK);
	call_on(sennit_runtime_worker(runtime, 1), destroy_here, &foreign);
	assert_int_equal(foreign.error, -EDEADLK);
	/* Nothing was done: both still work. */
	sennit_post(sennit_runtime_executor(other), &counter.task, on_counted);
	assert_int_equal(sennit_runtime_run(other), 1);
	sennit_post(sennit_runtime_executor(runtime), &counter.task, on_counted);
	assert_int_equal(sennit_runtime_join(runtime), 0);
	assert_int_equal(counter.calls, 2);
	end_runtime(other);
	end_runtime(runtime);
}

/* --- destroying ------------------------------------------------------------------------------- */

static void on_shutdown(struct sennit_task *task, int error)
{
	struct counter *counter = CONTAINER_OF(task, struct counter, task);

	RECORD(error == SENNIT_SHUTDOWN);
	counter->calls++;
	if (counter->left) {
		counter->left--;
		sennit_post(counter->executor, task, on_shutdown);
		RECORD(counter->left < 10);
	}
}

static void S8_destroy_runs_each_queued_function_once_with_shutdown(void **state)
{
	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		struct sennit_runtime *runtime = driven_runtime();
		struct sennit_executor *executor =
		    kind ? sennit_runtime_worker(runtime, 0) : sennit_runtime_executor(runtime);
		struct counter plain = { 0 }, again = { .executor = executor, .left = 10 };

		sennit_post(executor, &again.task, on_shutdown);
		sennit_post(executor, &plain.task, on_shutdown);
		end_runtime(runtime);
		assert_int_equal(plain.calls, 1);
		/* What a handler posts meanwhile ends likewise. */
		assert_int_equal(again.calls, 11);
	}
}

static void S8_destroy_ends_operations_in_flight_and_hands_over_finished_ones(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct sennit_executor *executor = sennit_runtime_executor(runtime);
	struct sennit_descriptor first = { 0 }, second = { 0 };
	struct sennit_op pending = { 0 }, unstarted = { 0 };
	struct result pending_result, unstarted_result;
	char byte, other_byte;

	(void)state;
	assert_int_equal(sennit_descriptor_pair(&first, &second, executor), 0);
	expect_result(&pending, &pending_result, NULL);
	sennit_async_read_some(&first.stream, &byte, 1, &pending, on_result);
	assert_int_equal(sennit_runtime_poll(runtime), 0);
	/* The second was never seen by a worker. */
	expect_result(&unstarted, &unstarted_result, NULL);
	sennit_async_read_some(&second.stream, &other_byte, 1, &unstarted, on_result);
	end_runtime(runtime);
	assert_int_equal(pending_result.calls, 1);
	assert_int_equal(pending_result.error, SENNIT_SHUTDOWN);
	assert_int_equal(pending_result.bytes, 0);
	assert_int_equal(unstarted_result.calls, 1);
	assert_int_equal(unstarted_result.error, SENNIT_SHUTDOWN);
}

enum { SLEEPERS = 4 };

static void tell_tid(void *argument)
{
	*(pid_t *)argument = gettid();
}

static void S8_destroy_wakes_each_sleeping_worker_for_what_it_holds(void **state)
{
	struct sennit_runtime *runtime = started_runtime(SLEEPERS);
	struct sennit_descriptor first[SLEEPERS] = { 0 }, second[SLEEPERS] = { 0 };
	struct sennit_op reads[SLEEPERS] = { 0 };
	struct result results[SLEEPERS];
	pid_t tids[SLEEPERS];
	char byte;

	(void)state;
	for (unsigned i = 0; i < SLEEPERS; i++) {
		struct sennit_executor *executor = sennit_runtime_worker(runtime, i);

		assert_int_equal(sennit_descriptor_pair(&first[i], &second[i], executor), 0);
		expect_result(&reads[i], &results[i], executor);
		sennit_async_read_some(&first[i].stream, &byte, 1, &reads[i], on_result);
		call_on(executor, tell_tid, &tids[i]);
	}
	for (unsigned i = 0; i < SLEEPERS; i++)
		wait_until_asleep(tids[i]);
	end_runtime(runtime);
	for (unsigned i = 0; i < SLEEPERS; i++) {
		assert_int_equal(results[i].calls, 1);
		assert_int_equal(results[i].error, SENNIT_SHUTDOWN);
		assert_int_equal(results[i].thread, tids[i]);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(C001_a_posted_function_runs_once_in_run),
		TEST(C002_five_functions_posted_after_restart_run),
		TEST(C003_what_is_posted_after_stop_waits_for_restart),
		TEST(C004_giving_back_the_last_guard_ends_a_blocked_run),
		TEST(C005_a_function_that_posts_itself_never_nests),
		TEST(C006_a_dispatch_inside_completes_before_its_caller_goes_on),
		TEST(C007_a_dispatch_from_outside_runs_nothing_until_run),
		TEST(C009_a_dispatch_to_another_runtime_waits_until_that_one_runs),
		TEST(C013_a_post_from_another_thread_wakes_a_blocked_run),
		TEST(C014_stop_ends_a_blocked_run),
		TEST(C016_poll_with_a_pending_read_neither_blocks_nor_stops),
		TEST(C021_a_pool_of_one_runs_plain_posting_and_dispatching_functions),
		TEST(C022_functions_that_add_functions_are_joined_and_joined_again),
		TEST(C153_a_handler_runs_on_the_executor_that_it_was_bound_to),
		TEST(A9_an_operation_is_work_of_the_runtime_that_its_handler_is_bound_to),
		TEST(G1_run_one_and_poll_one_run_one_function_at_a_time_in_order),
		TEST(G2_run_without_work_returns_0_and_stops),
		TEST(G2_poll_that_finds_no_work_stops_and_under_a_guard_does_not),
		TEST(S8_destroy_runs_each_queued_function_once_with_shutdown),
		TEST(S8_destroy_ends_operations_in_flight_and_hands_over_finished_ones),
		TEST(S8_destroy_wakes_each_sleeping_worker_for_what_it_holds),
		TEST(S18_destroy_on_a_worker_of_any_runtime_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
