/* SPDX-License-Identifier: MIT */
/* several.c - a driven runtime of several workers, and one that lives in another loop. */
#include "support.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>

enum { WORKERS = 4 };

static struct sennit_runtime *driven(unsigned workers)
{
	struct sennit_runtime_options options = { .size = sizeof options, .workers = workers };
	struct sennit_runtime *runtime = NULL;

	assert_int_equal(sennit_runtime_create(&options, &runtime), 0);
	assert_int_equal(sennit_runtime_workers(runtime), workers);
	return runtime;
}

/* A thread that runs, and what that returned. */
struct runner {
	struct sennit_runtime *runtime;
	int64_t ran;
	pthread_t thread;
};

static void *run(void *argument)
{
	struct runner *runner = argument;

	runner->ran = sennit_runtime_run(runner->runtime);
	return NULL;
}

static void start_runners(struct runner *runners, unsigned count, struct sennit_runtime *runtime)
{
	for (unsigned i = 0; i < count; i++) {
		runners[i].runtime = runtime;
		runners[i].thread = spawn(run, &runners[i]);
	}
}

static int64_t join_runners(struct runner *runners, unsigned count)
{
	int64_t ran = 0;

	for (unsigned i = 0; i < count; i++) {
		join(runners[i].thread);
		assert_true(runners[i].ran >= 0);
		ran += runners[i].ran;
	}
	return ran;
}

/* --- handlers --------------------------------------------------------------------------------- */

/* One of a chain: posts itself until none is left. */
struct chain {
	struct sennit_task task;
	struct sennit_runtime *runtime;
	unsigned left;
	atomic_uint ran;
};

static void on_link(struct sennit_task *task, int error)
{
	struct chain *chain = CONTAINER_OF(task, struct chain, task);

	RECORD(error == 0);
	atomic_fetch_add(&chain->ran, 1);
	if (--chain->left)
		sennit_post(sennit_runtime_executor(chain->runtime), task, on_link);
}

/* All of them are inside at once before one goes on. */
struct meeting {
	struct sennit_task task[WORKERS];
	pthread_barrier_t barrier;
	atomic_uint inside;
};

static struct meeting meeting;

/* Waits for the others. */
static void on_meet(struct sennit_task *task, int error)
{
	(void)task;
	RECORD(error == 0);
	atomic_fetch_add(&meeting.inside, 1);
	pthread_barrier_wait(&meeting.barrier);
}

static void wait_for_inside(unsigned count)
{
	while (atomic_load(&meeting.inside) < count)
		sched_yield();
	atomic_store(&meeting.inside, 0);
}

/* --- several workers -------------------------------------------------------------------------- */

/* C008, with two and with four threads. */
static void chains_complete_and_all_who_run_return(void **state)
{
	(void)state;
	for (unsigned threads = 1; threads <= WORKERS; threads++) {
		struct sennit_runtime *runtime = driven(WORKERS);
		struct chain chains[2] = { { .runtime = runtime, .left = 1000 },
			                   { .runtime = runtime, .left = 1000 } };
		struct runner runners[WORKERS];

		for (unsigned i = 0; i < 2; i++)
			sennit_post(sennit_runtime_executor(runtime), &chains[i].task, on_link);
		start_runners(runners, threads, runtime);
		assert_int_equal(join_runners(runners, threads), 2000);
		assert_int_equal(atomic_load(&chains[0].ran), 1000);
		assert_int_equal(atomic_load(&chains[1].ran), 1000);
		assert_true(sennit_runtime_stopped(runtime));
		assert_int_equal(sennit_runtime_destroy(runtime), 0);
	}
}

/* Nobody is ever inside the others: that they are told of the end or of a stop does not make them
 * look as if they had something to do. */
static void one_thread_runs_a_runtime_of_several_again_and_again(void **state)
{
	struct sennit_runtime *runtime = driven(WORKERS);
	struct chain chain = { .runtime = runtime };

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		chain.left = 10;
		sennit_post(sennit_runtime_executor(runtime), &chain.task, on_link);
		assert_int_equal(sennit_runtime_run(runtime), 10);
		assert_true(sennit_runtime_stopped(runtime));
		if (i % 2)
			sennit_runtime_stop(runtime);
		sennit_runtime_restart(runtime);
	}
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
}

