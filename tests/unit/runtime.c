/* SPDX-License-Identifier: MIT */
/* runtime.c - what runtime.h promises: options, the two modes, guards, threads. */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* --- options ---------------------------------------------------------------------------------- */

static void assert_created(const struct sennit_runtime_options *options)
{
	struct sennit_runtime *runtime = NULL;

	assert_int_equal(sennit_runtime_create(options, &runtime), 0);
	assert_non_null(runtime);
	assert_int_equal(sennit_runtime_workers(runtime),
	                 options && options->size && options->workers ? options->workers : 1);
	assert_false(sennit_runtime_stopped(runtime));
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
}

static void the_defaults_are_null_zeroed_and_size_0(void **state)
{
	struct sennit_runtime_options options = { 0 };

	(void)state;
	assert_created(NULL);
	assert_created(&options);
	/* Size 0 means all defaults: the rest is not looked at. */
	options.workers = UINT_MAX;
	options.pin = (enum sennit_pin)77;
	assert_created(&options);
	options = (struct sennit_runtime_options){ .size = sizeof options };
	assert_created(&options);
	options.workers = 1024;
	options.pin = SENNIT_PIN_NONE;
	assert_created(&options);
}

static void assert_refused(const struct sennit_runtime_options *options)
{
	struct sennit_runtime *const untouched = (struct sennit_runtime *)0x10;
	struct sennit_runtime *runtime = untouched;

	assert_int_equal(sennit_runtime_create(options, &runtime), -EINVAL);
	assert_ptr_equal(runtime, untouched);
}

static void options_out_of_range_are_refused(void **state)
{
	struct sennit_runtime_options options = { .size = sizeof options };

	(void)state;
	options.workers = 1025;
	assert_refused(&options);
	options.workers = UINT_MAX;
	assert_refused(&options);
	options.workers = 1;
	options.pin = (enum sennit_pin)5;
	assert_refused(&options);
	options.pin = (enum sennit_pin)INT_MAX;
	assert_refused(&options);
	options.pin = SENNIT_PIN_NONE;
	options.size = 1;
	assert_refused(&options);
	options.size = SIZE_MAX;
	assert_refused(&options);
}

static void the_options_are_read_during_create_only(void **state)
{
	struct sennit_runtime_options options = { .size = sizeof options, .workers = 2 };
	struct sennit_runtime *runtime;

	(void)state;
	assert_int_equal(sennit_runtime_create(&options, &runtime), 0);
	memset(&options, 0xff, sizeof options);
	assert_int_equal(sennit_runtime_start(runtime), 0);
	assert_int_equal(sennit_runtime_workers(runtime), 2);
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
}

static void destroying_null_does_nothing(void **state)
{
	(void)state;
	assert_int_equal(sennit_runtime_destroy(NULL), 0);
}

/* Leaves room for that many more descriptors. */
static struct rlimit limit_descriptors(unsigned more)
{
	struct rlimit before, now;
	unsigned next = 0;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	now = before;
	/* The limit is on numbers, not on how many there are: count up to the last gap. */
	for (; more; next++)
		more -= fcntl((int)next, F_GETFD) < 0;
	while (fcntl((int)next, F_GETFD) >= 0)
		next++;
	now.rlim_cur = next;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	return before;
}

static void without_descriptors_create_fails_and_leaks_nothing(void **state)
{
	(void)state;
	for (unsigned more = 0; more < 2; more++) {
		struct sennit_runtime *runtime = NULL;
		struct rlimit before = limit_descriptors(more);
		int error = sennit_runtime_create(NULL, &runtime);

		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		assert_int_equal(error, -EMFILE);
		assert_null(runtime);
	}
	assert_created(NULL);
}

static void without_descriptors_for_all_workers_create_fails(void **state)
{
	struct sennit_runtime_options options = { .size = sizeof options, .workers = 4 };

	(void)state;
	for (unsigned more = 0; more < 8; more++) {
		struct sennit_runtime *runtime = NULL;
		struct rlimit before = limit_descriptors(more);
		int error = sennit_runtime_create(&options, &runtime);

		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		assert_int_equal(error, -EMFILE);
		assert_null(runtime);
	}
	assert_created(&options);
}

