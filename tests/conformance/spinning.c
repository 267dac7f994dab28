/* SPDX-License-Identifier: MIT */
/* spinning.c - idle workers that look for work for a while before they sleep (spin_ns). */
#include "io_support.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define LONG_NS 1000000000u /* the longest there is */

static struct sennit_runtime *spinning_runtime(unsigned workers, uint64_t spin_ns)
{
	const struct sennit_runtime_options options = {
		.size = sizeof options, .workers = workers, .spin_ns = spin_ns};
	struct sennit_runtime *runtime;

	assert_int_equal(sennit_runtime_create(&options, &runtime), 0);
	watch_runtime(runtime);
	return runtime;
}

static void end_spinning(struct sennit_runtime *runtime)
{
	forget_runtime(runtime);
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
}

static uint64_t parks_of(const struct sennit_runtime *runtime)
{
	struct sennit_counters counters;

	sennit_runtime_counters(runtime, SENNIT_ALL_WORKERS, &counters);
	return counters.parks;
}

/* Runs under a guard, with nothing to do, for a millisecond; how often it went to sleep. */
static uint64_t parks_in_an_idle_run(struct sennit_runtime *runtime)
{
	sennit_runtime_guard_get(runtime);
	assert_int_equal(sennit_runtime_run_for(runtime, SENNIT_MS(1)), 0);
	sennit_runtime_guard_put(runtime);
	return parks_of(runtime);
}

static void an_idle_worker_does_not_sleep_while_it_spins(void **state)
{
	struct sennit_runtime *spinning = spinning_runtime(1, LONG_NS);
	struct sennit_runtime *sleeping = spinning_runtime(1, 0);

	(void)state;
	assert_int_equal(parks_in_an_idle_run(spinning), 0);
	assert_true(parks_in_an_idle_run(sleeping) > 0);
	end_spinning(spinning);
	end_spinning(sleeping);
}

/* More workers than processors would keep each other from them. */
static void with_more_workers_than_processors_nobody_spins(void **state)
{
	struct sennit_runtime *runtime;
	cpu_set_t before;
	cpu_set_t one;
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
	CPU_ZERO(&one);
	for (size_t i = 0; !CPU_COUNT(&one); i++)
		if (CPU_ISSET(i, &before))
			CPU_SET(i, &one);
	assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
	runtime = spinning_runtime(2, LONG_NS);
	assert_true(parks_in_an_idle_run(runtime) > 0);
	sennit_runtime_print_settings(runtime, file);
	assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
	fclose(file);
	assert_non_null(strstr(text, "but not with more workers than CPUs"));
	free(text);
	end_spinning(runtime);
}

struct burst {
	struct sennit_task task;
	struct latch ran;
};

static void on_burst(struct sennit_task *task, int error)
{
	RECORD(!error);
	latch_down(&CONTAINER_OF(task, struct burst, task)->ran);
}

/* Whatever comes from where: a post to a worker, to any, a timer, bytes. */
static void what_comes_while_a_worker_spins_is_seen(void **state)
{
	struct sennit_runtime *runtime = spinning_runtime(1, LONG_NS);
	struct sennit_timer timer = {0};
	struct sennit_descriptor ends[2] = {0};
	struct flight flights[3] = {0};
	char byte;

	(void)state;
	assert_int_equal(sennit_runtime_start(runtime), 0);
	for (int i = 0; i < 100; i++) {
		struct burst burst = {.ran = LATCH(1)};

		sennit_post(i % 2 ? sennit_runtime_worker(runtime, 0)
				  : sennit_runtime_executor(runtime),
			    &burst.task, on_burst);
		latch_wait(&burst.ran);
	}
	assert_int_equal(sennit_timer_init(&timer, sennit_runtime_executor(runtime)), 0);
	assert_int_equal(sennit_descriptor_pair(&ends[0], &ends[1],
						sennit_runtime_executor(runtime)),
			 0);
	sennit_timer_expires_after(&timer, SENNIT_MS(1));
	expect_result(&flights[0].op, &flights[0].result, NULL);
	sennit_timer_async_wait(&timer, &flights[0].op, on_result);
	start_here(&(struct start){READ, .stream = &ends[0].stream, .data = &byte, .size = 1,
				   .flight = &flights[1]},
		   NULL);
	start_here(&(struct start){WRITE, .stream = &ends[1].stream, .data = "x", .size = 1,
				   .flight = &flights[2]},
		   NULL);
	EXPECT(&flights[0], 0, 0);
	EXPECT(&flights[1], 0, 1);
	EXPECT(&flights[2], 0, 1);
	sennit_timer_close(&timer);
	sennit_close(&ends[0].stream);
	sennit_close(&ends[1].stream);
	assert_int_equal(sennit_runtime_join(runtime), 0);
	end_spinning(runtime);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(an_idle_worker_does_not_sleep_while_it_spins),
		TEST(with_more_workers_than_processors_nobody_spins),
		TEST(what_comes_while_a_worker_spins_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