/* Stealing: as many as there are threads run at the same time, though one thread posted them. */
static void what_one_thread_posts_all_who_run_share(void **state)
{
	struct sennit_runtime *runtime = driven(WORKERS);
	struct sennit_task tasks[20 * WORKERS] = { 0 };
	struct runner runners[WORKERS];

	(void)state;
	pthread_barrier_init(&meeting.barrier, NULL, WORKERS);
	sennit_runtime_guard_get(runtime);
	start_runners(runners, WORKERS, runtime);
	for (unsigned i = 0; i < COUNT_OF(tasks); i++)
		sennit_post(sennit_runtime_executor(runtime), &tasks[i], on_meet);
	sennit_runtime_guard_put(runtime);
	assert_int_equal(join_runners(runners, WORKERS), COUNT_OF(tasks));
	pthread_barrier_destroy(&meeting.barrier);
	atomic_store(&meeting.inside, 0);
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
}

/* C014. */
static void stop_ends_all_runs(void **state)
{
	struct sennit_runtime *runtime = driven(WORKERS);
	struct runner runners[WORKERS];

	(void)state;
	sennit_runtime_guard_get(runtime);
	for (unsigned round = 0; round < 50; round++) {
		start_runners(runners, WORKERS, runtime);
		sennit_runtime_stop(runtime);
		assert_int_equal(join_runners(runners, WORKERS), 0);
		sennit_runtime_restart(runtime);
	}
	sennit_runtime_guard_put(runtime);
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
}

/* C004. */
static void the_last_guard_given_back_ends_all_runs(void **state)
{
	struct sennit_runtime *runtime = driven(WORKERS);
	struct runner runners[WORKERS];

	(void)state;
	for (unsigned round = 0; round < 50; round++) {
		sennit_runtime_guard_get(runtime);
		start_runners(runners, WORKERS, runtime);
		sennit_runtime_guard_put(runtime);
		assert_int_equal(join_runners(runners, WORKERS), 0);
		assert_true(sennit_runtime_stopped(runtime));
		sennit_runtime_restart(runtime);
	}
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
}

static void when_all_workers_are_taken_the_next_is_told_so(void **state)
{
	struct sennit_runtime *runtime = driven(2);
	struct runner runners[2];

	(void)state;
	pthread_barrier_init(&meeting.barrier, NULL, 3);
	for (unsigned i = 0; i < 2; i++)
		sennit_post(sennit_runtime_worker(runtime, i), &meeting.task[i], on_meet);
	sennit_runtime_guard_get(runtime);
	start_runners(runners, 2, runtime);
	wait_for_inside(2);
	assert_int_equal(sennit_runtime_poll(runtime), -EBUSY);
	assert_int_equal(sennit_runtime_prepare(runtime), -EBUSY);
	pthread_barrier_wait(&meeting.barrier);
	sennit_runtime_guard_put(runtime);
	assert_int_equal(join_runners(runners, 2), 2);
	pthread_barrier_destroy(&meeting.barrier);
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
}

static struct sennit_executor *found;

static void on_where(struct sennit_task *task, int error)
{
	struct sennit_runtime *runtime = sennit_runtime_current();

	(void)task;
	RECORD(error == 0);
	for (unsigned i = 0; i < sennit_runtime_workers(runtime); i++)
		if (sennit_executor_runs_here(sennit_runtime_worker(runtime, i)))
			found = sennit_runtime_worker(runtime, i);
}

static struct sennit_executor *where(struct sennit_runtime *runtime)
{
	struct sennit_task task = { 0 };

	found = NULL;
	sennit_post(sennit_runtime_executor(runtime), &task, on_where);
	assert_int_equal(sennit_runtime_run_one(runtime), 1);
	sennit_runtime_restart(runtime);
	return found;
}

