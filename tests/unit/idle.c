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

/* Two connected descriptors, and a read of each that has nothing to read. */
struct waiting {
	struct sennit_descriptor descriptors[2];
	struct sennit_op reads[2];
	struct result results[2];
	char bytes[2];
};

static void wait_for_nothing(struct waiting *waiting, struct sennit_executor *executor)
{
	assert_int_equal(
	    sennit_descriptor_pair(&waiting->descriptors[0], &waiting->descriptors[1], executor),
	    0);
	for (unsigned i = 0; i < 2; i++) {
		expect_result(&waiting->reads[i], &waiting->results[i], NULL);
		sennit_async_read_some(&waiting->descriptors[i].stream, &waiting->bytes[i], 1,
		                       &waiting->reads[i], on_result);
	}
}

static void stop_waiting(struct waiting *waiting)
{
	for (unsigned i = 0; i < 2; i++)
		sennit_close(&waiting->descriptors[i].stream);
	for (unsigned i = 0; i < 2; i++)
		wait_result(&waiting->results[i]);
}

/* All at the same time: a started runtime without any work, one whose operations wait for
 * descriptors, and a thread in run that a guard keeps there. */
static void whoever_has_nothing_to_do_uses_no_cpu(void **state)
{
	struct sennit_runtime *empty = started_runtime(4), *busy = started_runtime(2);
	struct driver driver = { .runtime = driven_runtime(), .begun = LATCH(1) };
	struct waiting waiting = { .bytes = "" };
	pthread_t thread;
	pid_t tids[7];

	(void)state;
	wait_for_nothing(&waiting, sennit_runtime_worker(busy, 0));
	sennit_runtime_guard_get(driver.runtime);
	thread = spawn(drive, &driver);
	latch_wait(&driver.begun);
	tids[0] = driver.tid;
	find_workers(busy, tids + 1, 2);
	find_workers(empty, tids + 3, 4);
	assert_idle(tids, 7);
	stop_waiting(&waiting);
	sennit_runtime_guard_put(driver.runtime);
	join(thread);
	end_runtime(driver.runtime);
	end_runtime(busy);
	end_runtime(empty);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(whoever_has_nothing_to_do_uses_no_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
