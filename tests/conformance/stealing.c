/* SPDX-License-Identifier: MIT */
/* stealing.c - what one worker posts to the runtime's executor, the others run too. */
#include "support.h"

#include <stdatomic.h>
#include <stdlib.h>

#define WORKERS 4
#define TASKS   4000u
#define SHARE   (TASKS / 10)

struct spread {
	struct sennit_runtime *runtime;
	struct sennit_task first;
	struct sennit_task task[TASKS];
	atomic_uint ran[WORKERS];
	struct latch done;
};

static struct spread *spread;

static unsigned this_worker(void)
{
	for (unsigned i = 0; i < WORKERS; i++)
		if (sennit_executor_runs_here(sennit_runtime_worker(spread->runtime, i)))
			return i;
	RECORD(false); /* on none of them */
	return 0;
}

static bool all_have_their_share(void)
{
	for (unsigned i = 0; i < WORKERS; i++)
		if (atomic_load(&spread->ran[i]) < SHARE)
			return false;
	return true;
}

/* Who is ahead waits for the others, so that no share depends on the machine: where they get
 * nothing it waits for ever. */
static void on_task(struct sennit_task *task, int error)
{
	unsigned worker = this_worker();

	(void)task;
	RECORD(!error);
	if (atomic_fetch_add(&spread->ran[worker], 1) + 1 == TASKS / WORKERS)
		while (!all_have_their_share())
			sched_yield();
	latch_down(&spread->done);
}

static void on_first(struct sennit_task *task, int error)
{
	(void)task;
	RECORD(!error);
	for (unsigned i = 0; i < TASKS; i++)
		sennit_post(sennit_runtime_executor(spread->runtime), &spread->task[i], on_task);
}

static uint64_t steals_won(const struct sennit_counters *counters)
{
	uint64_t won = 0;

	for (int i = 0; i < SENNIT_DISTANCES; i++)
		won += counters->steals_won[i];
	return won;
}

/* Until each has fallen asleep once: so they have to be woken. */
static void wait_until_all_slept(void)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		struct sennit_counters counters;

		do {
			sched_yield();
			sennit_runtime_counters(spread->runtime, i, &counters);
		} while (!counters.parks);
	}
}

static void of_what_one_worker_posts_each_other_runs_at_least_a_tenth(void **state)
{
	uint64_t handlers = 0;

	(void)state;
	spread = calloc(1, sizeof *spread);
	assert_non_null(spread);
	spread->done = (struct latch)LATCH(TASKS);
	spread->runtime = started_runtime(WORKERS);
	wait_until_all_slept();
	sennit_post(sennit_runtime_worker(spread->runtime, 0), &spread->first, on_first);
	latch_wait(&spread->done);
	assert_int_equal(sennit_runtime_join(spread->runtime), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		struct sennit_counters counters;

		sennit_runtime_counters(spread->runtime, i, &counters);
		assert_true(counters.handlers >= SHARE);
		assert_true(!i || steals_won(&counters) > 0);
		handlers += counters.handlers;
	}
	assert_int_equal(handlers, TASKS + 1);
	end_runtime(spread->runtime);
	free(spread);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(of_what_one_worker_posts_each_other_runs_at_least_a_tenth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