static void a_thread_gets_the_worker_that_it_had(void **state)
{
	struct sennit_runtime *runtime = driven(WORKERS);
	struct runner runner;
	struct sennit_executor *first = sennit_runtime_worker(runtime, 0);
	struct sennit_executor *mine;

	(void)state;
	sennit_runtime_guard_get(runtime);
	pthread_barrier_init(&meeting.barrier, NULL, 2);
	sennit_post(first, &meeting.task[0], on_meet);
	start_runners(&runner, 1, runtime);
	wait_for_inside(1);
	mine = where(runtime);
	assert_ptr_equal(mine, sennit_runtime_worker(runtime, 1)); /* the first that is free */
	pthread_barrier_wait(&meeting.barrier);
	sennit_runtime_stop(runtime);
	join_runners(&runner, 1);
	sennit_runtime_restart(runtime);
	for (unsigned i = 0; i < 3; i++)
		assert_ptr_equal(where(runtime), mine);
	sennit_runtime_guard_put(runtime);
	pthread_barrier_destroy(&meeting.barrier);
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
}

/* --- destroy ---------------------------------------------------------------------------------- */

static unsigned shut_down;

static void on_shutdown(struct sennit_task *task, int error)
{
	(void)task;
	shut_down += error == SENNIT_SHUTDOWN;
}

static struct sennit_task more[WORKERS];

/* Each worker's task gives the next one something to do, the last one the first. */
static void on_pass(struct sennit_task *task, int error)
{
	unsigned index = (unsigned)(task - meeting.task);

	shut_down += error == SENNIT_SHUTDOWN;
	sennit_post(sennit_runtime_worker(sennit_runtime_current(), (index + 1) % WORKERS),
	            &more[index], on_shutdown);
}

/* Also where it was inside another runtime since: its loop may have both. */
static void a_thread_gets_the_worker_that_it_had_of_each_runtime(void **state)
{
	struct sennit_runtime *runtime = driven(WORKERS);
	struct sennit_runtime *other = driven(WORKERS);
	struct sennit_executor *mine;
	struct runner runner;
	int fd;

	(void)state;
	sennit_runtime_guard_get(runtime);
	sennit_runtime_guard_get(other);
	pthread_barrier_init(&meeting.barrier, NULL, 2);
	sennit_post(sennit_runtime_worker(runtime, 0), &meeting.task[0], on_meet);
	start_runners(&runner, 1, runtime);
	wait_for_inside(1);
	mine = where(runtime);
	assert_ptr_equal(mine, sennit_runtime_worker(runtime, 1));
	fd = sennit_runtime_fd(runtime);
	assert_ptr_equal(where(other), sennit_runtime_worker(other, 0));
	pthread_barrier_wait(&meeting.barrier);
	sennit_runtime_stop(runtime);
	join_runners(&runner, 1);
	sennit_runtime_restart(runtime);
	assert_int_equal(sennit_runtime_fd(runtime), fd);
	assert_ptr_equal(where(other), sennit_runtime_worker(other, 0));
	assert_ptr_equal(where(runtime), mine);
	pthread_barrier_destroy(&meeting.barrier);
	assert_int_equal(sennit_runtime_destroy(other), 0);
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
}

static void destroy_ends_what_each_worker_has(void **state)
{
	struct sennit_runtime *runtime = driven(WORKERS);
	struct sennit_task tasks[WORKERS] = { 0 };

	(void)state;
	shut_down = 0;
	for (unsigned i = 0; i < WORKERS; i++) {
		sennit_post(sennit_runtime_worker(runtime, i), &meeting.task[i], on_pass);
		sennit_post(sennit_runtime_executor(runtime), &tasks[i], on_shutdown);
	}
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
	assert_int_equal(shut_down, 3 * WORKERS);
}

/* --- embedded --------------------------------------------------------------------------------- */

static bool readable(struct sennit_runtime *runtime, int timeout_ms)
{
	struct pollfd fd = { .fd = sennit_runtime_fd(runtime), .events = POLLIN };

	return poll(&fd, 1, timeout_ms) == 1;
}

static void *post_one(void *argument)
{
	struct chain *chain = argument;

	sennit_post(sennit_runtime_executor(chain->runtime), &chain->task, on_link);
	return NULL;
}