/* One worker for each core: the others are made by start. */
static void without_descriptors_start_fails_and_the_runtime_is_as_before(void **state)
{
	struct sennit_runtime *runtime = started_runtime(0);
	unsigned workers = sennit_runtime_workers(runtime);

	(void)state;
	end_runtime(runtime);
	if (workers == 1)
		SKIP("there is one core, whose worker is there from the beginning");
	for (unsigned more = 0; more < 2 * (workers - 1); more++) {
		struct rlimit before;
		int error;

		assert_int_equal(sennit_runtime_create(NULL, &runtime), 0);
		before = limit_descriptors(more);
		error = sennit_runtime_start(runtime);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		assert_true(error < 0);
		assert_int_equal(sennit_runtime_workers(runtime), 1);
		assert_int_equal(sennit_runtime_join(runtime), -EINVAL);
		assert_int_equal(sennit_runtime_start(runtime), 0);
		assert_int_equal(sennit_runtime_workers(runtime), workers);
		assert_int_equal(sennit_runtime_join(runtime), 0);
		assert_int_equal(sennit_runtime_destroy(runtime), 0);
	}
}

/* --- started or driven, never both ------------------------------------------------------------ */

typedef int64_t run_form(struct sennit_runtime *runtime);

static run_form *const run_forms[] = { sennit_runtime_run, sennit_runtime_run_one,
	                               sennit_runtime_poll, sennit_runtime_poll_one };

static void a_started_runtime_cannot_be_run_or_started_again(void **state)
{
	struct sennit_runtime *runtime = started_runtime(1);

	(void)state;
	assert_int_equal(sennit_runtime_start(runtime), -EBUSY);
	for (unsigned i = 0; i < COUNT_OF(run_forms); i++)
		assert_int_equal(run_forms[i](runtime), -EBUSY);
	assert_int_equal(sennit_runtime_join(runtime), 0);
	assert_int_equal(sennit_runtime_start(runtime), -EBUSY);
	for (unsigned i = 0; i < COUNT_OF(run_forms); i++)
		assert_int_equal(run_forms[i](runtime), -EBUSY);
	assert_int_equal(sennit_runtime_workers(runtime), 1);
	end_runtime(runtime);
}

static void a_driven_runtime_cannot_be_started_or_joined(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT_OF(run_forms); i++) {
		struct sennit_runtime *runtime = driven_runtime();

		assert_int_equal(sennit_runtime_join(runtime), -EINVAL);
		assert_int_equal(run_forms[i](runtime), 0);
		assert_int_equal(sennit_runtime_start(runtime), -EBUSY);
		assert_int_equal(sennit_runtime_join(runtime), -EINVAL);
		assert_int_equal(sennit_runtime_workers(runtime), 1);
		end_runtime(runtime);
	}
}

/* A task that holds its worker until it is let go. */
struct blocker {
	struct sennit_task task;
	struct latch entered;
	struct latch leave;
};

static void on_block(struct sennit_task *task, int error)
{
	struct blocker *blocker = CONTAINER_OF(task, struct blocker, task);

	RECORD(error == 0);
	latch_down(&blocker->entered);
	latch_wait(&blocker->leave);
}

static void *run_in_thread(void *argument)
{
	RECORD(sennit_runtime_run(argument) >= 0);
	return NULL;
}

static void a_second_thread_finds_no_worker_in_a_driven_runtime(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct blocker blocker = { .entered = LATCH(1), .leave = LATCH(1) };
	pthread_t thread;

	(void)state;
	sennit_post(sennit_runtime_executor(runtime), &blocker.task, on_block);
	thread = spawn(run_in_thread, runtime);
	latch_wait(&blocker.entered);
	for (unsigned i = 0; i < COUNT_OF(run_forms); i++)
		assert_int_equal(run_forms[i](runtime), -EBUSY);
	latch_down(&blocker.leave);
	join(thread);
	/* The worker is free again, for whatever thread. */
	sennit_runtime_restart(runtime);
	assert_int_equal(sennit_runtime_run(runtime), 0);
	end_runtime(runtime);
}

static void stop_before_run_lets_no_run_form_in(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT_OF(run_forms); i++) {
		struct sennit_runtime *runtime = driven_runtime();
		struct blocker blocker = { .entered = LATCH(1) };

		sennit_post(sennit_runtime_executor(runtime), &blocker.task, on_block);
		sennit_runtime_stop(runtime);
		sennit_runtime_stop(runtime);
		assert_true(sennit_runtime_stopped(runtime));
		assert_int_equal(run_forms[i](runtime), 0);
		sennit_runtime_restart(runtime);
		assert_false(sennit_runtime_stopped(runtime));
		assert_int_equal(run_forms[i](runtime), 1);
		assert_int_equal(blocker.entered.count, 0);
		end_runtime(runtime);
	}
}

