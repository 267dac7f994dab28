/* SPDX-License-Identifier: MIT */
/* idle.c - a runtime with nothing to do uses no CPU: its threads neither run nor wake.
 * Runs alone: another program on the CPU would be no fault, but a busy machine makes it slow.
 */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What a thread has done so far. */
struct usage {
	unsigned long ticks;    /* of CPU, user and system */
	unsigned long switches; /* voluntary: each is a wake-up */
};

static struct usage usage_of(pid_t tid)
{
	struct usage usage = { 0 };
	unsigned long user, system;
	char path[64], line[512];
	FILE *file;
	bool found = false;

	snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof line, file));
	fclose(file);
	assert_int_equal(sscanf(strrchr(line, ')') + 1,
	                        " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
	                        &system),
	                 2);
	usage.ticks = user + system;

	snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)tid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof line, file))
		found |= sscanf(line, "voluntary_ctxt_switches: %lu", &usage.switches) == 1;
	fclose(file);
	assert_true(found);
	return usage;
}

/* How long is looked: 1 s, 10 s in longer runs. */
static void look_for_a_while(void)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += scale() < 10 ? 1 : 10;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		continue;
	progress();
}

static void assert_idle(const pid_t *tids, unsigned count)
{
	struct usage before[8], after[8];

	assert_true(count <= COUNT_OF(before));
	for (unsigned i = 0; i < count; i++)
		wait_until_asleep(tids[i]);
	for (unsigned i = 0; i < count; i++)
		before[i] = usage_of(tids[i]);
	look_for_a_while();
	for (unsigned i = 0; i < count; i++) {
		after[i] = usage_of(tids[i]);
		assert_int_equal(after[i].ticks, before[i].ticks);
		assert_int_equal(after[i].switches, before[i].switches);
	}
}

static void tell_tid(void *argument)
{
	*(pid_t *)argument = gettid();
}

static void find_workers(struct sennit_runtime *runtime, pid_t *tids, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		call_on(sennit_runtime_worker(runtime, i), tell_tid, &tids[i]);
}

static void a_started_runtime_with_nothing_to_do_sleeps(void **state)
{
	struct sennit_runtime *runtime = started_runtime(4);
	pid_t tids[4];

	(void)state;
	find_workers(runtime, tids, 4);
	assert_idle(tids, 4);
	end_runtime(runtime);
}

static void a_runtime_that_waits_for_descriptors_sleeps(void **state)
{
	struct sennit_runtime *runtime = started_runtime(2);
	struct sennit_descriptor first = { 0 }, second = { 0 };
	struct sennit_op reads[2] = { 0 };
	struct result results[2];
	char bytes[2];
	pid_t tids[2];

	(void)state;
	assert_int_equal(sennit_descriptor_pair(&first, &second, sennit_runtime_worker(runtime, 0)),
	                 0);
	expect_result(&reads[0], &results[0], NULL);
	expect_result(&reads[1], &results[1], NULL);
	sennit_async_read_some(&first.stream, &bytes[0], 1, &reads[0], on_result);
	sennit_async_read_some(&second.stream, &bytes[1], 1, &reads[1], on_result);
	find_workers(runtime, tids, 2);
	assert_idle(tids, 2);
	sennit_close(&first.stream);
	sennit_close(&second.stream);
	wait_result(&results[0]);
	wait_result(&results[1]);
	end_runtime(runtime);
}

struct driver {
	struct sennit_runtime *runtime;
	pid_t tid;
	struct latch begun;
};

static void *drive(void *argument)
{
	struct driver *driver = argument;

	driver->tid = gettid();
	latch_down(&driver->begun);
	RECORD(sennit_runtime_run(driver->runtime) == 0);
	return NULL;
}

static void a_thread_in_run_with_a_guard_alone_sleeps(void **state)
{
	struct driver driver = { .runtime = driven_runtime(), .begun = LATCH(1) };
	pthread_t thread;

	(void)state;
	sennit_runtime_guard_get(driver.runtime);
	thread = spawn(drive, &driver);
	latch_wait(&driver.begun);
	assert_idle(&driver.tid, 1);
	sennit_runtime_guard_put(driver.runtime);
	join(thread);
	end_runtime(driver.runtime);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_started_runtime_with_nothing_to_do_sleeps),
		TEST(a_runtime_that_waits_for_descriptors_sleeps),
		TEST(a_thread_in_run_with_a_guard_alone_sleeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