static void what_another_thread_posts_makes_the_descriptor_readable(void **state)
{
	(void)state;
	for (unsigned workers = 1; workers <= WORKERS; workers += WORKERS - 1) {
		struct sennit_runtime *runtime = driven(workers);

		sennit_runtime_guard_get(runtime);
		for (unsigned i = 0; i < 200; i++) {
			struct chain chain = { .runtime = runtime, .left = 1 };
			pthread_t thread;

			assert_int_equal(sennit_runtime_prepare(runtime), -1);
			thread = spawn(post_one, &chain);
			assert_true(readable(runtime, -1));
			join(thread);
			assert_int_equal(sennit_runtime_poll(runtime), 1);
			assert_false(readable(runtime, 0));
		}
		sennit_runtime_guard_put(runtime);
		assert_int_equal(sennit_runtime_destroy(runtime), 0);
	}
}

static void prepare_says_when_not_to_wait(void **state)
{
	struct sennit_runtime *runtime = driven(1);
	struct chain chain = { .runtime = runtime, .left = 5000 };

	(void)state;
	sennit_runtime_guard_get(runtime);
	assert_int_equal(sennit_runtime_prepare(runtime), -1);
	sennit_post(sennit_runtime_executor(runtime), &chain.task, on_link);
	assert_int_equal(sennit_runtime_prepare(runtime), 0); /* more than one call runs */
	assert_true(chain.left > 0);
	while (chain.left)
		sennit_runtime_prepare(runtime);
	assert_int_equal(sennit_runtime_prepare(runtime), -1);
	sennit_runtime_stop(runtime);
	assert_int_equal(sennit_runtime_prepare(runtime), 0);
	sennit_runtime_restart(runtime);
	sennit_runtime_guard_put(runtime);
	assert_int_equal(sennit_runtime_prepare(runtime), 0); /* out of work */
	assert_true(sennit_runtime_stopped(runtime));
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
}

static void on_expiry(struct sennit_op *op, int error, size_t bytes)
{
	(void)bytes;
	*(int *)op->user = error;
}

static void prepare_says_when_the_next_timer_is_due(void **state)
{
	struct sennit_runtime *runtime = driven(1);
	struct sennit_timer timer;
	struct sennit_op op = { 0 };
	int result = 1;
	int64_t wait_ns;

	(void)state;
	op.user = &result;
	assert_int_equal(sennit_timer_init(&timer, sennit_runtime_executor(runtime)), 0);
	sennit_timer_expires_after(&timer, SENNIT_SECONDS(3600));
	sennit_timer_async_wait(&timer, &op, on_expiry);
	wait_ns = sennit_runtime_prepare(runtime);
	assert_true(wait_ns > (int64_t)SENNIT_SECONDS(1800));
	assert_true(wait_ns <= (int64_t)SENNIT_SECONDS(3601));
	sennit_timer_close(&timer);
	assert_int_equal(sennit_runtime_poll(runtime), 1);
	assert_int_equal(result, -ECANCELED);
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
}

static void a_started_runtime_cannot_be_embedded(void **state)
{
	struct sennit_runtime *runtime = started_runtime(1);

	(void)state;
	assert_int_equal(sennit_runtime_prepare(runtime), -EBUSY);
	end_runtime(runtime);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(chains_complete_and_all_who_run_return),
		TEST(one_thread_runs_a_runtime_of_several_again_and_again),
		TEST(what_one_thread_posts_all_who_run_share),
		TEST(stop_ends_all_runs),
		TEST(the_last_guard_given_back_ends_all_runs),
		TEST(when_all_workers_are_taken_the_next_is_told_so),
		TEST(a_thread_gets_the_worker_that_it_had),
		TEST(a_thread_gets_the_worker_that_it_had_of_each_runtime),
		TEST(destroy_ends_what_each_worker_has),
		TEST(what_another_thread_posts_makes_the_descriptor_readable),
		TEST(prepare_says_when_not_to_wait),
		TEST(prepare_says_when_the_next_timer_is_due),
		TEST(a_started_runtime_cannot_be_embedded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