/* --- join, guards ----------------------------------------------------------------------------- */

/* Joins the runtime that the calling thread is a worker of. */
static void join_here(void *argument)
{
	int *error = argument;

	*error = sennit_runtime_join(sennit_runtime_current());
}

static void join_on_a_worker_is_refused(void **state)
{
	struct sennit_runtime *runtime = started_runtime(2);
	int error = 0;

	(void)state;
	call_on(sennit_runtime_worker(runtime, 1), join_here, &error);
	assert_int_equal(error, -EDEADLK);
	end_runtime(runtime);
}

struct joiner {
	struct sennit_runtime *runtime;
	atomic_bool released; /* before what join waits for comes to its end */
	pid_t tid;
	struct latch begun;
};

static void *join_and_tell(void *argument)
{
	struct joiner *joiner = argument;

	joiner->tid = gettid();
	latch_down(&joiner->begun);
	RECORD(sennit_runtime_join(joiner->runtime) == 0);
	RECORD(atomic_load(&joiner->released));
	return NULL;
}

static pthread_t begin_join(struct joiner *joiner)
{
	pthread_t thread;

	joiner->begun = (struct latch)LATCH(1);
	thread = spawn(join_and_tell, joiner);
	latch_wait(&joiner->begun);
	wait_until_asleep(joiner->tid);
	return thread;
}

static void join_waits_for_a_guard(void **state)
{
	struct joiner joiner = { .runtime = started_runtime(2) };
	pthread_t thread;

	(void)state;
	sennit_runtime_guard_get(joiner.runtime);
	thread = begin_join(&joiner);
	/* Another guard comes and goes. */
	sennit_runtime_guard_get(joiner.runtime);
	sennit_runtime_guard_put(joiner.runtime);
	atomic_store(&joiner.released, true);
	sennit_runtime_guard_put(joiner.runtime);
	join(thread);
	end_runtime(joiner.runtime);
}

static void join_waits_for_a_running_function(void **state)
{
	(void)state;
	for (unsigned worker = 0; worker < 2; worker++) {
		struct joiner joiner = { .runtime = started_runtime(2) };
		struct blocker blocker = { .entered = LATCH(1), .leave = LATCH(1) };
		pthread_t thread;

		sennit_post(sennit_runtime_worker(joiner.runtime, worker), &blocker.task, on_block);
		latch_wait(&blocker.entered);
		thread = begin_join(&joiner);
		atomic_store(&joiner.released, true);
		latch_down(&blocker.leave);
		join(thread);
		end_runtime(joiner.runtime);
	}
}

static void join_waits_for_an_operation_in_flight(void **state)
{
	struct joiner joiner = { .runtime = started_runtime(2) };
	struct sennit_descriptor first = { 0 }, second = { 0 };
	struct sennit_op op = { 0 };
	struct result result;
	pthread_t thread;
	char byte;

	(void)state;
	assert_int_equal(
	    sennit_descriptor_pair(&first, &second, sennit_runtime_worker(joiner.runtime, 1)), 0);
	expect_result(&op, &result, NULL);
	sennit_async_read_some(&first.stream, &byte, 1, &op, on_result);
	thread = begin_join(&joiner);
	assert_int_equal(result.calls, 0);
	atomic_store(&joiner.released, true);
	sennit_close(&second.stream);
	join(thread);
	assert_int_equal(result.calls, 1);
	assert_int_equal(result.error, SENNIT_EOF);
	sennit_close(&first.stream);
	end_runtime(joiner.runtime);
}

static void several_threads_may_join(void **state)
{
	struct joiner joiner = { .runtime = started_runtime(2) };
	pthread_t threads[4];

	(void)state;
	sennit_runtime_guard_get(joiner.runtime);
	for (unsigned i = 0; i < COUNT_OF(threads); i++)
		threads[i] = begin_join(&joiner);
	atomic_store(&joiner.released, true);
	sennit_runtime_guard_put(joiner.runtime);
	for (unsigned i = 0; i < COUNT_OF(threads); i++)
		join(threads[i]);
	end_runtime(joiner.runtime);
}

