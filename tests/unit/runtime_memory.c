/* SPDX-License-Identifier: MIT */
/* runtime_memory.c - create and start without memory, and what they leave behind. */
#include "support.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

static const struct sennit_runtime_options options = { .size = sizeof options, .workers = 4 };

static void every_allocation_of_create_may_fail(void **state)
{
	int64_t before = live_allocations();
	uint64_t calls;
	int error = -ENOMEM;

	(void)state;
	if (!fail_allocations_after(1000000))
		SKIP("allocations cannot be made to fail under a sanitizer");
	fail_allocations_after(UINT64_MAX);
	for (calls = 0; error; calls++) {
		struct sennit_runtime *runtime = NULL;

		fail_allocations_after(calls);
		error = sennit_runtime_create(&options, &runtime);
		fail_allocations_after(UINT64_MAX);
		if (error) {
			assert_int_equal(error, -ENOMEM);
			assert_null(runtime);
		} else {
			assert_int_equal(sennit_runtime_destroy(runtime), 0);
		}
		assert_int_equal(live_allocations(), before);
		assert_true(calls < 1000);
	}
	/* Something was tried. */
	assert_true(calls > 4);
}

/* How many blocks are left by runtimes that come and go: the most, for the plugins that hwloc loads
 * and unloads each time make the number go up and down a little. */
static int64_t most_left(void)
{
	int64_t most = 0;

	for (unsigned i = 0; i < 8; i++) {
		struct sennit_runtime *runtime;

		assert_int_equal(sennit_runtime_create(&options, &runtime), 0);
		assert_int_equal(sennit_runtime_start(runtime), 0);
		assert_int_equal(sennit_runtime_join(runtime), 0);
		assert_int_equal(sennit_runtime_destroy(runtime), 0);
		if (live_allocations() > most)
			most = live_allocations();
	}
	progress();
	return most;
}

static void start_without_memory_leaves_the_runtime_as_it_was(void **state)
{
	int64_t before;
	uint64_t calls;
	int error = -ENOMEM;

	(void)state;
	if (!fail_allocations_after(1000000))
		SKIP("allocations cannot be made to fail under a sanitizer");
	fail_allocations_after(UINT64_MAX);
	/* Twice: whatever is set up once in a process is then set up. */
	most_left();
	before = most_left();
	for (calls = 0; error; calls++) {
		struct sennit_runtime *runtime;

		assert_int_equal(sennit_runtime_create(&options, &runtime), 0);
		fail_allocations_after(calls);
		error = sennit_runtime_start(runtime);
		fail_allocations_after(UINT64_MAX);
		if (error) {
			assert_int_equal(error, -ENOMEM);
			assert_int_equal(sennit_runtime_workers(runtime), 4);
			assert_int_equal(sennit_runtime_join(runtime), -EINVAL);
			assert_int_equal(sennit_runtime_start(runtime), 0);
		}
		assert_int_equal(sennit_runtime_workers(runtime), 4);
		assert_int_equal(sennit_runtime_destroy(runtime), 0);
		progress();
	}
	assert_true(calls > 1);
	assert_int_equal(most_left(), before);
}

#if !defined(SANITIZED_THREAD) && !defined(SANITIZED_ADDRESS)
static unsigned threads_left = UINT_MAX;

/* Stands before the C library's. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *),
                   void *argument)
{
	int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (threads_left == 0)
		return EAGAIN;
	threads_left -= threads_left != UINT_MAX;
	*(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
	if (!create)
		abort();
	return create(thread, attributes, function, argument);
}

static bool fail_threads_after(unsigned threads)
{
	threads_left = threads;
	return true;
}
#else
static bool fail_threads_after(unsigned threads)
{
	return threads == UINT_MAX;
}
#endif

static void start_without_threads_leaves_the_runtime_as_it_was(void **state)
{
	(void)state;
	if (!fail_threads_after(5))
		SKIP("threads cannot be made to fail under a sanitizer");
	for (unsigned threads = 0; threads <= 4; threads++) {
		struct sennit_runtime *runtime;
		int error;

		assert_int_equal(sennit_runtime_create(&options, &runtime), 0);
		fail_threads_after(threads);
		error = sennit_runtime_start(runtime);
		fail_threads_after(UINT_MAX);
		assert_int_equal(error, threads < 4 ? -EAGAIN : 0);
		if (error) {
			assert_int_equal(sennit_runtime_workers(runtime), 4);
			assert_int_equal(sennit_runtime_join(runtime), -EINVAL);
			assert_int_equal(sennit_runtime_start(runtime), 0);
		}
		assert_int_equal(sennit_runtime_workers(runtime), 4);
		assert_int_equal(sennit_runtime_join(runtime), 0);
		assert_int_equal(sennit_runtime_destroy(runtime), 0);
	}
}

enum { EARLY = 1000 };

static unsigned early_ran;

static void on_early(struct sennit_task *task, int error)
{
	(void)task;
	RECORD(error == 0);
	early_ran++; /* one thread after the other: none runs anything before all are there */
}

/* No thread has taken anything that it would have to give back. */
static void what_was_posted_before_is_there_after_a_start_that_failed(void **state)
{
	static struct sennit_task tasks[EARLY];
	const struct sennit_runtime_options single = { .size = sizeof single };

	(void)state;
	if (!fail_threads_after(5))
		SKIP("threads cannot be made to fail under a sanitizer");
	for (unsigned round = 0; round < 20 * scale(); round++) {
		struct sennit_runtime *runtime;
		int error;

		fail_threads_after(UINT_MAX);
		early_ran = 0;
		assert_int_equal(sennit_runtime_create(&single, &runtime), 0);
		for (unsigned i = 0; i < EARLY; i++)
			sennit_post(sennit_runtime_executor(runtime), &tasks[i], on_early);
		fail_threads_after(1);
		error = sennit_runtime_start(runtime);
		fail_threads_after(UINT_MAX);
		if (error)
			assert_int_equal(sennit_runtime_run(runtime), EARLY);
		else /* there is one CPU */
			assert_int_equal(sennit_runtime_join(runtime), 0);
		assert_int_equal(sennit_runtime_destroy(runtime), 0);
		assert_int_equal(early_ran, EARLY);
		progress();
	}
}

static void runtimes_that_come_and_go_leave_nothing(void **state)
{
	int64_t before;

	(void)state;
	most_left();
	before = most_left();
	most_left();
	assert_int_equal(most_left(), before);
}

/* The C library keeps the stacks of ended threads, and memory that goes with each, until they are
 * more than 40 MB: small ones stay, so that the number of blocks is the same each time. */
static int use_small_stacks(void **state)
{
	pthread_attr_t attributes;
	int error;

	(void)state;
	if (live_allocations() < 0)
		return 0;
	error = pthread_attr_init(&attributes);
	if (!error)
		error = pthread_attr_setstacksize(&attributes, 256 * 1024);
	if (!error)
		error = pthread_setattr_default_np(&attributes);
	pthread_attr_destroy(&attributes);
	return error;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(every_allocation_of_create_may_fail),
		TEST(start_without_memory_leaves_the_runtime_as_it_was),
		TEST(start_without_threads_leaves_the_runtime_as_it_was),
		TEST(what_was_posted_before_is_there_after_a_start_that_failed),
		TEST(runtimes_that_come_and_go_leave_nothing),
	};

	return cmocka_run_group_tests(tests, use_small_stacks, NULL);
}
