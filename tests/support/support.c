/* SPDX-License-Identifier: MIT */
/* support.c - events, results, runtimes and the three kinds of thread.
 *
 * One mutex and one condition variable serve every latch and result: so neither needs an end, and a
 * latch on a stack may vanish as soon as its wait has returned. They order the threads that use
 * them; a test that is about memory order between threads uses its own atomics instead.
 */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint64_t results_seen;

unsigned scale(void)
{
	const char *text = getenv("SENNIT_TEST_SCALE");
	long value = text ? strtol(text, NULL, 10) : 1;

	return value >= 1 && value <= 1000000 ? (unsigned)value : 1;
}

unsigned open_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned count = 0;

	if (!directory)
		abort();
	while (readdir(directory))
		count++;
	closedir(directory);
	/* Without ".", ".." and the directory's own. */
	return count - 3;
}

/* --- events ----------------------------------------------------------------------------------- */

void latch_down(struct latch *latch)
{
	progress();
	pthread_mutex_lock(&mutex);
	RECORD(latch->count > 0);
	if (latch->count && --latch->count == 0)
		pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
}

void latch_add(struct latch *latch, unsigned count)
{
	pthread_mutex_lock(&mutex);
	latch->count += count;
	pthread_mutex_unlock(&mutex);
}

void latch_wait(struct latch *latch)
{
	pthread_mutex_lock(&mutex);
	while (latch->count)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
	progress();
}

void wait_until_asleep(pid_t tid)
{
	char path[64], text[512];

	snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
	for (;;) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t size;
		const char *state;

		if (fd < 0)
			return;
		size = read(fd, text, sizeof text - 1);
		close(fd);
		if (size <= 0)
			return;
		text[size] = 0;
		/* "tid (name) S ...": the name may hold anything. */
		state = strrchr(text, ')');
		if (!state || state[2] == 'S' || state[2] == 'Z' || state[2] == 'X')
			return;
		sched_yield();
	}
}

/* --- operations ------------------------------------------------------------------------------- */

void on_result(struct sennit_op *op, int error, size_t bytes)
{
	struct result *result = op->user;
	struct latch *latch;

	progress();
	if (result->expected)
		RECORD(sennit_executor_runs_here(result->expected));
	pthread_mutex_lock(&mutex);
	result->error = error;
	result->bytes = bytes;
	result->op = op;
	result->order = ++results_seen;
	result->runtime = sennit_runtime_current();
	result->thread = gettid();
	result->calls++;
	result->done = true;
	latch = result->latch;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
	if (latch)
		latch_down(latch);
}

void expect_result(struct sennit_op *op, struct result *result, struct sennit_executor *expected)
{
	memset(result, 0, sizeof *result);
	result->expected = expected;
	op->user = result;
}

void wait_calls(struct result *result, unsigned calls)
{
	pthread_mutex_lock(&mutex);
	while (result->calls < calls)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
	progress();
}

void wait_result(struct result *result)
{
	wait_calls(result, 1);
}

/* --- runtimes --------------------------------------------------------------------------------- */

struct sennit_runtime *driven_runtime(void)
{
	struct sennit_runtime *runtime = NULL;

	assert_int_equal(sennit_runtime_create(NULL, &runtime), 0);
	assert_non_null(runtime);
	watch_runtime(runtime);
	return runtime;
}

struct sennit_runtime *started_runtime(unsigned workers)
{
	struct sennit_runtime_options options = { .size = sizeof options,
		                                  .workers = workers,
		                                  .pin = SENNIT_PIN_NONE };
	struct sennit_runtime *runtime = NULL;

	assert_int_equal(sennit_runtime_create(&options, &runtime), 0);
	assert_non_null(runtime);
	watch_runtime(runtime);
	assert_int_equal(sennit_runtime_start(runtime), 0);
	return runtime;
}

void end_runtime(struct sennit_runtime *runtime)
{
	int error = sennit_runtime_destroy(runtime);

	/* After it: a destroy that hangs is dumped too. */
	forget_runtime(runtime);
	assert_int_equal(error, 0);
	progress();
}

void run_until(struct sennit_runtime *runtime, const bool *flag)
{
	if (sennit_runtime_stopped(runtime))
		sennit_runtime_restart(runtime);
	while (!*flag) {
		int64_t ran = sennit_runtime_run_one(runtime);

		progress();
		if (ran != 1)
			fail_msg("the runtime ran out of work (%d) before the event", (int)ran);
	}
}

int64_t run_dry(struct sennit_runtime *runtime)
{
	int64_t ran = sennit_runtime_run(runtime);

	assert_true(ran >= 0);
	assert_true(sennit_runtime_stopped(runtime));
	sennit_runtime_restart(runtime);
	progress();
	return ran;
}

/* --- three kinds of thread -------------------------------------------------------------------- */

struct call {
	struct sennit_task task;
	stage_function *function;
	void *argument;
	struct latch done;
};

static void on_call(struct sennit_task *task, int error)
{
	struct call *call = CONTAINER_OF(task, struct call, task);

	RECORD(error == 0);
	call->function(call->argument);
	latch_down(&call->done);
}

void call_on(struct sennit_executor *executor, stage_function *function, void *argument)
{
	struct call call = { .function = function, .argument = argument, .done = LATCH(1) };

	sennit_post(executor, &call.task, on_call);
	latch_wait(&call.done);
}

void call_on_owner(struct stage *stage, stage_function *function, void *argument)
{
	call_on(stage->owner, function, argument);
}

void call_on_other(struct stage *stage, stage_function *function, void *argument)
{
	call_on(stage->other, function, argument);
}

void call_on_kind(struct stage *stage, stage_function *function, void *argument)
{
	switch (stage->kind) {
	case THREAD_OWNER:
		call_on(stage->owner, function, argument);
		break;
	case THREAD_OTHER_WORKER:
		call_on(stage->other, function, argument);
		break;
	case THREAD_FOREIGN:
	case THREAD_KINDS:
		/* The main thread is no worker. */
		function(argument);
		break;
	}
}

void on_each_kind_of_thread(void (*scenario)(struct stage *stage))
{
	for (int kind = 0; kind < THREAD_KINDS; kind++) {
		struct stage stage = { .kind = (enum thread_kind)kind };

		stage.runtime = started_runtime(2);
		stage.owner = sennit_runtime_worker(stage.runtime, 0);
		stage.other = sennit_runtime_worker(stage.runtime, 1);
		scenario(&stage);
		end_runtime(stage.runtime);
		recorded();
	}
}

pthread_t spawn(void *(*function)(void *), void *argument)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, function, argument), 0);
	return thread;
}

void join(pthread_t thread)
{
	assert_int_equal(pthread_join(thread, NULL), 0);
	progress();
}

/* --- CPUs ------------------------------------------------------------------------------------- */

void take_one_cpu(cpu_set_t *saved)
{
	cpu_set_t one;
	size_t cpu = 0;

	assert_int_equal(sched_getaffinity(0, sizeof *saved, saved), 0);
	while (!CPU_ISSET(cpu, saved))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
}

void give_back_cpus(const cpu_set_t *saved)
{
	assert_int_equal(sched_setaffinity(0, sizeof *saved, saved), 0);
}