static void a_guard_that_is_held_does_not_hold_up_destroy(void **state)
{
	struct sennit_runtime *started = started_runtime(2), *driven = driven_runtime();

	(void)state;
	sennit_runtime_guard_get(started);
	sennit_runtime_guard_get(driven);
	end_runtime(started);
	end_runtime(driven);
}

static void guards_count(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		sennit_runtime_guard_get(runtime);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(sennit_runtime_poll(runtime), 0);
		assert_false(sennit_runtime_stopped(runtime));
		sennit_runtime_guard_put(runtime);
	}
	assert_int_equal(sennit_runtime_run(runtime), 0);
	assert_true(sennit_runtime_stopped(runtime));
	end_runtime(runtime);
}

/* --- executors -------------------------------------------------------------------------------- */

static void each_worker_has_its_own_executor_and_its_turn(void **state)
{
	struct sennit_runtime *runtime = started_runtime(5);
	unsigned turns[5] = { 0 };

	(void)state;
	assert_int_equal(sennit_runtime_workers(runtime), 5);
	for (unsigned i = 0; i < 5; i++) {
		struct sennit_executor *executor = sennit_runtime_worker(runtime, i);

		assert_ptr_equal(executor, sennit_runtime_worker(runtime, i));
		assert_ptr_not_equal(executor, sennit_runtime_executor(runtime));
		for (unsigned k = 0; k < i; k++)
			assert_ptr_not_equal(executor, sennit_runtime_worker(runtime, k));
	}
	for (unsigned i = 0; i < 50; i++) {
		struct sennit_executor *next = sennit_runtime_next_worker(runtime);

		for (unsigned k = 0; k < 5; k++)
			turns[k] += next == sennit_runtime_worker(runtime, k);
	}
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(turns[i], 10);
	end_runtime(runtime);
}

struct nested_run {
	struct sennit_task task;
	struct sennit_runtime *own;
	struct sennit_runtime *inner;
	bool ran;
};

static void on_current(struct sennit_task *task, int error)
{
	struct nested_run *run = CONTAINER_OF(task, struct nested_run, task);

	RECORD(error == 0);
	RECORD(sennit_runtime_current() == run->own);
	if (run->inner) {
		RECORD(sennit_runtime_run(run->inner) == 1);
		RECORD(sennit_runtime_current() == run->own);
		RECORD(sennit_executor_runs_here(sennit_runtime_executor(run->own)));
	}
	run->ran = true;
}

static void current_tells_the_runtime_whose_handler_runs(void **state)
{
	struct nested_run inner = { .own = driven_runtime() };
	struct nested_run outer = { .own = driven_runtime(), .inner = inner.own };
	struct nested_run started = { .own = started_runtime(2) };

	(void)state;
	assert_null(sennit_runtime_current());
	/* Another runtime may be run within a handler. */
	sennit_post(sennit_runtime_executor(inner.own), &inner.task, on_current);
	sennit_post(sennit_runtime_executor(outer.own), &outer.task, on_current);
	assert_int_equal(sennit_runtime_run(outer.own), 1);
	assert_true(inner.ran && outer.ran);
	assert_null(sennit_runtime_current());
	sennit_post(sennit_runtime_executor(started.own), &started.task, on_current);
	assert_int_equal(sennit_runtime_join(started.own), 0);
	assert_true(started.ran);
	assert_null(sennit_runtime_current());
	end_runtime(inner.own);
	end_runtime(outer.own);
	end_runtime(started.own);
}

/* --- threads ---------------------------------------------------------------------------------- */

/* How many threads of this process have that name. */
static unsigned count_threads(const char *name)
{
	DIR *directory = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned count = 0;

	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		char path[300], text[32] = "";
		FILE *file;

		snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
		file = entry->d_name[0] == '.' ? NULL : fopen(path, "re");
		if (!file)
			continue;
		if (fgets(text, sizeof text, file))
			text[strcspn(text, "\n")] = 0;
		fclose(file);
		count += strcmp(text, name) == 0;
	}
	closedir(directory);
	return count;
}

struct thread_facts {
	char name[32];
	sigset_t blocked;
	cpu_set_t cpus;
};

static void look_at_thread(void *argument)
{
	struct thread_facts *facts = argument;

	RECORD(pthread_getname_np(pthread_self(), facts->name, sizeof facts->name) == 0);
	RECORD(pthread_sigmask(SIG_BLOCK, NULL, &facts->blocked) == 0);
	RECORD(sched_getaffinity(0, sizeof facts->cpus, &facts->cpus) == 0);
}

static void threads_are_named_after_their_worker(void **state)
{
	struct sennit_runtime *runtime = started_runtime(3);

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct thread_facts facts;
		char expected[32];

		call_on(sennit_runtime_worker(runtime, i), look_at_thread, &facts);
		snprintf(expected, sizeof expected, "sennit/%u", i);
		assert_string_equal(facts.name, expected);
		assert_int_equal(count_threads(expected), 1);
	}
	assert_int_equal(count_threads("sennit/3"), 0);
	end_runtime(runtime);
}

static void threads_block_every_signal_and_the_starter_keeps_its_mask(void **state)
{
	struct sennit_runtime *runtime;
	sigset_t before, after;

	(void)state;
	pthread_sigmask(SIG_BLOCK, NULL, &before);
	runtime = started_runtime(2);
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	for (int signal = 1; signal < SIGRTMAX; signal++)
		assert_int_equal(sigismember(&before, signal), sigismember(&after, signal));
	for (unsigned i = 0; i < 2; i++) {
		struct thread_facts facts;

		call_on(sennit_runtime_worker(runtime, i), look_at_thread, &facts);
		for (int signal = 1; signal <= SIGRTMAX; signal++) {
			/* The kernel's and the C library's own cannot be blocked. */
			if (signal == SIGKILL || signal == SIGSTOP ||
			    (signal > 31 && signal < SIGRTMIN))
				continue;
			if (!sigismember(&facts.blocked, signal))
				fail_msg("worker %u does not block signal %d", i, signal);
		}
	}
	end_runtime(runtime);
}

static void a_driving_threads_signal_mask_and_name_are_its_own(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct thread_facts before = { 0 }, inside = { 0 };

	(void)state;
	look_at_thread(&before);
	assert_int_equal(sennit_runtime_run(runtime), 0);
	look_at_thread(&inside);
	assert_memory_equal(&before, &inside, sizeof before);
	end_runtime(runtime);
}

static void there_is_one_worker_for_each_core_and_a_core_for_each(void **state)
{
	/* asked for: by default it is so only where no quota allows fewer */
	struct sennit_runtime_options options = { .size = sizeof options,
		                                  .pin = SENNIT_PIN_CORES };
	struct sennit_runtime *runtime;
	cpu_set_t allowed, taken;
	unsigned count;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
	assert_int_equal(sennit_runtime_create(&options, &runtime), 0);
	assert_int_equal(sennit_runtime_start(runtime), 0);
	count = sennit_runtime_workers(runtime);
	assert_true(count >= 1);
	assert_true(count <= (unsigned)CPU_COUNT(&allowed));
	CPU_ZERO(&taken);
	for (unsigned i = 0; i < count; i++) {
		struct thread_facts facts;
		cpu_set_t both;

		call_on(sennit_runtime_worker(runtime, i), look_at_thread, &facts);
		CPU_AND(&both, &facts.cpus, &allowed);
		assert_true(CPU_EQUAL(&both, &facts.cpus));
		assert_true(CPU_COUNT(&both) >= 1);
		/* Nobody else sits there. */
		CPU_AND(&both, &facts.cpus, &taken);
		assert_int_equal(CPU_COUNT(&both), 0);
		CPU_OR(&taken, &taken, &facts.cpus);
	}
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
	/* The starter was not moved. */
	assert_int_equal(sched_getaffinity(0, sizeof taken, &taken), 0);
	assert_true(CPU_EQUAL(&taken, &allowed));
}

static void unpinned_workers_may_use_every_cpu_of_the_starter(void **state)
{
	struct sennit_runtime *runtime = started_runtime(2);
	cpu_set_t allowed;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
	for (unsigned i = 0; i < 2; i++) {
		struct thread_facts facts;

		call_on(sennit_runtime_worker(runtime, i), look_at_thread, &facts);
		assert_true(CPU_EQUAL(&facts.cpus, &allowed));
	}
	end_runtime(runtime);
}

static void on_one_cpu_there_is_one_worker_and_more_can_be_had(void **state)
{
	struct sennit_runtime_options options = { .size = sizeof options, .workers = 8 };
	struct sennit_runtime *runtime;
	cpu_set_t saved;

	(void)state;
	take_one_cpu(&saved);
	assert_int_equal(sennit_runtime_create(NULL, &runtime), 0);
	assert_int_equal(sennit_runtime_start(runtime), 0);
	assert_int_equal(sennit_runtime_workers(runtime), 1);
	assert_int_equal(sennit_runtime_destroy(runtime), 0);

	assert_int_equal(sennit_runtime_create(&options, &runtime), 0);
	assert_int_equal(sennit_runtime_start(runtime), 0);
	assert_int_equal(sennit_runtime_workers(runtime), 8);
	for (unsigned i = 0; i < 8; i++) {
		struct thread_facts facts;

		call_on(sennit_runtime_worker(runtime, i), look_at_thread, &facts);
		assert_int_equal(CPU_COUNT(&facts.cpus), 1);
	}
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
	give_back_cpus(&saved);
}

/* --- what is said ----------------------------------------------------------------------------- */

struct said {
	atomic_uint lines;
	atomic_bool wrong;
};

static void on_log(void *user, enum sennit_log_level level, const char *line)
{
	struct said *said = user;

	atomic_fetch_add(&said->lines, 1);
	if (level < SENNIT_LOG_INFO || level > SENNIT_LOG_ERROR || !*line || strchr(line, '\n'))
		atomic_store(&said->wrong, true);
}

static void whatever_is_logged_is_one_line_at_a_time(void **state)
{
	struct said said = { 0 };
	struct sennit_runtime_options options = {
		.size = sizeof options, .workers = 4, .log = on_log, .log_user = &said
	};
	struct sennit_runtime *runtime;

	(void)state;
	assert_int_equal(sennit_runtime_create(&options, &runtime), 0);
	assert_int_equal(sennit_runtime_start(runtime), 0);
	assert_int_equal(sennit_runtime_join(runtime), 0);
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
	assert_false(atomic_load(&said.wrong));
}

static void live_a_little(void *argument)
{
	struct sennit_runtime *runtime;

	(void)argument;
	if (sennit_runtime_create(NULL, &runtime) || sennit_runtime_start(runtime) ||
	    sennit_runtime_join(runtime) || sennit_runtime_destroy(runtime))
		_exit(1);
}

static void without_a_log_hook_nothing_is_printed(void **state)
{
	struct child child;

	(void)state;
	in_child(&child, live_a_little, NULL);
	assert_int_equal(child.status, 0);
	assert_string_equal(child.text, "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_defaults_are_null_zeroed_and_size_0),
		TEST(options_out_of_range_are_refused),
		TEST(the_options_are_read_during_create_only),
		TEST(destroying_null_does_nothing),
		TEST(without_descriptors_create_fails_and_leaks_nothing),
		TEST(without_descriptors_for_all_workers_create_fails),
		TEST(without_descriptors_start_fails_and_the_runtime_is_as_before),
		TEST(a_started_runtime_cannot_be_run_or_started_again),
		TEST(a_driven_runtime_cannot_be_started_or_joined),
		TEST(a_second_thread_finds_no_worker_in_a_driven_runtime),
		TEST(stop_before_run_lets_no_run_form_in),
		TEST(join_on_a_worker_is_refused),
		TEST(join_waits_for_a_guard),
		TEST(join_waits_for_a_running_function),
		TEST(join_waits_for_an_operation_in_flight),
		TEST(several_threads_may_join),
		TEST(a_guard_that_is_held_does_not_hold_up_destroy),
		TEST(guards_count),
		TEST(each_worker_has_its_own_executor_and_its_turn),
		TEST(current_tells_the_runtime_whose_handler_runs),
		TEST(threads_are_named_after_their_worker),
		TEST(threads_block_every_signal_and_the_starter_keeps_its_mask),
		TEST(a_driving_threads_signal_mask_and_name_are_its_own),
		TEST(there_is_one_worker_for_each_core_and_a_core_for_each),
		TEST(unpinned_workers_may_use_every_cpu_of_the_starter),
		TEST(on_one_cpu_there_is_one_worker_and_more_can_be_had),
		TEST(whatever_is_logged_is_one_line_at_a_time),
		TEST(without_a_log_hook_nothing_is_printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
